//! The clock of judged calls: it does not advance for the node, and waits can be shortened.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use workflow_node_host::{Clock, Sleep, SystemClock};

/// The current time for the node: the beginning of 2026, in milliseconds since 1970. It never
/// changes, so that two calls with the same input see the same time.
const NOW: u64 = 1_767_225_600_000;

/// A clock whose speed the checks set.
pub(super) struct Pace {
    system: SystemClock,
    /// How much faster than the system's time it runs, since which system time, and its time then.
    since: Mutex<(u32, Duration, Duration)>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            system: SystemClock::default(),
            since: Mutex::new((1, Duration::ZERO, Duration::ZERO)),
        }
    }

    /// Sets how many times as fast the clock runs.
    pub(super) fn run_at(&self, factor: u32) {
        let now = self.monotonic();
        let real = self.system.monotonic();
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = (factor.max(1), real, now);
    }
}

impl Clock for Pace {
    fn unix_milliseconds(&self) -> u64 {
        NOW
    }

    fn monotonic(&self) -> Duration {
        let (factor, real, then) = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        then + (self.system.monotonic() - real) * factor
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let (factor, ..) = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        self.system.sleep(duration / factor)
    }
}
