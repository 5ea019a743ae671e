//! Listens to a running execution: shows progress, counts and keeps requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use workflow_node_host::{Exchange, GuestCall, HostCall, LogLevel, Observer};
use workflow_node_testing::trace::{HostCalls, LogLine};

use super::args::RunArgs;
use crate::output;
use crate::progress::Progress;
use crate::tally::Sent;

pub(super) struct Watch {
    progress: Progress,
    keeps_exchanges: bool,
    state: Mutex<State>,
    answered: AtomicU64,
    /// Milliseconds since 1970.
    began: u64,
    since: Instant,
}

#[derive(Default)]
struct State {
    exchanges: Vec<Exchange>,
    logs: Vec<LogLine>,
    host_calls: HostCalls,
    sent: Sent,
}

/// So many lines of the guest are kept for a trace.
const MOST_LINES: usize = 10_000;

impl Watch {
    /// `items`: how many there are, where that is known.
    pub(super) fn new(args: &RunArgs, items: Option<usize>) -> Self {
        Self {
            progress: Progress::start(items),
            keeps_exchanges: args.trace.is_some() || args.dry_run,
            state: Mutex::default(),
            answered: AtomicU64::new(0),
            began: now(),
            since: Instant::now(),
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

    /// When it began, in milliseconds since 1970.
    pub(super) fn began(&self) -> u64 {
        self.began
    }

    /// Milliseconds since it began.
    pub(super) fn passed(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes the lines of the guest.
    pub(super) fn logs(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.state().logs)
    }

    /// Takes the calls of the host; none unless the guest was metered.
    pub(super) fn host_calls(&self) -> HostCalls {
        std::mem::take(&mut self.state().host_calls)
    }

    /// Takes what was kept.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.state().exchanges)
    }

    /// Writes something else while progress is shown.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.progress.aside(write)
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Observer for Watch {
    fn paced(&self, requests: usize, at_least: Duration) {
        // A pause that nobody notices is not worth a line.
        if at_least >= Duration::from_secs(5) {
            let requests = output::count(requests, "request");
            self.progress.aside(|| {
                output::stderr(&format!(
                    "With the rate limit of the credential, {requests} take at least {} s.\n",
                    at_least.as_secs()
                ));
            });
        }
    }

    fn progress(&self, done: u64, total: Option<u64>, message: &str) {
        self.progress.tell(done, total, message);
    }

    fn log(&self, level: LogLevel, message: &str, fields: &str) {
        if self.keeps_exchanges {
            let mut state = self.state();
            if state.logs.len() < MOST_LINES {
                let level = format!("{level:?}").to_lowercase();
                let message = format!("{message} {fields}").trim().to_owned();
                state.logs.push(LogLine { at: now(), level, message });
            }
        }
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

    fn host_call(&self, call: &HostCall) {
        self.state().host_calls.add(call);
    }

    fn guest_call(&self, call: &GuestCall) {
        self.state().host_calls.end(call);
    }

    fn wants_bodies(&self) -> bool {
        self.keeps_exchanges
    }
}
