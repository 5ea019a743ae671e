//! `harness config diff`: where the store differs from a configuration file of the server.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use workflow_node_host::credential::CredentialId;
use workflow_node_host::store::SqliteStore;
use workflow_node_host::{Digest, FileApprovals, Tenant, Withheld, chain};
use workflow_node_server::drift::{Difference, differences};
use workflow_node_server::{ApprovalConfig, Config, Database, ServerKeys};

use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::output;
use crate::setup::Setup;
use crate::store;

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Compare a configuration file of the server with what is stored: plugins by digest, approvals,
    /// policies of tokens, destinations of events, credentials
    #[command(after_help = "Examples:
  harness config diff --config serve.toml
  harness config diff --config serve.toml --format json    in CI

Changes nothing. Exit code 0: no difference; 1: differences; 2: the file cannot be used. Destinations \
and credentials are compared if the key of the credential store is at hand.")]
    Diff(DiffArgs),
}

#[derive(Args)]
pub(crate) struct DiffArgs {
    /// Configuration file of the server (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Report,
}

impl ConfigCommand {
    pub(crate) fn format(&self) -> Report {
        match self {
            Self::Diff(args) => args.format,
        }
    }
}

pub(crate) async fn run(setup: &Setup, command: ConfigCommand) -> Result<Exit, Failure> {
    let ConfigCommand::Diff(args) = command;
    let config = Config::read_with(Some(&args.config), std::env::vars_os())?;
    let store = opened(setup, &config)?;
    let mut all = Vec::new();
    plugins(setup, &config, &mut all).await?;
    if setup.data.join("server.db").exists() {
        let database = Database::open(&setup.data)?;
        let keys = store.as_ref().map(ServerKeys::of);
        all.extend(differences(&config, &database, keys.as_ref())?);
    }
    match &store {
        Some(store) => credentials(store, &config, &mut all)?,
        None if !config.credentials.is_empty() => all.push(Difference::new(
            "credentials-unknown",
            "credentials.db",
            Value::Null,
            Value::Null,
            "The declared credentials cannot be compared without the key of the credential store. Name \
             the key.",
        )),
        None => {}
    }
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "drift": !all.is_empty(),
            "differences": all,
        }))?,
        Report::Text => {
            for one in &all {
                output::stdout(&format!("{}: {}\n", one.kind, one.message))?;
            }
            output::stderr(&format!("{}\n", output::count(all.len(), "difference")));
        }
    }
    Ok(if all.is_empty() { Exit::Success } else { Exit::Failed })
}

/// The credential store, if it is there and its key is at hand. Asks nobody.
fn opened(setup: &Setup, config: &Config) -> Result<Option<SqliteStore>, Failure> {
    let mut setup = setup.clone();
    if setup.key_file.is_none() && setup.key_reference.is_none() {
        setup.key_reference.clone_from(&config.key);
    }
    let is_named = setup.key_file.is_some()
        || setup.key_reference.is_some()
        || setup.keyring
        || std::env::var_os("WORKFLOW_NODE_KEY").is_some_and(|key| !key.is_empty());
    match is_named && store::path(&setup).exists() {
        true => store::open(&setup).map(Some),
        false => Ok(None),
    }
}

/// The declared plugins and approvals.
async fn plugins(setup: &Setup, config: &Config, all: &mut Vec<Difference>) -> Result<(), Failure> {
    let failed = |error| Failure::input("approvals", chain(&error));
    let approvals = FileApprovals::new(&setup.approvals);
    let (recorded, disabled) = approvals.list().await.map_err(failed)?;
    for plugin in &config.plugins {
        let (file, digest) = (plugin.file.display().to_string(), plugin.digest.to_string());
        match std::fs::read(&plugin.file) {
            Ok(bytes) if Digest::of(&bytes) == plugin.digest => {}
            Ok(bytes) => {
                let found = Digest::of(&bytes).to_string();
                all.push(Difference::new(
                    "plugin-digest",
                    &file,
                    json!(digest),
                    json!(found),
                    format!(
                        "{file} has the digest {found}, and the file declares {digest}. The server does \
                         not start. Review the component, and declare its digest."
                    ),
                ));
            }
            Err(error) => all.push(Difference::new(
                "plugin-file",
                &file,
                json!(digest),
                Value::Null,
                format!("{file} cannot be read: {error}. Put the component there."),
            )),
        }
        let found = recorded.iter().rev().find(|one| one.digest == plugin.digest);
        let found = found.map(|approval| approval.withheld.clone());
        all.extend(approval(&file, &digest, plugin.approval.as_ref(), found));
        let is_off = |one: &&workflow_node_host::Disabled| match recorded
            .iter()
            .rev()
            .find(|approval| approval.digest == plugin.digest)
        {
            Some(approval) => one.plugin.names(&plugin.digest, &approval.grant.node),
            None => one.plugin.names(&plugin.digest, ""),
        };
        if let Some(off) = disabled.iter().find(is_off) {
            all.push(Difference::new(
                "plugin-disabled",
                &file,
                json!(digest),
                json!(off.plugin.to_string()),
                format!(
                    "`{0}` is disabled, so that nothing of it runs. To enable it: harness plugin enable \
                     {0}",
                    off.plugin
                ),
            ));
        }
    }
    for approval in &recorded {
        if !config.plugins.iter().any(|plugin| plugin.digest == approval.digest) {
            all.push(Difference::new(
                "approval-undeclared",
                &approval.grant.node,
                Value::Null,
                json!(approval.digest.to_string()),
                format!(
                    "{} of `{}` is approved, and the file does not declare it.",
                    approval.digest, approval.grant.node
                ),
            ));
        }
    }
    Ok(())
}

/// The difference between a declared approval and the one that is recorded.
fn approval(
    file: &str,
    digest: &str,
    declared: Option<&ApprovalConfig>,
    found: Option<Withheld>,
) -> Option<Difference> {
    match (declared, found) {
        (Some(declared), Some(found)) if declared.withheld == found => None,
        (None, Some(_)) => None,
        (Some(declared), Some(found)) => Some(Difference::new(
            "approval-withheld",
            file,
            json!(declared.withheld),
            json!(found),
            format!(
                "The approval of {digest} withholds something else than the file declares. Restart the \
                 server to record what the file declares."
            ),
        )),
        (Some(declared), None) => Some(Difference::new(
            "approval-missing",
            file,
            json!(declared.withheld),
            Value::Null,
            format!(
                "The approval of {digest} is declared and not recorded yet. Start the server to record \
                 it."
            ),
        )),
        (None, None) => Some(Difference::new(
            "approval-missing",
            file,
            Value::Null,
            Value::Null,
            format!(
                "{digest} is neither approved nor declared to be. To approve it: harness approve {}",
                shell(file)
            ),
        )),
    }
}

/// The declared credentials.
fn credentials(
    store: &SqliteStore,
    config: &Config,
    all: &mut Vec<Difference>,
) -> Result<(), Failure> {
    let stored = store.list()?;
    for one in &config.credentials {
        let tenant = one.tenant.clone().map(Tenant::from).unwrap_or_default();
        let id = CredentialId::of(tenant, &one.name);
        let found = stored.iter().find(|found| found.tenant == id.tenant && found.name == id.name);
        let declared = json!({
            "plugin": one.plugin,
            "type": one.credential_type,
            "mode": one.mode,
            "secrets": one.secrets,
        });
        let Some(found) = found else {
            all.push(Difference::new(
                "credential-missing",
                id.to_string(),
                declared,
                Value::Null,
                format!("The credential `{id}` is declared and not connected. Start the server."),
            ));
            continue;
        };
        let stored = json!({
            "plugin": found.node,
            "type": found.credential_type,
            "mode": found.mode,
            "secrets": found.references,
        });
        let has_fields = one
            .fields
            .iter()
            .all(|(name, value)| found.fields.get(name).is_some_and(|found| found == value));
        if declared != stored || !has_fields || one.allowed_actions != found.allowed_actions {
            all.push(Difference::new(
                "credential-changed",
                id.to_string(),
                declared,
                stored,
                format!(
                    "The credential `{id}` was declared otherwise when the server has started. Restart \
                     it to use the file."
                ),
            ));
        }
    }
    Ok(())
}
