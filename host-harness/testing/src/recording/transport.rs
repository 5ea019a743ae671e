//! Transports that record a service and that replay a recording.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Notify;
use workflow_node_host::transport::{
    AnswerRoom, Transport, TransportError, TransportErrorKind, TransportRequest, TransportResponse,
};
use workflow_node_host::{Clock, Origin, Principal, Secret};

use super::{Content, FORMAT, Recorded, Recording, Redactor};
use crate::clock::VirtualClock;
use crate::message::{Request, Response};

/// How long a response waits for those that were recorded before it.
const OUT_OF_ORDER: Duration = Duration::from_millis(500);

/// Sends requests of plugins with another transport, and records them. The host's own requests,
/// such as those for tokens, are not recorded; the tokens in their responses are secrets.
pub struct Recorder {
    inner: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    redactor: Arc<Redactor>,
    started: (u64, Duration),
    exchanges: Mutex<Vec<Option<Recorded>>>,
}

impl Recorder {
    /// `redactor` knows the secrets of the credentials.
    pub fn new(inner: Arc<dyn Transport>, clock: Arc<dyn Clock>, redactor: Arc<Redactor>) -> Self {
        let started = (clock.unix_milliseconds(), clock.monotonic());
        Self { inner, clock, redactor, started, exchanges: Mutex::default() }
    }

    fn exchanges(&self) -> std::sync::MutexGuard<'_, Vec<Option<Recorded>>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passed(&self) -> u64 {
        let passed = self.clock.monotonic().saturating_sub(self.started.1);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    /// The recording, redacted again with the secrets that became known later.
    pub fn recording(&self, node: String) -> Recording {
        let clean = |content: &Content| Content::of(&self.redactor.body(&content.bytes()));
        let exchanges = self.exchanges();
        let exchanges = exchanges.iter().flatten().map(|recorded| Recorded {
            request: self.redactor.text(&recorded.request),
            body: clean(&recorded.body),
            headers: self.redactor.headers(&recorded.headers),
            response: clean(&recorded.response),
            error: recorded.error.as_deref().map(|error| self.redactor.text(error)),
            ..recorded.clone()
        });
        Recording {
            format: FORMAT,
            node,
            started: self.started.0,
            credentials: BTreeMap::new(),
            principal: Principal::default(),
            exchanges: exchanges.collect(),
        }
    }

    async fn record(
        &self,
        request: TransportRequest,
        room: Option<&AnswerRoom>,
    ) -> Result<TransportResponse, TransportError> {
        let is_own = request.plugin.is_empty();
        let seen = Request::of(&request);
        let sent_ms = self.passed();
        let at = (!is_own).then(|| {
            let mut exchanges = self.exchanges();
            exchanges.push(None);
            exchanges.len() - 1
        });
        let answer = match room {
            Some(room) => self.inner.send_within(request, room).await,
            None => self.inner.send(request).await,
        };
        let response = answer.as_ref().map(Response::of);
        self.redactor.learn(&seen.body, seen.header("content-type").unwrap_or_default());
        self.redactor.learn_url(&seen.url);
        if let Ok(response) = &response {
            let kind = response.header("content-type").unwrap_or_default();
            self.redactor.learn(&response.body, kind);
        }
        let Some(at) = at else { return answer };
        let redactor = &self.redactor;
        let mut recorded = Recorded {
            request: redactor.text(&format!("{} {}", seen.method, seen.url)),
            body: Content::of(&redactor.body(&seen.body)),
            status: None,
            headers: Vec::new(),
            response: Content::Empty,
            error: None,
            sent_ms,
            answered_ms: self.passed(),
        };
        match response {
            Ok(response) => {
                recorded.status = Some(response.status);
                recorded.headers = redactor.headers(&response.headers);
                recorded.response = Content::of(&redactor.body(&response.body));
            }
            Err(error) => recorded.error = Some(redactor.text(&error.message)),
        }
        self.exchanges()[at] = Some(recorded);
        answer
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError> {
        self.record(request, None).await
    }

    async fn send_within(
        &self,
        request: TransportRequest,
        room: &AnswerRoom,
    ) -> Result<TransportResponse, TransportError> {
        self.record(request, Some(room)).await
    }

    fn is_mapped(&self, origin: &Origin) -> bool {
        self.inner.is_mapped(origin)
    }
}

/// A request without a recorded response.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Method and URL.
    pub request: String,
    /// The difference from the most similar recorded request.
    pub difference: String,
}

/// Responds from a recording, without a network.
pub struct Replayer {
    recording: Recording,
    clock: VirtualClock,
    redactor: Redactor,
    state: Mutex<State>,
    answered: Notify,
    /// Whether responses can be repeated and their order does not matter.
    repeats: bool,
}

#[derive(Default)]
struct State {
    used: Vec<bool>,
    answered: Vec<bool>,
    mismatches: Vec<Mismatch>,
}

impl Replayer {
    /// `secrets`: the placeholders in the credentials, which a request may contain in an encoded
    /// form.
    pub fn new(recording: Recording, clock: VirtualClock, secrets: &[String]) -> Self {
        let redactor = Redactor::default();
        for placeholder in secrets {
            redactor.add(&Secret::new(placeholder.as_str()), placeholder);
        }
        let count = recording.exchanges.len();
        let state = State {
            used: vec![false; count],
            answered: vec![false; count],
            mismatches: Vec::new(),
        };
        Self {
            recording,
            clock,
            redactor,
            state: Mutex::new(state),
            answered: Notify::new(),
            repeats: false,
        }
    }

    /// Repeats responses in any order, for runs with faults, which repeat requests.
    #[must_use]
    pub fn repeating(mut self) -> Self {
        self.repeats = true;
        self
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that are not in the recording.
    pub fn mismatches(&self) -> Vec<Mismatch> {
        self.state().mismatches.clone()
    }

    /// Recorded requests that were not sent.
    pub fn unused(&self) -> Vec<String> {
        let state = self.state();
        let unused = self.recording.exchanges.iter().zip(&state.used).filter(|(_, used)| !**used);
        unused.map(|(recorded, _)| recorded.request.clone()).collect()
    }

    /// The first recorded request that is equal and was not used.
    fn find(&self, request: &Request) -> Result<usize, Mismatch> {
        let line = self.redactor.text(&format!("{} {}", request.method, request.url));
        let body = Content::of(&self.redactor.body(&request.body));
        let mut state = self.state();
        let all = self.recording.exchanges.iter().enumerate();
        let same = all.clone().find(|(at, recorded)| {
            !state.used[*at] && recorded.request == line && recorded.body == body
        });
        let again = || {
            let mut all = self.recording.exchanges.iter().enumerate();
            all.find(|(_, recorded)| recorded.request == line && recorded.body == body)
        };
        if let Some((at, _)) = same.or_else(|| again().filter(|_| self.repeats)) {
            state.used[at] = true;
            return Ok(at);
        }
        let unused: Vec<&Recorded> =
            all.filter(|(at, _)| !state.used[*at]).map(|(_, recorded)| recorded).collect();
        let difference = difference(&line, &body, &unused);
        let mismatch = Mismatch { request: line, difference };
        state.mismatches.push(mismatch.clone());
        Err(mismatch)
    }

    /// Waits for the responses that were recorded earlier.
    async fn turn(&self, at: usize) {
        let order = |at: usize| (self.recording.exchanges[at].answered_ms, at);
        let began = Instant::now();
        loop {
            let notified = self.answered.notified();
            let is_next = {
                let state = self.state();
                (0..state.answered.len())
                    .all(|other| state.answered[other] || order(other) >= order(at))
            };
            // A request that is never sent delays no other for long.
            let left = OUT_OF_ORDER.saturating_sub(began.elapsed());
            if is_next || left.is_zero() {
                return;
            }
            let _in_time = tokio::time::timeout(left, notified).await.is_ok();
        }
    }
}

fn difference(line: &str, body: &Content, unused: &[&Recorded]) -> String {
    if unused.is_empty() {
        return "the recording holds no further request".to_owned();
    }
    let same_line = unused.iter().find(|recorded| recorded.request == line);
    if let Some(recorded) = same_line {
        return match (&recorded.body, body) {
            (Content::Json(was), Content::Json(is)) => match json_difference(was, is, "") {
                Some((pointer, was, is)) => {
                    let pointer = if pointer.is_empty() { "/" } else { pointer.as_str() };
                    format!("the body differs at {pointer}: {is}, recorded was {was}")
                }
                None => "the bodies are written differently".to_owned(),
            },
            _ => "the body differs from the recorded one".to_owned(),
        };
    }
    let known: Vec<&str> = unused.iter().map(|recorded| recorded.request.as_str()).collect();
    match workflow_node_host::near(line, known.iter().copied()).first() {
        Some(near) => format!("recorded was {near}"),
        None => format!("recorded was {}", known.first().copied().unwrap_or_default()),
    }
}

/// The first difference of two values: its position, and both values.
pub(crate) fn json_difference(
    was: &serde_json::Value,
    is: &serde_json::Value,
    at: &str,
) -> Option<(String, String, String)> {
    use serde_json::Value;
    let none = || "nothing".to_owned();
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for (name, was) in was {
                let at = format!("{at}/{name}");
                match is.get(name) {
                    None => return Some((at, was.to_string(), none())),
                    Some(is) => {
                        if let Some(found) = json_difference(was, is, &at) {
                            return Some(found);
                        }
                    }
                }
            }
            let (name, value) = is.iter().find(|(name, _)| !was.contains_key(*name))?;
            Some((format!("{at}/{name}"), none(), value.to_string()))
        }
        (Value::Array(was), Value::Array(is)) => {
            for index in 0..was.len().max(is.len()) {
                let at = format!("{at}/{index}");
                match (was.get(index), is.get(index)) {
                    (Some(was), Some(is)) => {
                        if let Some(found) = json_difference(was, is, &at) {
                            return Some(found);
                        }
                    }
                    (was, is) => {
                        let text =
                            |value: Option<&Value>| value.map_or_else(none, ToString::to_string);
                        return Some((at, text(was), text(is)));
                    }
                }
            }
            None
        }
        (was, is) if was == is => None,
        (was, is) => Some((at.to_owned(), was.to_string(), is.to_string())),
    }
}

#[async_trait]
impl Transport for Replayer {
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError> {
        let busy = self.clock.busy();
        let seen = Request::of(&request);
        let at = match self.find(&seen) {
            Ok(at) => at,
            Err(mismatch) => {
                let message = format!(
                    "No recorded response for {}: {}. If the node is right, record the case again",
                    mismatch.request, mismatch.difference
                );
                return Err(TransportError::new(TransportErrorKind::Denied, message));
            }
        };
        request.sent.set();
        let recorded = &self.recording.exchanges[at];
        if !self.repeats {
            self.turn(at).await;
            self.clock.move_to(Duration::from_millis(recorded.answered_ms));
        }
        self.state().answered[at] = true;
        self.answered.notify_waiters();
        drop(busy);
        match recorded.status {
            None => {
                let message = recorded.error.clone().unwrap_or_default();
                Err(TransportError::new(TransportErrorKind::Unreachable, message))
            }
            Some(status) => {
                let (headers, body) = (recorded.headers.clone(), recorded.response.bytes());
                Response { status, headers, body }.into_transport(request.response_limit)
            }
        }
    }

    fn is_mapped(&self, _origin: &Origin) -> bool {
        true
    }
}
