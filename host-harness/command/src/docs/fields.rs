//! Fields as rows of a table: their types, their constraints, and when they may be given.

use serde_json::Value;
use workflow_node_host::description::Field;

use super::markdown::{code, text};
use crate::members::Members;
use crate::words::{accepts, any_of, texts};

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
        about.extend(members.conditions(field, code));
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
