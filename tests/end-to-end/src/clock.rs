//! Time that passes faster, for tests of long waits.

use std::time::Duration;

use workflow_node_host::{Clock, Sleep, SystemClock};

/// A clock that runs faster than the system's by a factor.
#[derive(Debug)]
pub struct FastClock {
    system: SystemClock,
    factor: u32,
    started: u64,
}

impl FastClock {
    /// A clock that shows the present, and runs `factor` times as fast from now on.
    pub fn new(factor: u32) -> Self {
        let system = SystemClock::default();
        let started = system.unix_milliseconds();
        Self { system, factor, started }
    }
}

impl Clock for FastClock {
    fn unix_milliseconds(&self) -> u64 {
        let passed = u64::try_from(self.monotonic().as_millis()).unwrap_or(u64::MAX);
        self.started.saturating_add(passed)
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic() * self.factor
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.system.sleep(duration / self.factor)
    }
}
