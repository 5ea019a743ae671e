//! Credentials over time: who may use which, renewing them, and their end. Sits above the store
//! ([`CredentialStore`]) and below the host, for which it is the source of credentials.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use tokio_util::task::TaskTracker;

use super::connect::Pending;
use super::renew::Wanted;
use super::rights;
use super::wire::{RefusalKind, Wire};
use crate::approval::Approvals;
use crate::audit::{AuditSink, CredentialDeed, CredentialEvent};
use crate::clock::Clock;
use crate::credential::{
    ConnectionKey, Credential, CredentialError, CredentialRequest, CredentialSource,
    CredentialStore, Dependant, Head, HeadChange, Health, LastUse, Mode, Stored, ended,
    outcome_unknown,
};
use crate::description::Grant;
use crate::egress::Endpoints;
use crate::plugin::Plugin;
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
pub struct Principal {
    /// In the engine's terms; `None` for whoever owns the store.
    pub id: Option<String>,
    /// Whether this is an administrator of the engine.
    pub is_admin: bool,
}

impl Principal {
    /// Whoever owns the store's file and key: may do everything.
    pub fn admin() -> Self {
        Self { id: None, is_admin: true }
    }

    /// A user.
    pub fn user(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), is_admin: false }
    }
}

/// A credential has ended. An engine runs the fallback of everything that depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialEnded {
    /// Its name.
    pub credential: String,
    /// With [`Mode::PerUser`] whose connection it was.
    pub user: Option<String>,
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

    /// It was found that only a person can make it work again.
    async fn needs_reconnect(&self, event: &CredentialEnded) {
        let _ = event;
    }
}

struct NoEvents;

impl CredentialEvents for NoEvents {}

/// What became of a token when its credential was disconnected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revoked {
    /// `access_token` or `refresh_token`.
    pub token: String,
    /// Why the service did not take it back; `None` where it says that it did.
    pub failed: Option<String>,
}

/// What came of a disconnection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disconnection {
    /// The tokens that the service was asked to revoke.
    pub revoked: Vec<Revoked>,
    /// Why the service was not asked; `None` where it was, or where there was no token.
    pub not_asked: Option<String>,
    /// The workflows that were told.
    pub dependants: Vec<Dependant>,
}

/// Credentials over time. Cheap to clone.
#[derive(Clone)]
pub struct CredentialManager(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn CredentialStore>,
    pub(crate) endpoints: Endpoints,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) events: Arc<dyn CredentialEvents>,
    pub(crate) timing: Timing,
    /// One turn per connection that is being renewed in this process.
    flights: Mutex<HashMap<ConnectionKey, Arc<tokio::sync::Mutex<()>>>>,
    /// Authorizations that a person has not come back from yet, by their state.
    pub(crate) pending: Mutex<HashMap<String, Pending>>,
    /// Connections that the service has refused and that are not noted as working again.
    refused: Mutex<BTreeSet<ConnectionKey>>,
    pub(crate) under_way: TaskTracker,
}

/// What a manager works with.
pub(crate) struct Services {
    pub(crate) store: Arc<dyn CredentialStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) approvals: Arc<dyn Approvals>,
    pub(crate) audit: Arc<dyn AuditSink>,
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
                tracing::warn!("a token is still being renewed");
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
        by: &Principal,
    ) -> Result<(), CredentialError> {
        let head = self.0.store.head(name).await?;
        let permitted = permit_management(&head, None, by);
        self.tell_of(&head, CredentialDeed::Change, by, permitted.as_ref().err());
        permitted?;
        self.0.store.change(name, change).await
    }

    /// Ends a connection: tells the service to revoke its tokens, where there is a way, and wipes
    /// them here, whatever the service says. The name stays, so that connecting again revives
    /// everything that refers to it. `plugin` tells how the service revokes; without it nothing is
    /// asked.
    ///
    /// # Errors
    ///
    /// When there is none, when `by` may not, or when the store cannot be written.
    pub async fn disconnect(
        &self,
        key: &ConnectionKey,
        by: &Principal,
        plugin: Option<&Plugin>,
    ) -> Result<Disconnection, CredentialError> {
        let head = self.0.store.head(&key.name).await?;
        let permitted = permit_management(&head, key.user.as_deref(), by);
        self.tell_of(&head, CredentialDeed::Disconnect, by, permitted.as_ref().err());
        permitted?;
        let dependants = self.dependants(&key.name).await;
        // A record that does not open can still be wiped.
        let stored = self.0.store.open(key).await;
        let (revoked, not_asked) = match &stored {
            Ok(stored) => self.revoke_tokens(stored, by, plugin).await,
            Err(error @ CredentialError::NotConnected { .. }) => return Err(error.clone()),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        // Tokens may have been renewed since they were read.
        let mut revision = stored.as_ref().map_or(0, |stored| stored.connection.revision);
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.0.store.set_health(key, revision, Health::Disconnected).await {
                Ok(()) => break,
                Err(CredentialError::Changed(_)) if attempts < 5 => {
                    revision = self.0.store.open(key).await?.connection.revision;
                }
                Err(error) => return Err(error),
            }
        }
        let event = CredentialEnded {
            credential: key.name.clone(),
            user: key.user.clone(),
            reason: "it was disconnected".to_owned(),
            dependants: dependants.clone(),
        };
        self.0.events.disconnected(&event).await;
        Ok(Disconnection { revoked, not_asked, dependants })
    }

    async fn revoke_tokens(
        &self,
        stored: &Stored,
        by: &Principal,
        plugin: Option<&Plugin>,
    ) -> (Vec<Revoked>, Option<String>) {
        // The refresh token first: with it, new access tokens could be got.
        let tokens: Vec<&str> = ["refresh_token", "access_token"]
            .into_iter()
            .filter(|name| stored.secrets.contains_key(*name))
            .collect();
        if tokens.is_empty() {
            let fixed = stored.connection.configuration.oauth.is_none();
            let reason = fixed.then(|| {
                "a secret that was typed in is not revoked from here: delete it where it was made, \
                 if nothing else uses it"
                    .to_owned()
            });
            return (Vec::new(), reason);
        }
        let Some(plugin) = plugin else {
            let reason = "the plugin, which describes how tokens are revoked, is not there";
            return (Vec::new(), Some(reason.to_owned()));
        };
        let oauth = stored.connection.configuration.oauth.as_ref();
        if oauth.is_none_or(|oauth| oauth.revoke_url.is_none()) {
            let reason = "the service describes no way to revoke a token from here: end the access \
                          on its own pages, or wait until it runs out";
            return (Vec::new(), Some(reason.to_owned()));
        }
        let description = plugin.description();
        let Some(credential_type) = description.credential_types.get(&stored.head.credential_type)
        else {
            let reason = "the plugin no longer describes this credential type";
            return (Vec::new(), Some(reason.to_owned()));
        };
        let request = CredentialRequest {
            name: stored.head.name.clone(),
            node: stored.head.node.clone(),
            plugin: Some(plugin.digest()),
            actor: by.id.clone(),
            ..CredentialRequest::default()
        };
        let caller = self.caller(&request, stored, "credential.revoke");
        let wire = Wire {
            endpoints: &self.0.endpoints,
            caller: &caller,
            grant: &credential_type.grant,
            fields: &stored.connection.fields,
            secrets: &stored.secrets,
            configuration: &stored.connection.configuration,
            timeout: self.0.timing.answer.min(Duration::from_secs(20)),
        };
        let mut revoked = Vec::new();
        for name in tokens {
            let failed = self.revoke_one(&wire, name, &stored.secrets[name]).await;
            self.tell(&request, CredentialDeed::Revoke, failed.clone());
            revoked.push(Revoked { token: name.to_owned(), failed });
        }
        (revoked, None)
    }

    /// RFC 7009 section 2.2.1: 503 means to try again.
    pub(crate) async fn revoke_one(
        &self,
        wire: &Wire<'_>,
        name: &str,
        token: &crate::Secret,
    ) -> Option<String> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let refusal = match wire.revoke(name, token).await {
                Ok(()) => return None,
                Err(refusal) => refusal,
            };
            let again = matches!(
                refusal.kind,
                RefusalKind::Unavailable | RefusalKind::NotSent | RefusalKind::Lost
            );
            if !again || attempt >= 3 {
                return Some(refusal.reason);
            }
            let pause = self.0.timing.first_pause.saturating_mul(attempt);
            let pause = refusal.retry_after.unwrap_or(pause).min(Duration::from_secs(5));
            self.0.clock.sleep(pause).await;
        }
    }

    /// Workflows that have named a credential; empty where the store cannot tell.
    pub async fn dependants(&self, name: &str) -> Vec<Dependant> {
        let listed = self.0.store.list().await.unwrap_or_default();
        listed
            .into_iter()
            .find(|one| one.name == name)
            .map(|one| one.dependants)
            .unwrap_or_default()
    }

    /// The connection that a request is for, if it may have it.
    async fn permitted(
        &self,
        request: &CredentialRequest,
    ) -> Result<ConnectionKey, CredentialError> {
        let head = self.0.store.head(&request.name).await?;
        let forbidden =
            |reason: String| Err(CredentialError::Forbidden { name: head.name.clone(), reason });
        if head.node != request.node {
            return forbidden(format!("it was connected for the node `{}`", head.node));
        }
        let proves = request.action == super::TEST;
        if let Some(actions) = &head.allowed_actions
            && !proves
            && !actions.contains(&request.action)
        {
            let list: Vec<&str> = actions.iter().map(String::as_str).collect();
            return forbidden(format!(
                "it may be used only for {}, not for {}",
                list.join(", "),
                request.action
            ));
        }
        let user = match head.mode {
            Mode::Private => {
                if head.owner.is_some() && head.owner != request.actor {
                    return forbidden("it is private, and belongs to somebody else".to_owned());
                }
                None
            }
            Mode::Shared => None,
            Mode::PerUser => match &request.actor {
                Some(actor) => Some(actor.clone()),
                None => {
                    return Err(CredentialError::NotConnected { name: head.name, user: None });
                }
            },
        };
        Ok(ConnectionKey { name: head.name, user })
    }

    /// A connection whose access token is good for a while, renewed where it is not.
    async fn fresh(
        &self,
        request: &CredentialRequest,
        key: &ConnectionKey,
    ) -> Result<Stored, CredentialError> {
        let stored = self.0.store.open(key).await?;
        let before = stored.connection.health.clone();
        let result = self.freshened(request, key, stored).await;
        if let Err(error) = &result {
            self.announce(key, error, &before).await;
        }
        result
    }

    async fn freshened(
        &self,
        request: &CredentialRequest,
        key: &ConnectionKey,
        stored: Stored,
    ) -> Result<Stored, CredentialError> {
        let now = self.0.clock.unix_milliseconds();
        let reconnect =
            |reason: String| Err(CredentialError::Reconnect { name: key.name.clone(), reason });
        let is_over = stored.connection.expires_at.is_some_and(|at| at <= now);
        let can_renew = self.can_renew(request, &stored);
        let was_lost = stored.lease.sent_at.is_some() && stored.lease.until <= now;
        match &stored.connection.health {
            Health::NeedsReconnect { reason } => return reconnect(reason.clone()),
            Health::Disconnected => return reconnect("it was disconnected".to_owned()),
            _ if request.offline => return Ok(stored),
            Health::Connected | Health::Refused { .. } if !was_lost => {}
            // Whether it can still be used, and whether the refresh may be sent again, is for the
            // one who holds the lease to say.
            _ if can_renew => {
                return self.renewed(self.wanted(request, key, &stored, false)).await;
            }
            _ if is_over => return reconnect(outcome_unknown(true)),
            _ => return Ok(stored),
        }
        if can_renew && self.is_due(&stored, now) {
            return self.renewed(self.wanted(request, key, &stored, false)).await;
        }
        if is_over && stored.connection.configuration.oauth.is_some() {
            return reconnect(ended());
        }
        Ok(stored)
    }

    fn wanted(
        &self,
        request: &CredentialRequest,
        key: &ConnectionKey,
        stored: &Stored,
        refused: bool,
    ) -> Wanted {
        Wanted {
            request: request.clone(),
            key: key.clone(),
            stale: stored.connection.revision,
            refused,
        }
    }

    /// Whether this host can get a new access token: the grant is described, and there is something
    /// to renew with.
    fn can_renew(&self, request: &CredentialRequest, stored: &Stored) -> bool {
        let described = request
            .description
            .as_ref()
            .and_then(|description| description.credential_types.get(&stored.head.credential_type));
        match described.map(|one| &one.grant) {
            Some(Grant::AuthorizationCode { .. }) => stored.secrets.contains_key("refresh_token"),
            Some(Grant::ClientCredentials { .. }) => true,
            _ => false,
        }
    }

    /// Early by a skew that fits the lifetime, and not by all processes at the same moment.
    fn is_due(&self, stored: &Stored, now: u64) -> bool {
        let Some(ends) = stored.connection.expires_at else {
            return !stored.secrets.contains_key("access_token");
        };
        let skew = u64::try_from(self.0.timing.skew.as_millis()).unwrap_or(u64::MAX);
        let skew = skew.min(stored.connection.lifetime.unwrap_or(u64::MAX) / 10);
        let jitter = (skew as f64 * rand::random::<f64>() / 2.0) as u64;
        now.saturating_add(skew).saturating_add(jitter) >= ends
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

    /// Tells the audit what was done for a request.
    pub(crate) fn tell(
        &self,
        request: &CredentialRequest,
        deed: CredentialDeed,
        refused: Option<String>,
    ) {
        self.0.audit.credential(&CredentialEvent {
            time: self.0.clock.unix_milliseconds(),
            credential: request.name.clone(),
            deed,
            node: request.node.clone(),
            action: Some(request.action.clone()).filter(|action| !action.is_empty()),
            plugin: request.plugin.map(|plugin| plugin.to_string()),
            actor: request.actor.clone(),
            workflow: request.workflow.clone(),
            refused,
        });
    }

    pub(crate) fn tell_of(
        &self,
        head: &Head,
        deed: CredentialDeed,
        by: &Principal,
        refused: Option<&CredentialError>,
    ) {
        let request = CredentialRequest {
            name: head.name.clone(),
            node: head.node.clone(),
            actor: by.id.clone(),
            ..CredentialRequest::default()
        };
        self.tell(&request, deed, refused.map(ToString::to_string));
    }

    /// After a failure that only a person can mend, those who depend on it are told.
    async fn announce(&self, key: &ConnectionKey, error: &CredentialError, before: &Health) {
        let CredentialError::Reconnect { reason, .. } = error else { return };
        if !matches!(before, Health::Connected | Health::RefreshOutcomeUnknown { .. }) {
            return;
        }
        let event = CredentialEnded {
            credential: key.name.clone(),
            user: key.user.clone(),
            reason: reason.clone(),
            dependants: self.dependants(&key.name).await,
        };
        self.0.events.needs_reconnect(&event).await;
    }
}

/// Only the owner, an administrator, or whose own connection it is.
pub(crate) fn permit_management(
    head: &Head,
    user: Option<&str>,
    by: &Principal,
) -> Result<(), CredentialError> {
    let is_owner = head.owner.is_some() && head.owner == by.id;
    let is_own = user.is_some() && user == by.id.as_deref();
    if by.is_admin || is_owner || is_own {
        return Ok(());
    }
    let reason = "only its owner or an administrator may do that".to_owned();
    Err(CredentialError::Forbidden { name: head.name.clone(), reason })
}

#[async_trait]
impl CredentialSource for CredentialManager {
    async fn credential(&self, request: &CredentialRequest) -> Result<Credential, CredentialError> {
        let key = self.permitted(request).await?;
        let stored = self.fresh(request, &key).await?;
        if let Some(description) = &request.description
            && let Some(granted) = &stored.connection.granted_scopes
            && let Some(credential_type) =
                description.credential_types.get(&stored.head.credential_type)
        {
            let lacking = rights::lacking(description, credential_type, granted, &request.action);
            if !lacking.is_empty() {
                return Err(CredentialError::InsufficientScope {
                    name: key.name.clone(),
                    action: request.action.clone(),
                    lacking,
                });
            }
        }
        if request.offline {
            return Ok(ready(stored));
        }
        let last = LastUse { at: self.0.clock.unix_milliseconds(), by: used_by(request) };
        self.0.store.note_use(&key, last, request.workflow.as_deref()).await;
        if matches!(stored.connection.health, Health::Refused { .. }) {
            let mut refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.insert(key);
        }
        Ok(ready(stored))
    }

    async fn refreshed(
        &self,
        request: &CredentialRequest,
        revision: u64,
    ) -> Result<Credential, CredentialError> {
        let key = self.permitted(request).await?;
        let stored = self.0.store.open(&key).await?;
        let before = stored.connection.health.clone();
        if stored.connection.revision > revision {
            return Ok(ready(stored));
        }
        if !self.can_renew(request, &stored) {
            return Err(CredentialError::NotRefreshable(key.name));
        }
        match self.renewed(self.wanted(request, &key, &stored, true)).await {
            Ok(stored) => Ok(ready(stored)),
            Err(error) => {
                self.announce(&key, &error, &before).await;
                Err(error)
            }
        }
    }

    fn refused(&self, request: &CredentialRequest, revision: u64) {
        let (manager, request) = (self.clone(), request.clone());
        self.0.under_way.spawn(async move {
            let Ok(key) = manager.permitted(&request).await else { return };
            let Ok(stored) = manager.0.store.open(&key).await else { return };
            if stored.connection.revision != revision
                || stored.connection.health != Health::Connected
            {
                return;
            }
            let health = Health::Refused { at: manager.0.clock.unix_milliseconds() };
            if let Err(error) = manager.0.store.set_health(&key, revision, health).await {
                tracing::warn!(credential = %key, %error, "that it was refused is not noted");
            }
        });
    }

    fn accepted(&self, request: &CredentialRequest, revision: u64) {
        let user = ConnectionKey { name: request.name.clone(), user: request.actor.clone() };
        let key = {
            let mut refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if refused.is_empty() {
                return;
            }
            match [user, ConnectionKey::of(&request.name)]
                .into_iter()
                .find(|key| refused.remove(key))
            {
                Some(key) => key,
                None => return,
            }
        };
        let manager = self.clone();
        self.0.under_way.spawn(async move {
            let marked = manager.0.store.set_health(&key, revision, Health::Connected).await;
            if let Err(error) = marked {
                tracing::debug!(credential = %key, %error, "that it works again is not noted");
            }
        });
    }
}

/// As the host uses it. The refresh token stays behind: no request of a plugin ever carries it.
fn ready(stored: Stored) -> Credential {
    let Stored { head, connection, mut secrets, .. } = stored;
    let refresh = secrets.remove("refresh_token");
    drop(refresh);
    Credential {
        name: head.name,
        node: head.node,
        credential_type: head.credential_type,
        fields: connection.fields,
        secrets,
        configuration: connection.configuration,
        granted_scopes: connection.granted_scopes,
        revision: connection.revision,
    }
}

fn used_by(request: &CredentialRequest) -> String {
    let mut by = format!("{} {}", request.node, request.action);
    if let Some(workflow) = &request.workflow {
        by.push_str(&format!(" in workflow {workflow}"));
    }
    if let Some(actor) = &request.actor {
        by.push_str(&format!(" by {actor}"));
    }
    by
}
