//! Events.

use serde_json::json;

use crate::support::{body, call, header, host_with, only_request};

const ACCEPTED: (u16, &str) =
    (202, r#"{"status":"success","message":"Event processed","dedup_key":"k"}"#);

#[test]
fn an_event_contains_its_payload_and_the_executions_key() {
    let host = host_with(&json!({"from_email": "team@example.com"}), &[ACCEPTED]);
    let parameters = json!({
        "summary": "s", "source": "db-1", "severity": "warning", "component": "disk",
        "custom_details": {"free": 0.05}, "links": [{"href": "https://x.test", "text": "x"}],
    });
    let output = call(&host, "event.trigger", &parameters).unwrap();
    assert_eq!(output[0]["dedup_key"], "k");
    let request = only_request(&host);
    assert_eq!(request.url, "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(request.credential.as_deref(), Some("events"));
    assert_eq!(request.idempotency_key.as_deref(), Some("test-key-0"));
    assert_eq!(
        body(&request),
        json!({
            "event_action": "trigger",
            "dedup_key": "test-key-0",
            "payload": {
                "summary": "s", "source": "db-1", "severity": "warning", "component": "disk",
                "custom_details": {"free": 0.05},
            },
            "links": [{"href": "https://x.test", "text": "x"}],
        })
    );
}

#[test]
fn an_event_has_no_acting_user_and_never_shows_its_key() {
    for (action, parameters) in [
        ("event.trigger", json!({"summary": "s", "source": "x", "severity": "info"})),
        ("event.acknowledge", json!({"dedup_key": "k"})),
        ("event.resolve", json!({"dedup_key": "k"})),
        ("event.change", json!({"summary": "s"})),
    ] {
        let host = host_with(&json!({"from_email": "team@example.com"}), &[ACCEPTED]);
        call(&host, action, &parameters).unwrap();
        let request = only_request(&host);
        assert_eq!(header(&request, "from"), None, "{action}");
        assert_eq!(header(&request, "accept"), None, "{action}");
        assert!(body(&request).get("routing_key").is_none(), "{action}");
    }
}

#[test]
fn a_change_event_cannot_be_repeated() {
    let host = host_with(&json!({}), &[ACCEPTED]);
    call(&host, "event.change", &json!({"summary": "s", "source": "ci"})).unwrap();
    let request = only_request(&host);
    assert_eq!(request.url, "https://events.pagerduty.com/v2/change/enqueue");
    assert_eq!(request.idempotency_key, None);
    assert_eq!(body(&request), json!({"payload": {"summary": "s", "source": "ci"}}));
}

#[test]
fn acknowledging_and_resolving_require_a_dedup_key() {
    for (action, word) in [("event.acknowledge", "acknowledge"), ("event.resolve", "resolve")] {
        let host = host_with(&json!({}), &[ACCEPTED]);
        assert!(call(&host, action, &json!({})).is_err());
        call(&host, action, &json!({"dedup_key": "k"})).unwrap();
        let request = only_request(&host);
        assert_eq!(body(&request), json!({"event_action": word, "dedup_key": "k"}));
        assert_eq!(request.idempotency_key.as_deref(), Some("k"));
    }
}
