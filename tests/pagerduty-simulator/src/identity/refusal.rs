//! Error codes of RFC 6749, sections 4.1.2.1 and 5.2.

use serde_json::json;

use crate::reply::Reply;

/// An error code and its description.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) error: String,
    pub(crate) description: String,
    status: u16,
    /// Whether the app used HTTP authentication, which the response must match.
    challenge: bool,
}

/// A refusal with the status that belongs to its code.
pub(crate) fn refuse(error: &str, description: impl Into<String>) -> Refusal {
    Refusal {
        error: error.to_owned(),
        description: description.into(),
        status: if error == "invalid_client" { 401 } else { 400 },
        challenge: false,
    }
}

impl Refusal {
    pub(crate) fn with_challenge(self) -> Self {
        Self { challenge: true, ..self }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let Refusal { error, description, status, challenge } = refusal;
        let body = json!({"error": error, "error_description": description});
        let mut reply = Self::json(status, &body);
        if challenge {
            let value = "Basic realm=\"identity.pagerduty.com\"".to_owned();
            reply.headers.push(("www-authenticate", value));
        }
        reply
    }
}
