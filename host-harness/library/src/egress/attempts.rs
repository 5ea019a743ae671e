//! Sends a request as often as it may be sent: waits for its turn, fills in the credential, heeds what
//! the service says about its pace, and refreshes a token that has expired.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use tokio::sync::SemaphorePermit;

use super::admission::no_room;
use super::judge::Judged;
use super::pacing::{Operation, Pacer, pool};
use super::placement;
use super::report::SendSummary;
use super::session::Session;
use super::slot::{SlotCredential, SlotState, hidden};
use super::waiting::{
    LONGEST_NAMED, LONGEST_WAIT, SHORTEST_WAIT, backoff, growing, milliseconds, retry_after, until,
};
use crate::bindings::workflow::node::http::{Response, SendError, SendErrorKind};
use crate::budget::Charge;
use crate::causes::chain;
use crate::credential::CredentialError;
use crate::offload::Stop;
use crate::request::refusal;
use crate::transport::{
    AnswerRoom, SentMark, TransportError, TransportErrorKind, TransportRequest, TransportResponse,
};

impl Session {
    #[allow(clippy::too_many_arguments)] // Each is independent of the others.
    pub(super) async fn attempts(
        &self,
        judged: &Judged,
        slot: Option<&SlotState>,
        mut credential: Option<Arc<SlotCredential>>,
        deadline: Option<Duration>,
        sent: &SentMark,
        summary: &mut SendSummary,
        charge: &Arc<Charge>,
    ) -> Result<Response, SendError> {
        // Secrets are filled by those requests alone that are under way.
        let with_secrets = {
            let _place = self.place().await?;
            self.with_secrets(judged, charge).await?
        };
        let (judged, typed) = match &with_secrets {
            Some((judged, typed)) => (judged, Some(typed)),
            None => (judged, None),
        };
        let pacer = slot.zip(credential.as_deref()).map(|(slot, credential)| {
            let (limit, now) = (credential.rate_limit.as_ref(), self.clock.monotonic());
            self.pacing.pacer(&slot.pace, &judged.origin, limit, now)
        });
        let operation =
            pacer.as_ref().map(|pacer| pacer.operation(judged.method.as_str(), judged.url.path()));
        let paced = pacer.as_deref().zip(operation.as_ref());
        let mut refreshed = false;
        // A 429 does not count as a failed attempt: the host waits as long as the deadline allows.
        let mut limited = 0;
        let request = charge.bytes();
        loop {
            // The response to an earlier attempt was already dropped.
            charge.shrink_to(request);
            let turn = self.turn(paced, deadline, sent).await?;
            let wire = self.wire(judged, credential.as_ref(), sent, charge).await?;
            summary.attempts += 1;
            let certain_before = !sent.is_set();
            let answer = self.transport.send_within(wire, &AnswerRoom::beside(charge)).await;
            // A waiting request lets others be sent meanwhile.
            drop(turn);
            match answer {
                Ok(response) => {
                    summary.version = response.version;
                    let status = response.status.as_u16();
                    limited += u32::from(status == 429);
                    let wait = self.heed(&response, paced, credential.as_deref(), limited);
                    let last = summary.attempts - limited >= self.limits.attempts;
                    let again = match status {
                        401 if !refreshed && slot.is_some_and(|slot| !slot.is_inline) => {
                            refreshed = true;
                            let slot = slot.expect("a credential has a slot");
                            match self.refresh(slot, credential.as_deref()).await {
                                Some(newer) => {
                                    credential = Some(newer);
                                    continue;
                                }
                                None => None,
                            }
                        }
                        // A rate limit refuses before anything is done: sending again is safe.
                        429 => wait,
                        408 | 500.. if judged.repeatable && !last => {
                            Some(wait.unwrap_or_else(|| backoff(summary.attempts - limited)))
                        }
                        _ => None,
                    };
                    // Refused before anything was done. What an earlier attempt did stays unknown.
                    if status == 429 && certain_before {
                        sent.clear();
                    }
                    let has_time = |wait: &Duration| {
                        (status == 429 || *wait <= LONGEST_WAIT)
                            && self.has_time_for(*wait, deadline)
                    };
                    match again.filter(has_time) {
                        Some(wait) => {
                            drop(response);
                            tracing::debug!(status, ?wait, "waiting to send again");
                            self.clock.sleep(wait).await;
                        }
                        None => {
                            self.note_verdict(status, slot, credential.as_deref());
                            let filters = self.filters(judged, credential.as_deref(), typed).await;
                            return self.clean(judged, response, filters, wait, charge).await;
                        }
                    }
                }
                Err(error) => {
                    let transient = error.kind == TransportErrorKind::Unreachable
                        && (judged.repeatable || !sent.is_set());
                    let failed = summary.attempts - limited;
                    let (wait, last) = (backoff(failed), failed >= self.limits.attempts);
                    if !transient || last || !self.has_time_for(wait, deadline) {
                        return Err(unanswered(&error, credential.as_deref(), sent.is_set()));
                    }
                    tracing::debug!(error = %error, ?wait, "waiting to send again");
                    self.clock.sleep(wait).await;
                }
            }
        }
    }

    /// Waits for a place among the requests in flight, and for a turn by the credential's rate limit.
    async fn turn(
        &self,
        paced: Option<(&Pacer, &Operation)>,
        deadline: Option<Duration>,
        sent: &SentMark,
    ) -> Result<SemaphorePermit<'_>, SendError> {
        loop {
            let place = self.place().await?;
            let wait =
                paced.and_then(|(pacer, operation)| pacer.claim(operation, self.clock.monotonic()));
            let Some(wait) = wait else { return Ok(place) };
            // Requests that need not wait are sent meanwhile.
            drop(place);
            if deadline.is_some_and(|deadline| self.clock.monotonic() + wait > deadline) {
                return Err(SendError {
                    retry_after: Some(milliseconds(wait)),
                    maybe_sent: sent.is_set(),
                    ..refusal(
                        SendErrorKind::RateLimited,
                        format!(
                            "the rate limit of the credential requires a wait of {} s, which \
                             exceeds the time limit. The request was not sent",
                            wait.as_secs() + 1
                        ),
                    )
                });
            }
            self.clock.sleep(wait).await;
        }
    }

    /// Reports to the source whether the service accepts its credential.
    fn note_verdict(
        &self,
        status: u16,
        slot: Option<&SlotState>,
        credential: Option<&SlotCredential>,
    ) {
        let (Some(slot), Some(credential)) = (slot.filter(|slot| !slot.is_inline), credential)
        else {
            return;
        };
        match status {
            401 => self.credentials.refused(&slot.request, credential.revision),
            200..=399 => self.credentials.accepted(&slot.request, credential.revision),
            _ => {}
        }
    }

    /// The request as it is sent, with what it holds beside the judged one charged.
    async fn wire(
        &self,
        judged: &Judged,
        credential: Option<&Arc<SlotCredential>>,
        sent: &SentMark,
        charge: &Charge,
    ) -> Result<TransportRequest, SendError> {
        let (url, headers, body) = match credential {
            None => (judged.url.clone(), judged.headers.clone(), judged.body.clone()),
            Some(credential) => {
                if placement::goes_into_body(judged, credential) {
                    let size = judged.body.as_ref().map_or(0, Bytes::len);
                    charge.grow_by(size).await.map_err(|exhausted| no_room(&exhausted))?;
                }
                let filled = self.filled(judged, credential).await?;
                (filled.url, filled.headers, filled.body)
            }
        };
        Ok(TransportRequest {
            plugin: self.policy.plugin.to_string(),
            pool: pool(
                &self.policy.plugin,
                &self.caller.actor,
                credential.map(|credential| credential.name.as_str()),
                "http",
            ),
            method: judged.method.clone(),
            url,
            headers,
            body,
            private_addresses: self.approval.servers.is_private(&judged.origin),
            response_limit: self.limits.response_body,
            sent: sent.clone(),
        })
    }

    /// How long to wait before a request of this kind is sent again, by what the service says about
    /// its pace: for a 429 always, for another status where the service says so. Pauses everybody who
    /// shares the credential and does the same. `limited` counts the refusals of this request.
    fn heed(
        &self,
        response: &TransportResponse,
        paced: Option<(&Pacer, &Operation)>,
        credential: Option<&SlotCredential>,
        limited: u32,
    ) -> Option<Duration> {
        let limit = credential.and_then(|credential| credential.rate_limit.as_ref());
        let number = |name: Option<&String>| -> Option<u64> {
            let name = HeaderName::from_bytes(name?.to_ascii_lowercase().as_bytes()).ok()?;
            response.headers.get(name)?.to_str().ok()?.trim().parse().ok()
        };
        let declared = number(limit.and_then(|limit| limit.retry_after_header.as_ref()))
            .map(|seconds| Duration::from_secs(seconds.min(LONGEST_NAMED)));
        let standard = retry_after(&response.headers, self.clock.unix_milliseconds() / 1_000);
        let remaining = number(limit.and_then(|limit| limit.remaining_header.as_ref()));
        let exhausted = remaining == Some(0);
        // While requests are left, the time says nothing about this refusal.
        let reset = limit
            .and_then(|limit| limit.reset.as_ref())
            .filter(|_| remaining.is_none_or(|remaining| remaining == 0))
            .and_then(|reset| until(&response.headers, reset, self.clock.unix_milliseconds()));
        let wait = if response.status.as_u16() == 429 {
            let default = limit.and_then(|limit| limit.default_wait_ms).map(Duration::from_millis);
            let named = declared.or(standard).or(reset).or(default);
            let wait = named.unwrap_or_else(|| growing(limited));
            Some(wait.max(SHORTEST_WAIT))
        } else if exhausted {
            declared.or(standard).or(reset)
        } else {
            return standard;
        };
        if let (Some((pacer, operation)), Some(wait)) = (paced, wait) {
            pacer.pause(operation, self.clock.monotonic(), wait.min(LONGEST_WAIT));
        }
        wait
    }

    fn has_time_for(&self, wait: Duration, deadline: Option<Duration>) -> bool {
        deadline.is_none_or(|deadline| self.clock.monotonic() + wait < deadline)
    }

    /// One refresh for all who wait for it; `None` when there is nothing newer.
    async fn refresh(
        &self,
        slot: &SlotState,
        stale: Option<&SlotCredential>,
    ) -> Option<Arc<SlotCredential>> {
        let stale = stale?;
        let mut current = slot.current.write().await;
        if current.revision != stale.revision {
            return Some(current.clone());
        }
        match self.credentials.refreshed(&slot.request, stale.revision).await {
            Ok(newer) if newer.revision != stale.revision => {
                let credential_type = self.policy.credential_types.get(&newer.credential_type)?;
                let credential_type = &credential_type.at(&newer.fields).ok()?;
                let (echoes, secrets) = (self.echoes.clone(), hidden(&newer, credential_type));
                let filter = move |_: &Stop| echoes.of(secrets.iter());
                let echo = self.heavy.run(filter).await.ok()?;
                let newer = Arc::new(SlotCredential::new(newer, credential_type, echo));
                let former = std::mem::replace(&mut *current, newer);
                slot.former.lock().unwrap_or_else(PoisonError::into_inner).push(former);
                Some(current.clone())
            }
            Ok(_) | Err(CredentialError::NotRefreshable(_)) => None,
            Err(error) => {
                tracing::warn!(credential = %stale.name, error = %chain(&error), "cannot refresh the credential");
                None
            }
        }
    }
}

fn unanswered(
    error: &TransportError,
    credential: Option<&SlotCredential>,
    maybe_sent: bool,
) -> SendError {
    let kind = match error.kind {
        TransportErrorKind::Denied => SendErrorKind::Denied,
        TransportErrorKind::Unreachable => SendErrorKind::Unreachable,
        TransportErrorKind::TooLarge => SendErrorKind::TooLarge,
        TransportErrorKind::InvalidResponse => SendErrorKind::InvalidResponse,
    };
    let message = match credential {
        Some(credential) => credential.echo.clean_text(&error.message),
        None => error.message.clone(),
    };
    let fate = if maybe_sent { ". The request may have been received" } else { "" };
    SendError { kind, message: format!("{message}{fate}"), maybe_sent, retry_after: None }
}
