//! A store that is opened when it is first used.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{SqliteStore, StoreError};
use crate::credential::{
    Claim, ConnectionKey, CredentialError, CredentialId, CredentialStore, CredentialSummary, Head,
    HeadChange, Health, LastUse, Lease, LeaseChange, NewCredential, Renewal, Stored,
};
use crate::limits::TriggerLimits;
use crate::subscription::{
    Acceptance, Delivered, NewEvent, Pending, StoredSubscription, Subscription, TriggerEvent,
    TriggerStore, TriggerStoreError,
};

type Opener = Box<dyn Fn() -> Result<SqliteStore, StoreError> + Send + Sync>;

/// A [`SqliteStore`] that is opened when it is first used, so that a host can be built, plugins
/// loaded, and input checked before anybody is asked for a key. Cheap to clone; all clones share
/// one store.
#[derive(Clone, Default)]
pub struct LazyStore(Arc<Inner>);

#[derive(Default)]
struct Inner {
    store: OnceLock<SqliteStore>,
    /// Held while the store is being opened, so that it is opened once.
    opening: Mutex<()>,
    open: Option<Opener>,
}

impl fmt::Debug for LazyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LazyStore").field("opened", &self.opened().is_some()).finish()
    }
}

impl LazyStore {
    /// A store that `open` opens when it is first used. If that fails, the use fails with the error,
    /// and the next use tries again. `open` may block: it runs on a thread for blocking work.
    pub fn new(open: impl Fn() -> Result<SqliteStore, StoreError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { open: Some(Box::new(open)), ..Inner::default() }))
    }

    /// The store, if it is open.
    pub fn opened(&self) -> Option<&SqliteStore> {
        self.0.store.get()
    }

    /// The store, opened if it was not. May block.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn get(&self) -> Result<&SqliteStore, StoreError> {
        self.open_with(|| match &self.0.open {
            Some(open) => open(),
            None => Err(StoreError::NotOpened),
        })
    }

    /// Returns the store, opened by `open` if necessary. May block. A program that reports its own
    /// errors calls this before the host uses the store.
    ///
    /// # Errors
    ///
    /// When `open` fails.
    pub fn open_with<E>(
        &self,
        open: impl FnOnce() -> Result<SqliteStore, E>,
    ) -> Result<&SqliteStore, E> {
        if let Some(store) = self.opened() {
            return Ok(store);
        }
        let _opening = self.0.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = self.opened() {
            return Ok(store);
        }
        let store = open()?;
        Ok(self.0.store.get_or_init(|| store))
    }

    /// The store, opened off the executor if it was not.
    async fn ready(&self) -> Result<&SqliteStore, StoreError> {
        if let Some(store) = self.opened() {
            return Ok(store);
        }
        let own = self.clone();
        let opened = tokio::task::spawn_blocking(move || own.get().map(drop)).await;
        opened.map_err(StoreError::unwritable)??;
        self.opened().ok_or(StoreError::NotOpened)
    }

    /// As a trait object, because the store has methods of the same names that block.
    async fn credentials(&self) -> Result<&dyn CredentialStore, CredentialError> {
        let store: &SqliteStore = self.ready().await?;
        Ok(store)
    }

    async fn triggers(&self) -> Result<&dyn TriggerStore, TriggerStoreError> {
        let opened = self.ready().await;
        let store = opened.map_err(TriggerStoreError::failed)?;
        Ok(store)
    }
}

#[async_trait]
impl CredentialStore for LazyStore {
    async fn open(&self, key: &ConnectionKey) -> Result<Stored, CredentialError> {
        self.credentials().await?.open(key).await
    }

    async fn head(&self, credential: &CredentialId) -> Result<Head, CredentialError> {
        self.credentials().await?.head(credential).await
    }

    async fn list(&self) -> Result<Vec<CredentialSummary>, CredentialError> {
        self.credentials().await?.list().await
    }

    async fn keep(
        &self,
        credential: NewCredential,
        replacing: Option<u64>,
    ) -> Result<u64, CredentialError> {
        self.credentials().await?.keep(credential, replacing).await
    }

    async fn renew(
        &self,
        key: &ConnectionKey,
        revision: u64,
        renewal: Renewal,
    ) -> Result<u64, CredentialError> {
        self.credentials().await?.renew(key, revision, renewal).await
    }

    async fn set_health(
        &self,
        key: &ConnectionKey,
        revision: u64,
        health: Health,
    ) -> Result<(), CredentialError> {
        self.credentials().await?.set_health(key, revision, health).await
    }

    async fn set_identity(
        &self,
        key: &ConnectionKey,
        revision: u64,
        identity: Map<String, Value>,
    ) -> Result<(), CredentialError> {
        self.credentials().await?.set_identity(key, revision, identity).await
    }

    async fn change(
        &self,
        credential: &CredentialId,
        change: HeadChange,
    ) -> Result<(), CredentialError> {
        self.credentials().await?.change(credential, change).await
    }

    async fn remove(&self, credential: &CredentialId) -> Result<(), CredentialError> {
        self.credentials().await?.remove(credential).await
    }

    async fn claim(
        &self,
        key: &ConnectionKey,
        milliseconds: u64,
    ) -> Result<Claim, CredentialError> {
        self.credentials().await?.claim(key, milliseconds).await
    }

    async fn hold(
        &self,
        key: &ConnectionKey,
        fence: u64,
        change: LeaseChange,
    ) -> Result<Option<Lease>, CredentialError> {
        self.credentials().await?.hold(key, fence, change).await
    }

    async fn note_use(&self, key: &ConnectionKey, last: LastUse, workflow: Option<&str>) {
        if let Ok(store) = self.credentials().await {
            store.note_use(key, last, workflow).await;
        }
    }
}

#[async_trait]
impl TriggerStore for LazyStore {
    async fn subscriptions(&self) -> Result<Vec<Subscription>, TriggerStoreError> {
        self.triggers().await?.subscriptions().await
    }

    async fn open(&self, name: &str) -> Result<StoredSubscription, TriggerStoreError> {
        self.triggers().await?.open(name).await
    }

    async fn keep(
        &self,
        keep: StoredSubscription,
        replacing: Option<u64>,
    ) -> Result<u64, TriggerStoreError> {
        self.triggers().await?.keep(keep, replacing).await
    }

    async fn remove(&self, name: &str) -> Result<(), TriggerStoreError> {
        self.triggers().await?.remove(name).await
    }

    async fn accept(
        &self,
        name: &str,
        id: Option<&str>,
        delivered: &Delivered,
        limits: &TriggerLimits,
    ) -> Result<Acceptance, TriggerStoreError> {
        self.triggers().await?.accept(name, id, delivered, limits).await
    }

    async fn room(&self, name: &str, limits: &TriggerLimits) -> Result<(), TriggerStoreError> {
        self.triggers().await?.room(name, limits).await
    }

    async fn pending(&self, name: &str) -> Result<Option<Pending>, TriggerStoreError> {
        self.triggers().await?.pending(name).await
    }

    async fn settle(
        &self,
        name: &str,
        number: u64,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError> {
        self.triggers().await?.settle(name, number, events, limits).await
    }

    async fn fail(
        &self,
        name: &str,
        number: u64,
        reason: &str,
        put_aside: bool,
        limits: &TriggerLimits,
    ) -> Result<(), TriggerStoreError> {
        self.triggers().await?.fail(name, number, reason, put_aside, limits).await
    }

    async fn advance(
        &self,
        name: &str,
        before: Option<&Value>,
        cursor: &Value,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError> {
        self.triggers().await?.advance(name, before, cursor, events, limits).await
    }

    async fn event(&self, name: &str) -> Result<Option<TriggerEvent>, TriggerStoreError> {
        self.triggers().await?.event(name).await
    }

    async fn taken(&self, name: &str, number: u64) -> Result<(), TriggerStoreError> {
        self.triggers().await?.taken(name, number).await
    }
}
