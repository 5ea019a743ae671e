//! The service that a judged node calls: it behaves as a check requires, and records every request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Notify, oneshot};

use super::answer::{Answering, fingerprint};
use super::bench::has_mark;
use super::kept::Kept;
use crate::loopback::{Answers, Received, Reply};

/// How long the service waits for requests that are to be answered together.
const PATIENCE: Duration = Duration::from_millis(250);
/// Time between the responses to held requests.
const SPACING: Duration = Duration::from_millis(10);

/// Behavior of the service.
#[derive(Clone, Debug)]
pub(super) enum Behavior {
    /// It responds.
    Answers,
    /// It responds to every request with this.
    Always(Reply),
    /// It responds to reads, and to everything else with this.
    Writes(Reply),
    /// It refuses the requests of one item with this, and answers the others.
    Refuses(usize, Reply),
    /// It keeps what is created.
    Keeps(Arc<Kept>),
    /// It never answers.
    Holds,
    /// It holds requests until there are this many, or no more arrive, and then responds to them.
    Together {
        /// How many.
        count: usize,
        /// Whether the last one is answered first.
        reversed: bool,
    },
}

/// A received request.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) request: Received,
    pub(super) fingerprint: String,
}

impl Seen {
    /// A summary of the request, for a report.
    pub(super) fn in_short(&self) -> String {
        format!("{} {}", self.request.method, self.request.path())
    }
}

struct State {
    behavior: Behavior,
    answering: Option<Answering>,
    seen: Vec<Seen>,
    waiting: Vec<oneshot::Sender<()>>,
    /// The number of held requests, at most at once.
    most_waiting: usize,
    last: Instant,
}

/// The service.
pub(super) struct Service {
    state: Mutex<State>,
    /// Notified of each request.
    arrived: Notify,
}

impl Service {
    pub(super) fn new() -> Self {
        let state = State {
            behavior: Behavior::Answers,
            answering: None,
            seen: Vec::new(),
            waiting: Vec::new(),
            most_waiting: 0,
            last: Instant::now(),
        };
        Self { state: Mutex::new(state), arrived: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the behavior, and clears the received requests.
    pub(super) fn begin(&self, behavior: Behavior, answering: Answering) {
        let mut state = self.state();
        state.behavior = behavior;
        state.answering = Some(answering);
        state.seen.clear();
        state.waiting.clear();
        state.most_waiting = 0;
    }

    /// The requests since the behavior was set, and how many were held at once.
    pub(super) fn end(&self) -> (Vec<Seen>, usize) {
        let mut state = self.state();
        state.waiting.clear();
        (std::mem::take(&mut state.seen), std::mem::take(&mut state.most_waiting))
    }

    /// The number of requests since the behavior was set.
    pub(super) fn count(&self) -> usize {
        self.state().seen.len()
    }

    /// Waits until this many requests have arrived.
    pub(super) async fn until(&self, count: usize) {
        loop {
            let arrived = self.arrived.notified();
            if self.count() >= count {
                return;
            }
            arrived.await;
        }
    }

    /// Releases held requests until it is dropped.
    pub(super) async fn release(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let released = {
                let mut state = self.state();
                let Behavior::Together { count, reversed } = state.behavior else { return };
                let is_time = state.waiting.len() >= count || state.last.elapsed() > PATIENCE;
                if state.waiting.is_empty() || !is_time {
                    continue;
                }
                let mut released = std::mem::take(&mut state.waiting);
                if reversed {
                    released.reverse();
                }
                released
            };
            for one in released {
                // The node may have canceled it.
                let _sent = one.send(()).is_ok();
                tokio::time::sleep(SPACING).await;
            }
        }
    }
}

#[async_trait]
impl Answers for Service {
    async fn answer(&self, request: Received) -> Reply {
        let (reply, held) = {
            let mut state = self.state();
            state.last = Instant::now();
            let reply = match (&state.behavior, &state.answering) {
                (Behavior::Always(reply), _) => reply.clone(),
                (Behavior::Writes(reply), _) if !request.reads() => reply.clone(),
                (Behavior::Refuses(item, reply), _) if has_mark(&request, *item) => reply.clone(),
                (Behavior::Keeps(kept), _) => kept.reply(&request),
                (_, Some(answering)) => answering.reply(&request),
                (_, None) => Reply::json(500, "{}"),
            };
            let held = match state.behavior {
                Behavior::Holds => Some(None),
                Behavior::Together { .. } => {
                    let (sender, receiver) = oneshot::channel();
                    state.waiting.push(sender);
                    state.most_waiting = state.most_waiting.max(state.waiting.len());
                    Some(Some(receiver))
                }
                _ => None,
            };
            let fingerprint = fingerprint(&request);
            state.seen.push(Seen { request, fingerprint });
            (reply, held)
        };
        self.arrived.notify_waiters();
        match held {
            None => {}
            Some(None) => std::future::pending().await,
            // It is answered as well when the run is over.
            Some(Some(receiver)) => drop(receiver.await),
        }
        reply
    }
}
