//! The credential store as a trait. An engine can implement it; the default is
//! `store::SqliteStore`. A store keeps credentials, grants leases, and returns summaries. It is
//! independent of services, sends nothing, and refreshes nothing; the module `oauth` implements the
//! life cycle.

use async_trait::async_trait;

use super::CredentialError;
use super::status::CredentialSummary;
use super::stored::{
    Claim, ConnectionKey, CredentialId, Head, HeadChange, Health, LastUse, Lease, LeaseChange,
    NewCredential, Renewal, Stored,
};

/// Keeps credentials. Every method happens as a whole or not at all, and holds between processes
/// that share the store.
///
/// The tests of the module `oauth` check the requirements for an implementation through this trait:
/// a refresh replaces all secrets atomically and only at the revision that was read; of several
/// concurrent claims, one is granted; a change of a lease by anyone except its current holder is
/// refused.
#[async_trait]
pub trait CredentialStore: Send + Sync + 'static {
    /// A connection with its secrets.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Unknown`] where there is no such name, [`CredentialError::NotConnected`]
    /// where nobody (or not this user) has connected under it, and when the store fails.
    async fn open(&self, key: &ConnectionKey) -> Result<Stored, CredentialError>;

    /// Head of a credential: the data of its name. Opens no secret.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Unknown`], and when the store fails.
    async fn head(&self, credential: &CredentialId) -> Result<Head, CredentialError>;

    /// All connections of all tenants, by tenant, name and user; a credential that nobody has connected yet once without
    /// a user. Opens no secret.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn list(&self) -> Result<Vec<CredentialSummary>, CredentialError>;

    /// Keeps a credential: makes the name, or adds a user's connection to one that is per user.
    /// With `replacing` it replaces all of the connection that has this revision, and resets its
    /// lease. Returns the revision.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Exists`] where the name (or the user's connection) is there and is not to
    /// be replaced, [`CredentialError::Changed`] where it has another revision, and when what
    /// belongs to the name would change.
    async fn keep(
        &self,
        credential: NewCredential,
        replacing: Option<u64>,
    ) -> Result<u64, CredentialError>;

    /// Stores new tokens before anybody uses them. Returns the new revision. The connection is then
    /// connected, and no refresh is in progress.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Changed`] where the connection has another revision by now.
    async fn renew(
        &self,
        key: &ConnectionKey,
        revision: u64,
        renewal: Renewal,
    ) -> Result<u64, CredentialError>;

    /// Notes how a connection is. [`Health::Disconnected`] wipes its secrets.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Changed`] where the connection has another revision by now.
    async fn set_health(
        &self,
        key: &ConnectionKey,
        revision: u64,
        health: Health,
    ) -> Result<(), CredentialError>;

    /// Notes whose a connection is at the service, as a test has found out.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Changed`] where the connection has another revision by now.
    async fn set_identity(
        &self,
        key: &ConnectionKey,
        revision: u64,
        identity: serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), CredentialError>;

    /// Changes the head of a credential.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Unknown`], and when the store fails.
    async fn change(
        &self,
        credential: &CredentialId,
        change: HeadChange,
    ) -> Result<(), CredentialError>;

    /// Removes a name and all its connections.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Unknown`], and when the store fails.
    async fn remove(&self, credential: &CredentialId) -> Result<(), CredentialError>;

    /// Asks for the right to refresh a connection, for so many milliseconds.
    ///
    /// # Errors
    ///
    /// When there is no such connection, or the store fails.
    async fn claim(&self, key: &ConnectionKey, milliseconds: u64)
    -> Result<Claim, CredentialError>;

    /// Changes a lease as its holder. `None`: it is another's by now, and nothing was changed.
    ///
    /// # Errors
    ///
    /// When there is no such connection, or the store fails.
    async fn hold(
        &self,
        key: &ConnectionKey,
        fence: u64,
        change: LeaseChange,
    ) -> Result<Option<Lease>, CredentialError>;

    /// Notes a use, and the workflow that named the credential. May be coarse: a use soon after
    /// the last one by the same need not be written down.
    async fn note_use(&self, key: &ConnectionKey, last: LastUse, workflow: Option<&str>);
}
