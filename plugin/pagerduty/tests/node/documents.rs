//! The description of the node.

use pagerduty::PagerDuty;
use pagerduty_declaration::node as declared;
use serde_json::{Value, json};
use workflow_node_sdk::documents::{self, Document as _};
use workflow_node_sdk::node::{self, Plugin as _};

/// Checks a document against a schema of the contract.
pub(crate) fn assert_valid(name: &str, document: &Value) {
    let path = format!("{}/../../wit/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_fits(&schema, document, name);
}

fn assert_fits(schema: &Value, document: &Value, what: &str) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, [""; 0], "{what}");
}

fn described() -> Value {
    serde_json::from_str(&node::describe::<PagerDuty>(true)).unwrap()
}

fn credential_types() -> Value {
    serde_json::from_str(&node::credential_types::<PagerDuty>()).unwrap()
}

/// A schema of the node together with the schemas that it may refer to.
fn with_definitions(schema: &Value, node: &Value) -> Value {
    let mut schema = schema.clone();
    schema["$defs"] = node["schemas"].clone();
    schema
}

#[test]
fn the_descriptions_are_valid_documents() {
    assert_valid("node", &described());
    assert_valid("credential-type", &credential_types());
}

#[test]
fn the_descriptions_are_the_same_on_every_call() {
    assert_eq!(node::describe::<PagerDuty>(true), node::describe::<PagerDuty>(true));
    assert_eq!(node::credential_types::<PagerDuty>(), node::credential_types::<PagerDuty>());
}

#[test]
fn every_example_is_valid_for_its_own_action() {
    let node = described();
    for action in node["actions"].as_array().unwrap() {
        let examples = action["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{} has an example", action["name"]);
        let schema = with_definitions(&action["parameters"], &node);
        for example in examples {
            assert_fits(&schema, &example["parameters"], action["name"].as_str().unwrap());
        }
    }
}

#[test]
fn every_schema_is_valid_and_its_references_exist() {
    let node = described();
    for action in node["actions"].as_array().unwrap() {
        for schema in [&action["parameters"], &action["output"]["main"]] {
            let schema = with_definitions(schema, &node);
            assert!(jsonschema::meta::is_valid(&schema), "{}", action["name"]);
            jsonschema::validator_for(&schema).unwrap();
        }
    }
}

#[test]
fn every_default_is_valid_for_its_parameter() {
    let node = described();
    for action in node["actions"].as_array().unwrap() {
        for (name, schema) in action["parameters"]["properties"].as_object().unwrap() {
            if let Some(default) = schema.get("default") {
                assert_fits(schema, default, name);
            }
        }
    }
}

#[test]
fn action_names_are_unique_and_begin_with_their_resource() {
    let mut names: Vec<_> = declared().actions().map(|action| action.name).collect();
    assert!(names.iter().all(|name| name.split('.').count() == 2));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_segment_of_a_path_has_its_parameter() {
    for action in declared().actions() {
        for segment in action.route.path.split('/') {
            let Some(name) = segment.strip_prefix('{') else {
                continue;
            };
            let name = name.trim_end_matches('}');
            let param = action.parameters.iter().find(|param| param.name == name);
            assert!(param.is_some_and(|param| param.is_required), "{} {name}", action.name);
        }
    }
}

#[test]
fn every_scope_that_an_action_needs_can_be_requested() {
    let types = credential_types();
    let types = types["credential_types"].as_array().unwrap();
    let scopes = |name: &str| -> Vec<&str> {
        let found = types.iter().find(|candidate| candidate["name"] == name).unwrap();
        found["scopes"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect()
    };
    let (user, app) = (scopes("oauth2"), scopes("oauth2-app"));
    assert_eq!(user[..2], ["read", "write"]);
    assert_eq!(app[0], "as_account-{region}.{subdomain}");
    for action in declared().actions() {
        for scope in action.scopes {
            assert!(user.contains(scope) && app.contains(scope), "{} {scope}", action.name);
        }
    }
}

#[test]
fn credentials_are_sent_only_to_origins_of_the_node() {
    let node = described();
    let origins = node["origins"].as_array().unwrap();
    for credential_type in credential_types()["credential_types"].as_array().unwrap() {
        let own = credential_type["origins"].as_array().unwrap();
        assert!(own.iter().all(|origin| origins.contains(origin)));
        for placement in credential_type["placements"].as_array().unwrap() {
            assert_eq!(placement["origins"], credential_type["origins"]);
        }
    }
}

#[test]
fn credential_types_and_slots_match() {
    let types = credential_types();
    let mut described: Vec<_> = types["credential_types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|credential_type| credential_type["name"].as_str().unwrap())
        .collect();
    let mut used: Vec<_> =
        declared().slots.iter().flat_map(|slot| slot.credential_types).copied().collect();
    described.sort_unstable();
    used.sort_unstable();
    assert_eq!(described, used);
}

#[test]
fn credential_forms_accept_common_input() {
    let types = credential_types();
    let types = types["credential_types"].as_array().unwrap();
    for (name, fields, is_valid) in [
        ("api-token", json!({"region": "us", "api_token": "0123456789"}), true),
        ("api-token", json!({"region": "mars", "api_token": "0123456789"}), false),
        ("api-token", json!({"region": "us"}), false),
        (
            "events-integration",
            json!({"region": "eu", "routing_key": "0123456789abcdef0123456789ABCDEF"}),
            true,
        ),
        ("events-integration", json!({"region": "eu", "routing_key": "short"}), false),
        (
            "oauth2-app",
            json!({
                "region": "us", "subdomain": "acme", "client_id": "c", "client_secret": "12345678",
                "scopes": ["incidents.read"],
            }),
            true,
        ),
        ("oauth2", json!({"client_id": "c"}), true),
    ] {
        let described = types.iter().find(|candidate| candidate["name"] == name).unwrap();
        let validator = jsonschema::validator_for(&described["fields"]).unwrap();
        assert_eq!(validator.is_valid(&fields), is_valid, "{name} {fields}");
    }
}

/// The node's documents can be read into the types of the contract and written again without a
/// change or an unknown member.
#[test]
fn the_documents_pass_through_the_types_unchanged() {
    let written = node::describe::<PagerDuty>(true);
    let described = documents::Node::from_json(&written).unwrap();
    assert_eq!(described.to_json(), written);
    assert!(described.extra().is_empty());
    assert!(described.actions.iter().all(|action| action.extra().is_empty()));

    let written = node::credential_types::<PagerDuty>();
    let types = documents::CredentialTypes::from_json(&written).unwrap();
    assert_eq!(types.to_json(), written);
    assert_eq!(types, pagerduty_declaration::credential_types());

    let written = PagerDuty::declaration().describe_triggers();
    let triggers = documents::Triggers::from_json(&written).unwrap();
    assert_eq!(triggers.to_json(), written);
    assert_valid("trigger", &serde_json::from_str(&written).unwrap());
}

#[test]
fn the_icon_is_small_svg() {
    let described = described();
    let icon = described["icon"].as_str().unwrap();
    assert!(icon.starts_with("<svg ") && icon.len() < 1_000);
    assert!(!icon.contains("href") && !icon.contains("script"));
}
