//! `--format jsonl`: a line for each record and each item as they come, for any number of items.

use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _};
use workflow_node_host::description::FieldProblem;
use workflow_node_host::journal::Recording;
use workflow_node_host::{Execution, ExecutionEnd, ExecutionEvent, Observer, Plugin, Resume};

use super::journal::{JournalFile, Recorded};
use super::watch::Watch;
use crate::exit::{Exit, Failure};
use crate::input::{ItemStream, Lines, Source};
use crate::output::{self, ItemLine, JsonLines, RecordLine};
use crate::tally::{Sent, Tally};

/// How many failed items the last error names.
const NAMED: usize = 20;

/// Results of the items.
pub(super) struct Streamed {
    pub(super) end: ExecutionEnd,
    pub(super) tally: Tally,
    /// The first items that failed.
    failed: Vec<FieldProblem>,
}

/// How many items there are, where that is known.
pub(super) fn count(source: &Source) -> Option<usize> {
    match source {
        Source::List(items) => Some(items.len()),
        Source::Lines(_) => None,
    }
}

/// Runs the items, and prints their results.
pub(super) async fn run(
    plugin: &Plugin,
    execution: Execution,
    source: Source,
    watch: &Arc<Watch>,
    journaled: Option<(&JournalFile, &Recorded)>,
) -> Result<Streamed, Failure> {
    let cancellation = execution.context.cancellation.clone();
    let observer: Arc<dyn Observer> = watch.clone();
    let mut items = crate::input::stream(source);
    let events = match journaled {
        None => plugin.stream_items(execution, items, observer).await,
        Some((journal, recorded)) => {
            recorded.check(&execution, true)?;
            skip_recorded(&mut items, &recorded.recording).await?;
            let mut resume = Resume::default();
            (resume.observer, resume.cancellation) = (observer, cancellation.clone());
            plugin.resume_stream(&journal.journals, &recorded.name, items, resume).await
        }
    };
    let mut events = events.map_err(|error| Failure::of(&error, ""))?;
    let mut lines = JsonLines::default();
    let mut tally = Tally::default();
    let mut failed = Vec::new();
    let mut unwritten = None;
    loop {
        let next = match events.next().now_or_never() {
            Some(next) => next,
            None => {
                // While nothing comes, what has come is shown.
                write(&mut lines, watch, &mut unwritten);
                events.next().await
            }
        };
        match next {
            Some(ExecutionEvent::Record { item, record }) => {
                lines.push(&RecordLine::new(item, &record))?;
            }
            Some(ExecutionEvent::ItemFinished { item, records, error }) => {
                lines.push(&ItemLine::new(item, error.as_ref(), records))?;
                tally.add(error.as_ref());
                if let Some(error) = error.filter(|_| failed.len() < NAMED) {
                    failed
                        .push(FieldProblem { pointer: format!("/{item}"), message: error.message });
                }
            }
            Some(ExecutionEvent::End(end)) => {
                write(&mut lines, watch, &mut unwritten);
                tally.requests = end.requests;
                return unwritten.map_or(Ok(Streamed { end, tally, failed }), Err);
            }
            Some(_) => {}
            None => return Err(Failure::internal("The execution ended without a result")),
        }
        if lines.are_many() {
            write(&mut lines, watch, &mut unwritten);
        }
        if unwritten.is_some() {
            // Nobody reads any more: what is not begun need not be.
            cancellation.cancel();
        }
    }
}

/// Takes the items that the journal holds from the stream.
async fn skip_recorded(items: &mut ItemStream, recording: &Recording) -> Result<(), Failure> {
    for index in 0..recording.items() {
        match items.next().await {
            Some(Ok(item)) => {
                recording.matches_item(index, &item).map_err(|error| Failure::journal(&error))?
            }
            Some(Err(error)) => return Err(Failure::input("items", error.to_string())),
            None => {
                let held = output::count(recording.items(), "item");
                let message = format!("The journal holds {held}, and --items has only {index}");
                return Err(Failure::input("journal", message)
                    .next("pass the items that the execution was run with"));
            }
        }
    }
    Ok(())
}

fn write(lines: &mut JsonLines, watch: &Watch, unwritten: &mut Option<Failure>) {
    if lines.is_empty() || unwritten.is_some() {
        return;
    }
    if let Err(failure) = watch.aside(|| lines.write()) {
        *unwritten = Some(failure);
    }
}

/// The problems of items in a file, by item, at most so many as are named; the file is read twice
/// for it, so that nothing is sent where an item is wrong.
pub(super) fn problems(
    plugin: &Plugin,
    action: &str,
    lines: Lines,
) -> Result<Vec<(usize, FieldProblem)>, Failure> {
    let mut problems = Vec::new();
    for (index, item) in lines.enumerate() {
        let item = item.map_err(|error| Failure::input("items", error.to_string()))?;
        let of_item = plugin.validate(action, std::slice::from_ref(&item));
        let of_item = of_item.map_err(|error| Failure::of(&error, ""))?;
        problems.extend(of_item.into_iter().flatten().map(|problem| (index, problem)));
        if problems.len() >= NAMED {
            break;
        }
    }
    Ok(problems)
}

/// How the command ends.
pub(super) fn verdict(
    streamed: Streamed,
    interrupted: Option<Sent>,
    plugin: &str,
) -> Result<Exit, Failure> {
    let Streamed { end, tally, failed } = streamed;
    if let Some(error) = end.stopped {
        return Err(Failure::of(&error, plugin));
    }
    let not_ok = tally.failed + tally.cancelled;
    let mut failure = match interrupted {
        Some(sent) => Failure::new(Exit::Failed, "interrupted", sent.in_words(tally)),
        None if not_ok == 0 => return Ok(Exit::Success),
        None => {
            let all = tally.succeeded + not_ok;
            let message = format!("{not_ok} of {} failed", output::count(all, "item"));
            Failure::new(Exit::Failed, "items-failed", message)
        }
    };
    failure.problems = failed;
    Err(failure)
}
