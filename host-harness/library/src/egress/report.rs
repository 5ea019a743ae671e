//! What audit and observer are told of a request.

use std::time::Duration;

use super::judge::printable;
use super::session::Session;
use crate::audit::{AuditEvent, Verdict, path_without_ids};
use crate::bindings::workflow::node::http::{Response, SendError, SendErrorKind};
use crate::execution::Exchange;
use crate::origin::{Origin, OriginOfUrl as _};
use crate::transport::SentMark;

/// What has become of a request, for audit and journal.
#[derive(Default)]
pub(super) struct Course {
    pub(super) attempts: u32,
    pub(super) version: &'static str,
}

/// Tells audit and observer what has become of a request, also when nobody waits for it any more:
/// a guest may give a ticket up, or return with tickets open.
pub(super) struct Report<'a> {
    pub(super) session: &'a Session,
    pub(super) exchange: Option<Exchange>,
    pub(super) slot: Option<String>,
    pub(super) time: u64,
    pub(super) started: Duration,
    pub(super) sent: SentMark,
}

impl Report<'_> {
    pub(super) fn end(&mut self, result: &Result<Response, SendError>, course: &Course) {
        let Some(exchange) = self.exchange.take() else { return };
        let session = self.session;
        let duration = session.clock.monotonic().saturating_sub(self.started);
        let wants_bodies = session.observer.wants_bodies();
        let exchange =
            exchange.end(result, wants_bodies, course.attempts, course.version, duration);
        let url = url::Url::parse(&exchange.url).ok();
        let (verdict, reason) = match result {
            Ok(_) => (Verdict::Answered, None),
            Err(error) if exchange.attempts == 0 && !error.maybe_sent => {
                (Verdict::Refused, Some(error.message.clone()))
            }
            Err(error) => (Verdict::Failed, Some(error.message.clone())),
        };
        session.audit.record(&AuditEvent {
            time: self.time,
            plugin: session.policy.plugin.to_string(),
            node: session.policy.node.clone(),
            action: session.action.clone(),
            execution: session.execution.clone(),
            actor: session.principal.clone(),
            workflow: session.workflow.clone(),
            credential: self
                .slot
                .as_ref()
                .and_then(|slot| session.slots.get(slot))
                .map(|slot| slot.request.name.clone()),
            method: printable(&exchange.method),
            origin: url.as_ref().and_then(Origin::of).map(|o| o.to_string()).unwrap_or_default(),
            path: url.map(|url| path_without_ids(url.path())).unwrap_or_default(),
            verdict,
            reason,
            status: exchange.status,
            attempts: exchange.attempts,
            duration: exchange.duration_ms,
        });
        session.observer.exchange(&exchange);
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let maybe_sent = self.sent.is_set();
        let fate = if maybe_sent { "it may have been received" } else { "it was not sent" };
        let abandoned = SendError {
            kind: SendErrorKind::Cancelled,
            message: format!("the plugin gave the request up; {fate}"),
            maybe_sent,
            retry_after: None,
        };
        self.end(&Err(abandoned), &Course::default());
    }
}
