//! Faults of the identity service.

use std::time::{Duration, Instant};

use pagerduty_simulator::{Fault, FaultAction, GrantEnd, Hold, Origin};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn token_responses_are_changed_member_by_member() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    for (name, value) in [
        ("expires_in", json!(0)),
        ("expires_in", json!(-5)),
        ("expires_in", json!("3600")),
        ("expires_in", json!("soon")),
        ("expires_in", json!(1e12)),
        ("expires_in", json!(1_000_000_000_000_u64)),
        ("expires_in", Value::Null),
        ("token_type", json!("Bearer")),
        ("token_type", json!("mac")),
        ("scope", json!("openid")),
        ("id_token", json!("a.b.c")),
    ] {
        simulator.fault(Fault::alter(&[(name, value.clone())], &[]).token_endpoint());
        let code = code(&simulator, &app, "read");
        let given = token(&simulator, &exchange(&app, &code)).await.json();
        assert_eq!(given[name].to_string(), value.to_string());
        assert_eq!(status_of(&simulator, Origin::RestUs, &given["access_token"]).await, 200);
    }
    let gone = ["refresh_token", "expires_in", "scope"];
    simulator.fault(Fault::alter(&[], &gone).token_endpoint());
    let given = connected(&simulator, &app, "read").await;
    assert!(gone.iter().all(|name| given.get(name).is_none()));
    assert_eq!(identity.grants().last().unwrap().refresh_tokens.len(), 1);
}

#[tokio::test]
async fn a_fault_can_select_a_grant() {
    let simulator = simulator().await;
    let app = simulator.identity().classic_app();
    let only_refreshes =
        |fault: Fault| fault.token_endpoint().form_field("grant_type", "refresh_token");
    for error in [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "something_new",
    ] {
        simulator.fault(only_refreshes(Fault::oauth_error(error, "Simulated")));
        let given = connected(&simulator, &app, "read").await;
        let refresh = given["refresh_token"].as_str().unwrap();
        let answer = token(&simulator, &renewal(&app, refresh)).await;
        let status = if error == "invalid_client" { 401 } else { 400 };
        assert_eq!(refusal(&answer), refused(status, error));
        // Nothing was used.
        tokens(&token(&simulator, &renewal(&app, refresh)).await);
    }
    let given = connected(&simulator, &app, "read").await;
    let refresh = given["refresh_token"].as_str().unwrap();
    let body = json!({"error": "invalid_grant"}).to_string();
    simulator.fault(only_refreshes(Fault::response(200, &[], body)));
    let answer = token(&simulator, &renewal(&app, refresh)).await;
    assert_eq!((answer.status, &answer.json()["error"]), (200, &json!("invalid_grant")));
    for status in [301, 302, 303, 307, 308] {
        let location = "https://example.com/steal".to_owned();
        let elsewhere = FaultAction::Redirect { status, location };
        simulator.fault(only_refreshes(Fault::new(elsewhere)));
        let answer = token(&simulator, &renewal(&app, refresh)).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, "https://example.com/steal")
        );
    }
    for action in [FaultAction::Garbage, FaultAction::EmptyResponse, FaultAction::WrongContentType]
    {
        simulator.fault(Fault::new(action).token_endpoint());
        let given = token(&simulator, &exchange(&app, &code(&simulator, &app, "read"))).await;
        assert!(serde_json::from_slice::<Value>(&given.body).is_err());
    }
}

#[tokio::test]
async fn a_response_is_lost_before_or_after_the_rotation() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let given = connected(&simulator, &app, "read").await;
    let refresh = given["refresh_token"].as_str().unwrap();
    let ask = || post(&simulator, "/oauth/token", &renewal(&app, refresh));
    simulator.fault(Fault::new(FaultAction::ResetBeforeResponse).token_endpoint());
    ask().try_send().await.unwrap_err();
    assert_eq!((identity.refresh_count(), identity.grants()[0].refresh_tokens.len()), (0, 1));
    assert_eq!(identity.grants()[0].refresh_tokens[0], refresh);

    simulator.fault(Fault::new(FaultAction::ResetAfterApply).token_endpoint());
    ask().try_send().await.unwrap_err();
    assert_eq!(identity.refresh_count(), 1);
    assert_ne!(identity.grants()[0].refresh_tokens[0], refresh);
    assert_eq!(refusal(&ask().send().await), refused(400, "invalid_grant"));
    assert_eq!(identity.grants()[0].ended, Some(GrantEnd::RefreshTokenReused));
}

#[tokio::test]
async fn a_response_is_held_after_the_rotation() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let given = connected(&simulator, &app, "read").await;
    let form = renewal(&app, given["refresh_token"].as_str().unwrap());
    let hold = Hold::new();
    simulator.fault(Fault::hold_after_apply(&hold).token_endpoint());
    let asking = post(&simulator, "/oauth/token", &form).send();
    tokio::pin!(asking);
    tokio::select! {
        answer = asking.as_mut() => panic!("answered early: {answer:?}"),
        () = hold.reached(1) => {}
    }
    assert_eq!((hold.arrived(), identity.refresh_count()), (1, 1));
    assert_eq!(simulator.token_requests()[1].request.response_status, None);
    hold.release();
    let next = tokens(&asking.await);
    assert_eq!(identity.grants()[0].refresh_tokens, [next["refresh_token"].as_str().unwrap()]);
}

#[tokio::test]
async fn a_client_that_disconnects_while_held_has_changed_nothing() {
    let simulator = simulator().await;
    let identity = simulator.identity();
    let app = identity.classic_app();
    let given = connected(&simulator, &app, "read").await;
    let form = renewal(&app, given["refresh_token"].as_str().unwrap());
    for gone in [true, false] {
        let hold = Hold::new();
        simulator.fault(Fault::hold_before_apply(&hold).token_endpoint());
        let asking = post(&simulator, "/oauth/token", &form).http1().send();
        let mut asking = Box::pin(asking);
        tokio::select! {
            answer = asking.as_mut() => panic!("answered early: {answer:?}"),
            () = hold.reached(1) => {}
        }
        assert_eq!(identity.refresh_count(), 0);
        if gone {
            drop(asking);
            // Time for the server to notice the end of the connection.
            tokio::time::sleep(Duration::from_millis(200)).await;
            hold.release();
            fetch(&simulator, "/global/oauth/anonymous/jwks").send().await;
            assert_eq!(identity.refresh_count(), 0);
        } else {
            hold.release();
            tokens(&asking.await);
            assert_eq!(identity.refresh_count(), 1);
        }
    }
}

#[tokio::test]
async fn a_slow_token_endpoint_is_only_slow() {
    let simulator = simulator().await;
    let app = simulator.identity().classic_app();
    let code = code(&simulator, &app, "read");
    simulator.fault(Fault::delay(Duration::from_millis(300)).token_endpoint());
    let before = Instant::now();
    tokens(&token(&simulator, &exchange(&app, &code)).await);
    assert!(before.elapsed() >= Duration::from_millis(300));
}
