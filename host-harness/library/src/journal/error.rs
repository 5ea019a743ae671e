//! Why a journal cannot be written, read, resumed, or replayed.

use std::io;
use std::sync::Arc;

use super::name::JournalName;
use crate::causes::chain;

/// Why a journal cannot be written, read, resumed, or replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// An execution of this ID has a journal already.
    #[error(
        "Cannot begin journal {0}: an execution with this ID has one already. Resume it, or use \
         another execution ID"
    )]
    Exists(JournalName),
    /// There is no journal of this name.
    #[error("Journal {0} not found. It was removed, or its retention has passed")]
    Missing(JournalName),
    /// Another process or task is writing it.
    #[error("Journal {0} is in use: its execution is still running")]
    InUse(JournalName),
    /// It ends before the call is complete, so nothing was run.
    #[error(
        "The journal ends before the execution began, so nothing was sent. Remove it, and run the \
         execution again"
    )]
    NotBegun,
    /// The bytes are not a journal.
    #[error("Cannot read the journal: the file is not a journal")]
    NotAJournal,
    /// It was written in a format that this version does not support.
    #[error(
        "Cannot read the journal: its format {0} is unknown to this version. Use a newer version"
    )]
    Version(u8),
    /// Another key sealed it.
    #[error(
        "Cannot open the journal: the key does not match it, or its header was changed. Use the key \
         that it was written with"
    )]
    Key,
    /// It was changed, or its storage is damaged, at this byte.
    #[error(
        "The journal is damaged at byte {0}: later records are intact, so it was not merely cut off. \
         It is not resumed, because requests that were sent may be missing from it"
    )]
    Damaged(u64),
    /// It holds outcomes and digests only.
    #[error(
        "Cannot replay the journal: it holds outcomes and digests only, because the execution was \
         run without storing its output"
    )]
    NoContents,
    /// The items that the engine passed are not those of the execution.
    #[error("Cannot use the journal: {0}")]
    OtherExecution(String),
    /// The call that it records is not one of this version.
    #[error("Cannot use the journal: its call cannot be read")]
    Call(#[source] serde_json::Error),
    /// It ends although the execution went on.
    #[error(
        "Cannot resume the execution: its journal is incomplete ({0}), and the execution went on \
         without it. Check at the service what has happened"
    )]
    Incomplete(String),
    /// The plugin did something else than the journal says.
    #[error("The plugin diverged from the journal: {0}")]
    Diverged(String),
    /// The execution cannot be recorded, so it was not begun.
    #[error("Cannot record the execution, so nothing was sent")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It cannot be read or written.
    #[error("Cannot access the journal")]
    Io(#[from] io::Error),
}

/// Why an execution cannot go on recording. Cloned for each of its requests that waits for its
/// journal.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("{0}")]
    Full(String),
    #[error("its journal cannot be written")]
    Write(#[source] Arc<io::Error>),
    #[error("its journal cannot be written")]
    Seal(#[source] Arc<JournalError>),
}

impl From<RecordError> for JournalError {
    fn from(error: RecordError) -> Self {
        Self::Unwritable(error.into())
    }
}

impl RecordError {
    /// The reason in full, for an execution that stops because of it.
    pub(crate) fn reason(&self) -> String {
        chain(self)
    }
}
