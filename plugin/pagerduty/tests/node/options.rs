//! The choices of form fields.

use pagerduty::PagerDuty;
use serde_json::{Value, json};
use workflow_node_sdk::error::Error;
use workflow_node_sdk::testing::Host;
use workflow_node_sdk::{ErrorKind, node};

use crate::support::{host, only_request};

fn load(host: &Host, query: &Value) -> Result<Value, Error> {
    let answer = host.run(|| node::load_options::<PagerDuty>(query.to_string()))?;
    Ok(serde_json::from_str(&answer).unwrap())
}

#[test]
fn services_are_searched_by_the_api_and_paged_by_a_cursor() {
    let body = r#"{"services":[{"id":"PSERVI1","name":"Checkout","description":"The shop"},{"id":"PS2","summary":"Mail","description":null}],"more":true}"#;
    let host = host(&[(200, body), (200, r#"{"services":[],"more":false}"#)]);
    let query = json!({"action": "incident.create", "parameter": "service_id", "search": " ch ", "limit": 2});
    assert_eq!(
        load(&host, &query).unwrap(),
        json!({
            "choices": [
                {"value": "PSERVI1", "label": "Checkout", "description": "The shop"},
                {"value": "PS2", "label": "Mail"},
            ],
            "next_cursor": "2",
        })
    );
    let query =
        json!({"action": "incident.create", "parameter": "service_id", "limit": 2, "cursor": "2"});
    assert_eq!(load(&host, &query).unwrap(), json!({"choices": []}));
    let urls: Vec<_> = host.requests().into_iter().map(|request| request.url).collect();
    assert_eq!(
        urls,
        [
            "https://api.pagerduty.com/services?query=ch&limit=2",
            "https://api.pagerduty.com/services?limit=2&offset=2",
        ]
    );
}

#[test]
fn priorities_are_filtered_by_the_node() {
    let body = r#"{"priorities":[{"id":"PP1","name":"P1"},{"id":"PP2","name":"P2"},{"id":"PP3","name":"Low"}],"more":false}"#;
    let host = host(&[(200, body)]);
    let query =
        json!({"action": "incident.create", "parameter": "priority_id", "search": "p", "limit": 1});
    let choices = load(&host, &query).unwrap();
    assert_eq!(
        choices["choices"],
        json!([{"value": "PP1", "label": "P1"}, {"value": "PP2", "label": "P2"}])
    );
    assert_eq!(only_request(&host).url, "https://api.pagerduty.com/priorities?limit=100");
}

#[test]
fn choices_are_labeled_with_members_of_their_list() {
    let cases = [
        (
            json!({"action": "schedule_v3.get", "parameter": "schedule_v3_id"}),
            r#"{"schedules":[{"id":"PSCHED1","type":"schedule_v3_reference","summary":"Primary"}]}"#,
            json!({"value": "PSCHED1", "label": "Primary"}),
        ),
        (
            json!({"action": "incident_type_field_option.get", "parameter": "field_option_id",
                "parameters": {"incident_type": "PTYPE01", "field_id": "PFIELD1"}}),
            r#"{"field_options":[{"id":"POPTION1","data":{"data_type":"string","value":"eu-west"}}]}"#,
            json!({"value": "POPTION1", "label": "eu-west"}),
        ),
    ];
    for (query, body, choice) in cases {
        let host = host(&[(200, body)]);
        assert_eq!(load(&host, &query).unwrap()["choices"], json!([choice]));
    }
}

#[test]
fn a_shift_based_schedule_is_found_by_its_name_in_the_list() {
    let list = r#"{"schedules":[{"id":"PSCHED1","type":"schedule_v3_reference","summary":"Primary"}],"more":false}"#;
    let host = host(&[(200, list), (200, r#"{"schedule":{"id":"PSCHED1","name":"Primary"}}"#)]);
    crate::support::call(&host, "schedule_v3.get", &json!({"schedule_v3_id": "Primary"})).unwrap();
    assert!(host.requests()[1].url.ends_with("/v3/schedules/PSCHED1"));
}

#[test]
fn the_error_for_forbidden_choices_names_the_missing_permission() {
    let host = host(&[(403, r#"{"error":{"message":"Access Denied","code":2010}}"#)]);
    let query = json!({"action": "incident.list", "parameter": "user_ids"});
    let error = load(&host, &query).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(error.message.contains("(users.read)"), "{}", error.message);
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    let query = json!({"action": "incident.list", "parameter": "user_ids", "cursor": "abc"});
    assert_eq!(load(&host(&[]), &query).unwrap_err().kind, ErrorKind::InvalidInput);
}

#[test]
fn a_parameter_without_choices_is_unsupported() {
    let query = json!({"action": "incident.create", "parameter": "title"});
    assert_eq!(load(&host(&[]), &query).unwrap_err().kind, ErrorKind::Unsupported);
}
