//! `harness credential describe`, `share`, `unshare` and `allow-actions`: what belongs to a name.

use std::collections::BTreeSet;

use workflow_node_host::credential::{HeadChange, Mode};

use super::args::ShareArgs;
use super::shown::summary_text;
use super::{World, confirm};
use crate::exit::{Exit, Failure, shell};
use crate::flags::{Network, Report};
use crate::output;
use crate::setup::Setup;

pub(super) async fn describe(
    setup: &Setup,
    name: &str,
    text: String,
    format: Report,
) -> Result<Exit, Failure> {
    change(setup, name, vec![HeadChange::Description(text)], format).await
}

pub(super) async fn allow(
    setup: &Setup,
    name: &str,
    actions: Option<Vec<String>>,
    format: Report,
) -> Result<Exit, Failure> {
    let actions = actions.map(|actions| actions.into_iter().collect::<BTreeSet<_>>());
    change(setup, name, vec![HeadChange::AllowedActions(actions)], format).await
}

pub(super) async fn share(setup: &Setup, args: ShareArgs) -> Result<Exit, Failure> {
    let mode = if args.per_user { Mode::PerUser } else { Mode::Shared };
    let question = if args.per_user {
        "Each user will connect a separate account under this name, and the current connection \
         will be deleted. Continue? [y/N] "
    } else {
        "Every workflow that names this credential will be able to use it, and you must connect it \
         again as shared. Continue? [y/N] "
    };
    let name = shell(&args.name);
    let per_user = if args.per_user { " --per-user" } else { "" };
    let otherwise = format!("harness credential share {name}{per_user} --yes");
    let mut changes = Vec::new();
    if !args.allow_actions.is_empty() {
        let actions = args.allow_actions.iter().cloned().collect();
        changes.push(HeadChange::AllowedActions(Some(actions)));
    }
    changes.push(HeadChange::Mode(mode));
    mode_changed(setup, &args.name, changes, mode, (args.yes, question, &otherwise), args.format)
        .await
}

pub(super) async fn unshare(
    setup: &Setup,
    name: &str,
    yes: bool,
    format: Report,
) -> Result<Exit, Failure> {
    let question = "Only the owner will be able to use this credential, and you must connect it \
                    again. Continue? [y/N] ";
    let otherwise = format!("harness credential unshare {} --yes", shell(name));
    let changes = vec![HeadChange::Mode(Mode::Private)];
    mode_changed(setup, name, changes, Mode::Private, (yes, question, &otherwise), format).await
}

async fn mode_changed(
    setup: &Setup,
    name: &str,
    changes: Vec<HeadChange>,
    mode: Mode,
    (yes, question, otherwise): (bool, &str, &str),
    format: Report,
) -> Result<Exit, Failure> {
    let before = crate::store::open(setup)?.head(setup.credential(name))?.mode;
    if before != mode {
        confirm(yes, question, otherwise)?;
    }
    let exit = change(setup, name, changes, format).await?;
    if before != mode && format == Report::Text {
        let name = shell(name);
        output::stderr(&match mode {
            Mode::PerUser => format!(
                "Each user connects with: harness --as USER credential connect {name} --plugin \
                 PLUGIN --type TYPE --mode per-user\n"
            ),
            _ => format!(
                "To connect it again: harness credential reconnect {name} --plugin \
                          PLUGIN\n"
            ),
        });
    }
    Ok(exit)
}

async fn change(
    setup: &Setup,
    name: &str,
    changes: Vec<HeadChange>,
    format: Report,
) -> Result<Exit, Failure> {
    let world = World::new(setup, &Network::default())?;
    world.store.open(setup)?.head(setup.credential(name))?;
    for change in changes {
        world
            .manager()?
            .change(name, change, &setup.actor())
            .await
            .map_err(|error| Failure::of_credential(&error, ""))?;
    }
    let summary = world.store()?.summary(setup.credential(name))?;
    match format {
        Report::Json => output::stdout_report(&summary)?,
        Report::Text => output::stdout(&summary_text(&summary))?,
    }
    Ok(Exit::Success)
}
