//! A change of one description for each rule.

use serde_json::{Value, json};
use workflow_node_documents::{CredentialTypes, Document as _, Node, Triggers};
use workflow_node_host::description::Description;

use super::{Change, Changes, Step, described};

/// Documents of a node: the node, its credential types, and its triggers.
#[derive(Clone)]
struct Documents(Value, Value, Value);

fn documents() -> Documents {
    Documents(
        json!({
            "name": "lamp", "version": 1, "display_name": "Lamp", "description": "Lamps.",
            "origins": ["https://api.test", "https://old.test"],
            "slots": {"main": {"credential_types": ["token"], "description": "Account."}},
            "schemas": {"color": {"enum": ["red", "green"], "title": "Color", "description": "Color."}},
            "actions": [{
                "name": "lamp.set", "version": 1, "title": "Set", "description": "Sets.",
                "slots": {"main": {"required": false, "scopes": ["read"]}},
                "effect": "update", "idempotency": "idempotent",
                "parameters": {"type": "object", "required": ["id"], "properties": {
                    "id": {"type": "string", "title": "ID", "description": "ID."},
                    "level": {"type": "integer", "maximum": 100, "default": 10},
                    "color": {"$ref": "#/$defs/color"},
                }},
                "output": {"main": {"type": "object", "required": ["id"], "properties": {
                    "id": {"type": "string"}, "state": {"enum": ["on", "off"]},
                }}},
            }],
        }),
        json!({"credential_types": [{
            "name": "token", "version": 1, "display_name": "Token", "description": "A token.",
            "fields": {"type": "object", "required": ["token"], "properties": {
                "token": {"type": "string", "writeOnly": true}}},
            "grant": {"kind": "fixed"}, "origins": ["https://api.test"],
            "scopes": [{"name": "read", "description": "Reads."}],
            "placements": [{"kind": "header", "name": "x", "value": "{token}",
                "origins": ["https://api.test"], "path": "/**"}],
        }]}),
        json!({"triggers": [{
            "name": "lamp.changed", "version": 1, "title": "Changed", "description": "Starts.",
            "parameters": {"type": "object", "properties": {"id": {"type": "string"}}},
            "output": {"type": "object", "properties": {"id": {"type": "string"}}},
            "delivery": {"kind": "poll", "interval_ms": 1000},
        }]}),
    )
}

fn read(Documents(node, types, triggers): &Documents) -> Description {
    let types = CredentialTypes::from_json(&types.to_string()).unwrap().credential_types;
    Description {
        node: Node::from_json(&node.to_string()).unwrap(),
        credential_types: types.into_iter().map(|one| (one.name.clone(), one)).collect(),
        triggers: Triggers::from_json(&triggers.to_string()).unwrap().triggers,
    }
}

fn changes(change: impl FnOnce(&mut Documents)) -> Vec<Change> {
    let old = documents();
    let mut new = old.clone();
    change(&mut new);
    let mut changes = Changes::default();
    described(&read(&old), &read(&new), &mut changes);
    changes.0
}

#[test]
fn the_same_description_has_no_changes() {
    assert_eq!(changes(|_| {}), []);
    // Text for people does not affect a workflow.
    assert_eq!(changes(|all| all.0["actions"][0]["title"] = json!("Set a lamp")), []);
}

#[test]
fn each_change_is_reported_by_its_rule_with_its_version_step() {
    type Edit = fn(&mut Documents);
    let cases: &[(&str, Step, &str, Edit)] = &[
        ("node-renamed", Step::Major, "lamp", |all| all.0["name"] = json!("light")),
        ("origin-removed", Step::Patch, "https://old.test", |all| {
            all.0["origins"] = json!(["https://api.test"]);
        }),
        ("action-removed", Step::Major, "lamp.set", |all| {
            all.0["actions"][0]["name"] = json!("lamp.put");
        }),
        ("action-added", Step::Minor, "lamp.put", |all| {
            all.0["actions"][0]["name"] = json!("lamp.put");
        }),
        ("version-changed", Step::Major, "lamp.set", |all| {
            all.0["actions"][0]["version"] = json!(2)
        }),
        ("version-not-raised", Step::Major, "lamp.set", |all| {
            all.0["actions"][0]["effect"] = json!("delete");
        }),
        ("effect-changed", Step::Major, "lamp.set", |all| {
            all.0["actions"][0]["effect"] = json!("delete");
        }),
        ("idempotency-changed", Step::Major, "lamp.set", |all| {
            all.0["actions"][0]["idempotency"] = json!("none");
        }),
        ("credential-required", Step::Major, "lamp.set", |all| {
            all.0["actions"][0]["slots"]["main"]["required"] = json!(true);
        }),
        ("scope-needed", Step::Major, "lamp.set", |all| {
            all.0["actions"][0]["slots"]["main"]["scopes"] = json!(["read", "write"]);
        }),
        ("slot-removed", Step::Minor, "lamp.set", |all| all.0["actions"][0]["slots"] = json!({})),
        ("parameter-removed", Step::Major, "lamp.set: level", |all| {
            all.0["actions"][0]["parameters"]["properties"] = json!({"id": {"type": "string"}});
        }),
        ("parameter-added", Step::Minor, "lamp.set: speed", |all| {
            all.0["actions"][0]["parameters"]["properties"]["speed"] = json!({"type": "string"});
        }),
        ("parameter-required", Step::Major, "lamp.set: color", |all| {
            all.0["actions"][0]["parameters"]["required"] = json!(["id", "color"]);
        }),
        ("parameter-optional", Step::Minor, "lamp.set: id", |all| {
            all.0["actions"][0]["parameters"]["required"] = json!([]);
        }),
        ("parameter-secrecy", Step::Major, "token: token", |all| {
            all.1["credential_types"][0]["fields"]["properties"]["token"] =
                json!({"type": "string"});
        }),
        ("default-changed", Step::Major, "lamp.set: level", |all| {
            all.0["actions"][0]["parameters"]["properties"]["level"]["default"] = json!(20);
        }),
        ("type-changed", Step::Minor, "lamp.set: level", |all| {
            all.0["actions"][0]["parameters"]["properties"]["level"]["type"] = json!("number");
        }),
        ("type-changed", Step::Major, "lamp.set: id", |all| {
            all.0["actions"][0]["parameters"]["properties"]["id"]["type"] = json!("integer");
        }),
        ("value-removed", Step::Major, "lamp.set: color", |all| {
            all.0["schemas"]["color"]["enum"] = json!(["red"]);
        }),
        ("value-added", Step::Minor, "lamp.set: color", |all| {
            all.0["schemas"]["color"]["enum"] = json!(["red", "green", "blue"]);
        }),
        // Only a value shows that a pattern has become narrower.
        ("stored-parameters", Step::Major, "lamp.set", |all| {
            all.0["actions"][0]["parameters"]["properties"]["id"]["pattern"] = json!("^[0-9]+$");
        }),
        ("output-removed", Step::Major, "lamp.set: output state", |all| {
            all.0["actions"][0]["output"]["main"]["properties"] = json!({"id": {"type": "string"}});
        }),
        ("output-added", Step::Minor, "lamp.set: output at", |all| {
            all.0["actions"][0]["output"]["main"]["properties"]["at"] = json!({"type": "string"});
        }),
        ("output-optional", Step::Major, "lamp.set: output id", |all| {
            all.0["actions"][0]["output"]["main"]["required"] = json!([]);
        }),
        ("value-added", Step::Major, "lamp.set: output state", |all| {
            let state = &mut all.0["actions"][0]["output"]["main"]["properties"]["state"];
            *state = json!({"enum": ["on", "off", "unknown"]});
        }),
        ("trigger-removed", Step::Major, "lamp.changed", |all| all.2 = json!({"triggers": []})),
        ("output-removed", Step::Major, "lamp.changed: output id", |all| {
            all.2["triggers"][0]["output"] = json!({"type": "object"});
        }),
        ("credential-type-added", Step::Minor, "key", |all| {
            let mut another = all.1["credential_types"][0].clone();
            another["name"] = json!("key");
            all.1["credential_types"].as_array_mut().unwrap().push(another);
        }),
        ("scope-removed", Step::Major, "token", |all| {
            all.1["credential_types"][0]["scopes"] = json!([]);
        }),
        ("rate-limit-changed", Step::Patch, "token", |all| {
            all.1["credential_types"][0]["rate_limit"] =
                json!({"windows": [{"requests": 1, "milliseconds": 1000}]});
        }),
    ];
    for (rule, step, subject, edit) in cases {
        let found = changes(*edit);
        let is_there = found.iter().any(|change| {
            change.rule == *rule && change.step == *step && change.subject == *subject
        });
        assert!(is_there, "{rule} of {subject}: {found:#?}");
    }
}

#[test]
fn a_wider_form_and_a_narrower_record_are_not_breaking() {
    let found = changes(|all| {
        let action = &mut all.0["actions"][0];
        action["parameters"]["properties"]["id"] = json!({"type": ["string", "integer"]});
        action["output"]["main"]["properties"]["state"] = json!({"enum": ["on"]});
        action["idempotency"] = json!("safe");
    });
    assert!(found.iter().all(|change| change.step < Step::Major), "{found:#?}");
    assert_eq!(found.len(), 3, "{found:#?}");
}
