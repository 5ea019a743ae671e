//! Error responses, in every shape that PagerDuty is known to return.

use serde_json::{Value, json};

use crate::reply::Reply;

/// An unsuccessful response. It leaves the state unchanged.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    fn with(status: u16, body: Value) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    /// The common shape without a list of errors.
    pub(crate) fn coded(status: u16, code: u32, message: &str) -> Self {
        Self::with(status, json!({"error": {"message": message, "code": code}}))
    }

    /// 400 with the message of a code.
    pub(crate) fn known(code: u32) -> Self {
        let message = match code {
            1013 => "Invalid Snooze Duration",
            _ => "Invalid Input Provided",
        };
        Self::coded(400, code, message)
    }

    /// 400, code 2001, with a list of errors.
    pub(crate) fn invalid(errors: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let errors: Vec<String> = errors.into_iter().map(Into::into).collect();
        Self::with(
            400,
            json!({"error": {
                "message": "Invalid Input Provided", "code": 2001, "errors": errors,
            }}),
        )
    }

    pub(crate) fn arguments(error: &str) -> Self {
        Self::with(
            400,
            json!({"error": {
                "message": "Arguments Caused Error", "code": 2002, "errors": [error],
            }}),
        )
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::coded(401, 2006, "Authentication failed")
    }

    pub(crate) fn denied() -> Self {
        Self::coded(403, 2010, "Access Denied")
    }

    /// The error for a missing scope has no code.
    pub(crate) fn scope(required: &str) -> Self {
        Self::with(
            403,
            json!({"error": {
                "message": "Token missing required scopes", "required_scopes": required,
            }}),
        )
    }

    /// The only place where `error` is a plain string.
    pub(crate) fn plain(message: &str) -> Self {
        Self::with(400, json!({"error": message}))
    }

    pub(crate) fn not_found() -> Self {
        Self::coded(404, 2100, "Not Found")
    }

    /// A method that a known path does not have; the response lists the allowed methods.
    pub(crate) fn method_not_allowed(allowed: &str) -> Self {
        let mut refusal = Self::with(405, json!({"error": {"message": "Method Not Allowed"}}));
        refusal.headers.push(("allow", allowed.to_owned()));
        refusal
    }

    pub(crate) fn too_many_requests() -> Self {
        Self::coded(429, 2020, "Rate Limit Exceeded")
    }

    /// The Events API's shape, which has no `error` around it.
    pub(crate) fn event(errors: Vec<String>) -> Self {
        Self::with(
            400,
            json!({
                "status": "invalid event", "message": "Event object is invalid", "errors": errors,
            }),
        )
    }

    pub(crate) fn bare(status: u16, body: Value) -> Self {
        Self::with(status, body)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let mut reply = Self::json(refusal.status, &refusal.body);
        reply.headers = refusal.headers;
        reply
    }
}
