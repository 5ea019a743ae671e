//! Credentials over time: who may use which, renewing them, and their end. Sits above the store
//! ([`CredentialStore`]) and below the host, for which it is the source of credentials.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use tokio_util::task::TaskTracker;

use super::connect::Pending;
use crate::approval::Approvals;
use crate::audit::{AuditLog, CredentialEvent, CredentialOperation};
use crate::clock::Clock;
use crate::credential::{
    ConnectionKey, CredentialError, CredentialId, CredentialRequest, CredentialStore, Dependant,
    Head, HeadChange, Mode,
};
use crate::egress::Endpoints;
use crate::principal::{Principal, Tenant, User};
use crate::transport::Transport;

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
    /// No pause is longer, whatever the service asks for.
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

/// Who wants something done to a credential, as the engine knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// Who it is. Nobody reaches anything of another tenant.
    pub principal: Principal,
    /// Whether this is an administrator of the tenant: may do for others what they may do.
    pub is_admin: bool,
}

impl Actor {
    /// An administrator of the default tenant, e.g. whoever owns the store's file and key.
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

/// Hears what befalls credentials. Every method has a default that does nothing.
#[async_trait]
pub trait CredentialEvents: Send + Sync + 'static {
    /// Somebody has disconnected it.
    async fn disconnected(&self, event: &CredentialEnded) {
        let _ = event;
    }

    /// It was found that only a person can make it work again: the service has refused it, or what
    /// would renew it. One that was only refused is still tried at its next use.
    async fn needs_reconnect(&self, event: &CredentialEnded) {
        let _ = event;
    }
}

struct NoEvents;

impl CredentialEvents for NoEvents {}

/// Credentials over time. Cheap to clone.
#[derive(Clone)]
pub struct CredentialManager(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn CredentialStore>,
    pub(crate) endpoints: Endpoints,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: AuditLog,
    pub(crate) events: Arc<dyn CredentialEvents>,
    pub(crate) timing: Timing,
    /// One turn per connection that is being renewed in this process.
    flights: Mutex<HashMap<ConnectionKey, Arc<tokio::sync::Mutex<()>>>>,
    /// Authorizations that a person has not come back from yet, by their state.
    pub(crate) pending: Mutex<HashMap<String, Pending>>,
    /// Connections that the service has refused and that are not noted as working again.
    pub(crate) refused: Mutex<BTreeSet<ConnectionKey>>,
    /// The revision of each connection whose end was told, so that it is told once, however many
    /// calls find it.
    pub(crate) told: Mutex<HashMap<ConnectionKey, u64>>,
    /// The mode of each credential that was given out, as it was last seen.
    pub(crate) modes: Mutex<HashMap<CredentialId, Mode>>,
    pub(crate) under_way: TaskTracker,
}

/// What a manager works with.
pub(crate) struct Services {
    pub(crate) store: Arc<dyn CredentialStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) approvals: Arc<dyn Approvals>,
    pub(crate) audit: AuditLog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Option<Arc<dyn CredentialEvents>>,
    pub(crate) timing: Timing,
}

impl CredentialManager {
    pub(crate) fn new(services: Services) -> Self {
        let Services { store, transport, approvals, audit, clock, events, timing } = services;
        let endpoints =
            Endpoints { transport, approvals, audit: audit.clone(), clock: clock.clone() };
        Self(Arc::new(Inner {
            store,
            endpoints,
            clock,
            audit,
            events: events.unwrap_or_else(|| Arc::new(NoEvents)),
            timing,
            flights: Mutex::default(),
            pending: Mutex::default(),
            refused: Mutex::default(),
            told: Mutex::default(),
            modes: Mutex::default(),
            under_way: TaskTracker::new(),
        }))
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn CredentialStore> {
        &self.0.store
    }

    /// Waits for what is under way: a program that ends in the middle of a refresh does not know
    /// what came of it. Bounded by the time that a token endpoint may take.
    pub async fn settle(&self) {
        self.0.under_way.close();
        tokio::select! {
            () = self.0.under_way.wait() => {}
            () = self.0.clock.sleep(self.0.timing.answer) => {
                tracing::warn!("a token is still being refreshed");
            }
        }
        self.0.under_way.reopen();
    }

    /// Changes what belongs to a credential's name. Another mode wipes the secrets of all its
    /// connections: each has to be connected again.
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
        let head = self.0.store.head(&id).await?;
        let permitted = permit_management(&head, None, by);
        self.audit_of(&head, CredentialOperation::Change, by, permitted.as_ref().err()).await;
        permitted?;
        self.0.store.change(&id, change).await
    }

    /// Workflows that have named a credential; empty where the store cannot tell.
    pub async fn dependants(&self, credential: impl Into<CredentialId>) -> Vec<Dependant> {
        let CredentialId { tenant, name } = credential.into();
        let listed = self.0.store.list().await.unwrap_or_default();
        listed
            .into_iter()
            .find(|one| one.tenant == tenant && one.name == name)
            .map(|one| one.dependants)
            .unwrap_or_default()
    }

    pub(crate) fn flight(&self, key: &ConnectionKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.0.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.entry(key.clone()).or_default().clone()
    }

    /// Forgets a turn that nobody waits for.
    pub(crate) fn land(&self, key: &ConnectionKey, flight: Arc<tokio::sync::Mutex<()>>) {
        let mut flights = self.0.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's, and ours.
        if Arc::strong_count(&flight) <= 2 {
            flights.remove(key);
        }
    }

    /// Records in the audit log what was done for a request.
    pub(crate) async fn audit(
        &self,
        request: &CredentialRequest,
        operation: CredentialOperation,
        refused: Option<String>,
    ) {
        let event = CredentialEvent {
            time: self.0.clock.unix_milliseconds(),
            credential: request.name.clone(),
            operation,
            node: request.node.clone(),
            action: Some(request.action.clone()).filter(|action| !action.is_empty()),
            plugin: request.plugin.map(|plugin| plugin.to_string()),
            actor: request.actor.clone(),
            workflow: request.workflow.clone(),
            refused,
        };
        self.0.audit.credential(event).await;
    }

    pub(crate) async fn audit_of(
        &self,
        head: &Head,
        operation: CredentialOperation,
        by: &Actor,
        refused: Option<&CredentialError>,
    ) {
        let request = CredentialRequest {
            name: head.name.clone(),
            node: head.node.clone(),
            actor: by.principal.clone(),
            ..CredentialRequest::default()
        };
        self.audit(&request, operation, refused.map(ToString::to_string)).await;
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
