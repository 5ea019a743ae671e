//! The faults that can occur between a node and its service, in one list for fakes, tests, and
//! runs.

mod plan;
mod wire;

use std::time::Duration;

pub use plan::{Plan, Rule, SCHEMA, builtin};
use serde::Deserialize;
pub use wire::{Sent, Wire};
use workflow_node_host::Clock;
use workflow_node_host::transport::{
    SentMark, TransportError, TransportErrorKind, TransportResponse,
};

use crate::file;
use crate::message::Response;

/// A fault, as written in a file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// The service answers with this status and does nothing.
    Status {
        /// 200 to 599.
        status: u16,
        /// Body. Default: a short JSON object.
        body: Option<String>,
    },
    /// The service answers 429, with or without `Retry-After`.
    RateLimit {
        /// Seconds in `Retry-After`. Default: no such header.
        retry_after: Option<u64>,
    },
    /// The response is delayed by this time.
    Delay {
        /// For example `2s`.
        #[serde(deserialize_with = "time")]
        by: Duration,
    },
    /// The connection is reset before the request was read: the service has done nothing.
    ResetBefore,
    /// The connection is reset after the request was processed, before the response.
    ResetAfter,
    /// The response ends in the middle of its body.
    Truncated,
    /// The body of the response does not match its media type.
    Malformed,
    /// The body of the response arrives in small chunks over this time.
    SlowBody {
        /// For example `10s`.
        #[serde(deserialize_with = "time")]
        over: Duration,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { status, .. } => write!(formatter, "status {status}"),
            Self::RateLimit { retry_after: Some(seconds) } => {
                write!(formatter, "rate limit, Retry-After {seconds} s")
            }
            Self::RateLimit { retry_after: None } => formatter.write_str("rate limit"),
            Self::Delay { by } => write!(formatter, "delay of {} s", by.as_secs_f64()),
            Self::ResetBefore => formatter.write_str("reset before the request was read"),
            Self::ResetAfter => formatter.write_str("reset after the request was processed"),
            Self::Truncated => formatter.write_str("truncated body"),
            Self::Malformed => formatter.write_str("malformed body"),
            Self::SlowBody { over } => write!(formatter, "body over {} s", over.as_secs_f64()),
        }
    }
}

fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    file::duration(&text).map_err(serde::de::Error::custom)
}

impl Fault {
    /// Whether the service processes the request nevertheless.
    pub fn is_processed(&self) -> bool {
        match self {
            Self::Status { .. } | Self::RateLimit { .. } | Self::ResetBefore => false,
            Self::Delay { .. }
            | Self::ResetAfter
            | Self::Truncated
            | Self::Malformed
            | Self::SlowBody { .. } => true,
        }
    }

    /// The response that replaces the service's, if the fault has one.
    pub fn response(&self) -> Option<Response> {
        match self {
            Self::Status { status, body } => {
                let mut response = Response::json(
                    *status,
                    &serde_json::json!({ "error": { "message": format!("injected status {status}") } }),
                );
                if let Some(body) = body {
                    response.body = body.clone().into();
                }
                Some(response)
            }
            Self::RateLimit { retry_after } => {
                let mut response = Response::json(
                    429,
                    &serde_json::json!({ "error": { "message": "injected rate limit" } }),
                );
                if let Some(seconds) = retry_after {
                    response.headers.push(("retry-after".to_owned(), seconds.to_string()));
                }
                Some(response)
            }
            _ => None,
        }
    }

    /// Corrupts the body of a response.
    pub fn malformed(mut response: Response) -> Response {
        let half = response.body.len() / 2;
        let mut body = response.body.slice(..half).to_vec();
        body.extend_from_slice(b"\xff\x00{\"broken\":");
        response.body = body.into();
        response
    }
}

/// Sends a request with a fault: `send` is the request without it, and is called only if the
/// service processes the request. Time advances by the host's clock.
///
/// # Errors
///
/// The error of the fault, or as `send`.
pub async fn inject<F>(
    fault: &Fault,
    clock: &dyn Clock,
    sent: &SentMark,
    send: impl FnOnce() -> F,
) -> Result<TransportResponse, TransportError>
where
    F: Future<Output = Result<TransportResponse, TransportError>>,
{
    let reset = |what: &str| {
        let message = format!("the connection was reset {what} (injected)");
        Err(TransportError::new(TransportErrorKind::Unreachable, message))
    };
    if let Some(response) = fault.response() {
        sent.set();
        return response.into_transport(usize::MAX);
    }
    if let Fault::ResetBefore = fault {
        // The client cannot know that the request was not read.
        sent.set();
        return reset("while the request was sent");
    }
    let response = send().await;
    sent.set();
    match fault {
        Fault::ResetAfter => reset("before the response"),
        Fault::Truncated => reset("in the middle of the response"),
        Fault::Delay { by } | Fault::SlowBody { over: by } => {
            clock.sleep(*by).await;
            response
        }
        Fault::Malformed => {
            let response = response?;
            let (headers, status, version) =
                (response.headers.clone(), response.status, response.version);
            let broken = Fault::malformed(Response::of(&response));
            Ok(TransportResponse { status, headers, body: broken.body.to_vec(), version })
        }
        Fault::Status { .. } | Fault::RateLimit { .. } | Fault::ResetBefore => response,
    }
}
