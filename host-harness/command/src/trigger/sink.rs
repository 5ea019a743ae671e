//! Prints events as they arrive, and reports other activity.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use workflow_node_host::CancellationToken;
use workflow_node_host::trigger::{
    Answer, EventSink, Reason, SinkError, SubscriptionActivity, TriggerEvent,
};

use super::args::Lines;
use crate::exit::Failure;
use crate::output;

/// Takes events by printing them.
pub(super) struct Printer {
    format: Lines,
    /// How many are left.
    left: Option<AtomicU64>,
    printed: AtomicU64,
    /// Ends the run.
    end: CancellationToken,
    failure: Mutex<Option<Failure>>,
}

impl Printer {
    pub(super) fn new(format: Lines, count: Option<u64>, end: CancellationToken) -> Self {
        Self {
            format,
            left: count.map(AtomicU64::new),
            printed: AtomicU64::new(0),
            end,
            failure: Mutex::new(None),
        }
    }

    pub(super) fn printed(&self) -> u64 {
        self.printed.load(Ordering::Relaxed)
    }

    /// Why nothing more could be printed.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn print(&self, event: &TriggerEvent) -> Result<(), Failure> {
        match self.format {
            Lines::Text => output::stdout_line(event.event.get()),
            Lines::Jsonl => {
                output::stdout_line(&serde_json::to_string(event).map_err(Failure::internal)?)
            }
        }
    }
}

#[async_trait]
impl EventSink for Printer {
    async fn event(&self, event: &TriggerEvent) -> Result<(), SinkError> {
        if let Some(left) = &self.left
            && left.load(Ordering::Relaxed) == 0
        {
            return Err("the requested number of events was printed".into());
        }
        if let Err(failure) = self.print(event) {
            // Nobody reads any more. The event is kept.
            let message = failure.message.clone();
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            self.end.cancel();
            return Err(message.into());
        }
        self.printed.fetch_add(1, Ordering::Relaxed);
        if let Some(left) = &self.left
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.end.cancel();
        }
        Ok(())
    }

    fn activity(&self, _subscription: &str, activity: &SubscriptionActivity) {
        let text = match activity {
            SubscriptionActivity::Polled { new } => {
                tracing::info!(new, "polled");
                return;
            }
            SubscriptionActivity::Received { new } => {
                tracing::info!(new, "received");
                return;
            }
            SubscriptionActivity::PutAside { reason } => format!("Set a delivery aside: {reason}"),
            SubscriptionActivity::Repaired { was } => {
                format!("Repaired the subscription, which was {}", super::in_words(was))
            }
            SubscriptionActivity::Failed { what, reason, pause } => {
                format!("Cannot {what}: {reason}; retrying in {} s", pause.as_secs())
            }
            other => format!("{other:?}"),
        };
        output::stderr(&format!("{}\n", output::one_line(&text)));
    }
}

/// Reports the response to a delivery unless it was accepted.
pub(super) fn heard(_subscription: &str, answer: &Answer) {
    let why = match &answer.reason {
        Reason::Kept | Reason::Plugin => return,
        Reason::Repeated => "duplicate",
        Reason::Unknown => "no subscription uses this path",
        Reason::Method => "wrong method",
        Reason::TooLarge => "body too large",
        Reason::Unsigned => "missing signature",
        Reason::WrongSignature => "wrong signature",
        Reason::Full => "too many waiting deliveries",
        Reason::Failed(reason) => reason,
        _ => "other reason",
    };
    let deed = if answer.is_taken() { "Ignored" } else { "Refused" };
    let text = format!("{deed} a delivery ({}): {why}", answer.status.as_u16());
    output::stderr(&format!("{}\n", output::one_line(&text)));
}
