//! Renames the members of webhook payloads to those of the REST API.

use serde_json::{Map, Value};
use workflow_node_sdk::json;

/// An event whose `data` has the names of the REST API for incidents and notes. Other members stay
/// unchanged.
pub(super) fn rest(mut event: Map<String, Value>) -> Map<String, Value> {
    let occurred = event.get("occurred_at").cloned().unwrap_or_default();
    let agent = event.get("agent").cloned().unwrap_or_default();
    if let Some(Value::Object(data)) = event.get_mut("data") {
        match data.get("type").and_then(Value::as_str) {
            Some("incident") => incident(data),
            Some("incident_note") => note(data, occurred, agent),
            _ => {}
        }
    }
    event
}

fn incident(data: &mut Map<String, Value>) {
    if let Some(number) = data.remove("number") {
        let title = data.get("title").and_then(Value::as_str).unwrap_or_default();
        let summary = ["[#", &json::text(&number), "] ", title].concat();
        data.insert("summary".to_owned(), summary.into());
        data.insert("incident_number".to_owned(), number);
    }
    if let Some(Value::Array(assignees)) = data.remove("assignees") {
        let mut assignments = Vec::with_capacity(assignees.len());
        for assignee in assignees {
            let mut assignment = json::Object::new();
            assignment.set("assignee", assignee);
            assignments.push(assignment.build());
        }
        data.insert("assignments".to_owned(), Value::Array(assignments));
    }
}

fn note(data: &mut Map<String, Value>, occurred: Value, agent: Value) {
    data.entry("created_at").or_insert(occurred);
    data.entry("user").or_insert(agent);
}
