//! References: checks that their objects exist, and collections that contain only references.

use serde_json::{Map, Value, json};

use super::{documents, root};
use crate::errors::Refusal;
use crate::facts::Field;
use crate::judge::Call;
use crate::reply::Reply;
use crate::state::State;
use crate::state::views::reference_to;

/// The collection of each kind of object.
pub(crate) fn home(kind: &str) -> Option<&'static str> {
    let kind = kind.strip_suffix("_reference").unwrap_or(kind);
    Some(match kind {
        "user" => "/users",
        "service" | "technical_service" => "/services",
        "business_service" => "/business_services",
        "team" => "/teams",
        "escalation_policy" => "/escalation_policies",
        "schedule" => "/schedules",
        "incident" => "/incidents",
        "priority" => "/priorities",
        "event_orchestration" => "/event_orchestrations",
        "event_enrichment" => "/enrichment/event_enrichments",
        "vendor" => "/vendors",
        "extension_schema" => "/extension_schemas",
        "license" => "/licenses",
        "tag" => "/tags",
        "incident_workflow" => "/incident_workflows",
        "status_page" => "/status_pages",
        _ => return None,
    })
}

/// Refuses a body that names an object that does not exist.
pub(crate) fn check(call: &Call<'_>) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    for field in call.operation.body.iter().flat_map(|body| &body.fields) {
        walk(call, &field.name, field, &call.body[&field.name], &mut errors);
    }
    if errors.is_empty() { Ok(()) } else { Err(Refusal::invalid(errors)) }
}

fn walk(call: &Call<'_>, path: &str, field: &Field, value: &Value, errors: &mut Vec<String>) {
    if field.read_only && !field.must_be_sent() {
        return;
    }
    if let Value::Array(items) = value {
        items.iter().for_each(|item| walk(call, path, field, item, errors));
        return;
    }
    let name = |member: &str| value[member].as_str();
    if let (Some(id), Some(kind)) = (name("id"), name("type"))
        && (field.is_reference()
            || home(kind).is_some_and(|_| field.name != "incident_workflow_instance"))
        && kind.ends_with("_reference")
    {
        let collection = match kind.ends_with("_contact_method_reference") {
            true => Some(format!("/users/{}/contact_methods", call.capture(0))),
            false => home(kind).map(str::to_owned),
        };
        if collection.is_some_and(|collection| !call.state.exists(&collection, id)) {
            errors
                .push(format!("{path}: there is no {} {id}", kind.trim_end_matches("_reference")));
        }
    }
    for member in &field.fields {
        walk(call, &format!("{path}.{}", member.name), member, &value[&member.name], errors);
    }
}

/// Completes the references of an object, which were given with ID and type only.
pub(crate) fn settle(call: &Call<'_>, fields: &[Field], object: &mut Map<String, Value>) {
    for field in fields {
        let Some(value) = object.get_mut(&field.name) else { continue };
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| one(call, field, item)),
            value => one(call, field, value),
        }
    }
}

fn one(call: &Call<'_>, field: &Field, value: &mut Value) {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let (id, kind) = (text("id"), text("type"));
    if !field.is_reference() || id.is_empty() || !kind.ends_with("_reference") {
        if let Some(members) = value.as_object_mut() {
            settle(call, &field.fields, members);
        }
    } else if kind.ends_with("_contact_method_reference") {
        let home = format!("/users/{}/contact_methods", call.capture(0));
        if let Some(contact) = call.state.store.get(&home, &id) {
            *value = reference_to(contact);
        }
    } else if home(&kind).is_some() {
        *value = shown(call.state, &kind, &id);
    }
}

/// A reference as responses contain it, from the object if it is known.
pub(crate) fn shown(state: &State, kind: &str, id: &str) -> Value {
    let kind =
        if kind.ends_with("_reference") { kind.to_owned() } else { format!("{kind}_reference") };
    let object = home(&kind).and_then(|collection| state.whole(collection, id));
    let member = |name: &str| object.as_ref().map_or(Value::Null, |object| object[name].clone());
    json!({
        "id": id, "type": kind, "summary": member("summary"), "self": member("self"),
        "html_url": member("html_url"),
    })
}

/// Adds a reference to a collection, unless it contains it.
pub(super) fn associate(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    check(call)?;
    let name = root(call.operation).map_or("", |field| field.name.as_str());
    let given = &call.body[name];
    let text = |member: &str| given[member].as_str().unwrap_or_default().to_owned();
    let reference = shown(call.state, &text("type"), &text("id"));
    let (path, _) = documents::place(call);
    call.state.store.put(&path, reference.clone());
    Ok(call.answer(&reference))
}
