//! The scripted host.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use serde_json::{Map, Value};
use workflow_node_documents::{Configuration, Document as _};

use super::Sent;
use crate::context::{CredentialView, Level};
use crate::host::native::{Answer, CURRENT, State};
use crate::http::{Request, Response, SendError};
use crate::node::{self, Outcome, OutputItem, Plugin};

/// A host without a network and without a real clock: a script or a closure answers requests, and
/// time passes only while the node waits.
///
/// Clones share one host. All calls of one host are calls of one instance of the component.
#[derive(Clone)]
pub struct Host(pub(super) Rc<RefCell<State>>);

thread_local! {
    /// The last host that guest code ran against: another host means another instance.
    static LAST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// A response with a JSON body, given as text so that a test can write exactly what the service
/// returns. See [`json`] for values.
pub fn answer(status: u16, body: &str) -> Response {
    Response {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.into(),
        retry_after: None,
    }
}

/// A response with a JSON body.
///
/// ```
/// use workflow_node_sdk::testing;
///
/// let response = testing::json(200, serde_json::json!({ "id": "C1" }));
/// assert_eq!(response.member("id").unwrap(), r#""C1""#);
/// ```
pub fn json(status: u16, body: Value) -> Response {
    answer(status, &body.to_string())
}

impl Host {
    /// Creates a host whose service is a closure.
    ///
    /// ```
    /// use workflow_node_sdk::{block_on, http::{self, Request}, testing::{Host, answer}};
    ///
    /// let host = Host::answering(|request| {
    ///     assert_eq!(request.url, "https://api.test/x");
    ///     Ok(answer(200, "{}"))
    /// });
    /// let response = host.run(|| block_on(http::send(&Request::new("GET", "https://api.test/x"))));
    /// assert_eq!(response.unwrap().status, 200);
    /// assert_eq!(host.requests().len(), 1);
    /// ```
    pub fn answering(
        answer: impl FnMut(&Request) -> Result<Response, SendError> + 'static,
    ) -> Self {
        Self(Rc::new(RefCell::new(State {
            answer: Box::new(answer),
            script: None,
            requests: Vec::new(),
            credentials: BTreeMap::new(),
            emitted: Vec::new(),
            finished: Vec::new(),
            logged: Vec::new(),
            open: Vec::new(),
            is_last_first: false,
            is_cancelled: false,
            most_open: 0,
            given_up: 0,
            now: 0,
            deadline: None,
            latency: 0,
            answers: BTreeMap::new(),
            tickets: 0,
            checks_output: true,
        })))
    }

    /// Creates a host whose service returns these responses, one after the other. A request without
    /// a remaining response panics; [`assert_finished`](Self::assert_finished) finds responses that
    /// were not requested.
    ///
    /// ```
    /// use workflow_node_sdk::{block_on, http::{self, Request}, testing::{Host, answer}};
    ///
    /// let host = Host::scripted([answer(503, "{}"), answer(200, "{}")]);
    /// let statuses = host.run(|| {
    ///     [1, 2].map(|_| block_on(http::send(&Request::new("GET", "https://api.test/"))).unwrap().status)
    /// });
    /// assert_eq!(statuses, [503, 200]);
    /// host.assert_finished();
    /// ```
    pub fn scripted(responses: impl IntoIterator<Item = Response>) -> Self {
        let script = Rc::new(RefCell::new(VecDeque::from_iter(responses)));
        let left = script.clone();
        let host = Self::answering(move |request| {
            let next = left.borrow_mut().pop_front();
            Ok(next.unwrap_or_else(|| {
                panic!("the script has no response left for {} {}", request.method, request.url)
            }))
        });
        host.0.borrow_mut().script = Some(script);
        host
    }

    /// Checks that all responses of the script were requested.
    ///
    /// # Panics
    ///
    /// Panics if responses remain.
    pub fn assert_finished(&self) {
        let state = self.0.borrow();
        let left = state.script.as_ref().map_or(0, |script| script.borrow().len());
        assert!(left == 0, "{left} responses of the script are left");
    }

    /// Connects a credential: fills a slot with the result of the node's `configure` for these
    /// fields.
    ///
    /// # Panics
    ///
    /// Panics if `configure` refuses the fields.
    #[must_use]
    pub fn connected<P: Plugin>(self, slot: &str, credential_type: &str, fields: Value) -> Self {
        let Value::Object(fields) = fields else { panic!("the fields are an object") };
        let configuration = node::configured::<P>(credential_type, &fields, None);
        let configuration = configuration.unwrap_or_else(|errors| {
            panic!("the fields of `{credential_type}` are wrong: {errors:?}")
        });
        self.with_credential(slot, credential_type, fields, &configuration)
    }

    /// Fills a slot with a credential that has these fields and this configuration.
    #[must_use]
    pub fn with_credential(
        self,
        slot: &str,
        credential_type: &str,
        fields: Map<String, Value>,
        configuration: &Configuration,
    ) -> Self {
        let view = CredentialView {
            credential_type: credential_type.into(),
            fields: Value::Object(fields).to_string(),
            configuration: configuration.to_json(),
            granted_scopes: None,
        };
        self.0.borrow_mut().credentials.insert(slot.into(), view);
        self
    }

    /// Sets the scopes that the credential in a slot was granted.
    #[must_use]
    pub fn with_granted_scopes(self, slot: &str, scopes: &[&str]) -> Self {
        if let Some(view) = self.0.borrow_mut().credentials.get_mut(slot) {
            view.granted_scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        }
        self
    }

    /// Runs a closure before each response.
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

    /// Lets each response take this long, in milliseconds of the virtual clock.
    ///
    /// ```
    /// use workflow_node_sdk::{block_on, http::{self, Request}, testing::{Host, answer}, time};
    ///
    /// let host = Host::answering(|_| Ok(answer(200, "{}"))).latency(250);
    /// host.run(|| block_on(async {
    ///     http::send(&Request::new("GET", "https://api.test/")).await.unwrap();
    ///     time::sleep(60_000).await;
    /// }));
    /// assert_eq!(host.now(), 60_250);
    /// ```
    #[must_use]
    pub fn latency(self, milliseconds: u64) -> Self {
        self.0.borrow_mut().latency = milliseconds;
        self
    }

    /// Sets the deadline of calls, in milliseconds of the virtual clock from now.
    #[must_use]
    pub fn deadline(self, milliseconds: u64) -> Self {
        {
            let mut state = self.0.borrow_mut();
            state.deadline = Some(state.now + milliseconds);
        }
        self
    }

    /// Accepts output that does not fit its schema, for tests whose service returns incomplete
    /// records.
    #[must_use]
    pub fn without_output_check(self) -> Self {
        self.0.borrow_mut().checks_output = false;
        self
    }

    /// Of several operations that finish at the same time, finishes the one that was started last
    /// first.
    #[must_use]
    pub fn last_first(self) -> Self {
        self.0.borrow_mut().is_last_first = true;
        self
    }

    /// Cancels running and later calls, as an engine does.
    pub fn cancel(&self) {
        self.0.borrow_mut().is_cancelled = true;
    }

    /// Runs guest code against this host. All runs against one host are calls of one instance.
    pub fn run<T>(&self, guest: impl FnOnce() -> T) -> T {
        /// Removes the host when the guest returns or panics.
        struct End;
        impl Drop for End {
            fn drop(&mut self) {
                CURRENT.with_borrow_mut(|current| *current = None);
            }
        }
        let last = LAST.replace(Some(self.clone()));
        if last.is_none_or(|last| !Rc::ptr_eq(&last.0, &self.0)) {
            node::resolve::forget();
        }
        CURRENT.with_borrow_mut(|current| *current = Some(self.0.clone()));
        let _end = End;
        guest()
    }

    /// The clock, in milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.0.borrow().now
    }

    /// The requests that were sent.
    pub fn requests(&self) -> Vec<Request> {
        self.0.borrow().requests.clone()
    }

    /// The requests that were sent, with methods for assertions.
    pub fn sent(&self) -> Vec<Sent> {
        self.requests().into_iter().map(Sent).collect()
    }

    /// The only request that was sent.
    ///
    /// # Panics
    ///
    /// Panics if none or several were sent.
    pub fn only_request(&self) -> Sent {
        let mut sent = self.sent();
        assert!(sent.len() == 1, "{} requests were sent: {sent:?}", sent.len());
        sent.remove(0)
    }

    /// Maximum number of requests and timers that were open at once.
    pub fn most_open(&self) -> usize {
        self.0.borrow().most_open
    }

    /// Number of requests and timers that the node canceled.
    pub fn given_up(&self) -> usize {
        self.0.borrow().given_up
    }

    /// Output that was emitted before the calls returned, each with the number of its item.
    pub fn emitted(&self) -> Vec<(u32, OutputItem)> {
        self.0.borrow().emitted.clone()
    }

    /// The items that were reported as soon as they ended, in that order, with their outcome: see
    /// [`Call::finish_items`](super::Call::finish_items).
    pub fn finished(&self) -> Vec<(u32, Outcome)> {
        self.0.borrow().finished.clone()
    }

    pub(super) fn forget_finished(&self) {
        self.0.borrow_mut().finished.clear();
    }

    /// The lines that were logged.
    pub fn logged(&self) -> Vec<(Level, String)> {
        self.0.borrow().logged.clone()
    }
}
