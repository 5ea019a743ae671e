//! The latest requests of executions, in memory, for the people who look at an execution on the page.
//! They are as the plugin made them, without credentials, headers, and bodies.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use workflow_node_host::{Exchange, Observer};

use super::record::Key;
use crate::limits::ServerLimits;

/// Longest URL that is kept, in characters.
const LONGEST: usize = 500;

/// A request that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RequestMade {
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) method: String,
    pub(crate) url: String,
    /// The slot whose credential the host attached.
    pub(crate) slot: Option<String>,
    pub(crate) status: Option<u16>,
    /// Why the request was not answered.
    pub(crate) error: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) duration_ms: u64,
}

/// The requests of one execution.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestsMade {
    /// The first ones.
    pub(crate) list: Vec<RequestMade>,
    /// How many there were in all.
    pub(crate) count: u64,
}

#[derive(Debug, Default)]
struct Logged {
    executions: HashMap<Key, RequestsMade>,
    /// From the oldest to the newest.
    order: VecDeque<Key>,
    /// Requests that are kept of all executions.
    held: usize,
}

/// The requests of the latest executions.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLog {
    logged: Arc<Mutex<Logged>>,
    /// Requests that are kept of one execution, and of all.
    most: (usize, usize),
}

impl RequestLog {
    pub(crate) fn new(limits: &ServerLimits) -> Self {
        let most = (limits.shown_requests, limits.kept_requests);
        Self { logged: Arc::default(), most }
    }

    fn add(&self, key: &Key, exchange: &Exchange) {
        let (of_one, of_all) = self.most;
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if !logged.executions.contains_key(key) {
            logged.order.push_back(key.clone());
        }
        let requests = logged.executions.entry(key.clone()).or_default();
        requests.count += 1;
        if requests.list.len() >= of_one {
            return;
        }
        requests.list.push(RequestMade {
            at: exchange.started,
            method: exchange.method.clone(),
            url: exchange.url.chars().take(LONGEST).collect(),
            slot: exchange.slot.clone(),
            status: exchange.status,
            error: exchange.error.as_ref().map(|text| text.chars().take(LONGEST).collect()),
            attempts: exchange.attempts,
            duration_ms: exchange.duration_ms,
        });
        logged.held += 1;
        while logged.held > of_all {
            let Some(oldest) = logged.order.pop_front() else { return };
            let removed = logged.executions.remove(&oldest).unwrap_or_default();
            logged.held -= removed.list.len();
        }
    }

    /// Removes the requests of executions that have made none since a time in milliseconds since 1970.
    pub(super) fn prune(&self, before: u64) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let Logged { executions, order, held } = &mut *logged;
        executions.retain(|_, made| made.list.last().is_some_and(|last| last.at >= before));
        order.retain(|key| executions.contains_key(key));
        *held = executions.values().map(|made| made.list.len()).sum();
    }

    pub(crate) fn of(&self, key: &Key) -> RequestsMade {
        let logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.executions.get(key).cloned().unwrap_or_default()
    }

    /// Writes down the requests of an execution.
    pub(super) fn observer(&self, key: &Key) -> Arc<dyn Observer> {
        Arc::new(Watch { log: self.clone(), key: key.clone() })
    }
}

struct Watch {
    log: RequestLog,
    key: Key,
}

impl Observer for Watch {
    fn exchange(&self, exchange: &Exchange) {
        self.log.add(&self.key, exchange);
    }

    fn wants_bodies(&self) -> bool {
        false
    }
}
