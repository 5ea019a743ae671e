//! Requests of guests, and the refusal of one, as they are sent and as they are replayed from a journal.

use crate::bindings::workflow::node::http::{Request, SendError, SendErrorKind};

/// Longest name that is kept of a request: method, slot, idempotency key.
pub(crate) const LONGEST_NAME: usize = 256;

/// A request that got no answer and was not sent.
pub(crate) fn refusal(kind: SendErrorKind, message: impl Into<String>) -> SendError {
    SendError { kind, message: message.into(), maybe_sent: false, retry_after: None }
}

/// Why a request is refused that is beyond the budget.
pub(crate) fn budget_is_used_up(most: u32) -> String {
    format!("the execution has reached the limit `requests` ({most})")
}

/// The error of a request beyond the budget of requests.
pub(crate) fn over_budget(most: u32) -> SendError {
    refusal(SendErrorKind::OverBudget, budget_is_used_up(most))
}

/// A request with names of a length that can be kept and shown.
pub(crate) fn trimmed(mut request: Request) -> Request {
    cut(&mut request.method, LONGEST_NAME);
    for name in [&mut request.credential, &mut request.idempotency_key].into_iter().flatten() {
        cut(name, LONGEST_NAME);
    }
    request
}

/// Cuts a text off at a character, and gives its memory back.
pub(crate) fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.shrink_to_fit();
    }
}
