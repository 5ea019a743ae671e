//! On-call shifts: PagerDuty sends no events for them, so the current on-calls are compared with
//! the last ones.

use serde_json::{Map, Value};
use workflow_node_sdk::error::Error;
use workflow_node_sdk::trigger::{Event, Page, Subscription};
use workflow_node_sdk::{context, json, time};

use super::{id, shown};

pub(super) async fn poll(
    subscription: &Subscription,
    cursor: Option<Value>,
) -> Result<Page, Error> {
    let mut query = Map::new();
    query.insert("all".to_owned(), true.into());
    for name in ["schedule_ids", "escalation_policy_ids", "user_ids"] {
        if let Some(ids) = subscription.parameters.get(name) {
            query.insert(name.to_owned(), ids.clone());
        }
    }
    let level = subscription.parameters.get("level").and_then(Value::as_u64);
    let mut now = Map::new();
    for on_call in subscription.task("on_call.list", query)?.records().await? {
        if level.is_none() || on_call.get("escalation_level").and_then(Value::as_u64) == level {
            now.insert(key(&on_call), on_call);
        }
    }
    let turn = cursor.as_ref().and_then(|cursor| cursor.get("turn")?.as_u64()).unwrap_or_default();
    let mut events = Vec::new();
    if let Some(Value::Object(before)) = cursor.as_ref().and_then(|cursor| cursor.get("on_call")) {
        let ended = before.iter().filter(|(key, _)| !now.contains_key(*key));
        for (key, on_call) in ended {
            events.push(event(subscription, "ended", key, on_call, turn)?);
        }
        for (key, on_call) in &now {
            if !before.contains_key(key) {
                events.push(event(subscription, "started", key, on_call, turn)?);
            }
        }
    }
    let mut cursor = json::Object::new();
    cursor.set("turn", (turn + 1).into());
    cursor.set("on_call", Value::Object(now));
    Ok(Page { events, cursor: cursor.build(), more: false })
}

/// Who is on call, and where. A shift that continues with the same person is not a change.
fn key(on_call: &Value) -> String {
    let of = |name: &str| on_call.get(name).and_then(id).unwrap_or_default();
    let level = on_call.get("escalation_level").map(json::text).unwrap_or_default();
    [of("escalation_policy"), " ", &level, " ", of("schedule"), " ", of("user")].concat()
}

fn event(
    subscription: &Subscription,
    change: &str,
    key: &str,
    on_call: &Value,
    turn: u64,
) -> Result<Event, Error> {
    let mut members = json::Object::new();
    members.text("change", change);
    members.set("on_call", shown(subscription, "on_call.list", on_call)?);
    let edge = if change == "started" { "start" } else { "end" };
    let at = on_call.get(edge).and_then(Value::as_str).and_then(time::parse);
    Ok(Event {
        json: json::text(&members.build()),
        dedup_key: Some([change, " ", key, " ", &turn.to_string()].concat()),
        occurred: at.or_else(|| i64::try_from(context::now() / 1_000).ok()),
    })
}
