//! JSON that is kept as text until somebody looks into it.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

/// A JSON value, kept as the text that was read and parsed the first time that it is looked into.
///
/// Reading a document costs nothing for the values in it, and numbers and the order of members
/// survive when it is written again.
#[derive(Clone)]
pub struct Json {
    text: Box<RawValue>,
    value: OnceLock<Value>,
}

impl Json {
    /// The text of the value.
    pub fn text(&self) -> &str {
        self.text.get()
    }

    /// The value. Text that cannot be parsed (because it nests too deeply, or a string in it holds
    /// half of a surrogate pair) counts as `null`.
    pub fn value(&self) -> &Value {
        self.parsed_or(Value::Null)
    }

    fn parsed_or(&self, fallback: Value) -> &Value {
        self.value.get_or_init(|| serde_json::from_str(self.text()).unwrap_or(fallback))
    }

    /// The value of a text that is JSON.
    pub(crate) fn of_text(text: Box<RawValue>) -> Self {
        Self { text, value: OnceLock::new() }
    }

    pub(crate) fn starts_with(&self, symbols: &[u8]) -> bool {
        self.text().as_bytes().first().is_some_and(|first| symbols.contains(first))
    }
}

impl Deref for Json {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() || self.value() == other.value()
    }
}

impl Eq for Json {}

impl<T> From<T> for Json
where
    Value: From<T>,
{
    fn from(value: T) -> Self {
        let Ok(text) = to_raw_value(&Value::from(value)) else {
            unreachable!("every value can be written")
        };
        Self { text, value: OnceLock::new() }
    }
}

impl FromStr for Json {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self { text, value: OnceLock::new() })
    }
}

/// A JSON Schema (2020-12): an object or a Boolean, kept as text until it is looked into.
#[derive(Clone, PartialEq, Eq)]
pub struct Schema(Json);

/// Why a text or a value is not a schema.
#[derive(Debug, thiserror::Error)]
#[error("not a JSON Schema: {problem}")]
pub struct SchemaError {
    problem: &'static str,
    source: Option<serde_json::Error>,
}

impl Schema {
    pub(crate) fn into_json(self) -> Json {
        self.0
    }

    /// The schema that every value satisfies.
    pub fn anything() -> Self {
        Self(Json::from(true))
    }

    /// The text of the schema.
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// The schema as a value. Text that cannot be parsed (because it nests too deeply, or a string
    /// in it holds half of a surrogate pair) counts as `false`, the schema that no value satisfies.
    pub fn value(&self) -> &Value {
        self.0.parsed_or(Value::Bool(false))
    }

    fn checked(json: Json) -> Result<Self, SchemaError> {
        if json.starts_with(b"{tf") {
            Ok(Self(json))
        } else {
            Err(SchemaError { problem: "it is neither an object nor a Boolean", source: None })
        }
    }
}

impl Deref for Schema {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl From<Map<String, Value>> for Schema {
    fn from(members: Map<String, Value>) -> Self {
        Self(Json::from(members))
    }
}

impl TryFrom<Value> for Schema {
    type Error = SchemaError;

    fn try_from(value: Value) -> Result<Self, SchemaError> {
        Self::checked(Json::from(value))
    }
}

impl FromStr for Schema {
    type Err = SchemaError;

    fn from_str(text: &str) -> Result<Self, SchemaError> {
        let json = text
            .parse()
            .map_err(|error| SchemaError { problem: "it is not JSON", source: Some(error) });
        Self::checked(json?)
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::checked(Json::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
