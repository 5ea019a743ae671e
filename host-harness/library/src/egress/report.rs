//! Reports of a request to the audit log and the observer.

use std::time::Duration;

use super::session::Session;
use crate::audit::{AuditEvent, Entry, Verdict};
use crate::bindings::workflow::node::http::{Response, SendError, SendErrorKind};
use crate::observer::Exchange;
use crate::transport::SentMark;

/// Progress and result of a request, for audit and journal.
#[derive(Default)]
pub(super) struct SendSummary {
    pub(super) attempts: u32,
    pub(super) version: &'static str,
}

/// Reports the result of a request to the audit log and the observer, even if nobody waits for it:
/// a guest may abandon a ticket, or return with open tickets.
pub(super) struct Report<'a> {
    pub(super) session: &'a Session,
    pub(super) exchange: Option<Exchange>,
    pub(super) slot: Option<String>,
    pub(super) time: u64,
    pub(super) started: Duration,
    pub(super) sent: SentMark,
}

impl Report<'_> {
    /// Reports the end, and waits until the audit sink has taken it.
    pub(super) async fn end(
        &mut self,
        result: &Result<Response, SendError>,
        summary: &SendSummary,
    ) {
        if let Some(event) = self.told(result, summary) {
            self.session.audit.record(event).await;
        }
    }

    /// Reports the end to the observer. Returns the audit entry, once.
    fn told(
        &mut self,
        result: &Result<Response, SendError>,
        summary: &SendSummary,
    ) -> Option<AuditEvent> {
        let exchange = self.exchange.take()?;
        let session = self.session;
        let duration = session.clock.monotonic().saturating_sub(self.started);
        let wants_bodies = session.observer.wants_bodies();
        let exchange =
            exchange.end(result, wants_bodies, summary.attempts, summary.version, duration);
        let (verdict, reason) = match result {
            Ok(_) => (Verdict::Answered, None),
            Err(error) if exchange.attempts == 0 && !error.maybe_sent => {
                (Verdict::Refused, Some(error.message.clone()))
            }
            Err(error) => (Verdict::Failed, Some(error.message.clone())),
        };
        let slot = self.slot.as_ref().and_then(|slot| session.slots.get(slot));
        let event = session.caller.event(Entry {
            time: self.time,
            credential: slot.map(|slot| slot.request.name.clone()),
            method: &exchange.method,
            url: &exchange.url,
            verdict,
            reason,
            status: exchange.status,
            attempts: exchange.attempts,
            duration,
        });
        session.observer.exchange(&exchange);
        Some(event)
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let maybe_sent = self.sent.is_set();
        let fate = if maybe_sent { "it may have been received" } else { "it was not sent" };
        let abandoned = SendError {
            kind: SendErrorKind::Cancelled,
            message: format!("the plugin abandoned the request; {fate}"),
            maybe_sent,
            retry_after: None,
        };
        if let Some(event) = self.told(&Err(abandoned), &SendSummary::default()) {
            self.session.audit.record_later(event, &self.session.abandoned);
        }
    }
}
