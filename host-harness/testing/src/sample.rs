//! Generates values that fit a JSON Schema: responses of a service, parameters of an action, fields
//! of a credential. The same arguments return the same value.
//!
//! A schema can contain keywords that are not supported here. Callers validate the result.

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Number, Value, json};

/// Depth to which optional members of objects are filled.
const OPTIONAL_DEPTH: usize = 4;
/// Schemas nested deeper than this yield null.
const LARGEST_DEPTH: usize = 24;

/// Which optional members a value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// None.
    Required,
    /// All, up to a depth.
    All,
    /// Some, and one of the alternatives, chosen by a number.
    Chosen(u64),
}

/// Generates values.
pub(crate) struct Sampler<'a> {
    /// The schemas that `#/$defs/NAME` refers to.
    pub(crate) shared: &'a Map<String, Value>,
    /// Which optional members values have.
    pub(crate) fill: Fill,
    /// The text of an unrestricted string, by the name of its member.
    pub(crate) text: &'a (dyn Fn(&str) -> String + Sync),
}

impl Sampler<'_> {
    /// A value for a member with this name.
    pub(crate) fn value(&self, name: &str, schema: &Value) -> Value {
        self.sample(name, schema, 0)
    }

    fn chosen(&self, name: &str, among: usize) -> usize {
        match self.fill {
            Fill::Chosen(number) if among > 0 => {
                usize::try_from(mixed(number, name) % among as u64).unwrap_or(0)
            }
            _ => 0,
        }
    }

    fn sample(&self, name: &str, schema: &Value, depth: usize) -> Value {
        if depth > LARGEST_DEPTH {
            return Value::Null;
        }
        let schema = self.flat(name, schema, 0);
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(Value::Array(values)) = schema.get("enum") {
            return values.get(self.chosen(name, values.len())).cloned().unwrap_or_default();
        }
        let of_type = match schema.get("type") {
            Some(Value::String(one)) => one.clone(),
            Some(Value::Array(types)) => {
                let types = types.iter().filter_map(Value::as_str);
                types.into_iter().find(|one| *one != "null").unwrap_or("null").to_owned()
            }
            _ if schema.contains_key("properties") => "object".to_owned(),
            _ if schema.contains_key("items") => "array".to_owned(),
            _ if schema.contains_key("minimum") => "number".to_owned(),
            _ => "string".to_owned(),
        };
        match of_type.as_str() {
            "object" => self.object(&schema, depth),
            "array" => self.array(name, &schema, depth),
            "string" => Value::String(self.string(name, &schema)),
            "integer" | "number" => number(&schema),
            "boolean" => Value::Bool(self.chosen(name, 2) == 1),
            _ => Value::Null,
        }
    }

    /// A schema with its references, `allOf`, and one of its alternatives merged.
    fn flat(&self, name: &str, schema: &Value, depth: usize) -> Map<String, Value> {
        let Value::Object(own) = schema else { return Map::new() };
        let mut merged = Map::new();
        if depth > LARGEST_DEPTH {
            return merged;
        }
        let target = own
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix("#/$defs/"))
            .and_then(|target| self.shared.get(target));
        if let Some(target) = target {
            merge(&mut merged, &self.flat(name, target, depth + 1));
        }
        let plain = own
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "$ref" | "allOf" | "anyOf" | "oneOf"));
        merge(&mut merged, &plain.map(|(key, value)| (key.clone(), value.clone())).collect());
        for part in own.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            merge(&mut merged, &self.flat(name, part, depth + 1));
        }
        for key in ["anyOf", "oneOf"] {
            let Some(Value::Array(alternatives)) = own.get(key) else { continue };
            let is_null = |one: &&Value| one.get("type") == Some(&json!("null"));
            let alternatives: Vec<&Value> =
                alternatives.iter().filter(|one| !is_null(one)).collect();
            if let Some(one) = alternatives.get(self.chosen(name, alternatives.len())) {
                merge(&mut merged, &self.flat(name, one, depth + 1));
            }
        }
        merged
    }

    fn object(&self, schema: &Map<String, Value>, depth: usize) -> Value {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut members = Map::new();
        for (name, property) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            if *property == Value::Bool(false) {
                continue;
            }
            let wanted = match self.fill {
                Fill::Required => false,
                Fill::All => depth < OPTIONAL_DEPTH,
                Fill::Chosen(_) => depth < OPTIONAL_DEPTH && self.chosen(name, 2) == 1,
            };
            if required.contains(&name.as_str()) || wanted {
                members.insert(name.clone(), self.sample(name, property, depth + 1));
            }
        }
        // A required member without a schema can have any value.
        for name in required {
            if !members.contains_key(name) {
                members.insert(name.to_owned(), Value::String((self.text)(name)));
            }
        }
        let least = size(schema, "minProperties").unwrap_or(0);
        let is_map = schema.get("properties").is_none() && self.fill != Fill::Required;
        let wanted = least.max(usize::from(is_map && depth < OPTIONAL_DEPTH));
        let additional = schema.get("additionalProperties").filter(|one| one.is_object());
        if let Some(additional) = additional {
            for place in members.len()..wanted.min(least.max(1)) {
                let name = format!("member-{place}");
                let value = self.sample(&name, additional, depth + 1);
                members.insert(name, value);
            }
        }
        Value::Object(members)
    }

    fn array(&self, name: &str, schema: &Map<String, Value>, depth: usize) -> Value {
        let least = size(schema, "minItems").unwrap_or(0);
        let wanted = match self.fill {
            Fill::Required => least,
            _ if depth >= OPTIONAL_DEPTH => least,
            _ => least.max(1),
        };
        let wanted = size(schema, "maxItems").map_or(wanted, |most| wanted.min(most));
        let prefix = schema.get("prefixItems").and_then(Value::as_array);
        let anything = Value::Bool(true);
        let items = schema.get("items").unwrap_or(&anything);
        let elements = (0..wanted).map(|place| {
            let of = prefix.and_then(|prefix| prefix.get(place)).unwrap_or(items);
            // Elements of a set differ by the text of their names.
            let name = if place == 0 { name.to_owned() } else { format!("{name}-{place}") };
            self.sample(&name, of, depth + 1)
        });
        Value::Array(elements.collect())
    }

    fn string(&self, name: &str, schema: &Map<String, Value>) -> String {
        if let Some(text) = schema.get("pattern").and_then(Value::as_str).and_then(of_pattern) {
            return text;
        }
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        let mut text = match format {
            "date-time" => "2026-01-02T03:04:05Z".to_owned(),
            "date" => "2026-01-02".to_owned(),
            "time" => "03:04:05Z".to_owned(),
            "duration" => "PT1H".to_owned(),
            "email" | "idn-email" => format!("{}@example.com", (self.text)(name)),
            "uri" | "url" | "iri" | "uri-reference" => {
                format!("https://example.com/{}", (self.text)(name))
            }
            "hostname" => "host.example.com".to_owned(),
            "ipv4" => "192.0.2.1".to_owned(),
            "ipv6" => "2001:db8::1".to_owned(),
            "uuid" => "6f1ed002-ab59-4f3c-8a0e-8f3f1d2c4b5a".to_owned(),
            _ => (self.text)(name),
        };
        while text.chars().count() < size(schema, "minLength").unwrap_or(0) {
            text.push('x');
        }
        if let Some(most) = size(schema, "maxLength")
            && format.is_empty()
        {
            text = text.chars().take(most).collect();
        }
        text
    }
}

/// A number derived from both arguments.
fn mixed(number: u64, name: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^ (hash >> 29)
}

/// Merges the members of a schema into another one. If both have the same keyword, the later one
/// applies, except that properties and required names are combined.
fn merge(into: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (key, value) in other {
        match (key.as_str(), into.get_mut(key), value) {
            ("properties", Some(Value::Object(known)), Value::Object(more)) => {
                for (name, property) in more {
                    match known.get_mut(name) {
                        Some(Value::Object(one)) if property.is_object() => {
                            merge(one, property.as_object().unwrap_or(&Map::new()));
                        }
                        _ => {
                            known.insert(name.clone(), property.clone());
                        }
                    }
                }
            }
            ("required", Some(Value::Array(known)), Value::Array(more)) => {
                known.extend(more.iter().cloned());
            }
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

fn size(schema: &Map<String, Value>, name: &str) -> Option<usize> {
    schema.get(name).and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok())
}

fn number(schema: &Map<String, Value>) -> Value {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let step = bound("multipleOf").filter(|step| *step > 0.0).unwrap_or(1.0);
    let least = bound("minimum").or(bound("exclusiveMinimum").map(|least| least + step));
    let most = bound("maximum").or(bound("exclusiveMaximum").map(|most| most - step));
    let mut value = least.map_or(step, |least| (least.max(1.0) / step).ceil() * step);
    if let Some(most) = most.filter(|most| *most < value) {
        value = least.unwrap_or(most);
    }
    if value.fract() == 0.0 && value.abs() < 9e15 {
        #[allow(clippy::cast_possible_truncation)] // It was compared.
        return json!(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// A short text that matches a regular expression.
fn of_pattern(pattern: &str) -> Option<String> {
    let parsed = regex_syntax::parse(pattern).ok()?;
    let mut text = String::new();
    write(&parsed, &mut text).then_some(text)
}

/// Writes text that matches. Returns whether there is any.
fn write(pattern: &Hir, text: &mut String) -> bool {
    match pattern.kind() {
        // Lookaround matches if the whole text is the text written here.
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(literal) => {
                text.push_str(literal);
                true
            }
            Err(_) => false,
        },
        HirKind::Class(Class::Unicode(class)) => {
            // A letter or a digit reads better than the first allowed character.
            let plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
            let has = |one: char| {
                class.ranges().iter().any(|range| range.start() <= one && one <= range.end())
            };
            let found = plain.chars().find(|one| has(*one));
            match found.or_else(|| class.ranges().first().map(|range| range.start())) {
                Some(one) => {
                    text.push(one);
                    true
                }
                None => false,
            }
        }
        HirKind::Class(Class::Bytes(_)) => false,
        HirKind::Repetition(repetition) => {
            let least = repetition.min.max(1);
            let count = repetition.max.map_or(least, |most| least.min(most));
            (0..count).all(|_| write(&repetition.sub, text))
        }
        HirKind::Capture(capture) => write(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().all(|part| write(part, text)),
        HirKind::Alternation(parts) => parts.first().is_some_and(|part| write(part, text)),
    }
}

/// Validates values against a schema.
#[derive(Debug)]
pub(crate) struct Fits(jsonschema::Validator);

impl Fits {
    /// Compiles a schema whose references refer to shared ones.
    ///
    /// # Errors
    ///
    /// If it is not a valid schema.
    pub(crate) fn new(shared: &Map<String, Value>, schema: &Value) -> Result<Self, String> {
        let mut whole = match schema {
            Value::Object(members) => members.clone(),
            Value::Bool(false) => Map::from_iter([("not".to_owned(), json!({}))]),
            _ => Map::new(),
        };
        if !shared.is_empty() {
            whole.insert("$defs".to_owned(), Value::Object(shared.clone()));
        }
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .build(&Value::Object(whole))
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// The problem of a value, if any.
    pub(crate) fn problem(&self, value: &Value) -> Option<String> {
        let error = self.0.iter_errors(value).next()?;
        let place = error.instance_path().to_string();
        let place = if place.is_empty() { "/".to_owned() } else { place };
        let mut problem = error.to_string();
        if problem.len() > 300 {
            problem.truncate(problem.floor_char_boundary(300));
            problem.push('…');
        }
        Some(format!("{place}: {problem}"))
    }
}

/// A value that fits a schema, with as many members as fit; `None` if none was found.
pub(crate) fn fitting(
    shared: &Map<String, Value>,
    schema: &Value,
    fills: &[Fill],
    text: &(dyn Fn(&str) -> String + Sync),
) -> Option<Value> {
    let fits = Fits::new(shared, schema).ok()?;
    fills.iter().find_map(|fill| {
        let value = Sampler { shared, fill: *fill, text }.value("", schema);
        fits.problem(&value).is_none().then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(schema: &Value) -> Value {
        let shared = json!({
            "tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}, "name": {"type": "string"}}},
        });
        let shared = shared.as_object().unwrap();
        let fits = Fits::new(shared, schema).unwrap();
        for fill in [Fill::Required, Fill::All, Fill::Chosen(1), Fill::Chosen(7)] {
            let text = |name: &str| format!("text of {name}");
            let value = Sampler { shared, fill, text: &text }.value("", schema);
            assert_eq!(fits.problem(&value), None, "{fill:?}: {value}");
        }
        fitting(shared, schema, &[Fill::All], &|name| name.to_owned()).unwrap()
    }

    #[test]
    fn generated_values_fit_their_schemas() {
        for schema in [
            json!({"type": "string", "pattern": "^[A-Z]{3}-(?:one|two)[0-9]+$"}),
            json!({"type": "string", "minLength": 20, "maxLength": 22}),
            json!({"type": "integer", "minimum": 5, "maximum": 9, "multipleOf": 3}),
            json!({"type": ["null", "number"], "exclusiveMinimum": 2.5}),
            json!({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1}),
            json!({"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": true}),
            json!({"oneOf": [{"type": "null"}, {"type": "object", "required": ["kind"],
                "properties": {"kind": {"const": "a"}, "at": {"format": "date-time", "type": "string"}}}]}),
            json!({"allOf": [{"required": ["a"]}, {"properties": {"a": {"type": "boolean"}}, "type": "object"}]}),
            json!({"$ref": "#/$defs/tree"}),
            json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2}),
            json!({"properties": {"a": {"type": "string"}, "kind": {"enum": ["x", "y"]}},
                "type": "object", "oneOf": [{"properties": {"a": false, "kind": {"const": "x"}}}]}),
            json!({}),
            json!(true),
        ] {
            sampled(&schema);
        }
    }

    #[test]
    fn optional_members_are_filled_only_if_requested() {
        let schema = json!({"type": "object", "required": ["a"],
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
        assert_eq!(sampled(&schema), json!({"a": "a", "b": "b"}));
        let required = fitting(&Map::new(), &schema, &[Fill::Required], &|name| name.to_owned());
        assert_eq!(required, Some(json!({"a": "a"})));
    }
}
