//! Services with their integrations, and the change events that came in through them.

use serde_json::{Value, json};

use super::{any_passes, passes, resembles};
use crate::clock::written;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::state::directory::Service;
use crate::state::{ChangeEvent, State};

pub(crate) fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let query = call.query.one("query");
    let name = call.query.one("name");
    let teams = call.query.all("team_ids[]");
    let include = call.query.includes();
    let mut matching: Vec<&Service> = state
        .services
        .iter()
        .filter(|service| {
            resembles(&service.name, query)
                && name.is_none_or(|name| service.name == name)
                && any_passes(&teams, &service.team_ids)
        })
        .collect();
    matching.sort_by(|one, other| one.name.cmp(&other.name));
    if call.query.one("sort_by") == Some("name:desc") {
        matching.reverse();
    }
    Ok(Reply::page_of("services", &matching, &call.query.page(), |service| {
        state.service_json(service, &include).to_string()
    }))
}

pub(crate) fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let service = call.state.service(call.capture(0)).ok_or_else(Refusal::not_found)?;
    let service = call.state.service_json(service, &call.query.includes());
    Ok(Reply::wrapped(200, "service", &service.to_string()))
}

pub(crate) fn integration(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let service = call.state.service(call.capture(0)).ok_or_else(Refusal::not_found)?;
    if service.integration_id != call.capture(1) {
        return Err(Refusal::not_found());
    }
    let service = call.state.service_json(service, &["integrations"]);
    Ok(Reply::wrapped(200, "integration", &service["integrations"][0].to_string()))
}

pub(crate) fn change_events(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    for name in ["since", "until"] {
        if call.query.one(name).is_some_and(|text| !text.ends_with('Z')) {
            return Err(Refusal::invalid([format!("{name} must be in UTC and end in Z")]));
        }
    }
    let (since, until) = call.window()?;
    let state = &*call.state;
    let integrations = call.query.all("integration_ids[]");
    let teams = call.query.all("team_ids[]");
    let matching: Vec<&ChangeEvent> = state
        .change_events
        .iter()
        .rev()
        .filter(|change| {
            since.is_none_or(|since| change.at >= since)
                && until.is_none_or(|until| change.at < until)
                && state.service(&change.service_id).is_some_and(|service| {
                    passes(&integrations, &service.integration_id)
                        && any_passes(&teams, &service.team_ids)
                })
        })
        .collect();
    Ok(Reply::page_of("change_events", &matching, &call.query.page(), |change| {
        json(state, change).to_string()
    }))
}

pub(crate) fn change_event(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let wanted = call.capture(0);
    let change = state.change_events.iter().find(|change| change.id == wanted);
    let change = change.ok_or_else(Refusal::not_found)?;
    Ok(Reply::wrapped(200, "change_event", &json(state, change).to_string()))
}

fn json(state: &State, change: &ChangeEvent) -> Value {
    let payload = &change.event["payload"];
    let summary = payload["summary"].as_str().unwrap_or_default();
    let integration = state.service(&change.service_id).map(|service| {
        json!({"id": service.integration_id, "type": "events_api_v2_inbound_integration_reference"})
    });
    state.object(
        "change_event",
        "change_events",
        &change.id,
        summary,
        json!({
            "timestamp": payload["timestamp"].as_str().map_or_else(|| written(change.at), str::to_owned),
            "source": payload["source"],
            "custom_details": payload["custom_details"],
            "links": change.event["links"],
            "images": change.event["images"],
            "integration": integration,
            "services": [state.service_reference(&change.service_id)],
        }),
    )
}
