//! The way out for OAuth: token and revocation requests. They carry more than any request of a
//! plugin, and a plugin has no part in them. The same rules hold: only what was approved for the
//! component's digest and configured for this credential, only https, every address judged, no
//! redirect followed, everything audited, nothing of query or body written down.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use url::Url;

use super::headers::user_agent;
use super::pacing::pool;
use crate::approval::Approvals;
use crate::audit::{AuditEvent, AuditSink, Verdict, path_without_ids};
use crate::clock::Clock;
use crate::description::Configuration;
use crate::digest::Digest;
use crate::origin::{Origin, OriginOfUrl as _, OriginPattern};
use crate::principal::Principal;
use crate::transport::{
    SentMark, Transport, TransportErrorKind, TransportRequest, TransportResponse,
};

/// No answer of a token endpoint is larger.
const RESPONSE_LIMIT: usize = 1 << 20;

/// What a request to an endpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Token,
    Revocation,
}

/// Who asks an endpoint, on whose behalf, and what that may be judged by.
#[derive(Clone)]
pub(crate) struct EndpointCaller {
    pub(crate) plugin: Digest,
    pub(crate) node: String,
    pub(crate) credential_type: String,
    pub(crate) credential: String,
    /// `credential.refresh` and the like.
    pub(crate) action: &'static str,
    pub(crate) actor: Principal,
    pub(crate) workflow: Option<String>,
    /// The operator's list; `None` does not narrow.
    pub(crate) allow: Option<Vec<OriginPattern>>,
    pub(crate) configuration: Configuration,
}

/// Why an endpoint gave no answer that counts.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct EndpointError {
    pub(crate) kind: EndpointErrorKind,
    pub(crate) message: String,
    /// The request may have reached the service.
    pub(crate) maybe_sent: bool,
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointErrorKind {
    /// A rule of this host forbids it.
    Denied,
    /// No answer came.
    Unanswered,
    /// The service answered that it cannot just now: 5xx or 429.
    Unavailable,
    /// It answered with a redirect, which is not followed.
    Redirected,
}

/// Sends to endpoints. One per host.
#[derive(Clone)]
pub(crate) struct Endpoints {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) approvals: Arc<dyn Approvals>,
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Endpoints {
    /// Sends one request and gives the answer, whatever its status below 500 is.
    pub(crate) async fn send(
        &self,
        caller: &EndpointCaller,
        endpoint: Endpoint,
        request: http::Request<Vec<u8>>,
        timeout: Duration,
    ) -> Result<http::Response<Vec<u8>>, EndpointError> {
        let (time, started) = (self.clock.unix_milliseconds(), self.clock.monotonic());
        let url = request.uri().to_string();
        let method = request.method().to_string();
        let result = self.judged_and_sent(caller, endpoint, request, timeout).await;
        let parsed = Url::parse(&url).ok();
        let (verdict, reason, status) = match &result {
            Ok(response) => (Verdict::Answered, None, Some(response.status().as_u16())),
            Err((error, status)) => {
                let verdict = match error.kind {
                    EndpointErrorKind::Denied if !error.maybe_sent => Verdict::Refused,
                    _ if status.is_some() => Verdict::Answered,
                    _ => Verdict::Failed,
                };
                (verdict, Some(error.message.clone()), *status)
            }
        };
        let duration = self.clock.monotonic().saturating_sub(started);
        self.audit.record(&AuditEvent {
            time,
            plugin: caller.plugin.to_string(),
            node: caller.node.clone(),
            action: caller.action.to_owned(),
            execution: String::new(),
            actor: caller.actor.clone(),
            workflow: caller.workflow.clone(),
            credential: Some(caller.credential.clone()),
            method,
            origin: parsed
                .as_ref()
                .and_then(Origin::of)
                .map(|origin| origin.to_string())
                .unwrap_or_default(),
            path: parsed.map(|url| path_without_ids(url.path())).unwrap_or_default(),
            verdict,
            reason,
            status,
            attempts: u32::from(verdict != Verdict::Refused),
            duration: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        });
        result.map_err(|(error, _)| error)
    }

    async fn judged_and_sent(
        &self,
        caller: &EndpointCaller,
        endpoint: Endpoint,
        request: http::Request<Vec<u8>>,
        timeout: Duration,
    ) -> Result<http::Response<Vec<u8>>, (EndpointError, Option<u16>)> {
        let (head, body) = request.into_parts();
        let url = self
            .judged(caller, endpoint, &head.uri.to_string())
            .map_err(|message| (denied(message), None))?;
        let mut headers = head.headers;
        for value in headers.values_mut() {
            value.set_sensitive(true);
        }
        headers.entry(USER_AGENT).or_insert_with(|| user_agent(&caller.node, None));
        let sent = SentMark::default();
        let wire = TransportRequest {
            plugin: caller.plugin.to_string(),
            // Never a connection that requests of the plugin go over.
            pool: pool(&caller.plugin, &caller.actor, Some(&caller.credential), "oauth"),
            method: head.method,
            url,
            headers,
            body: Some(Bytes::from(body)),
            response_limit: RESPONSE_LIMIT,
            sent: sent.clone(),
        };
        let answer = tokio::select! {
            biased;
            answer = self.transport.send(wire) => answer,
            () = self.clock.sleep(timeout) => {
                let message = format!("no answer within {} s", timeout.as_secs_f32());
                return Err((unanswered(message, &sent), None));
            }
        };
        match answer {
            Ok(response) => counted(response, self.clock.unix_milliseconds() / 1_000),
            Err(error) if error.kind == TransportErrorKind::Denied => {
                Err((EndpointError { maybe_sent: sent.is_set(), ..denied(error.message) }, None))
            }
            Err(error) => Err((unanswered(error.message, &sent), None)),
        }
    }

    /// Whether a URL is an endpoint of this credential that may be sent to.
    pub(crate) fn judged(
        &self,
        caller: &EndpointCaller,
        endpoint: Endpoint,
        url: &str,
    ) -> Result<Url, String> {
        let configured = caller.configuration.oauth.as_ref().is_some_and(|oauth| match endpoint {
            Endpoint::Token => oauth.token_url == url,
            Endpoint::Revocation => oauth.revoke_url.as_deref() == Some(url),
        });
        if !configured {
            return Err("the endpoint is none that is configured for this credential".to_owned());
        }
        self.approved(caller.plugin, &caller.credential_type, url)?;
        let parsed = Url::parse(url).map_err(|error| format!("the endpoint is no URL: {error}"))?;
        let origin = Origin::of(&parsed)
            .ok_or_else(|| "the endpoint is neither https nor http".to_owned())?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("the endpoint holds user information".to_owned());
        }
        if !origin.is_https() && !self.transport.is_mapped(&origin) {
            return Err(format!("{origin} is not https: no token is got or sent there"));
        }
        let allowed =
            |list: &Vec<OriginPattern>| list.iter().any(|pattern| pattern.matches(&origin));
        if !caller.allow.as_ref().is_none_or(allowed) {
            return Err(format!(
                "{origin} is not on the operator's list, and the credential `{}` gets its token \
                 there: --allow {origin} would allow it",
                caller.credential
            ));
        }
        Ok(parsed)
    }

    /// Whether an operator has approved an OAuth endpoint of a credential type for this component.
    pub(crate) fn approved(
        &self,
        plugin: Digest,
        credential_type: &str,
        url: &str,
    ) -> Result<(), String> {
        let approval = self.approvals.approval(&plugin).map_err(|error| error.to_string())?;
        let origin = Url::parse(url).ok().and_then(|url| Origin::of(&url));
        if let (Some(approval), Some(origin)) = (&approval, &origin)
            && approval.withheld.holds_back(origin)
        {
            return Err(crate::approval::withheld(
                &format!("requests to {origin}"),
                &format!("--without-origin {origin}"),
            ));
        }
        let is_approved = approval.is_some_and(|approval| {
            approval
                .grant
                .credentials
                .get(credential_type)
                .is_some_and(|grant| grant.oauth_endpoints.contains(url))
        });
        if is_approved {
            return Ok(());
        }
        Err(format!("{url} was not approved as an OAuth endpoint of the plugin {plugin}"))
    }
}

fn counted(
    response: TransportResponse,
    now: u64,
) -> Result<http::Response<Vec<u8>>, (EndpointError, Option<u16>)> {
    let status = response.status;
    let error = |kind, message| {
        let retry_after = super::waiting::retry_after(&response.headers, now);
        let error = EndpointError { kind, message, maybe_sent: true, retry_after };
        Err((error, Some(status.as_u16())))
    };
    if status.is_redirection() {
        let message = format!("it answers {status}, a redirect, which is never followed");
        return error(EndpointErrorKind::Redirected, message);
    }
    if status.is_server_error() || status.as_u16() == 429 || status.as_u16() == 408 {
        return error(EndpointErrorKind::Unavailable, format!("it answers {status}"));
    }
    let mut answer = http::Response::new(response.body);
    *answer.status_mut() = status;
    *answer.headers_mut() = response.headers;
    Ok(answer)
}

fn denied(message: String) -> EndpointError {
    EndpointError { kind: EndpointErrorKind::Denied, message, maybe_sent: false, retry_after: None }
}

fn unanswered(message: String, sent: &SentMark) -> EndpointError {
    EndpointError {
        kind: EndpointErrorKind::Unanswered,
        message,
        maybe_sent: sent.is_set(),
        retry_after: None,
    }
}
