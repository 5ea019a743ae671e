//! Error messages for unsuccessful responses.

use serde_json::json;
use workflow_node_sdk::ErrorKind;
use workflow_node_sdk::error::Error;

use crate::support::{call, host, host_with};

fn failed(status: u16, body: &str) -> Error {
    let host = host(&[(status, body)]);
    call(&host, "incident.get", &json!({"incident_id": "Q1"})).unwrap_err()
}

#[test]
fn the_reasons_are_in_the_message_and_in_the_detail() {
    let body = r#"{"error":{"message":"Invalid Input Provided","code":2001,"errors":["Title can't be blank","Service is unknown"]}}"#;
    let error = failed(400, body);
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert_eq!(
        error.message.split(". ").next(),
        Some("Invalid Input Provided: Title can't be blank: Service is unknown")
    );
    assert_eq!((error.code.as_deref(), error.http_status), (Some("2001"), Some(400)));
    let detail = error.detail.unwrap();
    assert_eq!(detail, r#"{"errors":["Title can't be blank","Service is unknown"]}"#);
}

#[test]
fn a_refused_key_names_the_region_and_the_type() {
    let host = host_with(&json!({"region": "eu"}), &[(401, "")]);
    let error = call(&host, "ability.list", &json!({})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    assert!(error.message.starts_with("PagerDuty answered 401. Check"), "{}", error.message);
    assert!(error.message.contains("EU service region"), "{}", error.message);
    assert!(error.message.contains("`api-token`"), "{}", error.message);
}

#[test]
fn a_missing_scope_is_reported_for_scoped_grants_only() {
    let forbidden = (403, r#"{"error":{"message":"Access Denied","code":2010}}"#);
    let scoped = host(&[forbidden]).with_granted_scopes("rest", &["users.read"]);
    let error = call(&scoped, "incident.get", &json!({"incident_id": "Q1"})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(error.message.ends_with("It needs the scope incidents.read."), "{}", error.message);
    assert!(failed(403, forbidden.1).message.contains("read-only"));
}

#[test]
fn the_error_for_a_missing_requester_explains_how_to_set_one() {
    for body in [
        r#"{"error":{"message":"Requester User Not Found","code":1008}}"#,
        r#"{"error":{"message":"From header is required"}}"#,
    ] {
        let error = failed(400, body);
        assert!(error.message.contains("`from_email`"), "{}", error.message);
    }
}

#[test]
fn a_wait_is_requested_only_if_it_helps() {
    for (status, kind) in [(429, ErrorKind::RateLimited), (503, ErrorKind::Unavailable)] {
        assert_eq!(failed(status, "").kind, kind);
    }
    assert_eq!(failed(404, r#"{"error":{"message":"Not Found","code":2100}}"#).retry_after, None);
}

#[test]
fn a_page_of_a_proxy_is_not_mistaken_for_a_response() {
    assert_eq!(failed(502, "<html>").message, "PagerDuty answered 502");
    assert_eq!(failed(200, "<html>").kind, ErrorKind::Unavailable);
}
