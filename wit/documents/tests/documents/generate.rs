//! Documents that a published schema allows, generated from the schema itself.

use serde_json::{Map, Value, json};

use crate::published::resolved;

/// A source of choices: the same seed gives the same document.
pub(crate) struct Choices {
    state: u64,
    /// Every optional member is written.
    pub(crate) everything: bool,
    /// Open objects get members that the schema does not define.
    pub(crate) unknown: bool,
}

impl Choices {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            everything: false,
            unknown: false,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % u64::try_from(bound).unwrap()).unwrap()
    }

    fn likely(&mut self) -> bool {
        self.everything || self.below(3) > 0
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A value that the schema most likely allows; constraints between members are not followed.
pub(crate) fn value(root: &Value, schema: &Value, choices: &mut Choices) -> Value {
    let schema = resolved(root, schema);
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return choices.one(values).clone();
    }
    if let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array)
        && schema.get("properties").is_none()
    {
        let alternative = choices.one(alternatives).clone();
        return value(root, &alternative, choices);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => choices.one(kinds).as_str().unwrap(),
        Some(Value::String(kind)) => kind,
        _ => "anything",
    };
    match kind {
        "object" => object(root, schema, choices),
        "array" => array(root, schema, choices),
        "string" => text(schema, choices).into(),
        "integer" => {
            let bound = |keyword| schema.get(keyword).and_then(Value::as_u64);
            let least = bound("minimum").unwrap_or(0);
            match choices.below(4) {
                0 => bound("maximum").expect("every integer has a maximum").into(),
                _ => (least + choices.below(100) as u64).into(),
            }
        }
        "boolean" => (choices.below(2) == 0).into(),
        "null" => Value::Null,
        _ => anything(choices),
    }
}

/// Numbers as they stand, nested members, and texts that have to be escaped.
fn anything(choices: &mut Choices) -> Value {
    let values: [Value; 7] = [
        serde_json::from_str("1.50").unwrap(),
        serde_json::from_str("123456789012345678901234567890").unwrap(),
        json!("a \"quoted\" text\n"),
        json!({"b": [1, null, {"c": true}], "a": {}}),
        json!(["x", 2]),
        json!(false),
        json!(7),
    ];
    choices.one(&values).clone()
}

fn object(root: &Value, schema: &Value, choices: &mut Choices) -> Value {
    let mut members = Map::new();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, below) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if required.contains(&name.as_str()) || choices.likely() {
            members.insert(name.clone(), value(root, below, choices));
        }
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => {}
        Some(below) => {
            for name in ["main", "second-one"] {
                if choices.likely() {
                    members.insert(name.to_owned(), value(root, below, choices));
                }
            }
        }
        None if choices.unknown => {
            members.insert("x_unknown".to_owned(), anything(choices));
            members.insert("also \"unknown\"".to_owned(), anything(choices));
        }
        None => {}
    }
    Value::Object(members)
}

fn array(root: &Value, schema: &Value, choices: &mut Choices) -> Value {
    let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0) as usize;
    let count = least.max(choices.below(3)).max(usize::from(choices.everything));
    let below = schema.get("items").cloned().unwrap_or(Value::Bool(true));
    let mut elements: Vec<Value> = Vec::new();
    for _ in 0..count {
        let element = value(root, &below, choices);
        if !elements.contains(&element) {
            elements.push(element);
        }
    }
    Value::Array(elements)
}

fn text(schema: &Value, choices: &mut Choices) -> String {
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let samples: &[&str] = match pattern {
        None => &["A text.", "x", "\u{dc}ml\u{e4}ut \u{1f680} \"quoted\" \\ \n"],
        Some(name) if name.starts_with("^[a-z]") => &["incident", "a.b-c_d", "x9"],
        Some(origin) if origin.contains("\\*\\.") => &[
            "https://api.example.com",
            "https://*.example.com:8443",
            "http://127.0.0.1:8080",
            "https://[::1]",
            "https://xn--bcher-kva.example",
        ],
        Some("^https://[^\\s]+$") => &["https://example.com/a?b=c", "https://a.b"],
        Some("^https?://[^\\s]+$") => &["https://api.example.com/v1", "http://127.0.0.1:1"],
        Some("^/") => &["/a/{id}", "/**", "/v2/enqueue", "/a/b/**"],
        Some(pointer) if pointer.starts_with("^(?:/") => &["/secret", "/a~1b/0"],
        Some(header) if header.contains('-') => &["X-Signature", "etag"],
        Some("^<svg[\\s>/]") => &[r#"<svg xmlns="http://www.w3.org/2000/svg"></svg>"#],
        Some(other) => panic!("samples for {other}"),
    };
    (*choices.one(samples)).to_owned()
}
