//! What happened to an execution, in order, written ahead. A guest is a pure function of its
//! component, its call and what the host answers; these entries hold the order of completions, the
//! clock and the cancellation as the guest saw them, the seed, and the answers' texts. A replay
//! would need the call and the answers' headers besides; nothing replays yet.

use std::sync::Mutex;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

/// One entry. Written ahead: an intent before its request leaves, an answer before the guest may
/// see it. No secret stands in it: requests are noted before placements are filled, answers after
/// echoes and declared secrets have been replaced.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum JournalEntry {
    /// The call begins.
    Started {
        /// The execution's id.
        execution: String,
        /// Digest of the component.
        plugin: String,
        /// The action.
        action: String,
        /// Position of the first item, of those that this call is about.
        first_item: u32,
        /// The seed of `random`.
        seed: u64,
        /// The clock at the beginning.
        now: u64,
    },
    /// A request is about to leave.
    Intent {
        /// Its ticket; 0 for `send`.
        ticket: u64,
        /// Its method.
        method: String,
        /// Its URL.
        url: String,
        /// Whether sending it again has no second effect.
        repeatable: bool,
    },
    /// A request has ended.
    Answer {
        /// Its ticket.
        ticket: u64,
        /// The answer's status.
        status: Option<u16>,
        /// Body as the guest sees it, where it is text.
        body: Option<String>,
        /// Why there is no answer.
        error: Option<String>,
        /// Whether it may have been sent.
        maybe_sent: bool,
    },
    /// `next` has named a ticket; clock and cancellation as the guest sees them from now on.
    Named {
        /// The ticket.
        ticket: u64,
        /// The clock.
        now: u64,
        /// Whether the engine wants the call to end.
        cancelled: bool,
    },
    /// Output was handed over.
    Emitted {
        /// The item.
        item: u32,
        /// How many records.
        records: usize,
    },
    /// The call has ended.
    Ended {
        /// Whether each item of the call succeeded. None did if the call as a whole failed.
        items: Vec<bool>,
        /// Why the call as a whole failed.
        error: Option<Value>,
    },
}

/// Takes journal entries. An entry that cannot be written stops the request that it announces.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Writes one entry, durably if the journal is meant to be.
    ///
    /// # Errors
    ///
    /// When it could not be written.
    async fn append(&self, entry: JournalEntry) -> std::io::Result<()>;

    /// Whether entries are kept. Where they are not, the host does not make them: an answer's body
    /// need not be copied.
    fn is_kept(&self) -> bool {
        true
    }
}

/// Keeps nothing. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    async fn append(&self, _entry: JournalEntry) -> std::io::Result<()> {
        Ok(())
    }

    fn is_kept(&self) -> bool {
        false
    }
}

/// Keeps entries in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Vec<JournalEntry>>);

impl MemoryJournal {
    /// What was written.
    pub fn entries(&self) -> Vec<JournalEntry> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, entry: JournalEntry) -> std::io::Result<()> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(entry);
        Ok(())
    }
}
