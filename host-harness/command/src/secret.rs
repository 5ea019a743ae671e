//! `harness secret`: secrets that parameters take by name, so that no workflow holds them.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use workflow_node_host::Secret;
use workflow_node_host::credential::InvalidReference;
use workflow_node_server::{Database, SecretValue, Secrets, ServerKeys};

use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::output::{self, simple_table};
use crate::prompt::{ask, can_ask};
use crate::setup::Setup;
use crate::store;

#[derive(Subcommand)]
pub(crate) enum SecretCommand {
    /// Store a secret of the acting user, or replace it. Parameters take it as secret:NAME
    #[command(after_help = "Examples:
  harness secret set hook-password                          prompts for the secret
  harness secret set hook-password --from hook.txt
  harness --tenant acme --as n8n secret set hook-password --from -
  harness secret set hook-password --reference 'exec:[\"op\",\"read\",\"op://vault/hook/password\"]'

A parameter that a plugin marks as a secret then takes secret:hook-password over the server.")]
    Set {
        /// Name of the secret
        name: String,
        /// File with the secret, or `-` for standard input [default: a prompt]
        #[arg(long, value_name = "FILE|-", conflicts_with = "reference")]
        from: Option<PathBuf>,
        /// Where the server reads the secret for each call, if it is kept elsewhere: file:/path,
        /// env:VARIABLE, or exec:["program","argument"]
        #[arg(long, value_name = "REFERENCE")]
        reference: Option<String>,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// List the secrets of the acting user by name. The secrets themselves are never shown
    List {
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Remove a secret of the acting user. Calls that name it fail from then on
    Remove {
        /// Name of the secret
        name: String,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
}

impl SecretCommand {
    pub(crate) fn format(&self) -> Report {
        match self {
            Self::Set { format, .. } | Self::List { format } | Self::Remove { format, .. } => {
                *format
            }
        }
    }
}

pub(crate) fn run(setup: &Setup, command: SecretCommand) -> Result<Exit, Failure> {
    let by = &setup.principal;
    match command {
        SecretCommand::Set { name, from, reference, format } => {
            let value = match reference {
                Some(reference) => SecretValue::Reference(reference.parse().map_err(
                    |error: InvalidReference| Failure::input("secret", error.to_string()),
                )?),
                None => SecretValue::Text(read(&name, from)?),
            };
            secrets(setup)?.set(by, &name, &value)?;
            match format {
                Report::Json => output::stdout_report(&json!({ "secret": name, "stored": true }))?,
                Report::Text => {
                    output::stdout(&format!("Stored. Parameters take it as secret:{name}\n"))?;
                }
            }
        }
        SecretCommand::List { format } => {
            let all = secrets(setup)?.list(by)?;
            if format == Report::Json {
                output::stdout_report(&all)?;
                return Ok(Exit::Success);
            }
            let row = |one: &workflow_node_server::SecretRecord| {
                let from = one.reference.as_ref().map(|reference| format!("read from {reference}"));
                vec![one.name.clone(), from.unwrap_or_default()]
            };
            let rows: Vec<Vec<String>> = all.iter().map(row).collect();
            if !rows.is_empty() {
                output::stdout(&simple_table(&["name", "kept elsewhere"], &rows))?;
            }
            output::stderr(&format!("{}\n", output::count(rows.len(), "secret")));
        }
        SecretCommand::Remove { name, format } => {
            if !secrets(setup)?.remove(by, &name)? {
                let message = format!("Secret `{name}` not found for {by}");
                return Err(Failure::input("unknown", message).next("harness secret list"));
            }
            match format {
                Report::Json => output::stdout_report(&json!({ "secret": name, "removed": true }))?,
                Report::Text => output::stdout("Removed.\n")?,
            }
        }
    }
    Ok(Exit::Success)
}

fn secrets(setup: &Setup) -> Result<Secrets, Failure> {
    let keys = ServerKeys::of(&store::open_or_make(setup)?);
    Ok(Secrets::new(Database::open(&setup.data)?, &keys))
}

/// Reads a secret from a file, standard input, or a prompt: one line, whose end is not part of it.
fn read(name: &str, from: Option<PathBuf>) -> Result<Secret, Failure> {
    /// More than a secret may have.
    const MOST: u64 = 64 * 1024;
    let Some(path) = from else {
        if can_ask() {
            return ask(&format!("{name}: "));
        }
        let message = "Cannot prompt for the secret without a terminal";
        return Err(Failure::input("secret", message).next(format!(
            "pass it with --from - (standard input) or --from FILE: harness secret set {} --from FILE",
            shell(name)
        )));
    };
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().lock().take(MOST).read_to_string(&mut text),
        _ => std::fs::File::open(&path).and_then(|file| file.take(MOST).read_to_string(&mut text)),
    };
    read.map_err(|error| {
        Failure::input("unreadable", format!("Cannot read {}: {error}", path.display()))
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Secret::new(text))
}
