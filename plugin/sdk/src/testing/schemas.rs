//! Validates documents and output against their schemas.

use std::any::type_name;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use jsonschema::Validator;
use serde_json::{Value, json};
use workflow_node_documents::{Document, Node, Schema, Schemas, Triggers};

use crate::node::Plugin;

/// The validators of one plugin's outputs, by the name of the action or trigger.
pub(super) type Outputs = Rc<BTreeMap<String, Validator>>;

thread_local! {
    static KNOWN: RefCell<BTreeMap<&'static str, Outputs>> = const { RefCell::new(BTreeMap::new()) };
}

/// The validators of a plugin's outputs, made once per thread.
pub(super) fn outputs<P: Plugin>() -> Outputs {
    let name = type_name::<P>();
    if let Some(known) = KNOWN.with_borrow(|known| known.get(name).cloned()) {
        return known;
    }
    // `assert_sound` checks whether the documents are valid.
    let node = Node::from_json(&P::declaration().describe()).expect("the node's document");
    let triggers = P::declaration().describe_triggers();
    let triggers = Triggers::from_json(&triggers).expect("the triggers' document");
    let mut outputs = BTreeMap::new();
    for action in &node.actions {
        if let Some(schema) = action.output.get("main") {
            let validator = validator(&node.schemas, schema, &action.name);
            outputs.insert(action.name.clone(), validator);
        }
    }
    for trigger in &triggers.triggers {
        let validator = validator(&node.schemas, &trigger.output, &trigger.name);
        outputs.insert(trigger.name.clone(), validator);
    }
    let outputs = Rc::new(outputs);
    KNOWN.with_borrow_mut(|known| known.insert(name, outputs.clone()));
    outputs
}

/// The validator of a schema of an action or a trigger.
///
/// # Panics
///
/// Panics if it is not a schema.
pub(super) fn validator(shared: &Schemas, schema: &Schema, name: &str) -> Validator {
    let whole = json!({ "$defs": **shared, "allOf": [schema.value()] });
    jsonschema::validator_for(&whole)
        .unwrap_or_else(|error| panic!("a schema of `{name}` is not a schema: {error}"))
}

/// Checks parameters against a form.
///
/// # Panics
///
/// Panics with every problem.
pub(super) fn assert_example(form: &Validator, parameters: &Value, what: &str) {
    let problems = problems(form, parameters);
    assert!(
        problems.is_empty(),
        "{what} does not fit its form: {problems}\n{parameters:#}\nCorrect the example, or the \
         parameters."
    );
}

fn problems(validator: &Validator, value: &Value) -> String {
    let problems: Vec<String> = validator
        .iter_errors(value)
        .map(|error| {
            let place = error.instance_path().to_string();
            if place.is_empty() { error.to_string() } else { format!("{place}: {error}") }
        })
        .collect();
    problems.join("; ")
}

/// Checks a value against a validator.
///
/// # Panics
///
/// Panics with every problem.
pub(super) fn assert_fits(validator: &Validator, value: &Value, what: &str) {
    let problems = problems(validator, value);
    assert!(
        problems.is_empty(),
        "{what} does not fit its own schema: {problems}\n{value:#}\nCorrect the schema in \
         `.output(…)`, or the code. A test whose service returns parts of records can use \
         `Host::without_output_check`."
    );
}

/// Reads a document that the node returned, and validates it against the contract's schema.
///
/// # Panics
///
/// Panics if it is not valid.
pub(super) fn read<D: Document>(text: &str) -> D {
    let value: Value = serde_json::from_str(text).expect("a document is JSON");
    let schema: Value = serde_json::from_str(D::SCHEMA).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the contract's schemas are schemas");
    let problems = problems(&validator, &value);
    assert!(problems.is_empty(), "{} is not valid: {problems}", D::NAME);
    D::from_json(text).unwrap_or_else(|error| panic!("{} is not valid: {error}", D::NAME))
}
