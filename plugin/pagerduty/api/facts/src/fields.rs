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
    /// Other types that it may have, beside its own.
    #[serde(default, rename = "or")]
    pub or: Vec<String>,
    /// Whether no two items of a list may be the same.
    #[serde(default)]
    pub unique_items: bool,
    /// The regular expression that its text must match.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Whether only an example of the published document shows it.
    #[serde(default)]
    pub from_example: bool,
    /// What each value is, where it is an object whose members can have any name.
    #[serde(default, rename = "values")]
    pub each: Option<Box<FieldValue>>,
    /// The member whose value decides which of the [`variants`](Field::variants) it is.
    #[serde(default)]
    pub by: Option<String>,
    /// What members it has beside those that all variants have.
    #[serde(default)]
    pub variants: Vec<Variant>,
    /// Its members, or those of each item; also those of all variants. Empty for an object means
    /// that nothing is known.
    #[serde(default)]
    pub fields: Vec<Field>,
    #[serde(skip)]
    names_object: bool,
}

/// What each value of an object is whose members can have any name.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct FieldValue {
    /// What it is, or what its items are, and whether it is a list.
    #[serde(rename = "type", deserialize_with = "kind")]
    pub kind: (Basic, bool),
}

/// One of the forms that an object can have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Variant {
    /// The values of the deciding member that stand for it.
    pub is: Vec<String>,
    /// Its own members.
    #[serde(default)]
    pub fields: Vec<Field>,
}

/// Adds the members of variants to those that all variants have, none of them required.
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

    /// Takes what the same member of another variant may be, too.
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

/// In an update, null takes away the value of any field that is neither Boolean, a list, an ID, nor
/// required; section "Types" of PagerDuty's guide. No schema repeats it.
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
