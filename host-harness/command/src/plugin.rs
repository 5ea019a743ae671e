//! `harness plugin`: installs builds of plugins, goes back to earlier ones, and disables plugins.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use workflow_node_host::{
    Approvals as _, ApprovalsError, Disabled, FileApprovals, PluginName, chain,
};

use crate::approve::approver;
use crate::cli::{ApproveArgs, PluginCommand, RollbackArgs, UpgradeArgs};
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::installed::Installed;
use crate::output;
use crate::setup::Setup;

pub(crate) async fn run(setup: &Setup, command: &PluginCommand) -> Result<Exit, Failure> {
    match command {
        PluginCommand::Disable(_) | PluginCommand::Enable(_) => enable(setup, command).await,
        PluginCommand::Upgrade(args) => upgrade(setup, args).await,
        PluginCommand::Rollback(args) => roll_back(setup, args).await,
        PluginCommand::List { format } => list(setup, *format),
    }
}

/// Approves a build, installs it, and makes it current.
async fn upgrade(setup: &Setup, args: &UpgradeArgs) -> Result<Exit, Failure> {
    let plugin = setup.load(&args.plugin).await?;
    let approval = ApproveArgs {
        plugin: args.plugin.clone(),
        yes: args.yes,
        signer: args.signer.clone(),
        format: args.format,
        quiet: args.format == Report::Json,
        ..ApproveArgs::default()
    };
    crate::approve::run(setup, &approval).await?;
    let installed = Installed::new(&setup.data);
    let file = installed.file(&args.plugin)?;
    let node = &plugin.description().node;
    let digest = plugin.digest();
    let was = installed.install(&node.name, node.version, digest, &file)?;
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "plugin": node.name,
            "version": node.version,
            "current": digest,
            "was": was,
        }))?,
        Report::Text => {
            output::stdout(&format!("`{}` is now {digest}.\n", node.name))?;
            if let Some(was) = was {
                output::stdout(&format!(
                    "It was {was}. To go back: harness plugin rollback {}\n",
                    shell(&node.name)
                ))?;
            }
        }
    }
    Ok(Exit::Success)
}

/// Makes a build current that was installed before.
async fn roll_back(setup: &Setup, args: &RollbackArgs) -> Result<Exit, Failure> {
    let (current, was) = Installed::new(&setup.data).roll_back(&args.name, args.to)?;
    let approvals = FileApprovals::new(&setup.approvals);
    let approved = approvals.approval(&current).await;
    let approved = approved.map_err(|error| Failure::input("approvals", chain(&error)))?.is_some();
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "plugin": args.name,
            "current": current,
            "was": was,
            "approved": approved,
        }))?,
        Report::Text => {
            output::stdout(&format!("`{}` is now {current}. It was {was}.\n", args.name))?;
            if !approved {
                output::stdout(&format!(
                    "This build is not approved. To approve it: harness approve {}\n",
                    shell(&args.name)
                ))?;
            }
        }
    }
    Ok(Exit::Success)
}

/// Lists the installed builds.
fn list(setup: &Setup, format: Report) -> Result<Exit, Failure> {
    let plugins = Installed::new(&setup.data).plugins()?;
    if format == Report::Json {
        output::stdout_report(&plugins)?;
        return Ok(Exit::Success);
    }
    let rows: Vec<Vec<String>> = plugins
        .iter()
        .flat_map(|(name, builds)| {
            builds.builds.iter().map(move |build| {
                let is_current = build.digest == builds.current;
                vec![
                    name.clone(),
                    build.version.to_string(),
                    build.digest.to_string(),
                    if is_current { "current".to_owned() } else { String::new() },
                ]
            })
        })
        .collect();
    if !rows.is_empty() {
        output::stdout(&output::simple_table(&["plugin", "version", "build", ""], &rows))?;
    }
    output::stderr(&format!("{}\n", output::count(rows.len(), "build")));
    Ok(Exit::Success)
}

async fn enable(setup: &Setup, command: &PluginCommand) -> Result<Exit, Failure> {
    let approvals = FileApprovals::new(&setup.approvals);
    let failed = |error: ApprovalsError| Failure::input("approvals", chain(&error));
    let (args, disabled, changed) = match command {
        PluginCommand::Disable(args) => {
            let known = match &args.plugin {
                PluginName::Node(name) => approvals.latest(name).await.map_err(failed)?.is_some(),
                PluginName::Digest(digest) => {
                    approvals.approval(digest).await.map_err(failed)?.is_some()
                }
            };
            if !known {
                let message =
                    format!("Plugin `{}` was never approved, so it does not run", args.plugin);
                return Err(Failure::input("unknown", message)
                    .next("see `node` and `digest` in the approvals file"));
            }
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let disabled = Disabled {
                plugin: args.plugin.clone(),
                since: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
                by: approver(),
            };
            approvals.disable(disabled).await.map_err(failed)?;
            (args, true, true)
        }
        PluginCommand::Upgrade(_) | PluginCommand::Rollback(_) | PluginCommand::List { .. } => {
            return Err(Failure::internal("another command"));
        }
        PluginCommand::Enable(args) => {
            (args, false, approvals.enable(&args.plugin).await.map_err(failed)?)
        }
    };
    let name = args.plugin.to_string();
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "plugin": name,
            "disabled": disabled,
            "changed": changed,
            "approvals": setup.approvals,
        }))?,
        Report::Text if disabled => output::stdout(&format!(
            "Disabled. Running executions stop within a second, and new ones are refused.\nTo \
             enable it again: harness plugin enable {}\n",
            shell(&name)
        ))?,
        Report::Text if changed => output::stdout("Enabled.\n")?,
        Report::Text => output::stdout("No plugin was disabled by this name or digest.\n")?,
    }
    Ok(Exit::Success)
}
