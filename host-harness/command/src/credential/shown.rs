//! Credentials as people and programs see them.

use serde_json::Value;
use workflow_node_host::credential::{CredentialStatus, CredentialSummary, Mode};
use workflow_node_host::oauth::{NewConnection, Right};
use workflow_node_host::{Identity, User};

use crate::exit::{Exit, Failure};
use crate::flags::Report;
use crate::output::{self, READING, key_texts, simple_table, wrapped};
use crate::setup::Setup;
use crate::store;

pub(super) fn list(setup: &Setup, format: Report) -> Result<Exit, Failure> {
    let path = store::path(setup);
    let is_there = workflow_node_host::store::SqliteStore::key_kind(&path)?.is_some();
    let mut credentials = if is_there { store::open(setup)?.list()? } else { Vec::new() };
    credentials.retain(|one| one.tenant == setup.principal.tenant);
    match format {
        Report::Json => output::stdout_report(&credentials)?,
        Report::Text if credentials.is_empty() => {
            output::stderr(
                "No credentials. To connect one: harness credential connect NAME --plugin PLUGIN \
                 …\n",
            );
        }
        Report::Text => {
            let with_users = credentials.iter().any(|one| one.mode == Mode::PerUser);
            let mut columns =
                vec!["name", "node", "type", "mode", "status", "account", "last used"];
            if with_users {
                columns.insert(1, "user");
            }
            let rows: Vec<Vec<String>> = credentials
                .iter()
                .map(|one| {
                    let used =
                        one.last_used.as_ref().map_or("never".to_owned(), |last| time(last.at));
                    let mut row = vec![
                        one.name.clone(),
                        one.node.clone(),
                        one.credential_type.clone(),
                        one.mode.to_string(),
                        one.status.as_str().replace('-', " "),
                        account(one),
                        used,
                    ];
                    if with_users {
                        row.insert(1, one.user.as_ref().map(User::to_string).unwrap_or_default());
                    }
                    row
                })
                .collect();
            output::stdout(&simple_table(&columns, &rows))?;
        }
    }
    Ok(Exit::Success)
}

pub(super) fn show(setup: &Setup, name: &str, format: Report) -> Result<Exit, Failure> {
    let mut summaries = store::open(setup)?.summaries(setup.credential(name))?;
    if setup.is_named {
        let user = Some(&setup.principal.user);
        summaries.retain(|one| one.mode != Mode::PerUser || one.user.as_ref() == user);
    }
    match (format, summaries.as_slice()) {
        (Report::Json, [one]) => output::stdout_report(one)?,
        (Report::Json, all) => output::stdout_report(&all)?,
        (Report::Text, all) => {
            let texts: Vec<String> = all.iter().map(summary_text).collect();
            output::stdout(&texts.join("\n"))?;
        }
    }
    Ok(Exit::Success)
}

/// The account at the service, in a few words.
fn account(summary: &CredentialSummary) -> String {
    let text = |name: &str| summary.identity.get(name).and_then(Value::as_str);
    ["subdomain", "account", "user", "account_id"]
        .into_iter()
        .find_map(text)
        .unwrap_or("")
        .to_owned()
}

pub(super) fn summary_text(summary: &CredentialSummary) -> String {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    let mut members = vec![pair("Name", summary.name.clone())];
    if !summary.description.is_empty() {
        members.push(pair("For", summary.description.clone()));
    }
    members.push(pair("Node", summary.node.clone()));
    members.push(pair("Type", summary.credential_type.clone()));
    members.push(pair("Status", status(&summary.status)));
    members.push(pair("Mode", mode(summary)));
    if let Some(owner) = summary.owner.as_ref().filter(|owner| !owner.is_default()) {
        members.push(pair("Owner", owner.to_string()));
    }
    if let Some(user) = &summary.user {
        members.push(pair("User", user.to_string()));
    }
    if let Some(actions) = &summary.allowed_actions {
        let list: Vec<&str> = actions.iter().map(String::as_str).collect();
        members.push(pair("Allowed for", list.join(", ")));
    }
    // Lists, such as an audience, say nothing to people; programs get them.
    for (name, value) in summary.identity.iter().filter(|(_, value)| !value.is_array()) {
        members.push(pair(&capital(name), words(value)));
    }
    for (name, value) in &summary.fields {
        members.push(pair(&format!("Field {name}"), words(value)));
    }
    for (name, reference) in &summary.references {
        members.push(pair(&format!("Secret {name}"), format!("read from {reference}")));
    }
    if let Some(configuration) = &summary.configuration {
        let audiences: Vec<String> =
            configuration.audiences.iter().map(ToString::to_string).collect();
        members.push(pair("Sent to", audiences.join(", ")));
    }
    if let Some(scopes) = &summary.granted_scopes {
        members.push(pair("May", scopes.join(", ")));
    }
    if let (Some(asked), Some(granted)) = (&summary.asked_scopes, &summary.granted_scopes) {
        let missing: Vec<&str> =
            asked.iter().filter(|one| !granted.contains(one)).map(String::as_str).collect();
        if !missing.is_empty() {
            members.push(pair("Not granted", missing.join(", ")));
        }
    }
    if let Some(at) = summary.expires_at {
        members.push(pair("Token expires", time(at)));
    }
    if let Some(at) = summary.connected_at {
        members.push(pair("Connected", time(at)));
    }
    members.push(pair(
        "Last used",
        summary
            .last_used
            .as_ref()
            .map_or("never".to_owned(), |last| format!("{} by {}", time(last.at), last.by)),
    ));
    if !summary.dependants.is_empty() {
        let list: Vec<&str> = summary.dependants.iter().map(|one| one.workflow.as_str()).collect();
        members.push(pair("Used by", list.join(", ")));
    }
    members.push(pair("Secrets", "sealed; never shown".to_owned()));
    key_texts(&members)
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// `account_id` as `Account id`.
fn capital(name: &str) -> String {
    let name = name.replace('_', " ");
    let mut characters = name.chars();
    characters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

fn mode(summary: &CredentialSummary) -> String {
    match summary.mode {
        Mode::Private => "private: only its owner can use it",
        Mode::Shared => "shared: every workflow that names it can use it; nobody can read it",
        Mode::PerUser => "per user: each user connects a separate account",
    }
    .to_owned()
}

pub(super) fn status(status: &CredentialStatus) -> String {
    match status {
        CredentialStatus::Connected => "connected".to_owned(),
        CredentialStatus::Expiring { at } => {
            format!("expiring: reconnect before {}", time(*at))
        }
        CredentialStatus::NeedsReconnect { reason } => format!("needs reconnect: {reason}"),
        CredentialStatus::RefreshOutcomeUnknown { reason, .. } => {
            format!("refresh outcome unknown: {reason}")
        }
        CredentialStatus::Disconnected => "disconnected".to_owned(),
        _ => "unknown".to_owned(),
    }
}

pub(super) fn time(milliseconds: u64) -> String {
    let milliseconds = i64::try_from(milliseconds).unwrap_or_default();
    let time = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    format!("{time:.0}")
}

/// A document of the contract's `identity.json`.
pub(super) fn identity_text(identity: &Identity) -> String {
    let identity = serde_json::to_value(identity).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut members = vec![("Works".to_owned(), text(&identity["summary"]))];
    for (key, name) in [("account", "Account"), ("user", "User")] {
        if let Some(of) = identity[key].as_object() {
            let parts: Vec<String> =
                of.iter().map(|(key, value)| format!("{key} {}", text(value))).collect();
            members.push((name.to_owned(), parts.join(", ")));
        }
    }
    for (key, name) in [("region", "Region"), ("access", "Access")] {
        if !identity[key].is_null() {
            members.push((name.to_owned(), text(&identity[key])));
        }
    }
    if let Some(abilities) = identity["abilities"].as_array().filter(|list| !list.is_empty()) {
        let list: Vec<String> = abilities.iter().map(text).collect();
        members.push(("Abilities".to_owned(), list.join(", ")));
    }
    for warning in identity["warnings"].as_array().into_iter().flatten() {
        members.push(("Warning".to_owned(), text(warning)));
    }
    key_texts(&members)
}

/// List of permissions, each with its purpose.
pub(super) fn rights_text(rights: &[Right]) -> String {
    rights.iter().map(|right| point(&right_words(right))).collect()
}

/// `See incidents. (incidents.read, for incident.get, incident.list and 3 more)`
fn right_words(right: &Right) -> String {
    const SHOWN: usize = 4;
    let mut words = if right.description.is_empty() {
        right.scope.clone()
    } else {
        format!("{} ({}", right.description.trim_end_matches('.'), right.scope)
    };
    if !right.actions.is_empty() {
        let shown: Vec<&str> = right.actions.iter().take(SHOWN).map(String::as_str).collect();
        words.push_str(&format!(", for {}", shown.join(", ")));
        if right.actions.len() > SHOWN {
            words.push_str(&format!(" and {} more", right.actions.len() - SHOWN));
        }
    }
    if !right.description.is_empty() {
        words.push(')');
    }
    words
}

/// More actions that will not work are not read; `--format json` has them all.
const BLOCKED: usize = 20;

/// Permissions that were granted and that are missing, after connecting.
pub(super) fn outcome_text(connection: &NewConnection) -> String {
    let mut text = String::new();
    if !connection.granted.is_empty() {
        text.push_str("Granted\n");
        text.push_str(&rights_text(&connection.granted));
    }
    if !connection.missing.is_empty() {
        text.push_str("Not granted\n");
        text.push_str(&rights_text(&connection.missing));
    }
    if !connection.missing.is_empty() && !connection.blocked.is_empty() {
        let names = connection.blocked.iter().map(|(name, _)| name.as_str());
        let mut words = names.take(BLOCKED).collect::<Vec<_>>().join(", ");
        if let Some(more) = connection.blocked.len().checked_sub(BLOCKED).filter(|more| *more > 0) {
            words.push_str(&format!(" and {more} more"));
        }
        text.push_str("These actions will not work\n");
        text.push_str(&point(&words));
    }
    if connection.granted.is_empty() && !connection.missing.is_empty() {
        text.push_str(
            "None of the requested scopes were granted. Some services silently ignore scopes that \
             they do not know or that the app is not registered for. Check the registration of the \
             app, and whether its type supports these scopes.\n",
        );
    }
    for warning in &connection.warnings {
        text.push_str(&format!("Note: {warning}\n"));
    }
    text
}

pub(super) fn point(words: &str) -> String {
    let lines = wrapped(words, READING - 4);
    format!("  {}\n", lines.join("\n    "))
}
