//! How long a guest computes, and when it waits for others that compute.
//!
//! A guest may compute for one tick on whatever thread of the executor it is. Past that it needs a
//! permit, of which there is one fewer than threads, so that one thread is left for all who only
//! compute for a moment. It gives the permit back with each tick, and the next one in line gets it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::processor_time;

/// A guest that is resumed on another thread without the host's doing (it waited in WASI) is counted
/// for at most so long: when the next tick comes, the host knows.
const UNKNOWN: Duration = Duration::from_millis(20);

/// The processor time of one call's guest. Cheap to clone.
#[derive(Clone)]
pub(crate) struct GuestTime(Arc<Inner>);

struct Inner {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    computed: Duration,
    /// Since when it computes: thread, processor time of the thread, and time.
    since: Option<(ThreadId, Duration, Instant)>,
    permit: Option<OwnedSemaphorePermit>,
}

impl GuestTime {
    pub(crate) fn new(permits: Arc<Semaphore>) -> Self {
        Self(Arc::new(Inner { permits, state: Mutex::default() }))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guest computes from here on, on this thread.
    pub(crate) fn resume(&self) {
        let now = (std::thread::current().id(), processor_time(), Instant::now());
        self.state().since = Some(now);
    }

    /// The guest does not compute any more. Returns how long it has in all.
    fn pause(&self) -> Duration {
        let mut state = self.state();
        if let Some((thread, processor, instant)) = state.since.take() {
            state.computed += match thread == std::thread::current().id() {
                true => processor_time().saturating_sub(processor),
                false => instant.elapsed().min(UNKNOWN),
            };
        }
        state.computed
    }

    /// The guest waits until this is dropped: it needs no permit meanwhile.
    pub(crate) fn waits(&self) -> Waits {
        self.pause();
        self.state().permit = None;
        Waits(self.clone())
    }

    /// The guest has computed for a tick. Returns how long it has in all, and what it waits for
    /// before it goes on.
    pub(crate) fn tick(&self) -> (Duration, impl Future<Output = ()> + Send + use<>) {
        let computed = self.pause();
        // Others in line come first.
        let former = self.state().permit.take();
        let time = self.clone();
        let turn = async move {
            drop(former);
            tokio::task::yield_now().await;
            // The semaphore is never closed.
            let permit = time.0.permits.clone().acquire_owned().await.ok();
            time.state().permit = permit;
            time.resume();
        };
        (computed, turn)
    }
}

/// The guest waits in a call of the host.
pub(crate) struct Waits(GuestTime);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.resume();
    }
}
