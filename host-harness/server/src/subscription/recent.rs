//! The latest events of subscriptions, in memory, for the people who look at a subscription on the
//! page. An event that the engine has accepted is stored nowhere else.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::store::Key;
use crate::limits::ServerLimits;

/// Longest text of an event that is kept, in characters.
const LONGEST: usize = 8_000;

/// An event that has come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecentEvent {
    pub(crate) number: u64,
    /// Milliseconds since 1970.
    pub(crate) received_at: u64,
    /// The event as JSON text, cut if it is long.
    pub(crate) text: String,
}

#[derive(Debug, Default)]
struct Logged {
    events: HashMap<Key, VecDeque<RecentEvent>>,
    /// From the oldest to the newest.
    order: VecDeque<Key>,
}

/// The latest events of all subscriptions.
#[derive(Debug, Default)]
pub(crate) struct RecentEvents {
    logged: Mutex<Logged>,
    /// Events that are kept of one subscription, and of all.
    most: (usize, usize),
}

impl RecentEvents {
    pub(super) fn new(limits: &ServerLimits) -> Self {
        Self { logged: Mutex::default(), most: (limits.recent_events, limits.kept_events) }
    }

    pub(super) fn add(&self, key: &Key, number: u64, received_at: u64, event: &str) {
        let (of_one, of_all) = self.most;
        let mut text: String = event.chars().take(LONGEST).collect();
        if text.len() < event.len() {
            text.push_str(" …");
        }
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let Logged { events, order } = &mut *logged;
        events.entry(key.clone()).or_default().push_back(RecentEvent { number, received_at, text });
        order.push_back(key.clone());
        let is_full = |events: &HashMap<Key, VecDeque<RecentEvent>>| {
            events.get(key).is_some_and(|list| list.len() > of_one)
        };
        let oldest = match is_full(events) {
            true => order.iter().position(|other| other == key).and_then(|at| order.remove(at)),
            false if order.len() > of_all => order.pop_front(),
            false => None,
        };
        let Some(oldest) = oldest else { return };
        if let Some(list) = events.get_mut(&oldest) {
            list.pop_front();
            if list.is_empty() {
                events.remove(&oldest);
            }
        }
    }

    /// The latest events of a subscription, newest first.
    pub(crate) fn of(&self, key: &Key) -> Vec<RecentEvent> {
        let logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.events.get(key).into_iter().flatten().rev().cloned().collect()
    }

    /// Removes the events that came before a time in milliseconds since 1970.
    pub(super) fn prune(&self, before: u64) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let Logged { events, order } = &mut *logged;
        // The first of a subscription in the order is its oldest event.
        order.retain(|key| {
            let Some(list) = events.get_mut(key) else { return false };
            let is_old = list.front().is_some_and(|event| event.received_at < before);
            if is_old {
                list.pop_front();
            }
            !is_old
        });
        events.retain(|_, list| !list.is_empty());
    }

    pub(super) fn forget(&self, key: &Key) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.events.remove(key);
        logged.order.retain(|other| other != key);
    }
}

#[cfg(test)]
mod tests {
    use workflow_node_host::Principal;

    use super::*;

    #[test]
    fn the_latest_events_are_kept_of_each_subscription_and_in_all() {
        let limits = ServerLimits { recent_events: 2, kept_events: 3, ..ServerLimits::default() };
        let recent = RecentEvents::new(&limits);
        let key = |id: &str| Key { principal: Principal::of("acme", "ada"), id: id.to_owned() };
        let numbers =
            |id: &str| recent.of(&key(id)).iter().map(|event| event.number).collect::<Vec<_>>();
        for number in 1..=3 {
            recent.add(&key("a"), number, 0, "{}");
        }
        assert_eq!(numbers("a"), [3, 2]);
        recent.add(&key("b"), 1, 0, &"é".repeat(LONGEST + 1));
        recent.add(&key("b"), 2, 0, "{}");
        assert_eq!((numbers("a"), numbers("b")), (vec![3], vec![2, 1]));
        assert!(recent.of(&key("b"))[1].text.ends_with("é …"));
        recent.add(&key("a"), 4, 1_000, "{}");
        recent.prune(500);
        assert_eq!((numbers("a"), numbers("b")), (vec![4], vec![]));
        recent.add(&key("b"), 3, 1_000, "{}");
        recent.add(&key("b"), 4, 1_000, "{}");
        assert_eq!((numbers("a"), numbers("b")), (vec![4], vec![4, 3]));
        recent.forget(&key("b"));
        assert_eq!((numbers("a"), numbers("b")), (vec![4], vec![]));
    }
}
