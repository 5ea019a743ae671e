//! `harness credential`: connects, shows, tests and removes credentials. Secrets go in and never
//! come out.

mod add;
mod secrets;

use std::sync::Arc;

use serde_json::{Value, json};
use workflow_node_host::store::{CredentialState, CredentialSummary, StoreKey};

use crate::approve::{ask_terminal, asked};
use crate::cli::{CredentialCommand, Report, TestArgs};
use crate::exit::{Exit, Failure, shell};
use crate::interrupt::Interrupt;
use crate::output::{self, key_texts, simple_table};
use crate::setup::{Setup, execution, load};
use crate::store::{self, LateStore};

pub(crate) async fn run(setup: &Setup, command: CredentialCommand) -> Result<Exit, Failure> {
    match command {
        CredentialCommand::Add(args) => add::run(setup, &args).await,
        CredentialCommand::List { format } => list(setup, format),
        CredentialCommand::Show { name, format } => show(setup, &name, format),
        CredentialCommand::Test(args) => test(setup, &args).await,
        CredentialCommand::Remove { name, yes, format } => remove(setup, &name, yes, format),
        CredentialCommand::KeyFile { file } => key_file(&file),
    }
}

fn list(setup: &Setup, format: Report) -> Result<Exit, Failure> {
    let path = store::path(setup);
    let is_there = workflow_node_host::store::CredentialStore::key_kind(&path)?.is_some();
    let credentials = if is_there { store::open(setup)?.list()? } else { Vec::new() };
    match format {
        Report::Json => output::stdout_report(&credentials)?,
        Report::Text if credentials.is_empty() => {
            output::stderr(
                "There are no credentials: harness credential add NAME --plugin PLUGIN …\n",
            );
        }
        Report::Text => {
            let rows: Vec<Vec<String>> = credentials
                .iter()
                .map(|one| {
                    let used =
                        one.last_used.as_ref().map_or("never".to_owned(), |last| time(last.at));
                    vec![
                        one.name.clone(),
                        one.node.clone(),
                        one.credential_type.clone(),
                        state(&one.state),
                        used,
                    ]
                })
                .collect();
            output::stdout(&simple_table(&["name", "node", "type", "state", "last used"], &rows))?;
        }
    }
    Ok(Exit::Success)
}

fn show(setup: &Setup, name: &str, format: Report) -> Result<Exit, Failure> {
    let summary = store::open(setup)?.summary(name)?;
    match format {
        Report::Json => output::stdout_report(&summary)?,
        Report::Text => output::stdout(&summary_text(&summary))?,
    }
    Ok(Exit::Success)
}

pub(super) fn summary_text(summary: &CredentialSummary) -> String {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    let mut members = vec![
        pair("Name", summary.name.clone()),
        pair("Node", summary.node.clone()),
        pair("Type", summary.credential_type.clone()),
        pair("State", state(&summary.state)),
    ];
    for (name, value) in &summary.fields {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        members.push(pair(&format!("Field {name}"), value));
    }
    let audiences: Vec<String> =
        summary.configuration.audiences.iter().map(ToString::to_string).collect();
    members.push(pair("Sent to", audiences.join(", ")));
    if let Some(scopes) = &summary.granted_scopes {
        members.push(pair("Scopes", scopes.join(", ")));
    }
    members.push(pair("Connected", time(summary.created_at)));
    members.push(pair(
        "Last used",
        summary
            .last_used
            .as_ref()
            .map_or("never".to_owned(), |last| format!("{} by {}", time(last.at), last.by)),
    ));
    members.push(pair("Secrets", "sealed; never shown".to_owned()));
    key_texts(&members)
}

fn state(state: &CredentialState) -> String {
    match state {
        CredentialState::Connected => "connected".to_owned(),
        CredentialState::Reconnect { reason } => format!("connect it again: {reason}"),
        _ => "unknown".to_owned(),
    }
}

fn time(milliseconds: u64) -> String {
    let milliseconds = i64::try_from(milliseconds).unwrap_or_default();
    let time = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    format!("{time:.0}")
}

async fn test(setup: &Setup, args: &TestArgs) -> Result<Exit, Failure> {
    let store = Arc::new(LateStore::default());
    let host = setup.host(&args.network, Some(store.clone()))?;
    let plugin = load(&host, &args.plugin).await?;
    let path = args.plugin.display().to_string();
    let of_plugin = |error| Failure::of(&error, &path);
    plugin.check_approval().map_err(of_plugin)?;
    store.open(setup)?.summary(&args.name)?;
    let interrupt = Interrupt::listen();
    let mut context = execution("credential.test", &args.network);
    context.cancellation = interrupt.token();
    let answer = plugin.test_credential(&args.name, &context).await.map_err(of_plugin)?;
    let identity = answer.map_err(|error| {
        let exit = match error.kind {
            "unauthenticated" | "forbidden" => Exit::Credential,
            _ => Exit::Failed,
        };
        Failure::answered(exit, error)
    })?;
    match args.format {
        Report::Json => output::stdout_report(&identity)?,
        Report::Text => output::stdout(&identity_text(&identity))?,
    }
    Ok(Exit::Success)
}

/// A document of the contract's `identity.json`.
fn identity_text(identity: &Value) -> String {
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

fn remove(setup: &Setup, name: &str, yes: bool, format: Report) -> Result<Exit, Failure> {
    let store = store::open(setup)?;
    store.summary(name)?;
    if !yes {
        if !ask_terminal() {
            let message = "nobody can be asked here: without a terminal removing needs --yes";
            return Err(Failure::input("confirmation", message)
                .next(format!("harness credential remove {} --yes", shell(name))));
        }
        if !asked(&format!("Remove the credential {name}? [y/N] "))? {
            return Err(Failure::input("confirmation", "not removed"));
        }
    }
    store.remove(name)?;
    match format {
        Report::Json => output::stdout_report(&json!({ "removed": name }))?,
        Report::Text => output::stdout(&format!("Removed {name}.\n"))?,
    }
    Ok(Exit::Success)
}

fn key_file(file: &std::path::Path) -> Result<Exit, Failure> {
    StoreKey::generate_key_file(file)
        .map_err(|error| Failure::input("key-file", error.to_string()))?;
    let file = shell(&file.display().to_string());
    output::stdout(&format!(
        "A new key is in {file}, for you alone. Keep it away from the credential store, and keep a \
         copy: without it the store stays shut.\nUse it: export WORKFLOW_NODE_KEY_FILE={file}\n"
    ))?;
    Ok(Exit::Success)
}
