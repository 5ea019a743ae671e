//! Holds back the requests of a call, so that it can be interrupted when none of them is in flight.

use tokio::sync::watch;

/// Holds back the requests of a call. Before a host ends, it closes the gate, waits until the requests
/// that have left are answered and recorded, and drops the call: the call then resumes from its journal,
/// and no outcome is unknown. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct SendGate(watch::Sender<State>);

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    in_flight: usize,
}

impl SendGate {
    /// A gate that lets every request pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds back every request from now on, for good. Requests that have passed go on, with their
    /// retries. The call waits, until it is cancelled, reaches its time limit, or is dropped.
    pub fn close(&self) {
        self.0.send_modify(|state| state.is_closed = true);
    }

    /// Waits until no request is in flight, and the answers of all that were are in the journal.
    pub async fn settled(&self) {
        let mut state = self.0.subscribe();
        // It fails without a sender, and this is one.
        drop(state.wait_for(|state| state.in_flight == 0).await);
    }

    /// Lets a request pass, unless the gate is closed.
    pub(super) fn pass(&self) -> Option<Passing> {
        let mut passes = false;
        self.0.send_if_modified(|state| {
            passes = !state.is_closed;
            state.in_flight += usize::from(passes);
            false
        });
        passes.then(|| Passing(self.clone()))
    }
}

/// A request that has passed, until its answer is recorded.
pub(super) struct Passing(SendGate);

impl Drop for Passing {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|state| {
            state.in_flight -= 1;
            state.is_closed
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_closed_gate_holds_back_requests_and_waits_for_those_that_have_passed() {
        let gate = SendGate::new();
        let (first, second) = (gate.pass().unwrap(), gate.pass().unwrap());
        gate.clone().close();
        assert!(gate.pass().is_none());
        let mut settled = Box::pin(gate.settled());
        assert!((&mut settled).now_or_never().is_none());
        drop(first);
        assert!((&mut settled).now_or_never().is_none());
        drop(second);
        assert!(settled.now_or_never().is_some());
    }
}
