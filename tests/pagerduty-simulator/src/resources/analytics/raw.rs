//! Single incidents, the actions of their responders, and users.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::filters::{self, count, is_major, lets};
use super::page;
use crate::clock::written;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::state::State;
use crate::state::incident::Incident;
use crate::state::log::Agent;

/// The first log entry of a kind.
pub(super) fn first(state: &State, incident: &Incident, kind: &str) -> Option<(Timestamp, Agent)> {
    let mut entries = incident.log_entries.iter().map(|entry| &state.log_entries[*entry]);
    entries.find(|entry| entry.kind == kind).map(|entry| (entry.at, entry.agent.clone()))
}

pub(super) fn seconds(from: Timestamp, to: Option<Timestamp>) -> Option<i64> {
    to.map(|to| to.as_second() - from.as_second())
}

pub(super) fn row(state: &State, one: &Incident) -> Value {
    let service = state.service(&one.service_id);
    let team = service.and_then(|service| service.team_ids.first());
    let policy = state.policy(&one.escalation_policy_id);
    let priority = one.priority_id.as_deref().and_then(|id| state.priority(id));
    let names = |ids: &[String]| -> Vec<String> {
        ids.iter().filter_map(|id| state.user(id)).map(|user| user.name.clone()).collect()
    };
    let acknowledged: Vec<String> = one.acknowledgements.iter().map(|(id, _)| id.clone()).collect();
    let acknowledgement = first(state, one, "acknowledge").map(|(at, _)| at);
    let resolution = first(state, one, "resolve");
    let resolver = resolution.and_then(|(_, agent)| match agent {
        Agent::User(id) => Some(id),
        Agent::Service(_) | Agent::Key(_) => None,
    });
    let notifications = count(state, one, "assign");
    json!({
        "id": one.id,
        "incident_number": one.number,
        "description": one.title,
        "status": one.status.text(),
        "urgency": one.urgency.text(),
        "major": is_major(state, one),
        "created_at": written(one.created_at),
        "updated_at": written(one.updated_at),
        "resolved_at": one.resolved_at.map(written),
        "resolved_by_user_id": resolver,
        "resolved_by_user_name": resolver.as_ref().and_then(|id| state.user(id)).map(|u| u.name.clone()),
        "auto_resolved": one.resolved_at.is_some() && resolver.is_none(),
        "service_id": one.service_id,
        "service_name": service.map(|service| service.name.clone()),
        "team_id": team,
        "team_name": team.and_then(|id| state.team(id)).map(|team| team.name.clone()),
        "escalation_policy_id": one.escalation_policy_id,
        "escalation_policy_name": policy.map(|policy| policy.name.clone()),
        "priority_id": one.priority_id,
        "priority_name": priority.map(|priority| priority.name.clone()),
        "priority_order": priority.map(|_| 0),
        "incident_type_id": one.incident_type,
        "incident_type_name": one.incident_type,
        "acknowledged_user_ids": acknowledged,
        "acknowledged_user_names": names(&acknowledged),
        "acknowledgement_count": count(state, one, "acknowledge"),
        "assigned_user_ids": one.assignee_ids,
        "assigned_user_names": names(&one.assignee_ids),
        "assignment_count": notifications,
        "reassignment_count": notifications.saturating_sub(1),
        "escalation_count": count(state, one, "escalate"),
        "manual_escalation_count": count(state, one, "escalate"),
        "timeout_escalation_count": 0,
        "joined_user_ids": [],
        "joined_user_names": [],
        "active_user_count": acknowledged.len(),
        "engaged_user_count": acknowledged.len(),
        "engaged_seconds": acknowledgement.and_then(|at| seconds(at, one.resolved_at)),
        "seconds_to_first_ack": seconds(one.created_at, acknowledgement),
        "seconds_to_engage": seconds(one.created_at, acknowledgement),
        "seconds_to_mobilize": null,
        "seconds_to_resolve": seconds(one.created_at, one.resolved_at),
        "snoozed_seconds": 0,
        "user_defined_effort_seconds": null,
        "business_hour_interruptions": notifications,
        "off_hour_interruptions": 0,
        "sleep_hour_interruptions": 0,
        "total_interruptions": notifications,
        "total_notifications": notifications,
    })
}

pub(super) fn incidents(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let found = filters::incidents(call)?;
    let rows = found.into_iter().map(|(_, one)| row(call.state, one)).collect();
    page(call, rows, "created_at")
}

pub(super) fn incident(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    Ok(Reply::json(call.status(), &row(call.state, &call.state.incidents[index])))
}

/// Requested responders and their replies.
pub(super) fn responses(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let one = &call.state.incidents[index];
    let responses: Vec<Value> = one
        .responders
        .iter()
        .map(|responder| {
            json!({
                "responder_id": responder["user"]["id"],
                "responder_name": responder["user"]["summary"],
                "response_status": responder["state"],
                "responder_type": "added_responder",
                "requested_at": responder["requested_at"],
                "responded_at": responder["responded_at"],
                "time_to_respond_seconds": null,
            })
        })
        .collect();
    let answer = json!({
        "incident_id": one.id,
        "limit": 100,
        "order": "asc",
        "order_by": "requested_at",
        "time_zone": "Etc/UTC",
        "responses": responses,
    });
    Ok(Reply::json(call.status(), &answer))
}

pub(super) fn incidents_of_responder(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let responder = call.capture(0).to_owned();
    let took_part = |one: &Incident| {
        one.log_entries
            .iter()
            .any(|entry| call.state.log_entries[*entry].agent == Agent::User(responder.clone()))
    };
    let found = filters::incidents(call)?;
    let rows: Vec<Value> = found
        .into_iter()
        .filter(|(_, one)| took_part(one))
        .map(|(_, one)| {
            let mut row = row(call.state, one);
            row["incident_id"] = row["id"].clone();
            row["incident_created_at"] = row["created_at"].clone();
            row["responder_id"] = json!(responder);
            row
        })
        .collect();
    let reply = page(call, rows, "incident_created_at")?;
    let mut body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    body["responder_id"] = json!(responder);
    Ok(Reply::json(reply.status, &body))
}

/// Users, one row each.
pub(super) fn user_rows(call: &Call<'_>) -> Vec<Value> {
    let filters = &call.body["filters"];
    let state = &*call.state;
    let users = state.users.iter().filter(|user| {
        let teams: Vec<&str> = user.team_ids.iter().map(String::as_str).collect();
        lets(filters, "user_ids", &[&user.id])
            && lets(filters, "role_ids", &[&user.role])
            && lets(filters, "team_ids", &teams)
    });
    users
        .map(|user| {
            let own = Agent::User(user.id.clone());
            let acts = state.log_entries.iter().filter(|entry| entry.agent == own);
            json!({
                "user_id": user.id,
                "user_name": user.name,
                "user_email": user.email,
                "role_id": user.role,
                "role_name": user.role,
                "team_ids": user.team_ids,
                "created_at": "2025-01-15T09:00:00Z",
                "total_incident_actions": acts.count(),
            })
        })
        .collect()
}

pub(super) fn users(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    page(call, user_rows(call), "user_id")
}
