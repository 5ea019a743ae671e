//! The state behind the imports, for one call.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::guest_time::GuestTime;
use crate::bindings::workflow::node::context::CredentialView;
use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::bindings::workflow::node::types::OutputItem;
use crate::budget::ByteBudget;
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::digest::hex;
use crate::egress::{Answered, Session};
use crate::execution::{Observer, OutputRecord};
use crate::journal::{Journal, JournalEntry};
use crate::limits::{Limits, exceeded};

/// Bytes of records that are checked on the executor's own thread.
const BRIEF: usize = 16 * 1024;

/// Bytes of the task of a request: it is copied when it is spawned, which happens for each request.
const LARGEST_TASK: usize = 4 * 1024;

/// What has come of a ticket.
type Finished = (u64, Option<Answered>);

/// Output that was handed over before the call returned, by item.
pub(crate) type Emitted = BTreeMap<u32, Vec<OutputRecord>>;

/// The state of one call: its queue, its requests, its limits.
pub struct WorkflowNodeCtx {
    /// `None` in a pure call (`describe`, `configure`), which can send nothing.
    session: Option<Arc<Session>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn Observer>,
    journal: Arc<dyn Journal>,
    cancellation: CancellationToken,
    ends: Arc<Deadline>,
    pub(super) limits: Limits,
    pub(super) credentials: BTreeMap<String, CredentialView>,
    execution: String,
    seed: u64,
    drawn: u64,

    last_ticket: u64,
    open: HashMap<u64, AbortHandle>,
    answers: HashMap<u64, Answered>,
    tasks: JoinSet<()>,
    finished: (UnboundedSender<Finished>, UnboundedReceiver<Finished>),
    /// Taken from `finished`, and not named yet.
    looked_at: Option<Finished>,

    /// As the guest sees them; they change only while it waits.
    pub(super) now: u64,
    pub(super) cancelled: bool,
    pub(super) deadline: Option<u64>,

    pub(super) emitted: Emitted,
    pub(super) output_bytes: usize,
    pub(super) log_lines: u32,
    pub(super) log_bytes: usize,
    progress: u64,
    /// Calls of the host.
    calls: u32,
    /// The execution's item behind each item of the guest.
    pub(super) positions: Vec<u32>,
    pub(super) ports: BTreeSet<String>,
    place: Option<Place>,
    is_timeless: bool,

    time: GuestTime,
}

/// What a context is made of.
pub(crate) struct Parts {
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) cancellation: CancellationToken,
    pub(crate) deadline: Arc<Deadline>,
    pub(crate) limits: Limits,
    pub(crate) credentials: BTreeMap<String, CredentialView>,
    pub(crate) execution: String,
    pub(crate) seed: u64,
    pub(crate) positions: Vec<u32>,
    pub(crate) ports: BTreeSet<String>,
    pub(crate) place: Option<Place>,
    /// The guest's clock stands still: what it returns must not depend on time.
    pub(crate) is_timeless: bool,
    /// Permits to compute for longer than a tick.
    pub(crate) computing: Arc<Semaphore>,
}

/// What part of an execution a call is; `None` where it is all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Items that calls before it have finished.
    pub(crate) before: u64,
    /// Items of the execution, where their number is known.
    pub(crate) total: Option<u64>,
}

impl WorkflowNodeCtx {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { session, clock, observer, journal, cancellation, .. } = parts;
        let mut context = Self {
            now: 0,
            deadline: None,
            ends: parts.deadline,
            cancelled: cancellation.is_cancelled(),
            session,
            clock,
            observer,
            journal,
            cancellation,
            limits: parts.limits,
            credentials: parts.credentials,
            execution: parts.execution,
            seed: parts.seed,
            drawn: 0,
            last_ticket: 0,
            open: HashMap::new(),
            answers: HashMap::new(),
            tasks: JoinSet::new(),
            finished: unbounded_channel(),
            looked_at: None,
            emitted: BTreeMap::new(),
            output_bytes: 0,
            log_lines: 0,
            log_bytes: 0,
            progress: 0,
            calls: 0,
            positions: parts.positions,
            ports: parts.ports,
            place: parts.place,
            is_timeless: parts.is_timeless,
            time: GuestTime::new(parts.computing),
        };
        context.observe_time();
        context
    }

    /// How long the guest has computed.
    pub(crate) fn time(&self) -> &GuestTime {
        &self.time
    }

    /// What was emitted.
    pub(crate) fn take_emitted(&mut self) -> Emitted {
        std::mem::take(&mut self.emitted)
    }

    fn start(&mut self, task: impl Future<Output = Option<Answered>> + Send + 'static) -> u64 {
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        let sender = self.finished.0.clone();
        let handle = self.tasks.spawn(async move {
            let answer = task.await;
            // The receiver is gone only when the call has ended.
            drop(sender.send((ticket, answer)));
        });
        self.open.insert(ticket, handle);
        // Ended tasks are collected now and then, not to pile up over a long call.
        while self.tasks.try_join_next().is_some() {}
        ticket
    }

    pub(super) fn submit(&mut self, request: Request) -> u64 {
        let ticket = self.last_ticket + 1;
        match self.session.clone() {
            Some(session) => {
                let admission = session.admit(request);
                let sending = async move { Some(session.send(ticket, admission).await) };
                debug_assert!(size_of_val(&sending) <= LARGEST_TASK, "{}", size_of_val(&sending));
                self.start(sending)
            }
            None => self.start(async move { Some(Answered::refused(no_network())) }),
        }
    }

    pub(super) async fn send(&mut self, request: Request) -> Result<Response, SendError> {
        let Some(session) = self.session.clone() else {
            return Err(no_network());
        };
        let _waits = self.time.waits();
        let admission = session.admit(request);
        let _hoard = self.hoard();
        let answer = session.send(0, admission).await;
        self.observe_time();
        answer.take()
    }

    /// The guest waits now: for further answers, if it has not taken those that it was told of.
    fn hoard(&self) -> Option<Hoard> {
        let session = self.session.as_ref().filter(|_| !self.answers.is_empty())?;
        session.held.hoard(true);
        Some(Hoard(session.held.clone()))
    }

    pub(super) fn after(&mut self, duration: Duration) -> u64 {
        let clock = self.clock.clone();
        let cancellation = self.cancellation.clone();
        let duration = duration.min(self.ends.left());
        self.start(async move {
            tokio::select! {
                () = cancellation.cancelled() => {}
                () = clock.sleep(duration) => {}
            }
            None
        })
    }

    /// Waits until any open ticket is finished.
    pub(super) async fn next(&mut self) -> Option<u64> {
        let _waits = self.time.waits();
        let hoard = self.hoard();
        let named = loop {
            if self.open.is_empty() {
                break None;
            }
            let finished = match self.looked_at.take() {
                Some(finished) => Some(finished),
                None => self.finished.1.recv().await,
            };
            let Some((ticket, answer)) = finished else {
                break None;
            };
            // A ticket that was cancelled after it had finished is not named.
            if self.open.remove(&ticket).is_none() {
                continue;
            }
            if let Some(answer) = answer {
                self.answers.insert(ticket, answer);
            }
            break Some(ticket);
        };
        drop(hoard);
        self.observe_time();
        if let Some(ticket) = named {
            let (now, cancelled) = (self.now, self.cancelled);
            self.note(JournalEntry::Named { ticket, now, cancelled }).await;
        }
        named
    }

    /// Whether [`Self::next`] would name a ticket without waiting.
    pub(crate) fn has_finished(&mut self) -> bool {
        loop {
            if let Some((ticket, _)) = &self.looked_at
                && self.open.contains_key(ticket)
            {
                return true;
            }
            match self.finished.1.try_recv() {
                Ok(finished) => self.looked_at = Some(finished),
                Err(_) => {
                    self.looked_at = None;
                    return false;
                }
            }
        }
    }

    /// What the guest sees of time.
    pub(crate) fn seen(&self) -> (u64, bool, Option<u64>) {
        (self.now, self.cancelled, self.deadline)
    }

    /// What a worker answers a guest without asking the host: the seed, the idempotency key of
    /// each item, and the credentials as the guest sees them.
    pub(crate) fn known(&self) -> (u64, Vec<String>, &BTreeMap<String, CredentialView>) {
        let items = u32::try_from(self.positions.len()).unwrap_or(u32::MAX);
        let keys = (0..items).map(|item| self.idempotency_key(item)).collect();
        (self.seed, keys, &self.credentials)
    }

    pub(super) fn cancel(&mut self, ticket: u64) {
        if let Some(task) = self.open.remove(&ticket) {
            task.abort();
        }
        self.answers.remove(&ticket);
    }

    pub(crate) fn take(&mut self, ticket: u64) -> Option<Result<Response, SendError>> {
        self.answers.remove(&ticket).map(Answered::take)
    }

    /// Counts a call of the host by the guest.
    pub(super) fn count_call(&mut self) -> wasmtime::Result<()> {
        self.calls = self.calls.saturating_add(1);
        let most = self.limits.host_calls;
        if self.calls > most {
            wasmtime::bail!(
                "{}",
                exceeded("the number of its calls of the host", "host_calls", most)
            );
        }
        Ok(())
    }

    /// Records that were checked, elsewhere if there is much of them.
    pub(super) async fn records(
        &mut self,
        outputs: Vec<OutputItem>,
        bytes: usize,
    ) -> wasmtime::Result<Vec<OutputRecord>> {
        let depth = self.limits.json_depth;
        let check = move || -> Result<Vec<OutputRecord>, String> {
            outputs.into_iter().map(|output| OutputRecord::checked(output, depth)).collect()
        };
        let checked = match self.session.as_ref().filter(|_| bytes > BRIEF) {
            Some(session) => {
                let _waits = self.time.waits();
                let checked = session.heavy.run(move |_| check()).await;
                checked.map_err(|error| error.to_string()).and_then(|checked| checked)
            }
            None => check(),
        };
        checked.map_err(wasmtime::Error::msg)
    }

    /// `bytes`: what the records count.
    pub(super) async fn emit(&mut self, item: u32, records: Vec<OutputRecord>, bytes: usize) {
        let count = records.len();
        let _waits = self.time.waits();
        self.observer.output(item, &records).await;
        self.observe_time();
        if self.observer.keeps_output() {
            self.output_bytes += bytes;
            self.emitted.entry(item).or_default().extend(records);
        }
        self.note(JournalEntry::Emitted { item, records: count }).await;
    }

    pub(super) fn random(&mut self, length: usize) -> Vec<u8> {
        draw(self.seed, &mut self.drawn, length)
    }

    /// The same for every repetition of the item, different for every other.
    pub(super) fn idempotency_key(&self, item: u32) -> String {
        // By the execution's own position: an item that was wrong, and left out, must not lend its
        // place to its neighbour.
        let item = self.positions.get(item as usize).copied().unwrap_or(item);
        let mut hash = Sha256::new();
        hash.update(self.execution.len().to_le_bytes());
        hash.update(self.execution.as_bytes());
        hash.update(item.to_le_bytes());
        format!("wf-{}", hex(&hash.finalize()[..16]))
    }

    fn observe_time(&mut self) {
        if self.is_timeless {
            return;
        }
        self.now = self.now.max(self.clock.unix_milliseconds());
        self.cancelled = self.cancellation.is_cancelled();
        self.deadline = self.session.is_some().then(|| {
            let left = u64::try_from(self.ends.left().as_millis()).unwrap_or(u64::MAX);
            self.now.saturating_add(left)
        });
    }

    /// Notes how far the guest is. Each item that it finishes postpones the end of a call that has
    /// a stall limit.
    pub(super) fn progressed(&mut self, done: u64, total: Option<u64>, message: &str) {
        let most = u64::try_from(self.positions.len()).unwrap_or(u64::MAX);
        if done > self.progress && self.progress < most {
            self.ends.item_finished();
        }
        self.progress = self.progress.max(done);
        let (done, total) = match self.place {
            None => (self.progress, total),
            Some(Place { before, total }) => (before + self.progress.min(most), total),
        };
        self.observer.progress(done, total, message);
    }

    pub(crate) async fn note(&self, entry: JournalEntry) {
        if !self.journal.is_kept() {
            return;
        }
        if let Err(error) = self.journal.append(entry).await {
            tracing::error!(%error, "the journal cannot be written");
        }
    }
}

/// Bytes of chance: SHA-256 over seed and counter, the same for ever, whatever library changes its
/// generator.
pub(crate) fn draw(seed: u64, drawn: &mut u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    while bytes.len() < length {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(drawn.to_le_bytes());
        *drawn += 1;
        bytes.extend_from_slice(&hash.finalize());
    }
    bytes.truncate(length);
    bytes
}

/// Ends the guest's wait.
struct Hoard(Arc<ByteBudget>);

impl Drop for Hoard {
    fn drop(&mut self) {
        self.0.hoard(false);
    }
}

fn no_network() -> SendError {
    SendError {
        kind: crate::bindings::workflow::node::http::SendErrorKind::Denied,
        message: "this call sends nothing".into(),
        maybe_sent: false,
        retry_after: None,
    }
}

impl WorkflowNodeCtx {
    /// How many tickets are open or wait to be taken.
    pub(super) fn open_tickets(&self) -> usize {
        self.open.len() + self.answers.len()
    }
}

impl WorkflowNodeCtx {
    /// Ends what the guest left open, and waits until each has been told to the audit.
    pub(crate) async fn abandon_open_tickets(&mut self) {
        self.tasks.shutdown().await;
        if let Some(session) = &self.session {
            session.settle_audit().await;
        }
    }

    /// Counts output of earlier calls against the limit.
    pub(crate) fn count_output(&mut self, bytes: usize) {
        self.output_bytes += bytes;
    }

    /// Bytes of JSON that were emitted and are kept.
    pub(crate) fn output_bytes(&self) -> usize {
        self.output_bytes
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// When the call ends.
    pub(crate) fn ends(&self) -> &Arc<Deadline> {
        &self.ends
    }

    /// What the call sends with; `None` in a pure call.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    pub(crate) fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }
}
