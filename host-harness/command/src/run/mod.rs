//! `harness run`: one execution, from its items to its exit code.

pub(crate) mod args;
mod dry;
pub(crate) mod journal;
mod stream;
mod watch;

use std::sync::Arc;

use serde_json::Value;
use workflow_node_host::description::FieldProblem;
use workflow_node_host::transport::Transport;
use workflow_node_host::{Error, ErrorKind, Execution, Outcome, Plugin, Resume, SystemClock};
use workflow_node_testing::fault::Wire;
use workflow_node_testing::trace;

use crate::exit::{Exit, Failure};
use crate::flags::Format;
use crate::har::Archive;
use crate::input::Source;
use crate::interrupt::Interrupt;
use crate::output::{self, ResultElement, Summary};
use crate::setup::Setup;
use crate::store::LateStore;
use crate::{input, slots};
use args::RunArgs;

use crate::tally::{Sent, Tally};
use journal::JournalFile;
use watch::Watch;

pub(crate) async fn run(setup: &Setup, args: RunArgs) -> Result<Exit, Failure> {
    let streams = args.format == Format::Jsonl && !args.dry_run;
    let source = match streams {
        true => input::source(args.parameters.as_deref(), args.items.as_deref())?,
        false => {
            input::items(args.parameters.as_deref(), args.items.as_deref()).map(Source::List)?
        }
    };
    let store = LateStore::default();
    let (transport, wire) = wired(&args, Arc::new(crate::hosts::transport(&args.network)?))?;
    let metered = setup.metered(args.trace.is_some());
    let host = metered.host_over(transport, &args.network, Some(&store))?;
    let plugin = setup.load_with(&host, &args.plugin).await?;
    let of_plugin = |error: Error| {
        let mut failure = Failure::of(&error, &args.plugin.display().to_string());
        if error.kind() == ErrorKind::Unknown {
            let plugin = crate::exit::shell(&args.plugin.display().to_string());
            failure.next = Some(format!("harness inspect {plugin}"));
        }
        failure
    };
    let action = plugin.action(&args.action).map_err(of_plugin)?;

    // Input, approval, credential, in this order: each is cheaper to correct than the next.
    let problems = match &source {
        Source::List(items) => plugin.validate(&action.name, items).map_err(of_plugin)?,
        Source::Lines(_) => Vec::new(),
    };
    refuse_invalid(&args, &problems)?;
    if let Source::Lines(lines) = &source
        && !args.continue_on_fail
        && let Some(lines) = lines.again()?
    {
        refuse_invalid_lines(&args, stream::problems(&plugin, &action.name, lines)?)?;
    }
    if args.dry_run && args.credential.is_empty() && action.slots.values().any(|one| one.required) {
        return dry::checked_only(&args, &problems);
    }
    plugin.check_approval().await.map_err(of_plugin)?;
    let mut execution = Execution::new(&action.name).context(setup.context(&args.network));
    execution.credentials = {
        let of = slots::Uses { name: &action.name, slots: &action.slots };
        slots::fill(setup, &plugin, of, &args.credential, &store)?
    };
    execution.version = args.action_version;
    execution.continue_on_fail = args.continue_on_fail;
    execution.concurrency = args.concurrency.map(usize::from);
    execution.id.clone_from(&args.execution_id);
    execution.context.timeout = args.timeout;
    let journal = JournalFile::of(&args.journal, setup, &store)?;
    let recorded = match journal.as_ref().filter(|_| args.journal.resume) {
        Some(journal) => journal.recorded(&setup.principal, args.execution_id.as_deref()).await?,
        None => None,
    };
    match (&journal, &recorded) {
        (Some(journal), None) if args.journal.resume => {
            journal.clear(&setup.principal, args.execution_id.as_deref().unwrap_or("")).await?;
        }
        (_, Some(recorded)) if execution.id.is_none() => {
            execution.id = recorded.recording.execution().id;
        }
        _ => {}
    }
    execution.context.journal = journal.as_ref().map(|journal| journal.journals.clone());
    let archive = args.trace.as_deref().map(Archive::create).transpose()?;
    let interrupt = Interrupt::listen();
    execution.context.cancellation = interrupt.token();
    let watch = Arc::new(Watch::new(&args, stream::count(&source)));
    let settle = async || {
        watch.end();
        // A token that is being renewed is waited for: its answer would be lost otherwise.
        if let Ok(credentials) = host.credentials() {
            credentials.settle().await;
        }
    };
    let items = match source {
        Source::List(items) if args.dry_run => {
            return dry::run(&args, &plugin, execution, items, &problems, archive, &store).await;
        }
        Source::List(items) if !streams => items,
        source => {
            let journaled = journal.as_ref().zip(recorded.as_ref());
            let streamed = stream::run(&plugin, execution, source, &watch, journaled).await;
            settle().await;
            let of = |archive: Archive| {
                archive.write(&trace(&args, &plugin, &watch, wire.as_deref(), (&[], None)))
            };
            let archived = archive.map(of).transpose();
            let streamed = streamed?;
            archived?;
            let interrupted = interrupt.happened().then(|| watch.sent());
            return stream::verdict(streamed, interrupted, &args.plugin.display().to_string());
        }
    };
    let traced = if archive.is_some() { items.clone() } else { Vec::new() };
    execution.items = items;
    let executed = match journal.as_ref().zip(recorded.as_ref()) {
        Some((journal, recorded)) => {
            recorded.check(&execution, false)?;
            let mut resume = Resume::default();
            resume.observer = watch.clone();
            resume.cancellation = execution.context.cancellation.clone();
            resume.items = Some(execution.items);
            plugin.resume(&journal.journals, &recorded.name, resume).await
        }
        None => plugin.execute_observed(execution, watch.clone()).await,
    };
    settle().await;
    // Neither may keep the other from being written.
    let of = |archive: Archive| {
        let ran = (&traced[..], executed.as_ref().ok());
        archive.write(&trace(&args, &plugin, &watch, wire.as_deref(), ran))
    };
    let archived = archive.map(of).transpose();
    let mut outcome = executed.map_err(of_plugin)?;
    print(args.format, &plugin, &args.action, &outcome)?;
    archived?;
    let interrupted = interrupt.happened().then(|| watch.sent());
    if args.format == Format::Text {
        let records = outcome.items.iter().map(|item| item.output.len() as u64).sum();
        output::stderr(&Summary { outcome: &outcome, records, interrupted }.text());
    }
    if let Some(error) = outcome.stopped.take() {
        return Err(Failure::of(&error, &args.plugin.display().to_string()));
    }
    verdict(args.format, &outcome, interrupted)
}

/// A transport, and where it keeps what was sent.
type Wired = (Arc<dyn Transport>, Option<Arc<Wire>>);

/// A transport that spoils what `--fault` says, and keeps for `--trace` what was sent.
fn wired(args: &RunArgs, mut transport: Arc<dyn Transport>) -> Result<Wired, Failure> {
    let mut plans = Vec::new();
    for name in &args.fault {
        plans.extend(crate::test::plans_of(name, args.seed, 0)?.into_iter().map(Some));
    }
    if plans.is_empty() && args.trace.is_some() {
        plans.push(None);
    }
    let mut last = None;
    for plan in plans {
        let wire = Wire::new(transport, Arc::new(SystemClock::default()), plan);
        last = Some(wire.clone());
        transport = wire;
    }
    Ok((transport, last))
}

/// The trace of a run.
fn trace(
    args: &RunArgs,
    plugin: &Plugin,
    watch: &Watch,
    wire: Option<&Wire>,
    ran: (&[Value], Option<&Outcome>),
) -> Value {
    let (items, outcome) = ran;
    let node = &plugin.description().node;
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let results = outcome.into_iter().flat_map(|outcome| outcome.items.iter().enumerate());
    let run = trace::Run {
        node: format!("{} {}", node.name, node.version),
        plugin: plugin.digest().to_string(),
        action: args.action.clone(),
        started: watch.began(),
        duration_ms: watch.passed(),
        memory: outcome.map_or(0, |outcome| number(outcome.memory)),
        memory_growth: outcome.map_or(0, |outcome| number(outcome.memory_growth)),
        stopped: outcome.and_then(|outcome| Some(format!("{:#}", outcome.stopped.as_ref()?))),
        items: items.to_vec(),
        results: results
            .map(|(index, item)| serde_json::json!(ResultElement::new(index, item)))
            .collect(),
        logs: watch.logs(),
    };
    let sent = wire.map(Wire::sent).unwrap_or_default();
    let clock_began = wire.map(Wire::clock_began).unwrap_or_default();
    trace::archive(&run, &watch.exchanges(), (&sent, clock_began), &watch.host_calls())
}

/// One wrong item stops all, before anything is asked of anyone.
fn refuse_invalid(args: &RunArgs, problems: &[Vec<FieldProblem>]) -> Result<(), Failure> {
    if args.continue_on_fail || problems.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let flat = problems
        .iter()
        .enumerate()
        .flat_map(|(index, of_item)| of_item.iter().map(move |problem| (index, problem.clone())))
        .collect();
    let wrong = problems.iter().filter(|of_item| !of_item.is_empty()).count();
    Err(invalid_items(args, output::count(wrong, "item"), wrong == 1, flat))
}

/// As [`refuse_invalid`], for items in a file; not all of its problems may be known.
fn refuse_invalid_lines(
    args: &RunArgs,
    problems: Vec<(usize, FieldProblem)>,
) -> Result<(), Failure> {
    let (Some(first), Some(last)) = (problems.first(), problems.last()) else { return Ok(()) };
    let is_one = first.0 == last.0;
    let items = if is_one { "1 item" } else { "some items" };
    Err(invalid_items(args, items.to_owned(), is_one, problems))
}

fn invalid_items(
    args: &RunArgs,
    items: String,
    is_one: bool,
    problems: Vec<(usize, FieldProblem)>,
) -> Failure {
    let verb = if is_one { "does" } else { "do" };
    let message = format!(
        "{items} {verb} not match the parameters of action `{}`; nothing was \
                           sent",
        args.action
    );
    let mut failure = Failure::input("invalid-input", message);
    let placed = |(index, problem): (usize, FieldProblem)| FieldProblem {
        pointer: format!("/{index}{}", problem.pointer),
        message: problem.message,
    };
    failure.problems = problems.into_iter().map(placed).collect();
    let plugin = crate::exit::shell(&args.plugin.display().to_string());
    failure.next(format!("harness inspect {plugin} {}", args.action))
}

/// Prints the results of all items.
pub(crate) fn print(
    format: Format,
    plugin: &Plugin,
    action: &str,
    outcome: &Outcome,
) -> Result<(), Failure> {
    if format == Format::Text {
        let action = plugin.action(action).map_err(Failure::internal)?;
        let shared = &plugin.description().node.schemas;
        return output::stdout(&output::results(outcome, action, shared));
    }
    let elements: Result<Vec<String>, _> = outcome
        .items
        .iter()
        .enumerate()
        .map(|(index, item)| serde_json::to_string(&ResultElement::new(index, item)))
        .collect();
    output::stdout_json(&array(&elements.map_err(Failure::internal)?))
}

/// An array with an element a line: what people look at and programs can cut.
fn array(elements: &[String]) -> String {
    match elements {
        [] => "[]".to_owned(),
        elements => format!("[\n{}\n]", elements.join(",\n")),
    }
}

/// How the command ends.
pub(crate) fn verdict(
    format: Format,
    outcome: &Outcome,
    interrupted: Option<Sent>,
) -> Result<Exit, Failure> {
    let failed: Vec<usize> =
        (0..outcome.items.len()).filter(|index| !outcome.items[*index].is_ok()).collect();
    if failed.is_empty() && interrupted.is_none() {
        return Ok(Exit::Success);
    }
    if format == Format::Text {
        // The summary has said it.
        return Ok(Exit::Failed);
    }
    let mut failure = match interrupted {
        Some(sent) => Failure::new(Exit::Failed, "interrupted", sent.in_words(Tally::of(outcome))),
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
