//! A host for native unit tests: it answers requests with a closure, in the order in which they
//! were sent, unless told otherwise.
//!
//! ```
//! use workflow_node_sdk::{block_on, http::{self, Request}, testing::{Host, answer}};
//!
//! let host = Host::answering(|request| {
//!     assert_eq!(request.url, "https://api.test/x");
//!     Ok(answer(200, "{}"))
//! });
//! let response = host.run(|| block_on(http::send(&Request::new("GET", "https://api.test/x"))));
//! assert_eq!(response.unwrap().status, 200);
//! assert_eq!(host.requests().len(), 1);
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::context::CredentialView;
use crate::http::{Request, Response, SendError};
use crate::node::OutputItem;

type Answer = Box<dyn FnMut(&Request) -> Result<Response, SendError>>;

/// A scripted host.
#[derive(Clone)]
pub struct Host(Rc<RefCell<State>>);

struct State {
    answer: Answer,
    requests: Vec<Request>,
    credentials: BTreeMap<String, CredentialView>,
    emitted: Vec<(u32, OutputItem)>,
    queue: VecDeque<u64>,
    is_last_first: bool,
    is_cancelled: bool,
    most_open: usize,
    given_up: usize,
    now: u64,
    answers: BTreeMap<u64, Result<Response, SendError>>,
    tickets: u64,
}

thread_local! {
    static CURRENT: RefCell<Option<Host>> = const { RefCell::new(None) };
    /// The host that guest code ran against last: another host stands for another instance.
    static LAST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// An answer with a JSON body.
pub fn answer(status: u16, body: &str) -> Response {
    Response {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.into(),
        retry_after: None,
    }
}

impl Host {
    /// A host that answers each request with `answer`.
    pub fn answering(
        answer: impl FnMut(&Request) -> Result<Response, SendError> + 'static,
    ) -> Self {
        Self(Rc::new(RefCell::new(State {
            answer: Box::new(answer),
            requests: Vec::new(),
            credentials: BTreeMap::new(),
            emitted: Vec::new(),
            queue: VecDeque::new(),
            is_last_first: false,
            is_cancelled: false,
            most_open: 0,
            given_up: 0,
            now: 0,
            answers: BTreeMap::new(),
            tickets: 0,
        })))
    }

    /// Fills a slot.
    #[must_use]
    pub fn with_credential(
        self,
        slot: &str,
        credential_type: &str,
        fields: &str,
        configuration: &str,
    ) -> Self {
        let view = CredentialView {
            credential_type: credential_type.into(),
            fields: fields.into(),
            configuration: configuration.into(),
            granted_scopes: None,
        };
        self.0.borrow_mut().credentials.insert(slot.into(), view);
        self
    }

    /// Says which scopes the credential in a slot was granted.
    #[must_use]
    pub fn with_granted_scopes(self, slot: &str, scopes: &[&str]) -> Self {
        if let Some(view) = self.0.borrow_mut().credentials.get_mut(slot) {
            view.granted_scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        }
        self
    }

    /// Does something before each answer.
    #[must_use]
    pub fn before_each(self, mut first: impl FnMut(&Request) + 'static) -> Self {
        {
            let mut state = self.0.borrow_mut();
            let nothing: Answer = Box::new(|_| unreachable!("the answer is put back at once"));
            let mut answer = std::mem::replace(&mut state.answer, nothing);
            state.answer = Box::new(move |request| {
                first(request);
                answer(request)
            });
        }
        self
    }

    /// Sets the clock, in seconds since 1970.
    #[must_use]
    pub fn at(self, seconds: i64) -> Self {
        self.0.borrow_mut().now = u64::try_from(seconds).unwrap_or_default() * 1_000;
        self
    }

    /// Finishes first what was started last.
    #[must_use]
    pub fn last_first(self) -> Self {
        self.0.borrow_mut().is_last_first = true;
        self
    }

    /// Makes the engine want the call to end.
    pub fn cancel(&self) {
        self.0.borrow_mut().is_cancelled = true;
    }

    /// Runs guest code against this host. All runs against one host are calls of one instance.
    pub fn run<T>(&self, guest: impl FnOnce() -> T) -> T {
        let last = LAST.replace(Some(self.clone()));
        if last.is_none_or(|last| !Rc::ptr_eq(&last.0, &self.0)) {
            crate::node::resolve::forget();
        }
        CURRENT.with_borrow_mut(|current| *current = Some(self.clone()));
        let output = guest();
        CURRENT.with_borrow_mut(|current| *current = None);
        output
    }

    /// What was sent.
    pub fn requests(&self) -> Vec<Request> {
        self.0.borrow().requests.clone()
    }

    /// How many tickets were open at once at most.
    pub fn most_open(&self) -> usize {
        self.0.borrow().most_open
    }

    /// How many tickets the guest gave up.
    pub fn given_up(&self) -> usize {
        self.0.borrow().given_up
    }

    /// What was emitted, by item.
    pub fn emitted(&self) -> Vec<(u32, OutputItem)> {
        self.0.borrow().emitted.clone()
    }
}

/// The imports of a native build.
pub(crate) mod imports {
    use super::{CURRENT, CredentialView, OutputItem, Request, Response, SendError, State};
    use crate::context::Level;

    fn with<T>(use_state: impl FnOnce(&mut State) -> T) -> T {
        CURRENT.with_borrow(|current| {
            let host = current.as_ref().expect("guest code runs inside `testing::Host::run`");
            use_state(&mut host.0.borrow_mut())
        })
    }

    fn ticket(state: &mut State) -> u64 {
        state.tickets += 1;
        state.queue.push_back(state.tickets);
        state.most_open = state.most_open.max(state.queue.len());
        state.tickets
    }

    pub(crate) fn next() -> Option<u64> {
        with(|state| match state.is_last_first {
            true => state.queue.pop_back(),
            false => state.queue.pop_front(),
        })
    }
    pub(crate) fn cancel(ticket: u64) {
        with(|state| {
            state.queue.retain(|open| *open != ticket);
            state.given_up += 1;
        });
    }
    pub(crate) fn after(_milliseconds: u64) -> u64 {
        with(ticket)
    }
    pub(crate) fn submit(request: &Request) -> u64 {
        with(|state| {
            state.requests.push(request.clone());
            let answer = (state.answer)(request);
            let ticket = ticket(state);
            state.answers.insert(ticket, answer);
            ticket
        })
    }
    pub(crate) fn take(ticket: u64) -> Result<Response, SendError> {
        with(|state| state.answers.remove(&ticket)).expect("an answer is taken once")
    }
    pub(crate) fn log(_level: Level, _message: &str, _fields: &str) {}
    pub(crate) fn progress(_done: u64, _total: Option<u64>, _message: &str) {}
    pub(crate) fn emit(item: u32, outputs: &[OutputItem]) {
        with(|state| state.emitted.extend(outputs.iter().map(|output| (item, output.clone()))));
    }
    pub(crate) fn cancelled() -> bool {
        with(|state| state.is_cancelled)
    }
    pub(crate) fn now() -> u64 {
        with(|state| state.now)
    }
    pub(crate) fn deadline() -> Option<u64> {
        None
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
}
