//! The schema of output records.

use serde_json::Value;

use super::Literal;
use crate::json::{self, Object};

/// Schema of one output record of an action, or of one event of a trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// An object without declared fields.
    #[default]
    Object,
    /// An object with these fields and possibly others.
    Record(&'static [Field]),
    /// A schema that the node shares by this name (see [`NodeBuilder::schemas`](super::NodeBuilder::schemas)).
    Shared(&'static str),
    /// A JSON Schema (2020-12).
    Schema(Literal),
}

/// A field of an output record. The service always returns it unless it is
/// [`optional`](Field::optional).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// Name of the field.
    pub name: &'static str,
    /// Type of the field.
    pub kind: FieldKind,
    /// Meaning of the field.
    pub description: &'static str,
    /// Whether the service may omit it or return null.
    pub is_optional: bool,
}

/// Type of a field of an output record.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldKind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// Any value.
    Any,
    /// An object with these fields and possibly others.
    Record(&'static [Field]),
    /// A list of values of one type.
    List(&'static FieldKind),
    /// A value of a schema that the node shares by this name.
    Shared(&'static str),
}

impl Field {
    /// Creates a field of any type.
    pub const fn new(name: &'static str, kind: FieldKind, description: &'static str) -> Self {
        Self { name, kind, description, is_optional: false }
    }

    /// Creates a text field.
    pub const fn text(name: &'static str, description: &'static str) -> Self {
        Self::new(name, FieldKind::Text, description)
    }

    /// Creates a field for a whole number.
    pub const fn integer(name: &'static str, description: &'static str) -> Self {
        Self::new(name, FieldKind::Integer, description)
    }

    /// Creates a field for any number.
    pub const fn number(name: &'static str, description: &'static str) -> Self {
        Self::new(name, FieldKind::Number, description)
    }

    /// Creates a Boolean field.
    pub const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::new(name, FieldKind::Boolean, description)
    }

    /// Declares that the service may omit the field or return null.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }
}

impl Output {
    /// The JSON Schema.
    pub fn schema(&self) -> Value {
        match self {
            Self::Object => {
                let mut members = Object::new();
                members.text("type", "object");
                members.build()
            }
            Self::Record(fields) => record(fields).build(),
            Self::Shared(name) => shared(name).build(),
            Self::Schema(schema) => schema.value(),
        }
    }
}

fn shared(name: &str) -> Object {
    let mut members = Object::new();
    members.text("$ref", &["#/$defs/", name].concat());
    members
}

fn record(fields: &[Field]) -> Object {
    let mut properties = Object::new();
    let mut required = Vec::new();
    for field in fields {
        let mut schema = kind(&field.kind, field.is_optional);
        if !field.description.is_empty() {
            schema.text("description", field.description);
        }
        properties.set(field.name, schema.build());
        if !field.is_optional {
            required.push(field.name);
        }
    }
    let mut members = Object::new();
    members.text("type", "object");
    members.set("properties", properties.build());
    if !required.is_empty() {
        members.set("required", json::texts(&required));
    }
    members
}

fn kind(kind: &FieldKind, is_nullable: bool) -> Object {
    let (mut members, name) = match kind {
        FieldKind::Text => (Object::new(), "string"),
        FieldKind::Integer => (Object::new(), "integer"),
        FieldKind::Number => (Object::new(), "number"),
        FieldKind::Boolean => (Object::new(), "boolean"),
        FieldKind::Any => return Object::new(),
        FieldKind::Record(fields) => (record(fields), "object"),
        FieldKind::List(element) => {
            let mut members = Object::new();
            members.set("items", self::kind(element, false).build());
            (members, "array")
        }
        FieldKind::Shared(name) if is_nullable => {
            let mut null = Object::new();
            null.text("type", "null");
            let mut members = Object::new();
            members.set("anyOf", Value::Array(vec![shared(name).build(), null.build()]));
            return members;
        }
        FieldKind::Shared(name) => return shared(name),
    };
    match is_nullable {
        true => members.set("type", json::texts(&[name, "null"])),
        false => members.text("type", name),
    }
    members
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_becomes_the_schema_of_an_object() {
        static CITY: Output = Output::Record(&[
            Field::text("name", "Name of the city."),
            Field::number("celsius", "").optional(),
            Field::new("tags", FieldKind::List(&FieldKind::Text), ""),
            Field::new("owner", FieldKind::Shared("user"), "").optional(),
        ]);
        let expected = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Name of the city."},
                "celsius": {"type": ["number", "null"]},
                "tags": {"type": "array", "items": {"type": "string"}},
                "owner": {"anyOf": [{"$ref": "#/$defs/user"}, {"type": "null"}]},
            },
            "required": ["name", "tags"],
        });
        assert_eq!(CITY.schema(), expected);
    }
}
