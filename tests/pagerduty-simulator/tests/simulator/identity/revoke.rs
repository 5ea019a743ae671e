//! Revocation by the app and on PagerDuty's pages, and the metadata.

use pagerduty_simulator::{App, GrantEnd, Origin, Region};
use serde_json::json;

use super::*;

fn revocation<'a>(app: &'a App, token: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut form = vec![("client_id", app.client_id.as_str()), ("token", token)];
    form.extend(app.client_secret.as_deref().map(|secret| ("client_secret", secret)));
    form
}

async fn revoke(simulator: &Simulator, form: &[(&str, &str)]) -> Answer {
    post(simulator, "/oauth/revoke", form).send().await
}

#[tokio::test]
async fn revoking_an_access_token_keeps_its_family_and_a_refresh_token_ends_it() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let given = connected(&simulator, &app, "read").await;
    let [access, refresh] =
        ["access_token", "refresh_token"].map(|one| given[one].as_str().unwrap());
    let form = with(revocation(&app, access), "token_type_hint", "access_token");
    let answer = revoke(&simulator, &form).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(status_of(&simulator, Origin::RestUs, &given["access_token"]).await, 401);
    let next = tokens(&token(&simulator, &renewal(&app, refresh)).await);

    let last = next["refresh_token"].as_str().unwrap();
    // A wrong hint does not matter, nor does a second revocation.
    let form = with(revocation(&app, last), "token_type_hint", "access_token");
    for _ in 0..2 {
        assert_eq!(revoke(&simulator, &form).await.status, 200);
    }
    assert_eq!(status_of(&simulator, Origin::RestUs, &next["access_token"]).await, 401);
    let answer = token(&simulator, &renewal(&app, last)).await;
    assert_eq!(refusal(&answer), refused(400, "invalid_grant"));
    assert_eq!(identity.grants()[0].ended, Some(GrantEnd::RevokedByApp));
    assert_eq!(revoke(&simulator, &revocation(&app, "unknown")).await.status, 200);
}

#[tokio::test]
async fn revocation_needs_the_app_that_the_token_belongs_to() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let (app, public) = (identity.classic_app(), identity.public_app());
    let given = connected(&simulator, &app, "read").await;
    let access = given["access_token"].as_str().unwrap();
    for (form, status, error) in [
        (revocation(&public, access), 400, "unauthorized_client"),
        (with(revocation(&app, access), "client_secret", "wrong"), 401, "invalid_client"),
        (without(revocation(&app, access), "client_secret"), 401, "invalid_client"),
        (without(revocation(&app, access), "token"), 400, "invalid_request"),
        (without(revocation(&app, access), "client_id"), 400, "invalid_request"),
    ] {
        assert_eq!(refusal(&revoke(&simulator, &form).await), refused(status, error), "{form:?}");
    }
    assert_eq!(status_of(&simulator, Origin::RestUs, &given["access_token"]).await, 200);
    let got = fetch(&simulator, "/oauth/revoke").send().await;
    assert_eq!((got.status, got.header("allow")), (405, "POST"));

    let public_tokens = connected(&simulator, &public, "read").await;
    let form = revocation(&public, public_tokens["refresh_token"].as_str().unwrap());
    assert_eq!(revoke(&simulator, &form).await.status, 200);
    assert_eq!(status_of(&simulator, Origin::RestUs, &public_tokens["access_token"]).await, 401);

    identity.configure(|settings| settings.has_revocation = false);
    assert_eq!(revoke(&simulator, &revocation(&app, access)).await.status, 404);
    assert_eq!(status_of(&simulator, Origin::RestUs, &given["access_token"]).await, 200);
}

#[tokio::test]
async fn users_revoke_without_the_app() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let (classic, scoped) = (identity.classic_app(), identity.scoped_app(Region::Us));
    let first = connected(&simulator, &classic, "read").await;
    let second = connected(&simulator, &scoped, "services.read").await;
    assert_eq!(identity.revoke_all_of_app(&classic.client_id), 1);
    assert_eq!(identity.revoke_all_of_app(&classic.client_id), 0);
    assert_eq!(status_of(&simulator, Origin::RestUs, &first["access_token"]).await, 401);
    assert_eq!(status_of(&simulator, Origin::RestUs, &second["access_token"]).await, 200);
    let refresh = first["refresh_token"].as_str().unwrap();
    let answer = token(&simulator, &renewal(&classic, refresh)).await;
    assert_eq!(refusal(&answer), refused(400, "invalid_grant"));
    let ada = &simulator.us().users()[0].id;
    assert_eq!(identity.revoke_all_of_user(ada), 1);
    assert_eq!(status_of(&simulator, Origin::RestUs, &second["access_token"]).await, 401);
    assert!(identity.grants().iter().all(|one| one.ended == Some(GrantEnd::RevokedByPerson)));

    let third = connected(&simulator, &scoped, "services.read").await;
    assert!(identity.revoke_token(third["access_token"].as_str().unwrap()));
    assert!(!identity.revoke_token("unknown"));
    assert_eq!(status_of(&simulator, Origin::RestUs, &third["access_token"]).await, 401);
    // A deleted app cannot refresh, but its tokens stay valid.
    let last = connected(&simulator, &classic, "read").await;
    assert!(identity.unregister(&classic.client_id));
    let refresh = last["refresh_token"].as_str().unwrap();
    let answer = token(&simulator, &renewal(&classic, refresh)).await;
    assert_eq!(refusal(&answer), refused(401, "invalid_client"));
    assert_eq!(status_of(&simulator, Origin::RestUs, &last["access_token"]).await, 200);
}

#[tokio::test]
async fn the_metadata_reflects_the_settings() {
    let simulator = simulator().await;
    let path = "/global/oauth/anonymous/.well-known/openid-configuration";
    let metadata = || async { fetch(&simulator, path).send().await.json() };
    let start = metadata().await;
    assert_eq!(start["issuer"], "https://identity.pagerduty.com/global/oauth/anonymous");
    assert_eq!(start["token_endpoint"], "https://identity.pagerduty.com/oauth/token");
    assert_eq!(start["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(start["authorization_response_iss_parameter_supported"], false);
    assert_eq!(start["revocation_endpoint"], "https://identity.pagerduty.com/oauth/revoke");
    simulator.identity().configure(|settings| {
        settings.issuer = "https://app.pagerduty.com/global/oauth/anonymous".to_owned();
        settings.code_challenge_methods.clear();
        settings.announces_iss = true;
        settings.has_revocation = false;
        settings.accepts_basic = true;
    });
    let changed = metadata().await;
    assert_eq!(changed["issuer"], "https://app.pagerduty.com/global/oauth/anonymous");
    assert_eq!(changed.get("code_challenge_methods_supported"), None);
    assert_eq!(changed["authorization_response_iss_parameter_supported"], true);
    assert_eq!(changed.get("revocation_endpoint"), None);
    let methods = changed["token_endpoint_auth_methods_supported"].to_string();
    assert!(methods.contains("client_secret_basic"));
}
