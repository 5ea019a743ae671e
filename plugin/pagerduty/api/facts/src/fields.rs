//! One member of a body, or one parameter of a query or a path.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basic {
    /// A string.
    Text,
    /// A whole number.
    Whole,
    /// Any number.
    Number,
    /// True or false.
    Flag,
    /// An object.
    Record,
    /// Anything.
    Any,
}

impl Basic {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "integer" => Self::Whole,
            "number" => Self::Number,
            "boolean" => Self::Flag,
            "object" => Self::Record,
            "any" => Self::Any,
            _ => return None,
        })
    }
}

/// A member of a body, or a parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Field {
    /// Its name; that of a query parameter may end in `[]`.
    pub name: String,
    /// What it is, or what its items are; see [`Field::kind`] and [`Field::is_list`].
    #[serde(rename = "type", deserialize_with = "kind")]
    kind: (Basic, bool),
    /// What the schema says; see [`Field::must_be_sent`].
    #[serde(default)]
    pub required: bool,
    /// Whether it may be null.
    #[serde(default)]
    pub nullable: bool,
    /// Whether the schema says that only PagerDuty writes it.
    #[serde(default)]
    pub read_only: bool,
    /// Whether no answer shows it.
    #[serde(default)]
    pub write_only: bool,
    /// Whether PagerDuty advises against it.
    #[serde(default)]
    pub deprecated: bool,
    /// The values that it may have; of each item, where it is a list. Empty when any will do.
    #[serde(default, rename = "enum")]
    pub values: Vec<String>,
    /// What PagerDuty takes when it is missing.
    #[serde(default)]
    pub default: Option<Value>,
    /// How its text is to be read, for instance `date-time`.
    #[serde(default)]
    pub format: Option<String>,
    /// The least number.
    #[serde(default)]
    pub minimum: Option<i64>,
    /// The greatest number.
    #[serde(default)]
    pub maximum: Option<i64>,
    /// The least number of characters.
    #[serde(default)]
    pub min_length: Option<usize>,
    /// The greatest number of characters.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// The least number of items.
    #[serde(default)]
    pub min_items: Option<usize>,
    /// The greatest number of items.
    #[serde(default)]
    pub max_items: Option<usize>,
    /// Whether text of nothing but spaces is refused.
    #[serde(default)]
    pub not_blank: bool,
    /// Whether a list stands in one parameter, with commas, instead of repeating it.
    #[serde(default)]
    pub joined: bool,
    /// The code of the error that answers a bad value, where it is not 2001.
    #[serde(default)]
    pub code: Option<u32>,
    /// Its members, or those of each item. Empty for an object means that nothing is known.
    #[serde(default)]
    pub fields: Vec<Field>,
    #[serde(skip)]
    names_object: bool,
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(Basic, bool), D::Error> {
    let text = String::deserialize(deserializer)?;
    let item = text.strip_prefix("array<").and_then(|rest| rest.strip_suffix('>'));
    let basic = Basic::named(item.unwrap_or(&text));
    let basic = basic.ok_or_else(|| serde::de::Error::custom(format!("unknown type {text}")))?;
    Ok((basic, item.is_some()))
}

impl Field {
    /// What it is, or what its items are when it [is a list](Field::is_list).
    #[must_use]
    pub fn kind(&self) -> Basic {
        self.kind.0
    }

    /// Whether it is a list; in a query this means that it repeats, unless it is `joined`.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.kind.1
    }

    /// Whether a request without it is incomplete. What only PagerDuty writes need not be sent,
    /// except the `id` and the `type` of a reference, which the schema marks so, too.
    #[must_use]
    pub fn must_be_sent(&self) -> bool {
        self.required && (!self.read_only || self.names_object)
    }

    /// The member of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether it is a reference: an object whose `type` ends in `_reference`.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        refers(&self.fields)
    }
}

fn refers(fields: &[Field]) -> bool {
    fields.iter().any(|field| {
        field.name == "type" && field.values.iter().any(|value| value.ends_with("_reference"))
    })
}

/// Finds the references below, whose `id` and `type` must be sent although they are read-only.
pub(super) fn mark_references(fields: &mut [Field]) {
    let names_object = refers(fields);
    for field in fields {
        field.names_object = names_object && matches!(field.name.as_str(), "id" | "type");
        mark_references(&mut field.fields);
    }
}
