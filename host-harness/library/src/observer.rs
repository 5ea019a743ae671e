//! What a call reports while it runs: records, ends of items, log lines, and requests.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::item::{ItemError, OutputRecord};
use crate::metering::{GuestCall, HostCall};

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
    /// Why the request was not answered.
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

    /// Whether the host also collects output in the [`Outcome`](crate::Outcome). An engine that takes
    /// records from
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
