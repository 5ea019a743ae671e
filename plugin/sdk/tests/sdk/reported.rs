//! Failures that a successful response reports, and the errors they become.

use serde_json::{Value, json};
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::testing::answer;

use crate::plugin::{Outcome, call_one, host};

fn answered(status: u16, body: Value, action: &str, item: Value) -> Outcome {
    let host = host(move |_| Ok(answer(status, &body.to_string())));
    call_one(&host, action, item)
}

fn failed(status: u16, body: Value, action: &str, item: Value) -> Error {
    let error = answered(status, body, action, item).unwrap_err();
    assert_eq!(error.http_status, Some(status));
    assert_eq!(error.retry_after, None);
    let again = [ErrorKind::Unavailable, ErrorKind::RateLimited, ErrorKind::Timeout];
    assert!(!again.contains(&error.kind), "{error:?}");
    error
}

#[test]
fn a_declared_failure_in_a_successful_answer_is_the_items_error() {
    let body = json!({"subscriptions": [
        {"subscriber_id": "PUSER1", "result": "success"},
        {"subscriber_id": "PUSER2", "result": "unauthorized"},
        {"subscriber_id": "PUSER3", "result": "duplicate"},
    ]});
    let error = failed(200, body.clone(), "thing.subscribe", json!({}));
    assert_eq!(error.kind, ErrorKind::Forbidden);
    for part in ["PUSER2", "unauthorized", "2 of 3 succeeded"] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
    let detail: Value = serde_json::from_str(error.detail.as_deref().unwrap()).unwrap();
    assert_eq!(detail["response"], body, "what has succeeded is not lost");

    let body =
        json!({"things": [{"id": "P1"}], "failed": [{"id": "P2", "message": "is archived"}]});
    let error = failed(200, body, "thing.batch", json!({}));
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("P2: is archived"), "{}", error.message);
}

#[test]
fn errors_of_single_elements_and_counts_of_failures_are_failures() {
    let associations = json!({"associations": [
        {"status": 201, "errors": [], "association": {"id": "PSVC1"}},
        {"status": 500, "errors": ["Internal Server Error"], "association": {"id": "PSVC2"}},
    ]});
    for action in ["thing.associate", "thing.create"] {
        let error = failed(207, associations.clone(), action, json!({"name": "n"}));
        for part in ["PSVC2: Internal Server Error", "1 of 2 succeeded"] {
            assert!(error.message.contains(part), "{part}: {}", error.message);
        }
    }
    let by_status = json!([{"status": 201, "id": "P1"}, {"status": 400, "id": "P2"}]);
    let error = failed(207, by_status, "thing.create", json!({"name": "n"}));
    assert!(error.message.contains("P2"), "{}", error.message);
    let error = failed(200, json!({"unauthorized_count": 2}), "thing.unsubscribe", json!({}));
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(error.message.contains("unauthorized_count: 2"), "{}", error.message);
    answered(200, json!({"unauthorized_count": 0}), "thing.unsubscribe", json!({})).unwrap();
}

#[test]
fn a_response_without_a_failure_is_unchanged() {
    let one = json!({"subscriber_id": "PUSER1", "result": "success"});
    let body = json!({"subscriptions": [one]});
    assert_eq!(answered(200, body, "thing.subscribe", json!({})).unwrap(), [one.to_string()]);
    let body = json!({"things": [{"id": "P1"}], "failed": []});
    assert_eq!(answered(200, body, "thing.batch", json!({})).unwrap(), [r#"{"id":"P1"}"#]);
}

#[test]
fn several_statuses_with_errors_are_an_error_without_a_declaration() {
    let body = json!({"thing": {"id": "P1"}, "errors": [{"message": "not found", "id": "P9"}]});
    let error = failed(207, body, "thing.create", json!({"name": "n"}));
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.contains("P9: not found"), "{}", error.message);
    // With 200, a list of that name can be part of the record.
    let body = json!({"thing": {"id": "P1", "errors": ["x"]}});
    answered(200, body, "thing.create", json!({"name": "n"})).unwrap();
}

#[test]
fn an_error_object_in_a_successful_response_is_not_a_record() {
    let body = json!({"error": {"message": "the account is suspended", "code": 1}});
    for (action, item) in
        [("thing.create", json!({"name": "n"})), ("thing.delete", json!({"thing_id": "P1"}))]
    {
        let error = failed(200, body.clone(), action, item);
        assert!(error.message.contains("the account is suspended"), "{}", error.message);
    }
}

#[test]
fn another_envelope_than_the_documented_one_is_accepted_where_it_is_unambiguous() {
    let record = [r#"{"id":"P1"}"#];
    for body in [
        json!({"thing": {"id": "P1"}}),
        json!({"notification_thing": {"id": "P1"}}),
        json!({"notification_thing": {"id": "P1"}, "warnings": [], "count": 1, "next": null}),
    ] {
        let yielded = answered(200, body, "thing.create", json!({"name": "n"})).unwrap();
        assert_eq!(yielded, record);
    }
    let listed = json!({"records_v2": [{"id": 1}], "more": false});
    assert_eq!(answered(200, listed, "record.list", json!({})).unwrap(), [r#"{"id":1}"#]);
    // Two that it could be, or none.
    for body in [json!({"a": {"id": "P1"}, "b": {"id": "P2"}}), json!({"id": "P1"}), json!([])] {
        for action in ["thing.create", "thing.put"] {
            let error = failed(200, body.clone(), action, json!({"name": "n"}));
            assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
        }
    }
}

#[test]
fn an_answered_write_is_never_reported_as_retriable() {
    for (action, item) in [
        ("thing.create", json!({"name": "n"})),
        ("thing.put", json!({"name": "n"})),
        ("thing.batch", json!({})),
    ] {
        for status in [200, 201, 202] {
            let host = host(move |_| Ok(answer(status, "<html>")));
            let error = call_one(&host, action, item.clone()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{action} {status}: {error:?}");
        }
    }
    // A read can be asked for again.
    let host = host(|_| Ok(answer(200, "<html>")));
    let error = call_one(&host, "record.list", json!({})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
}
