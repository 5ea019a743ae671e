//! Errors of the API: a status, a stable name, a message, and what to do next.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};
use workflow_node_host::credential::CredentialError;
use workflow_node_host::oauth::ConnectError;
use workflow_node_host::{Error, ErrorKind, ItemErrorKind, chain};

use crate::database::DatabaseError;

/// Body of every answer that is an error.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorDetail,
}

/// Why a request failed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// Stable name, for programs.
    pub(crate) name: Cow<'static, str>,
    /// What failed and why, for people.
    pub(crate) message: String,
    /// What to do next, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
    /// The invalid parts of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<Problem>,
}

/// One invalid part of a request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// JSON Pointer (RFC 6901) into the body.
    pub(crate) pointer: String,
    /// What is wrong.
    pub(crate) message: String,
}

/// An error to be sent to a client.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) detail: ErrorDetail,
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        name: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let (name, message) = (name.into(), message.into());
        let detail = ErrorDetail { name, message, next: None, problems: Vec::new() };
        Self { status, detail, retry_after: None }
    }

    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.detail.next = Some(next.into());
        self
    }

    #[must_use]
    pub(crate) fn problems(mut self, problems: Vec<Problem>) -> Self {
        self.detail.problems = problems;
        self
    }

    #[must_use]
    pub(crate) fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    /// The same error for another client that waits for the same result.
    pub(crate) fn again(&self) -> Self {
        let Self { status, detail, retry_after } = self;
        Self { status: *status, detail: detail.clone(), retry_after: *retry_after }
    }

    /// The request cannot be read.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", message)
    }

    /// The token's policy does not allow it.
    pub(crate) fn not_permitted(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-permitted", message)
            .next("Use a token whose policy allows it, or ask the operator to extend the policy.")
    }

    /// Not found, or not visible to this token: both look the same.
    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        let message = format!("Cannot find the {what} `{}`.", shown(name));
        Self::new(StatusCode::NOT_FOUND, "not-found", message)
            .next("Check the name, and that the token's policy allows it.")
    }

    /// As [`ApiError::not_found`], for a credential that the body of a request names.
    pub(crate) fn no_credential(name: &str) -> Self {
        let mut error = Self::not_found("credential", name);
        error.status = StatusCode::UNPROCESSABLE_ENTITY;
        error.detail.name = "credential-not-found".into();
        error
    }

    pub(crate) fn too_large(what: &str, limit: &str, bytes: usize) -> Self {
        let message = format!("{what} is larger than {bytes} bytes (limit `{limit}`).");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", message)
    }

    /// A defect or a system failure. The client receives no details; the log contains them.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        let message = "The server failed to process the request. Its log has the reason.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }
}

/// A name as quoted in a message.
pub(crate) fn shown(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(200).collect()
}

impl From<DatabaseError> for ApiError {
    fn from(error: DatabaseError) -> Self {
        Self::internal(&chain(&error))
    }
}

/// Default wait for clients if a service or a plugin is not available.
const RETRY: Duration = Duration::from_secs(5);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        if let Some(credential) = error.credential() {
            return Self::of_credential(credential, &error);
        }
        let status = match error.kind() {
            ErrorKind::NotApproved | ErrorKind::PluginDisabled | ErrorKind::Withheld => {
                StatusCode::FORBIDDEN
            }
            ErrorKind::Unknown => StatusCode::NOT_FOUND,
            ErrorKind::PluginStopped | ErrorKind::PluginRefused => StatusCode::BAD_GATEWAY,
            ErrorKind::Full
            | ErrorKind::Timeout
            | ErrorKind::Item(
                ItemErrorKind::Unavailable | ItemErrorKind::RateLimited | ItemErrorKind::Timeout,
            ) => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::InvalidInput
            | ErrorKind::Items
            | ErrorKind::RateLimit
            | ErrorKind::InsufficientScope
            | ErrorKind::Credential
            | ErrorKind::Trigger
            | ErrorKind::Item(_) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => return Self::internal(&format_args!("{error:#}")),
        };
        let name = match error.kind() {
            ErrorKind::Unknown => "not-found",
            kind => kind.as_str(),
        };
        let problems = error.problems().iter().map(|problem| Problem {
            pointer: problem.pointer.clone(),
            message: problem.message.clone(),
        });
        let api = Self::new(status, name, format!("{error:#}")).problems(problems.collect());
        if status != StatusCode::SERVICE_UNAVAILABLE {
            return api;
        }
        let asked = error.item().and_then(|item| item.retry_after_ms);
        api.retry_after(asked.map_or(RETRY, Duration::from_millis))
    }
}

impl ApiError {
    fn of_credential(credential: &CredentialError, error: &Error) -> Self {
        let unusable = |name: &'static str| {
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, name, format!("{error:#}"))
        };
        match credential {
            CredentialError::Unknown(name) => Self::no_credential(name),
            CredentialError::Source(_) => Self::internal(&format_args!("{error:#}")),
            CredentialError::Unavailable { .. } | CredentialError::Unreadable { .. } => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "credential-unavailable", format!("{error:#}")).retry_after(RETRY)
            }
            CredentialError::Reconnect { name, .. }
            | CredentialError::NotConnected { name, .. } => unusable("credential-not-connected")
                .next(format!("harness credential connect {}", shown(name))),
            _ => unusable(error.kind().as_str()),
        }
    }
}

impl From<ConnectError> for ApiError {
    fn from(error: ConnectError) -> Self {
        let message = chain(&error);
        let new =
            |status: StatusCode, name: &'static str| Self::new(status, name, message.as_str());
        match error {
            ConnectError::Plugin(error) => Self::from(error),
            ConnectError::Credential(error) => match error {
                CredentialError::Unknown(name) => Self::not_found("credential", &name),
                CredentialError::Exists(_) => new(StatusCode::CONFLICT, "credential-exists"),
                CredentialError::Changed(_) => new(StatusCode::CONFLICT, "credential-changed"),
                CredentialError::Forbidden { .. } => new(StatusCode::FORBIDDEN, "not-permitted"),
                CredentialError::Source(_) => Self::internal(&chain(&error)),
                CredentialError::Unavailable { .. } | CredentialError::Unreadable { .. } => {
                    new(StatusCode::SERVICE_UNAVAILABLE, "credential-unavailable")
                        .retry_after(RETRY)
                }
                CredentialError::NotConnected { .. } | CredentialError::Reconnect { .. } => {
                    new(StatusCode::UNPROCESSABLE_ENTITY, "credential-not-connected")
                }
                _ => new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-input"),
            },
            ConnectError::OtherType { .. } => new(StatusCode::CONFLICT, "credential-exists"),
            ConnectError::OtherAccount(_) => new(StatusCode::CONFLICT, "other-account"),
            ConnectError::Service { .. } | ConnectError::IdToken(_) => {
                new(StatusCode::UNPROCESSABLE_ENTITY, "service-refused")
            }
            _ => new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-input"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: self.detail })).into_response();
        let headers = response.headers_mut();
        if let Some(time) = self.retry_after {
            let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The errors that every operation of the API may return, for the OpenAPI document.
pub(crate) struct Failures;

impl IntoResponses for Failures {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let response = |(status, description): (u16, &str)| {
            let schema = Ref::from_schema_name("ErrorBody");
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new()
                .description(description)
                .content("application/json", content);
            (status.to_string(), RefOr::T(response.build()))
        };
        [
            (400, "The request cannot be read."),
            (401, "The token is missing, unknown, expired, or revoked."),
            (403, "The token's policy, the operator, or the check of the Host header refuses it."),
            (404, "There is no such thing, or none that this token may know of."),
            (408, "The body of the request did not arrive in time."),
            (409, "The request contradicts what is stored."),
            (413, "The body of the request is too large."),
            (415, "The body of the request has another media type than the operation accepts."),
            (422, "The request does not fit the action, or its credential cannot be used."),
            (429, "Too many executions are waiting. Retry after the time in `Retry-After`."),
            (500, "The server failed."),
            (502, "The plugin failed."),
            (
                503,
                "The service or the server is not available. Retry after the time in \
                   `Retry-After`.",
            ),
        ]
        .into_iter()
        .map(response)
        .collect()
    }
}
