//! Executions: the request of an engine, its progress, and its result.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use workflow_node_documents::OptionsQuery;

use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::bindings::workflow::node::types::{Error as GuestError, ErrorKind, OutputItem};
use crate::credential::Credential;
use crate::egress::SendGate;
use crate::error::Error;
use crate::journal::record::Parts;
use crate::journal::{JournalStatus, Journals};
use crate::json::Measure;
use crate::limits::{Limits, RECORD_OVERHEAD, exceeded};
use crate::metering::{GuestCall, HostCall};
use crate::names::names;
use crate::origin::OriginPattern;
use crate::principal::Principal;

/// Who makes a call, and within which bounds: shared by executions, credential tests, and the
/// loading of choices.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CallContext {
    /// The user who makes the call. Reported to the credential source and to the audit log. It
    /// decides whose credentials may be used, and nothing is shared with another principal: no
    /// secret handle, no connection, no idempotency key. Default: the local user of the default
    /// tenant.
    pub actor: Principal,
    /// The workflow that makes the call. Reported to the credential source and to the audit log.
    pub workflow: Option<String>,
    /// Narrows the approved origins. `None` does not narrow them; an empty list denies all.
    pub allow: Option<Vec<OriginPattern>>,
    /// Maximum duration of the call, for an execution of all its items. `None`: as the limits say.
    pub timeout: Option<Duration>,
    /// Limits of the call. `None`: the limits of the host.
    pub limits: Option<Limits>,
    /// Cancels the call.
    pub cancellation: CancellationToken,
    /// Records executions and the loading of choices. `None`: the journals of the host record
    /// executions, if it has any. See [`crate::journal`].
    pub journal: Option<Journals>,
    /// Holds back the requests of the call before the host ends.
    pub gate: SendGate,
    /// See [`Resume::reads_only`](crate::Resume::reads_only).
    pub(crate) reads_only: bool,
}

impl CallContext {
    /// The context of a call by this principal.
    pub fn of(actor: impl Into<Principal>) -> Self {
        Self { actor: actor.into(), ..Self::default() }
    }

    /// Sets the workflow that makes the call.
    #[must_use]
    pub fn workflow(mut self, workflow: impl Into<String>) -> Self {
        self.workflow = Some(workflow.into());
        self
    }

    /// Narrows the approved origins to these.
    #[must_use]
    pub fn allow(mut self, origins: impl IntoIterator<Item = OriginPattern>) -> Self {
        self.allow = Some(origins.into_iter().collect());
        self
    }

    /// Sets the maximum duration of the call.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the limits of the call.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Records the call in these journals.
    #[must_use]
    pub fn journal(mut self, journals: Journals) -> Self {
        self.journal = Some(journals);
        self
    }

    /// Sets the gate that holds back the requests of the call. One gate can hold back several calls.
    #[must_use]
    pub fn gate(mut self, gate: SendGate) -> Self {
        self.gate = gate;
        self
    }

    /// Sets the token that cancels the call. One token can cancel several calls.
    #[must_use]
    pub fn cancellation(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }
}

/// A clone has a separate cancellation token and gate: canceling one call does not cancel its copies. To
/// cancel several calls together, set the same token on each.
impl Clone for CallContext {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            workflow: self.workflow.clone(),
            allow: self.allow.clone(),
            timeout: self.timeout,
            limits: self.limits.clone(),
            cancellation: CancellationToken::new(),
            journal: self.journal.clone(),
            gate: SendGate::new(),
            reads_only: self.reads_only,
        }
    }
}

/// One call of one action for any number of items. A clone has a separate cancellation token, as
/// [`CallContext`] describes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Execution {
    /// Name of the action.
    pub action: String,
    /// Version of the action that the workflow was built with. The execution fails before anything is
    /// sent if the plugin has another version. `None`: the version that the plugin has.
    pub version: Option<u32>,
    /// One object of parameters per item.
    pub items: Vec<Value>,
    /// Names of credentials, by slot.
    pub credentials: BTreeMap<String, String>,
    /// Credentials that live as long as this execution, by slot; see
    /// [`Plugin::credential`](crate::Plugin::credential). Nothing of them is stored, and such an execution
    /// leaves no journal, so that it cannot be resumed. Their names only tell them apart for rate limits
    /// and connections.
    pub inline_credentials: BTreeMap<String, Credential>,
    /// Whether the other items run after one has failed.
    pub continue_on_fail: bool,
    /// Maximum number of items in progress at once. `None`: the node decides.
    pub concurrency: Option<usize>,
    /// ID of the execution. An execution that is repeated with the same ID sends the same
    /// idempotency keys. `None`: a new one.
    pub id: Option<String>,
    /// Judges every request and sends none.
    pub dry_run: bool,
    /// Who runs the execution, and within which bounds.
    pub context: CallContext,
}

impl Execution {
    /// An execution of an action, without items.
    pub fn new(action: impl Into<String>) -> Self {
        Self { action: action.into(), ..Self::default() }
    }

    /// Pins the version of the action that the workflow was built with.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds an item.
    #[must_use]
    pub fn item(mut self, parameters: Value) -> Self {
        self.items.push(parameters);
        self
    }

    /// Adds items.
    #[must_use]
    pub fn items(mut self, items: impl IntoIterator<Item = Value>) -> Self {
        self.items.extend(items);
        self
    }

    /// Fills a slot with the credential of this name.
    #[must_use]
    pub fn credential(mut self, slot: impl Into<String>, name: impl Into<String>) -> Self {
        self.credentials.insert(slot.into(), name.into());
        self
    }

    /// Fills a slot with a credential that lives as long as this execution.
    #[must_use]
    pub fn inline_credential(mut self, slot: impl Into<String>, credential: Credential) -> Self {
        self.inline_credentials.insert(slot.into(), credential);
        self
    }

    /// Sets whether the other items run after one has failed.
    #[must_use]
    pub fn continue_on_fail(mut self, on: bool) -> Self {
        self.continue_on_fail = on;
        self
    }

    /// Sets the maximum number of items in progress at once.
    #[must_use]
    pub fn concurrency(mut self, items: usize) -> Self {
        self.concurrency = Some(items);
        self
    }

    /// Sets the ID of the execution.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets whether every request is judged and none is sent.
    #[must_use]
    pub fn dry_run(mut self, on: bool) -> Self {
        self.dry_run = on;
        self
    }

    /// Sets who runs the execution, and within which bounds.
    #[must_use]
    pub fn context(mut self, context: CallContext) -> Self {
        self.context = context;
        self
    }

    /// Sets the user who runs the execution.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<Principal>) -> Self {
        self.context.actor = actor.into();
        self
    }
}

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

/// Result of one item.
#[derive(Clone, Debug)]
pub struct ItemOutcome {
    /// Records that the item yields, in order. With an error: the records emitted before the error,
    /// which remain valid.
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

/// Result of an execution.
#[derive(Debug)]
pub struct Outcome {
    /// Its id.
    pub id: String,
    /// Per item, in order. Every item is here, also when the plugin was stopped.
    pub items: Vec<ItemOutcome>,
    /// Why the plugin was stopped, if it was. Records emitted before that remain valid.
    pub stopped: Option<Error>,
    /// How many requests were judged.
    pub requests: u64,
    /// From the first to the last moment.
    pub duration: Duration,
    /// Largest linear memory of the guest, in bytes.
    pub memory: usize,
    /// How much of it the guest asked for after it was instantiated, in bytes.
    pub memory_growth: usize,
    /// How complete its journal is.
    pub journal: JournalStatus,
}

/// Event that an [`ExecutionStream`](crate::ExecutionStream) yields.
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
    /// An item is finished, and all of its records have come. With an error: records that it
    /// yielded before remain valid. Items finish in any order, each as soon as it has ended if the
    /// node reports it (`context.finish-item`; the SDK does), otherwise when its portion ends.
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

/// Result of an execution whose items were reported one by one.
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
    /// How complete its journal is.
    pub journal: JournalStatus,
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
            journal: JournalStatus::None,
        }
    }
}

/// How much a guest's log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For following every step.
    Trace,
    /// For finding a defect.
    Debug,
    /// Progress of the call.
    Info,
    /// Something is unusual, and the call goes on.
    Warn,
    /// Something failed.
    Error,
}

/// A request and its response as the guest sees them, without credentials.
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
    /// Headers and bodies are present only if they were requested.
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

/// Receives events while a call runs. Every method has a default that does nothing.
///
/// The results of an execution arrive here completely: each record of an item once and in order,
/// then the end of the item.
#[async_trait]
pub trait Observer: Send + Sync + 'static {
    /// An item has output these records. Waiting here is back-pressure: the guest waits as well.
    async fn output(&self, item: u32, records: &[OutputRecord]) {
        let _ = (item, records);
    }

    /// An item has finished, after all of its [`output`](Self::output). With an error: earlier
    /// output remains valid. Called once for each item that was started or is invalid, in any
    /// order.
    async fn item_finished(&self, item: u32, error: Option<&ItemError>) {
        let _ = (item, error);
    }

    /// Whether the host also collects output in the [`Outcome`]. An engine that takes records from
    /// [`output`](Self::output) returns false; the number of items then does not increase memory.
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

    /// A guest has called the host, and has its answer. Only of a host that
    /// [meters](crate::HostBuilder::metering) guests.
    fn host_call(&self, call: &HostCall) {
        let _ = call;
    }

    /// A call of a guest has ended, after all of its [`host_call`](Self::host_call)s. Only of a host
    /// that [meters](crate::HostBuilder::metering) guests.
    fn guest_call(&self, call: &GuestCall) {
        let _ = call;
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

/// A query for the choices of a form field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OptionsRequest {
    /// The form, the field, and the current contents of the form.
    pub query: OptionsQuery,
    /// Names of credentials, by slot.
    pub credentials: BTreeMap<String, String>,
    /// Who asks, and within which bounds.
    pub context: CallContext,
}

impl OptionsRequest {
    /// A request without credentials.
    pub fn new(query: OptionsQuery) -> Self {
        Self { query, credentials: BTreeMap::new(), context: CallContext::default() }
    }

    /// Fills a slot with the credential of this name.
    #[must_use]
    pub fn credential(mut self, slot: impl Into<String>, name: impl Into<String>) -> Self {
        self.credentials.insert(slot.into(), name.into());
        self
    }

    /// Sets who asks, and within which bounds.
    #[must_use]
    pub fn context(mut self, context: CallContext) -> Self {
        self.context = context;
        self
    }
}

/// Names a form: of an action or of a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FormOf {
    Action(String),
    Trigger(String),
}

impl FormOf {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancelling_an_execution_does_not_cancel_its_clone_or_its_original() {
        let original = Execution::new("service.list");
        let clone = original.clone();
        clone.context.cancellation.cancel();
        assert!(!original.context.cancellation.is_cancelled());
        let clone = original.clone();
        original.context.cancellation.cancel();
        assert!(!clone.context.cancellation.is_cancelled());
    }

    #[test]
    fn executions_with_one_token_are_cancelled_together() {
        let token = CancellationToken::new();
        let context = || CallContext::default().cancellation(token.clone());
        let one = Execution::new("service.list").context(context());
        let another = Execution::new("incident.list").context(context());
        token.cancel();
        assert!(one.context.cancellation.is_cancelled());
        assert!(another.context.cancellation.is_cancelled());
    }
}
