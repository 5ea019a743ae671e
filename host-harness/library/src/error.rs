//! The library's errors: opaque, with a kind and predicates.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::approval::{ApprovalsError, Disabled, GrantRequest};
use crate::causes::chain;
use crate::crash::Crash;
use crate::credential::CredentialError;
use crate::description::{DescriptionError, FieldProblem};
use crate::digest::Digest;
use crate::item::{ItemError, ItemErrorKind};
use crate::journal::JournalError;
use crate::near;
use crate::offload::OffloadError;
use crate::subscription::TriggerStoreError;

/// Why the host could not do something. If an item of an execution fails, that is an
/// [`ItemError`](crate::ItemError) instead.
///
/// `{}` prints what failed, why, and what to do next, without the errors that caused it;
/// [`source`](std::error::Error::source) returns those, and `{:#}` prints all of them.
#[derive(Debug)]
pub struct Error(Box<Cause>);

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match formatter.alternate() {
            true => formatter.write_str(&chain(&*self.0)),
            false => write!(formatter, "{}", self.0),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0)
    }
}

/// The kind of an [`Error`]. Engines decide by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file cannot be read.
    Unreadable,
    /// Not a component, or one that has forbidden imports, is too large, or describes itself
    /// incorrectly.
    PluginRefused,
    /// The guest trapped, ran too long, or used too much.
    PluginStopped,
    /// Nobody has approved the component.
    NotApproved,
    /// An operator has disabled the plugin.
    PluginDisabled,
    /// The operator withholds a permission that is needed.
    Withheld,
    /// The plugin or the store has nothing of that name.
    Unknown,
    /// A workflow was built with another version of the action or trigger than the plugin has.
    Version,
    /// Parameters or fields are invalid; see [`Error::problems`].
    InvalidInput,
    /// A call was made with arguments that do not belong together.
    Items,
    /// The time that the engine allowed ran out.
    Timeout,
    /// The rate limit of the credential leaves too little time; see [`Error::needed_time`].
    RateLimit,
    /// The credential was granted less than the action needs.
    InsufficientScope,
    /// A credential is missing or cannot be used; see [`Error::credential`].
    Credential,
    /// Approvals cannot be read or written.
    Approvals,
    /// A subscription cannot be set up or used as requested.
    Trigger,
    /// Too much waits for the engine, or is stored.
    Full,
    /// The store of subscriptions failed.
    TriggerStore,
    /// The host was not set up for this, or with settings that exclude each other.
    Setup,
    /// The node or its service rejected a call that has no items; see [`Error::item`].
    Item(ItemErrorKind),
    /// The journal of an execution cannot be used; see [`Error::journal`].
    Journal,
    /// Anything else.
    Internal,
}

impl ErrorKind {
    /// The name, which stays the same over versions. Of [`ErrorKind::Item`] it is the name of the
    /// item's kind.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::PluginRefused => "plugin-refused",
            Self::PluginStopped => "plugin-stopped",
            Self::NotApproved => "not-approved",
            Self::PluginDisabled => "plugin-disabled",
            Self::Withheld => "withheld",
            Self::Unknown => "unknown",
            Self::Version => "version",
            Self::InvalidInput => "invalid-input",
            Self::Items => "items",
            Self::Timeout => "timeout",
            Self::RateLimit => "rate-limit",
            Self::InsufficientScope => "insufficient-scope",
            Self::Credential => "credential",
            Self::Approvals => "approvals",
            Self::Trigger => "trigger",
            Self::Full => "full",
            Self::TriggerStore => "trigger-store",
            Self::Setup => "setup",
            Self::Item(kind) => kind.as_str(),
            Self::Journal => "journal",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Cause of an error, with its details. Not public, because it grows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error("Cannot read `{path}`")]
    Read { path: String, source: std::io::Error },
    #[error("the plugin was refused: {0}")]
    Refused(String),
    #[error("the plugin was refused: {reason}")]
    RefusedBy { reason: String, source: Source },
    #[error(transparent)]
    Description(#[from] DescriptionError),
    #[error("the plugin was stopped: {0}")]
    Stopped(String),
    #[error("the plugin was stopped: {reason}")]
    Crashed { reason: String, crash: Box<Crash> },
    #[error("{}", not_approved(.digest, .request, .growth))]
    NotApproved { digest: Digest, request: Box<GrantRequest>, growth: Option<Vec<String>> },
    #[error("the plugin is disabled. To enable it: harness plugin enable {}", .0.plugin)]
    Disabled(Disabled),
    #[error("{0}")]
    Withheld(String),
    #[error("{what} `{name}` not found{}", one_of(.name, .known))]
    Unknown { what: &'static str, name: String, known: Vec<String> },
    #[error("{0}")]
    Version(String),
    #[error("{what}: {}", list(.problems))]
    Invalid { what: String, problems: Vec<FieldProblem> },
    #[error("{0}")]
    Items(String),
    #[error(
        "Cannot run {items} items of `{action}` in {}: with the rate limit of the credential \
         ({limit}), they take at least {} with one request per item. Nothing was sent. Allow more \
         time, or run fewer items at a time",
        span(.allowed), span(.time)
    )]
    Pace { action: String, items: usize, time: Duration, allowed: Duration, limit: String },
    #[error("the time limit was exceeded after {0} items")]
    TimeRanOut(u32),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("{0}")]
    CredentialUnusable(String),
    #[error(transparent)]
    Approvals(#[from] ApprovalsError),
    #[error("{0}")]
    Trigger(String),
    #[error("the sink did not accept an event")]
    Sink(#[source] Source),
    #[error("{0}")]
    Rejected(String, Box<ItemError>),
    #[error(transparent)]
    TriggerStore(TriggerStoreError),
    #[error(
        "Cannot start the thread that interrupts plugins. Allow this process more threads or more \
         memory"
    )]
    Ticker(#[source] std::io::Error),
    #[error("{0}")]
    Setup(String),
    #[error(transparent)]
    Journal(JournalError),
    #[error(transparent)]
    Internal(Source),
}

/// An error of another kind that caused an error of the host.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        Cause::Journal(error).into()
    }
}

impl From<OffloadError> for Error {
    fn from(error: OffloadError) -> Self {
        Self::internal(error)
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(Box::new(cause))
    }
}

impl Error {
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Cause::Refused(reason.into()).into()
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Cause::Read { .. } => ErrorKind::Unreadable,
            Cause::Refused(_) | Cause::RefusedBy { .. } | Cause::Description(_) => {
                ErrorKind::PluginRefused
            }
            Cause::Stopped(_) | Cause::Crashed { .. } => ErrorKind::PluginStopped,
            Cause::NotApproved { .. } => ErrorKind::NotApproved,
            Cause::Disabled(_) => ErrorKind::PluginDisabled,
            Cause::Withheld(_) => ErrorKind::Withheld,
            Cause::Unknown { .. } | Cause::TriggerStore(TriggerStoreError::Unknown { .. }) => {
                ErrorKind::Unknown
            }
            Cause::Version(_) => ErrorKind::Version,
            Cause::Invalid { .. } => ErrorKind::InvalidInput,
            Cause::Items(_) => ErrorKind::Items,
            Cause::TimeRanOut(_) => ErrorKind::Timeout,
            Cause::Pace { .. } => ErrorKind::RateLimit,
            Cause::Credential(CredentialError::InsufficientScope { .. }) => {
                ErrorKind::InsufficientScope
            }
            Cause::Credential(_) | Cause::CredentialUnusable(_) => ErrorKind::Credential,
            Cause::Approvals(_) => ErrorKind::Approvals,
            Cause::Trigger(_) | Cause::Sink(_) => ErrorKind::Trigger,
            Cause::Rejected(_, error) => ErrorKind::Item(error.kind),
            Cause::TriggerStore(TriggerStoreError::Full { .. }) => ErrorKind::Full,
            Cause::TriggerStore(_) => ErrorKind::TriggerStore,
            Cause::Setup(_) => ErrorKind::Setup,
            Cause::Journal(_) => ErrorKind::Journal,
            Cause::Ticker(_) | Cause::Internal(_) => ErrorKind::Internal,
        }
    }

    /// The component is refused for this reason, and this error says more about it.
    pub(crate) fn refused_by(reason: impl Into<String>, source: impl Into<Source>) -> Self {
        Cause::RefusedBy { reason: reason.into(), source: source.into() }.into()
    }

    pub(crate) fn internal(reason: impl Into<Source>) -> Self {
        Cause::Internal(reason.into()).into()
    }

    /// Why the component is refused, without saying that it is.
    pub(crate) fn into_refusal(self) -> String {
        match *self.0 {
            Cause::Refused(reason) => reason,
            Cause::RefusedBy { reason, source } => format!("{reason}: {}", chain(&*source)),
            cause => chain(&cause),
        }
    }

    /// The file is not a component, has a forbidden import, is too large, or has an invalid
    /// description.
    pub fn is_refused(&self) -> bool {
        matches!(self.kind(), ErrorKind::PluginRefused)
    }

    /// The guest trapped, ran too long or used too much.
    pub fn is_stopped(&self) -> bool {
        matches!(*self.0, Cause::Stopped(_) | Cause::Crashed { .. })
    }

    /// The time that the engine gave ran out before all items were run.
    pub fn is_timeout(&self) -> bool {
        matches!(*self.0, Cause::TimeRanOut(_))
    }

    /// The time that is enough for the items, where by the rate limit of the credential that which was
    /// allowed is not. Nothing was sent. Others that share the credential can make it longer.
    pub fn needed_time(&self) -> Option<Duration> {
        match *self.0 {
            Cause::Pace { time, .. } => Some(time + time / 10 + Duration::from_secs(10)),
            _ => None,
        }
    }

    /// Nobody has approved this component.
    pub fn is_not_approved(&self) -> bool {
        matches!(*self.0, Cause::NotApproved { .. })
    }

    /// An operator has disabled the plugin.
    pub fn is_disabled(&self) -> bool {
        matches!(*self.0, Cause::Disabled(_))
    }

    /// It needs a right that the plugin asks for and the operator has withheld. The message names the
    /// option that withholds it.
    pub fn is_withheld(&self) -> bool {
        matches!(*self.0, Cause::Withheld(_))
    }

    /// A credential is missing or cannot be used.
    pub fn is_credential(&self) -> bool {
        matches!(*self.0, Cause::Credential(_) | Cause::CredentialUnusable(_))
    }

    /// So much waits for the engine, or is stored, that nothing can be added; the text names the
    /// limit. It passes when the engine takes what waits.
    pub fn is_full(&self) -> bool {
        matches!(*self.0, Cause::TriggerStore(TriggerStoreError::Full { .. }))
    }

    /// Whether the input is invalid, or names something that does not exist. Nothing was sent.
    pub fn is_invalid_input(&self) -> bool {
        matches!(
            *self.0,
            Cause::Unknown { .. }
                | Cause::Version(_)
                | Cause::Invalid { .. }
                | Cause::Items(_)
                | Cause::Read { .. }
                | Cause::Trigger(_)
                | Cause::Sink(_)
                | Cause::TriggerStore(
                    TriggerStoreError::Unknown { .. } | TriggerStoreError::Exists(_)
                )
        )
    }

    /// The problem with the execution's journal, if that is the cause.
    pub fn journal(&self) -> Option<&JournalError> {
        match &*self.0 {
            Cause::Journal(error) => Some(error),
            _ => None,
        }
    }

    /// Why the plugin was stopped, without saying that it was.
    pub(crate) fn stop_reason(&self) -> String {
        match &*self.0 {
            Cause::Stopped(reason) => reason.clone(),
            cause => chain(cause),
        }
    }

    /// Why a credential cannot be had, where that is the reason.
    pub fn credential(&self) -> Option<&CredentialError> {
        match &*self.0 {
            Cause::Credential(error) => Some(error),
            _ => None,
        }
    }

    /// Output and running functions of a plugin that was stopped, if there are any.
    pub fn crash(&self) -> Option<&Crash> {
        match &*self.0 {
            Cause::Crashed { crash, .. } => Some(crash),
            _ => None,
        }
    }

    /// Error that a plugin returned, if that is the cause.
    pub fn item(&self) -> Option<&ItemError> {
        match &*self.0 {
            Cause::Rejected(_, error) => Some(error),
            _ => None,
        }
    }

    /// The wrong fields, where the input was invalid.
    pub fn problems(&self) -> &[FieldProblem] {
        match &*self.0 {
            Cause::Invalid { problems, .. } => problems,
            _ => &[],
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
        return format!(". Available: {}", known.join(", "));
    }
    let near = near(name, known.iter().map(String::as_str));
    match near.as_slice() {
        [] => format!(". None of the {} available names is similar", known.len()),
        near => format!(". Similar names: {}", near.join(", ")),
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
            "the plugin `{name}` ({digest}) is not approved. Review the permissions that it \
             requests, and approve it"
        ),
        Some(growth) if growth.is_empty() => format!(
            "the plugin `{name}` has changed since it was approved (now {digest}) and requests no \
             new permissions. Approve it again"
        ),
        Some(growth) => format!(
            "the plugin `{name}` has changed since it was approved (now {digest}) and requests new \
             permissions: {}",
            beginning(growth)
        ),
    }
}
