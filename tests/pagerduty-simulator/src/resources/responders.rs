//! Responder requests, and status updates for subscribers.

use serde_json::{Value, json};

use super::text;
use crate::clock::written;
use crate::engine::references;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;
use crate::state::log::Agent;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("createIncidentResponderRequest", request),
    ("cancelIncidentResponderRequest", cancel),
    ("createIncidentStatusUpdate", status_update),
];

/// The account needs the ability, and the requester must exist.
fn requester(call: &Call<'_>) -> Result<String, Refusal> {
    call.state.need("coordinated_responding")?;
    references::check(call)?;
    let id = text(&call.body["requester_id"]).unwrap_or_default();
    match call.state.user(&id) {
        Some(_) => Ok(id),
        None => Err(Refusal::coded(400, 1008, "Requester User Not Found")),
    }
}

/// The users of a target.
fn users_of(state: &State, target: &Value) -> Vec<String> {
    let id = text(&target["id"]).unwrap_or_default();
    match target["type"] == "escalation_policy_reference" {
        true => state.level_users(&id, 1),
        false => vec![id],
    }
}

fn request(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let requester = requester(call)?;
    let index = call.incident()?;
    if call.state.incidents[index].resolved_at.is_some() {
        return Err(Refusal::coded(400, 1001, "Incident Already Resolved"));
    }
    let now = written(call.now);
    let message = call.body["message"].clone();
    let mut targets = Vec::new();
    let mut responders = Vec::new();
    for wrapped in call.body["responder_request_targets"].as_array().into_iter().flatten() {
        let target = &wrapped["responder_request_target"];
        let state = &*call.state;
        let asked: Vec<Value> = users_of(state, target)
            .iter()
            .map(|user| {
                json!({
                    "state": "pending",
                    "user": state.user_reference(user),
                    "incident": state.incident_reference(index),
                    "updated_at": now,
                    "message": message,
                    "requester": state.user_reference(&requester),
                    "requested_at": now,
                })
            })
            .collect();
        let kind = text(&target["type"]).unwrap_or_default();
        let mut shown = references::shown(state, &kind, target["id"].as_str().unwrap_or_default());
        shown["incidents_responders"] = json!(asked);
        responders.extend(asked);
        targets.push(json!({"responder_request_target": shown}));
    }
    let request = json!({
        "incident": call.state.incident_reference(index),
        "requester": call.state.user_reference(&requester),
        "requested_at": now,
        "message": message,
        "responder_request_targets": targets,
    });
    let (now, agent) = (call.now, Agent::User(requester));
    let incident = call.state.touch(index, now);
    incident.responder_requests.push(request.clone());
    for responder in responders {
        call.state.add_responder(index, responder, &agent, now);
    }
    Ok(call.answer(&request))
}

fn cancel(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    requester(call)?;
    let index = call.incident()?;
    let targets = call.body["responder_request_targets"].clone();
    let names = |wrapped: &Value, id: &Value| wrapped["responder_request_target"]["id"] == *id;
    let mut results = Vec::new();
    for target in targets.as_array().into_iter().flatten() {
        let users = users_of(call.state, target);
        let is_one = |one: &Value| users.iter().any(|user| one["user"]["id"] == **user);
        let incident = &call.state.incidents[index];
        let requests = incident.responder_requests.iter();
        let listed = requests.flat_map(|one| one["responder_request_targets"].as_array());
        let is_listed = listed.flatten().any(|wrapped| names(wrapped, &target["id"]));
        let answers = incident.responders.iter().filter(|one| is_one(one));
        let answer = answers.filter_map(|one| one["state"].as_str()).find(|one| *one != "pending");
        let result = match (is_listed, answer) {
            (false, _) => "not_found",
            (true, Some("declined")) => "declined",
            (true, Some(_)) => "joined",
            (true, None) => "cancelled",
        };
        results.push(json!({"type": target["type"], "id": target["id"], "result": result}));
        if result != "cancelled" {
            continue;
        }
        let incident = call.state.touch(index, call.now);
        incident.responders.retain(|one| one["state"] != "pending" || !is_one(one));
        for request in &mut incident.responder_requests {
            if let Some(listed) = request["responder_request_targets"].as_array_mut() {
                listed.retain(|wrapped| !names(wrapped, &target["id"]));
            }
        }
    }
    Ok(call.answer(&json!(results)))
}

fn status_update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let user = call.user.clone().unwrap_or_default();
    let update = json!({
        "id": call.state.ids.next('P', "status update"),
        "message": call.body["message"],
        "subject": call.body["subject"],
        "html_message": call.body["html_message"],
        "created_at": written(call.now),
        "sender": call.state.user_reference(&user),
    });
    call.state.touch(index, call.now).status_updates.push(update.clone());
    let event = "incident.status_update_published";
    call.state.incident_event(index, event, &call.agent(), call.now, None);
    Ok(call.answer(&update))
}
