//! Calls whose stream broke before the client had the response. A client repeats such a call, and it
//! must not write twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::ServerLimits;

/// Identity of a call: the token and the fingerprint. Two calls with the same values are the same call.
type Same = (String, [u8; 32]);

/// An execution that was started for a call, and the time at which its stream broke.
struct Broken {
    execution: String,
    since: Instant,
}

/// The calls of a server whose streams broke.
pub(super) struct Calls {
    broken: Mutex<HashMap<Same, Broken>>,
    time: Duration,
    most: usize,
}

/// A call that has begun and whose response has not been delivered.
pub(super) struct Open {
    pub(super) same: Same,
    pub(super) execution: String,
}

impl Calls {
    pub(super) fn new(limits: &ServerLimits) -> Self {
        let time = ServerLimits::time(limits.mcp_repeat_ms);
        Self { broken: Mutex::default(), time, most: limits.mcp_broken_calls }
    }

    /// The execution that an identical call began, if its stream broke a short time ago. It is
    /// returned to one call only: two more identical calls mean two more executions.
    pub(super) fn join(&self, token: &str, fingerprint: &[u8; 32]) -> Option<String> {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let found = broken.remove(&(token.to_owned(), *fingerprint))?;
        (found.since.elapsed() < self.time).then_some(found.execution)
    }

    fn broke(&self, call: Open) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if broken.len() >= self.most {
            broken.retain(|_, call| call.since.elapsed() < self.time);
        }
        if broken.len() >= self.most {
            let oldest = broken.iter().min_by_key(|(_, call)| call.since);
            let oldest = oldest.map(|(same, _)| same.clone());
            oldest.and_then(|same| broken.remove(&same));
        }
        let Open { same, execution } = call;
        broken.insert(same, Broken { execution, since: Instant::now() });
    }
}

/// The delivery of one HTTP response, which its body and the call share.
#[derive(Clone)]
pub(super) struct Delivery(Arc<Shared>);

struct Shared {
    calls: Arc<Calls>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Vec<Open>,
    /// The response is there, on its way to the client.
    answered: bool,
    ended: Option<Ended>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Delivered,
    Broke,
}

impl Delivery {
    pub(super) fn new(calls: Arc<Calls>) -> Self {
        Self(Arc::new(Shared { calls, state: Mutex::default() }))
    }

    /// Remembers a call until the response has been delivered.
    pub(super) fn hold(&self, call: Open) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.ended {
            None => state.open.push(call),
            Some(Ended::Broke) => self.0.calls.broke(call),
            Some(Ended::Delivered) => {}
        }
    }

    /// Says that the next event of the stream is the response.
    pub(super) fn answered(&self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).answered = true;
    }

    fn end(&self, ended: Ended) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.ended.is_some() {
            return;
        }
        state.ended = Some(ended);
        let open = std::mem::take(&mut state.open);
        if ended == Ended::Broke {
            open.into_iter().for_each(|call| self.0.calls.broke(call));
        }
    }
}

/// Reports how a response ended: delivered, or dropped before its end.
pub(super) struct Watch(pub(super) Delivery);

impl Watch {
    /// Takes note of a part of the body that goes to the client. A client may close the connection as
    /// soon as it has the response, so the end of the body does not matter.
    pub(super) fn sends(&self, part: &[u8]) {
        let is_comment = part.starts_with(b":");
        let answered = self.0.0.state.lock().unwrap_or_else(PoisonError::into_inner).answered;
        if answered && !is_comment {
            self.0.end(Ended::Delivered);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.end(Ended::Broke);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(limits: ServerLimits) -> Arc<Calls> {
        Arc::new(Calls::new(&limits))
    }

    fn open(token: &str, number: u8) -> Open {
        Open { same: (token.to_owned(), [number; 32]), execution: format!("{token}-{number}") }
    }

    #[test]
    fn only_a_call_whose_stream_broke_is_joined_and_only_once() {
        let calls = calls(ServerLimits::default());
        let delivered = Delivery::new(calls.clone());
        let watch = Watch(delivered.clone());
        delivered.hold(open("a", 1));
        assert_eq!(calls.join("a", &[1; 32]), None, "the stream is open");
        watch.sends(b"data: {}");
        delivered.answered();
        watch.sends(b": ping");
        watch.sends(b"data: {}");
        drop(watch);
        assert_eq!(calls.join("a", &[1; 32]), None, "the response was delivered");

        let broken = Delivery::new(calls.clone());
        broken.hold(open("a", 2));
        broken.answered();
        let watch = Watch(broken.clone());
        watch.sends(b": ping");
        drop(watch);
        broken.hold(open("a", 3));
        assert_eq!(calls.join("b", &[2; 32]), None, "another token");
        assert_eq!(calls.join("a", &[2; 32]).as_deref(), Some("a-2"));
        assert_eq!(calls.join("a", &[2; 32]), None, "it was joined before");
        assert_eq!(
            calls.join("a", &[3; 32]).as_deref(),
            Some("a-3"),
            "it broke before it was held"
        );
    }

    #[test]
    fn broken_calls_are_forgotten_after_a_while_and_are_bounded() {
        let late = calls(ServerLimits { mcp_repeat_ms: 0, ..ServerLimits::default() });
        let delivery = Delivery::new(late.clone());
        delivery.hold(open("a", 1));
        drop(Watch(delivery));
        assert_eq!(late.join("a", &[1; 32]), None);

        let few = calls(ServerLimits { mcp_broken_calls: 2, ..ServerLimits::default() });
        for number in 1..=3 {
            let delivery = Delivery::new(few.clone());
            delivery.hold(open("a", number));
            drop(Watch(delivery));
        }
        assert_eq!(few.join("a", &[1; 32]), None, "the oldest gave way");
        assert!(few.join("a", &[2; 32]).is_some() && few.join("a", &[3; 32]).is_some());
    }
}
