//! Documents about a node in its package, for readers that do not run it, such as catalogs and the forms
//! of other engines.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};
use workflow_node_host::Plugin;

use super::DESCRIPTION;

/// The directory of the schemas of actions and triggers.
pub(super) const SCHEMAS: &str = "schemas";

/// The documents that describe a node, and for each action and trigger the JSON Schemas of its
/// parameters and of its output, each of which needs no other file.
pub fn documents(plugin: &Plugin) -> BTreeMap<String, Vec<u8>> {
    let description = plugin.description();
    let mut files = BTreeMap::new();
    let types: Vec<_> = description.credential_types.values().collect();
    files.insert(format!("{DESCRIPTION}/node.json"), pretty(&description.node));
    let types = json!({ "credential_types": types });
    files.insert(format!("{DESCRIPTION}/credential-type.json"), pretty(&types));
    if !description.triggers.is_empty() {
        let triggers = json!({ "triggers": description.triggers });
        files.insert(format!("{DESCRIPTION}/trigger.json"), pretty(&triggers));
    }
    let shared = &description.node.schemas;
    let mut add = |name: &str, parameters: &Value, output: Value| {
        let schemas = json!({ "parameters": alone(parameters, shared), "output": output });
        files.insert(format!("{SCHEMAS}/{name}.json"), pretty(&schemas));
    };
    for action in &description.node.actions {
        let ports = action.output.iter();
        let ports = ports.map(|(port, schema)| (port.clone(), alone(schema.value(), shared)));
        add(&action.name, action.parameters.value(), Value::Object(ports.collect()));
    }
    for trigger in &description.triggers {
        let output = alone(trigger.output.value(), shared);
        add(&trigger.name, trigger.parameters.value(), output);
    }
    files
}

/// A schema with the shared schemas that it refers to.
fn alone(schema: &Value, shared: &Map<String, Value>) -> Value {
    let mut needed = BTreeSet::new();
    refer(schema, shared, &mut needed);
    let Value::Object(members) = schema else { return schema.clone() };
    let mut members = members.clone();
    if !needed.is_empty() {
        let named = needed.into_iter().filter_map(|name| {
            let schema = shared.get(&name)?.clone();
            Some((name, schema))
        });
        members.insert("$defs".to_owned(), Value::Object(named.collect()));
    }
    Value::Object(members)
}

/// Adds the names of the shared schemas that a schema refers to, also through others.
fn refer(schema: &Value, shared: &Map<String, Value>, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str);
            let name = name.and_then(|text| text.strip_prefix("#/$defs/"));
            if let Some(name) = name
                && names.insert(name.to_owned())
                && let Some(schema) = shared.get(name)
            {
                refer(schema, shared, names);
            }
            members.values().for_each(|member| refer(member, shared, names));
        }
        Value::Array(list) => list.iter().for_each(|one| refer(one, shared, names)),
        _ => {}
    }
}

fn pretty(document: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).unwrap_or_default();
    text.push(b'\n');
    text
}
