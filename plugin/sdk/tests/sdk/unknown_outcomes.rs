//! Lost responses: a read may be retried, a write only with an idempotency key.

use serde_json::{Value, json};
use workflow_node_sdk::ErrorKind;
use workflow_node_sdk::error::Error;
use workflow_node_sdk::http::{SendError, SendErrorKind};
use workflow_node_sdk::testing::answer;

use crate::plugin::{call_one, host};

fn lost(action: &str, parameters: Value, kind: SendErrorKind, maybe_sent: bool) -> Error {
    let host = host(move |_| {
        Err(SendError { kind, message: "lost".into(), maybe_sent, retry_after: Some(5) })
    });
    call_one(&host, action, parameters).unwrap_err()
}

fn read() -> Value {
    json!({"thing_id": "1"})
}

fn write() -> Value {
    json!({"name": "n"})
}

#[test]
fn an_unkeyed_write_without_an_answer_has_an_unknown_outcome() {
    for kind in [
        SendErrorKind::Timeout,
        SendErrorKind::Unreachable,
        SendErrorKind::InvalidResponse,
        SendErrorKind::TooLarge,
        SendErrorKind::Cancelled,
    ] {
        let error = lost("thing.create", write(), kind, true);
        assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{kind:?}");
    }
}

#[test]
fn a_request_that_was_never_sent_has_a_known_outcome() {
    for (kind, expected) in [
        (SendErrorKind::Timeout, ErrorKind::Timeout),
        (SendErrorKind::Unreachable, ErrorKind::Unavailable),
        (SendErrorKind::OverBudget, ErrorKind::OverBudget),
        (SendErrorKind::Cancelled, ErrorKind::Cancelled),
        (SendErrorKind::Denied, ErrorKind::DeniedByHost),
        (SendErrorKind::Credential, ErrorKind::Unauthenticated),
        (SendErrorKind::RateLimited, ErrorKind::RateLimited),
        (SendErrorKind::InvalidRequest, ErrorKind::InvalidInput),
    ] {
        let error = lost("thing.create", write(), kind, false);
        assert_eq!((error.kind, error.retry_after), (expected, Some(5)), "{kind:?}");
    }
}

#[test]
fn a_keyed_write_or_a_read_without_an_answer_may_be_repeated() {
    for (action, parameters) in [("thing.put", write()), ("thing.get", read())] {
        let error = lost(action, parameters, SendErrorKind::Unreachable, true);
        assert_eq!(error.kind, ErrorKind::Unavailable, "{action}");
    }
    let error = lost("thing.get", read(), SendErrorKind::Timeout, true);
    assert_eq!(error.kind, ErrorKind::Timeout);
}

#[test]
fn a_keyed_write_that_was_ended_from_outside_may_be_repeated() {
    for kind in [SendErrorKind::Timeout, SendErrorKind::Cancelled] {
        let error = lost("thing.put", write(), kind, true);
        assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{kind:?}");
        assert!(error.message.contains("under the same id"), "{}", error.message);
    }
}

#[test]
fn a_server_error_on_an_unkeyed_write_has_an_unknown_outcome() {
    for status in [500, 502, 503, 504] {
        let host = host(move |_| Ok(answer(status, "{}")));
        let error = call_one(&host, "thing.create", write()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{status}");
        assert_eq!((error.http_status, error.retry_after), (Some(status), None));
        for (action, parameters) in [("thing.put", write()), ("thing.get", read())] {
            let error = call_one(&host, action, parameters).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable, "{action} {status}");
            assert_eq!(error.retry_after, Some(1_000));
        }
    }
}

#[test]
fn a_read_by_post_is_not_a_write() {
    let down = host(|_| Ok(answer(502, "{}")));
    let error = call_one(&down, "report.list", json!({})).unwrap_err();
    assert_eq!((error.kind, error.retry_after), (ErrorKind::Unavailable, Some(1_000)));
    assert!(down.requests()[0].is_repeatable(), "the host may send it again");
    for (kind, expected) in [
        (SendErrorKind::Timeout, ErrorKind::Timeout),
        (SendErrorKind::Cancelled, ErrorKind::Cancelled),
        (SendErrorKind::Unreachable, ErrorKind::Unavailable),
    ] {
        assert_eq!(lost("report.list", json!({}), kind, true).kind, expected);
    }
}

#[test]
fn a_refused_write_has_a_known_outcome() {
    for (status, kind) in [(400, ErrorKind::InvalidInput), (429, ErrorKind::RateLimited)] {
        let host = host(move |_| Ok(answer(status, "{}")));
        assert_eq!(call_one(&host, "thing.create", write()).unwrap_err().kind, kind);
    }
}

#[test]
fn a_keyed_write_sends_its_key_to_the_host() {
    let host = host(|_| Ok(answer(200, r#"{"thing":{}}"#)));
    call_one(&host, "thing.put", write()).unwrap();
    call_one(&host, "thing.put", json!({"name": "n", "key": "mine"})).unwrap();
    call_one(&host, "thing.create", write()).unwrap();
    let keys: Vec<_> = host.requests().into_iter().map(|request| request.idempotency_key).collect();
    assert_eq!(keys, [Some("test-key-0".to_owned()), Some("mine".to_owned()), None]);
}
