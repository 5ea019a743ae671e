//! Custom fields of incident types and services: their options and values.

use serde_json::{Value, json};

use super::text;
use crate::engine::{documents, lists};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listIncidentTypes", types),
    ("createIncidentType", create_type),
    ("listIncidentTypeCustomFields", fields),
    ("createIncidentTypeCustomField", create_field),
    ("getIncidentTypeCustomField", field),
    ("updateIncidentTypeCustomField", update_field),
    ("listServiceCustomFields", fields),
    ("createServiceCustomField", create_field),
    ("getServiceCustomField", field),
    ("updateServiceCustomField", update_field),
    ("getIncidentFieldValues", incident_values),
    ("setIncidentFieldValues", set_incident_values),
    ("getServiceCustomFieldValues", service_values),
    ("updateServiceCustomFieldValues", set_service_values),
];

const SERVICE_FIELDS: &str = "/services/custom_fields";

fn types(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let wanted = call.query.one("filter").unwrap_or("enabled");
    let fits = |one: &Value| match wanted {
        "enabled" => one["enabled"] != false,
        "disabled" => one["enabled"] == false,
        _ => true,
    };
    let types: Vec<Value> = call
        .state
        .store
        .all("/incidents/types")
        .filter(|(_, one)| fits(one))
        .map(|(_, one)| one.clone())
        .collect();
    Ok(call.answer(&json!(types)))
}

/// The parent is given by ID or by name, and stored as a reference.
fn create_type(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let given = &call.body["incident_type"];
    let (parent, name) = (&given["parent_type"], &given["name"]);
    let known = |wanted: &Value| {
        let mut types = call.state.store.all("/incidents/types");
        types
            .find(|(_, one)| one["id"] == *wanted || one["name"] == *wanted)
            .map(|(_, one)| json!({"id": one["id"], "type": "incident_type_reference"}))
    };
    let parent = known(parent).ok_or_else(|| Refusal::invalid(["the parent type is not known"]))?;
    if known(name).is_some() {
        return Err(Refusal::invalid(["Name has already been taken"]));
    }
    let object = documents::created(call)?;
    let id = text(&object["id"]).unwrap_or_default();
    let kept = call.state.store.get_mut("/incidents/types", &id).ok_or_else(Refusal::not_found)?;
    kept["parent"] = parent;
    let kept = kept.clone();
    Ok(call.answer(&kept))
}

/// A field, with its options if they are requested.
fn shown(call: &Call<'_>, path: &str, mut field: Value) -> Value {
    if call.query.includes().contains(&"field_options") {
        let id = field["id"].as_str().unwrap_or_default();
        let options = call.state.store.all(&format!("{path}/{id}/field_options"));
        field["field_options"] = options.map(|(_, option)| option.clone()).collect();
    }
    field
}

fn fields(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let fields = call.state.store.all(&path);
    let fields = fields.map(|(place, field)| (place, shown(call, &path, field.clone())));
    Ok(lists::page(call, fields.collect()))
}

fn field(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let field = documents::found(call)?;
    Ok(call.answer(&shown(call, &path, field)))
}

/// Stores the options of a field as separate objects.
fn set_options(call: &mut Call<'_>, path: &str, field: &mut Value) {
    let Some(options) = field.as_object_mut().and_then(|members| members.remove("field_options"))
    else {
        return;
    };
    let id = text(&field["id"]).unwrap_or_default();
    if let Some(kept) = call.state.store.get_mut(path, &id) {
        kept.as_object_mut().map(|members| members.remove("field_options"));
    }
    let below = format!("{path}/{id}/field_options");
    call.state.store.forget(&format!("{path}/{id}"));
    for option in options.as_array().into_iter().flatten() {
        let known = text(&option["id"]).filter(|id| !id.is_empty());
        let id = known.unwrap_or_else(|| call.state.ids.of_collection(&below));
        call.state.keep(&below, &id, "field_option", json!({"data": option["data"]}));
    }
}

/// Converts the default value in the body to the data type of the field.
fn set_default(call: &mut Call<'_>) -> Result<(), Refusal> {
    let (path, id) = documents::place(call);
    let known = id.and_then(|id| call.state.store.get(&path, &id).cloned()).unwrap_or_default();
    let given = &call.body["field"];
    let member = |name: &str| given.get(name).unwrap_or(&known[name]).as_str().unwrap_or_default();
    let data_type = member("data_type");
    let typed = |value: &Value| match (data_type, value) {
        ("boolean" | "integer" | "float", Value::String(text)) => serde_json::from_str(text).ok(),
        (_, value) => Some(value.clone()),
    };
    let fits = |value: &Value| match data_type {
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "float" => value.is_number(),
        _ => value.is_string(),
    };
    let default = match given.get("default_value") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(values)) => {
            let values: Option<Vec<Value>> = values.iter().map(typed).collect();
            values.filter(|values| values.iter().all(fits)).map(Value::from)
        }
        Some(value) => typed(value).filter(fits),
    };
    let error = || Refusal::invalid([format!("default_value must be of the type {data_type}")]);
    let default = default.ok_or_else(error)?;
    call.body["field"]["default_value"] = default;
    Ok(())
}

fn create_field(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let name = call.body["field"]["name"].clone();
    if call.state.store.all(&path).any(|(_, field)| field["name"] == name) {
        return Err(Refusal::invalid(["Name has already been taken"]));
    }
    set_default(call)?;
    let mut field = documents::created(call)?;
    set_options(call, &path, &mut field);
    Ok(call.answer(&shown(call, &path, field)))
}

fn update_field(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    set_default(call)?;
    let mut field = documents::updated(call)?;
    set_options(call, &path, &mut field);
    Ok(call.answer(&shown(call, &path, field)))
}

/// The problem of a field value.
fn objection(state: &State, path: &str, field: &Value, value: &Value) -> Option<String> {
    let name = field["name"].as_str().unwrap_or_default();
    if value.is_null() {
        return None;
    }
    let kind = field["field_type"].as_str().unwrap_or_default();
    let many = kind.starts_with("multi_value");
    let values = match (many, value) {
        (true, Value::Array(items)) => items.iter().collect(),
        (false, Value::Array(_)) => return Some(format!("{name} takes one value")),
        (true, _) => return Some(format!("{name} takes a list of values")),
        (false, value) => vec![value],
    };
    let fits = |value: &Value| match field["data_type"].as_str() {
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.as_i64().is_some(),
        Some("float") => value.is_number(),
        _ => value.is_string(),
    };
    if !values.iter().all(|value| fits(value)) {
        return Some(format!("{name} must be of the type {}", field["data_type"]));
    }
    if kind.ends_with("_fixed") {
        let id = field["id"].as_str().unwrap_or_default();
        let below = format!("{path}/{id}/field_options");
        let listed =
            |value: &Value| state.store.all(&below).any(|(_, one)| one["data"]["value"] == *value);
        if !values.iter().all(|value| listed(value)) {
            return Some(format!("{name} must be one of its options"));
        }
    }
    None
}

fn value_json(field: &Value, value: Option<&Value>) -> Value {
    json!({
        "id": field["id"],
        "name": field["name"],
        "display_name": field["display_name"],
        "description": field["description"],
        "data_type": field["data_type"],
        "field_type": field["field_type"],
        "type": "field_value",
        "namespace": "incidents",
        "value": value.unwrap_or(&field["default_value"]),
    })
}

/// The fields and values in the body, all judged.
fn judged(call: &Call<'_>, known: &[(String, Value)]) -> Result<Vec<(String, Value)>, Refusal> {
    let mut errors = Vec::new();
    let mut values = Vec::new();
    for given in call.body["custom_fields"].as_array().into_iter().flatten() {
        let means = |field: &Value| match given["id"].as_str() {
            Some(id) => field["id"] == id,
            None => field["name"] == given["name"],
        };
        match known.iter().find(|(_, field)| means(field)) {
            None => errors.push("a custom field needs the id or the name of one".to_owned()),
            Some((path, field)) => match objection(call.state, path, field, &given["value"]) {
                Some(error) => errors.push(error),
                None => {
                    values.push((text(&field["id"]).unwrap_or_default(), given["value"].clone()))
                }
            },
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(Refusal::invalid(errors)) }
}

impl State {
    /// The fields of an incident's type and its parents, with their collections.
    fn fields_of_incident(&self, index: usize) -> Vec<(String, Value)> {
        let named = |wanted: &Value| {
            let mut types = self.store.all("/incidents/types");
            let found = types.find(|(_, one)| one["name"] == *wanted || one["id"] == *wanted);
            found.map(|(_, one)| one.clone())
        };
        let mut fields = Vec::new();
        let mut next = named(&Value::from(self.incidents[index].incident_type.clone()));
        // A chain of parents is short, and a cycle must end.
        for _ in 0..10 {
            let Some(one) = next else { break };
            let path = format!(
                "/incidents/types/{}/custom_fields",
                one["id"].as_str().unwrap_or_default()
            );
            fields.extend(self.store.all(&path).map(|(_, field)| (path.clone(), field.clone())));
            next = named(&one["parent"]["id"]);
        }
        fields
    }

    pub(crate) fn incident_field_values(&self, index: usize) -> Vec<Value> {
        let values = &self.incidents[index].field_values;
        let fields = self.fields_of_incident(index);
        let value = |field: &Value| values.get(field["id"].as_str().unwrap_or_default());
        fields.iter().map(|(_, field)| value_json(field, value(field))).collect()
    }
}

fn incident_values(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    Ok(call.answer(&json!(call.state.incident_field_values(index))))
}

fn set_incident_values(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let values = judged(call, &call.state.fields_of_incident(index))?;
    let (agent, now) = (call.agent(), call.now);
    call.state.set_field_values(index, values, &agent, now);
    Ok(call.answer(&json!(call.state.incident_field_values(index))))
}

fn service_values(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(call.answer(&json!(call.state.service_field_values(call.capture(0)))))
}

fn set_service_values(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let service = call.capture(0).to_owned();
    let fields = call.state.store.all(SERVICE_FIELDS);
    let fields: Vec<(String, Value)> =
        fields.map(|(_, field)| (SERVICE_FIELDS.to_owned(), field.clone())).collect();
    let values = judged(call, &fields)?;
    let (agent, now) = (call.agent(), call.now);
    call.state.set_service_field_values(&service, values, &agent, now);
    Ok(call.answer(&json!(call.state.service_field_values(&service))))
}

impl State {
    pub(crate) fn service_field_values(&self, service: &str) -> Vec<Value> {
        let kept = self.store.single(&format!("/services/{service}/custom_fields/values"));
        let value = |field: &Value| kept.and_then(|kept| kept.get(field["id"].as_str()?));
        let fields = self.store.all(SERVICE_FIELDS);
        fields
            .map(|(_, field)| {
                let mut shown = value_json(field, value(field));
                shown["namespace"] = json!("services");
                shown
            })
            .collect()
    }
}
