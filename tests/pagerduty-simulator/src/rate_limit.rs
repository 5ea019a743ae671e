//! A sliding window of 60 seconds per subject.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);

/// The rest of a budget, for the `ratelimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds until the oldest counted request leaves the window.
    pub(crate) reset: u64,
    pub(crate) exceeded: bool,
}

/// Counts requests per subject. Refused requests do not count.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    limit: Option<u32>,
    seen: HashMap<String, VecDeque<Instant>>,
}

impl RateLimiter {
    pub(crate) fn new(limit: Option<u32>) -> Self {
        Self { limit, seen: HashMap::new() }
    }

    pub(crate) fn set_limit(&mut self, limit: Option<u32>) {
        self.limit = limit;
    }

    /// Counts one request of the subject; none if there is no limit.
    pub(crate) fn spend(&mut self, subject: &str, now: Instant) -> Option<Budget> {
        let limit = self.limit?;
        if !self.seen.contains_key(subject) {
            self.seen.insert(subject.to_owned(), VecDeque::new());
        }
        let seen = self.seen.get_mut(subject)?;
        while seen.front().is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW) {
            seen.pop_front();
        }
        let exceeded = seen.len() >= limit as usize;
        if !exceeded {
            seen.push_back(now);
        }
        let remaining = limit.saturating_sub(u32::try_from(seen.len()).unwrap_or(u32::MAX));
        let reset = seen.front().map_or(WINDOW.as_secs(), |oldest| {
            let left = (*oldest + WINDOW).saturating_duration_since(now);
            left.as_secs() + u64::from(left.subsec_nanos() > 0)
        });
        Some(Budget { limit, remaining, reset, exceeded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_and_refusals_do_not_count() {
        let mut limiter = RateLimiter::new(Some(2));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limiter.spend("a", at(0)).unwrap().remaining, 1);
        assert_eq!(limiter.spend("a", at(10)).unwrap().remaining, 0);
        let refused = limiter.spend("a", at(20)).unwrap();
        assert!(refused.exceeded);
        assert_eq!(refused.reset, 40);
        assert!(!limiter.spend("b", at(20)).unwrap().exceeded);
        assert!(!limiter.spend("a", at(60)).unwrap().exceeded);
        assert!(limiter.spend("a", at(61)).unwrap().exceeded);
    }
}
