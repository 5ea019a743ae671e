//! The late store as the host's: every question goes to the store below, once that is open.

use async_trait::async_trait;
use serde_json::{Map, Value};
use workflow_node_host::credential::{
    Claim, ConnectionKey, CredentialError, CredentialId, CredentialStore, CredentialSummary, Head,
    HeadChange, Health, LastUse, Lease, LeaseChange, NewCredential, Renewal, Stored,
};
use workflow_node_host::store::SqliteStore;

use super::LateStore;

impl LateStore {
    /// As a trait object, because the store has methods of the same names that block.
    fn below(&self) -> Result<&dyn CredentialStore, CredentialError> {
        let store: &SqliteStore = self.0.get().ok_or_else(|| {
            CredentialError::Source(
                "The credential store was not \
                                                                opened"
                    .to_owned(),
            )
        })?;
        Ok(store)
    }
}

#[async_trait]
impl CredentialStore for LateStore {
    async fn open(&self, key: &ConnectionKey) -> Result<Stored, CredentialError> {
        self.below()?.open(key).await
    }

    async fn head(&self, credential: &CredentialId) -> Result<Head, CredentialError> {
        self.below()?.head(credential).await
    }

    async fn list(&self) -> Result<Vec<CredentialSummary>, CredentialError> {
        self.below()?.list().await
    }

    async fn keep(
        &self,
        credential: NewCredential,
        replacing: Option<u64>,
    ) -> Result<u64, CredentialError> {
        self.below()?.keep(credential, replacing).await
    }

    async fn renew(
        &self,
        key: &ConnectionKey,
        revision: u64,
        renewal: Renewal,
    ) -> Result<u64, CredentialError> {
        self.below()?.renew(key, revision, renewal).await
    }

    async fn set_health(
        &self,
        key: &ConnectionKey,
        revision: u64,
        health: Health,
    ) -> Result<(), CredentialError> {
        self.below()?.set_health(key, revision, health).await
    }

    async fn set_identity(
        &self,
        key: &ConnectionKey,
        revision: u64,
        identity: Map<String, Value>,
    ) -> Result<(), CredentialError> {
        self.below()?.set_identity(key, revision, identity).await
    }

    async fn change(
        &self,
        credential: &CredentialId,
        change: HeadChange,
    ) -> Result<(), CredentialError> {
        self.below()?.change(credential, change).await
    }

    async fn remove(&self, credential: &CredentialId) -> Result<(), CredentialError> {
        self.below()?.remove(credential).await
    }

    async fn claim(
        &self,
        key: &ConnectionKey,
        milliseconds: u64,
    ) -> Result<Claim, CredentialError> {
        self.below()?.claim(key, milliseconds).await
    }

    async fn hold(
        &self,
        key: &ConnectionKey,
        fence: u64,
        change: LeaseChange,
    ) -> Result<Option<Lease>, CredentialError> {
        self.below()?.hold(key, fence, change).await
    }

    async fn note_use(&self, key: &ConnectionKey, last: LastUse, workflow: Option<&str>) {
        if let Ok(store) = self.below() {
            store.note_use(key, last, workflow).await;
        }
    }
}
