//! Injected faults.

use std::time::Duration;

use pagerduty_simulator::{ErrorShape, Fault, FaultAction, Origin, Simulator};

use crate::client::{ask, get};
use crate::judgement::new_incident;

async fn simulator() -> Simulator {
    Simulator::builder().start().await.unwrap()
}

#[tokio::test]
async fn a_fault_affects_only_matching_requests() {
    let simulator = simulator().await;
    simulator.fault(Fault::status(503).method("get").path("/services").after(1).times(2));
    let mut seen = Vec::new();
    for path in ["/users", "/services", "/services", "/users", "/services", "/services"] {
        seen.push(get(&simulator, path).send().await.status);
    }
    assert_eq!(seen, [200, 200, 503, 200, 503, 200]);
    simulator.fault(Fault::status(500).origin(Origin::RestEu));
    assert_eq!(get(&simulator, "/users").send().await.status, 200);
    simulator.fault(Fault::status(500).always());
    for _ in 0..3 {
        assert_eq!(get(&simulator, "/users").send().await.status, 500);
    }
    simulator.clear_faults();
    assert_eq!(get(&simulator, "/users").send().await.status, 200);
    let statuses: Vec<_> =
        simulator.requests().iter().map(|request| request.response_status).collect();
    assert_eq!(statuses[2], Some(503));
}

#[tokio::test]
async fn an_injected_status_leaves_the_state_unchanged_by_default() {
    let simulator = simulator().await;
    let count = simulator.us().incident_count();
    let body = new_incident(&simulator);
    let create = || ask(&simulator, "POST", "/incidents").json(&body);
    simulator.fault(Fault::response(502, &[("x-why", "test")], "bad gateway"));
    let answer = create().send().await;
    assert_eq!((answer.status, &answer.body[..]), (502, &b"bad gateway"[..]));
    assert_eq!(answer.header("x-why"), "test");
    assert_eq!(simulator.us().incident_count(), count);
    simulator.fault(Fault::status(504).after_apply());
    assert_eq!(create().send().await.status, 504);
    assert_eq!(simulator.us().incident_count(), count + 1);
    simulator.fault(Fault::rate_limited(7));
    let limited = create().send().await;
    assert_eq!((limited.error(), limited.header("ratelimit-reset")), ((429, 2020), "7"));
}

#[tokio::test]
async fn a_reset_ends_the_connection_before_or_after_the_change() {
    let simulator = simulator().await;
    let body = new_incident(&simulator);
    for http1 in [true, false] {
        let create = || {
            let ask = ask(&simulator, "POST", "/incidents").json(&body);
            if http1 { ask.http1() } else { ask }
        };
        let count = simulator.us().incident_count();
        for (action, kind) in [
            (FaultAction::ResetBeforeResponse, "ConnectionReset"),
            (FaultAction::CloseBeforeResponse, "UnexpectedEof"),
        ] {
            simulator.fault(Fault::new(action));
            let error = create().try_send().await.unwrap_err();
            // An HTTP/2 client reports a closed connection in several ways.
            assert!(!http1 || error.contains(kind), "{error}");
        }
        assert_eq!(simulator.us().incident_count(), count);
        simulator.fault(Fault::new(FaultAction::ResetAfterApply));
        assert!(create().try_send().await.is_err());
        assert_eq!(simulator.us().incident_count(), count + 1);
        assert_eq!(simulator.requests().last().unwrap().response_status, None);
        assert_eq!(create().send().await.status, 201);
    }
}

#[tokio::test]
async fn a_body_can_be_cut_off_empty_or_invalid() {
    let simulator = simulator().await;
    for http1 in [true, false] {
        let read = || {
            let ask = get(&simulator, "/services");
            if http1 { ask.http1() } else { ask }
        };
        let whole = read().send().await.body.len();
        simulator.fault(Fault::new(FaultAction::TruncatedBody));
        assert!(read().try_send().await.is_err());
        simulator.fault(Fault::new(FaultAction::EmptyResponse));
        let answer = read().send().await;
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        simulator.fault(Fault::new(FaultAction::Garbage));
        let answer = read().send().await;
        assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
        simulator.fault(Fault::new(FaultAction::WrongContentType));
        let answer = read().send().await;
        assert!(answer.header("content-type").starts_with("text/html"));
        assert_eq!(read().send().await.body.len(), whole);
    }
}

#[tokio::test]
async fn a_body_can_be_huge() {
    let simulator = simulator().await;
    simulator.fault(Fault::new(FaultAction::HugeBody(3_000_000)));
    let answer = get(&simulator, "/services").send().await;
    assert_eq!(answer.body.len(), 3_000_000);
    assert!(answer.json()["padding"].is_string());
    assert!(answer.header("content-length").is_empty());
    simulator.fault(Fault::new(FaultAction::GzipBomb(10_000_000)));
    let answer = get(&simulator, "/services").send().await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(answer.body.len() < 50_000);
    simulator.fault(Fault::new(FaultAction::HugeHeader(5_000)));
    let answer = get(&simulator, "/services").send().await;
    assert_eq!(answer.header("x-padding").len(), 5_000);
}

#[tokio::test]
async fn a_stalled_body_does_not_delay_others() {
    let simulator = simulator().await;
    simulator.fault(Fault::new(FaultAction::StallBody).path("/services"));
    let stalled = get(&simulator, "/services").try_send();
    tokio::pin!(stalled);
    tokio::select! {
        _ = &mut stalled => panic!("a stalled body has ended"),
        answer = async {
            while simulator.requests().is_empty() {
                tokio::task::yield_now().await;
            }
            get(&simulator, "/users").send().await
        } => assert_eq!(answer.status, 200),
    }
}

#[tokio::test]
async fn a_delay_can_be_combined_with_another_fault() {
    let simulator = simulator().await;
    simulator.fault(Fault::delay(Duration::from_millis(1)));
    simulator.fault(Fault::status(500));
    assert_eq!(get(&simulator, "/users").send().await.status, 500);
    simulator.fault(Fault::delay(Duration::from_millis(1)));
    assert_eq!(get(&simulator, "/users").send().await.status, 200);
}

#[tokio::test]
async fn a_late_response_does_not_delay_others() {
    let simulator = simulator().await;
    simulator.fault(Fault::delay(Duration::from_secs(3600)).path("/services"));
    let late = get(&simulator, "/services").try_send();
    tokio::pin!(late);
    tokio::select! {
        _ = &mut late => panic!("the late answer came first"),
        answer = async {
            while simulator.requests().is_empty() {
                tokio::task::yield_now().await;
            }
            get(&simulator, "/users").send().await
        } => assert_eq!(answer.status, 200),
    }
}

#[tokio::test]
async fn a_redirect_has_a_location() {
    let simulator = simulator().await;
    let location = "https://attacker.example.com/".to_owned();
    simulator.fault(Fault::new(FaultAction::Redirect { status: 307, location }));
    let answer = get(&simulator, "/users").send().await;
    assert_eq!((answer.status, answer.header("location")), (307, "https://attacker.example.com/"));
}

#[tokio::test]
async fn an_echo_contains_the_credential_in_every_encoding() {
    let simulator = simulator().await;
    let token = simulator.us().keys().classic_write;
    simulator.fault(Fault::new(FaultAction::EchoRequest));
    let echo = ask(&simulator, "POST", "/anything?a=b").bearer(&token).bytes("hello");
    let echo = echo.send().await;
    assert_eq!(echo.status, 200);
    let echo = echo.json();
    assert_eq!(echo["body"], "hello");
    assert_eq!(echo["query"], "a=b");
    assert_eq!(echo["headers"]["authorization"], format!("Bearer {token}"));
    assert_eq!(echo["token"]["raw"], token.as_str());
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(echo["token"]["hex"], hex.as_str());
    assert!(echo["token"]["percent"].as_str().unwrap().contains("%2B"));
    for name in ["raw", "base64", "base64url", "hex", "percent", "json", "json_escaped"] {
        assert!(echo["authorization"][name].is_string(), "{name}");
    }
}

#[tokio::test]
async fn errors_come_in_every_shape() {
    let simulator = simulator().await;
    for shape in ErrorShape::ALL {
        simulator.fault(Fault::error(422, shape, "the reason"));
        let answer = get(&simulator, "/users").send().await;
        assert_eq!(answer.status, 422);
        let says = String::from_utf8_lossy(&answer.body).contains("the reason");
        assert_eq!(says, shape != ErrorShape::Empty, "{shape:?}");
    }
}
