//! Authorization requests, and the responses at the redirect URI.

use pagerduty_simulator::{App, Region};

use super::*;

/// The error at the redirect URI. State and destination are checked as well.
fn told(callback: &str) -> String {
    assert!(callback.starts_with(REDIRECT), "{callback}");
    assert_eq!(parameter(callback, "state").as_deref(), Some("a state & more"));
    assert!(parameter(callback, "error_description").is_some_and(|text| !text.is_empty()));
    assert_eq!(parameter(callback, "code"), None);
    parameter(callback, "error").unwrap()
}

#[tokio::test]
async fn an_unregistered_redirect_uri_is_refused() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let ada = simulator.us().users()[0].id.clone();
    let good = question(&app, "read");
    for bad in [
        with(good.clone(), "client_id", "unknown"),
        without(good.clone(), "client_id"),
        without(good.clone(), "redirect_uri"),
        with(good.clone(), "redirect_uri", "https://example.com/callback/"),
        with(good.clone(), "redirect_uri", "https://evil.example/callback"),
        with(good.clone(), "redirect_uri", "http://localhost:43117/callback"),
        [&good[..], &[("redirect_uri", "https://evil.example/")]].concat(),
        [&good[..], &[("client_id", "other")]].concat(),
    ] {
        let answer = fetch(&simulator, &format!("/oauth/authorize?{}", encode(&bad))).send().await;
        assert_eq!((answer.status, answer.header("location")), (400, ""), "{bad:?}");
        assert!(answer.header("content-type").starts_with("text/html"));
        identity.approve(&authorize_url(&bad), &ada).unwrap_err();
    }
    assert!(identity.grants().is_empty());
}

#[tokio::test]
async fn the_port_of_a_loopback_address_may_differ_by_default() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let ada = simulator.us().users()[0].id.clone();
    let ask = |uri| {
        identity.approve(&authorize_url(&with(question(&app, "read"), "redirect_uri", uri)), &ada)
    };
    assert!(ask("http://[::1]:5/callback").unwrap().starts_with("http://[::1]:5/callback?code="));
    assert!(
        ask("https://example.com/callback").unwrap().starts_with("https://example.com/callback?")
    );
    identity.configure(|settings| settings.any_loopback_port = false);
    ask("http://[::1]:5/callback").unwrap_err();
    assert!(ask("http://[::1]/callback").is_ok());
    let own =
        identity.register(App::classic("Query").redirect_uri("https://example.com/in?tenant=7"));
    let asked = with(question(&own, "read"), "redirect_uri", "https://example.com/in?tenant=7");
    let callback = identity.approve(&authorize_url(&asked), &ada).unwrap();
    assert!(callback.starts_with("https://example.com/in?tenant=7&code="), "{callback}");
}

#[tokio::test]
async fn every_other_error_is_returned_to_the_redirect_uri() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let ada = simulator.us().users()[0].id.clone();
    let (classic, public) = (identity.classic_app(), identity.public_app());
    let scoped = identity.scoped_app(Region::Us);
    let cases = [
        (without(question(&classic, "read"), "response_type"), "invalid_request"),
        (with(question(&classic, "read"), "response_type", "token"), "unsupported_response_type"),
        (without(question(&classic, "read"), "scope"), "invalid_scope"),
        (question(&classic, "read  write"), "invalid_scope"),
        (question(&classic, "re\"ad"), "invalid_scope"),
        (without(question(&scoped, "users.read"), "code_challenge"), "invalid_request"),
        (without(question(&public, "read"), "code_challenge"), "invalid_request"),
        (without(question(&classic, "read"), "code_challenge"), "invalid_request"),
        (without(question(&classic, "read"), "code_challenge_method"), "invalid_request"),
        (with(question(&classic, "read"), "code_challenge_method", "plain"), "invalid_request"),
        (with(question(&classic, "read"), "code_challenge", VERIFIER), ""),
        (with(question(&classic, "read"), "code_challenge", "short"), "invalid_request"),
        (with(question(&classic, "read"), "client_secret", "s"), "invalid_request"),
        ([&question(&classic, "read")[..], &[("scope", "write")]].concat(), "invalid_request"),
    ];
    for (asked, error) in cases {
        let path = format!("/oauth/authorize?{}", encode(&asked));
        let answer = fetch(&simulator, &path).send().await;
        if error.is_empty() {
            // 43 letters of base64url are a challenge, whatever they are a digest of.
            assert_eq!(answer.status, 200);
            continue;
        }
        assert_eq!(answer.status, 303, "{asked:?}");
        assert_eq!(told(answer.header("location")), error, "{asked:?}");
        assert_eq!(told(&identity.approve(&authorize_url(&asked), &ada).unwrap()), error);
    }
    let ben = simulator.eu().users()[1].id.clone();
    let private = identity.approve(&authorize_url(&question(&scoped, "users.read")), &ben).unwrap();
    assert_eq!(told(&private), "access_denied");
    let denied = identity.deny(&authorize_url(&question(&scoped, "users.read"))).unwrap();
    assert_eq!(told(&denied), "access_denied");
    for error in ["unauthorized_client", "server_error", "temporarily_unavailable", "made_up"] {
        identity.fail_next_authorization(error, "Asked for by the test");
        let failed = identity.approve(&authorize_url(&question(&classic, "read")), &ada).unwrap();
        assert_eq!(told(&failed), error);
        assert_eq!(
            parameter(&failed, "error_description").as_deref(),
            Some("Asked for by the test")
        );
    }
    code(&simulator, &classic, "read");
}

#[tokio::test]
async fn a_published_scoped_app_is_available_to_every_account() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = App::scoped("Public", Region::Us, &["services.read"]).redirect_uri(REDIRECT);
    let app = identity.register(app.published());
    let ben = simulator.eu().users()[1].id.clone();
    let url = authorize_url(&question(&app, "services.read"));
    let code = parameter(&identity.approve(&url, &ben).unwrap(), "code").unwrap();
    let given = tokens(&token(&simulator, &exchange(&app, &code)).await);
    assert_eq!(status_of(&simulator, Origin::RestEu, &given["access_token"]).await, 200);
}

#[tokio::test]
async fn the_issuer_is_returned_if_enabled() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let ada = simulator.us().users()[0].id.clone();
    let url = authorize_url(&question(&app, "read"));
    assert_eq!(parameter(&identity.approve(&url, &ada).unwrap(), "iss"), None);
    for issuer in [identity.settings().issuer, "https://evil.example/a&b".to_owned()] {
        identity.configure(|settings| settings.callback_iss = Some(issuer.clone()));
        let told = [identity.approve(&url, &ada).unwrap(), identity.deny(&url).unwrap()];
        assert!(told.iter().all(|url| parameter(url, "iss").as_ref() == Some(&issuer)), "{told:?}");
    }
}

#[tokio::test]
async fn silently_accepted_mistakes_are_violations() {
    let simulator = simulator().await;
    let app = simulator.identity().classic_app();
    let bare = vec![
        ("client_id", app.client_id.as_str()),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "read incidents.read"),
        ("colour", "blue"),
    ];
    let path = format!("/oauth/authorize?{}", encode(&bare));
    assert_eq!(fetch(&simulator, &path).send().await.status, 200);
    let violations = simulator.violations().join("\n");
    for text in ["without state", "without PKCE", "parameter colour", "scope incidents.read"] {
        assert!(violations.contains(text), "{text} is missing in\n{violations}");
    }
    simulator.clear_requests();
    let path = format!("/oauth/authorize?{}", encode(&question(&app, "read")));
    assert_eq!(fetch(&simulator, &path).send().await.status, 200);
    assert!(simulator.violations().is_empty());
    fetch(&simulator, &path).host("api.pagerduty.com").send().await;
    assert_eq!(simulator.violations().len(), 1);
}
