//! The first page: an overview, and the terms that the other pages use.

use workflow_node_host::description::Idempotency;

use super::book::Book;
use super::markdown::{code, table, text, url};
use super::triggers;
use crate::words::{EFFECTS, count, effect, effect_in_words, idempotency, idempotency_in_words};

const IDEMPOTENCIES: [Idempotency; 4] =
    [Idempotency::Safe, Idempotency::Idempotent, Idempotency::Keyed, Idempotency::None];

pub(super) fn page(book: &Book<'_>) -> String {
    let description = book.description;
    let node = &description.node;
    let mut page = format!("# {}\n\n{}\n\n", text(&node.display_name), text(&node.description));
    let mut extent = format!("Node {}, version {}", code(&node.name), node.version);
    extent.push_str(&format!(": {}", book.extent()));
    if !description.triggers.is_empty() {
        extent.push_str(&format!(", {}", count(description.triggers.len(), "trigger")));
    }
    page.push_str(&format!("{extent}.\n"));
    if let Some(address) = &node.documentation_url {
        page.push_str(&format!("Documentation of the service: {}\n", url(address)));
    }
    page.push_str("\n- [Credentials](credentials.md): how to connect an account, and its scopes\n");
    if !description.triggers.is_empty() {
        page.push_str("- [Triggers](triggers.md): events that start a workflow\n");
    }
    if !book.records.is_empty() {
        page.push_str("- [Records](records.md): the output of the actions\n");
    }
    page.push_str("\n## Resources\n\n");
    page.push_str(&resources(book));
    if !description.triggers.is_empty() {
        page.push_str("\n## Triggers\n\n");
        page.push_str(&triggers::contents(&description.triggers, "triggers.md"));
    }
    page.push_str("\n## Terms\n\nEffect of an action on the service:\n\n");
    let rows = EFFECTS.map(|one| {
        let number = node.actions.iter().filter(|action| action.effect == one).count();
        vec![code(effect(one)), number.to_string(), effect_in_words(one).to_owned()]
    });
    page.push_str(&table(&["Effect", "Actions", "Meaning"], &rows));
    page.push_str("\nIdempotency, which states what happens when an action is repeated:\n\n");
    let rows = IDEMPOTENCIES.map(|one| {
        let number = node.actions.iter().filter(|action| action.idempotency == one).count();
        vec![code(idempotency(one)), number.to_string(), idempotency_in_words(one).to_owned()]
    });
    page.push_str(&table(&["Idempotency", "Actions", "Meaning"], &rows));
    page.push_str(
        "\nTo list the choices of a parameter: `harness options PLUGIN ACTION PARAMETER \
         --credential NAME`. To run an example: `harness run PLUGIN ACTION --credential NAME \
         --parameters JSON`.\n",
    );
    page.push_str("\n## Origins\n\nThe node sends requests to these origins:\n\n");
    for origin in &node.origins {
        page.push_str(&format!("- {}\n", code(&origin.to_string())));
    }
    page
}

fn resources(book: &Book<'_>) -> String {
    let rows: Vec<Vec<String>> = book
        .groups
        .iter()
        .map(|group| {
            let early = group.actions.iter().filter(|action| action.early_access).count();
            vec![
                format!("[{}]({}.md)", text(group.title), book.page_of(group.name)),
                group.actions.len().to_string(),
                if early == 0 { String::new() } else { early.to_string() },
                text(group.description),
            ]
        })
        .collect();
    table(&["Resource", "Actions", "Early access", "Description"], &rows)
}
