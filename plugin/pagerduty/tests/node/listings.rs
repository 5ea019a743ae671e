//! Lists and lookups of the REST API.

use serde_json::json;

use crate::support::{call, host, only_request};

#[test]
fn filters_stand_in_the_query_as_the_api_wants_them() {
    let host = host(&[(200, r#"{"incidents":[{"id":"Q1"}],"more":false}"#)]);
    let parameters = json!({
        "statuses": ["triggered", "acknowledged"], "service_ids": ["PSERVI1"],
        "since": "2026-01-01T00:00:00+01:00", "sort_by": ["created_at:desc", "urgency:asc"],
        "include": ["users"], "limit": 10,
    });
    assert_eq!(call(&host, "incident.list", &parameters).unwrap(), [json!({"id": "Q1"})]);
    assert_eq!(
        only_request(&host).url,
        "https://api.pagerduty.com/incidents?service_ids%5B%5D=PSERVI1&statuses%5B%5D=triggered\
         &statuses%5B%5D=acknowledged&sort_by=created_at%3Adesc%2Curgency%3Aasc&include%5B%5D=users\
         &since=2026-01-01T00%3A00%3A00%2B01%3A00&limit=10"
    );
}

#[test]
fn each_listing_reads_its_own_member() {
    for (action, parameters, path, member) in [
        ("incident.list", json!({}), "/incidents", "incidents"),
        ("incident_note.list", json!({"incident_id": "Q1"}), "/incidents/Q1/notes", "notes"),
        ("log_entry.list", json!({}), "/log_entries", "log_entries"),
        ("service.list", json!({}), "/services", "services"),
        ("user.list", json!({}), "/users", "users"),
        ("ability.list", json!({}), "/abilities", "abilities"),
    ] {
        let host = host(&[(200, &format!(r#"{{"{member}":["x"],"more":false}}"#))]);
        assert_eq!(call(&host, action, &parameters).unwrap(), [json!("x")], "{action}");
        let url = only_request(&host).url;
        let path_of_url = url.trim_start_matches("https://api.pagerduty.com");
        assert_eq!(path_of_url.split('?').next(), Some(path), "{action}");
    }
}

#[test]
fn each_lookup_reads_its_own_member() {
    for (action, parameter, path, member) in [
        ("incident.get", "incident_id", "/incidents/A%2FB", "incident"),
        ("log_entry.get", "log_entry_id", "/log_entries/A%2FB", "log_entry"),
        ("service.get", "service_id", "/services/A%2FB", "service"),
        ("user.get", "user_id", "/users/A%2FB", "user"),
    ] {
        let host = host(&[(200, &format!(r#"{{"{member}":{{"id":"id:A/B"}}}}"#))]);
        let output = call(&host, action, &json!({parameter: "id:A/B"})).unwrap();
        assert_eq!(output, [json!({"id": "id:A/B"})], "{action}");
        assert_eq!(only_request(&host).url, format!("https://api.pagerduty.com{path}"));
    }
}

#[test]
fn the_current_user_needs_no_parameters() {
    let host = host(&[(200, r#"{"user":{"id":"PUSER01"}}"#)]);
    assert_eq!(call(&host, "user.me", &json!({})).unwrap(), [json!({"id": "PUSER01"})]);
    assert_eq!(only_request(&host).url, "https://api.pagerduty.com/users/me");
}
