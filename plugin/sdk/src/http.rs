//! Requests through the host.

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};
use crate::executor::Ticket;
use crate::host;
use crate::json::{self, Members};

pub use crate::bindings::workflow::node::http::{Request, Response, SendError, SendErrorKind};

/// Whether a method is safe (reads only).
pub(crate) fn reads(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

impl Request {
    /// A request without headers, body and credential.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: None,
            credential: None,
            timeout: None,
            idempotency_key: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Whether its method is safe (reads only).
    pub fn reads(&self) -> bool {
        reads(&self.method)
    }

    /// Whether the request is idempotent: it reads, or it carries an idempotency key.
    pub fn is_repeatable(&self) -> bool {
        self.reads() || self.idempotency_key.is_some()
    }
}

impl Response {
    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header with this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The members of the body as raw JSON.
    ///
    /// # Errors
    ///
    /// Returns an error of kind `unavailable` if the body is not a JSON object, because then the
    /// response did not come from the service.
    pub fn members(&self) -> Result<Members<'_>, Error> {
        json::members(&self.body).ok_or_else(|| self.unexpected("is not a JSON object"))
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    ///
    /// As [`Response::members`].
    pub fn object(&self) -> Result<Map<String, Value>, Error> {
        json::object(&self.body).ok_or_else(|| self.unexpected("is not a JSON object"))
    }

    /// The body unchanged, if it is JSON.
    ///
    /// # Errors
    ///
    /// Returns an error of kind `unavailable` if it is not.
    pub fn text(&self) -> Result<String, Error> {
        match json::raw(&self.body) {
            Some(value) => Ok(value.to_owned()),
            None => Err(self.unexpected("is not JSON")),
        }
    }

    /// One member of the body, unchanged.
    ///
    /// # Errors
    ///
    /// Returns an error of kind `unavailable` if it is missing.
    pub fn member(&self, name: &str) -> Result<String, Error> {
        match self.members()?.get(name) {
            Some(value) => Ok(value.to_owned()),
            None => Err(self.unexpected(&format!("has no `{name}`"))),
        }
    }

    /// The error of an unsuccessful response: its kind follows from the status, its message
    /// contains the beginning of a text body, and its detail contains a JSON body.
    pub fn error(&self) -> Error {
        let kind = match self.status {
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::Forbidden,
            404 | 410 => ErrorKind::NotFound,
            409 | 412 | 423 => ErrorKind::Conflict,
            408 => ErrorKind::Timeout,
            429 => ErrorKind::RateLimited,
            400..=499 => ErrorKind::InvalidInput,
            _ => ErrorKind::Unavailable,
        };
        let mut message = format!("the service responded with status {}", self.status);
        let body = json::value(&self.body);
        let said = match &body {
            Some(Value::Object(members)) => ["message", "error_description", "error", "detail"]
                .iter()
                .find_map(|name| members.get(*name)?.as_str()),
            _ => None,
        };
        if let Some(said) = said {
            message.push_str(": ");
            message.push_str(said);
        }
        let mut error = Error::new(kind, message);
        if let Some(body) = body {
            error = error.with_detail("response", body);
        }
        error.http_status = Some(self.status);
        if matches!(kind, ErrorKind::RateLimited | ErrorKind::Unavailable) {
            error.retry_after = self.retry_after;
        }
        error
    }

    /// The error of a response whose body does not look like the service's.
    pub fn unexpected(&self, how: &str) -> Error {
        let mut error = Error::new(
            ErrorKind::Unavailable,
            format!("the service answered {} with a body that {how}", self.status),
        );
        error.http_status = Some(self.status);
        error
    }
}

/// Sends a request. Dropping the future cancels it.
///
/// # Errors
///
/// If no response arrived; see [`SendErrorKind`].
pub async fn send(request: &Request) -> Result<Response, SendError> {
    let mut ticket = Ticket::new(host::submit(request));
    (&mut ticket).await;
    host::take(ticket.id())
}
