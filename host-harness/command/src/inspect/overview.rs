//! A whole plugin on a page or two, however many actions it has.

use std::sync::Arc;

use workflow_node_host::description::{Action, CredentialType, Form, Node, Trigger};
use workflow_node_host::{Approval, Error, Plugin};

use crate::exit::shell;
use crate::groups::{Group, groups};
use crate::output::{READING, fits, key_texts, one_line, points, simple_table, wide_table};
use crate::words::{
    EFFECTS, count, delivery_in_short, effect, field_type, idempotency, scopes, size,
};

/// So many actions fit on the page one by one.
const ONE_BY_ONE: usize = 20;

/// A title in a column of so many characters is read.
const TITLE: usize = 24;

/// So many scopes are read.
const SCOPES: usize = 12;

pub(super) async fn text(plugin: &Plugin, path: &str) -> String {
    let description = plugin.description();
    let node = &description.node;
    let approval = plugin.approval().await;
    let mut text = head(plugin, node, &approval);
    for credential_type in description.credential_types.values() {
        text.push_str(&credential_type_text(credential_type));
    }
    text.push_str(&slots_text(node));
    text.push_str(&secrets_text(node));
    let groups = groups(description);
    if node.actions.len() <= ONE_BY_ONE {
        text.push_str("\nActions\n");
        text.push_str(&actions_table(groups.iter().flat_map(|group| &group.actions).copied()));
    } else {
        text.push_str(&groups_text(node, &groups));
    }
    if !description.triggers.is_empty() {
        text.push_str("\nTriggers\n");
        let row = |trigger: &Trigger| {
            let how = delivery_in_short(&trigger.delivery);
            vec![trigger.name.clone(), trigger.title.clone(), how]
        };
        let rows: Vec<_> = description.triggers.iter().map(row).collect();
        text.push_str(&simple_table(&["name", "title", "how"], &rows));
    }
    // Each command to paste has a separate line, however long the path is.
    let kinds = match (node.actions.len() > ONE_BY_ONE, description.triggers.is_empty()) {
        (true, true) => "a resource, action, or credential type",
        (true, false) => "a resource, action, trigger, or credential type",
        (false, true) => "an action or credential type",
        (false, false) => "an action, trigger, or credential type",
    };
    text.push_str(&format!("\nTo show {kinds} in full:\n  harness inspect {} NAME\n", shell(path)));
    if approval.as_ref().is_err_and(|error| !error.is_disabled()) {
        text.push_str(&format!("To approve the plugin:\n  harness approve {}\n", shell(path)));
    }
    text
}

fn head(plugin: &Plugin, node: &Node, approval: &Result<Arc<Approval>, Error>) -> String {
    let approved = match approval {
        Ok(approval) if approval.withheld.is_empty() => "yes".to_owned(),
        Ok(approval) => format!("yes, except {}", approval.withheld.in_words().join("; ")),
        Err(error) if error.is_disabled() => "disabled by an operator".to_owned(),
        Err(_) => "no".to_owned(),
    };
    let pair = |key: &str, value: String| (key.to_owned(), value);
    let mut head = vec![
        pair("Node", format!("{} ({}), version {}", node.name, node.display_name, node.version)),
        pair("Description", node.description.clone()),
    ];
    head.extend(node.documentation_url.iter().map(|url| pair("Documentation", url.clone())));
    for (key, words) in [("Categories", &node.categories), ("Aliases", &node.aliases)] {
        if !words.is_empty() {
            head.push(pair(key, join(words)));
        }
    }
    // The markup is untrusted and not for a terminal.
    head.extend(node.icon.iter().map(|icon| pair("Icon", format!("SVG, {}", size(icon.len())))));
    head.extend([
        pair("Digest", plugin.digest().to_string()),
        pair("Size", size(plugin.surface().size)),
        pair("Approved", approved),
        pair("Requests to", join(&node.origins)),
        pair("Imports", join(&plugin.surface().imports)),
    ]);
    for server in &node.servers {
        let chosen = approval.as_ref().ok().map(|approval| {
            let chosen = approval.servers.iter().find(|(name, _)| *name == server.name);
            chosen.map_or_else(
                || "none chosen".to_owned(),
                |(_, all)| join(all.iter().map(|one| &one.origin).collect::<Vec<_>>()),
            )
        });
        let chosen = chosen.map_or_else(String::new, |chosen| format!(": {chosen}"));
        let words = format!("{}, within {}{chosen}", server.description, join(&server.within));
        head.push(pair(&format!("Server {}", server.name), words));
    }
    key_texts(&head)
}

fn credential_type_text(credential_type: &CredentialType) -> String {
    let mut text = format!(
        "\nCredential type {} ({})\n",
        one_line(&credential_type.name),
        one_line(&credential_type.display_name)
    );
    let form = Form::of_credential_type(credential_type);
    let fields: Vec<String> = form
        .fields
        .iter()
        .map(|field| {
            let mut about = vec![field_type(field)];
            if field.is_secret {
                about.push("secret".to_owned());
            }
            if !field.is_required {
                about.push("optional".to_owned());
            }
            format!("{} ({})", field.name, about.join(", "))
        })
        .collect();
    let pair = |key: &str, value: String| (key.to_owned(), value);
    let mut members = vec![
        pair("  description", credential_type.description.clone()),
        pair("  fields", fields.join(", ")),
        pair("  grant", credential_type.grant.name().to_owned()),
    ];
    for placement in &credential_type.placements {
        members.push(pair("  placement", placement.in_words()));
    }
    for endpoint in credential_type.grant.endpoints() {
        members.push(pair("  OAuth", endpoint.to_owned()));
    }
    match credential_type.scopes.as_slice() {
        [] => {}
        few if few.len() <= SCOPES => {
            let names = few.iter().map(|scope| &scope.name);
            members.push(pair("  scopes", join(names)));
        }
        many => {
            let name = &credential_type.name;
            let words = format!("{}; `inspect {name}` lists them", many.len());
            members.push(pair("  scopes", words));
        }
    }
    text.push_str(&key_texts(&members));
    text
}

fn slots_text(node: &Node) -> String {
    let slots: Vec<Vec<String>> = node
        .slots
        .iter()
        .map(|(name, slot)| {
            vec![name.clone(), slot.credential_types.join(", "), slot.description.clone()]
        })
        .collect();
    if slots.is_empty() {
        return String::new();
    }
    let table = wide_table(&["slot", "credential types", "for"], &slots);
    format!("\nCredential slots\n{table}")
}

/// A secret a row, however many answers have it.
fn secrets_text(node: &Node) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for secret in &node.secrets {
        if rows.iter().any(|row| row[0] == secret.name) {
            continue;
        }
        let of_name = node.secrets.iter().filter(|one| one.name == secret.name);
        let (answers, typed): (Vec<_>, Vec<_>) = of_name.partition(|one| one.path.is_some());
        let mut places = Vec::new();
        if !answers.is_empty() {
            places.push(format!("at {} in responses", count(answers.len(), "place")));
        }
        if !typed.is_empty() {
            places.push("typed by users".to_owned());
        }
        let description = secret.description.clone();
        rows.push(vec![secret.name.clone(), places.join(", "), description]);
    }
    if rows.is_empty() {
        return String::new();
    }
    let table = wide_table(&["secret", "where", "description"], &rows);
    format!("\nSecrets hidden from the plugin\n{table}")
}

/// Every group with its description and its operations.
fn groups_text(node: &Node, groups: &[Group<'_>]) -> String {
    let effects: Vec<String> = EFFECTS
        .iter()
        .filter_map(|one| {
            let number = node.actions.iter().filter(|action| action.effect == *one).count();
            (number > 0).then(|| format!("{number} {}", effect(*one)))
        })
        .collect();
    let mut text = format!(
        "\n{} in {}: {}\n",
        count(node.actions.len(), "action"),
        count(groups.len(), "resource"),
        effects.join(", ")
    );
    for group in groups {
        let title = if group.title == group.name {
            one_line(group.name)
        } else {
            format!("{} ({})", one_line(group.name), one_line(group.title))
        };
        text.push_str(&format!("\n{title}\n"));
        if !group.description.is_empty() {
            text.push_str(&points(group.description, "  ", "  ", READING));
        }
        for (prefix, operations) in group.operations() {
            let words = format!("{prefix}: {}", operations.join(", "));
            text.push_str(&points(&words, "  ", "    ", READING));
        }
    }
    text
}

/// One row per action; where the terminal is too narrow for that, two lines.
pub(super) fn actions_table<'a>(actions: impl Iterator<Item = &'a Action>) -> String {
    let rows: Vec<Vec<String>> = actions
        .map(|action| {
            let early = if action.early_access { " (early access)" } else { "" };
            vec![
                action.name.clone(),
                format!("{}{early}", action.title),
                effect(action.effect).to_owned(),
                idempotency(action.idempotency).to_owned(),
                scopes(action).join(", "),
            ]
        })
        .collect();
    let headers = ["name", "title", "effect", "idempotency", "scopes"];
    if fits(&headers, &rows, TITLE) {
        return wide_table(&headers, &rows);
    }
    let mut text = String::new();
    for row in &rows {
        let [name, title, facts @ ..] = row.as_slice() else { continue };
        let facts: Vec<&str> =
            facts.iter().map(String::as_str).filter(|fact| !fact.is_empty()).collect();
        let words = format!("{title} · {}", facts.join(", "));
        text.push_str(&format!("{}\n", one_line(name)));
        text.push_str(&points(&words, "    ", "    ", READING));
    }
    text
}

fn join<T: ToString>(list: impl IntoIterator<Item = T>) -> String {
    list.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}
