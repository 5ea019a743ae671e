//! The store as the host's: everything it does happens on tokio's blocking threads.

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{SqliteStore, StoreError};
use crate::causes::chain;
use crate::credential::{
    Claim, ConnectionKey, CredentialError, CredentialId, CredentialStore, CredentialSummary, Head,
    HeadChange, Health, LastUse, Lease, LeaseChange, NewCredential, Renewal, Stored,
};

impl SqliteStore {
    async fn on_blocking_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, CredentialError> {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => Ok(result?),
            Err(error) => Err(CredentialError::source_failed(error)),
        }
    }
}

#[async_trait]
impl CredentialStore for SqliteStore {
    async fn open(&self, key: &ConnectionKey) -> Result<Stored, CredentialError> {
        let key = key.clone();
        self.on_blocking_thread(move |store| store.read(&key)).await
    }

    async fn head(&self, credential: &CredentialId) -> Result<Head, CredentialError> {
        let id = credential.clone();
        self.on_blocking_thread(move |store| store.head(id)).await
    }

    async fn list(&self) -> Result<Vec<CredentialSummary>, CredentialError> {
        self.on_blocking_thread(|store| store.list()).await
    }

    async fn keep(
        &self,
        credential: NewCredential,
        replacing: Option<u64>,
    ) -> Result<u64, CredentialError> {
        self.on_blocking_thread(move |store| store.keep(credential, replacing)).await
    }

    async fn renew(
        &self,
        key: &ConnectionKey,
        revision: u64,
        renewal: Renewal,
    ) -> Result<u64, CredentialError> {
        let key = key.clone();
        self.on_blocking_thread(move |store| store.renew(&key, revision, renewal)).await
    }

    async fn set_health(
        &self,
        key: &ConnectionKey,
        revision: u64,
        health: Health,
    ) -> Result<(), CredentialError> {
        let key = key.clone();
        self.on_blocking_thread(move |store| store.set_health(&key, revision, health)).await
    }

    async fn set_identity(
        &self,
        key: &ConnectionKey,
        revision: u64,
        identity: Map<String, Value>,
    ) -> Result<(), CredentialError> {
        let key = key.clone();
        self.on_blocking_thread(move |store| store.set_identity(&key, revision, identity)).await
    }

    async fn change(
        &self,
        credential: &CredentialId,
        change: HeadChange,
    ) -> Result<(), CredentialError> {
        let id = credential.clone();
        self.on_blocking_thread(move |store| store.change(id, change)).await
    }

    async fn remove(&self, credential: &CredentialId) -> Result<(), CredentialError> {
        let id = credential.clone();
        self.on_blocking_thread(move |store| store.remove(id)).await
    }

    async fn claim(
        &self,
        key: &ConnectionKey,
        milliseconds: u64,
    ) -> Result<Claim, CredentialError> {
        let key = key.clone();
        self.on_blocking_thread(move |store| store.claim(&key, milliseconds)).await
    }

    async fn hold(
        &self,
        key: &ConnectionKey,
        fence: u64,
        change: LeaseChange,
    ) -> Result<Option<Lease>, CredentialError> {
        let key = key.clone();
        self.on_blocking_thread(move |store| store.hold(&key, fence, change)).await
    }

    /// A credential that works is not withheld because the disk is full or read-only.
    async fn note_use(&self, key: &ConnectionKey, last: LastUse, workflow: Option<&str>) {
        let (key, workflow) = (key.clone(), workflow.map(str::to_owned));
        let name = key.name.clone();
        let noted = self
            .on_blocking_thread(move |store| store.note_use(&key, &last, workflow.as_deref()))
            .await;
        if let Err(error) = noted {
            tracing::warn!(credential = name, error = %chain(&error), "the last use was not recorded");
        }
    }
}
