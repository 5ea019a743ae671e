//! Subscriptions in memory, for tests and examples.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::Value;

use crate::limits::TriggerLimits;
use crate::subscription::{
    Acceptance, Delivered, NewEvent, Pending, StoredSubscription, Subscription, SubscriptionKey,
    TriggerEvent, TriggerStore, TriggerStoreError, delivery_fits, events_waiting,
};

/// Keeps subscriptions as long as the process lives.
#[derive(Debug, Default)]
pub struct MemoryTriggers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    subscriptions: BTreeMap<String, One>,
    numbers: u64,
}

#[derive(Debug)]
struct One {
    keep: StoredSubscription,
    deliveries: VecDeque<(Pending, bool)>,
    events: VecDeque<TriggerEvent>,
    seen: HashSet<String>,
    /// Event marks, oldest first.
    seen_in_order: VecDeque<String>,
}

impl One {
    /// Remembers a mark; `false`: it was remembered already.
    fn mark(&mut self, mark: String, limits: &TriggerLimits) -> bool {
        if !self.seen.insert(mark.clone()) {
            return false;
        }
        self.seen_in_order.push_back(mark);
        if self.seen_in_order.len() > limits.remembered
            && let Some(oldest) = self.seen_in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    fn room(&self, name: &str, limits: &TriggerLimits) -> Result<(), TriggerStoreError> {
        let bytes = self.events.iter().map(|event| event.event.get().len()).sum();
        events_waiting(self.events.len(), bytes, limits)
            .map_err(|reason| TriggerStoreError::Full { name: name.to_owned(), reason })
    }
}

impl MemoryTriggers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn one(&mut self, name: &str) -> Result<&mut One, TriggerStoreError> {
        let known = SubscriptionKey::known_beside(name, self.subscriptions.keys().cloned());
        self.subscriptions
            .get_mut(name)
            .ok_or_else(|| TriggerStoreError::Unknown { name: name.to_owned(), known })
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn keep_events(
        &mut self,
        name: &str,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError> {
        if !events.is_empty() {
            self.one(name)?.room(name, limits)?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let received_at = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut new = 0;
        for event in events {
            let number = self.number();
            let one = self.one(name)?;
            if let Some(key) = &event.dedup_key
                && !one.mark(format!("event {key}"), limits)
            {
                continue;
            }
            one.events.push_back(TriggerEvent {
                subscription: name.to_owned(),
                number,
                dedup_key: event.dedup_key.clone(),
                occurred_at: event.occurred_at,
                received_at,
                event: event.json.clone(),
            });
            new += 1;
        }
        Ok(new)
    }
}

#[async_trait]
impl TriggerStore for MemoryTriggers {
    async fn subscriptions(&self) -> Result<Vec<Subscription>, TriggerStoreError> {
        Ok(self.state().subscriptions.values().map(|one| one.keep.subscription.clone()).collect())
    }

    async fn open(&self, name: &str) -> Result<StoredSubscription, TriggerStoreError> {
        Ok(self.state().one(name)?.keep.clone())
    }

    async fn keep(
        &self,
        mut keep: StoredSubscription,
        replacing: Option<u64>,
    ) -> Result<u64, TriggerStoreError> {
        let mut state = self.state();
        let name = keep.subscription.key().to_string();
        let Some(revision) = replacing else {
            if state.subscriptions.contains_key(&name) {
                return Err(TriggerStoreError::Exists(name));
            }
            keep.subscription.revision = 1;
            let one = One {
                keep,
                deliveries: VecDeque::new(),
                events: VecDeque::new(),
                seen: HashSet::new(),
                seen_in_order: VecDeque::new(),
            };
            state.subscriptions.insert(name, one);
            return Ok(1);
        };
        let one = state.one(&name)?;
        if one.keep.subscription.revision != revision {
            return Err(TriggerStoreError::Changed(name));
        }
        keep.subscription.revision = revision + 1;
        keep.subscription.cursor = one.keep.subscription.cursor.take();
        one.keep = keep;
        Ok(revision + 1)
    }

    async fn remove(&self, name: &str) -> Result<(), TriggerStoreError> {
        self.state().subscriptions.remove(name);
        Ok(())
    }

    async fn accept(
        &self,
        name: &str,
        id: Option<&str>,
        delivered: &Delivered,
        limits: &TriggerLimits,
    ) -> Result<Acceptance, TriggerStoreError> {
        let mut state = self.state();
        let number = state.number();
        let one = state.one(name)?;
        let mark = id.map(|id| format!("delivery {id}"));
        if mark.as_ref().is_some_and(|mark| one.seen.contains(mark)) {
            return Ok(Acceptance::Repeated);
        }
        let waiting = || one.deliveries.iter().filter(|(_, aside)| !aside);
        let bytes = waiting().map(|(pending, _)| pending.delivered.size()).sum();
        if !delivery_fits(waiting().count(), bytes, delivered.size(), limits) {
            return Ok(Acceptance::Full);
        }
        if let Some(mark) = mark {
            one.mark(mark, limits);
        }
        let pending = Pending { number, delivered: delivered.clone(), failures: 0 };
        one.deliveries.push_back((pending, false));
        Ok(Acceptance::Kept)
    }

    async fn room(&self, name: &str, limits: &TriggerLimits) -> Result<(), TriggerStoreError> {
        self.state().one(name)?.room(name, limits)
    }

    async fn pending(&self, name: &str) -> Result<Option<Pending>, TriggerStoreError> {
        let mut state = self.state();
        let deliveries = &state.one(name)?.deliveries;
        Ok(deliveries.iter().find(|(_, aside)| !aside).map(|(pending, _)| pending.clone()))
    }

    async fn settle(
        &self,
        name: &str,
        number: u64,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError> {
        let mut state = self.state();
        let new = state.keep_events(name, events, limits)?;
        state.one(name)?.deliveries.retain(|(pending, _)| pending.number != number);
        Ok(new)
    }

    async fn fail(
        &self,
        name: &str,
        number: u64,
        _reason: &str,
        put_aside: bool,
        limits: &TriggerLimits,
    ) -> Result<(), TriggerStoreError> {
        let mut state = self.state();
        let deliveries = &mut state.one(name)?.deliveries;
        if let Some((pending, aside)) = deliveries.iter_mut().find(|(one, _)| one.number == number)
        {
            pending.failures += 1;
            *aside |= put_aside;
        }
        // The newest stay.
        let (mut count, mut bytes) = (0, 0);
        let mut kept = VecDeque::with_capacity(deliveries.len());
        while let Some((pending, aside)) = deliveries.pop_back() {
            if aside {
                count += 1;
                bytes += pending.delivered.size();
                if count > limits.put_aside_deliveries || bytes > limits.put_aside_bytes {
                    continue;
                }
            }
            kept.push_front((pending, aside));
        }
        *deliveries = kept;
        Ok(())
    }

    async fn advance(
        &self,
        name: &str,
        before: Option<&Value>,
        cursor: &Value,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError> {
        let mut state = self.state();
        if state.one(name)?.keep.subscription.cursor.as_ref() != before {
            return Err(TriggerStoreError::Changed(name.to_owned()));
        }
        let new = state.keep_events(name, events, limits)?;
        state.one(name)?.keep.subscription.cursor = Some(cursor.clone());
        Ok(new)
    }

    async fn event(&self, name: &str) -> Result<Option<TriggerEvent>, TriggerStoreError> {
        Ok(self.state().one(name)?.events.front().cloned())
    }

    async fn taken(&self, name: &str, number: u64) -> Result<(), TriggerStoreError> {
        self.state().one(name)?.events.retain(|event| event.number != number);
        Ok(())
    }
}
