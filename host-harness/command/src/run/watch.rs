//! Listens to a running execution: streams records, shows progress, counts and keeps requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use workflow_node_host::{CancellationToken, Exchange, LogLevel, Observer, Outcome, OutputRecord};

use crate::cli::{Format, RunArgs};
use crate::exit::Failure;
use crate::output::{self, ItemLine, RecordLine};
use crate::progress::Progress;

/// What has become of the requests of an interrupted run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    answered: u64,
    possibly: u64,
    not: u64,
}

impl Sent {
    pub(crate) fn in_words(self, outcome: &Outcome) -> String {
        // A request whose end was not heard of had begun.
        let heard = self.answered + self.possibly + self.not;
        let possibly = self.possibly + u64::from(outcome.requests).saturating_sub(heard);
        let ended = outcome.items.iter().filter(|item| item.is_ok()).count();
        let cancelled = |item: &&workflow_node_host::ItemOutcome| {
            item.error.as_ref().is_some_and(|error| error.kind == "cancelled")
        };
        let cancelled = outcome.items.iter().filter(cancelled).count();
        let failed = outcome.items.len() - ended - cancelled;
        format!(
            "interrupted: {} answered, {possibly} possibly sent, {} not sent; {} succeeded, {failed} \
             failed, {cancelled} cancelled",
            output::count(self.answered, "request"),
            self.not,
            output::count(ended, "item"),
        )
    }
}

pub(super) struct Watch {
    format: Format,
    cancellation: CancellationToken,
    progress: Progress,
    keeps_exchanges: bool,
    state: Mutex<State>,
    answered: AtomicU64,
}

#[derive(Default)]
struct State {
    exchanges: Vec<Exchange>,
    sent: Sent,
    /// Records that were printed as they came, per item.
    streamed: Vec<u64>,
    failure: Option<Failure>,
}

impl Watch {
    pub(super) fn new(args: &RunArgs, items: usize, cancellation: CancellationToken) -> Self {
        Self {
            format: args.format,
            cancellation,
            progress: Progress::start(items),
            keeps_exchanges: args.trace.is_some() || args.dry_run,
            state: Mutex::new(State { streamed: vec![0; items], ..State::default() }),
            answered: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn end(&self) {
        self.progress.end();
    }

    pub(super) fn sent(&self) -> Sent {
        self.state().sent
    }

    /// Takes what was kept.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.state().exchanges)
    }

    /// All records of a run, streamed or not.
    pub(super) fn records(&self, outcome: &Outcome) -> u64 {
        let kept: usize = outcome.items.iter().map(|item| item.output.len()).sum();
        let streamed: u64 = self.state().streamed.iter().sum();
        streamed + u64::try_from(kept).unwrap_or(u64::MAX)
    }

    /// Lines of the records that only came with the results, then a line per item.
    pub(super) fn print_rest(&self, outcome: &Outcome) -> Result<(), Failure> {
        let mut state = self.state();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        for (index, item) in outcome.items.iter().enumerate() {
            for record in &item.output {
                print_line(&RecordLine::new(index, record))?;
                state.streamed[index] += 1;
            }
        }
        for (index, item) in outcome.items.iter().enumerate() {
            print_line(&ItemLine::new(index, item, state.streamed[index]))?;
        }
        Ok(())
    }
}

fn print_line(line: &impl serde::Serialize) -> Result<(), Failure> {
    output::stdout_line(&serde_json::to_string(line).map_err(Failure::internal)?)
}

#[async_trait]
impl Observer for Watch {
    async fn output(&self, item: u32, records: &[OutputRecord]) {
        if self.format != Format::Jsonl {
            return;
        }
        let item = usize::try_from(item).unwrap_or(usize::MAX);
        let mut state = self.state();
        let printed = self.progress.aside(|| {
            records.iter().try_for_each(|record| print_line(&RecordLine::new(item, record)))
        });
        match printed {
            Ok(()) => {
                if let Some(streamed) = state.streamed.get_mut(item) {
                    *streamed += u64::try_from(records.len()).unwrap_or(u64::MAX);
                }
            }
            Err(failure) => {
                // Nobody reads any more: what is not begun need not be.
                state.failure.get_or_insert(failure);
                self.cancellation.cancel();
            }
        }
    }

    fn keeps_output(&self) -> bool {
        self.format != Format::Jsonl
    }

    fn progress(&self, done: u64, total: Option<u64>, message: &str) {
        self.progress.tell(done, total, message);
    }

    fn log(&self, level: LogLevel, message: &str, fields: &str) {
        self.progress.aside(|| match level {
            LogLevel::Error => tracing::error!(target: "workflow_node::guest", fields, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "workflow_node::guest", fields, "{message}"),
            LogLevel::Info => tracing::info!(target: "workflow_node::guest", fields, "{message}"),
            LogLevel::Debug => tracing::debug!(target: "workflow_node::guest", fields, "{message}"),
            LogLevel::Trace => tracing::trace!(target: "workflow_node::guest", fields, "{message}"),
        });
    }

    fn exchange(&self, exchange: &Exchange) {
        let mut state = self.state();
        if exchange.status.is_some() {
            state.sent.answered += 1;
            let answered = self.answered.fetch_add(1, Ordering::Relaxed) + 1;
            self.progress.requests(answered);
        } else if exchange.maybe_sent {
            state.sent.possibly += 1;
        } else {
            state.sent.not += 1;
        }
        if self.keeps_exchanges {
            state.exchanges.push(exchange.clone());
        }
    }
}
