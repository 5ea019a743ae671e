//! Where subscriptions are kept, and what has come for them until it is handed on.

use async_trait::async_trait;
use serde_json::Value;

use super::subscription::{Delivered, Keep, NewEvent, Subscription, TriggerEvent};

/// Why a store of subscriptions cannot do something.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TriggerStoreError {
    /// There is none of this name.
    #[error("there is no subscription `{name}`{}", one_of(known))]
    Unknown {
        /// The name.
        name: String,
        /// Those that are there.
        known: Vec<String>,
    },
    /// The name is taken.
    #[error("there is a subscription `{0}` already: choose another name, or tear that one down")]
    Exists(String),
    /// It was changed since it was read.
    #[error("the subscription `{0}` has been changed meanwhile: does another process run it, too?")]
    Changed(String),
    /// The store failed.
    #[error("the store of subscriptions failed: {0}")]
    Failed(String),
}

fn one_of(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!(". There is: {}", known.join(", ")),
    }
}

/// What has become of a delivery that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is kept.
    Kept,
    /// One with the same id was kept before.
    Repeated,
    /// So many are kept that there is no room.
    Full,
}

/// A delivery that waits for the plugin.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Its number in the store.
    pub number: u64,
    /// What was delivered.
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
    async fn open(&self, name: &str) -> Result<Keep, TriggerStoreError>;

    /// Keeps a new one (`replacing` is `None`), or changes the one that has this revision; its
    /// cursor stays as it is. Returns the revision.
    ///
    /// # Errors
    ///
    /// [`TriggerStoreError::Exists`], [`TriggerStoreError::Changed`],
    /// [`TriggerStoreError::Unknown`], and when the store fails.
    async fn keep(&self, keep: Keep, replacing: Option<u64>) -> Result<u64, TriggerStoreError>;

    /// Removes one, with all that has come for it. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn remove(&self, name: &str) -> Result<(), TriggerStoreError>;

    /// Keeps a delivery until it is [settled](Self::settle): unless one with this id was kept
    /// before, or `most` are waiting.
    ///
    /// # Errors
    ///
    /// [`TriggerStoreError::Unknown`], and when the store fails.
    async fn accept(
        &self,
        name: &str,
        id: Option<&str>,
        delivered: &Delivered,
        most: usize,
    ) -> Result<Acceptance, TriggerStoreError>;

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
    /// When the store fails.
    async fn settle(
        &self,
        name: &str,
        number: u64,
        events: &[NewEvent],
    ) -> Result<usize, TriggerStoreError>;

    /// The plugin has failed at a delivery. With `put_aside` it is not tried again, but kept.
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
    ) -> Result<(), TriggerStoreError>;

    /// A poll that began at the cursor `before` has found these events: keeps those whose key is
    /// new, together with the new cursor. Returns how many were new.
    ///
    /// # Errors
    ///
    /// [`TriggerStoreError::Changed`] where the cursor is another by now, and when the store fails.
    async fn advance(
        &self,
        name: &str,
        before: Option<&Value>,
        cursor: &Value,
        events: &[NewEvent],
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
