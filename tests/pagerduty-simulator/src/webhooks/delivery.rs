//! Deliveries as tests see them.

use std::time::SystemTime;

use bytes::Bytes;

use crate::keys::Region;

/// Status of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryState {
    /// Pending: for its turn, for the next attempt, or for [`crate::Simulator::release_webhooks`].
    Waiting,
    /// The receiver responded with 2xx.
    Delivered,
    /// The receiver refused it, or did not accept it for 48 hours.
    Dropped,
    /// It was dropped unsent, because its subscription was disabled or deleted.
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
    /// The value of `X-PagerDuty-Signature`.
    pub signature: String,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// The error, if there was no response.
    pub error: Option<String>,
}

/// A webhook for one subscription.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WebhookDelivery {
    /// The value of `X-Webhook-Id`, the same in every attempt and every duplicate.
    pub webhook_id: String,
    /// The ID of the event, which other subscriptions may receive as well.
    pub event_id: String,
    /// Such as `incident.triggered`.
    pub event_type: String,
    /// Region of its account.
    pub region: Region,
    /// Its subscription.
    pub subscription_id: String,
    /// The ID of the incident or service; deliveries about the same one keep their order.
    pub resource_id: String,
    /// Its URL.
    pub url: String,
    /// The bytes that are signed and sent.
    pub body: Bytes,
    /// Its status.
    pub state: DeliveryState,
    /// Every attempt so far, including duplicates.
    pub attempts: Vec<Attempt>,
}

impl WebhookDelivery {
    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
