//! Points at which a request waits for the test, so that a client can be stopped or killed there.

use tokio::sync::watch;

/// A gate for requests. Requests wait at it until it is opened; then it stays open.
#[derive(Clone, Debug)]
pub struct Hold {
    arrived: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Default for Hold {
    fn default() -> Self {
        Self::new()
    }
}

impl Hold {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self { arrived: watch::Sender::new(0), open: watch::Sender::new(false) }
    }

    /// How many requests have reached it, including those that have passed it.
    #[must_use]
    pub fn arrived(&self) -> usize {
        *self.arrived.borrow()
    }

    /// Waits until this many requests have reached it.
    pub async fn reached(&self, requests: usize) {
        // Fails only after all senders are dropped; this is one of them.
        let mut arrivals = self.arrived.subscribe();
        let _arrived = arrivals.wait_for(|arrived| *arrived >= requests).await;
    }

    /// Opens it.
    pub fn release(&self) {
        self.open.send_replace(true);
    }

    pub(crate) async fn pass(&self) {
        self.arrived.send_modify(|arrived| *arrived += 1);
        let mut gate = self.open.subscribe();
        let _open = gate.wait_for(|open| *open).await;
    }
}
