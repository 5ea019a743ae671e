//! One member of a body, or one parameter of a query or a path.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Type of a value.
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
    /// Any value.
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
    /// Its name; the name of a query parameter may end in `[]`.
    pub name: String,
    /// Its type, or the type of its items; see [`Field::kind`] and [`Field::is_list`].
    #[serde(rename = "type", deserialize_with = "kind")]
    kind: (Basic, bool),
    /// Whether the schema marks it as required; see [`Field::must_be_sent`].
    #[serde(default)]
    pub required: bool,
    /// Whether it may be null.
    #[serde(default)]
    pub nullable: bool,
    /// Whether the schema marks it as read-only.
    #[serde(default)]
    pub read_only: bool,
    /// Whether it is write-only.
    #[serde(default)]
    pub write_only: bool,
    /// Whether it is deprecated.
    #[serde(default)]
    pub deprecated: bool,
    /// The allowed values; for a list, of its items. Empty if every value is allowed.
    #[serde(default, rename = "enum")]
    pub values: Vec<String>,
    /// The default that PagerDuty applies if it is missing.
    #[serde(default)]
    pub default: Option<Value>,
    /// Format of its text, such as `date-time`.
    #[serde(default)]
    pub format: Option<String>,
    /// Minimum of a number.
    #[serde(default)]
    pub minimum: Option<i64>,
    /// Maximum of a number.
    #[serde(default)]
    pub maximum: Option<i64>,
    /// Minimum number of characters.
    #[serde(default)]
    pub min_length: Option<usize>,
    /// Maximum number of characters.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// Minimum number of items.
    #[serde(default)]
    pub min_items: Option<usize>,
    /// Maximum number of items.
    #[serde(default)]
    pub max_items: Option<usize>,
    /// Whether text that consists of spaces only is refused.
    #[serde(default)]
    pub not_blank: bool,
    /// Whether a list is sent as one parameter, joined by commas, instead of repeating the
    /// parameter.
    #[serde(default)]
    pub joined: bool,
    /// Code of the error for an invalid value, if it is not 2001.
    #[serde(default)]
    pub code: Option<u32>,
    /// Additional types that it may have.
    #[serde(default, rename = "or")]
    pub or: Vec<String>,
    /// Whether the items of a list must be unique.
    #[serde(default)]
    pub unique_items: bool,
    /// Regular expression that its text must match.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Whether only an example of the published document contains it.
    #[serde(default)]
    pub from_example: bool,
    /// Schema of the values of an object whose members can have any name.
    #[serde(default, rename = "values")]
    pub each: Option<Box<FieldValue>>,
    /// The discriminator: the member whose value determines which of the
    /// [`variants`](Field::variants) applies.
    #[serde(default)]
    pub by: Option<String>,
    /// The members of each variant in addition to those that all variants have.
    #[serde(default)]
    pub variants: Vec<Variant>,
    /// Its members, or those of each item, including those of all variants. Empty for an object
    /// means that its members are unknown.
    #[serde(default)]
    pub fields: Vec<Field>,
    #[serde(skip)]
    names_object: bool,
}

/// Schema of the values of an object whose members can have any name.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct FieldValue {
    /// Its type or the type of its items, and whether it is a list.
    #[serde(rename = "type", deserialize_with = "kind")]
    pub kind: (Basic, bool),
}

/// One variant of an object.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Variant {
    /// The values of the discriminator that select it.
    pub is: Vec<String>,
    /// The members of the variant alone.
    #[serde(default)]
    pub fields: Vec<Field>,
}

/// Adds the members of variants, as optional members, to those that all variants have.
pub(super) fn join_variants(fields: &mut Vec<Field>, variants: &[Variant]) {
    for variant in variants {
        for field in &variant.fields {
            let mut field = field.clone();
            let in_all = variants
                .iter()
                .all(|other| other.fields.iter().any(|one| one.name == field.name && one.required));
            field.required &= in_all;
            match fields.iter_mut().find(|one| one.name == field.name) {
                None => fields.push(field),
                Some(known) => known.join(field),
            }
        }
    }
}

/// As [`join_variants`], for all fields below.
pub(super) fn join_all(fields: &mut [Field]) {
    for field in fields {
        for variant in &mut field.variants {
            join_all(&mut variant.fields);
        }
        join_all(&mut field.fields);
        let variants = std::mem::take(&mut field.variants);
        join_variants(&mut field.fields, &variants);
        field.variants = variants;
    }
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(Basic, bool), D::Error> {
    let text = String::deserialize(deserializer)?;
    let item = text.strip_prefix("array<").and_then(|rest| rest.strip_suffix('>'));
    let basic = Basic::named(item.unwrap_or(&text));
    let basic = basic.ok_or_else(|| serde::de::Error::custom(format!("unknown type {text}")))?;
    Ok((basic, item.is_some()))
}

impl Field {
    /// Its type, or the type of its items if it [is a list](Field::is_list).
    #[must_use]
    pub fn kind(&self) -> Basic {
        self.kind.0
    }

    /// Whether it is a list; a query parameter is then repeated, unless it is `joined`.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.kind.1
    }

    /// Whether a request without it is incomplete. Read-only members need not be sent, except the
    /// `id` and the `type` of a reference, which the schema marks as read-only as well.
    #[must_use]
    pub fn must_be_sent(&self) -> bool {
        self.required && (!self.read_only || self.names_object)
    }

    /// Merges the definition of the same member in another variant.
    fn join(&mut self, other: Field) {
        if self.kind != other.kind {
            self.kind.0 = Basic::Any;
        }
        if self.values_known() && other.values_known() {
            for value in other.values {
                if !self.values.contains(&value) {
                    self.values.push(value);
                }
            }
        } else {
            self.values.clear();
        }
        self.nullable |= other.nullable;
        self.minimum = self.minimum.zip(other.minimum).map(|(one, two)| one.min(two));
        self.maximum = self.maximum.zip(other.maximum).map(|(one, two)| one.max(two));
        self.max_length = self.max_length.zip(other.max_length).map(|(one, two)| one.max(two));
        for known in &mut self.fields {
            known.required &= other.fields.iter().any(|one| one.name == known.name && one.required);
        }
        for mut field in other.fields {
            match self.fields.iter_mut().find(|one| one.name == field.name) {
                None => {
                    field.required = false;
                    self.fields.push(field);
                }
                Some(known) => known.join(field),
            }
        }
    }

    fn values_known(&self) -> bool {
        !self.values.is_empty()
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

/// In an update, null clears any field that is not a Boolean, a list, an ID, or required; see the
/// section "Types" of PagerDuty's guide. No schema repeats this.
pub(super) fn mark_cleared(fields: &mut [Field]) {
    for field in fields {
        let keeps = field.required || field.is_list() || field.kind.0 == Basic::Flag;
        field.nullable |= !keeps && field.name != "id" && field.name != "type";
        for variant in &mut field.variants {
            mark_cleared(&mut variant.fields);
        }
        mark_cleared(&mut field.fields);
    }
}

/// Finds the references below, whose `id` and `type` must be sent although they are read-only.
pub(super) fn mark_references(fields: &mut [Field]) {
    let names_object = refers(fields);
    for field in fields {
        field.names_object = names_object && matches!(field.name.as_str(), "id" | "type");
        mark_references(&mut field.fields);
    }
}
