//! Recordings: responses of a service, as readable files without secrets.
//!
//! A recording is made while a case runs against a service. Secrets become placeholders before
//! anything is stored, the same secret always the same placeholder, so that the requests of a
//! replay match: its credential contains the placeholders.

mod redact;
mod transport;

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use workflow_node_host::Principal;

pub use redact::{Redactor, placeholder};
pub(crate) use transport::json_difference;
pub use transport::{Mismatch, Recorder, Replayer};

use crate::file::FileError;

/// Version of the format.
const FORMAT: u32 = 1;

/// The responses of a service during one case.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// Version of the format.
    pub format: u32,
    /// Name and version of the node that was recorded.
    pub node: String,
    /// When it was recorded, in milliseconds since 1970. A replay begins at this time.
    pub started: u64,
    /// Names of the credentials by slot. Idempotency keys depend on them, so a replay uses the same
    /// names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<String, String>,
    /// The user who recorded it; idempotency keys depend on it as well.
    #[serde(default)]
    pub principal: Principal,
    /// Requests and their responses, in the order in which the requests were sent.
    pub exchanges: Vec<Recorded>,
}

/// A request and its response.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Method and URL.
    pub request: String,
    /// Body of the request.
    #[serde(default, skip_serializing_if = "Content::is_empty")]
    pub body: Content,
    /// Status of the response; `None` if there was none.
    pub status: Option<u16>,
    /// Headers of the response that a node or the host reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Body of the response.
    #[serde(default, skip_serializing_if = "Content::is_empty")]
    pub response: Content,
    /// Why there was no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the request was sent, in milliseconds after the start.
    pub sent_ms: u64,
    /// When the response arrived, in milliseconds after the start.
    pub answered_ms: u64,
}

/// A body in the most readable form.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// None.
    #[default]
    Empty,
    /// JSON.
    Json(Value),
    /// Text.
    Text(String),
    /// Other bytes, in base64.
    Base64(String),
}

impl Content {
    /// The content of a body.
    pub fn of(body: &[u8]) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        let Ok(text) = std::str::from_utf8(body) else {
            use base64::Engine as _;
            return Self::Base64(base64::engine::general_purpose::STANDARD.encode(body));
        };
        match serde_json::from_str(text) {
            Ok(json @ (Value::Object(_) | Value::Array(_))) => Self::Json(json),
            _ => Self::Text(text.to_owned()),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::Empty
    }

    /// The body. JSON is written without white space.
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Json(json) => json.to_string().into(),
            Self::Text(text) => text.clone().into(),
            Self::Base64(text) => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default().into()
            }
        }
    }
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is not a recording of a known format.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let next = "record the case again with --record";
        let text = crate::file::read(path).map_err(|error| match path.exists() {
            true => error,
            false => FileError::new(path, "The case has no recording yet")
                .next("record it with --record, or name a `fake` in the case"),
        })?;
        let recording: Self = serde_json::from_str(&text).map_err(|error| {
            let line = Some(error.line()).filter(|line| *line > 0);
            let invalid = FileError::new(path, "The file is not a recording").next(next);
            FileError { line, ..invalid.because(error) }
        })?;
        if recording.format != FORMAT {
            let message = format!("format {} is unknown to this version", recording.format);
            return Err(FileError::new(path, message).next(next));
        }
        Ok(recording)
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests;
