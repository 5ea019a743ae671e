//! Running automation actions.

use serde_json::{Value, json};

use super::text;
use crate::clock::written;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("createAutomationActionInvocation", invoke),
    ("listAutomationActionInvocations", invocations),
];

const INVOCATIONS: &str = "/automation_actions/invocations";

/// An action runs on behalf of an incident, so that must exist.
fn invoke(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let action_id = call.capture(0).to_owned();
    let metadata = call.body["invocation"]["metadata"].clone();
    if let Some(incident) = metadata["incident_id"].as_str()
        && call.state.incident_at(incident).is_none()
    {
        return Err(Refusal::invalid(["metadata.incident_id is not an incident"]));
    }
    let action = call.state.store.get("/automation_actions/actions", &action_id);
    let action = action.ok_or_else(Refusal::not_found)?;
    let (runner, snapshot) = (
        action["runner"].clone(),
        json!({"action_type": action["action_type"], "name": action["name"]}),
    );
    let action = action.clone();
    let now = written(call.now);
    let own = json!({
        "action_id": action_id,
        "action_snapshot": snapshot,
        "runner_id": runner,
        "metadata": metadata,
        "state": "created",
        "duration": null,
        "timing": [{"creation_time": now, "state": "created"}],
    });
    let id = call.state.ids.of_collection(INVOCATIONS);
    call.state.keep(INVOCATIONS, &id, "invocation", own);
    let invocation = call.state.store.get(INVOCATIONS, &id).cloned().unwrap_or_default();
    let incident = invocation["metadata"]["incident_id"].as_str();
    if let Some(index) = incident.and_then(|incident| call.state.incident_at(incident)) {
        let event = "incident.action_invocation.created";
        let data = call.state.invocation_data(index, &id, &action, "created");
        call.state.incident_event(index, event, &call.agent(), call.now, Some(data));
    }
    Ok(call.answer(&invocation))
}

fn invocations(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let query = &call.query;
    let is = |name: &str, value: &Value| {
        query.one(name).is_none_or(|wanted| text(value).as_deref() == Some(wanted))
    };
    let found = call.state.store.all(INVOCATIONS).filter(|(_, one)| {
        is("invocation_state", &one["state"])
            && query.one("not_invocation_state").is_none_or(|state| one["state"] != state)
            && is("incident_id", &one["metadata"]["incident_id"])
            && is("action_id", &one["action_id"])
    });
    let found: Vec<Value> = found.map(|(_, one)| one.clone()).collect();
    Ok(call.answer(&json!(found)))
}
