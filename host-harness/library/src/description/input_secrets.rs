//! Where the parameters of an action or a trigger hold secrets: found in their schema, by its
//! `x-secret`. What is found here is all that the guest is kept from seeing, so a mark that would
//! keep nothing from it is refused.

use serde_json::{Map, Value};

/// A place in parameters that holds a secret.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InputSecret {
    /// The secret's name.
    pub(crate) name: String,
    /// The way to it; `*` for every element or member.
    pub(crate) segments: Vec<String>,
}

impl InputSecret {
    /// Whether a place (RFC 6901) is that of the secret, lies within it, or holds it.
    pub(crate) fn touches(&self, pointer: &str) -> bool {
        let place = pointer.split('/').skip(1);
        self.segments.iter().zip(place).all(|(own, other)| own == "*" || own == other)
    }
}

impl InputSecret {
    /// Calls `found` with each text in the secret's place, and its pointer.
    pub(crate) fn each(&self, parameters: &Value, found: &mut impl FnMut(&str, &str)) {
        fn go(
            value: &Value,
            segments: &[String],
            pointer: &str,
            found: &mut impl FnMut(&str, &str),
        ) {
            let Some((first, rest)) = segments.split_first() else {
                if let Value::String(text) = value {
                    found(pointer, text);
                }
                return;
            };
            let mut below = |name: &str, value: &Value| {
                go(value, rest, &format!("{pointer}/{}", escaped(name)), found);
            };
            match value {
                Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| {
                    if first == "*" || *first == index.to_string() {
                        below(&index.to_string(), value);
                    }
                }),
                Value::Object(all) => all.iter().for_each(|(name, value)| {
                    if first == "*" || *first == escaped(name) {
                        below(name, value);
                    }
                }),
                _ => {}
            }
        }
        go(parameters, &self.segments, "", found);
    }
}

/// How deep schemas are searched for secrets; deeper than any that loads.
const DEEPEST: usize = 200;

/// How many schemas are looked at in one form. One that refers to itself several times has no end.
const MOST: usize = 100_000;

/// Keywords that hold a schema for the same value.
const SAME: [&str; 3] = ["if", "then", "else"];
/// Keywords that hold a list of schemas for the same value.
const SAME_EACH: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords that hold a schema for elements or members, whichever.
const BELOW: [&str; 5] =
    ["items", "additionalProperties", "contains", "unevaluatedItems", "unevaluatedProperties"];

/// Where the parameters of a schema hold secrets, as its `x-secret` say.
///
/// # Errors
///
/// If a mark is on a schema that is not a string, which could not be hidden, or if a schema is
/// circular.
pub(crate) fn input_secrets(
    shared: &Map<String, Value>,
    parameters: &Value,
) -> Result<Vec<InputSecret>, String> {
    let mut search =
        Search { shared, document: parameters, way: Vec::new(), found: Vec::new(), left: MOST };
    search.schema(parameters, 0)?;
    Ok(search.found)
}

struct Search<'a> {
    shared: &'a Map<String, Value>,
    document: &'a Value,
    way: Vec<String>,
    found: Vec<InputSecret>,
    left: usize,
}

impl<'a> Search<'a> {
    fn schema(&mut self, schema: &'a Value, depth: usize) -> Result<(), String> {
        // A schema that refers to itself ends here, too.
        if depth > DEEPEST {
            return Ok(());
        }
        self.left = self.left.checked_sub(1).ok_or("its schema contains a circular reference")?;
        if let Some(name) = schema.get("x-secret") {
            self.mark(schema, name)?;
        }
        let reference = schema.get("$ref").and_then(Value::as_str);
        if let Some(referred) = reference.and_then(|text| self.referred(text)) {
            self.schema(referred, depth + 1)?;
        }
        for (name, property) in members(schema, "properties") {
            self.below(escaped(name), property, depth)?;
        }
        for (_, property) in members(schema, "patternProperties") {
            self.below("*".to_owned(), property, depth)?;
        }
        for (_, same) in members(schema, "dependentSchemas") {
            self.schema(same, depth + 1)?;
        }
        for (index, element) in elements(schema, "prefixItems").enumerate() {
            self.below(index.to_string(), element, depth)?;
        }
        for one in BELOW.iter().filter_map(|keyword| schema.get(keyword)) {
            self.below("*".to_owned(), one, depth)?;
        }
        for same in SAME.iter().filter_map(|keyword| schema.get(keyword)) {
            self.schema(same, depth + 1)?;
        }
        for same in SAME_EACH.iter().flat_map(|keyword| elements(schema, keyword)) {
            self.schema(same, depth + 1)?;
        }
        Ok(())
    }

    fn below(&mut self, segment: String, schema: &'a Value, depth: usize) -> Result<(), String> {
        self.way.push(segment);
        let result = self.schema(schema, depth + 1);
        self.way.pop();
        result
    }

    fn mark(&mut self, schema: &Value, name: &Value) -> Result<(), String> {
        let way = self.way.join("/");
        let Some(name) = name.as_str() else {
            return Err(format!("`x-secret` of `{way}` is not the name of a secret"));
        };
        if !is_text(schema) {
            return Err(format!(
                "`{way}` is the secret `{name}`, but its type is not `string`. Only strings can be \
                 hidden. Mark the strings inside it (`additionalProperties`, `items`)"
            ));
        }
        let found = InputSecret { name: name.to_owned(), segments: self.way.clone() };
        if !self.found.contains(&found) {
            self.found.push(found);
        }
        Ok(())
    }

    /// Target of a reference: the form's own definitions take precedence over those of the node.
    fn referred(&self, reference: &str) -> Option<&'a Value> {
        let pointer = reference.strip_prefix('#')?;
        let shared = || self.shared.get(pointer.strip_prefix("/$defs/")?);
        self.document.pointer(pointer).or_else(shared)
    }
}

fn members<'a>(schema: &'a Value, keyword: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema.get(keyword).and_then(Value::as_object).into_iter().flatten()
}

fn elements<'a>(schema: &'a Value, keyword: &str) -> impl Iterator<Item = &'a Value> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Whether a schema lets nothing but texts in, and null.
fn is_text(schema: &Value) -> bool {
    let only = |name: &Value| name == "string" || name == "null";
    match schema.get("type") {
        Some(Value::Array(names)) => names.iter().all(only) && names.contains(&"string".into()),
        Some(name) => name == "string",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret() -> Value {
        json!({"type": "string", "x-secret": "key"})
    }

    fn found(shared: &Value, schema: &Value) -> Result<Vec<String>, String> {
        let found = input_secrets(shared.as_object().unwrap(), schema)?;
        Ok(found.into_iter().map(|one| one.segments.join("/")).collect())
    }

    #[test]
    fn a_mark_is_found_wherever_a_schema_can_hold_it() {
        for (schema, way) in [
            (json!({"properties": {"a/b": secret()}}), "a~1b"),
            (json!({"properties": {"map": {"additionalProperties": secret()}}}), "map/*"),
            (json!({"patternProperties": {"^x": secret()}}), "*"),
            (
                json!({"properties": {"list": {"items": {"properties": {"v": secret()}}}}}),
                "list/*/v",
            ),
            (json!({"properties": {"list": {"prefixItems": [{}, secret()]}}}), "list/1"),
            (json!({"oneOf": [{"properties": {"a": secret()}}, {}]}), "a"),
            (json!({"if": {}, "then": {"properties": {"a": secret()}}}), "a"),
            (json!({"dependentSchemas": {"b": {"properties": {"a": secret()}}}}), "a"),
            (json!({"properties": {"a": {"$ref": "#/$defs/shared"}}}), "a"),
            (
                json!({"properties": {"a": {"$ref": "#/$defs/own"}}, "$defs": {"own": secret()}}),
                "a",
            ),
            (json!({"properties": {"a": {"type": ["string", "null"], "x-secret": "key"}}}), "a"),
        ] {
            assert_eq!(
                found(&json!({"shared": secret()}), &schema),
                Ok(vec![way.into()]),
                "{schema}"
            );
        }
    }

    #[test]
    fn a_mark_that_would_hide_nothing_is_refused() {
        for (schema, words) in [
            (json!({"type": "object", "x-secret": "key"}), "`additionalProperties`"),
            (json!({"type": "array", "x-secret": "key"}), "`items`"),
            (json!({"type": ["string", "integer"], "x-secret": "key"}), "not `string`"),
            (json!({"type": "null", "x-secret": "key"}), "not `string`"),
            (json!({"x-secret": "key"}), "not `string`"),
            (json!({"type": "string", "x-secret": true}), "not the name"),
        ] {
            let form = json!({"properties": {"a": schema}});
            let problem = found(&json!({}), &form).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn a_schema_that_has_no_end_is_refused_soon() {
        let itself = json!({"$ref": "#/$defs/tree"});
        let tree = json!({"properties": {"a": itself, "b": itself, "c": itself}});
        let deep = found(&json!({"tree": tree}), &itself).unwrap_err();
        assert!(deep.contains("circular reference"), "{deep}");
        let line = json!({"properties": {"next": {"$ref": "#/$defs/line"}, "key": secret()}});
        let form = json!({"$ref": "#/$defs/line"});
        assert!(
            found(&json!({"line": line}), &form).unwrap().contains(&"next/next/key".to_owned())
        );
    }

    #[test]
    fn a_place_touches_a_secret_from_above_and_from_below() {
        let secret = InputSecret { name: "key".into(), segments: vec!["map".into(), "*".into()] };
        for (pointer, touches) in
            [("", true), ("/map", true), ("/map/a", true), ("/map/a/b", true), ("/other", false)]
        {
            assert_eq!(secret.touches(pointer), touches, "{pointer}");
        }
    }
}
