//! What tests do to deliveries: hold, repeat, reorder and spoil them, and make events up.

use std::sync::Arc;

use serde_json::Value;

use super::{Dispatcher, Queue, WebhookDelivery};
use crate::account::Account;
use crate::ids::secret_hex;
use crate::keys::Region;
use crate::simulator::Simulator;
use crate::state::log::Agent;

/// What a made-up event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookSubject<'a> {
    /// An incident, by its id.
    Incident(&'a str),
    /// A service, by its id.
    Service(&'a str),
}

impl Dispatcher {
    fn hold(&self) {
        self.inner().held = true;
    }

    /// Lets deliveries go; reversed, the last of each queue goes first.
    fn release(self: &Arc<Self>, reversed: bool) {
        let mut inner = self.inner();
        inner.held = false;
        if reversed {
            inner.queues.values_mut().for_each(|queue| queue.make_contiguous().reverse());
        }
        self.work_on_all(&mut inner);
    }

    /// Sends the last ones again, as if their answers had been lost.
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
        Some(secret)
    }
}

impl Simulator {
    /// Every webhook so far, in the order in which they arose.
    #[must_use]
    pub fn webhook_deliveries(&self) -> Vec<WebhookDelivery> {
        self.dispatcher().inner().deliveries.clone()
    }

    /// Forgets the webhooks that are not on their way any more.
    pub fn clear_webhook_deliveries(&self) {
        let mut inner = self.dispatcher().inner();
        if inner.queues.is_empty() && inner.running.is_empty() {
            inner.deliveries.clear();
        }
    }

    /// Keeps webhooks back from now on; those that are just being sent go on.
    pub fn hold_webhooks(&self) {
        self.dispatcher().hold();
    }

    /// Lets webhooks go that were kept back, in their order.
    pub fn release_webhooks(&self) {
        self.dispatcher().release(false);
    }

    /// Lets webhooks go that were kept back, the last one of each resource first.
    pub fn release_webhooks_reversed(&self) {
        self.dispatcher().release(true);
    }

    /// Sends the last webhooks again, with their ids and bytes, whatever became of them.
    pub fn redeliver_webhooks(&self, count: usize) {
        self.dispatcher().repeat(count);
    }

    /// Sends each webhook so many times more than once from now on.
    pub fn duplicate_webhooks(&self, times: usize) {
        self.dispatcher().inner().duplicates = times;
    }

    /// Signs webhooks with a secret that nobody has, or rightly again.
    pub fn spoil_webhook_signatures(&self, spoil: bool) {
        self.dispatcher().inner().spoiled = spoil;
    }

    /// Gives a subscription a second secret, and gives it back. Both sign from now on, as during a
    /// rotation; none when there is no such subscription.
    pub fn add_webhook_secret(&self, region: Region, subscription_id: &str) -> Option<String> {
        self.dispatcher().add_secret(region, subscription_id, true)
    }

    /// Replaces all secrets of a subscription by a new one, and gives it back.
    pub fn rotate_webhook_secret(&self, region: Region, subscription_id: &str) -> Option<String> {
        self.dispatcher().add_secret(region, subscription_id, false)
    }

    /// Waits until no webhook is on its way. One that is retried is on its way.
    pub async fn webhooks_rest(&self) {
        self.dispatcher().rest().await;
    }
}

impl Account {
    /// Makes an event of any type up, also of one that PagerDuty does not know, and delivers it to
    /// whoever subscribed to it; subscriptions get types that nobody can subscribe to, too. Without
    /// `data` the event gets data that fit its type. Whether the subject exists.
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

    /// Opens a resolved incident again, as people can in the web app. Whether it was resolved.
    pub fn reopen_incident(&self, incident_id: &str) -> bool {
        let mut state = self.state();
        let (now, agent) = (state.now(), Agent::User(state.users[0].id.clone()));
        let index = state.incident_at(incident_id);
        let resolved = index.filter(|index| state.incidents[*index].resolved_at.is_some());
        resolved.inspect(|index| state.reopen(*index, &agent, now)).is_some()
    }

    /// Lets somebody who was asked to help say yes or no. Whether the person was asked.
    pub fn reply_as_responder(&self, incident_id: &str, user_id: &str, joins: bool) -> bool {
        let mut state = self.state();
        let now = state.now();
        let index = state.incident_at(incident_id);
        index.is_some_and(|index| state.reply_as_responder(index, user_id, joins, now))
    }
}
