//! The imports of a native build: a host without a network and without a real clock, as a test has
//! set it up.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::bindings::workflow::node::context::{CredentialView, Level};
use crate::bindings::workflow::node::http::{Request, Response, SendError};

use super::{Outcome, OutputItem};

pub(crate) type Answer = Box<dyn FnMut(&Request) -> Result<Response, SendError>>;

/// What the host knows and has seen.
pub(crate) struct State {
    pub(crate) answer: Answer,
    /// Remaining responses of a script.
    pub(crate) script: Option<Rc<RefCell<VecDeque<Response>>>>,
    pub(crate) requests: Vec<Request>,
    pub(crate) credentials: BTreeMap<String, CredentialView>,
    pub(crate) emitted: Vec<(u32, OutputItem)>,
    pub(crate) finished: Vec<(u32, Outcome)>,
    pub(crate) logged: Vec<(Level, String)>,
    pub(crate) open: Vec<Open>,
    pub(crate) is_last_first: bool,
    pub(crate) is_cancelled: bool,
    pub(crate) most_open: usize,
    pub(crate) given_up: usize,
    pub(crate) now: u64,
    pub(crate) deadline: Option<u64>,
    pub(crate) latency: u64,
    pub(crate) answers: BTreeMap<u64, Result<Response, SendError>>,
    pub(crate) tickets: u64,
    pub(crate) checks_output: bool,
}

/// A request or a timer in progress.
pub(crate) struct Open {
    ticket: u64,
    /// When it finishes, in milliseconds since 1970.
    due: u64,
}

thread_local! {
    /// The host that guest code runs against.
    pub(crate) static CURRENT: RefCell<Option<Rc<RefCell<State>>>> = const { RefCell::new(None) };
}

impl State {
    fn open(&mut self, milliseconds: u64) -> u64 {
        self.tickets += 1;
        let due = self.now.saturating_add(milliseconds);
        self.open.push(Open { ticket: self.tickets, due });
        self.most_open = self.most_open.max(self.open.len());
        self.tickets
    }

    /// Removes the operation that finishes next, and sets the clock to that time.
    fn finish(&mut self) -> Option<u64> {
        let first = self.open.iter().map(|open| open.due).min()?;
        let is_next = |open: &Open| open.due == first;
        let at = match self.is_last_first {
            true => self.open.iter().rposition(is_next),
            false => self.open.iter().position(is_next),
        }?;
        self.now = self.now.max(first);
        Some(self.open.remove(at).ticket)
    }
}

fn with<T>(use_state: impl FnOnce(&mut State) -> T) -> T {
    CURRENT.with_borrow(|current| {
        let host = current.as_ref().expect("guest code runs inside `testing::Host::run`");
        use_state(&mut host.borrow_mut())
    })
}

pub(crate) fn next() -> Option<u64> {
    with(State::finish)
}
pub(crate) fn cancel(ticket: u64) {
    with(|state| {
        state.open.retain(|open| open.ticket != ticket);
        state.given_up += 1;
    });
}
pub(crate) fn after(milliseconds: u64) -> u64 {
    with(|state| {
        let left = state.deadline.map_or(u64::MAX, |end| end.saturating_sub(state.now));
        let waits = if state.is_cancelled { 0 } else { milliseconds.min(left) };
        state.open(waits)
    })
}
pub(crate) fn submit(request: &Request) -> u64 {
    with(|state| {
        state.requests.push(request.clone());
        let answer = (state.answer)(request);
        let ticket = state.open(state.latency);
        state.answers.insert(ticket, answer);
        ticket
    })
}
pub(crate) fn take(ticket: u64) -> Result<Response, SendError> {
    with(|state| state.answers.remove(&ticket)).expect("an answer is taken once")
}
pub(crate) fn log(level: Level, message: &str, _fields: &str) {
    with(|state| state.logged.push((level, message.to_owned())));
}
pub(crate) fn progress(_done: u64, _total: Option<u64>, _message: &str) {}
pub(crate) fn emit(item: u32, outputs: &[OutputItem]) {
    with(|state| state.emitted.extend(outputs.iter().map(|output| (item, output.clone()))));
}
pub(crate) fn finish_item(item: u32, outcome: &Outcome) {
    with(|state| {
        let has_ended = state.finished.iter().any(|(ended, _)| *ended == item);
        assert!(!has_ended, "item {item} has ended before");
        state.finished.push((item, outcome.clone()));
    });
}
pub(crate) fn cancelled() -> bool {
    with(|state| state.is_cancelled)
}
pub(crate) fn now() -> u64 {
    with(|state| state.now)
}
pub(crate) fn deadline() -> Option<u64> {
    with(|state| state.deadline)
}
pub(crate) fn random(length: u32) -> Vec<u8> {
    vec![7; length as usize]
}
pub(crate) fn idempotency_key(item: u32) -> String {
    format!("test-key-{item}")
}
pub(crate) fn credential(slot: &str) -> Option<CredentialView> {
    with(|state| state.credentials.get(slot).cloned())
}
