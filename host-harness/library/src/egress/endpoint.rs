//! The way out for OAuth: token and revocation requests. They carry more than any request of a
//! plugin, and a plugin has no part in them. The same rules hold: only what was approved for the
//! component's digest and configured for this credential, only https, every address judged, no
//! redirect followed, everything audited, nothing of query or body written down.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;

use super::destination::{Approved, Destination, Rules};
use super::judge::user_agent;
use super::pacing::pool;
use crate::approval::{Approvals, Withheld};
use crate::audit::{AuditLog, Caller, Entry, Verdict};
use crate::causes::chain;
use crate::clock::Clock;
use crate::description::Configuration;
use crate::digest::Digest;
use crate::origin::OriginPattern;
use crate::transport::{
    SentMark, Transport, TransportErrorKind, TransportRequest, TransportResponse,
};

/// No answer of a token endpoint is larger.
const RESPONSE_LIMIT: usize = 1 << 20;

/// Purpose of a request to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Token,
    Revocation,
    DeviceAuthorization,
}

/// Who asks an endpoint, on whose behalf, and what that may be judged by.
#[derive(Clone)]
pub(crate) struct EndpointCaller {
    pub(crate) on_behalf_of: Caller,
    pub(crate) credential_type: String,
    pub(crate) credential: String,
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
    pub(crate) audit: AuditLog,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Endpoints {
    /// Sends one request and returns the response, for any status below 500.
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
        let event = caller.on_behalf_of.event(Entry {
            time,
            credential: Some(caller.credential.clone()),
            method: &method,
            url: &url,
            verdict,
            reason,
            status,
            attempts: u32::from(verdict != Verdict::Refused),
            duration: self.clock.monotonic().saturating_sub(started),
        });
        self.audit.record(event).await;
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
        let destination = self
            .judged(caller, endpoint, &head.uri.to_string())
            .await
            .map_err(|message| (denied(message), None))?;
        let mut headers = head.headers;
        for value in headers.values_mut() {
            value.set_sensitive(true);
        }
        headers.entry(USER_AGENT).or_insert_with(|| user_agent(&caller.on_behalf_of.node, None));
        let sent = SentMark::default();
        let wire = TransportRequest {
            plugin: caller.on_behalf_of.plugin.to_string(),
            // Never a connection that requests of the plugin go over.
            pool: pool(
                &caller.on_behalf_of.plugin,
                &caller.on_behalf_of.actor,
                Some(&caller.credential),
                "oauth",
            ),
            method: head.method,
            url: destination.url,
            headers,
            body: Some(Bytes::from(body)),
            private_addresses: destination.private,
            response_limit: RESPONSE_LIMIT,
            sent: sent.clone(),
        };
        let answer = tokio::select! {
            biased;
            answer = self.transport.send(wire) => answer,
            () = self.clock.sleep(timeout) => {
                let message = format!("no response within {} s", timeout.as_secs_f32());
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

    /// Where an endpoint of this credential is, if it may be sent to.
    pub(crate) async fn judged(
        &self,
        caller: &EndpointCaller,
        endpoint: Endpoint,
        url: &str,
    ) -> Result<Destination, String> {
        let configured = caller.configuration.oauth.as_ref().is_some_and(|oauth| match endpoint {
            Endpoint::Token => oauth.token_url == url,
            Endpoint::Revocation => oauth.revoke_url.as_deref() == Some(url),
            Endpoint::DeviceAuthorization => oauth.device_authorization_url.as_deref() == Some(url),
        });
        if !configured {
            return Err("the endpoint is not configured for this credential".to_owned());
        }
        let (plugin, operator) = (caller.on_behalf_of.plugin, caller.allow.as_deref());
        self.approved(plugin, &caller.credential_type, url, operator).await
    }

    /// Where an OAuth endpoint of a credential type is, if an operator has approved it for this
    /// component. `operator`: the list for this use; `None` does not narrow.
    pub(crate) async fn approved(
        &self,
        plugin: Digest,
        credential_type: &str,
        url: &str,
        operator: Option<&[OriginPattern]>,
    ) -> Result<Destination, String> {
        let mut destination = Destination::parse(url)?;
        let approval = self.approvals.approval(&plugin).await.map_err(|error| chain(&error))?;
        let nothing = Withheld::default();
        let grant = approval.as_ref().and_then(|one| one.grant.credentials.get(credential_type));
        let endpoints =
            approval.as_ref().zip(grant).map_or_else(BTreeSet::new, |(approval, grant)| {
                approval.servers.endpoints(&grant.oauth_endpoints)
            });
        destination.judge(&Rules {
            plugin: &plugin,
            approved: Approved::Endpoints(&endpoints),
            withheld: approval.as_ref().map_or(&nothing, |approval| &approval.withheld),
            operator,
            credential: None,
            transport: &*self.transport,
        })?;
        destination.private =
            approval.is_some_and(|approval| approval.servers.is_private(&destination.origin));
        Ok(destination)
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
        let message = format!("it returned {status}, a redirect, which the host does not follow");
        return error(EndpointErrorKind::Redirected, message);
    }
    if status.is_server_error() || status.as_u16() == 429 || status.as_u16() == 408 {
        return error(EndpointErrorKind::Unavailable, format!("it returned {status}"));
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
