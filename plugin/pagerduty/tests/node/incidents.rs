//! Incidents: the acting user, and repeated creation.

use serde_json::json;
use workflow_node_sdk::ErrorKind;

use crate::support::{body, call, header, host, host_with, only_request};

const CREATED: (u16, &str) = (201, r#"{"incident":{"id":"Q1"}}"#);
const KEY_IN_USE: (u16, &str) = (
    400,
    r#"{"error":{"message":"Arguments Caused Error","code":2002,"errors":["Open incident with matching dedup key already exists on this service"]}}"#,
);

#[test]
fn an_incident_is_created_with_all_its_fields() {
    let host = host(&[CREATED]);
    let output = call(
        &host,
        "incident.create",
        &json!({
            "title": "It is down", "service_id": "PSERVI1", "urgency": "high", "details": "All of it.",
            "priority_id": "PPRIO01", "assignee_ids": ["PUSER01", "PUSER02"], "incident_key": "k",
            "incident_type_name": "major", "conference_number": "+1", "conference_url": "https://c.test",
            "from": "ada@example.com",
        }),
    );
    assert_eq!(output.unwrap(), [json!({"id": "Q1"})]);
    let request = only_request(&host);
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("POST", "https://api.pagerduty.com/incidents")
    );
    assert_eq!(header(&request, "accept"), Some("application/vnd.pagerduty+json;version=2"));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    let user = |id: &str| json!({"assignee": {"id": id, "type": "user_reference"}});
    assert_eq!(
        body(&request),
        json!({"incident": {
            "type": "incident",
            "title": "It is down",
            "service": {"id": "PSERVI1", "type": "service_reference"},
            "urgency": "high",
            "body": {"type": "incident_body", "details": "All of it."},
            "priority": {"id": "PPRIO01", "type": "priority_reference"},
            "assignments": [user("PUSER01"), user("PUSER02")],
            "incident_key": "k",
            "incident_type": {"name": "major"},
            "conference_bridge": {"conference_number": "+1", "conference_url": "https://c.test"},
        }})
    );
}

#[test]
fn the_parameter_from_takes_precedence_over_the_credentials_address() {
    let fields = json!({"from_email": "team@example.com"});
    let given = host_with(&fields, &[CREATED]);
    let parameters = json!({"title": "t", "service_id": "PSERVI1", "from": "ada@example.com"});
    call(&given, "incident.create", &parameters).unwrap();
    let request = only_request(&given);
    let from: Vec<_> = request.headers.iter().filter(|(name, _)| name == "from").collect();
    assert_eq!(from, [&("from".to_owned(), "ada@example.com".to_owned())]);

    let default = host_with(&fields, &[CREATED]);
    call(&default, "incident.create", &json!({"title": "t", "service_id": "PSERVI1"})).unwrap();
    assert_eq!(header(&only_request(&default), "from"), Some("team@example.com"));

    let none = host(&[CREATED]);
    call(&none, "incident.create", &json!({"title": "t", "service_id": "PSERVI1"})).unwrap();
    assert_eq!(header(&only_request(&none), "from"), None);
}

#[test]
fn every_write_to_the_rest_api_has_an_acting_user() {
    for (action, parameters) in [
        ("incident.update", json!({"incident_id": "Q1", "title": "t"})),
        ("incident.acknowledge", json!({"incident_id": "Q1"})),
        ("incident.resolve", json!({"incident_id": "Q1"})),
        ("incident_note.create", json!({"incident_id": "Q1", "content": "c"})),
        ("api.request", json!({"method": "PUT", "path": "/x", "body": {}})),
    ] {
        let answers = [(200, r#"{"incident":{"id":"Q1"},"note":{"id":"N1"}}"#)];
        let host = host_with(&json!({"from_email": "team@example.com"}), &answers);
        call(&host, action, &parameters).unwrap();
        assert_eq!(header(&only_request(&host), "from"), Some("team@example.com"), "{action}");
    }
}

#[test]
fn a_read_has_no_acting_user() {
    for (action, parameters) in [
        ("incident.get", json!({"incident_id": "Q1"})),
        ("incident.list", json!({})),
        ("api.request", json!({"method": "GET", "path": "/x"})),
    ] {
        let answers = [(200, r#"{"incident":{"id":"Q1"},"incidents":[]}"#)];
        let host = host_with(&json!({"from_email": "team@example.com"}), &answers);
        call(&host, action, &parameters).unwrap();
        assert_eq!(header(&only_request(&host), "from"), None, "{action}");
    }
}

#[test]
fn the_executions_key_in_use_means_that_the_incident_exists() {
    let found = r#"{"incidents":[{"id":"Q1","big":12345678901234567890123}],"more":false}"#;
    let host = host(&[KEY_IN_USE, (200, found)]);
    let output = call(&host, "incident.create", &json!({"title": "t", "service_id": "PSERVI1"}));
    assert_eq!(
        output.unwrap(),
        [serde_json::from_str::<serde_json::Value>(r#"{"id":"Q1","big":12345678901234567890123}"#)
            .unwrap()]
    );
    let requests = host.requests();
    assert_eq!(requests[0].idempotency_key.as_deref(), Some("test-key-0"));
    assert_eq!(body(&requests[0])["incident"]["incident_key"], "test-key-0");
    assert_eq!(requests[1].method, "GET");
    assert_eq!(
        requests[1].url,
        "https://api.pagerduty.com/incidents?incident_key=test-key-0&date_range=all\
         &statuses%5B%5D=triggered&statuses%5B%5D=acknowledged&service_ids%5B%5D=PSERVI1"
    );
}

#[test]
fn a_given_key_in_use_is_a_conflict() {
    let host = host(&[KEY_IN_USE]);
    let parameters = json!({"title": "t", "service_id": "PSERVI1", "incident_key": "mine"});
    let error = call(&host, "incident.create", &parameters).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(error.code.as_deref(), Some("2002"));
    assert_eq!(host.requests().len(), 1);
}

#[test]
fn an_incident_that_was_resolved_meanwhile_is_not_reopened() {
    let host = host(&[KEY_IN_USE, (200, r#"{"incidents":[],"more":false}"#)]);
    let error = call(&host, "incident.create", &json!({"title": "t", "service_id": "PSERVI1"}))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("nothing was opened"), "{}", error.message);
    assert!(error.detail.unwrap().contains("test-key-0"));
}

#[test]
fn an_update_of_an_incident_sends_only_given_fields() {
    let host = host(&[(200, r#"{"incident":{"id":"Q1"}}"#)]);
    let parameters = json!({"incident_id": "Q1", "priority_id": null, "escalation_level": 2});
    call(&host, "incident.update", &parameters).unwrap();
    let request = only_request(&host);
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("PUT", "https://api.pagerduty.com/incidents/Q1")
    );
    assert_eq!(
        body(&request),
        json!({"incident": {"type": "incident", "priority": null, "escalation_level": 2}})
    );
}

#[test]
fn acknowledging_and_resolving_set_the_status() {
    for (action, status) in
        [("incident.acknowledge", "acknowledged"), ("incident.resolve", "resolved")]
    {
        let host = host(&[(200, r#"{"incident":{"id":"Q1"}}"#)]);
        call(&host, action, &json!({"incident_id": "Q1"})).unwrap();
        assert_eq!(
            body(&only_request(&host)),
            json!({"incident": {"type": "incident", "status": status}})
        );
    }
}
