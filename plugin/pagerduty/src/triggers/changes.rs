//! New and updated incidents, found by their log entries: PagerDuty cannot list incidents by the
//! time of their last change.

use serde_json::{Map, Value};
use workflow_node_sdk::error::Error;
use workflow_node_sdk::json;
use workflow_node_sdk::trigger::{Event, Page, Subscription};

use super::log::{self, created, service};
use super::{id, is_wanted, shown};

/// Log entries about notifications, which do not change the incident.
const NO_CHANGES: &[&str] = &["notify_log_entry", "reach_ack_log_entry"];

/// Entries of one incident since the last poll.
struct Change {
    id: String,
    is_new: bool,
    latest: Value,
}

pub(super) async fn poll(
    subscription: &Subscription,
    cursor: Option<Value>,
) -> Result<Page, Error> {
    let mut query = Map::new();
    query.insert("include".to_owned(), json::texts(&["incidents"]));
    let new = log::read(subscription, cursor, query).await?;
    let mut changes: Vec<Change> = Vec::new();
    for entry in new.entries {
        let kind = entry.get("type").and_then(Value::as_str).unwrap_or_default();
        let Some(incident) = entry.get("incident").and_then(id) else { continue };
        if NO_CHANGES.contains(&kind) {
            continue;
        }
        let is_trigger = kind == "trigger_log_entry";
        match changes.iter().position(|change| change.id == incident) {
            // The latest change determines its position among the events.
            Some(index) => {
                let earlier = changes.remove(index);
                let is_new = earlier.is_new || is_trigger;
                changes.push(Change { id: earlier.id, is_new, latest: entry });
            }
            None => {
                changes.push(Change { id: incident.to_owned(), is_new: is_trigger, latest: entry });
            }
        }
    }
    let mut events = Vec::new();
    for change in changes {
        if let Some(event) = event(subscription, change)? {
            events.push(event);
        }
    }
    Ok(Page { events, cursor: new.cursor, more: new.more })
}

fn event(subscription: &Subscription, change: Change) -> Result<Option<Event>, Error> {
    let Change { id: incident_id, is_new, mut latest } = change;
    let wanted = match subscription.text("changes") {
        Some("new") => is_new,
        Some("updated") => !is_new,
        _ => true,
    };
    let services = subscription.texts("service_ids");
    if !wanted || !is_wanted(&services, service(&latest).into_iter()) {
        return Ok(None);
    }
    let Some(entry) = latest.as_object_mut() else { return Ok(None) };
    // The incident is next to the entry; the flat form takes its ID from there.
    let incident = match subscription.flag("simplify") {
        true => entry.get("incident").cloned(),
        false => entry.remove("incident"),
    };
    let incident = incident.unwrap_or_default();
    for (parameter, member) in [("urgencies", "urgency"), ("statuses", "status")] {
        let value = incident.get(member).and_then(Value::as_str);
        if !is_wanted(&subscription.texts(parameter), value.into_iter()) {
            return Ok(None);
        }
    }
    let occurred = created(&latest);
    let dedup_key = id(&latest).map(|entry| [&incident_id, ":", entry].concat());
    let mut members = json::Object::new();
    members.text("change", if is_new { "new" } else { "updated" });
    members.set("incident", shown(subscription, "incident.list", &incident)?);
    members.set("log_entry", shown(subscription, "log_entry.list", &latest)?);
    Ok(Some(Event { json: json::text(&members.build()), dedup_key, occurred }))
}
