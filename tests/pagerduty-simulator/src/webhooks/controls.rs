//! Control of deliveries in tests: holding, repeating, reordering, corrupting, and generating
//! events.

use std::sync::Arc;

use serde_json::Value;

use super::{Dispatcher, Queue, WebhookDelivery};
use crate::account::Account;
use crate::ids::secret_hex;
use crate::keys::Region;
use crate::simulator::Simulator;
use crate::state::log::Agent;

/// The subject of a generated event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookSubject<'a> {
    /// An incident, by its ID.
    Incident(&'a str),
    /// A service, by its ID.
    Service(&'a str),
}

impl Dispatcher {
    fn hold(&self) {
        self.inner().held = true;
    }

    /// Releases deliveries; if reversed, the last of each queue first.
    fn release(self: &Arc<Self>, reversed: bool) {
        let mut inner = self.inner();
        inner.held = false;
        if reversed {
            inner.queues.values_mut().for_each(|queue| queue.make_contiguous().reverse());
        }
        self.work_on_all(&mut inner);
    }

    /// Sends the last ones again, as if their responses had been lost.
    fn repeat(self: &Arc<Self>, count: usize) {
        let mut inner = self.inner();
        let from = inner.deliveries.len().saturating_sub(count);
        for place in from..inner.deliveries.len() {
            let delivery = &inner.deliveries[place];
            let queue: Queue = (delivery.key(), delivery.resource_id.clone());
            inner.queues.entry(queue.clone()).or_default().push_back(place);
            self.work_on(&mut inner, queue);
        }
    }

    fn is_resting(&self) -> bool {
        let inner = self.inner();
        let nothing_waits = inner.queues.values().all(std::collections::VecDeque::is_empty);
        inner.running.is_empty() && (inner.held || nothing_waits)
    }

    async fn rest(&self) {
        loop {
            let rested = self.rested.notified();
            tokio::pin!(rested);
            rested.as_mut().enable();
            if self.is_resting() {
                return;
            }
            rested.await;
        }
    }

    fn add_secret(&self, region: Region, id: &str, keeps_old: bool) -> Option<String> {
        let mut inner = self.inner();
        let known = inner.subscribers.get_mut(&(region, id.to_owned()))?;
        let secret = secret_hex(64);
        if !keeps_old {
            known.secrets.clear();
        }
        known.secrets.insert(0, secret.clone());
        inner.issued.push(secret.clone());
        Some(secret)
    }
}

impl Simulator {
    /// All webhooks, in order of creation.
    #[must_use]
    pub fn webhook_deliveries(&self) -> Vec<WebhookDelivery> {
        self.dispatcher().inner().deliveries.clone()
    }

    /// Every signing secret that a subscription has ever had, in order of creation.
    #[must_use]
    pub fn issued_webhook_secrets(&self) -> Vec<String> {
        self.dispatcher().inner().issued.clone()
    }

    /// Removes the webhooks that are no longer pending.
    pub fn clear_webhook_deliveries(&self) {
        let mut inner = self.dispatcher().inner();
        if inner.queues.is_empty() && inner.running.is_empty() {
            inner.deliveries.clear();
        }
    }

    /// Holds webhooks from now on; those being sent continue.
    pub fn hold_webhooks(&self) {
        self.dispatcher().hold();
    }

    /// Releases held webhooks in order.
    pub fn release_webhooks(&self) {
        self.dispatcher().release(false);
    }

    /// Releases held webhooks, the last one of each resource first.
    pub fn release_webhooks_reversed(&self) {
        self.dispatcher().release(true);
    }

    /// Sends the last webhooks again, with the same IDs and bytes, regardless of their results.
    pub fn redeliver_webhooks(&self, count: usize) {
        self.dispatcher().repeat(count);
    }

    /// Sends each webhook this many additional times from now on.
    pub fn duplicate_webhooks(&self, times: usize) {
        self.dispatcher().inner().duplicates = times;
    }

    /// Signs webhooks with an unknown secret, or correctly again.
    pub fn spoil_webhook_signatures(&self, spoil: bool) {
        self.dispatcher().inner().spoiled = spoil;
    }

    /// Adds a second secret to a subscription and returns it. Both sign from now on, as during a
    /// rotation; none if there is no such subscription.
    pub fn add_webhook_secret(&self, region: Region, subscription_id: &str) -> Option<String> {
        self.dispatcher().add_secret(region, subscription_id, true)
    }

    /// Replaces all secrets of a subscription with a new one, and returns it.
    pub fn rotate_webhook_secret(&self, region: Region, subscription_id: &str) -> Option<String> {
        self.dispatcher().add_secret(region, subscription_id, false)
    }

    /// Waits until no webhook is pending. A webhook that is retried is pending.
    pub async fn webhooks_rest(&self) {
        self.dispatcher().rest().await;
    }
}

impl Account {
    /// Generates an event of any type, including types that PagerDuty does not have, and delivers
    /// it to its subscriptions; types that cannot be subscribed to are delivered to all. Without
    /// `data`, the event gets data for its type. Returns whether the subject exists.
    pub fn emit_webhook(
        &self,
        event_type: &str,
        subject: WebhookSubject<'_>,
        data: Option<Value>,
    ) -> bool {
        let state = self.state();
        let now = state.now();
        let agent = Agent::User(state.users[0].id.clone());
        match subject {
            WebhookSubject::Incident(id) => state.incident_at(id).is_some_and(|index| {
                state.incident_event(index, event_type, &agent, now, data);
                true
            }),
            WebhookSubject::Service(id) => {
                let known = state.service(id).is_some();
                if known {
                    state.service_event(id, event_type, &agent, now, data);
                }
                known
            }
        }
    }

    /// Reopens a resolved incident, as in the web app. Returns whether it was resolved.
    pub fn reopen_incident(&self, incident_id: &str) -> bool {
        let mut state = self.state();
        let (now, agent) = (state.now(), Agent::User(state.users[0].id.clone()));
        let index = state.incident_at(incident_id);
        let resolved = index.filter(|index| state.incidents[*index].resolved_at.is_some());
        resolved.inspect(|index| state.reopen(*index, &agent, now)).is_some()
    }

    /// Replies to a responder request as a user. Returns whether there was one.
    pub fn reply_as_responder(&self, incident_id: &str, user_id: &str, joins: bool) -> bool {
        let mut state = self.state();
        let now = state.now();
        let index = state.incident_at(incident_id);
        index.is_some_and(|index| state.reply_as_responder(index, user_id, joins, now))
    }
}
