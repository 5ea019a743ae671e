//! What tests see of deliveries.

use std::time::SystemTime;

use bytes::Bytes;

use crate::keys::Region;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryState {
    /// It waits: for its turn, for the next attempt, or for [`crate::Simulator::release_webhooks`].
    Waiting,
    /// The receiver answered 2xx.
    Delivered,
    /// The receiver refused it, or did not take it for 48 hours.
    Dropped,
    /// It was thrown away unsent, because its subscription was disabled, switched off or deleted.
    Discarded,
    /// It was larger than 256 kB and never sent.
    TooLarge,
}

/// One attempt to deliver.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// When it began.
    pub at: SystemTime,
    /// What stood in `X-PagerDuty-Signature`.
    pub signature: String,
    /// The status that came back, if any did.
    pub status: Option<u16>,
    /// What went wrong, if nothing came back.
    pub error: Option<String>,
}

/// A webhook on its way to one subscription.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WebhookDelivery {
    /// The value of `X-Webhook-Id`; the same in every attempt and every duplicate.
    pub webhook_id: String,
    /// The id of the event, which other subscriptions may get, too.
    pub event_id: String,
    /// For instance `incident.triggered`.
    pub event_type: String,
    /// The account that it comes from.
    pub region: Region,
    /// The subscription that asked for it.
    pub subscription_id: String,
    /// The id of the incident or service; deliveries about one keep their order.
    pub resource_id: String,
    /// Where it goes.
    pub url: String,
    /// The bytes that are signed and sent.
    pub body: Bytes,
    /// Where it stands.
    pub state: DeliveryState,
    /// Every attempt so far, duplicates included.
    pub attempts: Vec<Attempt>,
}

impl WebhookDelivery {
    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
