//! A fake of a service, from a small file: routes, paging, webhooks, and faults.
//!
//! [`Fake`] determines responses without sockets. [`Server`] serves it over TLS on loopback, and
//! [`FakeTransport`] responds to a host in the same process.

mod deliver;
mod file;
mod paging;
mod server;
mod template;
mod transport;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use workflow_node_host::{Origin, OriginOfUrl as _};

pub use deliver::{Deliver, DeliverError};
pub use file::SCHEMA;
pub use server::{Certificates, Served, Server};
pub use transport::FakeTransport;

use crate::fault::Fault;
use crate::file::{FileError, Source};
use crate::message::{Request, Response};
use file::{Answer, Checked, Content, Encoding, Route};
use template::{Template, Values};

/// A file with every feature of a fake.
pub const EXAMPLE: &str = include_str!("../../schemas/fake-example.toml");

/// A fake of a service.
pub struct Fake {
    checked: Checked,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How often each route was used.
    used: Vec<u64>,
    /// The last number that was assigned to a response.
    id: u64,
}

/// The reaction of a fake to a request.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The response.
    pub response: Response,
    /// The fault that affects the response.
    pub fault: Option<Fault>,
    /// Webhooks that are delivered afterward.
    pub webhooks: Vec<Delivery>,
    /// Line of the route in the file; `None` if no route matches.
    pub line: Option<usize>,
}

/// A webhook that a fake delivers.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// URL to deliver to.
    pub to: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// Delay after the response.
    pub after: Duration,
}

impl Fake {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is invalid; the error names the line and the next step.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::parse(path, &crate::file::read(path)?)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// As [`Fake::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let checked = file::read(&Source { path, text })?;
        let state = State { used: vec![0; checked.routes.len()], id: 0 };
        Ok(Self { checked, state: Mutex::new(state) })
    }

    /// Origins that it replaces.
    pub fn origins(&self) -> &[Origin] {
        &self.checked.origins
    }

    /// Number of routes.
    pub fn routes(&self) -> usize {
        self.checked.routes.len()
    }

    /// Responds to a request. `now`: milliseconds since 1970.
    pub fn answer(&self, request: &Request, now: u64) -> Answered {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let matching = self.checked.routes.iter().enumerate().find(|(at, route)| {
            route.times.is_none_or(|times| state.used[*at] < times) && route.matches(request, &body)
        });
        let Some((at, route)) = matching else { return self.unmatched(request) };
        state.used[at] += 1;
        state.id += 1;
        let now = i64::try_from(now).unwrap_or_default();
        let now = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
        let path = route.captured(request);
        let values = Values {
            request,
            path: &path,
            body: &body,
            count: state.used[at],
            id: state.id,
            now: &format!("{now:.0}"),
            index: 0,
        };
        let mut response = match (&route.paging, route.answer(values.count)) {
            (Some(paging), _) => paging.page(&values),
            (None, Some(answer)) => answer.response(&values),
            (None, None) => Response { status: 204, ..Response::default() },
        };
        for (name, value) in &self.checked.headers {
            if response.header(name).is_none() {
                response.headers.push((name.clone(), value.text(&values)));
            }
        }
        let webhooks = route.webhooks.iter().map(|webhook| webhook.delivery(&values)).collect();
        Answered { response, fault: route.fault.clone(), webhooks, line: Some(route.line) }
    }

    /// The fault of a route that resets the connection before the body was read.
    fn resets_before(&self, request: &Request) -> Option<Fault> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let route = self.checked.routes.iter().enumerate().find(|(at, route)| {
            route.times.is_none_or(|times| state.used[*at] < times)
                && route.matches(request, &Value::Null)
        });
        route?.1.fault.clone().filter(|fault| *fault == Fault::ResetBefore)
    }

    fn unmatched(&self, request: &Request) -> Answered {
        let asked = format!("{} {}", request.method, request.url.path());
        let known: Vec<String> = self
            .checked
            .routes
            .iter()
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        let near = workflow_node_host::near(&asked, known.iter().map(String::as_str));
        let hint = match near.first() {
            Some(near) => format!("The nearest is `{near}`"),
            None => format!("Its routes are {}", known.join(", ")),
        };
        let message = format!("No route of the fake matches {asked}. {hint}");
        let body = serde_json::json!({ "error": { "code": "no-route", "message": message } });
        let response = Response::json(404, &body);
        Answered { response, fault: None, webhooks: Vec::new(), line: None }
    }
}

impl Route {
    fn matches(&self, request: &Request, body: &Value) -> bool {
        let has_query = |(name, expected): (&String, &String)| {
            request.url.query_pairs().any(|(one, value)| one == *name && fits(expected, &value))
        };
        let has_header = |(name, expected): (&String, &String)| {
            let value = request.headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
            value.is_some_and(|(_, value)| fits(expected, value))
        };
        self.method == request.method
            && self.path.matches(request.url.path())
            && self
                .origin
                .as_ref()
                .is_none_or(|origin| Origin::of(&request.url).as_ref() == Some(origin))
            && self.query.iter().all(has_query)
            && self.headers.iter().all(has_header)
            && self.body.as_ref().is_none_or(|expected| contains(body, expected))
    }

    /// Values of the path's placeholders, decoded.
    fn captured(&self, request: &Request) -> Vec<(String, String)> {
        let segments: Vec<&str> = request.url.path().split('/').collect();
        self.captures
            .iter()
            .filter_map(|(at, name)| {
                let text = percent_encoding::percent_decode_str(segments.get(*at)?);
                Some((name.clone(), text.decode_utf8_lossy().into_owned()))
            })
            .collect()
    }

    fn answer(&self, count: u64) -> Option<&Answer> {
        let last = self.answers.len().checked_sub(1)?;
        let at = usize::try_from(count - 1).unwrap_or(last).min(last);
        self.answers.get(at)
    }
}

/// Whether text matches. A trailing `*` matches any rest.
fn fits(expected: &str, value: &str) -> bool {
    match expected.strip_suffix('*') {
        Some(start) => value.starts_with(start),
        None => value == expected,
    }
}

/// Whether a value contains everything that is expected, possibly with other members.
pub(crate) fn contains(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(value), Value::Object(expected)) => expected
            .iter()
            .all(|(name, expected)| value.get(name).is_some_and(|one| contains(one, expected))),
        (Value::Array(value), Value::Array(expected)) => {
            value.len() == expected.len()
                && value.iter().zip(expected).all(|(one, expected)| contains(one, expected))
        }
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (value, expected) => value == expected,
    }
}

impl Answer {
    fn response(&self, values: &Values<'_>) -> Response {
        let (body, kind): (Bytes, Option<&str>) = match &self.content {
            Content::None => (Bytes::new(), None),
            Content::Json(json) => (json.fill(values).to_string().into(), Some("application/json")),
            Content::Text(text) => (text.text(values).into(), Some("text/plain; charset=utf-8")),
            Content::Bytes(bytes, kind) => (bytes.clone(), Some(kind)),
        };
        let mut headers = filled(&self.headers, values);
        let has_type = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(kind) = kind.filter(|_| !has_type) {
            headers.insert(0, ("content-type".to_owned(), kind.to_owned()));
        }
        Response { status: self.status, headers, body }
    }
}

fn filled(headers: &[(String, Template)], values: &Values<'_>) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.clone(), value.text(values))).collect()
}

impl file::Webhook {
    fn delivery(&self, values: &Values<'_>) -> Delivery {
        let body: Bytes = self.json.fill(values).to_string().into();
        let mut headers = filled(&self.headers, values);
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        if let Some(signing) = &self.signature {
            let secret = signing.secret.text(values);
            let signature = signed(&secret, &body, signing.encoding);
            headers.push((signing.header.clone(), format!("{}{signature}", signing.prefix)));
        }
        Delivery { to: self.to.text(values), headers, body, after: self.after }
    }
}

fn signed(secret: &str, body: &[u8], encoding: Encoding) -> String {
    use base64::Engine as _;
    use hmac::Mac as _;
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    match encoding {
        Encoding::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Encoding::Base64 => base64::engine::general_purpose::STANDARD.encode(bytes),
    }
}

#[cfg(test)]
mod tests;
