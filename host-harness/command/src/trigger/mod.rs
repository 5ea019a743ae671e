//! `harness trigger`: subscriptions of triggers, from the command line.

pub(crate) mod args;
mod listen;
mod sink;

use serde_json::json;
use workflow_node_host::trigger::Status;
use workflow_node_host::{CancellationToken, Error};

use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::interrupt::Interrupt;
use crate::output::{self, simple_table};
use crate::setup::Setup;
use crate::store::{self, LateStore};
use args::{CheckArgs, StopArgs, TriggerCommand};

pub(crate) async fn run(setup: &Setup, command: TriggerCommand) -> Result<Exit, Failure> {
    match command {
        TriggerCommand::Listen(args) => listen::run(setup, *args).await,
        TriggerCommand::List { format } => list(setup, format).await,
        TriggerCommand::Check(args) => check(setup, *args).await,
        TriggerCommand::Stop(args) => stop(setup, *args).await,
    }
}

/// Opens the store of the subscriptions where there is one, so that what is wrong with it shows before
/// anything runs.
fn open(setup: &Setup, late: &LateStore) -> Result<(), Failure> {
    match store::path(setup).exists() {
        true => late.open(setup).map(drop),
        false => Ok(()),
    }
}

fn of_plugin(plugin: &str) -> impl Fn(Error) -> Failure {
    move |error| Failure::of(&error, plugin)
}

async fn list(setup: &Setup, format: Report) -> Result<Exit, Failure> {
    let late = LateStore::default();
    open(setup, &late)?;
    let subscriptions = store::subscriptions(setup, &late);
    let mut all =
        subscriptions.subscriptions().await.map_err(|error| Failure::of(&error.into(), ""))?;
    all.retain(|one| match setup.is_named {
        true => one.actor == setup.principal,
        false => one.actor.tenant == setup.principal.tenant,
    });
    if format == Report::Json {
        output::stdout_report(&all)?;
        return Ok(Exit::Success);
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|one| {
            vec![
                if one.actor == setup.principal { one.name.clone() } else { one.key().to_string() },
                format!("{} {}", one.node, one.trigger),
                in_words(&one.status).to_owned(),
                one.callback_url.clone().unwrap_or_else(|| "polls".to_owned()),
            ]
        })
        .collect();
    if !rows.is_empty() {
        output::stdout(&simple_table(&["name", "trigger", "status", "delivers to"], &rows))?;
    }
    output::stderr(&format!("{}\n", output::count(rows.len(), "subscription")));
    Ok(Exit::Success)
}

fn in_words(status: &Status) -> &'static str {
    match status {
        Status::Unfinished => "incomplete",
        Status::Active => "active",
        Status::Disabled => "disabled by the service",
        Status::Missing => "missing at the service",
        other => other.as_str(),
    }
}

async fn check(setup: &Setup, args: CheckArgs) -> Result<Exit, Failure> {
    let late = LateStore::default();
    let host = setup.host(&args.network, Some(&late))?;
    let plugin = setup.load_with(&host, &args.plugin).await?;
    let path = args.plugin.display().to_string();
    open(setup, &late)?;
    let triggers = host.triggers().map_err(of_plugin(&path))?;
    let interrupt = Interrupt::listen();
    let token = interrupt.token();
    let failed = of_plugin(&path);
    let key = setup.subscription(&args.name);
    let mut status = triggers.check(&plugin, &key, &token).await.map_err(&failed)?;
    let was = status.clone();
    if args.repair && status != Status::Active {
        status = triggers.repair(&plugin, &key, &token).await.map_err(&failed)?.status;
    }
    match args.format {
        Report::Json => {
            output::stdout_report(&json!({ "name": args.name, "was": was, "is": status }))?;
        }
        Report::Text if was == status => {
            output::stdout(&format!("{}: {}\n", args.name, in_words(&status)))?;
        }
        Report::Text => {
            output::stdout(&format!("{}: repaired (was {})\n", args.name, in_words(&was)))?;
        }
    }
    if status == Status::Active {
        return Ok(Exit::Success);
    }
    let (plugin, name) = (shell(&path), shell(&args.name));
    let message = format!("Subscription `{}` is {}", args.name, in_words(&status));
    Err(Failure::new(Exit::Failed, "not-active", message)
        .next(format!("harness trigger check {plugin} {name} --repair")))
}

async fn stop(setup: &Setup, args: StopArgs) -> Result<Exit, Failure> {
    let late = LateStore::default();
    let host = setup.host(&args.network, Some(&late))?;
    let path = args.plugin.display().to_string();
    open(setup, &late)?;
    let triggers = host.triggers().map_err(of_plugin(&path))?;
    // A name that is not there is a slip of the hand, not something that is gone already.
    let key = setup.subscription(&args.name);
    let subscriptions = triggers.store();
    subscriptions
        .open(&key)
        .await
        .map_err(|error| Failure::of(&error.into(), &path).next("harness trigger list"))?;
    if args.forget {
        subscriptions.remove(&key).await.map_err(|error| Failure::of(&error.into(), &path))?;
    } else {
        let plugin = setup.load_with(&host, &args.plugin).await?;
        let interrupt = Interrupt::listen();
        let token: CancellationToken = interrupt.token();
        triggers.tear_down(&plugin, &key, &token).await.map_err(|error| {
            let (plugin, name) = (shell(&path), shell(&args.name));
            let mut failure = Failure::of(&error, &path);
            failure.next.get_or_insert_with(|| {
                format!(
                    "try again, or remove it only from the store: harness trigger stop {plugin} \
                     {name} --forget"
                )
            });
            failure
        })?;
    }
    match args.format {
        Report::Json => {
            output::stdout_report(&json!({ "name": args.name, "at_service": !args.forget }))?;
        }
        Report::Text if args.forget => {
            output::stdout(&format!(
                "{}: removed from the store; the service was not contacted\n",
                args.name
            ))?;
        }
        Report::Text => output::stdout(&format!("{}: removed\n", args.name))?,
    }
    Ok(Exit::Success)
}
