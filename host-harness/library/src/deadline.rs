//! When a call ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;

/// The end of a call: fixed, or postponed for as long as items finish.
pub(crate) struct Deadline {
    clock: Arc<dyn Clock>,
    /// Nanoseconds on the clock's monotonic scale.
    at: AtomicU64,
    /// How long the call may go on after an item has finished; `None` for a fixed deadline.
    stall: Option<Duration>,
    /// It is never later, in nanoseconds.
    latest: u64,
}

impl Deadline {
    /// A fixed moment on the clock's monotonic scale.
    pub(crate) fn at(clock: Arc<dyn Clock>, moment: Duration) -> Arc<Self> {
        let latest = nanoseconds(moment);
        Arc::new(Self { clock, at: AtomicU64::new(latest), stall: None, latest })
    }

    /// A moment from now.
    pub(crate) fn after(clock: Arc<dyn Clock>, duration: Duration) -> Arc<Self> {
        let moment = clock.monotonic() + duration;
        Self::at(clock, moment)
    }

    /// The moment when no item has finished for `stall`, but at the latest this one.
    pub(crate) fn stalled_for(
        clock: Arc<dyn Clock>,
        stall: Duration,
        latest: Option<Duration>,
    ) -> Arc<Self> {
        let latest = latest.map_or(u64::MAX, nanoseconds);
        let at = AtomicU64::new(nanoseconds(clock.monotonic() + stall).min(latest));
        Arc::new(Self { clock, at, stall: Some(stall), latest })
    }

    /// The moment, on the clock's monotonic scale.
    pub(crate) fn moment(&self) -> Duration {
        Duration::from_nanos(self.at.load(Ordering::Relaxed))
    }

    /// How much time is left.
    pub(crate) fn left(&self) -> Duration {
        self.moment().saturating_sub(self.clock.monotonic())
    }

    /// Notes that an item has finished.
    pub(crate) fn item_finished(&self) {
        if let Some(stall) = self.stall {
            let later = nanoseconds(self.clock.monotonic() + stall);
            self.at.fetch_max(later.min(self.latest), Ordering::Relaxed);
        }
    }

    /// Waits until the deadline has passed.
    pub(crate) async fn passed(&self) {
        loop {
            let left = self.left();
            if left.is_zero() {
                return;
            }
            self.clock.sleep(left).await;
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
