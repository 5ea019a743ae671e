//! Reads what a person has entered as parameters. What a schema says about a value is not checked
//! here; the API does that.

use serde_json::{Map, Value};
use workflow_node_host::description::{Field, Form, Variant};

use super::{Entered, Kind, below, has_variants, is_nullable, kind};

/// The problem of a required field that is empty.
const MISSING: &str = "Fill in this field.";

/// Parameters, and what is missing or cannot be read.
#[derive(Debug, Default)]
pub(in crate::page) struct Read {
    pub(in crate::page) parameters: Map<String, Value>,
    /// By the place in the parameters.
    pub(in crate::page) problems: Vec<(String, String)>,
}

impl Read {
    pub(in crate::page) fn of(form: &Form, entered: &Entered) -> Self {
        let mut reader = Reader { entered, problems: Vec::new() };
        let Form { fields, variants, discriminator, .. } = form;
        let parameters = reader.members(fields, variants, discriminator.as_deref(), "");
        Self { parameters, problems: reader.problems }
    }

    /// Without the problems of fields that are empty, which items may fill in.
    pub(in crate::page) fn without_missing(mut self) -> Self {
        self.problems.retain(|(_, problem)| problem != MISSING);
        self
    }
}

struct Reader<'a> {
    entered: &'a Entered,
    problems: Vec<(String, String)>,
}

impl Reader<'_> {
    fn members(
        &mut self,
        fields: &[Field],
        variants: &[Variant],
        discriminator: Option<&str>,
        at: &str,
    ) -> Map<String, Value> {
        let mut members = Map::new();
        let is_chosen = has_variants(variants);
        let chosen = self.entered.variant(at).and_then(|index| variants.get(index));
        let chosen = chosen.filter(|_| is_chosen);
        for field in fields {
            if is_chosen && discriminator == Some(&*field.name) {
                continue;
            }
            self.member(field, at, &mut members);
        }
        let Some(variant) = chosen else { return members };
        for field in &variant.fields {
            match discriminator == Some(&*field.name) && variant.values.len() == 1 {
                true => {
                    members.insert(field.name.clone(), variant.values[0].clone());
                }
                false => self.member(field, at, &mut members),
            }
        }
        members
    }

    fn member(&mut self, field: &Field, at: &str, members: &mut Map<String, Value>) {
        let place = below(at, &field.name);
        match self.value(field, &place) {
            Some(value) => {
                members.insert(field.name.clone(), value);
            }
            None if field.is_required => match &field.default {
                // The form says so.
                Some(default) => {
                    members.insert(field.name.clone(), default.clone());
                }
                // A value that cannot be parsed already has a message.
                None if self.problems.iter().any(|(known, _)| *known == place) => {}
                None => self.problems.push((place, MISSING.to_owned())),
            },
            None => {}
        }
    }

    fn value(&mut self, field: &Field, at: &str) -> Option<Value> {
        if is_nullable(field) && self.entered.is_null(at) {
            return Some(Value::Null);
        }
        match kind(field) {
            Kind::Object => self.object(field, at),
            Kind::Rows => self.rows(field, at),
            Kind::List => self.list(field, at),
            one => {
                if let Some(picked) = self.entered.picked(at).into_iter().next() {
                    return Some(picked.value);
                }
                let text = self.entered.text(at);
                (!text.is_empty()).then(|| self.scalar(one, text, at)).flatten()
            }
        }
    }

    fn scalar(&mut self, kind: Kind, text: &str, at: &str) -> Option<Value> {
        let as_json = || serde_json::from_str::<Value>(text).ok();
        let as_text = || Value::from(text);
        Some(match kind {
            Kind::Number => as_json().filter(Value::is_number).unwrap_or_else(as_text),
            Kind::Boolean => as_json().filter(Value::is_boolean).unwrap_or_else(as_text),
            Kind::OneOf | Kind::Any => as_json().unwrap_or_else(as_text),
            Kind::Json => match as_json() {
                Some(value) => value,
                None => {
                    self.problems.push((at.to_owned(), "This is not valid JSON.".to_owned()));
                    return None;
                }
            },
            _ => as_text(),
        })
    }

    fn object(&mut self, field: &Field, at: &str) -> Option<Value> {
        let is_begun = self.entered.has(at);
        if !is_begun && !field.is_required {
            return None;
        }
        let before = self.problems.len();
        let discriminator = field.discriminator.as_deref();
        let members = self.members(&field.fields, &field.variants, discriminator, at);
        if members.is_empty() && !field.is_required {
            // Nothing was entered but which variant it would be.
            let chosen = self.entered.variant(at).is_some();
            if !chosen {
                self.problems.truncate(before);
                return None;
            }
        }
        Some(Value::Object(members))
    }

    fn rows(&mut self, field: &Field, at: &str) -> Option<Value> {
        let rows = self.entered.rows(at);
        let discriminator = field.discriminator.as_deref();
        let list: Vec<Value> = (0..rows)
            .map(|row| {
                let place = format!("{at}/{row}");
                if has_variants(&field.variants) && self.entered.variant(&place).is_none() {
                    self.problems.push((place.clone(), "Choose what it is.".to_owned()));
                }
                Value::Object(self.members(&field.fields, &field.variants, discriminator, &place))
            })
            .collect();
        is_list(field, &list).then_some(Value::Array(list))
    }

    fn list(&mut self, field: &Field, at: &str) -> Option<Value> {
        let mut list: Vec<Value> =
            self.entered.picked(at).into_iter().map(|picked| picked.value).collect();
        let one = match field.main_element_type() {
            _ if !field.values.is_empty() => Kind::OneOf,
            Some("integer" | "number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            Some(_) => Kind::Text,
            None => Kind::Any,
        };
        let lines = self.entered.all('p', at).iter().flat_map(|text| text.lines());
        for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
            list.extend(self.scalar(one, line, at));
        }
        is_list(field, &list).then_some(Value::Array(list))
    }
}

/// Whether a list was entered: one that is required and may be empty need not be filled in.
fn is_list(field: &Field, list: &[Value]) -> bool {
    !list.is_empty() || (field.is_required && field.bounds.least.unwrap_or(0) == 0)
}
