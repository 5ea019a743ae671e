//! Writes to one object keep the order of the items.

use serde_json::{Value, json};
use workflow_node_sdk::declare::{Effect, Run};
use workflow_node_sdk::node::{self, Call};
use workflow_node_sdk::testing::{Host, answer};

use crate::oracle::least_parameters;
use crate::support::connected;

/// Calls an action for these items, and returns the maximum number of requests that were open at
/// once.
fn most_open(action: &str, items: &[Value]) -> usize {
    let host = Host::answering(|_| Ok(answer(200, "{}")));
    let host = connected(host, json!({"region": "us"}));
    let call = Call {
        node: "pagerduty".into(),
        version: 1,
        action: action.into(),
        items: items.iter().map(Value::to_string).collect(),
        options: r#"{"continue_on_fail":true}"#.into(),
    };
    host.run(|| node::execute::<pagerduty::PagerDuty>(call)).unwrap();
    assert!(!host.requests().is_empty(), "{action}");
    host.most_open()
}

#[test]
fn every_update_and_delete_of_one_object_keeps_item_order() {
    let mut checked = 0;
    for action in pagerduty_declaration::node().actions() {
        let is_write = ["PUT", "PATCH", "DELETE"].contains(&action.route.method);
        if action.run != Run::Declared || action.effect == Effect::Read || !is_write {
            continue;
        }
        let item = least_parameters(action);
        assert_eq!(most_open(action.name, &vec![item; 3]), 1, "{}", action.name);
        checked += 1;
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn events_with_one_deduplication_key_keep_item_order() {
    let event =
        |key: &str| json!({"dedup_key": key, "summary": "s", "source": "s", "severity": "info"});
    let end = |key: &str| json!({ "dedup_key": key });
    assert_eq!(most_open("event.trigger", &vec![event("one"); 4]), 1);
    assert_eq!(most_open("event.trigger", &[event("one"), event("two")]), 2);
    for action in ["event.acknowledge", "event.resolve"] {
        assert_eq!(most_open(action, &vec![end("one"); 4]), 1, "{action}");
    }
}

#[test]
fn requests_to_one_path_keep_item_order() {
    let request = json!({"method": "PUT", "path": "/services/PABC123", "body": {}});
    assert_eq!(most_open("api.request", &vec![request; 4]), 1);
    let note = json!({"incident_id": "PABC123", "content": "n"});
    assert_eq!(most_open("incident_note.create", &vec![note; 4]), 1);
}
