//! Keeps every execution that shares a credential within what the service allows it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::description::{RateLimit, RateWindow};

/// The pacers of all credentials of a host.
#[derive(Default)]
pub(crate) struct Pacing {
    pacers: Mutex<HashMap<(String, String), Arc<Pacer>>>,
    /// Overrides every described limit; an empty list lifts it.
    windows: Option<Vec<RateWindow>>,
}

impl Pacing {
    pub(crate) fn new(windows: Option<Vec<RateWindow>>) -> Self {
        Self { pacers: Mutex::default(), windows }
    }

    /// The pacer of a credential of a node.
    pub(crate) fn pacer(
        &self,
        node: &str,
        credential: &str,
        limit: Option<&RateLimit>,
    ) -> Arc<Pacer> {
        let mut pacers = self.pacers.lock().unwrap_or_else(PoisonError::into_inner);
        pacers
            .entry((node.to_owned(), credential.to_owned()))
            .or_insert_with(|| {
                let described = || limit.map(|limit| limit.windows.clone()).unwrap_or_default();
                Arc::new(Pacer::new(self.windows.clone().unwrap_or_else(described)))
            })
            .clone()
    }
}

/// Paces one credential. A sliding log per window: never more than the window's number of requests
/// in any stretch of its length.
pub(crate) struct Pacer {
    state: Mutex<State>,
}

struct State {
    windows: Vec<(RateWindow, VecDeque<Duration>)>,
    /// The service has asked to wait until then.
    not_before: Duration,
}

impl Pacer {
    fn new(windows: Vec<RateWindow>) -> Self {
        let windows = windows.into_iter().map(|window| (window, VecDeque::new())).collect();
        Self { state: Mutex::new(State { windows, not_before: Duration::ZERO }) }
    }

    /// Waits for a turn. `Err`: the turn would come only after `deadline`; how long that is from
    /// now. The turn is then not taken.
    pub(crate) async fn turn(
        &self,
        clock: &dyn Clock,
        deadline: Option<Duration>,
    ) -> Result<(), Duration> {
        loop {
            let wait = {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.claim(clock.monotonic())
            };
            let Some(wait) = wait else { return Ok(()) };
            if deadline.is_some_and(|deadline| clock.monotonic() + wait > deadline) {
                return Err(wait);
            }
            clock.sleep(wait).await;
        }
    }

    /// The service says that nothing may be sent for so long.
    pub(crate) fn pause(&self, clock: &dyn Clock, duration: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.not_before = state.not_before.max(clock.monotonic() + duration);
    }
}

impl State {
    /// Takes a turn now, or says how long to wait before trying again.
    fn claim(&mut self, now: Duration) -> Option<Duration> {
        let mut wait = self.not_before.saturating_sub(now);
        for (window, log) in &mut self.windows {
            let length = Duration::from_millis(window.milliseconds);
            while log.front().is_some_and(|sent| *sent + length <= now) {
                log.pop_front();
            }
            if log.len() >= window.requests as usize
                && let Some(first) = log.front()
            {
                wait = wait.max(*first + length - now);
            }
        }
        if !wait.is_zero() {
            return Some(wait);
        }
        for (_, log) in &mut self.windows {
            log.push_back(now);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(requests: u32, milliseconds: u64) -> Pacer {
        Pacer::new(vec![RateWindow::new(requests, milliseconds)])
    }

    #[test]
    fn no_stretch_of_a_windows_length_sees_more_than_its_requests() {
        let pacer = pacer(3, 1_000);
        let mut state = pacer.state.lock().unwrap();
        let at = Duration::from_millis;
        for time in [0, 100, 200] {
            assert_eq!(state.claim(at(time)), None);
        }
        assert_eq!(state.claim(at(300)), Some(at(700)));
        assert_eq!(state.claim(at(1_000)), None);
        assert_eq!(state.claim(at(1_000)), Some(at(100)));
    }

    #[test]
    fn the_services_word_counts_more_than_the_window() {
        let pacer = pacer(100, 1_000);
        let mut state = pacer.state.lock().unwrap();
        state.not_before = Duration::from_secs(7);
        assert_eq!(state.claim(Duration::from_secs(2)), Some(Duration::from_secs(5)));
        assert_eq!(state.claim(Duration::from_secs(7)), None);
    }
}
