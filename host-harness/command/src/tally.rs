//! Counts of a run: items by outcome, and requests of an interrupted run.

use workflow_node_host::{ItemError, ItemErrorKind, Outcome};

use crate::words::count;

/// Status of the requests of an interrupted run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) answered: u64,
    pub(crate) possibly: u64,
    pub(crate) not: u64,
}

/// How many items have ended how, and how many requests were made for them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) requests: u64,
}

impl Tally {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let mut tally = Self { requests: outcome.requests, ..Self::default() };
        outcome.items.iter().for_each(|item| tally.add(item.error.as_ref()));
        tally
    }

    /// Counts an item that is finished.
    pub(crate) fn add(&mut self, error: Option<&ItemError>) {
        match error {
            None => self.succeeded += 1,
            Some(error) if error.kind == ItemErrorKind::Cancelled => self.cancelled += 1,
            Some(_) => self.failed += 1,
        }
    }
}

impl Sent {
    pub(crate) fn in_words(self, tally: Tally) -> String {
        // A request whose end was not heard of had begun.
        let heard = self.answered + self.possibly + self.not;
        let possibly = self.possibly + tally.requests.saturating_sub(heard);
        format!(
            "Interrupted: {} answered, {possibly} possibly sent, {} not sent; {} succeeded, {} \
             failed, {} canceled",
            count(self.answered, "request"),
            self.not,
            count(tally.succeeded, "item"),
            tally.failed,
            tally.cancelled,
        )
    }
}
