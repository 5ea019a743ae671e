//! The library's errors: opaque, with predicates; the kind can grow.

use std::time::Duration;

use crate::approval::{ApprovalsError, Disabled, GrantRequest};
use crate::credential::CredentialError;
use crate::description::{DescriptionError, FieldProblem};
use crate::digest::Digest;
use crate::execution::ItemError;
use crate::near;
use crate::plugin::Crash;
use crate::trigger::TriggerStoreError;

/// Why the host could not do something. What an action answers for an item is no such error, but
/// an [`ItemError`](crate::ItemError).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Box<ErrorKind>);

/// What went wrong. Not public: it grows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrorKind {
    #[error("{path} cannot be read: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("the plugin is refused: {0}")]
    Refused(String),
    #[error("the plugin is refused: its description is wrong. {0}")]
    Description(#[from] DescriptionError),
    #[error("the plugin was stopped: {0}")]
    Stopped(String),
    #[error("the plugin was stopped: {reason}")]
    Crashed { reason: String, crash: Box<Crash> },
    #[error("{}", not_approved(.digest, .request, .growth))]
    NotApproved { digest: Digest, request: Box<GrantRequest>, growth: Option<Vec<String>> },
    #[error("the plugin is disabled. To let it run again: harness plugin enable {}", .0.plugin)]
    Disabled(Disabled),
    #[error("{0}")]
    Withheld(String),
    #[error("there is no {what} `{name}`{}", one_of(.name, .known))]
    Unknown { what: &'static str, name: String, known: Vec<String> },
    #[error("{what}: {}", list(.problems))]
    Invalid { what: String, problems: Vec<FieldProblem> },
    #[error("{0}")]
    Items(String),
    #[error(
        "Cannot run {items} items of `{action}` in {}: the rate limit of the credential ({limit}) lets \
         them take at least {} with one request per item. Nothing was sent. Allow more time, or run \
         fewer items at a time",
        span(.allowed), span(.time)
    )]
    Pace { action: String, items: usize, time: Duration, allowed: Duration, limit: String },
    #[error("the time ran out after {0} items")]
    TimeRanOut(u32),
    #[error("{0}")]
    Credential(#[from] CredentialError),
    #[error("{0}")]
    CredentialUnusable(String),
    #[error("{0}")]
    Approvals(#[from] ApprovalsError),
    #[error("{0}")]
    Trigger(String),
    #[error("{0}")]
    Rejected(String, Box<ItemError>),
    #[error("{0}")]
    TriggerStore(TriggerStoreError),
    #[error(
        "Cannot start the thread that interrupts plugins: {0}. Allow this process more threads or \
         more memory"
    )]
    Ticker(std::io::Error),
    #[error("{0}")]
    Setup(String),
    #[error("{0}")]
    Internal(String),
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl Error {
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        ErrorKind::Refused(reason.into()).into()
    }

    pub(crate) fn internal(reason: impl ToString) -> Self {
        ErrorKind::Internal(reason.to_string()).into()
    }

    /// Why the component is refused, without saying that it is.
    pub(crate) fn into_refusal(self) -> String {
        match *self.0 {
            ErrorKind::Refused(reason) => reason,
            kind => kind.to_string(),
        }
    }

    /// The component is none, imports what it may not, is too large, or describes itself wrongly.
    pub fn is_refused(&self) -> bool {
        matches!(*self.0, ErrorKind::Refused(_) | ErrorKind::Description(_))
    }

    /// The guest trapped, ran too long or used too much.
    pub fn is_stopped(&self) -> bool {
        matches!(*self.0, ErrorKind::Stopped(_) | ErrorKind::Crashed { .. })
    }

    /// The time that the engine gave ran out before all items were run.
    pub fn is_timeout(&self) -> bool {
        matches!(*self.0, ErrorKind::TimeRanOut(_))
    }

    /// The time that is enough for the items, where by the rate limit of the credential that which was
    /// allowed is not. Nothing was sent. Others that share the credential can make it longer.
    pub fn needed_time(&self) -> Option<Duration> {
        match *self.0 {
            ErrorKind::Pace { time, .. } => Some(time + time / 10 + Duration::from_secs(10)),
            _ => None,
        }
    }

    /// Nobody has approved this component.
    pub fn is_not_approved(&self) -> bool {
        matches!(*self.0, ErrorKind::NotApproved { .. })
    }

    /// An operator has disabled the plugin.
    pub fn is_disabled(&self) -> bool {
        matches!(*self.0, ErrorKind::Disabled(_))
    }

    /// It needs a right that the plugin asks for and the operator has withheld. The message names the
    /// option that withholds it.
    pub fn is_withheld(&self) -> bool {
        matches!(*self.0, ErrorKind::Withheld(_))
    }

    /// A credential is missing or cannot be used.
    pub fn is_credential(&self) -> bool {
        matches!(*self.0, ErrorKind::Credential(_) | ErrorKind::CredentialUnusable(_))
    }

    /// So much waits for the engine, or is stored, that nothing can be added; the text names the
    /// limit. It passes when the engine takes what waits.
    pub fn is_full(&self) -> bool {
        matches!(*self.0, ErrorKind::TriggerStore(TriggerStoreError::Full { .. }))
    }

    /// What was asked for does not exist or does not fit; nothing was sent.
    pub fn is_invalid_input(&self) -> bool {
        matches!(
            *self.0,
            ErrorKind::Unknown { .. }
                | ErrorKind::Invalid { .. }
                | ErrorKind::Items(_)
                | ErrorKind::Read { .. }
                | ErrorKind::Trigger(_)
                | ErrorKind::TriggerStore(
                    TriggerStoreError::Unknown { .. } | TriggerStoreError::Exists(_)
                )
        )
    }

    /// Why a credential cannot be had, where that is the reason.
    pub fn credential(&self) -> Option<&CredentialError> {
        match &*self.0 {
            ErrorKind::Credential(error) => Some(error),
            _ => None,
        }
    }

    /// What a plugin left behind that was stopped, where it left anything: its output and the
    /// functions that were running.
    pub fn crash(&self) -> Option<&Crash> {
        match &*self.0 {
            ErrorKind::Crashed { crash, .. } => Some(crash),
            _ => None,
        }
    }

    /// What a plugin answered, where that is the reason.
    pub fn item(&self) -> Option<&ItemError> {
        match &*self.0 {
            ErrorKind::Rejected(_, error) => Some(error),
            _ => None,
        }
    }

    /// The wrong fields, where the input was invalid.
    pub fn problems(&self) -> &[FieldProblem] {
        match &*self.0 {
            ErrorKind::Invalid { problems, .. } => problems,
            _ => &[],
        }
    }

    /// A short name for machines, stable over versions.
    pub fn name(&self) -> &'static str {
        match &*self.0 {
            ErrorKind::Read { .. } => "unreadable",
            ErrorKind::Refused(_) | ErrorKind::Description(_) => "plugin-refused",
            ErrorKind::Stopped(_) | ErrorKind::Crashed { .. } => "plugin-stopped",
            ErrorKind::NotApproved { .. } => "not-approved",
            ErrorKind::Disabled(_) => "plugin-disabled",
            ErrorKind::Withheld(_) => "withheld",
            ErrorKind::Unknown { .. } => "unknown",
            ErrorKind::Invalid { .. } => "invalid-input",
            ErrorKind::Items(_) => "items",
            ErrorKind::TimeRanOut(_) => "timeout",
            ErrorKind::Pace { .. } => "rate-limit",
            ErrorKind::Credential(CredentialError::InsufficientScope { .. }) => {
                "insufficient-scope"
            }
            ErrorKind::Credential(_) | ErrorKind::CredentialUnusable(_) => "credential",
            ErrorKind::Approvals(_) => "approvals",
            ErrorKind::Trigger(_) => "trigger",
            ErrorKind::Rejected(_, error) => error.kind,
            ErrorKind::TriggerStore(TriggerStoreError::Unknown { .. }) => "unknown",
            ErrorKind::TriggerStore(TriggerStoreError::Full { .. }) => "full",
            ErrorKind::TriggerStore(_) => "trigger-store",
            ErrorKind::Setup(_) => "setup",
            ErrorKind::Ticker(_) | ErrorKind::Internal(_) => "internal",
        }
    }
}

/// A time in words: it is read, not counted with.
fn span(time: &Duration) -> String {
    match time.as_secs() {
        seconds @ 0..180 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

fn list(problems: &[FieldProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// More names are not read in a sentence.
const LISTED: usize = 12;

fn one_of(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return String::new();
    }
    if known.len() <= LISTED {
        return format!(". There is: {}", known.join(", "));
    }
    let near = near(name, known.iter().map(String::as_str));
    match near.as_slice() {
        [] => format!(", and none of the {} that there are is called like it", known.len()),
        near => format!(". Near it: {}", near.join(", ")),
    }
}

/// The first points of a list, and how many more there are.
fn beginning(points: &[String]) -> String {
    let more = match points.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("{}{more}", points[..points.len().min(LISTED)].join("; "))
}

fn not_approved(digest: &Digest, request: &GrantRequest, growth: &Option<Vec<String>>) -> String {
    let name = &request.node;
    match growth {
        None => format!(
            "the plugin `{name}` ({digest}) is not approved: look at what it asks for, and approve it"
        ),
        Some(growth) if growth.is_empty() => format!(
            "the plugin `{name}` has changed since it was approved (now {digest}); it asks for \
             nothing new: approve it again"
        ),
        Some(growth) => format!(
            "the plugin `{name}` has changed since it was approved (now {digest}), and asks for \
             more: {}",
            beginning(growth)
        ),
    }
}
