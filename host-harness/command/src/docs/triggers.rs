//! The page of the triggers.

use workflow_node_host::description::Trigger;

use super::book::Book;
use super::markdown::{code, fragment, points, table, text, url};
use super::resource::{examples, parameters, record};
use crate::words::{count, delivery, delivery_in_short};

pub(super) fn page(book: &Book<'_>) -> String {
    let triggers = &book.description.triggers;
    let mut page = format!(
        "# Triggers\n\nEvents that start a workflow: {} of [{}](README.md).\n\n",
        count(triggers.len(), "trigger"),
        text(&book.description.node.display_name)
    );
    page.push_str(&contents(triggers, ""));
    for trigger in triggers {
        page.push_str(&trigger_text(book, trigger));
    }
    page
}

/// A table of triggers, whose links lead into a page.
pub(super) fn contents(triggers: &[Trigger], page: &str) -> String {
    let rows: Vec<Vec<String>> = triggers
        .iter()
        .map(|trigger| {
            vec![
                format!("[{}]({page}#{})", text(&trigger.title), fragment(&trigger.title)),
                code(&trigger.name),
                delivery_in_short(&trigger.delivery),
            ]
        })
        .collect();
    table(&["Trigger", "Name", "How"], &rows)
}

fn trigger_text(book: &Book<'_>, trigger: &Trigger) -> String {
    let mut page = format!(
        "\n## {}\n\n{}\n\n{}\n\n",
        text(&trigger.title),
        code(&trigger.name),
        text(&trigger.description)
    );
    let mut facts: Vec<(&str, String)> =
        delivery(&trigger.delivery).into_iter().map(|(key, words)| (key, text(&words))).collect();
    facts.extend(book.credentials(&trigger.slots).into_iter().map(|words| ("Credential", words)));
    facts.extend(trigger.documentation_url.iter().map(|address| ("Documentation", url(address))));
    page.push_str(&points(&facts));
    page.push_str(&parameters(&trigger.parameters, &book.description.node.schemas));
    page.push_str(&record(book, "Each event", &trigger.output));
    page.push_str(&examples(&trigger.examples, &trigger.parameters));
    page
}
