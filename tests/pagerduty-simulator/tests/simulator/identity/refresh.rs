//! Refreshing: rotation, reuse, grace period, lifetimes.

use std::time::Duration;

use futures_util::future::join_all;
use pagerduty_simulator::{App, GrantEnd, Origin, Region};
use serde_json::Value;

use super::*;

async fn refresh(simulator: &Simulator, app: &App, token: &Value) -> Answer {
    super::token(simulator, &renewal(app, token.as_str().unwrap())).await
}

#[tokio::test]
async fn every_refresh_rotates_both_tokens() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    for app in [identity.classic_app(), identity.public_app(), identity.scoped_app(Region::Eu)] {
        let scope = if app.home == Region::Eu { "services.read" } else { "read" };
        let origin = if app.home == Region::Eu { Origin::RestEu } else { Origin::RestUs };
        let first = connected(&simulator, &app, scope).await;
        let second = tokens(&refresh(&simulator, &app, &first["refresh_token"]).await);
        let third = tokens(&refresh(&simulator, &app, &second["refresh_token"]).await);
        assert_ne!(first["access_token"], second["access_token"]);
        assert_ne!(second["refresh_token"], third["refresh_token"]);
        assert_eq!(third["scope"], first["scope"]);
        // As in PagerDuty's documentation: the user was identified with the first response.
        assert_eq!(third.get("id_token"), None);
        for token in [&first, &second, &third] {
            assert_eq!(status_of(&simulator, origin, &token["access_token"]).await, 200);
        }
        let grant = identity.grants().pop().unwrap();
        assert_eq!(grant.refresh_tokens, [third["refresh_token"].as_str().unwrap()]);
        assert_eq!(grant.access_tokens.len(), 3);
        let issued = identity.issued_tokens();
        for token in [&first, &second, &third] {
            for kind in ["access", "refresh"] {
                let value = token[format!("{kind}_token")].as_str().unwrap().to_owned();
                assert!(issued.iter().any(|(_, one)| *one == value), "{kind}");
            }
        }
    }
    assert_eq!(identity.refresh_count(), 6);
    let sent = simulator.token_requests();
    assert_eq!(sent.len(), 9);
    let refreshes = sent.iter().filter(|one| one.field("grant_type") == Some("refresh_token"));
    assert!(refreshes.clone().all(|one| one.request.response_status == Some(200)));
    assert_eq!(refreshes.count(), 6);
}

#[tokio::test]
async fn a_reused_refresh_token_ends_only_its_family() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let bystander = connected(&simulator, &app, "read").await;
    let first = connected(&simulator, &app, "read").await;
    let second = tokens(&refresh(&simulator, &app, &first["refresh_token"]).await);
    let reuse = refresh(&simulator, &app, &first["refresh_token"]).await;
    assert_eq!(refusal(&reuse), refused(400, "invalid_grant"));
    let heir = refresh(&simulator, &app, &second["refresh_token"]).await;
    assert_eq!(refusal(&heir), refused(400, "invalid_grant"));
    for token in [&first, &second] {
        assert_eq!(status_of(&simulator, Origin::RestUs, &token["access_token"]).await, 401);
    }
    let ends: Vec<_> = identity.grants().into_iter().map(|grant| grant.ended).collect();
    assert_eq!(ends, [None, Some(GrantEnd::RefreshTokenReused)]);
    assert_eq!(status_of(&simulator, Origin::RestUs, &bystander["access_token"]).await, 200);
    tokens(&refresh(&simulator, &app, &bystander["refresh_token"]).await);

    identity.configure(|settings| settings.reuse_ends_family = false);
    let first = connected(&simulator, &app, "read").await;
    let second = tokens(&refresh(&simulator, &app, &first["refresh_token"]).await);
    let reuse = refresh(&simulator, &app, &first["refresh_token"]).await;
    assert_eq!(refusal(&reuse), refused(400, "invalid_grant"));
    tokens(&refresh(&simulator, &app, &second["refresh_token"]).await);
}

#[tokio::test]
async fn one_of_a_hundred_concurrent_refreshes_succeeds() {
    let simulator = simulator().await;
    let app = simulator.identity().classic_app();
    let first = connected(&simulator, &app, "read").await;
    let many = (0..100).map(|_| refresh(&simulator, &app, &first["refresh_token"]));
    let answers = join_all(many).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let losers = answers.iter().filter(|answer| answer.status != 200);
    assert!(losers.into_iter().all(|one| refusal(one) == refused(400, "invalid_grant")));
    assert_eq!(simulator.identity().refresh_count(), 1);
    assert_eq!(simulator.identity().grants()[0].ended, Some(GrantEnd::RefreshTokenReused));
}

#[tokio::test]
async fn within_the_grace_period_a_used_token_is_accepted_again() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    identity.set_grace(Duration::from_secs(60));
    let first = connected(&simulator, &app, "read").await;
    let second = tokens(&refresh(&simulator, &app, &first["refresh_token"]).await);
    simulator.advance_clock(Duration::from_secs(59));
    let other = tokens(&refresh(&simulator, &app, &first["refresh_token"]).await);
    assert_ne!(second["refresh_token"], other["refresh_token"]);
    tokens(&refresh(&simulator, &app, &second["refresh_token"]).await);
    tokens(&refresh(&simulator, &app, &other["refresh_token"]).await);
    // The period began with the first use.
    simulator.advance_clock(Duration::from_secs(2));
    let late = refresh(&simulator, &app, &first["refresh_token"]).await;
    assert_eq!(refusal(&late), refused(400, "invalid_grant"));
    assert_eq!(identity.grants()[0].ended, Some(GrantEnd::RefreshTokenReused));
}

#[tokio::test]
async fn without_rotation_the_refresh_token_stays() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    identity.configure(|settings| settings.rotates = false);
    let app = identity.classic_app();
    let first = connected(&simulator, &app, "read").await;
    for _ in 0..3 {
        let next = tokens(&refresh(&simulator, &app, &first["refresh_token"]).await);
        assert_eq!(next.get("refresh_token"), None);
        assert_eq!(status_of(&simulator, Origin::RestUs, &next["access_token"]).await, 200);
    }
    assert_eq!(identity.refresh_count(), 3);
}

#[tokio::test]
async fn a_refresh_token_belongs_to_its_app_and_grants_no_more_than_before() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.scoped_app(Region::Us);
    let other = identity.register(App::classic("Other"));
    let given = connected(&simulator, &app, "services.read users.read").await;
    let stolen = refresh(&simulator, &other, &given["refresh_token"]).await;
    assert_eq!(refusal(&stolen), refused(400, "invalid_grant"));
    let token = given["refresh_token"].as_str().unwrap();
    let asked = |scope| with(renewal(&app, token), "scope", scope);
    let more = super::token(&simulator, &asked("services.read incidents.read")).await;
    assert_eq!(refusal(&more), refused(400, "invalid_scope"));
    let less = tokens(&super::token(&simulator, &asked("users.read")).await);
    assert_eq!(less["scope"], "users.read");
    assert_eq!(status_of(&simulator, Origin::RestUs, &less["access_token"]).await, 403);
    let whole = tokens(&refresh(&simulator, &app, &less["refresh_token"]).await);
    assert_eq!(whole["scope"], "openid services.read users.read");
    for (name, value, error) in [
        ("refresh_token", "", "invalid_request"),
        ("refresh_token", "unknown", "invalid_grant"),
        ("refresh_token", given["access_token"].as_str().unwrap(), "invalid_grant"),
    ] {
        let answer = super::token(&simulator, &with(renewal(&app, token), name, value)).await;
        assert_eq!(refusal(&answer), refused(400, error), "{value}");
    }
    assert_eq!(identity.grants()[0].ended, None);
}

#[tokio::test]
async fn token_lifetimes_depend_on_the_kind_of_app() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let simulator = simulator().await;
    let identity = simulator.identity();
    for (app, scope, access, refresh_days, window) in [
        (identity.classic_app(), "read", 10, 210, 3 * 365),
        (identity.scoped_app(Region::Us), "services.read", 1, 30, 365),
    ] {
        let given = connected(&simulator, &app, scope).await;
        assert_eq!(given["expires_in"], access * 24 * 3600);
        simulator.advance_clock(DAY * access - Duration::from_secs(1));
        assert_eq!(status_of(&simulator, Origin::RestUs, &given["access_token"]).await, 200);
        simulator.advance_clock(Duration::from_secs(1));
        assert_eq!(status_of(&simulator, Origin::RestUs, &given["access_token"]).await, 401);
        let mut elapsed = access;
        // Refreshing prolongs, up to the end of the window.
        let mut token = given["refresh_token"].clone();
        while elapsed + refresh_days - 1 < window {
            simulator.advance_clock(DAY * (refresh_days - access - 1));
            elapsed += refresh_days - access - 1;
            token = tokens(&refresh(&simulator, &app, &token).await)["refresh_token"].clone();
        }
        simulator.advance_clock(DAY * (window - elapsed));
        let over = refresh(&simulator, &app, &token).await;
        assert_eq!(refusal(&over), refused(400, "invalid_grant"));

        let given = connected(&simulator, &app, scope).await;
        simulator.advance_clock(DAY * refresh_days);
        let over = refresh(&simulator, &app, &given["refresh_token"]).await;
        assert_eq!(refusal(&over), refused(400, "invalid_grant"));
    }
    identity.set_lifetimes(Duration::from_secs(90), Duration::from_secs(600));
    let app = identity.classic_app();
    let given = connected(&simulator, &app, "read").await;
    assert_eq!(given["expires_in"], 90);
    simulator.advance_clock(Duration::from_secs(90));
    assert_eq!(status_of(&simulator, Origin::RestUs, &given["access_token"]).await, 401);
    let given = tokens(&refresh(&simulator, &app, &given["refresh_token"]).await);
    simulator.advance_clock(Duration::from_secs(600));
    let over = refresh(&simulator, &app, &given["refresh_token"]).await;
    assert_eq!(refusal(&over), refused(400, "invalid_grant"));
}
