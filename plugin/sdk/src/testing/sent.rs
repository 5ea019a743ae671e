//! A request that was sent, with methods for assertions.

use std::ops::Deref;

use serde_json::Value;

use crate::http::Request;

/// A request that was sent.
///
/// ```
/// use serde_json::json;
/// use workflow_node_sdk::{block_on, http::{self, Request}, testing::{Host, answer}};
///
/// let host = Host::scripted([answer(200, "{}")]);
/// let mut request = Request::new("POST", "https://api.test/cities?q=S%C3%A3o%20Paulo&tag=a&tag=b")
///     .header("Accept", "application/json");
/// request.body = Some(br#"{"name":"Berlin"}"#.to_vec());
/// host.run(|| block_on(http::send(&request))).unwrap();
///
/// let sent = host.only_request();
/// assert_eq!((sent.method.as_str(), sent.path()), ("POST", "/cities"));
/// assert_eq!(sent.query("q").as_deref(), Some("São Paulo"));
/// assert_eq!(sent.queries("tag"), ["a", "b"]);
/// assert_eq!(sent.header_value("accept"), Some("application/json"));
/// assert_eq!(sent.json(), json!({ "name": "Berlin" }));
/// ```
#[derive(Clone, Debug)]
pub struct Sent(pub(super) Request);

impl Deref for Sent {
    type Target = Request;

    fn deref(&self) -> &Request {
        &self.0
    }
}

impl Sent {
    /// The origin of the URL.
    pub fn origin(&self) -> &str {
        let (scheme, rest) = self.0.url.split_once("://").unwrap_or(("", &self.0.url));
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let length = self.0.url.len() - rest.len() + host.len();
        if scheme.is_empty() { "" } else { &self.0.url[..length] }
    }

    /// The path of the URL, unchanged.
    pub fn path(&self) -> &str {
        let path = &self.0.url[self.origin().len()..];
        path.split('?').next().unwrap_or_default()
    }

    /// The first query parameter of a name, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.queries(name).into_iter().next()
    }

    /// All query parameters of a name, decoded.
    pub fn queries(&self, name: &str) -> Vec<String> {
        pairs(self.0.url.split_once('?').map_or("", |(_, query)| query), name)
    }

    /// The first header with this name, ignoring case.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        let mut headers = self.0.headers.iter();
        let found = headers.find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// Panics if there is no body, or if it is not JSON.
    pub fn json(&self) -> Value {
        let body = self.0.body.as_deref().expect("the request has a body");
        serde_json::from_slice(body).expect("the body is JSON")
    }

    /// The fields of a name in a form (`application/x-www-form-urlencoded`), decoded.
    pub fn form(&self, name: &str) -> Vec<String> {
        let body = self.0.body.as_deref().unwrap_or_default();
        pairs(&String::from_utf8_lossy(body), name)
    }
}

fn pairs(text: &str, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    for pair in text.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(key) == name {
            values.push(decoded(value));
        }
    }
    values
}

fn decoded(text: &str) -> String {
    let plain = text.replace('+', " ");
    percent_encoding::percent_decode_str(&plain).decode_utf8_lossy().into_owned()
}
