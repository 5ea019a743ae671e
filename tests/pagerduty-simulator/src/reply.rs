//! The response of an operation, before any fault is applied.

use bytes::Bytes;
use serde_json::Value;

/// A complete response.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    pub(crate) fn text(status: u16, body: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json; charset=utf-8",
            body: Bytes::from(body),
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::text(status, String::new())
    }

    /// `{"<root>": <already rendered object>}`
    pub(crate) fn wrapped(status: u16, root: &str, rendered: &str) -> Self {
        Self::text(status, format!("{{\"{root}\":{rendered}}}"))
    }
}
