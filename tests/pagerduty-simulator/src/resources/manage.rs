//! Changing incidents: one or many, snoozing, and merging. A change is judged as a whole before it
//! is applied.

use jiff::SignedDuration;
use serde_json::Value;

use super::incidents::policy_on_call;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging::{self, Page};
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;
use crate::state::incident::{Status, Urgency};

/// Maximum number of alerts of an incident after a merge.
const MOST_ALERTS: usize = 1_000;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("updateIncident", update),
    ("updateIncidents", update_many),
    ("createIncidentSnooze", snooze),
    ("mergeIncidents", merge),
];

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let change = call.body["incident"].clone();
    judge(call.state, index, &change, call.user.as_deref())?;
    apply(call, index, &change);
    Ok(Reply::wrapped(200, "incident", &call.state.incident_text(index, &[])))
}

fn update_many(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let changes = call.body["incidents"].as_array().cloned().unwrap_or_default();
    let mut indexes = Vec::with_capacity(changes.len());
    for change in &changes {
        let id = change["id"].as_str().unwrap_or_default();
        let index = call.state.incident_at(id).ok_or_else(Refusal::not_found)?;
        judge(call.state, index, change, call.user.as_deref())?;
        indexes.push(index);
    }
    for (index, change) in indexes.iter().zip(&changes) {
        apply(call, *index, change);
    }
    // The response contains all changed incidents, regardless of paging.
    let page = Page { limit: indexes.len(), offset: 0, ..call.page() };
    let state = &mut *call.state;
    Ok(paging::reply(call.operation, &page, indexes, |index| state.incident_text(*index, &[])))
}

/// Refuses what the status does not allow.
fn judge(state: &State, index: usize, change: &Value, user: Option<&str>) -> Result<(), Refusal> {
    let incident = &state.incidents[index];
    if incident.status == Status::Resolved {
        return Err(Refusal::coded(400, 1001, "Incident Already Resolved"));
    }
    let status = change["status"].as_str();
    if status == Some("acknowledged")
        && incident.acknowledgements.iter().any(|(by, _)| Some(by.as_str()) == user)
    {
        return Err(Refusal::coded(400, 1002, "Incident Already Acknowledged"));
    }
    if change.get("resolution").is_some() && status != Some("resolved") {
        return Err(Refusal::invalid(["resolution needs the status resolved"]));
    }
    let assignments = change["assignments"].as_array();
    let policy = change["escalation_policy"]["id"].as_str();
    if assignments.is_some() && policy.is_some() {
        return Err(Refusal::invalid(["assignments and escalation_policy exclude each other"]));
    }
    for assignment in assignments.into_iter().flatten() {
        let id = assignment["assignee"]["id"].as_str().unwrap_or_default();
        if state.user(id).is_none() {
            return Err(Refusal::coded(400, 1007, "Assignee User Not Found"));
        }
    }
    if let Some(policy) = policy {
        policy_on_call(state, policy)?;
    }
    if let Some(level) = change["escalation_level"].as_i64() {
        let policy = policy.unwrap_or(&incident.escalation_policy_id);
        let levels = state.policy(policy).map_or(0, |policy| policy.levels.len());
        if level < 1 || usize::try_from(level).is_ok_and(|level| level > levels) {
            return Err(Refusal::coded(400, 1006, "Incident Cannot Be Escalated"));
        }
    }
    if change["priority"].is_object() && priority_of(state, &change["priority"]).is_none() {
        return Err(Refusal::coded(400, 1020, "Invalid Priority"));
    }
    if let Some(service) = change["service"]["id"].as_str()
        && state.service(service).is_none()
    {
        return Err(Refusal::coded(400, 5002, "Service Not Found"));
    }
    if let Some(service) = change["service"]["id"].as_str()
        && state.open_incident_with(service, &incident.incident_key).is_some_and(|o| o != index)
    {
        let error = "Open incident with matching dedup key already exists on this service";
        return Err(Refusal::arguments(error));
    }
    Ok(())
}

/// The ID of a priority, given by ID or by name.
fn priority_of(state: &State, wanted: &Value) -> Option<String> {
    let id = wanted["id"].as_str();
    let name = wanted["name"].as_str();
    let found = state.priorities.iter().find(|priority| match id {
        Some(id) => priority.id == id,
        None => name == Some(priority.name.as_str()),
    });
    found.map(|priority| priority.id.clone())
}

fn apply(call: &mut Call<'_>, index: usize, change: &Value) {
    let (at, agent) = (call.now, call.agent());
    let user = call.user.clone().unwrap_or_default();
    let state = &mut *call.state;
    if let Some(title) = change["title"].as_str() {
        state.set_field(index, "title", &agent, at, |one| one.title = title.to_owned());
    }
    if let Some(priority) = change.get("priority") {
        let id = priority_of(state, priority);
        state.set_field(index, "priority", &agent, at, |one| one.priority_id = id);
    }
    if let Some(bridge) = change.get("conference_bridge") {
        let bridge = Some(bridge.clone()).filter(Value::is_object);
        state.set_field(index, "conference_bridge", &agent, at, |one| {
            one.conference_bridge = bridge;
        });
    }
    if let Some(name) = change["incident_type"]["name"].as_str() {
        state.set_field(index, "incident_type", &agent, at, |one| {
            one.incident_type = name.to_owned();
        });
    }
    if let Some(urgency) = change["urgency"].as_str() {
        state.set_urgency(index, Urgency::read(urgency), &agent, at);
    }
    if let Some(service) = change["service"]["id"].as_str() {
        state.move_incident(index, service, &agent, at);
    }
    if let Some(policy) = change["escalation_policy"]["id"].as_str() {
        state.incidents[index].escalation_policy_id = policy.to_owned();
        let level = change["escalation_level"].as_i64().unwrap_or(1);
        state.escalate(index, usize::try_from(level).unwrap_or(1), true, &agent, at);
    } else if let Some(level) = change["escalation_level"].as_i64() {
        state.escalate(index, usize::try_from(level).unwrap_or(1), false, &agent, at);
    }
    if let Some(assignments) = change["assignments"].as_array() {
        let users = assignments
            .iter()
            .filter_map(|one| one["assignee"]["id"].as_str().map(str::to_owned))
            .collect();
        state.assign(index, users, "direct_assignment", &agent, at);
    }
    match change["status"].as_str() {
        // One request may repeat an incident.
        _ if state.incidents[index].status == Status::Resolved => {}
        Some("acknowledged") => state.acknowledge(index, &agent, at),
        Some("triggered") if state.incidents[index].status == Status::Acknowledged => {
            state.unacknowledge(index, at);
        }
        Some("resolved") => {
            if let Some(resolution) = change["resolution"].as_str().filter(|r| !r.is_empty()) {
                state.annotate(index, &format!("Resolution Note: {resolution}"), &user, at);
            }
            state.resolve(index, &agent, at);
        }
        _ => {}
    }
}

fn snooze(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let duration = call.body["duration"].as_i64().unwrap_or_default();
    match call.state.incidents[index].status {
        Status::Resolved => return Err(Refusal::coded(400, 1001, "Incident Already Resolved")),
        Status::Triggered => return Err(Refusal::coded(400, 1012, "Incident Not Acknowledged")),
        Status::Acknowledged => {}
    }
    let until = call.now.checked_add(SignedDuration::from_secs(duration)).unwrap_or(call.now);
    let agent = call.agent();
    call.state.snooze(index, until, &agent, call.now);
    Ok(Reply::wrapped(201, "incident", &call.state.incident_text(index, &[])))
}

fn merge(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let target = call.incident()?;
    if call.state.incidents[target].status == Status::Resolved {
        return Err(Refusal::coded(400, 1001, "Incident Already Resolved"));
    }
    let mut sources = Vec::new();
    let mut alerts = call.state.incidents[target].alerts.len();
    for source in call.body["source_incidents"].as_array().into_iter().flatten() {
        let id = source["id"].as_str().unwrap_or_default();
        let index = call.state.incident_at(id).ok_or_else(Refusal::not_found)?;
        if index == target || sources.contains(&index) {
            return Err(Refusal::invalid(["source_incidents must be other incidents, each once"]));
        }
        if call.state.incidents[index].merged_into.is_some() {
            return Err(Refusal::coded(400, 1019, "Incident Already Merged"));
        }
        alerts += call.state.incidents[index].alerts.len();
        sources.push(index);
    }
    if alerts > MOST_ALERTS {
        return Err(Refusal::invalid([format!("the result would exceed {MOST_ALERTS} alerts")]));
    }
    let agent = call.agent();
    for source in sources {
        call.state.merge(source, target, &agent, call.now);
    }
    Ok(Reply::wrapped(200, "incident", &call.state.incident_reference(target).to_string()))
}
