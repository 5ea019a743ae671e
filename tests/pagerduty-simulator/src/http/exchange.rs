//! One request: reading, recording, judging, carrying it out, and responding or injecting a fault.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use hyper::{Request, Response, StatusCode};
use serde_json::{Map, Value};

use super::body::{Script, Step};
use super::server::Line;
use crate::account::Account;
use crate::echo::echoed;
use crate::errors::Refusal;
use crate::events;
use crate::faults::{FaultAction, FaultQueue, Misfortune};
use crate::identity::{Accounts, Service};
use crate::judge::{self, Verdict};
use crate::keys::Region;
use crate::recording::RecordedRequest;
use crate::reply::Reply;

/// Maximum size of a request body, in bytes.
const LARGEST_REQUEST: usize = 8 * 1024 * 1024;

/// Called for every request when its status is known.
pub(crate) type Listener = Arc<dyn Fn(&RecordedRequest) + Send + Sync>;

/// State that all connections share.
pub(crate) struct Shared {
    pub(crate) us: Account,
    pub(crate) eu: Account,
    pub(crate) identity: Service,
    pub(crate) faults: Mutex<FaultQueue>,
    pub(crate) requests: Mutex<Vec<RecordedRequest>>,
    pub(crate) violations: Mutex<Vec<String>>,
    pub(crate) records: AtomicBool,
    pub(crate) sequence: AtomicU64,
    pub(crate) connections: AtomicUsize,
    pub(crate) latency_microseconds: AtomicU64,
    pub(crate) listener: Option<Listener>,
}

/// Locks; a panic elsewhere leaves this state intact.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn account(&self, region: Region) -> &Account {
        match region {
            Region::Us => &self.us,
            Region::Eu => &self.eu,
        }
    }

    pub(crate) fn accounts(&self) -> Accounts<'_> {
        Accounts { us: &self.us, eu: &self.eu }
    }

    fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_microseconds.load(Ordering::Relaxed))
    }

    fn carry_out(&self, request: &RecordedRequest) -> Verdict {
        let Some(region) = request.origin.region() else {
            return self.identity.judge(self.accounts(), request);
        };
        let mut state = self.account(region).state();
        if request.origin.is_events() {
            events::judge(&mut state, request)
        } else {
            judge::judge(&mut state, request)
        }
    }

    /// Records the result of a request.
    fn settle(&self, request: &mut RecordedRequest, status: Option<u16>) {
        request.response_status = status;
        if self.records.load(Ordering::Relaxed) {
            let mut requests = lock(&self.requests);
            let found = requests.iter_mut().rev().find(|one| one.sequence == request.sequence);
            if let Some(found) = found {
                found.response_status = status;
                found.key_name.clone_from(&request.key_name);
            }
        }
        if let Some(listener) = &self.listener {
            listener(request);
        }
    }
}

/// Responds to one request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    line: Arc<Line>,
    request: Request<Incoming>,
) -> Result<Response<Script>, Infallible> {
    let (mut request, complete) = receive(&shared, &line, request).await;
    let Misfortune { delay, before, after, action, applies } = lock(&shared.faults).take(&request);
    if shared.records.load(Ordering::Relaxed) {
        lock(&shared.requests).push(request.clone());
    }
    for hold in before {
        hold.pass().await;
    }
    let reply = if !complete {
        Reply::from(Refusal::coded(413, 2001, "The request body is too large"))
    } else if applies {
        let verdict = shared.carry_out(&request);
        request.key_name = verdict.key_name;
        if !verdict.violations.is_empty() {
            let texts = verdict.violations.iter().map(|text| request.objection(text));
            lock(&shared.violations).extend(texts);
        }
        verdict.reply
    } else {
        Reply::text(200, "{}".to_owned())
    };
    let wait = shared.latency() + delay;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    for hold in after {
        hold.pass().await;
    }
    let response = match action {
        None => plain(reply),
        Some(FaultAction::ResetBeforeResponse | FaultAction::ResetAfterApply) => {
            shared.settle(&mut request, None);
            line.reset();
            // The connection is dropped together with this future.
            std::future::pending().await
        }
        Some(FaultAction::CloseBeforeResponse) => {
            shared.settle(&mut request, None);
            line.close();
            std::future::pending().await
        }
        Some(action) => spoiled(action, reply, &request),
    };
    shared.settle(&mut request, Some(response.status().as_u16()));
    Ok(response)
}

/// Reads a request to its end; false if it was cut off or too large.
async fn receive(
    shared: &Shared,
    line: &Line,
    request: Request<Incoming>,
) -> (RecordedRequest, bool) {
    let (parts, body) = request.into_parts();
    let collected = Limited::new(body, LARGEST_REQUEST).collect().await;
    let complete = collected.is_ok();
    let headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let host = parts.uri.authority().map(|authority| authority.as_str().to_owned()).or_else(|| {
        headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone())
    });
    let request = RecordedRequest {
        sequence: shared.sequence.fetch_add(1, Ordering::Relaxed) + 1,
        origin: line.origin,
        host: host.unwrap_or_default(),
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: collected.map(|body| body.to_bytes()).unwrap_or_default(),
        http_version: format!("{:?}", parts.version),
        response_status: None,
        connection: line.number,
        received_at: SystemTime::now(),
        key_name: None,
    };
    (request, complete)
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn head(reply: &Reply) -> hyper::http::response::Builder {
    let mut builder = Response::builder().status(status(reply.status));
    if reply.status != 204 {
        builder = builder.header(CONTENT_TYPE, reply.content_type);
    }
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    builder
}

/// A builder fails only because of an invalid header of a test; the response is an error.
fn finish(builder: hyper::http::response::Builder, body: Script) -> Response<Script> {
    builder.body(body).unwrap_or_else(|error| {
        let text = Bytes::from(format!("the fault asks for an impossible header: {error}"));
        let mut response = Response::new(Script::whole(text));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

fn plain(reply: Reply) -> Response<Script> {
    finish(head(&reply), Script::whole(reply.body.clone()))
}

fn spoiled(action: FaultAction, mut reply: Reply, request: &RecordedRequest) -> Response<Script> {
    match action {
        FaultAction::Status { code, headers, body } => {
            let mut builder = Response::builder().status(status(code));
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                builder = builder.header(CONTENT_TYPE, "application/json");
            }
            for (name, value) in &headers {
                builder = builder.header(name, value);
            }
            finish(builder, Script::whole(body.into()))
        }
        FaultAction::TruncatedBody => {
            let half = reply.body.slice(..reply.body.len() / 2);
            let builder = head(&reply).header(CONTENT_LENGTH, reply.body.len());
            finish(builder, Script::new([Step::Send(half), Step::pause(), Step::Fail]))
        }
        FaultAction::StallBody => {
            let half = reply.body.slice(..reply.body.len() / 2);
            let builder = head(&reply).header(CONTENT_LENGTH, reply.body.len());
            finish(builder, Script::new([Step::Send(half), Step::Stall]))
        }
        FaultAction::EmptyResponse => finish(head(&reply), Script::default()),
        FaultAction::Garbage => {
            let garbage = Bytes::from_static(b"\x00\xff{\"incident\": [1, 2,, \xc3\x28 <?>");
            finish(head(&reply), Script::whole(garbage))
        }
        FaultAction::GzipBomb(size) => {
            let builder = head(&reply).header(CONTENT_ENCODING, "gzip");
            finish(builder, Script::whole(gzip_of_spaces(size)))
        }
        FaultAction::HugeBody(size) => {
            let (before, after) = (&b"{\"padding\":\""[..], &b"\"}"[..]);
            let left = size.saturating_sub((before.len() + after.len()) as u64);
            let steps = [
                Step::Send(Bytes::from_static(before)),
                Step::Fill { byte: b'a', left },
                Step::Send(Bytes::from_static(after)),
            ];
            finish(head(&reply), Script::new(steps))
        }
        FaultAction::HugeHeader(size) => {
            reply.headers.push(("x-padding", "a".repeat(size)));
            plain(reply)
        }
        FaultAction::WrongContentType => {
            reply.content_type = "text/html; charset=utf-8";
            reply.body = Bytes::from_static(
                b"<!DOCTYPE html><html><head><title>Maintenance</title></head>\
                  <body><h1>We will be back soon</h1></body></html>",
            );
            plain(reply)
        }
        FaultAction::Redirect { status: code, location } => {
            let builder = Response::builder().status(status(code)).header(LOCATION, location);
            finish(builder, Script::default())
        }
        FaultAction::EchoRequest => plain(echoed(request)),
        FaultAction::Alter { set, remove } => {
            if let Ok(mut members) = serde_json::from_slice::<Map<String, Value>>(&reply.body) {
                members.retain(|name, _| !remove.contains(name));
                members.extend(set);
                reply.body = Value::Object(members).to_string().into();
            }
            plain(reply)
        }
        // These faults are handled elsewhere: they wait or close the connection.
        FaultAction::Delay(_)
        | FaultAction::HoldBeforeApply(_)
        | FaultAction::HoldAfterApply(_)
        | FaultAction::ResetBeforeResponse
        | FaultAction::ResetAfterApply
        | FaultAction::CloseBeforeResponse => plain(reply),
    }
}

/// Spaces, because they are valid around JSON: only the size is wrong.
fn gzip_of_spaces(size: u64) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let chunk = [b' '; 64 * 1024];
    let mut left = size;
    while left > 0 {
        let now = usize::try_from(left.min(chunk.len() as u64)).unwrap_or(chunk.len());
        if encoder.write_all(&chunk[..now]).is_err() {
            break;
        }
        left -= now as u64;
    }
    encoder.finish().unwrap_or_default().into()
}
