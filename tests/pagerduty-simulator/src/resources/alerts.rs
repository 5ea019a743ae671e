//! Alerts of incidents: listing, resolving, and moving them to another incident.

use serde_json::Value;

use super::passes;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging::{self, Page};
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listIncidentAlerts", list),
    ("getIncidentAlert", get),
    ("updateIncidentAlert", update),
    ("updateIncidentAlerts", update_many),
];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let state = &*call.state;
    let statuses = call.query.all("statuses[]");
    let key = call.query.one("alert_key");
    let include = call.query.includes();
    let mut matching: Vec<usize> = state.incidents[index]
        .alerts
        .iter()
        .copied()
        .filter(|alert| {
            let alert = &state.alerts[*alert];
            passes(&statuses, if alert.resolved { "resolved" } else { "triggered" })
                && key.is_none_or(|key| alert.key == key)
        })
        .collect();
    let by = call.query.one("sort_by").unwrap_or("created_at");
    if by.starts_with("resolved_at") {
        matching.sort_by_key(|alert| state.alerts[*alert].resolved_at);
    } else {
        matching.sort_by_key(|alert| state.alerts[*alert].created_at);
    }
    if by.ends_with(":desc") {
        matching.reverse();
    }
    Ok(paging::reply(call.operation, &call.page(), matching, |alert| {
        state.alert_json(*alert, &include).to_string()
    }))
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let alert = found(call.state, index, call.capture(1))?;
    Ok(call.answer(&call.state.alert_json(alert, &[])))
}

/// The alert of an incident with this ID.
fn found(state: &State, incident: usize, id: &str) -> Result<usize, Refusal> {
    let mut alerts = state.incidents[incident].alerts.iter().copied();
    alerts.find(|alert| state.alerts[*alert].id == id).ok_or_else(Refusal::not_found)
}

/// The target incident of an alert, if it is moved.
fn target(state: &State, change: &Value) -> Result<Option<usize>, Refusal> {
    let Some(id) = change["incident"]["id"].as_str() else {
        return Ok(None);
    };
    let index = state.incident_at(id).ok_or_else(Refusal::not_found)?;
    if state.incidents[index].resolved_at.is_some() {
        return Err(Refusal::coded(400, 1001, "Incident Already Resolved"));
    }
    Ok(Some(index))
}

fn judge(state: &State, alert: usize, change: &Value) -> Result<Option<usize>, Refusal> {
    if change["status"] == "triggered" && state.alerts[alert].resolved {
        return Err(Refusal::invalid(["a resolved alert cannot be triggered again"]));
    }
    target(state, change)
}

fn apply(call: &mut Call<'_>, alert: usize, change: &Value, target: Option<usize>) {
    let (agent, now) = (call.agent(), call.now);
    if let Some(target) = target {
        call.state.move_alert(alert, target, now);
    }
    if change["status"] == "resolved" {
        call.state.resolve_one_alert(alert, &agent, now);
    }
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let alert = found(call.state, index, call.capture(1))?;
    let change = call.body["alert"].clone();
    let target = judge(call.state, alert, &change)?;
    apply(call, alert, &change, target);
    Ok(call.answer(&call.state.alert_json(alert, &[])))
}

/// Changes all alerts or none.
fn update_many(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let changes = call.body["alerts"].as_array().cloned().unwrap_or_default();
    let mut judged = Vec::with_capacity(changes.len());
    for change in &changes {
        let alert = found(call.state, index, change["id"].as_str().unwrap_or_default())?;
        judged.push((alert, judge(call.state, alert, change)?));
    }
    for ((alert, target), change) in judged.iter().zip(&changes) {
        apply(call, *alert, change, *target);
    }
    let alerts: Vec<usize> = judged.into_iter().map(|(alert, _)| alert).collect();
    let page = Page { limit: alerts.len(), offset: 0, ..call.page() };
    let state = &*call.state;
    Ok(paging::reply(call.operation, &page, alerts, |alert| {
        state.alert_json(*alert, &[]).to_string()
    }))
}
