//! Documents with which a node describes itself.

use serde_json::Value;
use workflow_node_sdk::node;

use crate::plugin::Things;

/// The validator of a schema of the contract.
fn schema(name: &str) -> jsonschema::Validator {
    let path = format!("{}/../../wit/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn assert_valid(name: &str, document: &str) {
    let document: Value = serde_json::from_str(document).unwrap();
    let errors: Vec<_> = schema(name).iter_errors(&document).map(|e| e.to_string()).collect();
    assert_eq!(errors, [""; 0], "{document:#}");
}

#[test]
fn the_description_is_a_valid_document() {
    assert_valid("node", &node::describe::<Things>(false));
    assert_valid("credential-type", &node::credential_types::<Things>());
}

#[test]
fn the_description_is_the_same_on_every_call() {
    assert_eq!(node::describe::<Things>(false), node::describe::<Things>(false));
}

#[test]
fn a_paged_action_declares_that_it_emits() {
    let document: Value = serde_json::from_str(&node::describe::<Things>(false)).unwrap();
    let emits = |name: &str| {
        let actions = document["actions"].as_array().unwrap();
        actions.iter().find(|action| action["name"] == name).unwrap()["emits"] == true
    };
    for name in ["record.list", "change.list", "report.list", "event.list"] {
        assert!(emits(name), "{name}");
    }
    for name in ["name.list", "part.list", "thing.get", "thing.join"] {
        assert!(!emits(name), "{name}");
    }
}
