//! Validates a request body against the fields that its operation declares.

use serde_json::Value;

use super::format;
use crate::facts::{Basic, Field};

/// Members that PagerDuty adds to every object and ignores in requests.
const READ_ONLY: [&str; 5] = ["id", "self", "html_url", "summary", "type"];

/// The findings about one body.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Errors for which PagerDuty rejects the request.
    pub(crate) errors: Vec<String>,
    /// The code of the first error, if it has a specific one.
    pub(crate) code: Option<u32>,
    /// Members that PagerDuty silently ignores, for the author of the request.
    pub(crate) ignored: Vec<String>,
}

impl Findings {
    /// Validates an object against its fields; `path` is its name in the messages.
    pub(crate) fn record(&mut self, path: &str, value: &Value, fields: &[Field]) {
        let Some(members) = value.as_object() else {
            self.errors.push(format!("{} must be an object", called(path)));
            return;
        };
        for field in fields {
            let name = joined(path, &field.name);
            let needed = field.must_be_sent();
            match members.get(&field.name) {
                None if needed => self.errors.push(format!("{name} is required")),
                None => {}
                // Members copied from an earlier response are ignored.
                Some(_) if field.read_only && !needed => {}
                Some(Value::Null) if field.nullable => {}
                Some(value) => self.field(&name, value, field),
            }
        }
        for name in members.keys() {
            let known = fields.iter().any(|field| field.name == *name);
            if !known && (path.is_empty() || !READ_ONLY.contains(&name.as_str())) {
                self.ignored.push(format!("unknown body field {}", joined(path, name)));
            }
        }
    }

    fn field(&mut self, path: &str, value: &Value, field: &Field) {
        if !field.is_list() {
            // A field of any type may be a list.
            if let (Basic::Any, Some(items)) = (field.kind(), value.as_array()) {
                self.count(path, items.len(), field);
            }
            self.value(path, value, field);
            return;
        }
        let Some(items) = value.as_array() else {
            self.errors.push(format!("{path} must be a list"));
            return;
        };
        self.count(path, items.len(), field);
        for (index, item) in items.iter().enumerate() {
            self.value(&format!("{path}[{index}]"), item, field);
        }
    }

    fn count(&mut self, path: &str, items: usize, field: &Field) {
        if let Some(least) = field.min_items.filter(|least| items < *least) {
            self.errors.push(format!("{path} needs at least {least}"));
        }
        if let Some(most) = field.max_items.filter(|most| items > *most) {
            self.errors.push(format!("{path} takes at most {most}"));
        }
    }

    fn value(&mut self, path: &str, value: &Value, field: &Field) {
        match field.kind() {
            Basic::Any => self.one_of(path, value, field),
            Basic::Text => match value.as_str() {
                None => self.errors.push(format!("{path} must be a string")),
                Some(text) => {
                    self.text(path, text, field);
                    self.one_of(path, value, field);
                }
            },
            Basic::Whole => match value.as_i64() {
                None => self.errors.push(format!("{path} must be a whole number")),
                Some(number) => self.number(path, number, field),
            },
            Basic::Number => {
                if !value.is_number() {
                    self.errors.push(format!("{path} must be a number"));
                }
            }
            Basic::Flag => {
                if !value.is_boolean() {
                    self.errors.push(format!("{path} must be true or false"));
                }
            }
            Basic::Record if field.fields.is_empty() => {
                if !value.is_object() {
                    self.errors.push(format!("{path} must be an object"));
                }
            }
            Basic::Record if field.is_reference() && !value.is_object() => {
                self.errors.push(format!("{path} must be a reference with id and type"));
            }
            Basic::Record => self.record(path, value, &field.fields),
        }
    }

    fn one_of(&mut self, path: &str, value: &Value, field: &Field) {
        let known = |text: &str| field.values.iter().any(|value| value == text);
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !field.values.is_empty() && !known(&text) {
            self.errors.push(format!("{path} must be one of {}", field.values.join(", ")));
        }
    }

    fn text(&mut self, path: &str, text: &str, field: &Field) {
        let length = text.chars().count();
        if field.not_blank && text.trim().is_empty() {
            self.errors.push(format!("{path} cannot be empty"));
        } else if let Some(most) = field.max_length.filter(|most| length > *most) {
            self.errors.push(format!("{path} is longer than {most} characters"));
        } else if let Some(least) = field.min_length.filter(|least| length < *least) {
            self.errors.push(format!("{path} is shorter than {least} characters"));
        } else if let Some(what) = format::objection(field.format.as_deref(), text) {
            self.errors.push(format!("{path} {what}"));
        } else if field.name == "id" && field.must_be_sent() && text.is_empty() {
            self.errors.push(format!("{path} is required"));
        }
    }

    fn number(&mut self, path: &str, number: i64, field: &Field) {
        // Numbers among the values are stored as text.
        if !field.values.is_empty() && !field.values.contains(&number.to_string()) {
            self.errors.push(format!("{path} must be one of {}", field.values.join(", ")));
        }
        let bad = field.minimum.is_some_and(|least| number < least)
            || field.maximum.is_some_and(|most| number > most);
        if bad {
            if self.errors.is_empty() {
                self.code = field.code;
            }
            self.errors.push(format!("{path} is out of range"));
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn called(path: &str) -> &str {
    if path.is_empty() { "the body" } else { path }
}
