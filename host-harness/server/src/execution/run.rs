//! Runs one execution: every record is sent to the attached client, and every result is stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;
use workflow_node_host::{
    Execution, ExecutionEnd, ExecutionEvent, ExecutionStream, ItemError, OutputRecord, Resume,
};

use super::queue::Ticket;
use super::record::{Ending, ItemResult, Key, Status, Stored};
use super::result::{ExecutionStatus, ItemElement, ItemLine, RecordLine, StatusLine, status_of};
use super::{Beginning, Executions, Job, Registered, cancelled_by_end, interrupted_by_end, kept};
use crate::audit::AuditEntry;
use crate::database::now;
use crate::error::{ApiError, ErrorBody, ErrorDetail};
use crate::limits::ServerLimits;

/// Results that arrive within this time are stored together.
const FLUSH: Duration = Duration::from_millis(100);
/// Maximum number of results that are stored together.
const BATCH: usize = 256;

/// State of a running execution.
struct Run<'a> {
    executions: &'a Executions,
    key: Key,
    plugin: String,
    status: ExecutionStatus,
    /// Whether it resumes from its journal, which contains what it has sent.
    is_resumed: bool,
    lines: Option<mpsc::Sender<Bytes>>,
    /// Records of items that are in progress.
    open: HashMap<u32, Vec<OutputRecord>>,
    batch: Vec<ItemResult>,
    /// When the batch must be stored.
    flush_at: Instant,
    stored_bytes: usize,
}

/// Runs an execution that has begun, and stores its end.
pub(super) async fn run(
    registered: &Registered,
    job: Job,
    beginning: Beginning,
    ticket: Ticket,
    lines: Option<mpsc::Sender<Bytes>>,
) {
    let executions = &*registered.executions;
    let live = &registered.live;
    let metrics = &executions.metrics;
    let request = job.request.clone();
    let mut run = Run {
        executions,
        key: request.key.clone(),
        plugin: request.plugin.clone(),
        status: ExecutionStatus {
            execution_id: request.key.id.clone(),
            plugin: request.plugin.clone(),
            action: request.action.clone(),
            workflow: request.workflow.clone(),
            status: Status::Queued,
            item_count: request.items,
            finished: 0,
            failed: 0,
            error: None,
            created_at: now(),
            ended_at: None,
        },
        is_resumed: beginning != Beginning::FromStart,
        lines,
        open: HashMap::new(),
        batch: Vec::new(),
        flush_at: Instant::now(),
        stored_bytes: 0,
    };
    run.send_status().await;
    metrics.queued.inc();
    let turn = {
        let mut waiting = std::pin::pin!(ticket.turn());
        loop {
            tokio::select! {
                biased;
                () = live.cancellation.cancelled() => break None,
                () = live.interruption.cancelled() => break None,
                turn = &mut waiting => break turn,
                () = tokio::time::sleep(ServerLimits::time(executions.limits.heartbeat_ms)) => {
                    run.send_status().await;
                }
            }
        }
    };
    metrics.queued.dec();
    let since = Instant::now();
    metrics.running.inc();
    let execution = job.execution.clone();
    let ended = match &turn {
        None if live.interruption.is_cancelled() => Err(interrupted_by_end(&executions.limits)),
        None if run.is_resumed => Ok(run.interrupted(None)),
        None => Ok(Ending { status: Status::Cancelled, sent: false, told: 0, error: None }),
        Some(_) => run.execute(registered, job, beginning).await,
    };
    metrics.running.dec();
    drop(turn);
    let (status, is_forgotten, outcome) = run.end(registered, &request.actor, ended).await;
    // Finished results are stored; the rest can be replayed from its journal.
    if is_forgotten || matches!(status, Status::Finished | Status::Cancelled) {
        executions.kept.remove_journal(&execution).await;
    }
    metrics.execution(&request.plugin, status.name(), since.elapsed());
    tracing::info!(
        target: "workflow_node::audit",
        tenant = request.key.tenant, user = request.actor, execution = request.key.id,
        plugin = request.plugin, action = request.action, status = status.name(),
        items = run.status.item_count, failed = run.status.failed, "execution"
    );
    executions.audit.add(AuditEntry {
        tenant: Some(request.key.tenant.clone()),
        actor: Some(request.actor.clone()),
        what: format!("{} {}", request.plugin, request.action),
        execution: Some(request.key.id.clone()),
        result: status.name().to_owned(),
        ..AuditEntry::of("execution", None)
    });
    // It is set once.
    drop(live.outcome.set(outcome));
}

impl Run<'_> {
    /// Its end if it could not continue, and can be resumed.
    fn interrupted(&self, error: Option<&ApiError>) -> Ending {
        let error = error.map(|error| error.detail.clone());
        let sent = self.is_resumed || self.status.status == Status::Running;
        Ending { status: Status::Interrupted, sent, told: 0, error }
    }

    /// Calls the plugin, or resumes from the journal.
    async fn events(
        &self,
        job: Job,
        mut execution: Execution,
        beginning: Beginning,
    ) -> Result<ExecutionStream, ApiError> {
        let kept = &self.executions.kept;
        let items = job.items.stream();
        if let (Beginning::Resumed { items: recorded, reads_only }, Some(journals), Some(name)) =
            (beginning, &kept.journals, kept::name(&execution))
        {
            let mut resume = Resume::default();
            resume.observer = self.executions.requests.observer(&self.key);
            resume.cancellation = execution.context.cancellation;
            resume.gate = execution.context.gate;
            resume.reads_only = reads_only;
            let items = items.skip(recorded);
            return Ok(job.plugin.resume_stream(journals, &name, items, resume).await?);
        }
        execution.context.journal = kept.journals.clone();
        let observer = self.executions.requests.observer(&self.key);
        Ok(job.plugin.stream_items(execution, items, observer).await?)
    }

    async fn execute(
        &mut self,
        registered: &Registered,
        job: Job,
        beginning: Beginning,
    ) -> Result<Ending, ApiError> {
        let cancellation = registered.live.cancellation.clone();
        let (key, has_journal) =
            (self.key.clone(), registered.live.has_journal.load(Ordering::Acquire));
        self.executions.with_store(move |store| store.start(&key, has_journal)).await?;
        self.status.status = Status::Running;
        let gate = registered.live.gate.clone();
        let execution = job.execution.context.clone().cancellation(cancellation.clone()).gate(gate);
        let execution = job.execution.clone().context(execution);
        let mut events = match self.events(job, execution, beginning).await {
            Err(error) if self.is_resumed => return Ok(self.interrupted(Some(&error))),
            events => events?,
        };
        let heartbeat = ServerLimits::time(self.executions.limits.heartbeat_ms);
        let interruption = &registered.live.interruption;
        let mut beat = tokio::time::interval_at(Instant::now() + heartbeat, heartbeat);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let end = loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.flush_at), if !self.batch.is_empty() => {
                    self.flush().await?;
                }
                () = interruption.cancelled() => {
                    // Dropped before its end, it can be resumed.
                    drop(events);
                    return Err(interrupted_by_end(&self.executions.limits));
                }
                _ = beat.tick(), if self.lines.is_some() => self.send_status().await,
                event = events.next() => match event {
                    Some(ExecutionEvent::Record { item, record }) => {
                        self.send(&RecordLine::new(item, &record)).await;
                        self.open.entry(item).or_default().push(record);
                        beat.reset();
                    }
                    Some(ExecutionEvent::ItemFinished { item, records, error }) => {
                        self.finish(item, records, error.as_ref()).await?;
                        beat.reset();
                    }
                    Some(ExecutionEvent::End(end)) => break end,
                    Some(_) => {}
                    None => return Err(ApiError::internal(&"an execution ended without its end")),
                },
            }
        };
        let by_server =
            self.executions.is_draining() && !registered.live.has_journal.load(Ordering::Acquire);
        let cancelled =
            cancellation.is_cancelled().then(|| by_server.then(|| cancelled_by_end().detail));
        self.ending(end, cancelled)
    }

    /// How the execution has ended; an error if nothing ran.
    /// `cancelled`: whether it was cancelled, with the reason if the server has done so.
    fn ending(
        &self,
        end: ExecutionEnd,
        cancelled: Option<Option<ErrorDetail>>,
    ) -> Result<Ending, ApiError> {
        let (told, sent) = (end.items, end.requests > 0 || self.is_resumed);
        if let Some(stopped) = end.stopped {
            if let Some(error) = cancelled {
                return Ok(Ending { status: Status::Cancelled, sent, told, error });
            }
            let error = ApiError::from(stopped);
            if !sent && told == 0 {
                return Err(error);
            }
            let error = Some(error.detail);
            return Ok(Ending { status: Status::Stopped, sent, told, error });
        }
        // A cancellation after the last item had succeeded has no effect.
        let succeeded = self.status.finished - self.status.failed;
        match cancelled.filter(|_| succeeded < self.status.item_count) {
            Some(error) => Ok(Ending { status: Status::Cancelled, sent, told, error }),
            None => Ok(Ending { status: Status::Finished, sent, told, error: None }),
        }
    }

    async fn finish(
        &mut self,
        item: u32,
        records: u64,
        error: Option<&ItemError>,
    ) -> Result<(), ApiError> {
        let output = self.open.remove(&item).unwrap_or_default();
        self.status.finished += 1;
        self.status.failed += u64::from(error.is_some());
        self.executions.metrics.item(&self.plugin, error.is_some());
        let line = ItemLine { item: item.into(), status: status_of(error), error, records };
        self.send(&line).await;
        let size: usize = output.iter().map(|record| record.json.get().len()).sum();
        let mut element = ItemElement::new(item, &output, error);
        if self.stored_bytes.saturating_add(size) > self.executions.limits.result_bytes {
            element = element.without_output();
        } else {
            self.stored_bytes += size;
        }
        let body = serde_json::to_string(&element).map_err(|error| ApiError::internal(&error))?;
        if self.batch.is_empty() {
            self.flush_at = Instant::now() + FLUSH;
        }
        let error = error.map(|error| (error.kind, error.http_status));
        self.batch.push(ItemResult { item: item.into(), error, body });
        if self.batch.len() >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ApiError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let (key, batch) = (self.key.clone(), std::mem::take(&mut self.batch));
        self.executions.with_store(move |store| store.record(&key, &batch)).await
    }

    /// Sends a line to the client. A slow reader slows the plugin down; a disconnected one receives
    /// no further lines.
    async fn send(&mut self, line: &impl Serialize) {
        let Some(lines) = &self.lines else { return };
        let Ok(mut line) = serde_json::to_vec(line) else { return };
        line.push(b'\n');
        if lines.send(line.into()).await.is_err() {
            self.lines = None;
        }
    }

    async fn send_status(&mut self) {
        let status = self.status.clone();
        self.send(&StatusLine { execution: &status }).await;
    }

    /// Stores the end, and sends it to the client. Returns the status, whether nothing of the execution
    /// is kept, and the outcome.
    async fn end(
        &mut self,
        registered: &Registered,
        actor: &str,
        ended: Result<Ending, ApiError>,
    ) -> (Status, bool, Result<Stored, Arc<ApiError>>) {
        let is_detached = registered.live.detached.load(Ordering::Acquire);
        let is_interrupted = registered.live.interruption.is_cancelled();
        let (key, last) = (self.key.clone(), std::mem::take(&mut self.batch));
        let (ending, failure) = match ended {
            Ok(ending) => (ending, None),
            // The server failed in the middle, and the journal has no end: it can be resumed.
            Err(error) if self.status.finished > 0 || self.is_resumed || is_interrupted => {
                (self.interrupted(Some(&error)), Some(error))
            }
            // Nothing ran. Waiting clients receive the reason and may use the ID again.
            Err(error) => {
                let detail = Some(error.detail.clone());
                let (status, sent) = (Status::Stopped, false);
                (Ending { status, sent, told: 0, error: detail }, Some(error))
            }
        };
        let status = ending.status;
        let forgets = failure.is_some() && !ending.sent && !is_detached;
        let by = workflow_node_host::Principal::of(key.tenant.as_str(), actor);
        let stored = self
            .executions
            .with_store(move |store| {
                if forgets {
                    store.forget(&key)?;
                    return Ok(None);
                }
                store.end(&key, &last, &ending)?;
                store.get(&by, &key.id)
            })
            .await;
        let outcome = match (failure, stored) {
            (Some(error), Ok(None)) => Err(Arc::new(error)),
            // The client repeats the call at the next server.
            (Some(error), Ok(Some(_))) if is_interrupted => Err(Arc::new(error)),
            (_, Ok(Some(stored))) => Ok(stored),
            (_, Ok(None)) => Err(Arc::new(ApiError::internal(&"an execution was not stored"))),
            (_, Err(error)) => Err(Arc::new(error)),
        };
        match &outcome {
            Ok(stored) => {
                let status = ExecutionStatus::from(stored);
                self.send(&StatusLine { execution: &status }).await;
            }
            Err(error) => self.send(&ErrorBody { error: error.detail.clone() }).await,
        }
        self.lines = None;
        (status, forgets, outcome)
    }
}
