//! Errors of the contract, with constructors.

use serde_json::Value;

use crate::bindings::workflow::node::http::{Request, SendError, SendErrorKind};
pub use crate::bindings::workflow::node::types::{ErrorKind, FieldError};
use crate::json;

/// Why an item failed. Built with [`Error::new`] and the `with_` methods.
pub type Error = crate::bindings::workflow::node::types::Error;

impl Error {
    /// Creates an error of `kind` with a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            http_status: None,
            retry_after: None,
            detail: None,
        }
    }

    /// Invalid parameters, each with its position.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let mut message = String::new();
        let mut list = Vec::with_capacity(errors.len());
        for FieldError { pointer, message: reason } in errors {
            if !message.is_empty() {
                message.push_str("; ");
            }
            if let Some(place) = pointer.strip_prefix('/') {
                message.push_str(place);
                message.push_str(": ");
            }
            message.push_str(&reason);
            let mut error = json::Object::new();
            error.set("pointer", pointer.into());
            error.set("message", reason.into());
            list.push(error.build());
        }
        Self::new(ErrorKind::InvalidInput, message).with_detail("errors", Value::Array(list))
    }

    /// An invalid parameter.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { pointer: pointer.into(), message: message.into() }])
    }

    /// Adds the service's error code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Adds a member to the detail object.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: Value) -> Self {
        let mut detail = self.detail.as_deref().and_then(json::object).unwrap_or_default();
        detail.insert(name.into(), value);
        self.detail = Some(json::text(&Value::Object(detail)));
        self
    }

    /// The error for a request that got no response.
    pub fn from_send(error: SendError, request: &Request) -> Self {
        Self::of_send(error, request.reads(), request.is_repeatable())
    }

    /// The error for a request that got no readable response, or that may be repeated.
    pub(crate) fn of_send(error: SendError, reads: bool, repeatable: bool) -> Self {
        // With an idempotency key, a lost connection is harmless: the same execution may retry. If
        // the request was ended from outside, its outcome is unknown, as without a key.
        let ended = matches!(error.kind, SendErrorKind::Timeout | SendErrorKind::Cancelled);
        let unknown = error.maybe_sent && !reads && (ended || !repeatable);
        let kind = match error.kind {
            // A request that the host itself refused was never sent.
            SendErrorKind::InvalidRequest => ErrorKind::InvalidInput,
            SendErrorKind::Denied => ErrorKind::DeniedByHost,
            SendErrorKind::Credential => ErrorKind::Unauthenticated,
            SendErrorKind::RateLimited => ErrorKind::RateLimited,
            _ if unknown => ErrorKind::OutcomeUnknown,
            SendErrorKind::Timeout => ErrorKind::Timeout,
            SendErrorKind::Unreachable | SendErrorKind::InvalidResponse => ErrorKind::Unavailable,
            SendErrorKind::TooLarge | SendErrorKind::OverBudget => ErrorKind::OverBudget,
            SendErrorKind::Cancelled => ErrorKind::Cancelled,
        };
        let mut message = error.message;
        if kind == ErrorKind::OutcomeUnknown && repeatable {
            message.push_str("; repeating the execution under the same id cannot do it twice");
        }
        Self { retry_after: error.retry_after, ..Self::new(kind, message) }
    }
}
