//! What an item yields: its records, or why it failed.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::bindings::workflow::node::types::{Error as GuestError, ErrorKind, OutputItem};
use crate::digest::Parts;
use crate::json::Measure;
use crate::limits::{Limits, RECORD_OVERHEAD, exceeded};
use crate::names::names;

/// An output record. Its JSON is kept unchanged, including numbers and unknown members.
#[derive(Clone, Debug)]
pub struct OutputRecord {
    /// `main` unless the action branches.
    pub port: String,
    /// The record.
    pub json: Box<RawValue>,
}

impl OutputRecord {
    /// The record as a value.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.json.get()).unwrap_or_default()
    }

    /// Adds the record to a digest.
    pub(crate) fn add_to(&self, parts: &mut Parts) {
        parts.add(&self.port);
        parts.add(self.json.get());
    }

    /// The record, if its text is JSON and nested at most so deep. Takes time with its size.
    pub(crate) fn checked(output: OutputItem, depth: usize) -> Result<Self, String> {
        if Measure::of(&output.json).depth > depth {
            return Err(format!(
                "an output record is nested deeper than {depth} (limit `json_depth`)"
            ));
        }
        let json = RawValue::from_string(output.json)
            .map_err(|error| format!("an output record is not valid JSON: {error}"))?;
        Ok(Self { port: output.port, json })
    }
}

/// Size of a record for the limits, in bytes.
pub(crate) fn weight(output: &OutputItem) -> usize {
    output.json.len() + output.port.len() + RECORD_OVERHEAD
}

names! {
    /// The kind of an [`ItemError`]. Engines decide by it. The contract's `error-kind`.
    pub enum ItemErrorKind {
        /// The parameters are invalid, or the service says so.
        InvalidInput = "invalid-input",
        /// The service does not accept the credential.
        Unauthenticated = "unauthenticated",
        /// The credential lacks a permission.
        Forbidden = "forbidden",
        /// Something that the parameters refer to does not exist.
        NotFound = "not-found",
        /// The state of the service does not permit it.
        Conflict = "conflict",
        /// A rate limit leaves too little time.
        RateLimited = "rate-limited",
        /// The service cannot be reached or is failing. Nothing was changed.
        Unavailable = "unavailable",
        /// The time ran out. Nothing was changed.
        Timeout = "timeout",
        /// A change was sent, and it is unknown whether the service made it.
        OutcomeUnknown = "outcome-unknown",
        /// A rule of the host forbids a request.
        DeniedByHost = "denied-by-host",
        /// The item needs more than a limit of the host allows.
        OverBudget = "over-budget",
        /// The node cannot do this.
        Unsupported = "unsupported",
        /// The execution was cancelled, or ended before the item.
        Cancelled = "cancelled",
        /// A defect of the node or of the host.
        Internal = "internal",
    }
}

/// Why an item failed, as the node or the host reports it.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct ItemError {
    /// Kind of the error. The engine decides by it, for example whether to retry.
    pub kind: ItemErrorKind,
    /// Description of the failure, its cause, and the next step.
    pub message: String,
    /// The service's own error code.
    pub code: Option<String>,
    /// HTTP status of the response that led to the error.
    pub http_status: Option<u16>,
    /// How long to wait before trying again, in milliseconds. `None` if trying again cannot help.
    pub retry_after_ms: Option<u64>,
    /// The service's own explanation.
    pub detail: Option<Value>,
}

impl ItemError {
    /// An error of a kind.
    pub fn new(kind: ItemErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            http_status: None,
            retry_after_ms: None,
            detail: None,
        }
    }

    /// Adds the error to a digest.
    pub(crate) fn add_to(&self, parts: &mut Parts) {
        let Self { kind, message, code, http_status, retry_after_ms, detail } = self;
        parts.add("error");
        parts.add(kind.as_str());
        parts.add(message);
        parts.add(code.as_deref().unwrap_or_default());
        parts.add(http_status.unwrap_or_default().to_le_bytes());
        parts.add(retry_after_ms.unwrap_or_default().to_le_bytes());
        parts.add(detail.as_ref().map(Value::to_string).unwrap_or_default());
    }

    /// Of an item that was not begun.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(ItemErrorKind::Cancelled, message)
    }
}

impl ItemError {
    /// Converts an error that a guest reports and shortens it to the limits. Takes time with its
    /// size.
    pub(crate) fn of_guest(error: GuestError, limits: &Limits) -> Self {
        let kind = match error.kind {
            ErrorKind::InvalidInput => ItemErrorKind::InvalidInput,
            ErrorKind::Unauthenticated => ItemErrorKind::Unauthenticated,
            ErrorKind::Forbidden => ItemErrorKind::Forbidden,
            ErrorKind::NotFound => ItemErrorKind::NotFound,
            ErrorKind::Conflict => ItemErrorKind::Conflict,
            ErrorKind::RateLimited => ItemErrorKind::RateLimited,
            ErrorKind::Unavailable => ItemErrorKind::Unavailable,
            ErrorKind::Timeout => ItemErrorKind::Timeout,
            ErrorKind::OutcomeUnknown => ItemErrorKind::OutcomeUnknown,
            ErrorKind::DeniedByHost => ItemErrorKind::DeniedByHost,
            ErrorKind::OverBudget => ItemErrorKind::OverBudget,
            ErrorKind::Unsupported => ItemErrorKind::Unsupported,
            ErrorKind::Cancelled => ItemErrorKind::Cancelled,
            ErrorKind::Internal => ItemErrorKind::Internal,
        };
        let mut message = shortened(error.message, limits.error_text);
        let detail = error.detail.and_then(|detail| {
            // A large one is not even measured.
            let fits = |measure: Measure| {
                measure.weight() <= limits.error_detail && measure.depth <= limits.json_depth
            };
            if detail.len() > limits.error_detail || !fits(Measure::of(&detail)) {
                let what = " (its detail was dropped: it";
                message.push_str(&exceeded(what, "error_detail", limits.error_detail));
                message.push(')');
                return None;
            }
            serde_json::from_str(&detail).ok()
        });
        Self {
            kind,
            message,
            code: error.code.map(|code| shortened(code, limits.error_text)),
            http_status: error.http_status,
            retry_after_ms: error.retry_after,
            detail,
        }
    }
}

/// Untrusted text, cut off after so many bytes.
pub(crate) fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// Size of an error that a guest reports, for the limits, in bytes.
pub(crate) fn weight_of_error(error: &ItemError, detail: usize) -> usize {
    let code = error.code.as_ref().map_or(0, String::len);
    error.message.len() + code + detail + RECORD_OVERHEAD
}
