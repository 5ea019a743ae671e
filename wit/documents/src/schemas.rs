//! Schemas by name, kept as text until somebody looks into them.

use std::fmt;
use std::ops::Deref;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value};

use crate::{Extra, Json, Schema};

/// Schemas by name, which the schemas of a node refer to as `#/$defs/NAME`. Kept as text until
/// somebody looks into them; dereferences to the object of all of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Schemas(Json);

impl Schemas {
    /// The text of the object.
    pub fn text(&self) -> &str {
        self.0.text()
    }
}

impl Default for Schemas {
    fn default() -> Self {
        Self(Json::from(Map::new()))
    }
}

impl Deref for Schemas {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        self.0.value().as_object().unwrap_or(&NONE)
    }
}

impl fmt::Debug for Schemas {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<N: Into<String>> FromIterator<(N, Schema)> for Schemas {
    fn from_iter<I: IntoIterator<Item = (N, Schema)>>(schemas: I) -> Self {
        let mut by_name = Extra::new();
        for (name, schema) in schemas {
            by_name.insert(name.into(), schema.into_json());
        }
        let Ok(text) = to_raw_value(&by_name) else { unreachable!("every schema can be written") };
        Self(Json::of_text(text))
    }
}

impl Serialize for Schemas {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schemas {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        if json.starts_with(b"{") {
            Ok(Self(json))
        } else {
            Err(serde::de::Error::custom("the shared schemas are not an object"))
        }
    }
}
