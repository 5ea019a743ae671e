//! Faults that tests inject: the requests that they affect, and the change to the response.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error_shapes::ErrorShape;
use crate::hold::Hold;
use crate::recording::{Origin, RecordedRequest};

/// The kind of fault.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FaultAction {
    /// Returns this response instead; the operation is not carried out.
    Status {
        /// The status code.
        code: u16,
        /// Headers in addition to `content-length`. Default: `content-type` for JSON.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Carries out the operation, waits, then responds. Can be combined with one other fault.
    Delay(Duration),
    /// Waits until the test releases it, then carries out the operation. Can be combined with one
    /// other fault.
    HoldBeforeApply(Hold),
    /// Carries out the operation, waits until the test releases it, then responds. Can be combined
    /// with one other fault.
    HoldAfterApply(Hold),
    /// Changes members of the JSON object in the response; the result of the operation is
    /// unchanged.
    Alter {
        /// Members to set.
        set: Vec<(String, Value)>,
        /// Members to remove.
        remove: Vec<String>,
    },
    /// Resets the TCP connection; the operation is not carried out. With HTTP/2, this ends every
    /// request of the connection.
    ResetBeforeResponse,
    /// Carries out the operation, then resets the connection instead of responding.
    ResetAfterApply,
    /// Closes the connection instead of responding, without a reset and without a TLS close. The
    /// operation is not carried out.
    CloseBeforeResponse,
    /// Announces the full length, sends half of the body, and closes the connection.
    TruncatedBody,
    /// The correct status with an empty body.
    EmptyResponse,
    /// The correct status and content type with a body that is not JSON.
    Garbage,
    /// Sends half of the body, then nothing more, and keeps the connection open.
    StallBody,
    /// A gzip body that decompresses to this many bytes.
    GzipBomb(u64),
    /// A JSON body of this many bytes, without an announced length.
    HugeBody(u64),
    /// A response header of this many bytes.
    HugeHeader(usize),
    /// An HTML page with the correct status.
    WrongContentType,
    /// Redirects the client.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The target.
        location: String,
    },
    /// 200 with the whole request, and the credential in many encodings.
    EchoRequest,
}

/// A fault and the requests that it affects. Default: the next request.
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
    /// A fault that affects the next request.
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

    /// A status with PagerDuty's error shape and no additional headers.
    #[must_use]
    pub fn status(code: u16) -> Self {
        let body = "{\"error\":{\"message\":\"Simulated fault\",\"code\":2000}}";
        Self::response(code, &[], body)
    }

    /// An error in one of PagerDuty's shapes; `detail` is its text.
    #[must_use]
    pub fn error(code: u16, shape: ErrorShape, detail: &str) -> Self {
        let (content_type, body) = shape.body(detail);
        Self::response(code, &[("content-type", content_type)], body)
    }

    /// 429 as PagerDuty returns it, with a wait in seconds.
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

    /// A custom response.
    #[must_use]
    pub fn response(code: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::new(FaultAction::Status { code, headers, body: body.into() })
    }

    /// A delayed response.
    #[must_use]
    pub fn delay(by: Duration) -> Self {
        Self::new(FaultAction::Delay(by))
    }

    /// An error of the token endpoint (RFC 6749, 5.2), with the status that belongs to it.
    #[must_use]
    pub fn oauth_error(error: &str, description: &str) -> Self {
        let status = if error == "invalid_client" { 401 } else { 400 };
        let body = json!({"error": error, "error_description": description});
        Self::response(status, &[("cache-control", "no-store")], body.to_string())
    }

    /// The correct response with members set and removed.
    #[must_use]
    pub fn alter(set: &[(&str, Value)], remove: &[&str]) -> Self {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let remove = remove.iter().map(|name| (*name).to_owned()).collect();
        Self::new(FaultAction::Alter { set, remove })
    }

    /// A response that waits until the test releases it; the operation has been carried out.
    #[must_use]
    pub fn hold_after_apply(hold: &Hold) -> Self {
        Self::new(FaultAction::HoldAfterApply(hold.clone()))
    }

    /// A request that waits until the test releases it; nothing has been carried out.
    #[must_use]
    pub fn hold_before_apply(hold: &Hold) -> Self {
        Self::new(FaultAction::HoldBeforeApply(hold.clone()))
    }

    /// Affects only requests for tokens.
    #[must_use]
    pub fn token_endpoint(self) -> Self {
        self.origin(Origin::Identity).method("POST").path("/oauth/token")
    }

    /// Affects only requests whose form has this value in this field, such as `grant_type`.
    #[must_use]
    pub fn form_field(mut self, name: &str, value: &str) -> Self {
        self.field = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// Affects only requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Affects only requests whose raw path begins with this.
    #[must_use]
    pub fn path(mut self, prefix: &str) -> Self {
        self.path = Some(prefix.to_owned());
        self
    }

    /// Affects only requests to this server.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Skips this many matching requests first.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    /// Affects this many matching requests. Default: 1.
    #[must_use]
    pub fn times(mut self, requests: usize) -> Self {
        self.times = requests;
        self
    }

    /// Affects every matching request until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Carries out the operation before the response is replaced.
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

/// The faults that apply to one request.
#[derive(Debug, Default)]
pub(crate) struct Misfortune {
    pub(crate) delay: Duration,
    pub(crate) before: Vec<Hold>,
    pub(crate) after: Vec<Hold>,
    pub(crate) action: Option<FaultAction>,
    /// Whether the operation is carried out.
    pub(crate) applies: bool,
}

/// The pending faults, in order.
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

    /// Takes the faults for this request: every delay and hold that matches, and the first other
    /// fault.
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
