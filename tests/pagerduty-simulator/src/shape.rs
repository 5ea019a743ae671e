//! Declared shapes of request bodies, and the judgement of a body against its shape.

use serde_json::Value;

/// What a value in a body must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A string; at most so many characters, and not blank where that is said.
    Text {
        longest: usize,
        blank: bool,
    },
    /// A whole number.
    Whole,
    OneOf(&'static [&'static str]),
    /// `{"id", "type"}` with one of these types.
    Reference(&'static [&'static str]),
    Record(&'static [Field]),
    List {
        of: &'static Shape,
        least: usize,
    },
    Mapping,
}

/// A named member of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    pub(crate) nullable: bool,
}

/// Text of any length, blank or not.
pub(crate) const TEXT: Shape = Shape::Text { longest: usize::MAX, blank: true };
/// Text that says something.
pub(crate) const WORDS: Shape = Shape::Text { longest: usize::MAX, blank: false };

pub(crate) const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true, nullable: false }
}

pub(crate) const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false, nullable: false }
}

pub(crate) const fn nullable(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false, nullable: true }
}

/// Members that PagerDuty sends and ignores when they come back.
const READ_ONLY: [&str; 5] = ["id", "self", "html_url", "summary", "type"];

/// The findings about one body.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What PagerDuty refuses.
    pub(crate) errors: Vec<String>,
    /// What it ignores in silence, and an author would want to know.
    pub(crate) ignored: Vec<String>,
}

impl Findings {
    /// Judges an object against its fields; `path` is how it is called in the messages.
    pub(crate) fn record(&mut self, path: &str, value: &Value, fields: &'static [Field]) {
        let Some(members) = value.as_object() else {
            self.errors.push(format!("{} must be an object", called(path)));
            return;
        };
        for field in fields {
            let name = joined(path, field.name);
            match members.get(field.name) {
                None if field.required => self.errors.push(format!("{name} is required")),
                None => {}
                Some(Value::Null) if field.nullable => {}
                Some(value) => self.value(&name, value, &field.shape),
            }
        }
        for name in members.keys() {
            let known = fields.iter().any(|field| field.name == name);
            if !known && (path.is_empty() || !READ_ONLY.contains(&name.as_str())) {
                self.ignored.push(format!("unknown body field {}", joined(path, name)));
            }
        }
    }

    fn value(&mut self, path: &str, value: &Value, shape: &Shape) {
        match shape {
            Shape::Text { longest, blank } => match value.as_str() {
                None => self.errors.push(format!("{path} must be a string")),
                Some(text) if !blank && text.trim().is_empty() => {
                    self.errors.push(format!("{path} cannot be empty"));
                }
                Some(text) if text.chars().count() > *longest => {
                    self.errors.push(format!("{path} is longer than {longest} characters"));
                }
                Some(_) => {}
            },
            Shape::Whole => {
                if value.as_i64().is_none() {
                    self.errors.push(format!("{path} must be a whole number"));
                }
            }
            Shape::OneOf(known) => {
                if !value.as_str().is_some_and(|text| known.contains(&text)) {
                    self.errors.push(format!("{path} must be one of {}", known.join(", ")));
                }
            }
            Shape::Reference(types) => self.reference(path, value, types),
            Shape::Record(fields) => self.record(path, value, fields),
            Shape::List { of, least } => match value.as_array() {
                None => self.errors.push(format!("{path} must be a list")),
                Some(items) => {
                    if items.len() < *least {
                        self.errors.push(format!("{path} needs at least {least}"));
                    }
                    for (index, item) in items.iter().enumerate() {
                        self.value(&format!("{path}[{index}]"), item, of);
                    }
                }
            },
            Shape::Mapping => {
                if !value.is_object() {
                    self.errors.push(format!("{path} must be an object"));
                }
            }
        }
    }

    fn reference(&mut self, path: &str, value: &Value, types: &[&str]) {
        let Some(members) = value.as_object() else {
            self.errors.push(format!("{path} must be a reference with id and type"));
            return;
        };
        if members.get("id").and_then(Value::as_str).is_none_or(str::is_empty) {
            self.errors.push(format!("{path}.id is required"));
        }
        match members.get("type").and_then(Value::as_str) {
            None => self.errors.push(format!("{path}.type is required")),
            Some(kind) if !types.contains(&kind) => {
                self.errors.push(format!("{path}.type must be {}", types.join(" or ")));
            }
            Some(_) => {}
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn called(path: &str) -> &str {
    if path.is_empty() { "the body" } else { path }
}
