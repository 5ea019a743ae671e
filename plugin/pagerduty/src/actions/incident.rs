//! Opening and finding incidents.

use serde_json::Value;
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::http::Request;
use workflow_node_sdk::node::{Outcome, Task};
use workflow_node_sdk::{context, json, percent};

use super::{parameters, passed};
use crate::{answers, ids};

/// Creates an incident. If PagerDuty refuses it because the execution's idempotency key is in use,
/// this execution has created it before, and the existing incident is the result.
pub(super) async fn create(task: Task) -> Outcome {
    let error = match task.run_declared().await {
        Err(error) if answers::is_key_conflict(&error) => error,
        result => return result,
    };
    if task.text("incident_key").is_some() {
        return Err(error);
    }
    let key = context::idempotency_key(task.item);
    let mut url = format!("{}/incidents", task.credential.base_url("rest")?);
    percent::append_query(&mut url, "incident_key", &key);
    percent::append_query(&mut url, "date_range", "all");
    for status in ["triggered", "acknowledged"] {
        percent::append_query(&mut url, "statuses[]", status);
    }
    if let Some(service) = task.text("service_id") {
        percent::append_query(&mut url, "service_ids[]", service);
    }
    let response = task.send(Request::new("GET", url)).await?;
    let members = response.members()?;
    let incidents = members.get("incidents").and_then(json::elements);
    let incidents = incidents.unwrap_or_default();
    let Some(existing) = incidents.first() else {
        // It was resolved between the two requests. Creating another one would be a second write.
        return Err(Error {
            kind: ErrorKind::Conflict,
            message:
                "this execution has opened the incident before, and it has been closed since: \
                      nothing was opened now"
                    .into(),
            ..error.with_detail("incident_key", Value::from(key))
        });
    };
    Ok(vec![task.output(existing)])
}

/// Finds an incident by number, key or address.
pub(super) async fn find(task: Task) -> Outcome {
    let number = task.parameters.get("number").and_then(Value::as_u64);
    let incident = match (number, task.text("incident_key"), task.text("url")) {
        (Some(number), None, None) => ids::by_number(number, &task.credential).await?,
        (None, Some(key), None) => by_key(&task, key).await?,
        (None, None, Some(url)) => {
            // `/incidents/ID` is in the path or, on older pages, after a hash.
            let mut segments = url.split(['/', '#', '?']).skip_while(|one| *one != "incidents");
            let id = segments.nth(1).filter(|id| !id.is_empty() && !id.contains('='));
            let Some(id) = id else {
                return Err(Error::invalid("/url", "is not the URL of an incident"));
            };
            let get = task.other("incident.get", parameters([("incident_id", id.into())]))?;
            get.records().await?.into_iter().next().unwrap_or_default()
        }
        _ => {
            let message = "Set exactly one of number, incident_key, and url.";
            return Err(Error::invalid("", message));
        }
    };
    Ok(vec![task.output(&json::text(&incident))])
}

async fn by_key(task: &Task, key: &str) -> Result<Value, Error> {
    let mut search = parameters([
        ("incident_key", key.into()),
        ("date_range", "all".into()),
        ("sort_by", json::texts(&["created_at:desc"])),
        ("all", true.into()),
    ]);
    if let Some(service) = task.text("service_id") {
        search.insert("service_ids".to_owned(), json::texts(&[service]));
    }
    let incidents = task.other("incident.list", search)?.records().await?;
    let is_open = |one: &&Value| one.get("status").and_then(Value::as_str) != Some("resolved");
    incidents.iter().find(is_open).or(incidents.first()).cloned().ok_or_else(|| {
        let message = ["No visible incident has the key `", key, "`."].concat();
        Error::new(ErrorKind::NotFound, message)
    })
}

/// Sets custom fields by name. One output record per field.
pub(super) async fn set_custom_fields(task: Task) -> Outcome {
    let Some(Value::Object(fields)) = task.parameters.get("fields") else {
        return Err(Error::invalid("/fields", "must be an object"));
    };
    let mut values = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let mut field = json::Object::new();
        field.text("name", name);
        field.set("value", value.clone());
        values.push(field.build());
    }
    if values.is_empty() {
        return Err(Error::invalid("/fields", "must name at least one field"));
    }
    let mut set = passed(&task, &["incident_id"]);
    set.insert("custom_fields".to_owned(), Value::Array(values));
    task.other("incident_field_value.set", set)?.run_declared().await
}
