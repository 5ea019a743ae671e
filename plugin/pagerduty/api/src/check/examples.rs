//! Runs every example through the node, and validates the requests against the OpenAPI document.

use std::collections::BTreeMap;

use pagerduty::PagerDuty;
use serde_json::{Map, Value, json};
use workflow_node_sdk::declare::{Action, Answer};
use workflow_node_sdk::http::Request;
use workflow_node_sdk::node::{self, Call};
use workflow_node_sdk::testing::{Host, answer};

use super::{is_amended, is_amended_below, may_be_partial};
use crate::schema::Document;

pub(super) fn differences(document: &Document, operations: &BTreeMap<&str, &str>) -> Vec<String> {
    let mut lines = Vec::new();
    for action in pagerduty_declaration::node().actions() {
        let Some(id) = operations.get(action.name) else { continue };
        let Some(schema) = body_schema(document, id) else { continue };
        // A body that an amendment removes is not sent.
        if is_amended(id, "body", "") {
            continue;
        }
        let Ok(validator) = jsonschema::validator_for(&schema) else {
            lines.push(format!("{}: the schema of {id} cannot be used", action.name));
            continue;
        };
        for example in action.examples {
            let Some(request) = request(action, &example.parameters.value().to_string()) else {
                lines.push(format!("{}: `{}` sends no request", action.name, example.title));
                continue;
            };
            let body = request.body.as_deref().map(serde_json::from_slice::<Value>);
            let body = body.and_then(Result::ok).unwrap_or(Value::Null);
            for error in validator.iter_errors(&body) {
                let place = error.instance_path().to_string();
                let named: Vec<&str> = place
                    .split('/')
                    .filter(|one| !one.is_empty() && one.parse::<u32>().is_err())
                    .collect();
                let place = format!("body.{}", named.join("."));
                if !is_amended_below(id, place.trim_end_matches('.')) {
                    lines.push(format!(
                        "{}: example `{}`: {place}: {error}",
                        action.name, example.title
                    ));
                }
            }
        }
    }
    lines
}

/// The request that an action sends for an example.
fn request(action: &Action, parameters: &str) -> Option<Request> {
    let found = named(parameters);
    let host = Host::answering(move |_| Ok(answer(200, &found)))
        .connected::<PagerDuty>("rest", "api-token", json!({"region": "us"}))
        .connected::<PagerDuty>("events", "events-integration", json!({"region": "us"}));
    let call = Call {
        node: "pagerduty".into(),
        version: action.version,
        action: action.name.into(),
        items: vec![parameters.into()],
        options: "{}".into(),
    };
    // The result of the response is not compared.
    drop(host.run(|| node::execute::<PagerDuty>(call)));
    let requests = host.requests();
    requests
        .into_iter()
        .find(|request| request.method == action.route.method && request.body.is_some())
}

/// A response to every lookup: records with the names in an example.
fn named(parameters: &str) -> String {
    let parameters = serde_json::from_str(parameters).unwrap_or(Value::Null);
    let mut texts = Vec::new();
    collect(&parameters, &mut texts);
    let records: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| {
            json!({
                "id": format!("P{number:06}"), "name": text, "summary": text, "label": text,
                "email": text, "title": text, "description": text,
            })
        })
        .collect();
    let lists = pagerduty_declaration::node().actions().filter_map(|action| {
        let Answer::List(member, _) = action.route.answer else { return None };
        Some((member.to_owned(), json!(records)))
    });
    Value::Object(lists.collect()).to_string()
}

fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text.trim_start_matches("name:")),
        Value::Array(list) => list.iter().for_each(|one| collect(one, texts)),
        Value::Object(members) => members.values().for_each(|one| collect(one, texts)),
        _ => {}
    }
}

/// The JSON Schema of an operation's request body, with every reference resolved.
fn body_schema(document: &Document, id: &str) -> Option<Value> {
    let paths = document.0.get("paths")?.as_object()?;
    let operations = paths.values().filter_map(Value::as_object).flatten();
    let operation = operations.map(|(_, one)| one).find(|one| one["operationId"] == id)?;
    let body = document.resolved(operation.get("requestBody")?);
    let schema = body.pointer("/content/application~1json/schema")?;
    let mut schema = inlined(document, schema, &mut Vec::new());
    if may_be_partial(id) {
        relax(&mut schema, 2);
    }
    Some(schema)
}

/// Converts a schema of OpenAPI 3.0 to JSON Schema: resolves references, turns `nullable` into a
/// type, and does not require read-only members.
fn inlined<'a>(document: &'a Document, schema: &'a Value, path: &mut Vec<&'a Value>) -> Value {
    let schema = document.resolved(schema);
    let Value::Object(members) = schema else { return schema.clone() };
    if path.iter().any(|around| std::ptr::eq(*around, schema)) {
        return json!({});
    }
    path.push(schema);
    let mut result = Map::new();
    for (name, value) in members {
        let value = match (name.as_str(), value) {
            ("properties", Value::Object(inner)) => inner
                .iter()
                .map(|(name, one)| (name.clone(), inlined(document, one, path)))
                .collect(),
            ("allOf" | "oneOf" | "anyOf", Value::Array(list)) => {
                list.iter().map(|one| inlined(document, one, path)).collect()
            }
            ("items" | "additionalProperties", Value::Object(_)) => inlined(document, value, path),
            // OpenAPI 3.0 has enumerations of other types, and Boolean `exclusiveMinimum`.
            (
                "exclusiveMinimum" | "exclusiveMaximum" | "discriminator" | "example" | "pattern",
                _,
            ) => continue,
            _ => value.clone(),
        };
        // `oneOf` becomes `anyOf`, because PagerDuty's alternatives often overlap.
        let name = if name == "oneOf" { "anyOf" } else { name };
        result.insert(name.to_owned(), value);
    }
    if members.get("nullable") == Some(&json!(true)) {
        if let Some(kind) = result.get("type").cloned() {
            result.insert("type".into(), json!([kind, "null"]));
        }
        if let Some(Value::Array(values)) = result.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    let read_only = |name: &Value| {
        let property = name.as_str().and_then(|name| result.get("properties")?.get(name));
        property.is_some_and(|one| one["readOnly"] == true)
    };
    if let Some(Value::Array(required)) = result.get("required") {
        let kept: Vec<Value> = required.iter().filter(|name| !read_only(name)).cloned().collect();
        result.insert("required".into(), json!(kept));
    }
    path.pop();
    Value::Object(result)
}

/// Removes `required` down to this depth.
fn relax(schema: &mut Value, levels: usize) {
    let Value::Object(members) = schema else { return };
    members.remove("required");
    if levels == 0 {
        return;
    }
    for name in ["allOf", "anyOf"] {
        for one in members.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten() {
            relax(one, levels);
        }
    }
    if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(|one| relax(one, levels - 1));
    }
}
