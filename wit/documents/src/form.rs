//! The form of a credential type: the schema of an object, field by field.

use serde_json::{Map, Value};

use crate::Schema;

/// Builds the form of a credential type.
#[derive(Clone, Debug, Default)]
pub struct FormBuilder {
    properties: Map<String, Value>,
    order: Vec<Value>,
    required: Vec<Value>,
}

impl FormBuilder {
    /// A form without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field that must be filled.
    #[must_use]
    pub fn required(mut self, field: FieldBuilder) -> Self {
        self.required.push(field.name.into());
        self.optional(field)
    }

    /// Adds a field that may be left empty.
    #[must_use]
    pub fn optional(mut self, field: FieldBuilder) -> Self {
        self.order.push(field.name.into());
        self.properties.insert(field.name.to_owned(), Value::Object(field.members));
        self
    }

    /// The form.
    pub fn build(self) -> Schema {
        let mut hints = Map::new();
        // The members of a JSON object have no order; the fields of a form do.
        hints.insert("order".to_owned(), Value::Array(self.order));
        let mut members = Map::new();
        members.insert("type".to_owned(), "object".into());
        members.insert("properties".to_owned(), Value::Object(self.properties));
        members.insert("additionalProperties".to_owned(), false.into());
        if !self.required.is_empty() {
            members.insert("required".to_owned(), Value::Array(self.required));
        }
        members.insert("x-ui".to_owned(), Value::Object(hints));
        Schema::from(members)
    }
}

/// Builds a field of a form.
#[derive(Clone, Debug)]
pub struct FieldBuilder {
    name: &'static str,
    members: Map<String, Value>,
}

impl FieldBuilder {
    fn new(name: &'static str, kind: &str, title: &str, description: &str) -> Self {
        Self { name, members: Map::new() }
            .with("type", kind)
            .with("title", title)
            .with("description", description)
    }

    /// A text.
    pub fn text(name: &'static str, title: &str, description: &str) -> Self {
        Self::new(name, "string", title, description)
    }

    /// One of these values.
    pub fn choice(name: &'static str, title: &str, description: &str, values: &[&str]) -> Self {
        Self::new(name, "string", title, description).with("enum", values.to_vec())
    }

    /// A list of different texts with these bounds on the length of each.
    pub fn texts(
        name: &'static str,
        title: &str,
        description: &str,
        shortest: u32,
        longest: u32,
    ) -> Self {
        let items = Self { name, members: Map::new() }
            .with("type", "string")
            .min_length(shortest)
            .max_length(longest);
        Self::new(name, "array", title, description)
            .with("items", items.members)
            .with("uniqueItems", true)
    }

    /// Is a secret: the plugin never sees it.
    #[must_use]
    pub fn secret(self) -> Self {
        self.with("writeOnly", true)
    }

    /// Is an email address.
    #[must_use]
    pub fn email(self) -> Self {
        self.with("format", "email")
    }

    /// Matches a regular expression.
    #[must_use]
    pub fn pattern(self, pattern: &str) -> Self {
        self.with("pattern", pattern)
    }

    /// Has at least so many characters.
    #[must_use]
    pub fn min_length(self, length: u32) -> Self {
        self.with("minLength", length)
    }

    /// Has at most so many characters.
    #[must_use]
    pub fn max_length(self, length: u32) -> Self {
        self.with("maxLength", length)
    }

    /// Has at least so many elements.
    #[must_use]
    pub fn min_items(self, count: u32) -> Self {
        self.with("minItems", count)
    }

    /// Value that a form starts with.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    /// Sets any other keyword of JSON Schema.
    #[must_use]
    pub fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        self.members.insert(keyword.to_owned(), value.into());
        self
    }
}
