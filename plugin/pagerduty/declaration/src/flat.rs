//! The flat forms of the main records, for `simplify`, from the overlay.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use workflow_node_sdk::declare::{Simple, SimpleField, SimpleKind};

use crate::derive::{keep_text, keep_texts, overlay, read};

/// `flat.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forms {
    /// Fields that several forms have.
    shared: BTreeMap<String, Field>,
    /// The fields of each form, by its title.
    form: BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Shared(String),
    Own(Field),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    #[serde(default)]
    name: String,
    kind: Option<String>,
    /// Positions in the record; the first that has a value counts.
    from: Option<Vec<String>>,
    description: String,
}

/// The flat form with a title.
pub(crate) fn by_name(title: &str) -> Option<&'static Simple> {
    forms().iter().find(|one| one.title == title)
}

/// The title of the flat form of a kind of record: `Log entry` for `log_entry`.
pub(crate) fn title_of(record: &str) -> Option<&'static str> {
    let is_it = |title: &str| title.to_lowercase().replace([' ', '-'], "_") == record;
    forms().iter().map(|form| form.title).find(|title| is_it(title))
}

fn forms() -> &'static [Simple] {
    static FORMS: OnceLock<Vec<Simple>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let forms: Forms = read(&overlay().join("flat.toml"));
        forms.form.iter().map(|(title, fields)| simple(title, fields, &forms.shared)).collect()
    })
}

fn simple(title: &str, fields: &[Entry], shared: &BTreeMap<String, Field>) -> Simple {
    let fields = fields.iter().map(|entry| match entry {
        Entry::Own(own) => field(&own.name, own),
        Entry::Shared(name) => match shared.get(name) {
            Some(shared) => field(name, shared),
            None => panic!("flat.toml: `{title}`: `{name}` is not a shared field"),
        },
    });
    Simple::new(keep_text(title), fields.collect::<Vec<_>>().leak())
}

fn field(name: &str, field: &Field) -> SimpleField {
    let kind = match field.kind.as_deref() {
        None => SimpleKind::Text,
        Some("texts") => SimpleKind::Texts,
        Some("number") => SimpleKind::Number,
        Some("boolean") => SimpleKind::Boolean,
        Some("count") => SimpleKind::Count,
        Some("any") => SimpleKind::Any,
        Some(other) => panic!("flat.toml: `{name}`: there is no kind `{other}`"),
    };
    let from = field.from.clone().unwrap_or_else(|| vec![format!("/{name}")]);
    SimpleField::new(keep_text(name), kind, keep_texts(&from), keep_text(&field.description))
}
