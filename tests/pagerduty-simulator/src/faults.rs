//! Faults that tests ask for: which requests they hit and what they do to the answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error_shapes::ErrorShape;
use crate::hold::Hold;
use crate::recording::{Origin, RecordedRequest};

/// What goes wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FaultAction {
    /// Answers this instead; the operation is not carried out.
    Status {
        /// The status code.
        code: u16,
        /// Headers beside `content-length`; `content-type` is JSON unless given.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Carries out the operation, waits, then answers. Combines with one other fault.
    Delay(Duration),
    /// Waits until the test lets go, then carries out the operation. Combines with one other fault.
    HoldBeforeApply(Hold),
    /// Carries out the operation, waits until the test lets go, then answers. Combines with one
    /// other fault.
    HoldAfterApply(Hold),
    /// Changes members of the JSON object that is answered; what was carried out stays as it is.
    Alter {
        /// Members to set.
        set: Vec<(String, Value)>,
        /// Members to leave out.
        remove: Vec<String>,
    },
    /// Resets the TCP connection; the operation is not carried out. With HTTP/2 this ends every
    /// request on the connection.
    ResetBeforeResponse,
    /// Carries out the operation, then resets the connection instead of answering.
    ResetAfterApply,
    /// Closes the connection instead of answering: no reset, and no farewell in TLS either. The
    /// operation is not carried out.
    CloseBeforeResponse,
    /// Announces the whole answer, sends half of its body and breaks off.
    TruncatedBody,
    /// The right status with a body of no bytes.
    EmptyResponse,
    /// The right status and content type with a body that is not JSON.
    Garbage,
    /// Sends half of the body, then nothing more, and keeps the connection.
    StallBody,
    /// A gzip body that unpacks to so many bytes.
    GzipBomb(u64),
    /// A JSON body of so many bytes, without an announced length.
    HugeBody(u64),
    /// A response header of so many bytes.
    HugeHeader(usize),
    /// An HTML page with the right status.
    WrongContentType,
    /// Sends the client elsewhere.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Where to.
        location: String,
    },
    /// 200 with everything that was received, and the credential in many encodings.
    EchoRequest,
}

/// An action and the requests that it hits. By default: the next request, whatever it is.
#[derive(Clone, Debug)]
pub struct Fault {
    action: FaultAction,
    method: Option<String>,
    path: Option<String>,
    origin: Option<Origin>,
    field: Option<(String, String)>,
    skip: usize,
    times: usize,
    after_apply: bool,
}

impl Fault {
    /// A fault that hits the next request.
    #[must_use]
    pub fn new(action: FaultAction) -> Self {
        Self {
            action,
            method: None,
            path: None,
            origin: None,
            field: None,
            skip: 0,
            times: 1,
            after_apply: false,
        }
    }

    /// A status with PagerDuty's shape of an error and no further headers.
    #[must_use]
    pub fn status(code: u16) -> Self {
        let body = "{\"error\":{\"message\":\"Simulated fault\",\"code\":2000}}";
        Self::response(code, &[], body)
    }

    /// An error in one of the shapes that PagerDuty gives them; `detail` is its text.
    #[must_use]
    pub fn error(code: u16, shape: ErrorShape, detail: &str) -> Self {
        let (content_type, body) = shape.body(detail);
        Self::response(code, &[("content-type", content_type)], body)
    }

    /// 429 as PagerDuty sends it, to be tried again after so many seconds.
    #[must_use]
    pub fn rate_limited(reset_seconds: u64) -> Self {
        let headers = [
            ("ratelimit-limit", "960"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", &reset_seconds.to_string()),
        ];
        let body = "{\"error\":{\"message\":\"Rate Limit Exceeded\",\"code\":2020}}";
        Self::response(429, &headers, body)
    }

    /// A whole answer of your own.
    #[must_use]
    pub fn response(code: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::new(FaultAction::Status { code, headers, body: body.into() })
    }

    /// A late answer.
    #[must_use]
    pub fn delay(by: Duration) -> Self {
        Self::new(FaultAction::Delay(by))
    }

    /// An error as the token endpoint words it (RFC 6749, 5.2), with the status that belongs to it.
    #[must_use]
    pub fn oauth_error(error: &str, description: &str) -> Self {
        let status = if error == "invalid_client" { 401 } else { 400 };
        let body = json!({"error": error, "error_description": description});
        Self::response(status, &[("cache-control", "no-store")], body.to_string())
    }

    /// The right answer with other members: those to set, and those to leave out.
    #[must_use]
    pub fn alter(set: &[(&str, Value)], remove: &[&str]) -> Self {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let remove = remove.iter().map(|name| (*name).to_owned()).collect();
        Self::new(FaultAction::Alter { set, remove })
    }

    /// An answer that waits, with the operation carried out, until the test lets go.
    #[must_use]
    pub fn hold_after_apply(hold: &Hold) -> Self {
        Self::new(FaultAction::HoldAfterApply(hold.clone()))
    }

    /// A request that waits, with nothing carried out, until the test lets go.
    #[must_use]
    pub fn hold_before_apply(hold: &Hold) -> Self {
        Self::new(FaultAction::HoldBeforeApply(hold.clone()))
    }

    /// Only requests for tokens.
    #[must_use]
    pub fn token_endpoint(self) -> Self {
        self.origin(Origin::Identity).method("POST").path("/oauth/token")
    }

    /// Only requests whose form has this value in this field, such as `grant_type`.
    #[must_use]
    pub fn form_field(mut self, name: &str, value: &str) -> Self {
        self.field = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Only requests whose raw path begins with this.
    #[must_use]
    pub fn path(mut self, prefix: &str) -> Self {
        self.path = Some(prefix.to_owned());
        self
    }

    /// Only requests to this server.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    /// Hits so many matching requests; 1 unless said otherwise.
    #[must_use]
    pub fn times(mut self, requests: usize) -> Self {
        self.times = requests;
        self
    }

    /// Hits every matching request until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Carries out the operation before the answer is replaced.
    #[must_use]
    pub fn after_apply(mut self) -> Self {
        self.after_apply = true;
        self
    }

    fn matches(&self, request: &RecordedRequest) -> bool {
        self.method.as_ref().is_none_or(|method| *method == request.method)
            && self.path.as_ref().is_none_or(|prefix| request.path.starts_with(prefix.as_str()))
            && self.origin.is_none_or(|origin| origin == request.origin)
            && self.field.as_ref().is_none_or(|(name, value)| {
                url::form_urlencoded::parse(&request.body)
                    .any(|(other, found)| other == *name && found == *value)
            })
    }
}

/// What the queue holds against one request.
#[derive(Debug, Default)]
pub(crate) struct Misfortune {
    pub(crate) delay: Duration,
    pub(crate) before: Vec<Hold>,
    pub(crate) after: Vec<Hold>,
    pub(crate) action: Option<FaultAction>,
    /// Whether the operation is carried out.
    pub(crate) applies: bool,
}

/// The faults that are still to come, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue {
    faults: Vec<Fault>,
}

impl FaultQueue {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// Takes what hits this request: every delay and hold that matches and the first other fault.
    pub(crate) fn take(&mut self, request: &RecordedRequest) -> Misfortune {
        let mut misfortune = Misfortune { applies: true, ..Misfortune::default() };
        for fault in &mut self.faults {
            if misfortune.action.is_some() || fault.times == 0 || !fault.matches(request) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times = if fault.times == usize::MAX { usize::MAX } else { fault.times - 1 };
            match &fault.action {
                FaultAction::Delay(by) => misfortune.delay += *by,
                FaultAction::HoldBeforeApply(hold) => misfortune.before.push(hold.clone()),
                FaultAction::HoldAfterApply(hold) => misfortune.after.push(hold.clone()),
                action => {
                    misfortune.applies = fault.after_apply
                        || !matches!(
                            action,
                            FaultAction::Status { .. }
                                | FaultAction::ResetBeforeResponse
                                | FaultAction::CloseBeforeResponse
                                | FaultAction::Redirect { .. }
                                | FaultAction::EchoRequest
                        );
                    misfortune.action = Some(action.clone());
                }
            }
        }
        self.faults.retain(|fault| fault.times > 0);
        misfortune
    }
}
