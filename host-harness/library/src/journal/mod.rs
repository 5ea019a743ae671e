//! The journal of an execution: all input of a guest, so that the execution can be continued after
//! a restart, and replayed without a network.
//!
//! A guest is a pure function of its component, its call, and the answers of the host. A journal
//! holds the call, the answers, and the order in which the guest saw them. It is written ahead: an
//! intent is durable before its request is sent. docs/journal.md describes the guarantees.
//!
//! [`Journals`] begins, reads, and removes journals; a [`JournalStore`] keeps their bytes, which are
//! sealed. `Recorder` writes one, [`Recording`] is one that was read, and `Script` answers a guest from
//! it. Knows neither requests' rules nor instances.

mod error;
mod file;
mod frame;
mod name;
pub(crate) mod record;
mod recorder;
mod recording;
pub(crate) mod script;
mod store;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub use error::JournalError;
pub use file::FileJournals;
pub use frame::JournalKey;
pub use name::{JournalName, JournalNameError};
pub(crate) use recorder::Recorder;
pub use recording::Recording;
pub(crate) use recording::{RecordedPortion, item_digest};
pub use store::{JournalStore, JournalWriter, MemoryJournals, StoredJournal};

use crate::causes::chain;
use crate::limits::JournalLimits;
use record::{Record, Start};

/// How often expired journals are looked for, at most.
const SWEEP: Duration = Duration::from_secs(3_600);

/// Behavior of an execution when its journal reaches [`JournalLimits::bytes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtLimit {
    /// It is stopped, and the error names the limit.
    #[default]
    Stop,
    /// It goes on without a journal. The journal says so, and cannot be resumed;
    /// [`Outcome::journal`](crate::Outcome::journal) reports it.
    Continue,
}

/// Options of a journal.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JournalOptions {
    /// Whether items, requests, and answers are kept. Without them a journal holds outcomes and
    /// digests only: it cannot be replayed, and of an execution that was interrupted, the items that
    /// were under way are run again only if none of their requests was unsafe to repeat. Default: true.
    pub store_output: bool,
    /// Behavior at the limit of bytes. Default: the execution is stopped.
    pub at_limit: AtLimit,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { store_output: true, at_limit: AtLimit::default() }
    }
}

/// How complete the journal of an execution is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalStatus {
    /// There is none.
    #[default]
    None,
    /// It holds all that it was meant to.
    Complete,
    /// It ends at its limit, although the execution went on.
    Incomplete,
}

/// Begins, reads, and removes the journals in a store. Cheap to clone.
#[derive(Clone)]
pub struct Journals {
    shared: Arc<Shared>,
    options: JournalOptions,
}

struct Shared {
    store: Arc<dyn JournalStore>,
    key: JournalKey,
    limits: JournalLimits,
    swept: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Journals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Journals").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Journals {
    /// Journals in this store, sealed with this key.
    pub fn new(store: Arc<dyn JournalStore>, key: JournalKey, limits: JournalLimits) -> Self {
        let shared = Shared { store, key, limits, swept: Mutex::new(None) };
        Self { shared: Arc::new(shared), options: JournalOptions::default() }
    }

    /// The same journals, begun with other options.
    #[must_use]
    pub fn with(&self, options: JournalOptions) -> Self {
        Self { shared: self.shared.clone(), options }
    }

    /// Reads a journal, whether or not its execution is running.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub async fn read(&self, name: &JournalName) -> Result<Recording, JournalError> {
        let bytes = self.shared.store.read(name).await.map_err(named(name))?;
        Ok(self.parsed(name, bytes).await?.0)
    }

    /// Lists all journals.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    pub async fn list(&self) -> Result<Vec<StoredJournal>, JournalError> {
        Ok(self.shared.store.list().await?)
    }

    /// Removes a journal. One that is gone already is a success.
    ///
    /// # Errors
    ///
    /// If its execution is running, or it cannot be removed.
    pub async fn remove(&self, name: &JournalName) -> Result<(), JournalError> {
        self.shared.store.remove(name).await.map_err(named(name))
    }

    /// Removes the journals that were last written longer ago than [`JournalLimits::retention`], and
    /// returns how many. Those of running executions stay. A host does so itself when it begins
    /// journals, at most once an hour.
    ///
    /// # Errors
    ///
    /// If journals cannot be listed or removed.
    pub async fn remove_expired(&self) -> Result<usize, JournalError> {
        let mut removed = 0;
        for stored in self.shared.store.list().await? {
            let age = SystemTime::now().duration_since(stored.changed).unwrap_or_default();
            if age <= self.shared.limits.retention {
                continue;
            }
            match self.shared.store.remove(&stored.name).await {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(removed)
    }

    async fn sweep(&self) {
        {
            let mut swept = self.shared.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.is_some_and(|last| last.elapsed() < SWEEP) {
                return;
            }
            *swept = Some(Instant::now());
        }
        if let Err(error) = self.remove_expired().await {
            tracing::warn!(error = chain(&error), "expired journals cannot be removed");
        }
    }

    pub(crate) fn options(&self) -> &JournalOptions {
        &self.options
    }

    /// Begins the journal of an execution.
    pub(crate) async fn begin(&self, start: &Start) -> Result<Arc<Recorder>, JournalError> {
        self.sweep().await;
        let name = JournalName::of(&start.actor.tenant, &start.id);
        let writer = self.shared.store.create(&name).await.map_err(named(&name))?;
        let (sealer, header) = frame::Sealer::create(&name, &self.shared.key)?;
        let recorder = Recorder::new(writer, sealer, header, 0, self);
        let start = serde_json::to_string(start).map_err(io::Error::other)?;
        recorder.push(Record::Started(start)).map_err(JournalError::from)?;
        Ok(Arc::new(recorder))
    }

    /// Removes the journal of an execution that was not begun.
    pub(crate) async fn discard(&self, start: &Start, recorder: Arc<Recorder>) {
        recorder.close().await;
        let name = JournalName::of(&start.actor.tenant, &start.id);
        if let Err(error) = self.remove(&name).await {
            tracing::warn!(
                error = chain(&error),
                "the journal of an execution that was not begun is left"
            );
        }
    }

    /// Opens a journal to continue its execution. Its torn end is cut off.
    pub(crate) async fn resume(
        &self,
        name: &JournalName,
        now: u64,
    ) -> Result<(Recording, Arc<Recorder>), JournalError> {
        let (bytes, mut writer) = self.shared.store.open(name).await.map_err(named(name))?;
        let length = bytes.len() as u64;
        let (recording, sealer, whole) = self.parsed(name, bytes).await?;
        if whole < length {
            writer.truncate(whole).await?;
        }
        let options = JournalOptions { store_output: recording.keeps_contents(), ..self.options };
        let recorder = Recorder::new(writer, sealer, Vec::new(), whole, &self.with(options));
        recorder.know(recording.handles().map(|(handle, _, _)| handle.to_owned()));
        if !recording.is_ended() {
            recorder.push(Record::Resumed { at: now }).map_err(io::Error::other)?;
        }
        Ok((recording, Arc::new(recorder)))
    }

    async fn parsed(
        &self,
        name: &JournalName,
        bytes: Vec<u8>,
    ) -> Result<(Recording, frame::Sealer, u64), JournalError> {
        let key = self.shared.key.clone();
        let read = move || frame::read(&bytes, &key);
        let contents = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
        if contents.name != *name {
            let message = format!("it is the journal {}", contents.name);
            return Err(JournalError::OtherExecution(message));
        }
        let recording = Recording::new(contents.name, contents.records)?;
        Ok((recording, contents.sealer, contents.length))
    }
}

/// An error of a store, with the journal's name.
fn named(name: &JournalName) -> impl Fn(io::Error) -> JournalError + use<> {
    let name = *name;
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => JournalError::Exists(name),
        io::ErrorKind::NotFound => JournalError::Missing(name),
        io::ErrorKind::WouldBlock => JournalError::InUse(name),
        _ => JournalError::Io(error),
    }
}
