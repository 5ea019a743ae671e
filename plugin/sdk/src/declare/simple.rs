//! The flat form of a record: a few members of simple types, which do not depend on what the
//! service omits or expands. Its schema and its values are derived from the same list.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::leak;
use crate::json::{self, Object};

/// The flat form of a resource.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Simple {
    /// Singular name of a record.
    #[serde(skip)]
    pub title: &'static str,
    /// Its members, in order.
    #[serde(borrow, deserialize_with = "leak::slice")]
    pub fields: &'static [SimpleField],
}

/// A member of a flat record. It is always present, and null if the service returns no value.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SimpleField {
    /// Name of the member.
    pub name: &'static str,
    /// Type of the member.
    pub kind: SimpleKind,
    /// Positions in the record: pointers (RFC 6901), of which the first that exists applies. The
    /// segment `*` matches every element.
    #[serde(deserialize_with = "leak::slice")]
    pub from: &'static [&'static str],
    /// Description of the member.
    #[serde(skip)]
    pub description: &'static str,
}

/// Type of a flat member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SimpleKind {
    /// Text; a number is converted to text.
    Text,
    /// A number, unchanged.
    Number,
    /// True or false.
    Boolean,
    /// A list of texts, one per element.
    Texts,
    /// The number of elements.
    Count,
    /// Any value, unchanged.
    Any,
}

impl SimpleField {
    /// Creates a member.
    pub const fn new(
        name: &'static str,
        kind: SimpleKind,
        from: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self { name, kind, from, description }
    }
}

impl Simple {
    /// Creates a flat form from the singular name of a record and its members, in order.
    pub const fn new(title: &'static str, fields: &'static [SimpleField]) -> Self {
        Self { title, fields }
    }

    /// The schema of a flat record.
    pub fn schema(&self) -> Value {
        let mut properties = Object::new();
        let mut names = Vec::new();
        for field in self.fields {
            let mut members = Object::new();
            let kind = match field.kind {
                SimpleKind::Text => Some("string"),
                SimpleKind::Number => Some("number"),
                SimpleKind::Boolean => Some("boolean"),
                SimpleKind::Texts => {
                    members.set("items", json::constant(r#"{"type":"string"}"#));
                    Some("array")
                }
                SimpleKind::Count => Some("integer"),
                SimpleKind::Any => None,
            };
            match (kind, field.kind) {
                (Some(kind), SimpleKind::Texts | SimpleKind::Count) => members.text("type", kind),
                (Some(kind), _) => members.set("type", json::texts(&[kind, "null"])),
                (None, _) => {}
            }
            if !field.description.is_empty() {
                members.text("description", field.description);
            }
            properties.set(field.name, members.build());
            names.push(field.name);
        }
        let mut order = Object::new();
        order.set("order", json::texts(&names));
        let mut members = Object::new();
        members.text("type", "object");
        members.text("title", &[self.title, " (flat)"].concat());
        members.set("properties", properties.build());
        members.set("required", json::texts(&names));
        members.set("additionalProperties", false.into());
        members.set("x-ui", order.build());
        members.build()
    }

    /// A record in its flat form.
    pub fn of(&self, record: &Value) -> Value {
        let mut members = Map::new();
        for field in self.fields {
            let mut found = Vec::new();
            for pointer in field.from {
                visit(record, pointer, &mut found);
                if !found.is_empty() {
                    break;
                }
            }
            members.insert(field.name.to_owned(), value(field.kind, &found));
        }
        Value::Object(members)
    }
}

/// The values at a pointer that are not null.
fn visit<'a>(value: &'a Value, pointer: &str, found: &mut Vec<&'a Value>) {
    let Some(rest) = pointer.strip_prefix('/') else {
        if !value.is_null() {
            found.push(value);
        }
        return;
    };
    let (segment, rest) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match value {
        Value::Array(list) if segment == "*" => {
            for one in list {
                visit(one, rest, found);
            }
        }
        Value::Object(members) => {
            if let Some(one) = members.get(segment) {
                visit(one, rest, found);
            }
        }
        _ => {}
    }
}

fn value(kind: SimpleKind, found: &[&Value]) -> Value {
    let first = found.first().copied();
    match kind {
        SimpleKind::Text => first.and_then(text).map_or(Value::Null, Value::String),
        SimpleKind::Number => first.filter(|one| one.is_number()).cloned().unwrap_or(Value::Null),
        SimpleKind::Boolean => first.filter(|one| one.is_boolean()).cloned().unwrap_or(Value::Null),
        SimpleKind::Texts => {
            let mut texts = Vec::new();
            for one in found {
                texts.extend(text(one).map(Value::String));
            }
            Value::Array(texts)
        }
        SimpleKind::Count => Value::from(match first {
            Some(Value::Array(list)) => list.len(),
            _ => found.len(),
        }),
        SimpleKind::Any => first.cloned().unwrap_or(Value::Null),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static PERSON: Simple = Simple {
        title: "Person",
        fields: &[
            SimpleField::new("id", SimpleKind::Text, &["/id"], ""),
            SimpleField::new("name", SimpleKind::Text, &["/name", "/summary"], "As people say."),
            SimpleField::new("number", SimpleKind::Number, &["/number"], ""),
            SimpleField::new("teams", SimpleKind::Texts, &["/teams/*/summary"], ""),
            SimpleField::new("rules", SimpleKind::Count, &["/rules"], ""),
            SimpleField::new("active", SimpleKind::Boolean, &["/active"], ""),
        ],
    };

    #[test]
    fn every_flat_member_exists_even_if_the_service_omits_it() {
        let flat = PERSON.of(&json!({"id": "P1", "summary": "Ada", "teams": null, "x": 1}));
        let expected = json!({
            "id": "P1", "name": "Ada", "number": null, "teams": [], "rules": 0, "active": null,
        });
        assert_eq!(flat, expected);
        let record = r#"{"id":7,"name":"B","number":12345678901234567890123,
            "teams":[{"summary":"x"},null,{"summary":null},{"summary":"y"}],"rules":[1,2],"active":true}"#;
        let flat = PERSON.of(&json::value(record).unwrap());
        assert_eq!(flat["id"], "7");
        assert_eq!(flat["number"].to_string(), "12345678901234567890123");
        assert_eq!(flat["teams"], json!(["x", "y"]));
        assert_eq!((&flat["rules"], &flat["active"]), (&json!(2), &json!(true)));
    }

    #[test]
    fn a_flat_record_fits_its_schema() {
        let validator = jsonschema::validator_for(&PERSON.schema()).unwrap();
        for record in [json!({}), json!({"id": "P", "teams": [{"summary": "x"}], "active": 1})] {
            assert!(validator.is_valid(&PERSON.of(&record)), "{record}");
        }
    }
}
