//! Reads the JSON Schemas of forms and records, as far as showing and filling them needs it.

use serde_json::{Map, Value};

/// Follows a reference to a shared schema.
pub(super) fn resolved<'a>(schema: &'a Value, shared: &'a Map<String, Value>) -> &'a Value {
    let mut schema = schema;
    // A schema may refer to itself; a chain of references is never long.
    for _ in 0..16 {
        let target = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix("#/$defs/"))
            .and_then(|name| shared.get(name));
        match target {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// Properties of an object schema, references followed, in the form's order.
pub(super) fn properties(schema: &Value, shared: &Map<String, Value>) -> Vec<(String, Value)> {
    let schema = resolved(schema, shared);
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let order: Vec<&str> = schema
        .pointer("/x-ui/order")
        .and_then(Value::as_array)
        .map(|order| order.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let place = |name: &str| order.iter().position(|one| *one == name).unwrap_or(order.len());
    let mut list: Vec<(String, Value)> = properties
        .iter()
        .map(|(name, property)| (name.clone(), merged(property, shared)))
        .collect();
    list.sort_by_key(|(name, _)| place(name));
    list
}

/// A property with what it refers to: its own members win.
fn merged(property: &Value, shared: &Map<String, Value>) -> Value {
    let target = resolved(property, shared);
    match (target, property) {
        (Value::Object(target), Value::Object(own)) => {
            let mut whole = target.clone();
            whole.extend(own.clone());
            whole.remove("$ref");
            Value::Object(whole)
        }
        _ => property.clone(),
    }
}

/// Names of required properties.
pub(super) fn required(schema: &Value) -> Vec<&str> {
    let required = schema.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A text of a member, empty where there is none.
pub(super) fn text<'a>(schema: &'a Value, member: &str) -> &'a str {
    schema.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The type in few words: `string`, `list of integer`, `high or low`.
pub(super) fn type_in_words(schema: &Value, shared: &Map<String, Value>) -> String {
    words(schema, shared, NESTING)
}

/// Deeper types are not read, and a schema may refer to itself.
const NESTING: u8 = 4;

fn words(schema: &Value, shared: &Map<String, Value>, left: u8) -> String {
    if left == 0 {
        return "any".to_owned();
    }
    let schema = resolved(schema, shared);
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        let choices: Vec<String> = choices
            .iter()
            .map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned))
            .collect();
        return match choices.as_slice() {
            [] => "nothing".to_owned(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        };
    }
    let names: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => return alternatives(schema, shared, left),
    };
    let types: Vec<String> = names
        .into_iter()
        .map(|name| match (name, schema.get("items")) {
            ("array", Some(items)) => format!("list of {}", words(items, shared, left - 1)),
            ("array", None) => "list".to_owned(),
            ("string", _) => match text(schema, "format") {
                "" => "string".to_owned(),
                format => format!("string ({format})"),
            },
            (name, _) => name.to_owned(),
        })
        .collect();
    types.join(" or ")
}

fn alternatives(schema: &Value, shared: &Map<String, Value>, left: u8) -> String {
    let list = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
    match list {
        Some(list) => {
            let mut types: Vec<String> =
                list.iter().take(6).map(|one| words(one, shared, left - 1)).collect();
            types.dedup();
            types.join(" or ")
        }
        None => "any".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_is_described_in_words() {
        let shared = json!({"id": {"type": "string"}, "loop": {"$ref": "#/$defs/loop"},
            "nest": {"type": "array", "items": {"$ref": "#/$defs/nest"}}});
        let shared = shared.as_object().unwrap();
        let cases = [
            (json!({"$ref": "#/$defs/id"}), "string"),
            (json!({"type": "array", "items": {"enum": ["a", "b", "c"]}}), "list of a, b or c"),
            (json!({"type": ["integer", "null"]}), "integer or null"),
            (json!({"type": "string", "format": "email"}), "string (email)"),
            (json!({"oneOf": [{"type": "string"}, {"type": "object"}]}), "string or object"),
            (json!({"$ref": "#/$defs/loop"}), "any"),
            (json!({"$ref": "#/$defs/nest"}), "list of list of list of list of any"),
            (json!(true), "any"),
        ];
        for (schema, words) in cases {
            assert_eq!(type_in_words(&schema, shared), words, "{schema}");
        }
    }

    #[test]
    fn properties_have_the_order_of_the_form() {
        let schema =
            json!({"properties": {"a": {}, "b": {}, "c": {}}, "x-ui": {"order": ["c", "a"]}});
        let names: Vec<String> =
            properties(&schema, &Map::new()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }
}
