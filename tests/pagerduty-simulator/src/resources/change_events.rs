//! Change events that arrived through integrations.

use serde_json::{Value, json};

use super::{any_passes, passes};
use crate::clock::written;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::{ChangeEvent, State};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listChangeEvents", list),
    ("listServiceChangeEvents", of_service),
    ("listIncidentRelatedChangeEvents", of_incident),
    ("createChangeEvent", create),
    ("getChangeEvent", get),
    ("updateChangeEvent", update),
];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    page(call, None)
}

fn of_service(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    page(call, Some(call.capture(0)))
}

/// Changes of the incident's service are possible causes.
fn of_incident(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    page(call, Some(&call.state.incidents[index].service_id))
}

fn page(call: &Call<'_>, service: Option<&str>) -> Result<Reply, Refusal> {
    let (since, until) = call.range()?;
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
                && service.is_none_or(|service| change.service_id == service)
                && passes(&integrations, &change.integration_id)
                && state
                    .service(&change.service_id)
                    .is_some_and(|service| any_passes(&teams, &service.team_ids))
        })
        .collect();
    let shown = |change: &&ChangeEvent| json(state, change).to_string();
    Ok(paging::reply(call.operation, &call.page(), matching, shown))
}

/// Only a reference: change events are sent to the Events API.
fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(call.done())
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let wanted = call.capture(0);
    let change = call.state.change_events.iter().find(|change| change.id == wanted);
    Ok(call.answer(&json(call.state, change.ok_or_else(Refusal::not_found)?)))
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let wanted = call.capture(0).to_owned();
    let given = call.body["change_event"].clone();
    let change = call.state.change_events.iter_mut().find(|change| change.id == wanted);
    let change = change.ok_or_else(Refusal::not_found)?;
    for name in ["summary", "custom_details"] {
        if let Some(value) = given.get(name) {
            change.event["payload"][name] = value.clone();
        }
    }
    if let Some(integration) = given["integration"]["id"].as_str() {
        change.integration_id = integration.to_owned();
    }
    let change = change.clone();
    Ok(call.answer(&json(call.state, &change)))
}

fn json(state: &State, change: &ChangeEvent) -> Value {
    let payload = &change.event["payload"];
    let summary = payload["summary"].as_str().unwrap_or_default();
    let integration = json!({
        "id": change.integration_id, "type": "events_api_v2_inbound_integration_reference",
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
