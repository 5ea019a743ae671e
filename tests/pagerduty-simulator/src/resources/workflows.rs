//! Running incident workflows, their triggers, and integration connections.

use serde_json::{Value, json};

use super::{rest, text};
use crate::engine::{documents, lists, references};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("postIncidentWorkflow", create),
    ("putIncidentWorkflow", update),
    ("createIncidentWorkflowInstance", start),
    ("createIncidentWorkflowTrigger", create_trigger),
    ("listIncidentWorkflowTriggers", triggers),
    ("associateServiceToIncidentWorkflowTrigger", add_service),
    ("deleteServiceFromIncidentWorkflowTrigger", remove_service),
    ("listWorkflowIntegrationConnections", all_connections),
    ("createWorkflowIntegrationConnection", connect),
    ("updateWorkflowIntegrationConnection", update_connection),
    ("enableExtension", enable_extension),
];

const HOME: &str = "/incident_workflows";
const TRIGGERS: &str = "/incident_workflows/triggers";
const INTEGRATIONS: &str = "/workflows/integrations";

/// Steps have IDs.
fn with_step_ids(call: &mut Call<'_>, workflow: &Value) -> Result<Value, Refusal> {
    let id = text(&workflow["id"]).unwrap_or_default();
    let mut steps = workflow["steps"].clone();
    for step in steps.as_array_mut().into_iter().flatten() {
        if step["id"].is_null() {
            step["id"] = json!(call.state.ids.next('P', "workflow step"));
            step["type"] = json!("step");
        }
    }
    let kept = call.state.store.get_mut(HOME, &id).ok_or_else(Refusal::not_found)?;
    if steps.is_array() {
        kept["steps"] = steps;
    }
    Ok(kept.clone())
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let workflow = documents::created(call)?;
    let workflow = with_step_ids(call, &workflow)?;
    Ok(call.answer(&workflow))
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let workflow = documents::updated(call)?;
    let workflow = with_step_ids(call, &workflow)?;
    Ok(call.answer(&workflow))
}

/// Starts a workflow for an incident.
fn start(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let workflow = call.capture(0).to_owned();
    let given = call.body["incident_workflow_instance"].clone();
    let incident = given["incident"]["id"].as_str().unwrap_or_default();
    let index = call.state.incident_at(incident);
    let index = index.ok_or_else(|| Refusal::invalid(["the incident is not known"]))?;
    let found = call.state.store.get(HOME, &workflow).ok_or_else(Refusal::not_found)?;
    if found["is_enabled"] == false {
        return Err(Refusal::invalid(["the workflow is switched off"]));
    }
    let path = format!("{HOME}/{workflow}/instances");
    let id = text(&given["id"]).unwrap_or_else(|| call.state.ids.of_collection(&path));
    if call.state.exists(&path, &id) {
        return Err(Refusal::invalid(["the id has already been taken"]));
    }
    let own = json!({
        "incident": call.state.incident_reference(index),
        "incident_workflow": references::shown(call.state, "incident_workflow", &workflow),
    });
    call.state.keep(&path, &id, "incident_workflow_instance", own);
    let instance = call.state.store.get(&path, &id).cloned().unwrap_or_default();
    let data = call.state.instance_data(index, &id, &workflow);
    // The simulator runs it immediately, so it ends when it begins.
    for event in ["incident.workflow.started", "incident.workflow.completed"] {
        call.state.incident_event(index, event, &call.agent(), call.now, Some(data.clone()));
    }
    Ok(call.answer(&instance))
}

fn create_trigger(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let workflow = text(&call.body["trigger"]["workflow"]["id"]);
    if let Some(workflow) = &workflow
        && !call.state.exists(HOME, workflow)
    {
        return Err(Refusal::invalid(["the workflow is not known"]));
    }
    for service in call.body["trigger"]["services"].as_array().into_iter().flatten() {
        if call.state.service(service["id"].as_str().unwrap_or_default()).is_none() {
            return Err(Refusal::coded(400, 5002, "Service Not Found"));
        }
    }
    let trigger = documents::created(call)?;
    Ok(call.answer(&trigger))
}

fn triggers(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let query = &call.query;
    let name = |trigger: &Value| {
        let id = trigger["workflow"]["id"].as_str().unwrap_or_default();
        let workflow = call.state.store.get(HOME, id);
        workflow.and_then(|workflow| text(&workflow["name"])).unwrap_or_default()
    };
    let service = query.one("incident_id").and_then(|id| {
        call.state.incident_at(id).map(|index| call.state.incidents[index].service_id.clone())
    });
    let service = query.one("service_id").map(str::to_owned).or(service);
    let of_service = |trigger: &Value| {
        service.as_ref().is_none_or(|service| {
            let listed = trigger["services"].as_array().into_iter().flatten();
            trigger["is_subscribed_to_all_services"] == true
                || listed.map(|one| &one["id"]).any(|id| id == service.as_str())
        })
    };
    let found = call.state.store.all(TRIGGERS).filter(|(_, trigger)| {
        query.one("workflow_id").is_none_or(|id| trigger["workflow"]["id"] == id)
            && query.one("trigger_type").is_none_or(|kind| trigger["trigger_type"] == kind)
            && query
                .one("is_disabled")
                .is_none_or(|flag| (trigger["is_disabled"] == true) == (flag == "true"))
            && super::resembles(&name(trigger), query.one("workflow_name_contains"))
            && of_service(trigger)
    });
    let mut found: Vec<(u64, Value)> = found
        .map(|(place, trigger)| {
            let mut trigger = trigger.clone();
            trigger["workflow_name"] = json!(name(&trigger));
            trigger["workflow_id"] = trigger["workflow"]["id"].clone();
            (place, trigger)
        })
        .collect();
    lists::sort(&mut found, query.one("sort_by"));
    Ok(lists::page(call, found))
}

fn add_service(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (trigger, service) =
        (call.capture(0).to_owned(), text(&call.body["service"]["id"]).unwrap_or_default());
    if call.state.service(&service).is_none() {
        return Err(Refusal::coded(400, 5002, "Service Not Found"));
    }
    let reference = call.state.service_reference(&service);
    let kept = call.state.store.get_mut(TRIGGERS, &trigger).ok_or_else(Refusal::not_found)?;
    if !kept["services"].is_array() {
        kept["services"] = json!([]);
    }
    if let Some(services) = kept["services"].as_array_mut() {
        services.retain(|one| one["id"] != service.as_str());
        services.push(reference);
    }
    let kept = kept.clone();
    Ok(call.answer(&kept))
}

fn remove_service(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (trigger, service) = (call.capture(0).to_owned(), call.capture(1).to_owned());
    let kept = call.state.store.get_mut(TRIGGERS, &trigger).ok_or_else(Refusal::not_found)?;
    let services = kept["services"].as_array_mut().ok_or_else(Refusal::not_found)?;
    let before = services.len();
    services.retain(|one| one["id"] != service.as_str());
    if services.len() == before {
        return Err(Refusal::not_found());
    }
    let kept = kept.clone();
    Ok(call.answer(&kept))
}

fn all_connections(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let integrations = call.state.store.all(INTEGRATIONS);
    let all: Vec<Value> = integrations
        .flat_map(|(_, one)| {
            let id = one["id"].as_str().unwrap_or_default();
            call.state.store.all(&format!("{INTEGRATIONS}/{id}/connections"))
        })
        .map(|(_, one)| one.clone())
        .filter(|one| lists::passes(call, one))
        .collect();
    Ok(lists::page(call, lists::placed(all)))
}

/// Only the names of secrets are returned.
fn hidden(call: &mut Call<'_>, connection: &Value) -> Result<Value, Refusal> {
    let names = rest(&connection["secrets"], &[]);
    let secrets: serde_json::Map<String, Value> =
        names.into_iter().map(|(name, _)| (name, json!("********"))).collect();
    let path = format!("{INTEGRATIONS}/{}/connections", call.capture(0));
    let integration = call.capture(0).to_owned();
    let id = text(&connection["id"]).unwrap_or_default();
    let kept = call.state.store.get_mut(&path, &id).ok_or_else(Refusal::not_found)?;
    kept["secrets"] = Value::from(secrets);
    kept["integration_id"] = json!(integration);
    kept["health"] = json!({"is_healthy": true, "health_message": null});
    Ok(kept.clone())
}

fn connect(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let connection = documents::created(call)?;
    let connection = hidden(call, &connection)?;
    Ok(call.answer(&connection))
}

fn update_connection(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let connection = documents::updated(call)?;
    let connection = hidden(call, &connection)?;
    Ok(call.answer(&connection))
}

/// An extension that was disabled after too many failures is enabled again.
fn enable_extension(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    let kept = call.state.store.get_mut("/extensions", &id).ok_or_else(Refusal::not_found)?;
    kept["temporarily_disabled"] = json!(false);
    let kept = kept.clone();
    Ok(call.answer(&kept))
}
