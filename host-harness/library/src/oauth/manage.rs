//! Credentials over time, as an engine uses them: access, connection, and renewal over one store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value};

use super::ConnectError;
use super::access::Access;
use super::backend::Backend;
use super::connect::{Authorization, Connector, DeviceAuthorization};
use super::ending::Disconnection;
use super::order::ConnectOrder;
use super::outcome::NewConnection;
use super::renew::Renewer;
use crate::audit::CredentialOperation;
use crate::credential::rights::Right;
use crate::credential::{
    ConnectionKey, Credential, CredentialError, CredentialId, CredentialRequest, CredentialSource,
    CredentialStore, Dependant, Head, HeadChange,
};
use crate::plugin::Plugin;
use crate::principal::{Principal, Tenant, User};
use crate::secret::Secret;

/// How long things may take while tokens are got and renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long one process may hold the right to renew without a sign of life.
    pub lease: Duration,
    /// How long a token endpoint may take to answer.
    pub answer: Duration,
    /// How long to wait for another process that renews.
    pub waiting: Duration,
    /// How often a token endpoint is asked, where it may be asked again.
    pub attempts: u32,
    /// The pause after the first attempt; the next ones double it.
    pub first_pause: Duration,
    /// Maximum pause, even if the service asks for a longer one.
    pub longest_pause: Duration,
    /// How long nobody asks again after the service has refused for good.
    pub after_refusal: Duration,
    /// No access token is renewed earlier than this before its end; one that lives shortly is
    /// renewed in the last tenth of its life.
    pub skew: Duration,
    /// How long a person may take to come back from the service.
    pub pending: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            answer: Duration::from_secs(60),
            waiting: Duration::from_secs(180),
            attempts: 4,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            after_refusal: Duration::from_secs(60),
            skew: Duration::from_secs(60),
            pending: Duration::from_secs(600),
        }
    }
}

/// The user who requests an operation on a credential, as identified by the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// Who it is. Nobody reaches anything of another tenant.
    pub principal: Principal,
    /// Whether this is an administrator of the tenant: may do for others what they may do.
    pub is_admin: bool,
}

impl Actor {
    /// An administrator of the default tenant, such as the owner of the store's file and key.
    pub fn admin() -> Self {
        Self { principal: Principal::default(), is_admin: true }
    }

    /// A user of the default tenant.
    pub fn user(user: impl Into<User>) -> Self {
        Principal::user(user).into()
    }
}

impl From<Principal> for Actor {
    fn from(principal: Principal) -> Self {
        Self { principal, is_admin: false }
    }
}

/// A credential has ended. An engine runs the fallback of everything that depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialEnded {
    /// The tenant that it belongs to.
    pub tenant: Tenant,
    /// Its name.
    pub credential: String,
    /// With [`Mode::PerUser`](crate::credential::Mode::PerUser) whose connection it was.
    pub user: Option<User>,
    /// Why, for people.
    pub reason: String,
    /// Workflows that have named it.
    pub dependants: Vec<Dependant>,
}

/// Receives credential life-cycle events. Every method has a default that does nothing.
#[async_trait]
pub trait CredentialEvents: Send + Sync + 'static {
    /// Somebody has disconnected it.
    async fn disconnected(&self, event: &CredentialEnded) {
        let _ = event;
    }

    /// The credential cannot work again without a person: the service has rejected it, or the token
    /// that would renew it. One that was only rejected is still tried at its next use.
    async fn needs_reconnect(&self, event: &CredentialEnded) {
        let _ = event;
    }
}

/// Credentials over time. Cheap to clone.
#[derive(Clone)]
pub struct CredentialManager(Arc<Inner>);

struct Inner {
    backend: Arc<Backend>,
    access: Access,
    connector: Connector,
    renewer: Renewer,
}

impl CredentialManager {
    pub(crate) fn new(backend: Backend) -> Self {
        let backend = Arc::new(backend);
        let renewer = Renewer::new(backend.clone());
        Self(Arc::new(Inner {
            access: Access::new(backend.clone(), renewer.clone()),
            connector: Connector::new(backend.clone()),
            renewer,
            backend,
        }))
    }

    /// Access control that supplies credentials to executions.
    pub(crate) fn access(&self) -> Access {
        self.0.access.clone()
    }

    #[cfg(test)]
    pub(crate) fn backend(&self) -> &Backend {
        &self.0.backend
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn CredentialStore> {
        &self.0.backend.store
    }

    /// Waits for what is in progress: a program that ends in the middle of a refresh does not know
    /// the result. Bounded by the time that a token endpoint may take.
    pub async fn settle(&self) {
        self.0.renewer.settle().await;
    }

    /// Changes the head of a credential. Another mode wipes the secrets of all its connections:
    /// each has to be connected again.
    ///
    /// # Errors
    ///
    /// When there is none, or `by` is neither its owner nor an administrator.
    pub async fn change(
        &self,
        name: &str,
        change: HeadChange,
        by: &Actor,
    ) -> Result<(), CredentialError> {
        let id = CredentialId::of(by.principal.tenant.clone(), name);
        let head = self.0.backend.store.head(&id).await?;
        let permitted = permit_management(&head, None, by);
        self.0
            .backend
            .audit_of(&head, CredentialOperation::Change, by, permitted.as_ref().err())
            .await;
        permitted?;
        self.0.backend.store.change(&id, change).await
    }

    /// Workflows that have named a credential. Empty if the store does not have it.
    pub async fn dependants(&self, credential: impl Into<CredentialId>) -> Vec<Dependant> {
        self.0.backend.dependants(credential).await
    }

    /// Begins an authorization. Returns the text to show the person, and the URL to open.
    ///
    /// # Errors
    ///
    /// If the plugin is not approved, the type does not have this grant, the form is invalid, the
    /// name is in use, `by` lacks permission, or no code may be sent to the redirect URI.
    pub async fn begin(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Actor,
    ) -> Result<Authorization, ConnectError> {
        self.0.connector.begin(plugin, order, by).await
    }

    /// Gives an authorization up.
    pub fn abandon(&self, state: &str) {
        self.0.connector.abandon(state)
    }

    /// Takes an authorization out of this process: it cannot be finished here until it is
    /// [restored](Self::restore), here or in another process. The text holds secrets; an engine seals
    /// it before it stores it, together with the authorization's state.
    ///
    /// # Errors
    ///
    /// If no authorization of this state waits here.
    pub fn suspend(&self, state: &str) -> Result<Secret, ConnectError> {
        self.0.connector.suspend(state)
    }

    /// Puts an authorization back that was [suspended](Self::suspend), so that it can be finished. It
    /// keeps the time at which it began.
    ///
    /// # Errors
    ///
    /// If it took too long, the text is not one that was suspended, another build of the plugin has
    /// begun it, or as [`begin`](Self::begin).
    pub async fn restore(
        &self,
        plugin: &Plugin,
        state: &str,
        suspended: &Secret,
    ) -> Result<(), ConnectError> {
        self.0.connector.restore(plugin, state, suspended).await
    }

    /// The rights that an order asks for, in words, before anything is begun. `None` if the form of
    /// the credential type decides, and says so only once it is complete.
    ///
    /// # Errors
    ///
    /// If the plugin is not approved, or has no such credential type, action, or access.
    pub async fn rights_of(
        &self,
        plugin: &Plugin,
        order: &ConnectOrder,
    ) -> Result<Option<Vec<Right>>, ConnectError> {
        self.0.connector.rights_of(plugin, order).await
    }

    /// Finishes an authorization with the URL that the service has sent the person back to. Each
    /// can be finished once, and by the principal who has begun it: otherwise a person who consents would give
    /// their account to somebody who has sent them the address.
    ///
    /// # Errors
    ///
    /// When the callback belongs to no authorization of this principal that waits, comes from
    /// somebody else, or the service refuses. Nothing is kept then.
    pub async fn finish(&self, callback: &str, by: &Actor) -> Result<NewConnection, ConnectError> {
        self.0.connector.finish(callback, by).await
    }

    /// Gets an app's own token (client credentials).
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), and when the service refuses.
    pub async fn connect_app(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Actor,
    ) -> Result<NewConnection, ConnectError> {
        self.0.connector.connect_app(plugin, order, by).await
    }

    /// Connects by device authorization (RFC 8628): asks the service for a code, passes it to `show`, and
    /// waits until the person has entered it on a page of the service, for at most half an hour. Nothing
    /// is kept if the future is dropped.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), when the service refuses, the person declines, or the code expires.
    pub async fn connect_device(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Actor,
        show: impl FnOnce(&DeviceAuthorization) + Send,
    ) -> Result<NewConnection, ConnectError> {
        self.0.connector.connect_device(plugin, order, by, show).await
    }

    /// Takes secrets that a person has typed in. Nothing is sent: a test proves them.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub async fn connect_fixed(
        &self,
        plugin: &Plugin,
        order: ConnectOrder,
        by: &Actor,
    ) -> Result<NewConnection, ConnectError> {
        self.0.connector.connect_fixed(plugin, order, by).await
    }

    /// An order that connects again what is there: its fields and the app's secrets, what it asked
    /// for, everything but the tokens.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn order_again(&self, key: &ConnectionKey) -> Result<ConnectOrder, CredentialError> {
        self.0.connector.order_again(key).await
    }

    /// An order that reconnects with more scopes: those that these actions and triggers need, and
    /// these scopes, in addition to the existing ones. The second part contains the new scopes; if
    /// it is empty, no request is needed. The request names all scopes, because the new token
    /// replaces the old one. A service that remembers consent asks the user only for the new ones.
    ///
    /// # Errors
    ///
    /// When there is no such connection or action, or its type takes no list of rights.
    pub async fn order_extended(
        &self,
        plugin: &Plugin,
        key: &ConnectionKey,
        actions: &[String],
        scopes: &[String],
    ) -> Result<(ConnectOrder, Vec<String>), ConnectError> {
        self.0.connector.order_extended(plugin, key, actions, scopes).await
    }

    /// Keeps a connection. Returns its revision.
    ///
    /// # Errors
    ///
    /// When somebody else has connected it, when it is for another account than before and nobody has
    /// confirmed that, when the name was taken or the connection changed meanwhile, or when the store cannot be written.
    pub async fn keep(&self, connection: NewConnection, by: &Actor) -> Result<u64, ConnectError> {
        self.0.connector.keep(connection, by).await
    }

    /// Discards a connection that is not to be kept. Asks the service to revoke the tokens that it
    /// has just issued, if it supports that.
    pub async fn discard(&self, connection: NewConnection) {
        self.0.connector.discard(connection).await
    }

    /// Notes whose a credential is, as a test has found out.
    ///
    /// # Errors
    ///
    /// When it is not there or was changed meanwhile.
    pub async fn note_identity(
        &self,
        key: &ConnectionKey,
        identity: Map<String, Value>,
    ) -> Result<(), CredentialError> {
        self.0.connector.note_identity(key, identity).await
    }

    /// Ends a connection: requests revocation of its tokens if the service supports it, and wipes
    /// them from the store regardless of the response. The name is kept, so that reconnecting
    /// restores everything that refers to it. `plugin` describes how the service revokes tokens;
    /// without it, no revocation is requested.
    ///
    /// # Errors
    ///
    /// When there is none, when `by` may not, or when the store cannot be written.
    pub async fn disconnect(
        &self,
        key: &ConnectionKey,
        by: &Actor,
        plugin: Option<&Plugin>,
    ) -> Result<Disconnection, CredentialError> {
        self.0.connector.disconnect(key, by, plugin).await
    }
}

#[async_trait]
impl CredentialSource for CredentialManager {
    async fn credential(&self, request: &CredentialRequest) -> Result<Credential, CredentialError> {
        self.0.access.credential(request).await
    }

    async fn refreshed(
        &self,
        request: &CredentialRequest,
        revision: u64,
    ) -> Result<Credential, CredentialError> {
        self.0.access.refreshed(request, revision).await
    }

    fn is_shared(&self, request: &CredentialRequest) -> bool {
        self.0.access.is_shared(request)
    }

    fn refused(&self, request: &CredentialRequest, revision: u64) {
        self.0.access.refused(request, revision);
    }

    fn accepted(&self, request: &CredentialRequest, revision: u64) {
        self.0.access.accepted(request, revision);
    }
}

/// Only the owner, an administrator, or whose own connection it is; nobody of another tenant.
pub(crate) fn permit_management(
    head: &Head,
    user: Option<&User>,
    by: &Actor,
) -> Result<(), CredentialError> {
    let Principal { tenant, user: acting } = &by.principal;
    if head.tenant != *tenant {
        return Err(CredentialError::Unknown(head.name.clone()));
    }
    let is_owner = head.owner.as_ref() == Some(acting);
    let is_own = user == Some(acting);
    if by.is_admin || is_owner || is_own {
        return Ok(());
    }
    let reason = "only its owner or an administrator can do this".to_owned();
    Err(CredentialError::Forbidden { name: head.name.clone(), reason })
}
