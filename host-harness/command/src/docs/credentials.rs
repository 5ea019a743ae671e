//! The page of the credentials: how each comes to be, where it is written, and what each scope is
//! for.

use workflow_node_host::description::{CredentialType, Form};

use super::book::Book;
use super::fields::field_rows;
use super::markdown::{code, fragment, points, table, text, url};
use crate::members::Members;
use crate::words::{any_of, count, grant, rate_limit};

pub(super) fn page(book: &Book<'_>) -> String {
    let description = book.description;
    let types: Vec<&CredentialType> = description.credential_types.values().collect();
    let mut page = "# Credentials\n\n".to_owned();
    if types.is_empty() {
        page.push_str(&format!(
            "[{}](README.md) needs no credentials.\n",
            text(&description.node.display_name)
        ));
        return page;
    }
    page.push_str(&format!(
        "How to connect accounts of [{}](README.md). The node never sees a secret, because the \
         host writes it into the requests.\n\n",
        text(&description.node.display_name)
    ));
    let rows: Vec<Vec<String>> = types
        .iter()
        .map(|one| {
            vec![
                format!("[{}](#{})", text(&one.display_name), fragment(&one.display_name)),
                code(&one.name),
                text(&one.description),
            ]
        })
        .collect();
    page.push_str(&table(&["Credential", "Type", "Description"], &rows));
    page.push_str("\nActions use credentials through these slots:\n\n");
    let rows: Vec<Vec<String>> = description
        .node
        .slots
        .iter()
        .map(|(name, slot)| {
            let types: Vec<String> =
                slot.credential_types.iter().map(|one| book.credential_link(one)).collect();
            vec![code(name), any_of(&types), text(&slot.description)]
        })
        .collect();
    page.push_str(&table(&["Slot", "Takes", "For"], &rows));
    for one in &types {
        page.push_str(&type_text(one));
    }
    page.push_str(&scopes(book, &types));
    page.push_str(&secrets(book));
    page
}

fn type_text(credential_type: &CredentialType) -> String {
    let mut page = format!(
        "\n## {}\n\n{}\n\n{}\n\n",
        text(&credential_type.display_name),
        code(&credential_type.name),
        text(&credential_type.description)
    );
    let mut facts: Vec<(&str, String)> =
        grant(&credential_type.grant).into_iter().map(|(key, words)| (key, text(&words))).collect();
    for placement in &credential_type.placements {
        facts.push(("Written", text(&placement.in_words())));
    }
    if let Some(limit) = &credential_type.rate_limit {
        facts.push(("Rate limit", format!("{} per credential", rate_limit(limit))));
    }
    match credential_type.scopes.len() {
        0 => {}
        number => facts.push(("Scopes", format!("[{number}](#scopes)"))),
    }
    facts.extend(credential_type.documentation_url.iter().map(|one| ("Documentation", url(one))));
    page.push_str(&points(&facts));
    let fields = Form::of_credential_type(credential_type).fields;
    if !fields.is_empty() {
        let rows = field_rows(&Members::of_fields(&fields), "");
        page.push_str(&format!("\n{}", table(&["Field", "Type", "Description"], &rows)));
    }
    page
}

/// Every scope once, in the order in which the types name them.
fn scopes(book: &Book<'_>, types: &[&CredentialType]) -> String {
    let mut known: Vec<(&str, &str)> = Vec::new();
    for scope in types.iter().flat_map(|one| &one.scopes) {
        if !known.iter().any(|(name, _)| *name == scope.name) {
            known.push((&scope.name, &scope.description));
        }
    }
    if known.is_empty() {
        return String::new();
    }
    let actions = &book.description.node.actions;
    let rows: Vec<Vec<String>> = known
        .iter()
        .map(|(name, words)| {
            let of: Vec<String> = types
                .iter()
                .filter(|one| one.scopes.iter().any(|scope| scope.name == *name))
                .map(|one| code(&one.name))
                .collect();
            let needed: Vec<String> = actions
                .iter()
                .filter(|action| {
                    action.slots.values().any(|slot| slot.scopes.iter().any(|one| one == name))
                })
                .map(|action| book.action_link(action))
                .collect();
            let needed = match needed.len() {
                0 => String::new(),
                number => format!("{}: {}", count(number, "action"), needed.join(", ")),
            };
            vec![code(name), text(words), of.join(", "), needed]
        })
        .collect();
    let mut page = format!("\n## Scopes\n\n{}", table(&["Scope", "Allows", "Of", "For"], &rows));
    let free: Vec<String> = actions
        .iter()
        .filter(|action| action.slots.values().any(|slot| slot.scopes.is_empty()))
        .filter(|action| {
            let takes = |name: &String| {
                let slot = book.description.node.slots.get(name);
                let mut taken = slot.into_iter().flat_map(|slot| &slot.credential_types);
                taken.any(|one| {
                    types.iter().any(|known| known.name == *one && !known.scopes.is_empty())
                })
            };
            action.slots.keys().any(takes)
        })
        .map(|action| book.action_link(action))
        .collect();
    if !free.is_empty() {
        page.push_str(&format!(
            "\nFor {}, the service does not document the required scope: {}.\n",
            count(free.len(), "action"),
            free.join(", ")
        ));
    }
    page
}

/// Secrets in answers and parameters, each once.
fn secrets(book: &Book<'_>) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for secret in &book.description.node.secrets {
        let name = code(&secret.name);
        let place = match (&secret.path, &secret.pointer) {
            (Some(path), Some(pointer)) => {
                format!("responses of {} at {}", code(&path.to_string()), code(pointer))
            }
            _ => "typed by users".to_owned(),
        };
        match rows.iter_mut().find(|row| row[0] == name) {
            Some(row) => row[2].push_str(&format!("<br>{place}")),
            None => rows.push(vec![name, text(&secret.description), place]),
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "\n## Secrets hidden from the node\n\nThe node sees handles instead, which only the host \
         can replace.\n\n{}",
        table(&["Secret", "Description", "Where"], &rows)
    )
}
