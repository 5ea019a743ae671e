//! Forms for engines: JSON Schemas with their references inlined.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

const DEFS: &str = "#/$defs/";

/// A schema with its references to shared schemas inlined. A reference to an enclosing schema is
/// kept, and that schema is added under `$defs`.
pub(crate) fn inlined(shared: &Map<String, Value>, schema: &Value) -> Value {
    let mut inliner = Inliner { shared, path: Vec::new(), recursive: BTreeSet::new() };
    let mut form = inliner.of(schema);
    let mut done = BTreeSet::new();
    let mut defs = Map::new();
    while let Some(name) = inliner.recursive.difference(&done).next().cloned() {
        if let Some(definition) = shared.get(&name) {
            inliner.path.push(name.clone());
            defs.insert(name.clone(), inliner.of(definition));
            inliner.path.pop();
        }
        done.insert(name);
    }
    if let (Value::Object(form), false) = (&mut form, defs.is_empty()) {
        form.insert("$defs".to_owned(), Value::Object(defs));
    }
    form
}

struct Inliner<'a> {
    shared: &'a Map<String, Value>,
    /// Names of the schemas that are being inlined.
    path: Vec<String>,
    recursive: BTreeSet<String>,
}

impl Inliner<'_> {
    fn of(&mut self, schema: &Value) -> Value {
        match schema {
            Value::Object(members) => self.object(members),
            Value::Array(list) => list.iter().map(|one| self.of(one)).collect(),
            scalar => scalar.clone(),
        }
    }

    fn object(&mut self, members: &Map<String, Value>) -> Value {
        let name = members.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(DEFS));
        let definition = name.and_then(|name| Some((name, self.shared.get(name)?)));
        let mut others = Map::new();
        for (member, value) in members {
            // Values are not schemas, even if they look like one.
            let is_value = matches!(member.as_str(), "const" | "default" | "enum" | "examples");
            let value = if is_value { value.clone() } else { self.of(value) };
            others.insert(member.clone(), value);
        }
        let Some((name, definition)) = definition else { return Value::Object(others) };
        if self.path.iter().any(|outer| outer == name) {
            self.recursive.insert(name.to_owned());
            return Value::Object(others);
        }
        others.remove("$ref");
        self.path.push(name.to_owned());
        let inlined = self.of(definition);
        self.path.pop();
        merged(inlined, others)
    }
}

/// Combines a reference with its sibling members. If both restrict the same value, both apply;
/// annotations next to the reference replace those of the definition.
fn merged(definition: Value, beside: Map<String, Value>) -> Value {
    if beside.is_empty() {
        return definition;
    }
    let is_annotation = |name: &str| {
        matches!(name, "title" | "description" | "default" | "examples" | "deprecated")
            || name.starts_with("x-")
    };
    match definition {
        Value::Object(mut members) => {
            let clash = |(name, value): (&String, &Value)| {
                !is_annotation(name) && members.get(name).is_some_and(|other| other != value)
            };
            if beside.iter().any(clash) {
                let (annotations, rest): (Map<_, _>, Map<_, _>) =
                    beside.into_iter().partition(|(name, _)| is_annotation(name));
                let all = vec![Value::Object(members), Value::Object(rest)];
                let mut both = annotations;
                both.insert("allOf".to_owned(), Value::Array(all));
                return Value::Object(both);
            }
            members.extend(beside);
            Value::Object(members)
        }
        Value::Bool(true) => Value::Object(beside),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_inlined_and_their_siblings_apply_too() {
        let shared = json!({
            "id": {"type": "string", "title": "ID", "minLength": 1},
            "team": {"type": "object", "properties": {"id": {"$ref": "#/$defs/id"}}},
        });
        let schema = json!({"properties": {
            "team": {"$ref": "#/$defs/team"},
            "owner": {"$ref": "#/$defs/id", "title": "Owner"},
            "short": {"$ref": "#/$defs/id", "minLength": 4},
            "value": {"default": {"$ref": "#/$defs/id"}},
        }});
        let form = inlined(shared.as_object().unwrap(), &schema);
        let id = json!({"type": "string", "title": "ID", "minLength": 1});
        assert_eq!(form["properties"]["team"]["properties"]["id"], id);
        assert_eq!(form["properties"]["owner"]["title"], "Owner");
        assert_eq!(form["properties"]["owner"]["minLength"], 1);
        assert_eq!(form["properties"]["short"], json!({"allOf": [id, {"minLength": 4}]}));
        assert_eq!(form["properties"]["value"]["default"]["$ref"], "#/$defs/id");
        assert!(form.get("$defs").is_none());
    }

    #[test]
    fn a_schema_that_refers_to_itself_stays_a_reference() {
        let shared = json!({
            "tree": {"type": "object", "properties": {"below": {"$ref": "#/$defs/tree"}}},
        });
        let form = inlined(shared.as_object().unwrap(), &json!({"$ref": "#/$defs/tree"}));
        assert_eq!(form["properties"]["below"], json!({"$ref": "#/$defs/tree"}));
        assert_eq!(form["$defs"]["tree"]["properties"]["below"], json!({"$ref": "#/$defs/tree"}));
    }
}
