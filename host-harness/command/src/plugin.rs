//! `harness plugin`: an operator's word that plugins do not run for now.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use workflow_node_host::{Approvals as _, ApprovalsError, Disabled, FileApprovals, PluginName};

use crate::approve::approver;
use crate::cli::{PluginCommand, Report};
use crate::exit::{Exit, Failure, chain, shell};
use crate::output;
use crate::setup::Setup;

pub(crate) async fn run(setup: &Setup, command: &PluginCommand) -> Result<Exit, Failure> {
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
