//! Executions: what an engine asks for, what it hears meanwhile, and what comes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::bindings::workflow::node::types::{Error as GuestError, ErrorKind, OutputItem};
use crate::error::Error;
use crate::json::Measure;
use crate::limits::{Limits, RECORD_OVERHEAD, exceeded};
use crate::origin::OriginPattern;
use crate::principal::Principal;

/// One call of one action over any number of items.
#[derive(Clone, Debug, Default)]
pub struct Execution {
    /// The action's name.
    pub action: String,
    /// One object of parameters per item.
    pub items: Vec<Value>,
    /// Names of credentials by slot.
    pub credentials: BTreeMap<String, String>,
    /// True: an item that fails does not stop the others.
    pub continue_on_fail: bool,
    /// How many items may be under way at once; `None`: the plugin's choice.
    pub concurrency: Option<usize>,
    /// Names the execution; repeating it with the same name repeats its idempotency keys. `None`: a
    /// new one.
    pub id: Option<String>,
    /// Who runs it; told to the credential source and to the audit. Whose credentials may be used
    /// follows from it, and nothing is shared with another principal: no handle, no connection, no
    /// idempotency key. Default: the local user of the default tenant.
    pub actor: Principal,
    /// The workflow; told to the credential source and to the audit.
    pub workflow: Option<String>,
    /// Narrows the approved origins; `None` does not narrow, empty denies all.
    pub allow: Option<Vec<OriginPattern>>,
    /// Ends it after so long, however its items come; `None`: as the limits say.
    pub timeout: Option<Duration>,
    /// What it may use; `None`: the host's limits.
    pub limits: Option<Limits>,
    /// Ends it from outside.
    pub cancellation: CancellationToken,
    /// Judge every request, and send none.
    pub dry_run: bool,
}

impl Execution {
    /// An execution of an action without items.
    pub fn new(action: impl Into<String>) -> Self {
        Self { action: action.into(), ..Self::default() }
    }

    /// Adds an item.
    #[must_use]
    pub fn item(mut self, parameters: Value) -> Self {
        self.items.push(parameters);
        self
    }

    /// Fills a slot.
    #[must_use]
    pub fn credential(mut self, slot: impl Into<String>, name: impl Into<String>) -> Self {
        self.credentials.insert(slot.into(), name.into());
        self
    }
}

/// One output record. Its JSON is kept as it was written: numbers and unknown members untouched.
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

    /// The record, if its text is JSON and nested at most so deep. Takes time with its size.
    pub(crate) fn checked(output: OutputItem, depth: usize) -> Result<Self, String> {
        if Measure::of(&output.json).depth > depth {
            return Err(format!(
                "an output record is nested deeper than {depth} (limit `json_depth`)"
            ));
        }
        let json = RawValue::from_string(output.json)
            .map_err(|error| format!("an output record is no JSON: {error}"))?;
        Ok(Self { port: output.port, json })
    }
}

/// What a record counts, in bytes.
pub(crate) fn weight(output: &OutputItem) -> usize {
    output.json.len() + output.port.len() + RECORD_OVERHEAD
}

/// Why an item failed, as a plugin or the host tells it.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct ItemError {
    /// What an engine decides on: a name of the contract's `error-kind`.
    pub kind: &'static str,
    /// Cause and next step.
    pub message: String,
    /// The service's own code.
    pub code: Option<String>,
    /// The status of the answer that led to it.
    pub http_status: Option<u16>,
    /// Set only where a later attempt can succeed.
    pub retry_after_ms: Option<u64>,
    /// The service's own reasons.
    pub detail: Option<Value>,
}

impl ItemError {
    /// An error of a kind.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            http_status: None,
            retry_after_ms: None,
            detail: None,
        }
    }

    /// Of an item that was not begun.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new("cancelled", message)
    }
}

impl ItemError {
    /// What a guest reports, within the limits. Takes time with its size.
    pub(crate) fn of_guest(error: GuestError, limits: &Limits) -> Self {
        let kind = match error.kind {
            ErrorKind::InvalidInput => "invalid-input",
            ErrorKind::Unauthenticated => "unauthenticated",
            ErrorKind::Forbidden => "forbidden",
            ErrorKind::NotFound => "not-found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::RateLimited => "rate-limited",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Timeout => "timeout",
            ErrorKind::OutcomeUnknown => "outcome-unknown",
            ErrorKind::DeniedByHost => "denied-by-host",
            ErrorKind::OverBudget => "over-budget",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::Internal => "internal",
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

/// A foreign text, cut off after so many bytes.
pub(crate) fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// What an error that a guest reports counts, in bytes.
pub(crate) fn weight_of_error(error: &ItemError, detail: usize) -> usize {
    let code = error.code.as_ref().map_or(0, String::len);
    error.message.len() + code + detail + RECORD_OVERHEAD
}

/// What has come of one item.
#[derive(Clone, Debug)]
pub struct ItemOutcome {
    /// What it yields, in order. With an error: what it had emitted before, which stands.
    pub output: Vec<OutputRecord>,
    /// Why it failed.
    pub error: Option<ItemError>,
}

impl ItemOutcome {
    /// Whether it succeeded.
    pub fn is_ok(&self) -> bool {
        self.error.is_none()
    }
}

/// What has come of an execution.
#[derive(Debug)]
pub struct Outcome {
    /// Its id.
    pub id: String,
    /// Per item, in order. Every item is here, also when the plugin was stopped.
    pub items: Vec<ItemOutcome>,
    /// Why the plugin was stopped, if it was. What it had emitted stands.
    pub stopped: Option<Error>,
    /// How many requests were judged.
    pub requests: u64,
    /// From the first to the last moment.
    pub duration: Duration,
    /// Largest linear memory of the guest, in bytes.
    pub memory: usize,
    /// How much of it the guest asked for after it was instantiated, in bytes.
    pub memory_growth: usize,
}

/// What an [`ExecutionStream`](crate::ExecutionStream) yields.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExecutionEvent {
    /// An item has yielded a record. Records of an item come in order; those of different items may
    /// be mixed.
    Record {
        /// Position of the item, counted from 0.
        item: u32,
        /// The record.
        record: OutputRecord,
    },
    /// An item is finished, and all of its records have come. With an error: what it yielded before
    /// stands.
    ItemFinished {
        /// Position of the item, counted from 0.
        item: u32,
        /// How many records it has yielded.
        records: u64,
        /// Why it failed.
        error: Option<ItemError>,
    },
    /// The execution has ended. Items that were not begun are not told one by one: they are those
    /// from [`ExecutionEnd::items`] on.
    End(ExecutionEnd),
}

/// What has come of an execution whose items have been told one by one.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExecutionEnd {
    /// Its ID.
    pub id: String,
    /// How many items are finished.
    pub items: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Why it ended before its items did: the plugin was stopped, a credential was missing, or the
    /// items could not be read.
    pub stopped: Option<Error>,
    /// How many requests were judged.
    pub requests: u64,
    /// From the first to the last moment.
    pub duration: Duration,
    /// Largest linear memory of the guest, in bytes.
    pub memory: usize,
    /// How much of it the guest asked for after it was instantiated, in bytes.
    pub memory_growth: usize,
}

impl ExecutionEnd {
    /// Of an execution of which nothing is known but why it ended.
    pub(crate) fn broken(error: Error) -> Self {
        Self {
            id: String::new(),
            items: 0,
            failed: 0,
            stopped: Some(error),
            requests: 0,
            duration: Duration::ZERO,
            memory: 0,
            memory_growth: 0,
        }
    }
}

/// How much a guest's log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The contract explains them.
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// One request and its answer, as the guest sees them: no credential stands in it.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// Milliseconds since 1970.
    pub started: u64,
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The request's headers.
    pub headers: Vec<(String, String)>,
    /// The request's body, where it is text.
    pub body: Option<String>,
    /// The slot whose credential the host attached.
    pub slot: Option<String>,
    /// The answer's status.
    pub status: Option<u16>,
    /// The answer's headers.
    pub response_headers: Vec<(String, String)>,
    /// The answer's body, where it is text.
    pub response_body: Option<String>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// How often it was sent.
    pub attempts: u32,
    /// Whether it may have reached the service, answered or not.
    pub maybe_sent: bool,
    /// `HTTP/1.1` or `HTTP/2`; empty when nothing was answered.
    pub version: String,
    /// From the judgement to the end.
    pub duration_ms: u64,
}

impl Exchange {
    /// With headers and bodies only where they are wanted.
    pub(crate) fn begin(request: &Request, started: u64, wants_bodies: bool) -> Self {
        let (headers, body) = match wants_bodies {
            true => (request.headers.clone(), request.body.as_deref().and_then(text)),
            false => (Vec::new(), None),
        };
        Self {
            started,
            method: request.method.clone(),
            url: request.url.clone(),
            headers,
            body,
            slot: request.credential.clone(),
            status: None,
            response_headers: Vec::new(),
            response_body: None,
            error: None,
            attempts: 0,
            maybe_sent: false,
            version: String::new(),
            duration_ms: 0,
        }
    }

    pub(crate) fn end(
        mut self,
        result: &Result<Response, SendError>,
        wants_bodies: bool,
        attempts: u32,
        version: &str,
        duration: Duration,
    ) -> Self {
        self.attempts = attempts;
        self.version = version.to_owned();
        self.duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(response) => {
                self.maybe_sent = true;
                self.status = Some(response.status);
                if wants_bodies {
                    self.response_headers.clone_from(&response.headers);
                    self.response_body = text(&response.body);
                }
            }
            Err(error) => {
                self.maybe_sent = error.maybe_sent;
                self.error = Some(error.message.clone());
            }
        }
        self
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// Hears what happens while a call runs. Every method has a default that does nothing.
#[async_trait]
pub trait Observer: Send + Sync + 'static {
    /// Output of an item, handed over before the call returns. Waiting here is back-pressure: the
    /// guest waits, too.
    async fn output(&self, item: u32, records: &[OutputRecord]) {
        let _ = (item, records);
    }

    /// Whether the host shall keep emitted output for the [`Outcome`], too. An engine that streams
    /// says no.
    fn keeps_output(&self) -> bool {
        true
    }

    /// So many requests take at least so long by the rate limit of the credential: told before the
    /// first is sent, where it costs time. One request per item is assumed.
    fn paced(&self, requests: usize, at_least: Duration) {
        tracing::info!(requests, ?at_least, "requests are paced");
    }

    /// How far the call is.
    fn progress(&self, done: u64, total: Option<u64>, message: &str) {
        let _ = (done, total, message);
    }

    /// A line of the guest, already made harmless for a terminal.
    fn log(&self, level: LogLevel, message: &str, fields: &str) {
        tracing::debug!(target: "workflow_node::guest", ?level, fields, "{message}");
    }

    /// A request has ended.
    fn exchange(&self, exchange: &Exchange) {
        let _ = exchange;
    }

    /// Whether an [`Exchange`] shall hold headers and bodies; copying them takes time.
    fn wants_bodies(&self) -> bool {
        true
    }
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn wants_bodies(&self) -> bool {
        false
    }
}

/// Whose form it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FormOf {
    /// The action's of this name.
    Action(String),
    /// The trigger's of this name.
    Trigger(String),
}

impl FormOf {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Action(name) | Self::Trigger(name) => name,
        }
    }

    /// Different for an action and a trigger of one name.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Action(name) => format!("action {name}"),
            Self::Trigger(name) => format!("trigger {name}"),
        }
    }
}

/// What a form asks for the choices of a field.
#[derive(Clone, Debug, Serialize)]
pub struct OptionsQuery {
    /// Whose form it is.
    #[serde(flatten)]
    pub of: FormOf,
    /// The parameter's name; inside an object or a list of objects the way to it, joined by `/`.
    pub parameter: String,
    /// What the form holds so far.
    pub parameters: Map<String, Value>,
    /// What the user typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// From the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

impl OptionsQuery {
    /// The first choices of a parameter.
    pub fn new(of: FormOf, parameter: impl Into<String>) -> Self {
        Self {
            of,
            parameter: parameter.into(),
            parameters: Map::new(),
            search: None,
            cursor: None,
            limit: None,
        }
    }
}
