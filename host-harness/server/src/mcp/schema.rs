//! JSON Schemas of the tools' arguments and results.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::tools::Schema;

fn object(schema: Value) -> Schema {
    match schema {
        Value::Object(members) => Arc::new(members),
        _ => Arc::default(),
    }
}

const ID: &str = "^[A-Za-z0-9._:@~-]{1,200}$";

pub(super) fn search() -> Schema {
    object(json!({
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "Words to find, such as \"create incident\"."},
            "plugin": {"type": "string", "description": "Only actions of this plugin."},
            "cursor": {"type": "string", "description": "next_cursor of the previous page."},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "description": format!("Maximum number of actions. Defaults to {}.", super::search::DEFAULT),
            },
        },
        "additionalProperties": false,
    }))
}

pub(super) fn found() -> Schema {
    object(json!({
        "type": "object",
        "properties": {
            "actions": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "plugin": {"type": "string"},
                    "action": {"type": "string"},
                    "title": {"type": "string"},
                    "description": {"type": "string"},
                    "effect": {"type": "string", "description": "read, create, update, delete, or execute"},
                },
                "required": ["plugin", "action", "title", "description", "effect"],
            }},
            "next_cursor": {"type": "string"},
        },
        "required": ["actions"],
    }))
}

fn names() -> Map<String, Value> {
    let names = json!({
        "plugin": {"type": "string", "description": "Name of the plugin, from search_actions."},
        "action": {"type": "string", "description": "Name of the action, from search_actions."},
    });
    names.as_object().cloned().unwrap_or_default()
}

pub(super) fn describe() -> Schema {
    object(json!({
        "type": "object",
        "properties": names(),
        "required": ["plugin", "action"],
        "additionalProperties": false,
    }))
}

pub(super) fn described() -> Schema {
    object(json!({
        "type": "object",
        "properties": {
            "plugin": {"type": "string"},
            "name": {"type": "string"},
            "title": {"type": "string"},
            "description": {"type": "string"},
            "effect": {"type": "string"},
            "idempotency": {"type": "string"},
            "slots": {"type": "object"},
            "form": {"description": "JSON Schema of the parameters."},
            "output": {"type": "object", "description": "JSON Schema of one output record, per port."},
            "examples": {"type": "array"},
            "accounts": {"type": "object", "description": "Credentials that fit, per slot."},
        },
        "required": ["plugin", "name", "effect", "form", "output", "accounts"],
    }))
}

/// Arguments of every tool that runs an action, in addition to its parameters.
fn options() -> Map<String, Value> {
    let options = json!({
        "credentials": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Names of credentials, by slot. Not needed where only one fits.",
        },
        "execution_id": {
            "type": "string",
            "pattern": ID,
            "description": "ID of this call. You choose it. A call that you repeat with the same ID \
                            runs once.",
        },
        "first_record": {
            "type": "integer",
            "minimum": 0,
            "description": "Number of records of each item to leave out. If a result has \
                            records_omitted, repeat the call with its execution_id to read on.",
        },
    });
    options.as_object().cloned().unwrap_or_default()
}

pub(super) fn run() -> Schema {
    let mut properties = names();
    let own = json!({
        "parameters": {"type": "object", "description": "Parameters, in the form that describe_action returns."},
        "items": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Parameters of several items, instead of `parameters`.",
        },
        "continue_on_fail": {
            "type": "boolean",
            "description": "Whether the other items run after one has failed.",
        },
    });
    properties.extend(own.as_object().cloned().unwrap_or_default());
    properties.extend(options());
    object(json!({
        "type": "object",
        "properties": properties,
        "required": ["plugin", "action"],
        "additionalProperties": false,
    }))
}

/// The arguments of a pinned action: its form under `parameters`.
pub(super) fn pinned(mut form: Value) -> Schema {
    // References start at the root.
    let shared = form.as_object_mut().and_then(|form| form.remove("$defs"));
    let mut properties = Map::from_iter([("parameters".to_owned(), form)]);
    properties.extend(options());
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": ["parameters"],
        "additionalProperties": false,
    });
    if let (Some(schema), Some(shared)) = (schema.as_object_mut(), shared) {
        schema.insert("$defs".to_owned(), shared);
    }
    object(schema)
}

pub(super) fn ran() -> Schema {
    object(json!({
        "type": "object",
        "properties": {
            "execution_id": {"type": "string"},
            "status": {"type": "string", "description": "finished, cancelled, stopped, or interrupted"},
            "item_count": {"type": "integer"},
            "finished": {"type": "integer"},
            "failed": {"type": "integer"},
            "items": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "item": {"type": "integer"},
                    "status": {"type": "string", "description": "ok, error, or pending"},
                    "error": {"type": "object"},
                    "output": {"type": "array", "description": "Records."},
                    "outputs": {"type": "object", "description": "Records of other ports."},
                    "output_dropped": {"type": "boolean"},
                    "records_omitted": {"type": "integer", "description": "Records after those of \
                                        `output` that did not fit. Read on with first_record."},
                },
                "required": ["item", "status"],
            }},
            "items_omitted": {"type": "integer"},
        },
        "required": ["execution_id", "status", "item_count", "finished", "failed", "items"],
    }))
}
