//! The simulator's time: real time plus an offset that tests advance.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;

/// Real time plus an offset, so that windows and timeouts are tested without waiting.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead_milliseconds: AtomicU64,
    moved: Notify,
}

impl Clock {
    fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_milliseconds.load(Ordering::Relaxed))
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.ahead()).unwrap_or(now)
    }

    pub(crate) fn instant(&self) -> Instant {
        Instant::now() + self.ahead()
    }

    pub(crate) fn advance(&self, by: Duration) {
        let milliseconds = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.ahead_milliseconds.fetch_add(milliseconds, Ordering::Relaxed);
        self.moved.notify_waiters();
    }

    /// Waits until this much time has passed on this clock.
    pub(crate) async fn wait(&self, length: Duration) {
        let due = self.instant() + length;
        loop {
            // Enabled before the time is read, so that no change is missed.
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let left = due.saturating_duration_since(self.instant());
            if left.is_zero() {
                return;
            }
            // Whichever comes first; the loop checks again.
            let _looks_again = tokio::time::timeout(left, moved).await;
        }
    }
}

/// A time as PagerDuty writes it: whole seconds, `Z`.
pub(crate) fn written(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}

/// Reads ISO 8601 with an offset; without one, and for a date, UTC applies.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let civil = text
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| text.parse::<jiff::civil::Date>().map(|date| date.at(0, 0, 0, 0)))
        .ok()?;
    // The civil parser accepts no trailing text, so a stray offset ("… 02:00") has failed above.
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
