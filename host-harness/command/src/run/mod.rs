//! `harness run`: one execution, from its items to its exit code.

mod dry;
mod watch;

use std::sync::Arc;

use workflow_node_host::description::FieldProblem;
use workflow_node_host::{Error, Limits, Outcome, Plugin};

use crate::cli::{Format, RunArgs};
use crate::exit::{Exit, Failure};
use crate::har::Archive;
use crate::interrupt::Interrupt;
use crate::output::{self, ResultElement, Summary};
use crate::setup::{Setup, load};
use crate::store::LateStore;
use crate::{input, slots};

pub(crate) use watch::Sent;
use watch::Watch;

pub(crate) async fn run(setup: &Setup, args: RunArgs) -> Result<Exit, Failure> {
    let items = input::items(args.parameters.as_deref(), args.items.as_deref())?;
    let store = Arc::new(LateStore::default());
    let host = setup.host(&args.network, Some(store.clone()))?;
    let plugin = load(&host, &args.plugin).await?;
    let of_plugin = |error: Error| {
        let mut failure = Failure::of(&error, &args.plugin.display().to_string());
        if error.name() == "unknown" {
            let plugin = crate::exit::shell(&args.plugin.display().to_string());
            failure.next = Some(format!("harness inspect {plugin}"));
        }
        failure
    };
    let action = plugin.action(&args.action).map_err(of_plugin)?;

    // Input, approval, credential, in this order: each is cheaper to put right than the next.
    let problems = plugin.validate(&action.name, &items).map_err(of_plugin)?;
    refuse_invalid(&args, &problems)?;
    if args.dry_run && args.credential.is_empty() && action.slots.values().any(|one| one.required) {
        return dry::checked_only(&args, &problems);
    }
    plugin.check_approval().map_err(of_plugin)?;
    let mut execution = setup.execution(&action.name, &args.network);
    execution.credentials = {
        let of = slots::Uses { name: &action.name, slots: &action.slots };
        slots::fill(setup, &plugin, of, &args.credential, &store)?
    };
    execution.continue_on_fail = args.continue_on_fail;
    execution.concurrency = args.concurrency.map(usize::from);
    execution.id.clone_from(&args.execution_id);
    execution.limits = args.timeout.map(|total_time| Limits { total_time, ..Limits::default() });
    let archive = args.trace.as_deref().map(Archive::create).transpose()?;
    let interrupt = Interrupt::listen();
    execution.cancellation = interrupt.token();
    if args.dry_run {
        return dry::run(&args, &plugin, execution, items, &problems, archive, &store).await;
    }

    execution.items = items;
    let watch = Arc::new(Watch::new(&args, execution.items.len(), interrupt.token()));
    let executed = plugin.execute_observed(execution, watch.clone()).await;
    watch.end();
    // A token that is being renewed is waited for: its answer would be lost otherwise.
    if let Some(credentials) = host.credentials() {
        credentials.settle().await;
    }
    // Neither may keep the other from being written.
    let archived = archive.map(|archive| archive.write(&watch.exchanges())).transpose();
    let mut outcome = executed.map_err(of_plugin)?;
    print(&args, &plugin, &outcome, &watch)?;
    archived?;
    let interrupted = interrupt.happened().then(|| watch.sent());
    if args.format == Format::Text {
        let records = watch.records(&outcome);
        output::stderr(&Summary { outcome: &outcome, records, interrupted }.text());
    }
    if let Some(error) = outcome.stopped.take() {
        return Err(Failure::of(&error, &args.plugin.display().to_string()));
    }
    verdict(&args, &outcome, interrupted)
}

/// One wrong item stops all, before anything is asked of anyone.
fn refuse_invalid(args: &RunArgs, problems: &[Vec<FieldProblem>]) -> Result<(), Failure> {
    if args.continue_on_fail || problems.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let wrong = problems.iter().filter(|of_item| !of_item.is_empty()).count();
    let items = output::count(wrong, "item");
    let verb = if wrong == 1 { "does" } else { "do" };
    let message = format!("{items} {verb} not fit the action `{}`; nothing was sent", args.action);
    let mut failure = Failure::input("invalid-input", message);
    failure.problems = problems
        .iter()
        .enumerate()
        .flat_map(|(index, of_item)| of_item.iter().map(move |problem| (index, problem)))
        .map(|(index, problem)| FieldProblem {
            pointer: format!("/{index}{}", problem.pointer),
            message: problem.message.clone(),
        })
        .collect();
    let plugin = crate::exit::shell(&args.plugin.display().to_string());
    Err(failure.next(format!("harness inspect {plugin} {}", args.action)))
}

fn print(args: &RunArgs, plugin: &Plugin, outcome: &Outcome, watch: &Watch) -> Result<(), Failure> {
    match args.format {
        Format::Text => {
            let action = plugin.action(&args.action).map_err(Failure::internal)?;
            let shared = &plugin.description().node.schemas;
            output::stdout(&output::results(outcome, action, shared))
        }
        Format::Json => {
            let elements: Result<Vec<String>, _> = outcome
                .items
                .iter()
                .enumerate()
                .map(|(index, item)| serde_json::to_string(&ResultElement::new(index, item)))
                .collect();
            output::stdout_json(&array(&elements.map_err(Failure::internal)?))
        }
        Format::Jsonl => watch.print_rest(outcome),
    }
}

/// An array with an element a line: what people look at and programs can cut.
fn array(elements: &[String]) -> String {
    match elements {
        [] => "[]".to_owned(),
        elements => format!("[\n{}\n]", elements.join(",\n")),
    }
}

fn verdict(args: &RunArgs, outcome: &Outcome, interrupted: Option<Sent>) -> Result<Exit, Failure> {
    let failed: Vec<usize> =
        (0..outcome.items.len()).filter(|index| !outcome.items[*index].is_ok()).collect();
    if failed.is_empty() && interrupted.is_none() {
        return Ok(Exit::Success);
    }
    if args.format == Format::Text {
        // The summary has said it.
        return Ok(Exit::Failed);
    }
    let mut failure = match interrupted {
        Some(sent) => Failure::new(Exit::Failed, "interrupted", sent.in_words(outcome)),
        None => {
            let message = format!("{} of {} items failed", failed.len(), outcome.items.len());
            Failure::new(Exit::Failed, "items-failed", message)
        }
    };
    failure.problems = failed
        .iter()
        .filter_map(|index| Some((index, outcome.items[*index].error.as_ref()?)))
        .map(|(index, error)| FieldProblem {
            pointer: format!("/{index}"),
            message: error.message.clone(),
        })
        .collect();
    Err(failure)
}
