//! Fields of an object with those of its variants in one list, and when each may be given: the same on
//! a terminal and in reference pages.

use workflow_node_host::description::{Field, Form, Variant};

use crate::words::{any_of, texts};

/// The fields of an object and its variants.
pub(crate) struct Members<'a> {
    fields: &'a [Field],
    variants: &'a [Variant],
    discriminator: Option<&'a str>,
}

impl<'a> Members<'a> {
    pub(crate) fn of_form(form: &'a Form) -> Self {
        Self {
            fields: &form.fields,
            variants: &form.variants,
            discriminator: form.discriminator.as_deref(),
        }
    }

    /// Those of an object, or of each object of a list.
    pub(crate) fn of_field(field: &'a Field) -> Self {
        Self {
            fields: &field.fields,
            variants: &field.variants,
            discriminator: field.discriminator.as_deref(),
        }
    }

    /// Fields without variants.
    pub(crate) fn of_fields(fields: &'a [Field]) -> Self {
        Self { fields, variants: &[], discriminator: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.variants.is_empty()
    }

    /// The fields that all variants have, then those of single variants.
    pub(crate) fn all(&self) -> Vec<&'a Field> {
        let mut all: Vec<&Field> = self.fields.iter().collect();
        for field in self.variants.iter().flat_map(|variant| &variant.fields) {
            let is_new = all.iter().all(|one| one.name != field.name);
            if is_new && self.discriminator != Some(&field.name) {
                all.push(field);
            }
        }
        all
    }

    /// When a field may be given and when it must be, as sentences; none if that is always the same.
    /// `quoted` writes names and values.
    pub(crate) fn conditions(&self, field: &Field, quoted: impl Fn(&str) -> String) -> Vec<String> {
        let is_common = self.fields.iter().any(|one| one.name == field.name);
        let may_have = |variant: &Variant| match is_common {
            true => !variant.excluded.contains(&field.name),
            false => variant.fields.iter().any(|one| one.name == field.name),
        };
        let must_have = |variant: &Variant| variant.required.contains(&field.name);
        match (self.case(may_have, &quoted), self.case(must_have, &quoted)) {
            (Some(condition), Some(requirement)) if condition == requirement => {
                vec![format!("Only {condition}, and required then.")]
            }
            (condition, requirement) => {
                let condition = condition.map(|condition| format!("Only {condition}."));
                let requirement = requirement.map(|requirement| format!("Required {requirement}."));
                condition.into_iter().chain(requirement).collect()
            }
        }
    }

    /// The variants that satisfy a condition, in words; `None` if all of them or none does.
    fn case(
        &self,
        satisfies: impl Fn(&Variant) -> bool,
        quoted: impl Fn(&str) -> String,
    ) -> Option<String> {
        let chosen = self.variants.iter().filter(|variant| !variant.values.is_empty());
        let (with, without): (Vec<&Variant>, Vec<&Variant>) =
            chosen.partition(|one| satisfies(one));
        let discriminator =
            self.discriminator.filter(|_| !with.is_empty() && !without.is_empty())?;
        let values = with.iter().flat_map(|variant| texts(&variant.values));
        let values: Vec<String> = values.map(|value| quoted(&value)).collect();
        Some(format!("if {} is {}", quoted(discriminator), any_of(&values)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn members_of_variants_state_when_they_may_and_must_be_given() {
        let of = |kind: &str, member: &str, required: &[&str]| {
            json!({
                "properties": {"type": {"const": kind}, member: {"type": "string"}},
                "required": required,
            })
        };
        let schema = json!({
            "type": "object",
            "properties": {
                "type": {"enum": ["phone", "email", "push"]},
                "label": {"type": "string"},
                "note": {"type": "string"},
            },
            "x-ui": {"discriminator": "type"},
            "oneOf": [
                of("phone", "prefix", &["note"]),
                of("email", "subject", &["note", "label"]),
                of("push", "prefix", &["note"]),
            ],
        });
        let form = Form::new(&schema, &Map::new());
        let members = Members::of_form(&form);
        let conditions: Vec<(&str, Vec<String>)> = members
            .all()
            .into_iter()
            .map(|field| (&*field.name, members.conditions(field, |name| format!("'{name}'"))))
            .collect();
        let is = |text: &str| vec![text.to_owned()];
        assert_eq!(
            conditions,
            [
                ("type", vec![]),
                ("label", is("Required if 'type' is 'email'.")),
                ("note", vec![]),
                ("prefix", is("Only if 'type' is 'phone' or 'push'.")),
                ("subject", is("Only if 'type' is 'email'.")),
            ]
        );
    }
}
