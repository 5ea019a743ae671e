//! Keeps every execution that shares a credential within what the service allows it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::audit::path_without_ids;
use crate::description::{OperationLimit, RateLimit, RateWindow};
use crate::digest::Digest;
use crate::origin::Origin;
use crate::principal::{Principal, Tenant, User};

/// Operations of a credential that are paused at once. With more, the credential is.
const MOST_PAUSED: usize = 256;

/// Requests that share a pacer: those of one plugin with one credential to one origin. Each user
/// has a separate pacer unless all users share the same secrets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PaceKey {
    pub(crate) tenant: Tenant,
    pub(crate) plugin: Digest,
    pub(crate) credential: String,
    /// `None` where everybody who may use the credential has the same secrets.
    pub(crate) user: Option<User>,
}

/// Number of origins per key with separate pacers; further origins share one. A plugin may be
/// approved for every host below a name.
const MOST_ORIGINS: usize = 64;

/// Above this number, paces that nobody uses and that hold nothing back are forgotten.
const MOST_IDLE: usize = 10_000;

/// The pacers of all credentials of a host.
#[derive(Default)]
pub(crate) struct Pacing {
    pacers: Mutex<Pacers>,
    /// Overrides every described limit; an empty list lifts it.
    windows: Option<Vec<RateWindow>>,
}

#[derive(Default)]
struct Pacers {
    by_key: HashMap<PaceKey, HashMap<Option<Origin>, Arc<Pacer>>>,
    number: usize,
}

impl Pacing {
    pub(crate) fn new(windows: Option<Vec<RateWindow>>) -> Self {
        Self { pacers: Mutex::default(), windows }
    }

    /// The pacer of a credential at an origin.
    pub(crate) fn pacer(
        &self,
        key: &PaceKey,
        origin: &Origin,
        limit: Option<&RateLimit>,
        now: Duration,
    ) -> Arc<Pacer> {
        let mut pacers = self.pacers.lock().unwrap_or_else(PoisonError::into_inner);
        if pacers.number >= MOST_IDLE {
            pacers.forget_idle(now);
        }
        let Pacers { by_key, number } = &mut *pacers;
        let of_key = by_key.entry(key.clone()).or_default();
        let origin = Some(origin.clone());
        let is_shared = of_key.len() >= MOST_ORIGINS && !of_key.contains_key(&origin);
        of_key
            .entry(origin.filter(|_| !is_shared))
            .or_insert_with(|| {
                *number += 1;
                Arc::new(match (&self.windows, limit) {
                    (Some(windows), _) => Pacer::new(windows, &[]),
                    (None, Some(limit)) => Pacer::new(&limit.windows, &limit.operations),
                    (None, None) => Pacer::new(&[], &[]),
                })
            })
            .clone()
    }
}

impl Pacers {
    fn forget_idle(&mut self, now: Duration) {
        for of_key in self.by_key.values_mut() {
            of_key.retain(|_, pacer| Arc::strong_count(pacer) > 1 || !pacer.state().is_idle(now));
        }
        self.by_key.retain(|_, of_key| !of_key.is_empty());
        self.number = self.by_key.values().map(HashMap::len).sum();
    }
}

/// Names the connections that a request may use: those of one plugin, one credential, one user, and
/// one purpose. The transport adds the origin.
pub(crate) fn pool(
    plugin: &Digest,
    by: &Principal,
    credential: Option<&str>,
    purpose: &str,
) -> String {
    let parts = [
        plugin.hex(),
        by.tenant.to_string(),
        by.user.to_string(),
        // A credential cannot have an empty name.
        credential.unwrap_or_default().to_owned(),
        purpose.to_owned(),
    ];
    // Each with its length, so that no two lists look alike.
    parts.iter().map(|part| format!("{}:{part},", part.len())).collect()
}

/// Paces one credential, and each operation that has a separate limit.
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

/// Operation of a request, for the rate limits of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// It has a separate limit, at this index.
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

    /// Whether nothing that was sent counts any more.
    fn is_idle(&self, now: Duration) -> bool {
        self.0.iter().all(|(window, log)| {
            let length = Duration::from_millis(window.milliseconds);
            log.back().is_none_or(|sent| *sent + length <= now)
        })
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

    /// Operation of a request. The first limit that covers it counts.
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

    /// Time until the last of this number of requests may be sent, if none of their operations has
    /// a separate limit and no other execution uses the credential.
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
    /// Whether nothing would have to wait.
    fn is_idle(&self, now: Duration) -> bool {
        self.not_before <= now
            && self.paused.values().all(|until| *until <= now)
            && self.credential.is_idle(now)
            && self.operations.iter().all(|windows| windows.is_idle(now))
    }

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
    fn tenants_plugins_credentials_users_and_origins_have_separate_paces_and_pools() {
        let pacing = Pacing::new(None);
        let now = Duration::ZERO;
        let key = |tenant: &str, plugin: &str, credential: &str, user: Option<&str>| PaceKey {
            tenant: tenant.into(),
            plugin: Digest::of(plugin.as_bytes()),
            credential: credential.into(),
            user: user.map(User::from),
        };
        let origin = |text: &str| -> Origin { text.parse().unwrap() };
        let of = |key: &PaceKey, at: &str| pacing.pacer(key, &origin(at), None, now);
        let one = key("t", "p", "c", Some("u"));
        let first = of(&one, "https://a.test");
        assert!(Arc::ptr_eq(&first, &of(&one, "https://a.test")));
        for other in [
            of(&one, "https://b.test"),
            of(&key("t2", "p", "c", Some("u")), "https://a.test"),
            of(&key("t", "p2", "c", Some("u")), "https://a.test"),
            of(&key("t", "p", "c2", Some("u")), "https://a.test"),
            of(&key("t", "p", "c", Some("u2")), "https://a.test"),
            of(&key("t", "p", "c", None), "https://a.test"),
        ] {
            assert!(!Arc::ptr_eq(&first, &other));
        }
        let plugin = Digest::of(b"p");
        let all = [
            pool(&plugin, &Principal::of("t", "u"), Some("c"), "http"),
            pool(&plugin, &Principal::of("tu", ""), Some("c"), "http"),
            pool(&plugin, &Principal::of("t", "uc"), None, "http"),
            pool(&plugin, &Principal::of("t", "u2"), Some("c"), "http"),
            pool(&plugin, &Principal::of("t", "u"), Some("c"), "oauth"),
            pool(&Digest::of(b"p2"), &Principal::of("t", "u"), Some("c"), "http"),
        ];
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn a_plugin_that_may_reach_every_host_below_a_name_does_not_fill_the_hosts_memory() {
        let pacing = Pacing::new(None);
        let key = PaceKey {
            tenant: Tenant::default(),
            plugin: Digest::of(b"p"),
            credential: "c".into(),
            user: None,
        };
        for n in 0..1_000 {
            let origin = format!("https://h{n}.test").parse().unwrap();
            pacing.pacer(&key, &origin, None, Duration::ZERO);
        }
        assert_eq!(pacing.pacers.lock().unwrap().number, MOST_ORIGINS + 1);
        for n in 0..2 * MOST_IDLE {
            let key = PaceKey { credential: format!("c{n}"), ..key.clone() };
            pacing.pacer(&key, &"https://a.test".parse().unwrap(), None, Duration::ZERO);
        }
        assert!(pacing.pacers.lock().unwrap().number <= MOST_IDLE);
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
        // A pause that has ended no longer has any effect.
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
