//! Whether the host takes a request over from the guest at all: within the budget of requests, and of
//! a size that fits. Nothing of a request that is too large is kept, shown, or logged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::session::Session;
use crate::audit::{Entry, Verdict};
use crate::bindings::workflow::node::http::{Request, SendError, SendErrorKind};
use crate::budget::{Charge, Exhausted};
use crate::limits::{Limits, exceeded};
use crate::request::{LONGEST_NAME, budget_is_used_up, cut, over_budget, refusal, trimmed};

/// Cost of a request in addition to its texts, in bytes.
const OVERHEAD: usize = 1_024;

/// Result of admitting a request, before it is checked.
pub(crate) enum Admission {
    /// It counts against the budget of requests, and its bytes are charged.
    Admitted(Request, Arc<Charge>),
    /// It counts, and is refused; what is left of it may be shown.
    Refused(Request, SendError),
    /// It is beyond the budget of requests: it is counted, and nothing else.
    Over(SendError),
}

impl Session {
    /// Takes a request over.
    pub(crate) fn admit(&self, mut request: Request) -> Admission {
        let most = self.limits.requests;
        let counted = self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |made| {
            (made < most).then_some(made + 1)
        });
        if counted.is_err() {
            self.over_budget.fetch_add(1, Ordering::Relaxed);
            return Admission::Over(over_budget(most));
        }
        request = trimmed(request);
        let refused = match too_large(&request, &self.limits) {
            Some(error) => error,
            None => match self.held.charge(self.size(&request)) {
                Ok(charge) => return Admission::Admitted(request, Arc::new(charge)),
                Err(exhausted) => no_room(&exhausted),
            },
        };
        request.headers = Vec::new();
        request.body = None;
        cut(&mut request.url, LONGEST_NAME);
        Admission::Refused(request, refused)
    }

    /// Memory that a request occupies in the host, in bytes.
    fn size(&self, request: &Request) -> usize {
        let headers: usize =
            request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let body = request.body.as_ref().map_or(0, Vec::len);
        // An observer that wants bodies is given a copy when the request has ended.
        let copies = if self.observer.wants_bodies() { 2 } else { 1 };
        OVERHEAD + request.url.len() + copies * (headers + body)
    }
}

impl Drop for Session {
    /// One event for all requests beyond the budget.
    fn drop(&mut self) {
        let over = *self.over_budget.get_mut();
        if over == 0 {
            return;
        }
        let event = self.caller.event(Entry {
            time: self.clock.unix_milliseconds(),
            credential: None,
            method: "",
            url: "",
            verdict: Verdict::Refused,
            reason: Some(format!(
                "{over} further requests were refused: {}",
                budget_is_used_up(self.limits.requests)
            )),
            status: None,
            attempts: 0,
            duration: Duration::ZERO,
        });
        self.audit.record_later(event, &self.abandoned);
    }
}

fn too_large(request: &Request, limits: &Limits) -> Option<SendError> {
    let invalid = |message| Some(refusal(SendErrorKind::InvalidRequest, message));
    if request.url.len() > limits.url {
        let what = format!("the URL has {} bytes, which", request.url.len());
        return invalid(exceeded(&what, "url", limits.url));
    }
    let (most, most_bytes) = limits.request_headers;
    if request.headers.len() > most {
        let what = format!("the request has {} headers, which", request.headers.len());
        return invalid(exceeded(&what, "request_headers", most));
    }
    let bytes: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > most_bytes {
        let what = format!("the request's headers have {bytes} bytes, which");
        return invalid(exceeded(&what, "request_headers", most_bytes));
    }
    let body = request.body.as_ref().map_or(0, Vec::len);
    if body > limits.request_body {
        let what = format!("the request's body has {body} bytes, which");
        let message = exceeded(&what, "request_body", limits.request_body);
        return Some(refusal(SendErrorKind::OverBudget, message));
    }
    None
}

/// There is no room for a request. It may be sent again: once answers were taken, or once others
/// have ended.
pub(super) fn no_room(exhausted: &Exhausted) -> SendError {
    let next = match exhausted.is_shared {
        true => "other executions use them. Try again later",
        false => "take responses before you send more requests",
    };
    SendError {
        retry_after: exhausted.is_shared.then_some(1_000),
        ..refusal(
            SendErrorKind::OverBudget,
            format!("cannot hold the request: {exhausted}. {next}. It was not sent"),
        )
    }
}
