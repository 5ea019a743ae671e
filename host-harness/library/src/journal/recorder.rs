//! Writes the journal of one execution.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::RecordError;
use super::frame::{OVERHEAD, Sealer};
use super::record::{Record, request_digest};
use super::store::JournalWriter;
use super::{AtLimit, JournalOptions, JournalStatus, Journals};
use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::digest::Parts;
use crate::handle::handles_in;
use crate::limits::exceeded;
use crate::secret::Secret;

/// Bytes that wait to be written before somebody must wait for them.
const BUFFERED: usize = 256 * 1024;

/// Name and secret behind a handle.
pub(crate) type Lookup<'a> = &'a (dyn Fn(&str) -> Option<(String, Secret)> + Sync);

/// Writes the journal of one execution. Records are sealed at once and in order, and written together
/// with the next one that has to be durable.
pub(crate) struct Recorder {
    state: Mutex<State>,
    /// `None` after it was closed.
    writer: Arc<tokio::sync::Mutex<Option<Box<dyn JournalWriter>>>>,
    /// Bytes that were written, and that were made durable.
    written: Arc<AtomicU64>,
    durable: Arc<AtomicU64>,
    options: JournalOptions,
    limit: u64,
}

struct State {
    sealer: Sealer,
    /// Sealed, and not written.
    buffer: Vec<u8>,
    /// Bytes up to the end of the buffer.
    total: u64,
    /// Why nothing can be written any more.
    failed: Option<RecordError>,
    /// The limit was reached, and the execution goes on.
    is_over: bool,
    /// Handles whose secrets are in the journal.
    handles: HashSet<String>,
    /// Tickets of requests under way that must not be sent again.
    unsafe_tickets: HashSet<u64>,
}

impl Recorder {
    pub(super) fn new(
        writer: Box<dyn JournalWriter>,
        sealer: Sealer,
        header: Vec<u8>,
        length: u64,
        journals: &Journals,
    ) -> Self {
        let total = length + header.len() as u64;
        Self {
            state: Mutex::new(State {
                sealer,
                buffer: header,
                total,
                failed: None,
                is_over: false,
                handles: HashSet::new(),
                unsafe_tickets: HashSet::new(),
            }),
            writer: Arc::new(tokio::sync::Mutex::new(Some(writer))),
            written: Arc::new(AtomicU64::new(length)),
            durable: Arc::new(AtomicU64::new(length)),
            options: journals.options.clone(),
            limit: journals.shared.limits.bytes,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether contents are kept, or digests and outcomes only.
    pub(crate) fn keeps_contents(&self) -> bool {
        self.options.store_output
    }

    pub(crate) fn status(&self) -> JournalStatus {
        match self.state().is_over {
            true => JournalStatus::Incomplete,
            false => JournalStatus::Complete,
        }
    }

    /// Notes that the secrets of these handles are in the journal.
    pub(super) fn know(&self, handles: impl Iterator<Item = String>) {
        self.state().handles.extend(handles);
    }

    /// Adds a record, to be written with the next one that must be.
    ///
    /// # Errors
    ///
    /// Why the execution must stop.
    pub(crate) fn push(&self, record: Record) -> Result<(), RecordError> {
        let mut state = self.state();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        if state.is_over {
            return Ok(());
        }
        if state.total + OVERHEAD as u64 > self.limit && !record.closes() {
            let reason = exceeded("the size of its journal", "journal_bytes", self.limit);
            return match self.options.at_limit {
                AtLimit::Stop => Err(RecordError::Full(reason)),
                AtLimit::Continue => {
                    tracing::warn!(%reason, "the execution goes on without a journal");
                    state.seal(Record::Unjournaled { reason })?;
                    state.is_over = true;
                    Ok(())
                }
            };
        }
        state.seal(record)
    }

    /// A request of the guest. `is_whole`: false where it was too large to be taken over.
    pub(crate) fn request(
        &self,
        ticket: u64,
        request: &Request,
        is_whole: bool,
    ) -> Result<(), RecordError> {
        self.push(match self.keeps_contents() {
            true => Record::Request { ticket, is_whole, request: request.clone() },
            false => Record::RequestDigest { ticket, digest: request_digest(request) },
        })
    }

    /// A request is about to leave. Returns when that is durable, unless losing it costs nothing.
    pub(crate) async fn intent(
        &self,
        ticket: u64,
        repeatable: bool,
        is_read: bool,
    ) -> Result<(), RecordError> {
        self.push(Record::Intent { ticket, repeatable })?;
        if !repeatable {
            self.state().unsafe_tickets.insert(ticket);
        }
        match is_read {
            true => Ok(()),
            false => self.flush(true).await,
        }
    }

    /// Records the response to a request, as the guest will see it.
    pub(crate) async fn answer(
        &self,
        ticket: u64,
        answer: &Result<Response, SendError>,
        lookup: Lookup<'_>,
    ) -> Result<(), RecordError> {
        if !self.keeps_contents() {
            let (status, maybe_sent, digest) = match answer {
                Ok(response) => {
                    (Some(response.status), true, Parts::default().with(&response.body).digest())
                }
                Err(error) => (None, error.maybe_sent, Parts::default().digest()),
            };
            self.push(Record::AnswerDigest { ticket, status, maybe_sent, digest })?;
        } else {
            if let Ok(response) = answer {
                self.handles(&response.body, lookup)?;
            }
            self.push(Record::Answer { ticket, answer: answer.clone() })?;
        }
        // A write that was answered must not end as one whose outcome is unknown; what was read can be
        // read again.
        let is_unsafe = self.state().unsafe_tickets.remove(&ticket);
        match is_unsafe {
            true => self.flush(false).await,
            false => self.relieve().await,
        }
    }

    /// Adds the secrets of the handles in these bytes.
    pub(crate) fn handles(&self, bytes: &[u8], lookup: Lookup<'_>) -> Result<(), RecordError> {
        if !self.keeps_contents() {
            return Ok(());
        }
        for handle in handles_in(bytes) {
            if self.state().handles.contains(handle) {
                continue;
            }
            let Some((name, secret)) = lookup(handle) else { continue };
            let (handle, secret) = (handle.to_owned(), secret.expose().to_owned());
            self.push(Record::Handle { handle: handle.clone(), name, secret })?;
            self.state().handles.insert(handle);
        }
        Ok(())
    }

    /// Bytes that are not written yet.
    pub(crate) fn waiting(&self) -> usize {
        self.state().buffer.len()
    }

    /// Writes what waits, if there is much of it.
    pub(crate) async fn relieve(&self) -> Result<(), RecordError> {
        match self.waiting() > BUFFERED {
            true => self.flush(false).await,
            false => Ok(()),
        }
    }

    /// Returns when all records so far are written, and durable if need be.
    ///
    /// # Errors
    ///
    /// Why the execution must stop.
    pub(crate) async fn flush(&self, durable: bool) -> Result<(), RecordError> {
        let target = self.state().total;
        let reached = || match durable {
            true => self.durable.load(Ordering::Acquire) >= target,
            false => self.written.load(Ordering::Acquire) >= target,
        };
        if reached() {
            return Ok(());
        }
        let mut writer = self.writer.clone().lock_owned().await;
        // Another may have written this meanwhile, together with what came before.
        if reached() {
            return Ok(());
        }
        let (bytes, end) = {
            let mut state = self.state();
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            (std::mem::take(&mut state.buffer), state.total)
        };
        let (written, made_durable) = (self.written.clone(), self.durable.clone());
        // A separate task: the waiting task may be dropped, and a write that has begun must be completed.
        let done = tokio::spawn(async move {
            let Some(writer) = &mut *writer else {
                return Err(std::io::Error::other("it was closed"));
            };
            writer.append(bytes, durable).await?;
            written.store(end, Ordering::Release);
            if durable {
                made_durable.store(end, Ordering::Release);
            }
            Ok(())
        });
        let done = done.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        done.map_err(|error| {
            let error = RecordError::Write(Arc::new(error));
            self.state().failed.get_or_insert(error).clone()
        })
    }

    /// Writes what waits, and gives the journal back to its store.
    pub(crate) async fn close(&self) {
        // Not durable: an end that is lost is found out again, and nothing is sent for it.
        if let Err(error) = self.flush(false).await {
            tracing::error!(error = error.reason(), "the end of a journal is lost");
        }
        *self.writer.lock().await = None;
    }
}

impl State {
    fn seal(&mut self, record: Record) -> Result<(), RecordError> {
        match self.sealer.seal(record, &mut self.buffer) {
            Ok(bytes) => {
                self.total += bytes as u64;
                Ok(())
            }
            Err(error) => {
                let error = RecordError::Seal(Arc::new(error));
                Err(self.failed.get_or_insert(error).clone())
            }
        }
    }
}
