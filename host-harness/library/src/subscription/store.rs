//! Storage for subscriptions and their received data until it is delivered.

use async_trait::async_trait;
use serde_json::Value;

use super::{Delivered, NewEvent, StoredSubscription, Subscription, TriggerEvent};
use crate::limits::TriggerLimits;
use crate::names::names;

/// Why a store of subscriptions cannot do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TriggerStoreError {
    /// There is none of this name.
    #[error("subscription `{name}` not found{}", one_of(known))]
    Unknown {
        /// The name.
        name: String,
        /// Those that are there.
        known: Vec<String>,
    },
    /// The name is taken.
    #[error(
        "subscription `{0}` already exists. Choose another name, or remove the existing \
             subscription"
    )]
    Exists(String),
    /// It was changed since it was read.
    #[error(
        "subscription `{0}` was changed in the meantime. Check whether another process runs it"
    )]
    Changed(String),
    /// So much is stored already that nothing can be added.
    #[error("Cannot store more for the subscription `{name}`: {reason}")]
    Full {
        /// The name.
        name: String,
        /// Name of the limit that is reached, and its value.
        reason: String,
    },
    /// The store failed. The source of this error is the error that it reported.
    #[error("the store of subscriptions failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TriggerStoreError {
    /// The store failed with this error.
    pub fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }
}

fn one_of(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!(". Available: {}", known.join(", ")),
    }
}

names! {
    /// Result of storing a delivery.
    pub enum Acceptance {
        /// It is stored.
        Kept = "kept",
        /// One with the same ID was stored before.
        Repeated = "repeated",
        /// So many are stored that there is no room.
        Full = "full",
    }
}

/// A delivery that waits for the plugin.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Its number in the store.
    pub number: u64,
    /// Contents of the delivery.
    pub delivered: Delivered,
    /// How often the plugin has failed at it.
    pub failures: u32,
}

/// Keeps subscriptions. Every method happens as a whole or not at all.
#[async_trait]
pub trait TriggerStore: Send + Sync + 'static {
    /// All of them, by name.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn subscriptions(&self) -> Result<Vec<Subscription>, TriggerStoreError>;

    /// One with its secrets.
    ///
    /// # Errors
    ///
    /// [`TriggerStoreError::Unknown`], and when the store fails.
    async fn open(&self, name: &str) -> Result<StoredSubscription, TriggerStoreError>;

    /// Stores a new one (`replacing` is `None`), or changes the one that has this revision; its
    /// cursor is unchanged. Returns the revision.
    ///
    /// # Errors
    ///
    /// [`TriggerStoreError::Exists`], [`TriggerStoreError::Changed`],
    /// [`TriggerStoreError::Unknown`], and when the store fails.
    async fn keep(
        &self,
        keep: StoredSubscription,
        replacing: Option<u64>,
    ) -> Result<u64, TriggerStoreError>;

    /// Removes a subscription with all received data. It is not an error if the subscription does
    /// not exist.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn remove(&self, name: &str) -> Result<(), TriggerStoreError>;

    /// Stores a delivery until it is [settled](Self::settle): unless one with this id was stored
    /// before, or as many wait as the limits allow.
    ///
    /// # Errors
    ///
    /// [`TriggerStoreError::Unknown`], and when the store fails.
    async fn accept(
        &self,
        name: &str,
        id: Option<&str>,
        delivered: &Delivered,
        limits: &TriggerLimits,
    ) -> Result<Acceptance, TriggerStoreError>;

    /// Whether events can be stored: asked before a plugin is called for some.
    ///
    /// # Errors
    ///
    /// [`TriggerStoreError::Full`] while there is no room, [`TriggerStoreError::Unknown`], and when
    /// the store fails.
    async fn room(&self, name: &str, limits: &TriggerLimits) -> Result<(), TriggerStoreError>;

    /// The delivery that has waited longest, and was not put aside.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn pending(&self, name: &str) -> Result<Option<Pending>, TriggerStoreError>;

    /// A delivery has become these events: keeps those whose key is new, and forgets the delivery.
    /// Returns how many events were new.
    ///
    /// # Errors
    ///
    /// [`TriggerStoreError::Full`] where there is no [room](Self::room) for the events, and when the
    /// store fails.
    async fn settle(
        &self,
        name: &str,
        number: u64,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError>;

    /// The plugin has failed at a delivery. With `put_aside` it is not tried again, but kept; of
    /// those put aside, the oldest are removed where there are more than the limits allow.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn fail(
        &self,
        name: &str,
        number: u64,
        reason: &str,
        put_aside: bool,
        limits: &TriggerLimits,
    ) -> Result<(), TriggerStoreError>;

    /// A poll that began at the cursor `before` has found these events: keeps those whose key is
    /// new, together with the new cursor. Returns how many were new.
    ///
    /// # Errors
    ///
    /// [`TriggerStoreError::Changed`] where the cursor is another by now,
    /// [`TriggerStoreError::Full`] where there is no [room](Self::room) for the events, and when the
    /// store fails.
    async fn advance(
        &self,
        name: &str,
        before: Option<&Value>,
        cursor: &Value,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError>;

    /// The event that has waited longest.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn event(&self, name: &str) -> Result<Option<TriggerEvent>, TriggerStoreError>;

    /// The engine has taken an event.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn taken(&self, name: &str, number: u64) -> Result<(), TriggerStoreError>;
}

/// Checks that there is room for events in addition to those that wait.
///
/// # Errors
///
/// Name of the limit that is reached, and its value.
pub(crate) fn events_waiting(
    events: usize,
    bytes: usize,
    limits: &TriggerLimits,
) -> Result<(), String> {
    if events >= limits.waiting_events {
        return Err(format!("{events} events wait for the engine (limit `waiting_events`)"));
    }
    if bytes >= limits.waiting_event_bytes {
        return Err(format!(
            "events of {bytes} bytes wait for the engine (limit `waiting_event_bytes`)"
        ));
    }
    Ok(())
}

/// Checks that a delivery of this size fits in addition to those that wait.
pub(crate) fn delivery_fits(
    waiting: usize,
    bytes: usize,
    size: usize,
    limits: &TriggerLimits,
) -> bool {
    waiting < limits.waiting_deliveries
        && bytes.saturating_add(size) <= limits.waiting_delivery_bytes
}
