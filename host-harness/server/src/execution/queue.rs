//! Limits of running and waiting executions, for the server and for each tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::ServerLimits;

/// A slot in a queue.
#[derive(Clone, Debug)]
struct Room {
    /// Executions that wait or run.
    admitted: Arc<Semaphore>,
    /// Executions that run.
    running: Arc<Semaphore>,
}

impl Room {
    fn new(running: usize, queued: usize) -> Self {
        let permits = |number: usize| Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS)));
        Self { admitted: permits(running.saturating_add(queued)), running: permits(running) }
    }
}

/// Admits executions, and runs them in the order of arrival.
#[derive(Debug)]
pub(crate) struct Queue {
    all: Room,
    tenants: Mutex<HashMap<String, Room>>,
    per_tenant: (usize, usize),
}

/// A slot in the queue, until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    all: Room,
    tenant: Room,
    _admitted: [OwnedSemaphorePermit; 2],
}

/// The permission to run, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _ticket: Ticket,
    _running: [OwnedSemaphorePermit; 2],
}

impl Queue {
    pub(crate) fn new(limits: &ServerLimits) -> Self {
        Self {
            all: Room::new(limits.running, limits.queued),
            tenants: Mutex::default(),
            per_tenant: (limits.running_per_tenant, limits.queued_per_tenant),
        }
    }

    /// Admits an execution of a tenant; `None` if the queue is full.
    pub(crate) fn admit(&self, tenant: &str) -> Option<Ticket> {
        let (running, queued) = self.per_tenant;
        let room = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            let room = || Room::new(running, queued);
            tenants.entry(tenant.to_owned()).or_insert_with(room).clone()
        };
        let of_tenant = room.admitted.clone().try_acquire_owned().ok()?;
        let of_all = self.all.admitted.clone().try_acquire_owned().ok()?;
        Some(Ticket { all: self.all.clone(), tenant: room, _admitted: [of_tenant, of_all] })
    }
}

impl Ticket {
    /// Waits for its turn. The tenant's limit comes first, so that waiting for it delays no other
    /// tenant.
    pub(crate) async fn turn(self) -> Option<Turn> {
        let of_tenant = self.tenant.running.clone().acquire_owned().await.ok()?;
        let of_all = self.all.running.clone().acquire_owned().await.ok()?;
        Some(Turn { _ticket: self, _running: [of_tenant, of_all] })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn queue(text: &str) -> Queue {
        Queue::new(&toml::from_str(text).unwrap())
    }

    #[test]
    fn a_full_queue_admits_nothing_until_an_execution_ends() {
        let queue = queue("running = 1\nqueued = 1\nrunning_per_tenant = 9\nqueued_per_tenant = 9");
        let first = queue.admit("a").unwrap().turn().now_or_never().flatten().unwrap();
        let second = queue.admit("b").unwrap();
        assert!(queue.admit("c").is_none());
        let mut waiting = Box::pin(second.turn());
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        assert!(waiting.now_or_never().flatten().is_some());
        assert!(queue.admit("c").is_some());
    }

    #[test]
    fn a_tenant_that_fills_its_part_of_the_queue_leaves_room_for_others() {
        let queue = queue("running = 9\nqueued = 9\nrunning_per_tenant = 1\nqueued_per_tenant = 0");
        let of_a = queue.admit("a").unwrap().turn().now_or_never().flatten();
        assert!(of_a.is_some() && queue.admit("a").is_none());
        assert!(queue.admit("b").unwrap().turn().now_or_never().flatten().is_some());
    }
}
