//! The published schemas.

use std::collections::BTreeSet;

use serde_json::Value;
use workflow_node_documents::{Document, SCHEMAS};

pub(crate) fn schema(name: &str) -> Value {
    let (_, text) = SCHEMAS.iter().find(|(known, _)| *known == name).expect("it is published");
    serde_json::from_str(text).unwrap()
}

pub(crate) fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::options().should_validate_formats(true).build(schema).unwrap()
}

pub(crate) fn assert_valid<D: Document>(document: &D) -> Value {
    let value: Value = serde_json::from_str(&document.to_json()).unwrap();
    let validator = validator(&schema(D::NAME));
    let problems: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(problems, [""; 0], "{} {value:#}", D::NAME);
    value
}

/// A schema with its reference followed.
pub(crate) fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("it exists"),
        None => schema,
    }
}

/// Members that a schema defines and that no instance has, as `kind of object/member`.
pub(crate) fn missing(root: &Value, instances: &[Value]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut defined = BTreeSet::new();
    let mut walk = Walk { root, defined: &mut defined, seen: &mut seen };
    for instance in instances {
        walk.value(root, instance);
    }
    &defined - &seen
}

struct Walk<'a> {
    root: &'a Value,
    defined: &'a mut BTreeSet<String>,
    seen: &'a mut BTreeSet<String>,
}

impl Walk<'_> {
    fn value(&mut self, schema: &Value, value: &Value) {
        let root = self.root;
        let mut schema = resolved(root, schema);
        if let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array)
            && let Some(tagged) = alternatives.iter().find(|one| {
                one.pointer("/properties/kind/const") == value.get("kind") && value.is_object()
            })
        {
            schema = tagged;
        }
        let name = schema.get("description").or(schema.get("title"));
        let name = name.and_then(Value::as_str).unwrap_or_default();
        for (member, below) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let id = format!("{name}/{member}");
            self.defined.insert(id.clone());
            if let Some(value) = value.get(member) {
                self.seen.insert(id);
                self.value(below, value);
            }
        }
        if let (Some(below), Value::Object(members)) = (schema.get("additionalProperties"), value) {
            members.values().for_each(|value| self.value(below, value));
        }
        if let (Some(below), Value::Array(elements)) = (schema.get("items"), value) {
            elements.iter().for_each(|value| self.value(below, value));
        }
    }
}

#[test]
fn every_published_schema_is_one() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas")).unwrap();
    let mut files: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let mut known: Vec<&str> = SCHEMAS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(files, known);
    for name in known {
        assert!(jsonschema::meta::is_valid(&schema(name)), "{name}");
    }
}

#[test]
fn a_file_value_is_an_object_with_one_member() {
    use serde_json::json;
    let validator = validator(&schema("file.json"));
    let file = json!({"id": "f1", "name": "a.csv", "media_type": "text/csv", "size": 3});
    assert!(validator.is_valid(&json!({"$file": file})));
    assert!(!validator.is_valid(&json!({"$file": file, "more": 1})));
    assert!(!validator.is_valid(&json!({"$file": "f1"})));
    let mut newer = file.clone();
    newer["sha256"] = json!("abc");
    assert!(validator.is_valid(&json!({"$file": newer})));
    for member in ["id", "name", "media_type", "size"] {
        let mut incomplete = file.clone();
        incomplete.as_object_mut().unwrap().remove(member);
        assert!(!validator.is_valid(&json!({"$file": incomplete})), "{member}");
    }
}
