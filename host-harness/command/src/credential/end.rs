//! `harness credential disconnect` and `remove`.

use async_trait::async_trait;
use serde_json::json;
use workflow_node_host::credential::{CredentialSummary, Dependant};
use workflow_node_host::oauth::{CredentialEnded, CredentialEvents, Disconnection};

use super::args::DisconnectArgs;
use super::shown::point;
use super::{World, confirm, key_of};
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::output;
use crate::setup::Setup;
use crate::store;

/// Reports ended credentials on the terminal, where an engine would run fallbacks.
pub(crate) struct ToldOnTerminal;

#[async_trait]
impl CredentialEvents for ToldOnTerminal {
    async fn needs_reconnect(&self, event: &CredentialEnded) {
        let workflows = names(&event.dependants);
        // If no workflow uses the credential, only the user of the command is concerned, and the
        // command's own error states the reason.
        if workflows.is_empty() {
            tracing::info!(credential = event.credential, "{}", event.reason);
        } else {
            let reason = &event.reason;
            tracing::warn!(credential = event.credential, "{reason}; used by {workflows}");
        }
    }
}

pub(super) async fn disconnect(setup: &Setup, args: DisconnectArgs) -> Result<Exit, Failure> {
    let world = World::new(setup, &args.network)?;
    let store = world.store.open(setup)?;
    let key = key_of(setup, store, &args.name)?;
    let summaries = store.summaries(setup.credential(&args.name))?;
    let summary = summaries.into_iter().find(|one| one.user == key.user).ok_or_else(|| {
        Failure::new(Exit::Credential, "credential", "The credential is not connected")
    })?;
    if args.format == Report::Text {
        output::stderr(&dependants_text(&summary));
    }
    let name = shell(&args.name);
    let otherwise = format!("harness credential disconnect {name} --yes");
    confirm(args.yes, &format!("Disconnect {}? [y/N] ", args.name), &otherwise)?;
    // A plugin that cannot be loaded any more must not keep anybody from wiping a secret.
    let plugin = match &args.plugin {
        None => None,
        Some(path) => match world.load(path).await {
            Ok(plugin) => Some(plugin),
            Err(failure) => {
                output::warning("plugin", &failure.message, args.format.into());
                None
            }
        },
    };
    let ended = world
        .manager()?
        .disconnect(&key, &setup.actor(), plugin.as_ref())
        .await
        .map_err(|error| Failure::of_credential(&error, ""))?;
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "disconnected": args.name,
            "user": key.user,
            "revoked": ended.revoked,
            "not_asked": ended.not_asked,
            "dependants": ended.dependants,
        }))?,
        Report::Text => output::stdout(&ended_text(&args.name, &ended))?,
    }
    Ok(Exit::Success)
}

fn dependants_text(summary: &CredentialSummary) -> String {
    if summary.dependants.is_empty() {
        return format!("No known workflow uses {}.\n", summary.name);
    }
    let mut text = "These workflows use it and will stop working:\n".to_owned();
    for dependant in &summary.dependants {
        text.push_str(&point(&dependant.workflow));
    }
    text
}

/// Describes the result of a disconnection, including revocations that failed.
fn ended_text(name: &str, ended: &Disconnection) -> String {
    let mut text = format!("Disconnected {name}. Its secrets were wiped from the store.\n");
    for revoked in &ended.revoked {
        let token = revoked.token.replace('_', " ");
        text.push_str(&match &revoked.failed {
            None => format!("The service confirmed that it revoked the {token}.\n"),
            Some(reason) => format!(
                "The service did not revoke the {token}: {reason}. The token may work until it \
                 expires.\n"
            ),
        });
    }
    if !ended.revoked.is_empty() {
        text.push_str(
            "To verify this, check the list of connected apps on the pages of the service.\n",
        );
    }
    if let Some(reason) = &ended.not_asked {
        text.push_str(&format!("Nothing was revoked at the service: {reason}.\n"));
    }
    let workflows = names(&ended.dependants);
    if !workflows.is_empty() {
        text.push_str(&format!("These workflows need attention: {workflows}\n"));
    }
    let name = shell(name);
    text.push_str(&format!(
        "The name is kept. To connect it again: harness credential reconnect {name} --plugin \
         PLUGIN. To delete it: harness credential remove {name}\n"
    ));
    text
}

fn names(dependants: &[Dependant]) -> String {
    dependants.iter().map(|one| one.workflow.as_str()).collect::<Vec<_>>().join(", ")
}

pub(super) fn remove(
    setup: &Setup,
    name: &str,
    yes: bool,
    format: Report,
) -> Result<Exit, Failure> {
    let store = store::open(setup)?;
    let id = setup.credential(name);
    let head = store.head(&id)?;
    if !setup.actor().is_admin && head.owner.as_ref() != Some(&setup.principal.user) {
        let message = format!("Only the owner of `{name}` or an administrator can remove it");
        return Err(Failure::new(Exit::Credential, "credential", message));
    }
    let has_tokens = store
        .summaries(&id)?
        .iter()
        .any(|one| one.status.is_usable() && one.granted_scopes.is_some());
    if has_tokens && format == Report::Text {
        output::stderr(&format!(
            "Removing does not revoke the tokens at the service. To revoke them first: harness \
             credential disconnect {}\n",
            shell(name)
        ));
    }
    let otherwise = format!("harness credential remove {} --yes", shell(name));
    confirm(yes, &format!("Remove the credential {name}? [y/N] "), &otherwise)?;
    store.remove(&id)?;
    match format {
        Report::Json => output::stdout_report(&json!({ "removed": name }))?,
        Report::Text => output::stdout(&format!("Removed {name}.\n"))?,
    }
    Ok(Exit::Success)
}
