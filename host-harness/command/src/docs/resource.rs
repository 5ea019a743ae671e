//! The page of one resource: a table of contents, then each action in full. Also writes the forms
//! and records of triggers.

use serde_json::{Map, Value};
use workflow_node_host::description::{Action, Effect, Example, Form, Idempotency, alternatives};

use super::book::Book;
use super::fields::{field_rows, given};
use super::markdown::{block, code, fragment, points, table, text, url};
use crate::groups::Group;
use crate::members::Members;
use crate::words::{any_of, count, effect, effect_in_words, idempotency, idempotency_in_words};

pub(super) fn page(book: &Book<'_>, group: &Group<'_>) -> String {
    let mut page = format!("# {}\n\n", text(group.title));
    if !group.description.is_empty() {
        page.push_str(&format!("{}\n\n", text(group.description)));
    }
    let node = &book.description.node;
    page.push_str(&format!(
        "{} of [{}](README.md). Resource name: {}.\n\n",
        count(group.actions.len(), "action"),
        text(&node.display_name),
        code(group.name)
    ));
    let rows: Vec<Vec<String>> = group
        .actions
        .iter()
        .map(|action| {
            vec![
                format!("[{}](#{})", text(&action.title), fragment(&action.title)),
                code(&action.name),
                effect(action.effect).to_owned(),
                if action.early_access { "early access".to_owned() } else { String::new() },
            ]
        })
        .collect();
    page.push_str(&table(&["Action", "Name", "Effect", "Stability"], &rows));
    for action in &group.actions {
        page.push_str(&action_text(book, action));
    }
    page
}

fn action_text(book: &Book<'_>, action: &Action) -> String {
    let shared = &book.description.node.schemas;
    let early = if action.early_access { " · **early access**" } else { "" };
    let mut page = format!(
        "\n## {}\n\n{}{early}\n\n{}\n\n",
        text(&action.title),
        code(&action.name),
        text(&action.description)
    );
    let mut facts = vec![("Effect", effect_in_words(action.effect).to_owned())];
    // For an action that changes nothing, the effect says everything.
    if (action.effect, action.idempotency) != (Effect::Read, Idempotency::Safe) {
        let words = idempotency_in_words(action.idempotency);
        let name = code(idempotency(action.idempotency));
        facts.push(("Idempotency", format!("{words} ({name})")));
    }
    if action.early_access {
        facts.push(("Stability", "early access: the service may change this operation".to_owned()));
    }
    for credential in book.credentials(&action.slots) {
        facts.push(("Credential", credential));
    }
    if action.emits {
        facts.push(("Pages", "records are returned page by page as they arrive".to_owned()));
    }
    facts.extend(action.guarantee.iter().map(|words| ("Long lists", text(words))));
    facts.extend(action.documentation_url.iter().map(|address| ("Documentation", url(address))));
    page.push_str(&points(&facts));
    page.push_str(&parameters(&action.parameters, shared));
    for (port, output) in &action.output {
        let label = match port.as_str() {
            "main" => "Each record".to_owned(),
            port => format!("Each record of the port {}", code(port)),
        };
        page.push_str(&record(book, &label, output));
    }
    page.push_str(&examples(&action.examples, &action.parameters));
    page
}

/// A form as a table, a row per field; what is inside of objects follows with its way.
pub(super) fn parameters(schema: &Value, shared: &Map<String, Value>) -> String {
    let form = Form::new(schema, shared);
    let members = Members::of_form(&form);
    if members.is_empty() {
        return "\nThis action has no parameters.\n".to_owned();
    }
    format!("\n{}", table(&["Parameter", "Type", "Description"], &field_rows(&members, "")))
}

/// Structure of a record, as far as the schema describes it.
pub(super) fn record(book: &Book<'_>, label: &str, schema: &Value) -> String {
    let shared = &book.description.node.schemas;
    let mut links = Vec::new();
    let mut rest = String::new();
    for part in alternatives(schema) {
        if let Some(link) = book.record_link(part) {
            links.push(link);
            continue;
        }
        let fields = Form::new(part, shared).fields;
        let description = part.get("description").and_then(Value::as_str).unwrap_or_default();
        if !description.is_empty() {
            rest.push_str(&format!("\n**{label}:** {}\n", text(description)));
        }
        if !fields.is_empty() {
            let head =
                if description.is_empty() { format!("\n**{label}**\n") } else { String::new() };
            let rows = field_rows(&Members::of_fields(&given(fields)), "");
            rest.push_str(&format!("{head}\n{}", table(&["Member", "Type", "Description"], &rows)));
        }
    }
    if links.is_empty() {
        return rest;
    }
    format!("\n**{label}:** {}\n{rest}", any_of(&links))
}

/// Examples, each with its parameters in the order of the form.
pub(super) fn examples(examples: &[Example], schema: &Value) -> String {
    let mut page = String::new();
    let form = Form::new(schema, &Map::new());
    for example in examples {
        let parameters = form.in_order(&example.parameters);
        page.push_str(&format!(
            "\n**Example:** {}\n\n{}",
            text(&example.title),
            block("json", &format!("{parameters:#}"))
        ));
    }
    page
}
