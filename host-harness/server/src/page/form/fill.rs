//! Fills a form in with parameters, such as those of an example: the reverse of reading it.

use serde_json::{Map, Value};
use workflow_node_host::description::{Field, Form, Variant};

use super::{Entered, Kind, below, has_variants, is_nullable, kind, shown};

impl Entered {
    /// A form that holds these parameters.
    pub(in crate::page) fn filled(form: &Form, parameters: &Map<String, Value>) -> Self {
        let mut entered = Self::default();
        let Form { fields, variants, discriminator, .. } = form;
        entered.fill(fields, variants, discriminator.as_deref(), parameters, "");
        entered
    }

    fn put(&mut self, letter: char, at: &str, text: impl Into<String>) {
        self.values.entry(format!("{letter}{at}")).or_default().push(text.into());
    }

    fn fill(
        &mut self,
        fields: &[Field],
        variants: &[Variant],
        discriminator: Option<&str>,
        members: &Map<String, Value>,
        at: &str,
    ) {
        let chosen = has_variants(variants).then(|| chosen(variants, discriminator, members));
        let chosen = chosen.flatten();
        if let Some(index) = chosen {
            self.put('v', at, index.to_string());
        }
        let of_variant = chosen.map_or(&[][..], |index| &variants[index].fields);
        for field in fields.iter().chain(of_variant) {
            if let Some(value) = members.get(&field.name) {
                self.fill_field(field, value, &below(at, &field.name));
            }
        }
    }

    fn fill_field(&mut self, field: &Field, value: &Value, at: &str) {
        let discriminator = field.discriminator.as_deref();
        match (kind(field), value) {
            (_, Value::Null) if is_nullable(field) => self.put('z', at, "on"),
            (Kind::Object, Value::Object(members)) => {
                self.fill(&field.fields, &field.variants, discriminator, members, at);
            }
            (Kind::Rows, Value::Array(list)) => {
                self.put('n', at, list.len().to_string());
                for (row, value) in list.iter().enumerate() {
                    let Some(members) = value.as_object() else { continue };
                    let place = format!("{at}/{row}");
                    self.fill(&field.fields, &field.variants, discriminator, members, &place);
                }
            }
            (Kind::List, Value::Array(list)) if !field.values.is_empty() => {
                list.iter().for_each(|one| self.put('p', at, one.to_string()));
            }
            (Kind::List, Value::Array(list)) => {
                let lines: Vec<String> = list.iter().map(shown).collect();
                self.put('p', at, lines.join("\n"));
            }
            (Kind::Text | Kind::Number, value) => self.put('p', at, shown(value)),
            // A text that would be read as something else is quoted.
            (Kind::Any, Value::String(text)) if serde_json::from_str::<Value>(text).is_err() => {
                self.put('p', at, text.as_str());
            }
            (Kind::Json, value) => {
                let text = serde_json::to_string_pretty(value);
                self.put('p', at, text.unwrap_or_default());
            }
            (_, value) => self.put('p', at, value.to_string()),
        }
    }
}

/// The variant that members have: the one that the discriminator names, or the one with the most of
/// them.
fn chosen(
    variants: &[Variant],
    discriminator: Option<&str>,
    members: &Map<String, Value>,
) -> Option<usize> {
    if let Some(value) = discriminator.and_then(|name| members.get(name)) {
        return variants.iter().position(|variant| variant.values.contains(value));
    }
    let fits = |variant: &Variant| {
        let has = |field: &Field| members.contains_key(&field.name);
        let is_whole = variant.fields.iter().all(|field| !field.is_required || has(field));
        (is_whole, variant.fields.iter().filter(|field| has(field)).count())
    };
    let best = variants
        .iter()
        .enumerate()
        .max_by_key(|(index, variant)| (fits(variant), std::cmp::Reverse(*index)));
    best.filter(|(_, variant)| fits(variant).1 > 0).map(|(index, _)| index)
}
