//! Keeps every execution that shares a credential within what the service allows it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::audit::path_without_ids;
use crate::description::{OperationLimit, RateLimit, RateWindow};

/// Operations of a credential that are paused at once. With more, the credential is.
const MOST_PAUSED: usize = 256;

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
                Arc::new(match (&self.windows, limit) {
                    (Some(windows), _) => Pacer::new(windows, &[]),
                    (None, Some(limit)) => Pacer::new(&limit.windows, &limit.operations),
                    (None, None) => Pacer::new(&[], &[]),
                })
            })
            .clone()
    }
}

/// Paces one credential, and in addition each operation that has a limit of its own.
pub(crate) struct Pacer {
    operations: Vec<OperationLimit>,
    state: Mutex<State>,
}

struct State {
    credential: Windows,
    /// In the order of the pacer's operations.
    operations: Vec<Windows>,
    /// The service has asked to wait until then.
    not_before: Duration,
    /// The same for single operations.
    paused: HashMap<Operation, Duration>,
}

/// What a request does, as far as a service limits it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// It has a limit of its own, at this place.
    Limited(usize),
    /// Method, and path without IDs.
    Other(String, String),
}

/// Windows with what was sent in them: a sliding log for each.
#[derive(Clone)]
struct Windows(Vec<(RateWindow, VecDeque<Duration>)>);

impl Windows {
    fn new(windows: &[RateWindow]) -> Self {
        Self(windows.iter().map(|window| (window.clone(), VecDeque::new())).collect())
    }

    /// How long it takes until another request may be sent.
    fn wait(&mut self, now: Duration) -> Duration {
        let mut wait = Duration::ZERO;
        for (window, log) in &mut self.0 {
            let length = Duration::from_millis(window.milliseconds);
            while log.front().is_some_and(|sent| *sent + length <= now) {
                log.pop_front();
            }
            let requests = (window.requests as usize).max(1);
            if log.len() >= requests {
                wait = wait.max((log[log.len() - requests] + length).saturating_sub(now));
            }
        }
        wait
    }

    fn note(&mut self, now: Duration) {
        for (_, log) in &mut self.0 {
            log.push_back(now);
        }
    }
}

impl Pacer {
    fn new(windows: &[RateWindow], operations: &[OperationLimit]) -> Self {
        let state = State {
            credential: Windows::new(windows),
            operations: operations.iter().map(|limit| Windows::new(&limit.windows)).collect(),
            not_before: Duration::ZERO,
            paused: HashMap::new(),
        };
        Self { operations: operations.to_vec(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request does. The first limit that covers it counts.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Operation {
        match self.operations.iter().position(|limit| limit.covers(method, path)) {
            Some(at) => Operation::Limited(at),
            None => Operation::Other(method.to_owned(), path_without_ids(path)),
        }
    }

    /// Takes a turn now, or says how long to wait before trying again.
    pub(crate) fn claim(&self, operation: &Operation, now: Duration) -> Option<Duration> {
        self.state().claim(operation, now)
    }

    /// The service says that nothing may be sent for so long. Whether that is about the operation or
    /// about all that the credential may do, services do not say: it is taken for the operation's,
    /// unless another one is paused meanwhile.
    pub(crate) fn pause(&self, operation: &Operation, now: Duration, duration: Duration) {
        let mut state = self.state();
        let until = now + duration;
        state.paused.retain(|_, until| *until > now);
        let is_known = state.paused.contains_key(operation);
        if state.paused.len() > usize::from(is_known) || state.paused.len() >= MOST_PAUSED {
            let latest = state.paused.values().copied().max().unwrap_or_default().max(until);
            state.not_before = state.not_before.max(latest);
        }
        let paused = state.paused.entry(operation.clone()).or_default();
        *paused = until.max(*paused);
    }

    /// How long it takes until the last of so many requests may be sent, if none of their operations
    /// has a limit of its own: after what was sent before, and with the credential all to themselves.
    pub(crate) fn time_for(&self, requests: usize, now: Duration) -> (Duration, Duration) {
        let (windows, begin) = {
            let state = self.state();
            (state.credential.clone(), now.max(state.not_before))
        };
        let unused =
            Windows(windows.0.iter().map(|(one, _)| (one.clone(), VecDeque::new())).collect());
        let time = |mut windows: Windows, mut at: Duration| {
            if !windows.0.is_empty() {
                for _ in 0..requests {
                    at += windows.wait(at);
                    windows.note(at);
                }
            }
            at - now
        };
        (time(windows, begin), time(unused, now))
    }

    /// The tightest window of the credential, in words.
    pub(crate) fn in_words(&self) -> String {
        let state = self.state();
        let rate = |window: &RateWindow| f64::from(window.requests) / window.milliseconds as f64;
        let windows = state.credential.0.iter().map(|(window, _)| window);
        let tightest = windows.min_by(|one, other| rate(one).total_cmp(&rate(other)));
        tightest.map_or_else(String::new, |window| {
            let seconds = window.milliseconds as f64 / 1_000.0;
            format!("{} requests in {seconds} s", window.requests)
        })
    }
}

impl State {
    fn claim(&mut self, operation: &Operation, now: Duration) -> Option<Duration> {
        let paused = self.paused.get(operation).copied().unwrap_or_default();
        let mut wait = self.not_before.max(paused).saturating_sub(now);
        wait = wait.max(self.credential.wait(now));
        if let Operation::Limited(at) = operation {
            wait = wait.max(self.operations[*at].wait(now));
        }
        if !wait.is_zero() {
            return Some(wait);
        }
        self.credential.note(now);
        if let Operation::Limited(at) = operation {
            self.operations[*at].note(now);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn pacer(requests: u32, milliseconds: u64) -> Pacer {
        Pacer::new(&[RateWindow::new(requests, milliseconds)], &[])
    }

    #[test]
    fn no_stretch_of_a_windows_length_sees_more_than_its_requests() {
        let pacer = pacer(3, 1_000);
        let list = pacer.operation("GET", "/things");
        for time in [0, 100, 200] {
            assert_eq!(pacer.claim(&list, at(time)), None);
        }
        assert_eq!(pacer.claim(&list, at(300)), Some(at(700)));
        assert_eq!(pacer.claim(&list, at(1_000)), None);
        assert_eq!(pacer.claim(&list, at(1_000)), Some(at(100)));
    }

    #[test]
    fn a_limit_of_an_operation_does_not_stop_the_others() {
        let limit = OperationLimit::new(
            "/things/{id}/related".parse::<crate::PathTemplate>().unwrap(),
            [RateWindow::new(1, 60_000)],
        )
        .methods(["GET"]);
        let pacer = Pacer::new(&[RateWindow::new(100, 1_000)], &[limit]);
        let related = pacer.operation("GET", "/things/P1/related");
        assert_eq!(related, pacer.operation("GET", "/things/P2/related"));
        let other = pacer.operation("POST", "/things/P1/related");
        assert_eq!(pacer.claim(&related, at(0)), None);
        assert_eq!(pacer.claim(&related, at(10)), Some(at(59_990)));
        for time in 0..50 {
            assert_eq!(pacer.claim(&other, at(time)), None);
        }
        assert_eq!(pacer.claim(&related, at(60_000)), None);
    }

    #[test]
    fn the_services_word_stops_the_operation_and_with_a_second_one_the_credential() {
        let pacer = pacer(100, 1_000);
        let (get, list) = (pacer.operation("GET", "/things/P1"), pacer.operation("GET", "/things"));
        pacer.pause(&get, at(0), at(7_000));
        assert_eq!(pacer.claim(&get, at(2_000)), Some(at(5_000)));
        assert_eq!(pacer.claim(&pacer.operation("GET", "/things/P2"), at(2_000)), Some(at(5_000)));
        assert_eq!(pacer.claim(&list, at(2_000)), None);
        // Again the same operation: nothing new.
        pacer.pause(&get, at(2_000), at(6_000));
        assert_eq!(pacer.claim(&list, at(2_000)), None);
        // A second one: it is the credential.
        pacer.pause(&list, at(3_000), at(1_000));
        let create = pacer.operation("POST", "/things");
        assert_eq!(pacer.claim(&create, at(3_000)), Some(at(5_000)));
        assert_eq!(pacer.claim(&create, at(8_000)), None);
        // What is over says nothing any more.
        pacer.pause(&list, at(20_000), at(1_000));
        assert_eq!(pacer.claim(&create, at(20_000)), None);
    }

    #[test]
    fn the_time_for_many_requests_counts_what_was_sent_before() {
        let events = pacer(120, 60_000);
        let same = |time: u64| (at(time), at(time));
        assert_eq!(events.time_for(120, at(0)), same(0));
        assert_eq!(events.time_for(121, at(0)), same(60_000));
        assert_eq!(events.time_for(700, at(0)), same(300_000));
        let operation = events.operation("POST", "/v2/enqueue");
        (0..60).for_each(|_| assert_eq!(events.claim(&operation, at(0)), None));
        assert_eq!(events.time_for(60, at(30_000)), same(0));
        assert_eq!(events.time_for(61, at(30_000)), (at(30_000), at(0)));
        assert_eq!(Pacer::new(&[], &[]).time_for(1_000_000, at(5)), same(0));
    }
}
