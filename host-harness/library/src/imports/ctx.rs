//! The state behind the imports, for one call.

mod output;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::guest_time::GuestTime;
use super::host_calls::HostCalls;
use crate::bindings::workflow::node::context::CredentialView;
use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::budget::ByteBudget;
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::digest::Parts as DigestParts;
use crate::digest::hex;
use crate::egress::{Admission, Answered, Session};
use crate::item::{ItemError, OutputRecord};
use crate::journal::Recorder;
use crate::journal::record::{Record, Seen};
use crate::journal::script::{Break, NamedQueue, Rest, Script, Told};
use crate::limits::{Limits, exceeded};
use crate::metering::MeterEvent;
use crate::observer::Observer;
use crate::principal::Principal;

/// Bytes of records that are checked on the executor's own thread.
const BRIEF: usize = 16 * 1024;

/// Bytes of the task of a request: it is copied when it is spawned, which happens for each request.
const LARGEST_TASK: usize = 4 * 1024;

/// Result of a ticket.
type Finished = (u64, Option<Answered>);

/// Output that was emitted before the call returned, by item.
pub(crate) type Emitted = BTreeMap<u32, Vec<OutputRecord>>;

/// Traces of a call.
#[derive(Default)]
pub(crate) struct Traces {
    pub(crate) emitted: Emitted,
    /// Items that ended before the call returned, by position, and the errors of those that failed.
    pub(crate) ended: BTreeMap<u32, Option<ItemError>>,
    /// Digests of the records that each item has emitted, by position, if the call was recorded.
    pub(crate) digests: HashMap<u32, DigestParts>,
    /// Why a recorded call did not go on.
    pub(crate) broken: Option<Break>,
    /// Requests that were answered from a journal alone.
    pub(crate) requests: u32,
}

/// The state of one call: its queue, its requests, its limits.
pub struct WorkflowNodeCtx {
    /// `None` in a call that can send nothing: a pure one (`describe`, `configure`), or a replay.
    session: Option<Arc<Session>>,
    /// For whom the guest runs.
    principal: Option<Principal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn Observer>,
    /// Where this call is recorded.
    journal: Option<Arc<Recorder>>,
    /// Recorded answers for the guest, if the call was recorded before.
    script: Option<Script>,
    /// Completions that were reported to the guest when the call was recorded, and must be reported
    /// again before any others: tickets, and the answers of those that are requests.
    told: NamedQueue,
    told_answers: HashMap<u64, Answered>,
    /// Why the recorded call does not go on.
    broken: Option<Break>,
    /// Whether the guest runs in a worker: then it sees a new time only where it asks for it.
    is_remote: bool,
    /// Calls of `emit`, and digests of the records that each item has emitted.
    emits: u64,
    emitted_digests: HashMap<u32, DigestParts>,
    cancellation: CancellationToken,
    ends: Arc<Deadline>,
    pub(super) limits: Limits,
    pub(super) credentials: BTreeMap<String, CredentialView>,
    execution: String,
    seed: u64,
    drawn: u64,

    last_ticket: u64,
    /// With the task behind a ticket; `None` where its answer is known.
    open: HashMap<u64, Option<AbortHandle>>,
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
    ended: BTreeMap<u32, Option<ItemError>>,
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
    /// Calls of the host, where the guest is metered.
    host_calls: Option<Box<HostCalls>>,
}

/// Parts of a context.
pub(crate) struct Parts {
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) principal: Option<Principal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) journal: Option<Arc<Recorder>>,
    /// A call that was recorded, and what the guest saw of time when it began.
    pub(crate) script: Option<(Script, Seen)>,
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

/// Part of an execution that a call covers; `None` if the call covers all of it.
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
            principal: parts.principal,
            session,
            clock,
            observer,
            journal,
            script: None,
            told: NamedQueue::new(),
            told_answers: HashMap::new(),
            broken: None,
            is_remote: false,
            emits: 0,
            emitted_digests: HashMap::new(),
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
            ended: BTreeMap::new(),
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
            host_calls: None,
        };
        match parts.script {
            Some((script, seen)) => {
                context.script = Some(script);
                context.see(seen);
            }
            None => context.observe_time(),
        }
        context
    }

    /// How long the guest has computed.
    pub(crate) fn time(&self) -> &GuestTime {
        &self.time
    }

    /// Starts the task behind a ticket.
    fn start(
        &mut self,
        ticket: u64,
        task: impl Future<Output = Option<Answered>> + Send + 'static,
    ) {
        let sender = self.finished.0.clone();
        let answering = async move {
            let answer = task.await;
            // The receiver is gone only when the call has ended.
            drop(sender.send((ticket, answer)));
        };
        let handle = self.tasks.spawn(answering.in_current_span());
        self.open.insert(ticket, Some(handle));
        // Ended tasks are collected now and then, not to pile up over a long call.
        while self.tasks.try_join_next().is_some() {}
    }

    /// A ticket whose answer is known.
    fn finish(&mut self, ticket: u64, answer: Answered) {
        self.open.insert(ticket, None);
        // The receiver is in this context.
        drop(self.finished.0.send((ticket, Some(answer))));
    }

    /// The last ticket that the instance was given.
    pub(crate) fn last_ticket(&self) -> u64 {
        self.last_ticket
    }

    /// Goes on numbering tickets where the last call of the instance ended.
    pub(crate) fn number_tickets_after(&mut self, last: u64) {
        self.last_ticket = last;
    }

    fn new_ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    pub(super) fn submit(&mut self, request: Request) -> wasmtime::Result<u64> {
        let ticket = self.new_ticket();
        if let Some(script) = &mut self.script {
            let submitted = script.submit(ticket, request);
            self.unbroken(submitted)?;
            self.open.insert(ticket, None);
            return Ok(ticket);
        }
        match self.session.clone() {
            Some(session) => self.send_off(ticket, session, request, false)?,
            None => self.finish(ticket, Answered::refused(no_network())),
        }
        Ok(ticket)
    }

    /// Sends a request of the guest.
    fn send_off(
        &mut self,
        ticket: u64,
        session: Arc<Session>,
        request: Request,
        is_recorded: bool,
    ) -> wasmtime::Result<()> {
        let admission = self.admit(&session, ticket, request, is_recorded)?;
        let sending = async move { Some(session.send(ticket, admission).await) };
        debug_assert!(size_of_val(&sending) <= LARGEST_TASK, "{}", size_of_val(&sending));
        self.start(ticket, sending);
        Ok(())
    }

    /// Takes a request of the guest over, and records it.
    fn admit(
        &self,
        session: &Session,
        ticket: u64,
        request: Request,
        is_recorded: bool,
    ) -> wasmtime::Result<Admission> {
        let admission = session.admit(request);
        if let Some(journal) = self.journal.as_ref().filter(|_| !is_recorded) {
            match &admission {
                Admission::Admitted(request, _) => journal.request(ticket, request, true),
                Admission::Refused(request, _) => journal.request(ticket, request, false),
                Admission::Over(_) => Ok(()),
            }
            .map_err(|error| wasmtime::Error::msg(error.reason()))?;
        }
        Ok(admission)
    }

    pub(super) async fn send(
        &mut self,
        request: Request,
    ) -> wasmtime::Result<Result<Response, SendError>> {
        let ticket = self.new_ticket();
        let _waits = self.time.waits();
        let mut rest = None;
        if let Some(script) = &mut self.script {
            let told = script.submit(ticket, request.clone()).and_then(|()| script.send(ticket));
            match self.unbroken(told)? {
                Told::Recorded(answer, seen) => {
                    self.see(seen);
                    return Ok(answer);
                }
                Told::Ends => rest = self.go_on(Some(ticket))?,
            }
        }
        let Some(session) = self.session.clone() else {
            return Ok(Err(no_network()));
        };
        let answer = match rest {
            Some(Rest::Answered(answer)) => Answered::recorded(answer),
            Some(Rest::Unknown(error)) => self.unknown(ticket, error)?,
            rest => {
                let is_recorded = matches!(rest, Some(Rest::Send { is_recorded: true, .. }));
                let admission = self.admit(&session, ticket, request, is_recorded)?;
                let _hoard = self.hoard();
                session.send(ticket, admission).await
            }
        };
        self.observe_time();
        self.record(Record::Sent { ticket, seen: self.seen() })?;
        Ok(answer.take())
    }

    /// The journal ends here, and the call goes on: what was open is sent, unless it may have been
    /// and must not be sent again. Returns what becomes of the ticket that the guest waits for.
    fn go_on(&mut self, own: Option<u64>) -> wasmtime::Result<Option<Rest>> {
        let Some(script) = self.script.take() else { return Ok(None) };
        let Some(session) = self.session.clone() else {
            wasmtime::bail!("the call has no session to go on with");
        };
        let made = script.made();
        let (open, told) = script.into_rest();
        // Those that are sent now are counted when they are taken over.
        let sent_now = open.iter().filter(|(_, rest)| matches!(rest, Rest::Send { .. })).count();
        let before = made.saturating_sub(u32::try_from(sent_now).unwrap_or(u32::MAX));
        session.requests.store(before, Ordering::Relaxed);
        let ahead: HashSet<u64> = told.iter().filter_map(|(ticket, _)| *ticket).collect();
        self.told = told;
        let mut waited_for = None;
        for (ticket, rest) in open {
            if own == Some(ticket) {
                waited_for = Some(rest);
                continue;
            }
            match rest {
                Rest::Answered(answer) if ahead.contains(&ticket) => {
                    self.open.insert(ticket, None);
                    self.told_answers.insert(ticket, Answered::recorded(answer));
                }
                Rest::Timer(_) if ahead.contains(&ticket) => {
                    self.open.insert(ticket, None);
                }
                Rest::Answered(answer) => self.finish(ticket, Answered::recorded(answer)),
                Rest::Unknown(error) => {
                    let answer = self.unknown(ticket, error)?;
                    self.finish(ticket, answer);
                }
                Rest::Send { request, is_recorded } => {
                    self.send_off(ticket, session.clone(), request, is_recorded)?;
                }
                Rest::Timer(due) => {
                    let left = due.saturating_sub(self.clock.unix_milliseconds());
                    self.wait(ticket, Duration::from_millis(left));
                }
            }
        }
        Ok(waited_for)
    }

    /// Records that a request ends without an answer.
    fn unknown(&self, ticket: u64, error: SendError) -> wasmtime::Result<Answered> {
        self.record(Record::Answer { ticket, answer: Err(error.clone()) })?;
        Ok(Answered::refused(error))
    }

    /// Ends the call where it does not follow its journal.
    fn unbroken<T>(&mut self, told: Result<T, Break>) -> wasmtime::Result<T> {
        told.map_err(|broken| {
            let message = match &broken {
                Break::Diverged(what) => format!("it diverged from its journal: {what}"),
                Break::Ends(_) => "its journal ends here".to_owned(),
            };
            self.broken = Some(broken);
            wasmtime::Error::msg(message)
        })
    }

    /// The guest has returned: it has done all that its journal says.
    pub(crate) fn returned(&mut self) -> Result<(), String> {
        let returned = self.script.as_ref().map_or(Ok(()), Script::returned);
        self.unbroken(returned).map_err(|error| error.to_string())
    }

    /// Traces of the call. Leaves none behind.
    pub(crate) fn take_traces(&mut self) -> Traces {
        Traces {
            emitted: std::mem::take(&mut self.emitted),
            ended: std::mem::take(&mut self.ended),
            digests: std::mem::take(&mut self.emitted_digests),
            broken: self.broken.take(),
            requests: self.script.as_ref().map_or(0, Script::made),
        }
    }

    /// Adds a record to the journal, if there is one, and the call is not answered from it.
    fn record(&self, record: Record) -> wasmtime::Result<()> {
        let Some(journal) = self.journal.as_ref().filter(|_| self.script.is_none()) else {
            return Ok(());
        };
        // The order of completions is useless if the answers cannot be replayed.
        if !journal.keeps_contents() {
            return Ok(());
        }
        journal.push(record).map_err(|error| wasmtime::Error::msg(error.reason()))
    }

    /// The guest waits now: for further answers, if it has not taken those that were reported to
    /// it.
    fn hoard(&self) -> Option<Hoard> {
        let session = self.session.as_ref().filter(|_| !self.answers.is_empty())?;
        session.held.hoard(true);
        Some(Hoard(session.held.clone()))
    }

    pub(super) fn after(&mut self, duration: Duration) -> wasmtime::Result<u64> {
        let ticket = self.new_ticket();
        if let Some(script) = &mut self.script {
            let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            let started = script.after(ticket, self.now.saturating_add(milliseconds));
            self.unbroken(started)?;
            self.open.insert(ticket, None);
            return Ok(ticket);
        }
        self.wait(ticket, duration);
        Ok(ticket)
    }

    fn wait(&mut self, ticket: u64, duration: Duration) {
        let clock = self.clock.clone();
        let cancellation = self.cancellation.clone();
        let duration = duration.min(self.ends.left());
        self.start(ticket, async move {
            tokio::select! {
                () = cancellation.cancelled() => {}
                () = clock.sleep(duration) => {}
            }
            None
        });
    }

    /// Waits until any open ticket is finished.
    pub(super) async fn next(&mut self) -> wasmtime::Result<Option<u64>> {
        let _waits = self.time.waits();
        if let Some(script) = &mut self.script {
            let told = script.next();
            match self.unbroken(told)? {
                Told::Recorded(named, seen) => {
                    self.see(seen);
                    let Some((ticket, answer)) = named else { return Ok(None) };
                    self.open.remove(&ticket);
                    if let Some(answer) = answer {
                        self.answers.insert(ticket, Answered::recorded(answer));
                    }
                    return Ok(Some(ticket));
                }
                Told::Ends => {
                    self.go_on(None)?;
                }
            }
        }
        while let Some((ticket, seen)) = self.told.pop_front() {
            if let Some(ticket) = ticket {
                if self.open.remove(&ticket).is_none() {
                    continue;
                }
                if let Some(answer) = self.told_answers.remove(&ticket) {
                    self.answers.insert(ticket, answer);
                }
            }
            self.see(seen);
            return Ok(ticket);
        }
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
        self.record(Record::Named { ticket: named, seen: self.seen() })?;
        self.relieve().await?;
        Ok(named)
    }

    /// Writes what was recorded, if there is much of it.
    async fn relieve(&self) -> wasmtime::Result<()> {
        match &self.journal {
            Some(journal) => {
                journal.relieve().await.map_err(|error| wasmtime::Error::msg(error.reason()))
            }
            None => Ok(()),
        }
    }

    /// Whether [`Self::next`] would name a ticket without waiting.
    pub(crate) fn has_finished(&mut self) -> bool {
        // A completion from a journal is returned when the guest waits, as it was recorded.
        if self.script.is_some() || !self.told.is_empty() {
            return false;
        }
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

    /// Time as the guest sees it.
    pub(crate) fn seen(&self) -> Seen {
        Seen { now: self.now, cancelled: self.cancelled, deadline: self.deadline }
    }

    fn see(&mut self, seen: Seen) {
        Seen { now: self.now, cancelled: self.cancelled, deadline: self.deadline } = seen;
    }

    /// The guest runs in a worker.
    pub(crate) fn set_remote(&mut self) {
        self.is_remote = true;
    }

    /// Whether the call is answered from a journal.
    pub(crate) fn is_scripted(&self) -> bool {
        self.script.is_some()
    }

    /// Values that a worker returns to a guest without asking the host: the seed, the idempotency
    /// key of each item, and the credentials as the guest sees them.
    pub(crate) fn known(&self) -> (u64, Vec<String>, &BTreeMap<String, CredentialView>) {
        let items = u32::try_from(self.positions.len()).unwrap_or(u32::MAX);
        let keys = (0..items).map(|item| self.idempotency_key(item)).collect();
        (self.seed, keys, &self.credentials)
    }

    pub(super) fn cancel(&mut self, ticket: u64) {
        if let Some(Some(task)) = self.open.remove(&ticket) {
            task.abort();
        }
        if let Some(script) = &mut self.script {
            script.cancel(ticket);
        }
        self.answers.remove(&ticket);
        self.told_answers.remove(&ticket);
    }

    pub(crate) fn take(&mut self, ticket: u64) -> Option<Result<Response, SendError>> {
        self.answers.remove(&ticket).map(Answered::take)
    }

    /// Counts a call of the host by the guest.
    pub(super) fn count_call(&mut self) -> wasmtime::Result<()> {
        self.calls = self.calls.saturating_add(1);
        let most = self.limits.host_calls;
        if self.calls > most {
            wasmtime::bail!("{}", exceeded("the number of its host calls", "host_calls", most));
        }
        Ok(())
    }

    pub(super) fn random(&mut self, length: usize) -> Vec<u8> {
        draw(self.seed, &mut self.drawn, length)
    }

    /// The same for every repetition of the item, different for every other.
    pub(super) fn idempotency_key(&self, item: u32) -> String {
        // By the execution's own position: an item that was wrong, and left out, must not lend its
        // place to the next one.
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
}

/// Random bytes: SHA-256 over seed and counter. The same forever, even if a library changes its
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
    /// The guest is metered from here on.
    pub(crate) fn begin_metering(&mut self) {
        let calls = HostCalls::new(self.clock.unix_milliseconds(), self.limits.host_calls);
        self.host_calls = Some(Box::new(calls));
    }

    /// Takes an event of a guest that is metered.
    pub(crate) fn metered(&mut self, event: MeterEvent) -> wasmtime::Result<()> {
        match &mut self.host_calls {
            Some(calls) => calls.take(event, &*self.observer),
            None => wasmtime::bail!("its calls are reported and it is not metered"),
        }
    }

    /// Reports what the guest has used, if it was metered.
    pub(crate) fn end_metering(&mut self) {
        if let Some(calls) = self.host_calls.take() {
            calls.end(&*self.observer);
        }
    }

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

    /// Session that the call sends requests with; `None` in a pure call.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// For whom the guest runs; `None` in a pure call.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    pub(crate) fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }
}
