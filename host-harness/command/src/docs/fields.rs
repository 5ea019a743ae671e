//! Fields as rows of a table: their types, their constraints, and when they may be given.

use serde_json::Value;
use workflow_node_host::description::{Field, Form, Variant};

use super::markdown::{code, text};
use crate::words::{accepts, any_of, texts};

/// The fields of an object and its variants.
pub(super) struct Members<'a> {
    fields: &'a [Field],
    variants: &'a [Variant],
    discriminator: Option<&'a str>,
}

impl<'a> Members<'a> {
    pub(super) fn of_form(form: &'a Form) -> Self {
        Self {
            fields: &form.fields,
            variants: &form.variants,
            discriminator: form.discriminator.as_deref(),
        }
    }

    /// Those of an object, or of each object of a list.
    fn of_field(field: &'a Field) -> Self {
        Self {
            fields: &field.fields,
            variants: &field.variants,
            discriminator: field.discriminator.as_deref(),
        }
    }

    /// Fields without variants.
    pub(super) fn of_fields(fields: &'a [Field]) -> Self {
        Self { fields, variants: &[], discriminator: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.variants.is_empty()
    }

    /// The fields that all variants have, then those of single variants.
    fn all(&self) -> Vec<&'a Field> {
        let mut all: Vec<&Field> = self.fields.iter().collect();
        for field in self.variants.iter().flat_map(|variant| &variant.fields) {
            let is_new = all.iter().all(|one| one.name != field.name);
            if is_new && self.discriminator != Some(&field.name) {
                all.push(field);
            }
        }
        all
    }

    /// The variants that satisfy a condition, in words; `None` if all of them or none does.
    fn variants(&self, satisfies: impl Fn(&Variant) -> bool) -> Option<String> {
        let chosen = self.variants.iter().filter(|variant| !variant.values.is_empty());
        let (with, without): (Vec<&Variant>, Vec<&Variant>) =
            chosen.partition(|one| satisfies(one));
        let discriminator =
            self.discriminator.filter(|_| !with.is_empty() && !without.is_empty())?;
        let values: Vec<String> = with
            .iter()
            .flat_map(|variant| texts(&variant.values))
            .map(|value| code(&value))
            .collect();
        Some(format!("if {} is {}", code(discriminator), any_of(&values)))
    }

    /// When a field may be given; `None` if always.
    fn condition(&self, field: &Field) -> Option<String> {
        let is_common = self.fields.iter().any(|one| one.name == field.name);
        self.variants(|variant| match is_common {
            true => !variant.excluded.contains(&field.name),
            false => variant.fields.iter().any(|one| one.name == field.name),
        })
    }

    /// When a field must be given although it is not always required.
    fn requirement(&self, field: &Field) -> Option<String> {
        self.variants(|variant| variant.required.contains(&field.name))
    }
}

/// The rows of fields, below the field with this way.
pub(super) fn field_rows(members: &Members<'_>, way: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for field in members.all() {
        let name = format!("{way}{}", field.name);
        let mut about = Vec::new();
        if !field.title.is_empty() {
            about.push(format!("**{}.**", text(field.title.trim_end_matches('.'))));
        }
        if !field.description.is_empty() {
            about.push(text(&field.description));
        }
        if !field.known_values.is_empty() {
            let known: Vec<String> =
                texts(&field.known_values).iter().map(|one| code(one)).collect();
            about.push(format!("Known values: {}.", known.join(", ")));
        }
        let (condition, requirement) = (members.condition(field), members.requirement(field));
        match (condition, requirement) {
            (Some(condition), Some(requirement)) if condition == requirement => {
                about.push(format!("Only {condition}, and required then."));
            }
            (condition, requirement) => {
                about.extend(condition.map(|condition| format!("Only {condition}.")));
                about.extend(requirement.map(|requirement| format!("Required {requirement}.")));
            }
        }
        rows.push(vec![code(&name), holds(field), about.join(" ")]);
        let below = if field.is_list { format!("{name}[].") } else { format!("{name}.") };
        rows.extend(field_rows(&Members::of_field(field), &below));
    }
    rows
}

/// Type of a field, and everything needed to fill it in.
fn holds(field: &Field) -> String {
    let values: Vec<String> = texts(&field.values).iter().map(|value| code(value)).collect();
    let mut holds = match (values.as_slice(), field.is_list) {
        ([], _) => text(&field.type_in_words),
        (values, true) => format!("list of {}", any_of(values)),
        (values, false) => any_of(values),
    };
    if !field.accepts.is_empty() {
        holds.push_str(&format!(": {}", text(&any_of(&accepts(field)))));
    }
    let mut facts = Vec::new();
    if field.is_required {
        facts.push("**required**".to_owned());
    }
    if field.is_secret {
        facts.push("**secret**".to_owned());
    }
    let bounds = field.bounds_in_words();
    if !bounds.is_empty() {
        facts.push(text(&bounds));
    }
    let default = |default: &Value| format!("default {}", code(&default.to_string()));
    facts.extend(field.default.iter().map(default));
    if field.options.is_some() {
        facts.push("has choices".to_owned());
    }
    facts.insert(0, holds);
    facts.join(", ")
}

/// Members of a record for readers. Requirements for filling in a form do not apply, and nested
/// objects are separate records.
pub(super) fn given(mut fields: Vec<Field>) -> Vec<Field> {
    for field in &mut fields {
        if !field.fields.is_empty() && !field.title.is_empty() {
            field.type_in_words = field.type_in_words.replace("object", &field.title);
        }
        field.title.clear();
        field.fields.clear();
        field.variants.clear();
        field.is_required = false;
    }
    fields
}
