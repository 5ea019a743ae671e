//! Executions: admitted, run independently of the requesting connection, stored item by item, and
//! found again by their ID.

mod items;
mod kept;
mod queue;
mod record;
mod requests;
mod result;
mod run;
mod saved;
mod store;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use workflow_node_host::journal::Recording;
use workflow_node_host::{CancellationToken, Execution, Plugin, Principal, SendGate, chain};

pub(crate) use items::{Fingerprint, Items, Spool};
pub(crate) use kept::{JOURNALS, Kept};
pub(crate) use record::{Key, Request, Stored};
pub(crate) use requests::{RequestLog, RequestMade, RequestsMade};
pub(crate) use result::{ExecutionStatus, ItemElement, ItemLine, StatusLine, reason_of_missing};
pub(crate) use saved::{Interrupted, SavedCall};

use crate::audit::Audit;
use crate::database::{Database, DatabaseError, now};
use crate::error::ApiError;
use crate::limits::ServerLimits;
use crate::metrics::Metrics;
use kept::Resumption;
use queue::{Queue, Ticket};
use record::{Begun, Ending, Status};
use store::ExecutionStore;

/// The executions of a server.
#[derive(Debug)]
pub(crate) struct Executions {
    store: ExecutionStore,
    kept: Kept,
    live: Mutex<HashMap<Key, Arc<Live>>>,
    queue: Queue,
    requests: RequestLog,
    limits: ServerLimits,
    metrics: Metrics,
    audit: Audit,
    tasks: TaskTracker,
    draining: AtomicBool,
}

/// An execution that waits or runs.
#[derive(Debug)]
struct Live {
    request: (String, [u8; 32]),
    cancellation: CancellationToken,
    /// Holds back its requests before it is interrupted.
    gate: SendGate,
    /// Interrupts it: it goes on from its journal.
    interruption: CancellationToken,
    /// It has a journal from which it resumes.
    has_journal: AtomicBool,
    /// The server repeats its call by itself when it starts again.
    is_kept: AtomicBool,
    /// Connections that wait for it.
    attached: AtomicUsize,
    /// It continues without attached connections.
    detached: AtomicBool,
    outcome: OnceLock<Result<Stored, Arc<ApiError>>>,
    ended: CancellationToken,
}

impl Live {
    fn resumes_by_itself(&self) -> bool {
        self.detached.load(Ordering::Acquire)
            && self.has_journal.load(Ordering::Acquire)
            && self.is_kept.load(Ordering::Acquire)
    }

    /// Interrupts it when its requests in flight are answered, or at a time.
    async fn interrupt(&self, at: Instant) {
        self.gate.close();
        if tokio::time::timeout_at(at, self.gate.settled()).await.is_err() {
            tracing::warn!("an execution is interrupted while a request is in flight");
        }
        self.interruption.cancel();
    }
}

/// A connection attached to an execution. When the last one is dropped, the execution is canceled,
/// unless it is detached.
#[derive(Debug)]
pub(crate) struct Attachment(Arc<Live>);

impl Drop for Attachment {
    fn drop(&mut self) {
        let was_last = self.0.attached.fetch_sub(1, Ordering::AcqRel) == 1;
        if was_last && !self.0.detached.load(Ordering::Acquire) {
            self.0.cancellation.cancel();
        }
    }
}

impl Attachment {
    fn to(live: &Arc<Live>) -> Self {
        live.attached.fetch_add(1, Ordering::AcqRel);
        Self(live.clone())
    }

    /// Attaches to a running execution. Returns whether it is ending: it was canceled, or its last
    /// client has just disconnected.
    fn join(live: &Arc<Live>) -> (Self, bool) {
        let before = live.attached.fetch_add(1, Ordering::AcqRel);
        let is_alone = before == 0 && !live.detached.load(Ordering::Acquire);
        (Self(live.clone()), is_alone || live.cancellation.is_cancelled())
    }

    fn detach(&self) {
        self.0.detached.store(true, Ordering::Release);
    }

    /// Waits until the execution has ended.
    pub(crate) async fn ended(&self) {
        self.0.ended.cancelled().await;
    }

    /// Waits for the end of the execution.
    pub(crate) async fn outcome(&self) -> Result<Stored, ApiError> {
        self.ended().await;
        match self.0.outcome.get() {
            Some(Ok(stored)) => Ok(stored.clone()),
            Some(Err(error)) => Err(error.again()),
            None => Err(ApiError::internal(&"an execution ended without an outcome")),
        }
    }
}

/// Removes an execution from the live ones.
struct Registered {
    executions: Arc<Executions>,
    key: Key,
    live: Arc<Live>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.executions.locked().remove(&self.key);
        self.live.ended.cancel();
    }
}

/// The request of a client.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) plugin: Plugin,
    pub(crate) execution: Execution,
    pub(crate) items: Items,
    /// The call, if the server is to repeat it by itself after it was interrupted.
    pub(crate) saved: Option<SavedCall>,
    /// The server repeats it by itself: only from its journal.
    pub(crate) is_by_itself: bool,
}

impl Job {
    /// Whether its items are those of a recording.
    async fn matches(&mut self, recording: Box<Recording>) -> Result<bool, ApiError> {
        let mut items = std::mem::replace(&mut self.items, Items::list(Vec::new()));
        let checked = tokio::task::spawn_blocking(move || {
            let is_same = items.match_recorded(&recording);
            (items, is_same)
        });
        let (items, is_same) = checked.await.map_err(|error| ApiError::internal(&error))?;
        self.items = items;
        is_same.map_err(|error| ApiError::internal(&error))
    }
}

/// Result of beginning an execution.
#[derive(Debug)]
pub(crate) enum Started {
    /// It waits or runs.
    Running(Attachment),
    /// It ran before, and its lines are sent to another client.
    Joined(Attachment),
    /// It had ended before.
    Ended(Box<Stored>),
}

impl Executions {
    /// The executions of a database. Those that were running when an earlier server stopped are
    /// marked as interrupted.
    pub(crate) fn new(
        database: Database,
        kept: Kept,
        limits: ServerLimits,
        metrics: Metrics,
        audit: Audit,
    ) -> Result<Self, DatabaseError> {
        let store = ExecutionStore::new(database, kept.sealer.clone());
        let interrupted = store.interrupt_all()?;
        if interrupted > 0 {
            tracing::warn!(interrupted, "executions were interrupted when the server ended");
        }
        Ok(Self {
            store,
            kept,
            live: Mutex::default(),
            queue: Queue::new(&limits),
            requests: RequestLog::new(&limits),
            limits,
            metrics,
            audit,
            tasks: TaskTracker::new(),
            draining: AtomicBool::new(false),
        })
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs code with the store on a blocking thread.
    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ExecutionStore) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = self.store.clone();
        let worked = tokio::task::spawn_blocking(move || work(&store)).await;
        Ok(worked.map_err(|error| ApiError::internal(&error))??)
    }

    /// Begins an execution, joins the running one with its ID, or finds the finished one. `lines`
    /// receives its progress if a new one runs.
    ///
    /// With `detach`, it continues when the attachment is dropped.
    pub(crate) async fn start(
        self: &Arc<Self>,
        job: Job,
        mut lines: Option<mpsc::Sender<Bytes>>,
        detach: bool,
    ) -> Result<Started, ApiError> {
        let key = job.request.key.clone();
        let mut job = Some(job);
        loop {
            let Some(request) = job.as_ref().map(|job| &job.request) else {
                return Err(ApiError::internal(&"an execution began twice"));
            };
            let of_request = (request.actor.clone(), request.fingerprint);
            let ticket = self.queue.admit(&key.tenant);
            let joined = {
                let mut all = self.locked();
                if self.draining.load(Ordering::Acquire) {
                    return Err(shutting_down(&self.limits));
                }
                match all.get(&key) {
                    Some(live) if live.request != of_request => return Err(conflict(&key.id)),
                    Some(live) => Ok(Attachment::join(live)),
                    None => {
                        let Some(ticket) = ticket else { return Err(queue_full(&self.limits)) };
                        let live = Arc::new(Live {
                            request: of_request,
                            cancellation: CancellationToken::new(),
                            gate: SendGate::new(),
                            interruption: CancellationToken::new(),
                            has_journal: AtomicBool::new(false),
                            is_kept: AtomicBool::new(false),
                            attached: AtomicUsize::new(0),
                            detached: AtomicBool::new(detach),
                            outcome: OnceLock::new(),
                            ended: CancellationToken::new(),
                        });
                        let attachment = Attachment::to(&live);
                        all.insert(key.clone(), live.clone());
                        Err((live, attachment, ticket))
                    }
                }
            };
            let (live, attachment, ticket) = match joined {
                Err(new) => new,
                Ok((attachment, ends)) => {
                    if detach && !ends {
                        attachment.detach();
                        return Ok(Started::Running(attachment));
                    }
                    if lines.is_some() && !ends {
                        return Ok(Started::Joined(attachment));
                    }
                    // A finished execution that may run again runs again.
                    attachment.ended().await;
                    continue;
                }
            };
            let registered = Registered { executions: self.clone(), key: key.clone(), live };
            let Some(job) = job.take() else {
                return Err(ApiError::internal(&"an execution began twice"));
            };
            // Independent of the connection, which may close at any time: an execution that has
            // begun must be completed.
            let (told, begun) = oneshot::channel();
            let span = tracing::debug_span!(
                "execution",
                otel.name = format!("execution {} {}", job.request.plugin, job.request.action),
                execution = job.request.key.id,
                plugin = job.request.plugin,
                action = job.request.action,
                items = job.request.items,
            );
            let begin = begin(registered, job, ticket, lines.take(), told);
            self.tasks.spawn(begin.instrument(span));
            let begun = begun.await.map_err(|error| ApiError::internal(&error))??;
            return Ok(match begun {
                Some(stored) => Started::Ended(stored),
                None => Started::Running(attachment),
            });
        }
    }

    /// The execution with an ID, if this principal started it.
    pub(crate) async fn get(&self, by: &Principal, id: &str) -> Result<Stored, ApiError> {
        let (by, name) = (by.clone(), id.to_owned());
        let stored = self.with_store(move |store| store.get(&by, &name)).await?;
        stored.ok_or_else(|| ApiError::not_found("execution", id))
    }

    /// Executions of a principal after a time and an ID, oldest first.
    pub(crate) async fn list(
        &self,
        by: &Principal,
        after: (u64, String),
        search: String,
        limit: usize,
    ) -> Result<Vec<Stored>, ApiError> {
        let by = by.clone();
        self.with_store(move |store| store.list(&by, (after.0, &after.1), &search, limit)).await
    }

    /// The latest executions of a principal, newest first.
    pub(crate) async fn latest(
        &self,
        by: &Principal,
        limit: usize,
    ) -> Result<Vec<Stored>, ApiError> {
        let by = by.clone();
        self.with_store(move |store| store.latest(&by, limit)).await
    }

    /// The requests of an execution, since the server started.
    pub(crate) fn requests(&self, by: &Principal, id: &str) -> RequestsMade {
        self.requests.of(&Key::of(by, id.to_owned()))
    }

    /// Results of an execution that are stored, from an item on.
    pub(crate) async fn results(
        &self,
        key: &Key,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, String)>, ApiError> {
        let key = key.clone();
        self.with_store(move |store| store.results(&key, from, limit)).await
    }

    /// Cancels an execution, and waits until it has ended.
    pub(crate) async fn cancel(&self, by: &Principal, id: &str) -> Result<Stored, ApiError> {
        let stored = self.get(by, id).await?;
        let live = self.locked().get(&stored.key).cloned();
        if let Some(live) = live {
            live.cancellation.cancel();
            live.ended.cancelled().await;
            return self.get(by, id).await;
        }
        Ok(stored)
    }

    /// Removes expired results.
    pub(crate) async fn prune(&self) -> Result<usize, ApiError> {
        let before = now().saturating_sub(self.limits.retention_ms);
        let most = self.limits.kept_bytes_per_tenant;
        self.requests.prune(before);
        self.kept.prune().await;
        self.with_store(move |store| store.prune(before, most)).await
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Stops accepting executions. Those that the server resumes by itself are interrupted when their
    /// requests in flight are answered. The others are waited for; then those with a journal are
    /// interrupted, and those without one are cancelled.
    pub(crate) async fn drain(&self) {
        {
            let _all = self.locked();
            self.draining.store(true, Ordering::Release);
        }
        self.tasks.close();
        let end = Instant::now() + ServerLimits::time(self.limits.drain_ms);
        let all = || self.locked().values().cloned().collect::<Vec<Arc<Live>>>();
        // What goes on by itself need not be waited for.
        let by_themselves: Vec<_> =
            all().into_iter().filter(|live| live.resumes_by_itself()).collect();
        let interrupted = by_themselves.iter().map(|live| live.interrupt(end));
        let interrupted = futures_util::future::join_all(interrupted);
        let waited = tokio::time::timeout_at(end, self.tasks.wait());
        if tokio::join!(interrupted, waited).1.is_ok() {
            return;
        }
        let left = all();
        tracing::warn!(
            executions = left.len(),
            "executions are interrupted or cancelled: the server shuts down"
        );
        for live in &left {
            match live.has_journal.load(Ordering::Acquire) {
                true => live.interruption.cancel(),
                false => live.cancellation.cancel(),
            }
        }
        if tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await.is_err() {
            tracing::error!("executions did not end; they are reported as interrupted");
        }
    }
}

async fn begin(
    registered: Registered,
    mut job: Job,
    ticket: Ticket,
    lines: Option<mpsc::Sender<Bytes>>,
    told: oneshot::Sender<Result<Option<Box<Stored>>, ApiError>>,
) {
    let executions = registered.executions.clone();
    let request = job.request.clone();
    let id = request.key.id.clone();
    let begun = executions.with_store(move |store| store.begin(&request)).await;
    let begun = match begun {
        Ok(Begun::New) => executions.unknown(&mut job).await,
        Ok(Begun::Again) => {
            executions.kept.remove_journal(&job.execution).await;
            Ok(Ok(Beginning::FromStart))
        }
        Ok(Begun::Interrupted(stored)) => executions.again(*stored, &job).await,
        Ok(Begun::Ended(stored)) => Ok(Err(stored)),
        Ok(Begun::Conflict) => Err(conflict(&id)),
        Err(error) => Err(error),
    };
    let (begins, begun) = match begun {
        Ok(Ok(beginning)) => (Some(beginning), Ok(None)),
        Ok(Err(ended)) => (None, Ok(Some(ended))),
        Err(error) => (None, Err(error)),
    };
    if begins.is_some() {
        let live = &registered.live;
        live.has_journal.store(executions.kept.has_journal(&job), Ordering::Release);
        live.is_kept.store(job.is_by_itself, Ordering::Release);
        // Before the client is answered: from then on, the execution survives a crash.
        if !executions.keep_call(&mut job, live).await {
            return;
        }
        if live.detached.load(Ordering::Acquire)
            && let Err(error) = executions.with_store(|store| store.sync()).await
        {
            drop(told.send(Err(error)));
            return;
        }
    }
    // If the client has disconnected, the attachment has canceled it.
    drop(told.send(begun));
    if let Some(beginning) = begins {
        run::run(&registered, job, beginning, ticket, lines).await;
    }
}

/// How an execution begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// From its first item on.
    FromStart,
    /// It resumes from its journal, which contains this many of its items.
    Resumed {
        items: usize,
        /// The journal comes from a backup: no change is sent.
        reads_only: bool,
    },
}

impl Executions {
    /// Keeps the call of a detached execution. Without it, the execution goes on, and has to be repeated
    /// by its client after a crash. Returns whether the items are still there.
    async fn keep_call(&self, job: &mut Job, live: &Live) -> bool {
        let Some(call) = job.saved.take().filter(|_| self.kept.sealer.is_some()) else {
            return true;
        };
        let key = job.request.key.clone();
        let most = self.limits.call_bytes;
        let mut items = std::mem::replace(&mut job.items, Items::list(Vec::new()));
        let kept = self.with_store(move |store| {
            let kept = saved::parts(&call, &mut items, most);
            let kept = kept.and_then(|parts| match parts {
                Some(parts) => store.keep_call(&key, &parts).map(|()| true),
                None => Ok(false),
            });
            Ok((items, kept))
        });
        match kept.await {
            Ok((items, kept)) => {
                job.items = items;
                match kept {
                    Ok(true) => live.is_kept.store(true, Ordering::Release),
                    Ok(false) => tracing::info!(
                        execution = job.request.key.id,
                        "the call is too large to be repeated by the server (limit `call_bytes`)"
                    ),
                    Err(error) => tracing::warn!(error = chain(&error), "a call is not kept"),
                }
                true
            }
            Err(error) => {
                tracing::error!(reason = error.detail.message, "the items of a call are lost");
                false
            }
        }
    }

    /// Keys of the interrupted executions that the server may repeat by itself.
    pub(crate) async fn interrupted(&self) -> Result<Vec<Key>, ApiError> {
        self.with_store(|store| store.interrupted()).await
    }

    /// The call of an interrupted execution.
    pub(crate) async fn saved(&self, key: &Key) -> Result<Option<Interrupted>, ApiError> {
        let key = key.clone();
        self.with_store(move |store| store.call(&key)).await
    }

    /// Begins an execution whose ID the database does not know. If it has a journal, its row was lost in
    /// a power failure, and it resumes like an interrupted one.
    async fn unknown(&self, job: &mut Job) -> Result<Result<Beginning, Box<Stored>>, ApiError> {
        if !self.kept.has_journal(job) {
            return Ok(Ok(Beginning::FromStart));
        }
        let key = job.request.key.clone();
        let reason = match self.kept.find(job).await {
            Resumption::Missing => return Ok(Ok(Beginning::FromStart)),
            Resumption::NotBegun => {
                self.kept.remove_journal(&job.execution).await;
                return Ok(Ok(Beginning::FromStart));
            }
            Resumption::Journal(recording) => {
                let (items, reads_only) = (recording.items(), false);
                if job.matches(recording).await? {
                    return Ok(Ok(Beginning::Resumed { items, reads_only }));
                }
                None
            }
            Resumption::OtherCall => None,
            Resumption::Lost(reason) => Some(reason),
        };
        let Some(reason) = reason else {
            let id = key.id.clone();
            self.with_store(move |store| store.forget(&key)).await?;
            return Err(conflict(&id));
        };
        if self.repeats(job, &reason) {
            self.kept.remove_journal(&job.execution).await;
            return Ok(Ok(Beginning::FromStart));
        }
        let by = Principal::of(key.tenant.as_str(), job.request.actor.as_str());
        let stored = self.with_store(move |store| {
            let (status, sent) = (Status::Interrupted, true);
            store.end(&key, &[], &Ending { status, sent, told: 0, error: None })?;
            store.get(&by, &key.id)
        });
        let stored = stored.await?;
        let stored = stored.ok_or_else(|| ApiError::internal(&"an execution was not stored"))?;
        Ok(Err(Box::new(stored)))
    }

    /// Whether a call without a usable journal is repeated from its first item.
    fn repeats(&self, job: &Job, reason: &str) -> bool {
        let again = job.request.repeatable && !job.is_by_itself;
        let execution = &job.request.key.id;
        tracing::info!(execution, reason, again, "the execution is not resumed");
        again
    }

    /// Resumes an interrupted execution if that sends no request twice. Otherwise its state does not
    /// change.
    async fn again(
        &self,
        stored: Stored,
        job: &Job,
    ) -> Result<Result<Beginning, Box<Stored>>, ApiError> {
        let key = stored.key.clone();
        let found = self.kept.find(job).await;
        let has_journal = !matches!(found, Resumption::Missing);
        let beginning = match &found {
            Resumption::Journal(recording) => {
                let (items, reads_only) = (recording.items(), stored.restored);
                Some(Beginning::Resumed { items, reads_only })
            }
            // It may have begun after the backup.
            _ if stored.restored => None,
            // Nothing of it was sent.
            Resumption::NotBegun => Some(Beginning::FromStart),
            Resumption::Missing if !stored.started => Some(Beginning::FromStart),
            Resumption::Lost(_) if !stored.started && !self.kept.has_journal(job) => {
                Some(Beginning::FromStart)
            }
            lost => self.repeats(job, lost.reason()).then_some(Beginning::FromStart),
        };
        let Some(beginning) = beginning else { return Ok(Err(Box::new(stored))) };
        let is_from_start = beginning == Beginning::FromStart;
        if is_from_start && has_journal {
            self.kept.remove_journal(&job.execution).await;
        }
        self.with_store(move |store| store.again(&key, is_from_start)).await?;
        Ok(Ok(beginning))
    }
}

fn conflict(id: &str) -> ApiError {
    let message = format!("The execution ID `{id}` was used for another call or other items.");
    ApiError::new(StatusCode::CONFLICT, "execution-conflict", message)
        .next("Use a new execution ID for a new call, and the same ID only to repeat a call.")
}

fn queue_full(limits: &ServerLimits) -> ApiError {
    let message = "Too many executions are waiting (limits `queued`, `queued_per_tenant`).";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "queue-full", message)
        .next("Retry after the time in `Retry-After`, with the same execution ID.")
        .retry_after(ServerLimits::time(limits.retry_after_ms))
}

/// Why an attached execution ends before its items do.
fn interrupted_by_end(limits: &ServerLimits) -> ApiError {
    let message = "The server shuts down, and has interrupted the execution. Items without a result are \
                   not lost: the execution goes on from its journal.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", message)
        .next("Repeat the call with the same execution ID when the server runs again.")
        .retry_after(ServerLimits::time(limits.retry_after_ms))
}

/// Why an execution without a journal is cancelled.
fn cancelled_by_end() -> ApiError {
    let message =
        "The server has shut down, and the execution has no journal from which it could go on.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", message)
        .next("Items that are `cancelled` were not begun. Run them with another execution ID.")
}

fn shutting_down(limits: &ServerLimits) -> ApiError {
    let message = "The server is shutting down.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", message)
        .next("Retry after the time in `Retry-After`, with the same execution ID.")
        .retry_after(ServerLimits::time(limits.retry_after_ms))
}
