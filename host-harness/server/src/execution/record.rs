//! What is stored of an execution: its request, its progress, and the result of each item.

use workflow_node_host::{ItemErrorKind, Principal};

use crate::error::ErrorDetail;

/// Status of an execution.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It has ended, and each item has a result.
    Finished,
    /// It was cancelled.
    Cancelled,
    /// The plugin or the host stopped it.
    Stopped,
    /// The server stopped while it ran.
    Interrupted,
}

impl Status {
    const ALL: [(Self, &str); 6] = [
        (Self::Queued, "queued"),
        (Self::Running, "running"),
        (Self::Finished, "finished"),
        (Self::Cancelled, "cancelled"),
        (Self::Stopped, "stopped"),
        (Self::Interrupted, "interrupted"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn of(name: &str) -> Self {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map_or(Self::Interrupted, |(one, _)| *one)
    }
}

/// Key of an execution: IDs of different tenants are independent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) tenant: String,
    pub(crate) id: String,
}

impl Key {
    pub(crate) fn of(principal: &Principal, id: impl Into<String>) -> Self {
        Self { tenant: principal.tenant.to_string(), id: id.into() }
    }
}

/// The request of an execution.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) key: Key,
    pub(crate) actor: String,
    pub(crate) plugin: String,
    pub(crate) digest: String,
    pub(crate) action: String,
    pub(crate) workflow: Option<String>,
    pub(crate) fingerprint: [u8; 32],
    /// Whether running it again with the same ID has no further effect.
    pub(crate) repeatable: bool,
    pub(crate) items: u64,
}

/// A stored execution.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) actor: String,
    pub(crate) plugin: String,
    pub(crate) action: String,
    pub(crate) workflow: Option<String>,
    pub(super) fingerprint: Vec<u8>,
    pub(super) repeatable: bool,
    pub(crate) status: Status,
    /// Whether the plugin was called.
    pub(crate) started: bool,
    pub(crate) items: u64,
    /// Items from this position on were not begun, if the execution was canceled or stopped.
    pub(crate) told: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) error: Option<ErrorDetail>,
    pub(crate) created_at: u64,
    pub(crate) ended_at: Option<u64>,
    /// It comes from a backup, and may have sent more than it has recorded.
    pub(super) restored: bool,
}

/// Result of beginning an execution.
#[derive(Debug)]
pub(crate) enum Begun {
    /// Its ID is new.
    New,
    /// It has ended, and may run again.
    Again,
    /// It has ended; this is its result.
    Ended(Box<Stored>),
    /// The server stopped while it ran.
    Interrupted(Box<Stored>),
    /// The ID was used for another request.
    Conflict,
}

/// The result of one item.
#[derive(Clone, Debug)]
pub(crate) struct ItemResult {
    pub(crate) item: u64,
    /// Kind and HTTP status of its error.
    pub(crate) error: Option<(ItemErrorKind, Option<u16>)>,
    /// As JSON.
    pub(crate) body: String,
}

/// How an execution has ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) status: Status,
    /// Whether a request may have been sent. An execution that has sent nothing may run again.
    pub(crate) sent: bool,
    pub(crate) told: u64,
    pub(crate) error: Option<ErrorDetail>,
}
