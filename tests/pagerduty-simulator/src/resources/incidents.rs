//! Creating and reading incidents, and the alerts below them.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::passes;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;
use crate::state::changes::Opening;
use crate::state::incident::{Incident, Urgency};

pub(super) const HANDLERS: &[(&str, Handler)] =
    &[("listIncidents", list), ("getIncident", get), ("createIncident", create)];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let query = &call.query;
    let (since, until) = call.range()?;
    let statuses = query.all("statuses[]");
    let urgencies = query.all("urgencies[]");
    let services = query.all("service_ids[]");
    let users = query.all("user_ids[]");
    let teams = query.all("team_ids[]");
    let key = query.one("incident_key");
    let state = &*call.state;
    let in_team = |incident: &Incident| {
        state
            .service(&incident.service_id)
            .is_some_and(|service| service.team_ids.iter().any(|id| teams.contains(&id.as_str())))
    };
    let sight = call.sight();
    let sees = |incident: &Incident| {
        state.service(&incident.service_id).is_none_or(|service| sight.sees(&service.team_ids))
    };
    let mut matching: Vec<usize> = state
        .incidents
        .iter()
        .enumerate()
        .filter(|(_, incident)| {
            since.is_none_or(|since| incident.created_at >= since)
                && until.is_none_or(|until| incident.created_at < until)
                && passes(&statuses, incident.status.text())
                && passes(&urgencies, incident.urgency.text())
                && passes(&services, &incident.service_id)
                && (users.is_empty()
                    || incident.assignee_ids.iter().any(|id| users.contains(&id.as_str())))
                && (teams.is_empty() || in_team(incident))
                && key.is_none_or(|key| incident.incident_key == key)
                && sees(incident)
        })
        .map(|(index, _)| index)
        .collect();
    sort(state, &mut matching, query.one("sort_by").unwrap_or("created_at"));

    let include: Vec<String> = query.includes().into_iter().map(str::to_owned).collect();
    let include: Vec<&str> = include.iter().map(String::as_str).collect();
    let page = call.page();
    let state = &mut *call.state;
    Ok(paging::reply(call.operation, &page, matching, |index| {
        state.incident_text(*index, &include)
    }))
}

fn sort(state: &State, indexes: &mut [usize], by: &str) {
    let compare = |field: &str, one: &Incident, other: &Incident| match field {
        "incident_number" => one.number.cmp(&other.number),
        "created_at" => one.created_at.cmp(&other.created_at),
        "resolved_at" => one.resolved_at.cmp(&other.resolved_at),
        // Ascending order has high before low.
        _ => one.urgency.text().cmp(other.urgency.text()),
    };
    indexes.sort_by(|one, other| {
        let (one, other) = (&state.incidents[*one], &state.incidents[*other]);
        by.split(',')
            .map(|part| {
                let (field, direction) = part.split_once(':').unwrap_or((part, "asc"));
                let order = compare(field, one, other);
                if direction == "desc" { order.reverse() } else { order }
            })
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    });
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let include = call.query.includes();
    Ok(Reply::wrapped(200, "incident", &call.state.incident_text(index, &include)))
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let incident = &call.body["incident"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let service_id = incident["service"]["id"].as_str().unwrap_or_default();
    let state = &*call.state;
    let service =
        state.service(service_id).ok_or_else(|| Refusal::coded(400, 5002, "Service Not Found"))?;
    if service.status == "disabled" {
        return Err(Refusal::invalid(["Service is disabled"]));
    }
    let policy = text(&incident["escalation_policy"]["id"]);
    if let Some(policy) = &policy {
        policy_on_call(state, policy)?;
    }
    let assignments = incident["assignments"].as_array().map_or(&[][..], Vec::as_slice);
    if !assignments.is_empty() && policy.is_some() {
        return Err(Refusal::invalid(["assignments and escalation_policy exclude each other"]));
    }
    if assignments.len() > 1 {
        return Err(Refusal::invalid(["only one assignee is supported"]));
    }
    let assignee_id = assignments.first().and_then(|one| text(&one["assignee"]["id"]));
    if assignee_id.as_ref().is_some_and(|id| state.user(id).is_none()) {
        return Err(Refusal::coded(400, 1007, "Assignee User Not Found"));
    }
    let priority_id = text(&incident["priority"]["id"]);
    if priority_id.as_ref().is_some_and(|id| state.priority(id).is_none()) {
        return Err(Refusal::coded(400, 1020, "Invalid Priority"));
    }
    let incident_key = text(&incident["incident_key"]).filter(|key| !key.is_empty());
    if let Some(key) = &incident_key
        && state.open_incident_with(service_id, key).is_some()
    {
        let error = "Open incident with matching dedup key already exists on this service";
        return Err(Refusal::arguments(error));
    }
    let title = incident["title"].as_str().unwrap_or_default();
    let details = text(&incident["body"]["details"]);
    let opening = Opening {
        incident_key,
        priority_id,
        assignee_id,
        escalation_policy_id: policy,
        incident_type: text(&incident["incident_type"]["name"]),
        conference_bridge: incident.get("conference_bridge").filter(|b| b.is_object()).cloned(),
        urgency: Urgency::read(incident["urgency"].as_str().unwrap_or("high")),
        channel: json!({
            "type": "web_trigger", "summary": title, "subject": title, "details": details,
        }),
        details,
        ..Opening::new(title, service_id, call.now)
    };
    let agent = call.agent();
    let index = call.state.open_incident(opening, &agent);
    Ok(Reply::wrapped(201, "incident", &call.state.incident_text(index, &[])))
}

/// Refuses a policy that does not exist or would notify nobody.
pub(crate) fn policy_on_call(state: &State, id: &str) -> Result<(), Refusal> {
    let policy =
        state.policy(id).ok_or_else(|| Refusal::coded(400, 1014, "Escalation Policy Not Found"))?;
    let nobody = |level| state.level_users(id, level).is_empty();
    if (1..=policy.levels.len()).all(nobody) {
        let message = "Escalation Policy Has Nobody On Call";
        return Err(Refusal::coded(400, 1015, message));
    }
    Ok(())
}
