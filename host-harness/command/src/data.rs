//! `harness data`: removes, copies, and restores what the server and the credential store keep.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use workflow_node_host::store::Purge as StorePurge;
use workflow_node_server::data::{self, Purge, Stopped};
use workflow_node_server::{AuditEntry, AuditQuery, Database, read_audit};

use crate::exit::{Exit, Failure};
use crate::flags::Report;
use crate::output;
use crate::prompt::{ask_terminal, asked};
use crate::setup::Setup;
use crate::store;

#[derive(Subcommand)]
pub(crate) enum DataCommand {
    /// Show who has asked the server for what, also while the server runs
    #[command(after_help = "Examples:
  harness data audit --since 2026-01-31
  harness --tenant acme data audit --actor ada --since 2026-01-31T12:00:00Z --format jsonl

Without --tenant and --actor, it shows all tenants. The server keeps entries for 90 days, and at most \
500,000 (limits audit_retention_ms and audit_entries). Its log holds the same, and each request of a \
plugin as well.")]
    Audit(AuditArgs),
    /// Remove all data of a tenant or a user, or what ended before a time
    #[command(after_help = "Examples:
  harness data purge --tenant acme --yes            everything of a tenant
  harness data purge --tenant acme --actor ada      everything of a user
  harness data purge --before 2026-01-31            results, events, and deliveries that are older

Stop the server first. Credentials are removed here and not revoked at the service, and webhooks stay \
at the service: disconnect credentials and remove subscriptions before, where that matters. Backups \
and logs are not changed.")]
    Purge(PurgeArgs),
    /// Copy the data of the server into a new directory, also while the server runs
    #[command(after_help = "Example:
  harness data backup --to backups/2026-01-31

The copy holds tokens (as hashes), executions with results and journals, subscriptions, events, \
credentials, the audit record, approvals, and installed plugins. It does not hold the key of the \
credential store: keep a copy of the key in another place.")]
    Backup {
        /// Directory for the copy. It must be empty, or not exist
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Put a backup back into the data directory. Stop the server first
    #[command(after_help = "Example:
  harness data restore --from backups/2026-01-31 --replace

Executions that had not ended when the backup was made may have gone on since then. They go on from \
their journals without changing anything at services: an item whose outcome is not in the backup ends \
as outcome-unknown.")]
    Restore {
        /// Directory of the backup
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Replace the data that is there
        #[arg(long)]
        replace: bool,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
}

/// How `data audit` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lines {
    /// For people
    #[default]
    Text,
    /// One JSON object on each line
    Jsonl,
}

#[derive(Args)]
pub(crate) struct AuditArgs {
    /// Only entries from this date or time on, e.g. 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only entries before this date or time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only entries of this user of the tenant
    #[arg(long, value_name = "USER")]
    actor: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Lines,
}

#[derive(Args)]
pub(crate) struct PurgeArgs {
    /// Remove only what belongs to this user of the tenant
    #[arg(long, value_name = "USER")]
    actor: Option<String>,
    /// Remove only what ended or arrived before this date or time, e.g. 2026-01-31 or
    /// 2026-01-31T12:00:00Z. Credentials, subscriptions, secrets, and tokens stay
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// Do not prompt for confirmation
    #[arg(long, short)]
    yes: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Report,
}

impl DataCommand {
    pub(crate) fn format(&self) -> Report {
        match self {
            Self::Purge(args) => args.format,
            Self::Backup { format, .. } | Self::Restore { format, .. } => *format,
            Self::Audit(args) => match args.format {
                Lines::Text => Report::Text,
                Lines::Jsonl => Report::Json,
            },
        }
    }
}

pub(crate) fn run(setup: &Setup, command: DataCommand) -> Result<Exit, Failure> {
    match command {
        DataCommand::Purge(args) => purge(setup, &args),
        DataCommand::Audit(args) => audit(setup, &args),
        DataCommand::Backup { to, format } => {
            let backup = data::back_up(&setup.data, &to)?;
            match format {
                Report::Json => output::stdout_report(&backup)?,
                Report::Text => output::stdout(&format!(
                    "Copied {} to {}.\n",
                    output::count(backup.files.len(), "file"),
                    to.display()
                ))?,
            }
            Ok(Exit::Success)
        }
        DataCommand::Restore { from, replace, format } => {
            let backup = data::restore(&setup.data, &from, replace)?;
            match format {
                Report::Json => output::stdout_report(&backup)?,
                Report::Text => output::stdout(&format!(
                    "Restored {} into {}.\n",
                    output::count(backup.files.len(), "file"),
                    setup.data.display()
                ))?,
            }
            Ok(Exit::Success)
        }
    }
}

fn purge(setup: &Setup, args: &PurgeArgs) -> Result<Exit, Failure> {
    let tenant =
        (setup.names_tenant || args.actor.is_some()).then(|| setup.principal.tenant.to_string());
    let before = args.before.as_deref().map(time).transpose()?;
    if tenant.is_none() && before.is_none() {
        let message = "Nothing says what to remove";
        return Err(Failure::input("usage", message)
            .next("add --tenant TENANT, --actor USER, or --before TIME"));
    }
    let whose = match (&tenant, &args.actor) {
        (Some(tenant), Some(actor)) => format!("of the user {actor} in the tenant {tenant}"),
        (Some(tenant), None) => format!("of the tenant {tenant}"),
        (None, _) => "of all tenants".to_owned(),
    };
    let what = match &args.before {
        Some(before) => format!("what ended or arrived before {before}, {whose}"),
        None => format!("all data {whose}, credentials included"),
    };
    if !args.yes {
        if !ask_terminal() {
            let message = "Cannot prompt for confirmation without a terminal";
            return Err(Failure::input("confirmation", message).next("add --yes"));
        }
        if !asked(&format!("Remove {what}?"))? {
            return Err(Failure::input("confirmation", "Canceled; nothing was removed"));
        }
    }
    // The store needs a key, and is opened before anything is removed.
    let credentials = store::path(setup).exists().then(|| store::open(setup)).transpose()?;
    let mut of_server = Purge::default();
    of_server.tenant.clone_from(&tenant);
    of_server.actor.clone_from(&args.actor);
    of_server.before = before;
    // The clients of `harness mcp` have a separate database.
    let directories = [setup.data.clone(), setup.data.join(crate::mcp::DIRECTORY)];
    let there = directories.iter().filter(|directory| directory.join("server.db").exists());
    let databases = there.map(Database::open).collect::<Result<Vec<_>, _>>()?;
    // No server starts before everything is removed.
    let stopped = Stopped::lock(databases)?;
    let server = stopped.purge(&of_server)?;
    let mut of_store = StorePurge::default();
    of_store.tenant = tenant.map(Into::into);
    of_store.user = args.actor.clone().map(Into::into);
    of_store.before = before;
    let purged = credentials.map(|store| store.purge(&of_store)).transpose()?.unwrap_or_default();
    drop(stopped);
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "executions": server.executions,
            "journals": server.journals,
            "events": server.events + purged.received,
            "subscriptions": server.subscriptions.max(purged.subscriptions),
            "connections": server.connections,
            "secrets": server.secrets,
            "tokens": server.tokens,
            "audit": server.audit,
            "credentials": purged.credentials,
        }))?,
        Report::Text => {
            output::stdout(&format!("Removed {what}:\n"))?;
            for (count, name) in [
                (server.executions, "execution"),
                (server.journals, "journal"),
                (server.events + purged.received, "event or delivery"),
                (server.subscriptions.max(purged.subscriptions), "subscription"),
                (server.connections, "pending connection"),
                (server.secrets, "secret"),
                (server.tokens, "token"),
                (server.audit, "audit entry"),
                (purged.credentials, "credential"),
            ] {
                output::stdout(&format!("  {count:>6} {name}\n"))?;
            }
        }
    }
    Ok(Exit::Success)
}

fn audit(setup: &Setup, args: &AuditArgs) -> Result<Exit, Failure> {
    if !setup.data.join("server.db").exists() {
        let message = format!("No server has used the data directory {}", setup.data.display());
        return Err(Failure::input("no-server", message).next("name it with --data-dir"));
    }
    let mut query = AuditQuery::default();
    query.since = args.since.as_deref().map(time).transpose()?;
    query.until = args.until.as_deref().map(time).transpose()?;
    query.tenant =
        (setup.names_tenant || args.actor.is_some()).then(|| setup.principal.tenant.to_string());
    query.actor.clone_from(&args.actor);
    let mut lines = output::JsonLines::default();
    read_audit::<Failure>(&Database::open(&setup.data)?, &query, |entry| match args.format {
        Lines::Text => output::stdout(&in_words(&entry)),
        Lines::Jsonl => {
            lines.push(&entry)?;
            if lines.are_many() { lines.write() } else { Ok(()) }
        }
    })?;
    if !lines.is_empty() {
        lines.write()?;
    }
    Ok(Exit::Success)
}

/// An entry of the audit record as a line for people.
fn in_words(entry: &AuditEntry) -> String {
    let at = i64::try_from(entry.at).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    let at = at.unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ");
    let who = match (&entry.tenant, &entry.actor) {
        (Some(tenant), Some(actor)) => format!("{tenant}/{actor}"),
        _ => "nobody".to_owned(),
    };
    let token = entry.token_name.as_ref().map(|name| format!(" (token {name})"));
    let session = entry.session.as_ref().map(|session| format!(" (session {session})"));
    let execution = entry.execution.as_ref().map(|id| format!(" {id}"));
    let parts = [token, session].into_iter().flatten().collect::<String>();
    let what = output::one_line(&format!("{}{}", entry.what, execution.unwrap_or_default()));
    format!("{at}  {who}{parts}  {}  {what}  {}\n", entry.kind, entry.result)
}

/// Milliseconds since 1970.
fn time(text: &str) -> Result<u64, Failure> {
    let wrong = || {
        Failure::input("usage", format!("`{text}` is not a date or a time"))
            .next("write it as 2026-01-31 (UTC) or 2026-01-31T12:00:00Z")
    };
    let at: Result<jiff::Timestamp, _> = match text.contains('T') {
        true => text.parse(),
        false => format!("{text}T00:00:00Z").parse(),
    };
    u64::try_from(at.map_err(|_| wrong())?.as_millisecond()).map_err(|_| wrong())
}
