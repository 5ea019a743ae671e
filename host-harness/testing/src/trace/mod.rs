//! Traces: the requests and responses of a run, their times, its calls of the host, and its result. An HTTP Archive (HAR
//! 1.2) that any HAR viewer reads, with additional members, and a page that shows it.
//!
//! Requests are as the plugin made them, so a trace contains no credential.

mod host_calls;
mod host_lanes;
mod page;

use har::v1_2::{
    Cache, Content, Creator, Entries, Headers, Log, PostData, QueryString, Request, Response,
    Timings,
};
use har::{Har, Spec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use workflow_node_host::Exchange;

pub use host_calls::{Call, FunctionTotal, HostCalls, MOST_HOST_CALLS};
pub use page::page;

use crate::fault::Sent;

/// Member of the archive's log for data without a place in HAR.
const OWN: &str = "_workflowNode";

/// Member of the archive's log for the calls of the host.
const HOST_CALLS: &str = "_hostCalls";

/// Description of a run, in addition to its requests.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Run {
    /// Name and version of the node.
    pub node: String,
    /// Digest of the component.
    pub plugin: String,
    /// Action.
    pub action: String,
    /// When it began, in milliseconds since 1970.
    pub started: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Largest linear memory of the guest, in bytes.
    pub memory: u64,
    /// How much of it the guest asked for after it was instantiated, in bytes.
    pub memory_growth: u64,
    /// Why the plugin was stopped.
    pub stopped: Option<String>,
    /// Parameters of the items; empty if they were a stream.
    pub items: Vec<Value>,
    /// Results of the items; empty if they were a stream.
    pub results: Vec<Value>,
    /// Lines that the guest logged.
    pub logs: Vec<LogLine>,
}

/// A line that the guest logged.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LogLine {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// `error` to `trace`.
    pub level: String,
    /// The line.
    pub message: String,
}

/// One attempt to send a request.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Attempt {
    /// When, in milliseconds after the request was made.
    at_ms: u64,
    duration_ms: u64,
    status: Option<u16>,
    fault: Option<String>,
}

/// The archive of a run. `sent`: the attempts, with the time at which their clock began in
/// milliseconds since 1970. `host_calls` is omitted if it is empty.
pub fn archive(
    run: &Run,
    exchanges: &[Exchange],
    (sent, clock_began): (&[Sent], u64),
    host_calls: &HostCalls,
) -> Value {
    let creator = Creator {
        name: "harness".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        comment: Some("credentials are filled in later and are not recorded".to_owned()),
    };
    let mut attempts = attempts(exchanges, sent, clock_began);
    let entries = exchanges.iter().map(entry).collect();
    let archive = Har { log: Spec::V1_2(Log { creator, entries, ..Log::default() }) };
    let mut archive = serde_json::to_value(&archive).unwrap_or_default();
    let entries = archive["log"]["entries"].as_array_mut();
    for ((entry, exchange), attempts) in
        entries.into_iter().flatten().zip(exchanges).zip(&mut attempts)
    {
        entry["_attempts"] = json!(std::mem::take(attempts));
        entry["_slot"] = json!(exchange.slot);
        entry["_error"] = json!(exchange.error);
        entry["_maybeSent"] = json!(exchange.maybe_sent);
    }
    archive["log"][OWN] = json!(run);
    if !host_calls.is_empty() {
        archive["log"][HOST_CALLS] = json!(host_calls);
    }
    archive
}

/// The attempts of each exchange: those to the same path while it was in progress.
fn attempts(exchanges: &[Exchange], sent: &[Sent], clock_began: u64) -> Vec<Vec<Attempt>> {
    let mut of: Vec<Vec<Attempt>> = vec![Vec::new(); exchanges.len()];
    let milliseconds =
        |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    for sent in sent {
        let at = clock_began.saturating_add(milliseconds(sent.at));
        let belongs = |exchange: &Exchange, assigned: usize| {
            let url = url::Url::parse(&exchange.url).ok();
            // Both times are truncated to milliseconds.
            let from = exchange.started.saturating_sub(2);
            let to = exchange.started.saturating_add(exchange.duration_ms).saturating_add(2);
            exchange.method == sent.request.method
                && url.is_some_and(|url| {
                    url.host_str() == sent.request.url.host_str()
                        && url.path() == sent.request.url.path()
                })
                && (from..=to).contains(&at)
                && assigned < exchange.attempts as usize
        };
        let found =
            (0..exchanges.len()).find(|index| belongs(&exchanges[*index], of[*index].len()));
        if let Some(index) = found {
            of[index].push(Attempt {
                at_ms: at.saturating_sub(exchanges[index].started),
                duration_ms: milliseconds(sent.ended.saturating_sub(sent.at)),
                status: sent.status,
                fault: sent.fault.as_ref().map(ToString::to_string),
            });
        }
    }
    of
}

fn entry(exchange: &Exchange) -> Entries {
    let milliseconds = i64::try_from(exchange.started).unwrap_or_default();
    let started = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    let time = exchange.duration_ms as f64;
    let mut comments = Vec::new();
    if let Some(slot) = &exchange.slot {
        comments.push(format!("credential of slot `{slot}`, not recorded"));
    }
    if exchange.attempts > 1 {
        comments.push(format!("sent {} times", exchange.attempts));
    }
    if let Some(error) = &exchange.error {
        comments.push(error.clone());
    }
    Entries {
        started_date_time: format!("{started:.3}"),
        time,
        request: request(exchange),
        response: response(exchange),
        cache: Cache::default(),
        timings: Timings { send: 0.0, wait: time, receive: 0.0, ..Timings::default() },
        comment: (!comments.is_empty()).then(|| comments.join("; ")),
        ..Entries::default()
    }
}

fn request(exchange: &Exchange) -> Request {
    let query_string = url::Url::parse(&exchange.url)
        .map(|url| {
            url.query_pairs()
                .map(|(name, value)| QueryString {
                    name: name.into_owned(),
                    value: value.into_owned(),
                    comment: None,
                })
                .collect()
        })
        .unwrap_or_default();
    Request {
        method: exchange.method.clone(),
        url: exchange.url.clone(),
        http_version: exchange.version.clone(),
        headers: headers(&exchange.headers),
        query_string,
        post_data: exchange.body.as_ref().map(|body| PostData {
            mime_type: header(&exchange.headers, "content-type").unwrap_or_default(),
            text: Some(body.clone()),
            params: None,
            comment: None,
        }),
        headers_size: -1,
        body_size: size(exchange.body.as_deref()),
        ..Request::default()
    }
}

/// Status 0 if there was no response, as in browsers.
fn response(exchange: &Exchange) -> Response {
    let status = exchange.status.map_or(0, i64::from);
    Response {
        status,
        http_version: exchange.version.clone(),
        headers: headers(&exchange.response_headers),
        content: Content {
            size: size(exchange.response_body.as_deref()),
            mime_type: Some(header(&exchange.response_headers, "content-type").unwrap_or_default()),
            text: exchange.response_body.clone(),
            ..Content::default()
        },
        redirect_url: Some(header(&exchange.response_headers, "location").unwrap_or_default()),
        headers_size: -1,
        body_size: -1,
        ..Response::default()
    }
}

fn headers(headers: &[(String, String)]) -> Vec<Headers> {
    headers
        .iter()
        .map(|(name, value)| Headers { name: name.clone(), value: value.clone(), comment: None })
        .collect()
}

fn header(headers: &[(String, String)], name: &str) -> Option<String> {
    headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
}

fn size(text: Option<&str>) -> i64 {
    text.map_or(0, |text| i64::try_from(text.len()).unwrap_or(i64::MAX))
}
