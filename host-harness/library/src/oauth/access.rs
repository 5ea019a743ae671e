//! The host's source of credentials: who may use which, with a token that is valid for a while.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::backend::Backend;
use super::manage::CredentialEnded;
use super::renew::{RefreshRequest, Renewer};
use crate::causes::chain;
use crate::credential::reference::{self, Freshness};
use crate::credential::rights;
use crate::credential::{
    ConnectionKey, Credential, CredentialError, CredentialId, CredentialRequest, CredentialSource,
    Health, LastUse, Mode, Stored, ended, outcome_unknown,
};
use crate::description::Grant;
use crate::principal::Principal;

/// Decides who may use which credential, and supplies it. Owns what it has last seen and reported.
/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Access {
    backend: Arc<Backend>,
    renewer: Renewer,
    seen: Arc<Seen>,
}

/// Most recently observed state of credentials.
#[derive(Default)]
struct Seen {
    /// Connections that the service has refused and that are not noted as working again.
    refused: Mutex<BTreeSet<ConnectionKey>>,
    /// The revision of each connection whose end was reported, so that it is reported once, however
    /// many calls find it.
    reported: Mutex<HashMap<ConnectionKey, u64>>,
    /// The mode of each credential that was supplied.
    modes: Mutex<HashMap<CredentialId, Mode>>,
}

impl Access {
    pub(super) fn new(backend: Arc<Backend>, renewer: Renewer) -> Self {
        Self { backend, renewer, seen: Arc::default() }
    }

    /// The connection that a request is for, if it may have it.
    async fn permitted(
        &self,
        request: &CredentialRequest,
    ) -> Result<ConnectionKey, CredentialError> {
        let id = CredentialId::of(request.actor.tenant.clone(), &request.name);
        let head = self.backend.store.head(&id).await?;
        self.note_mode(id, head.mode);
        let forbidden =
            |reason: String| Err(CredentialError::Forbidden { name: head.name.clone(), reason });
        if head.node != request.node {
            return forbidden(format!("it was connected for the node `{}`", head.node));
        }
        let proves = request.action == crate::credential::TEST;
        if let Some(actions) = &head.allowed_actions
            && !proves
            && !actions.contains(&request.action)
        {
            let list: Vec<&str> = actions.iter().map(String::as_str).collect();
            return forbidden(format!(
                "it is allowed only for {}, not for {}",
                list.join(", "),
                request.action
            ));
        }
        let user = match head.mode {
            Mode::Private => {
                if head.owner.as_ref() != Some(&request.actor.user) {
                    let whose = if head.owner.is_some() { "another user" } else { "nobody" };
                    return forbidden(format!("it is private and belongs to {whose}"));
                }
                None
            }
            Mode::Shared => None,
            Mode::PerUser => Some(request.actor.user.clone()),
        };
        Ok(ConnectionKey { tenant: head.tenant, name: head.name, user })
    }

    /// A connection with the secrets that are read by reference, and how often these have changed.
    async fn filled(
        &self,
        mut stored: Stored,
        freshness: Freshness,
    ) -> Result<(Stored, u32), CredentialError> {
        let (name, secrets) = (&stored.head.name, std::mem::take(&mut stored.secrets));
        let (secrets, changes) = self.backend.references.fill(name, secrets, freshness).await?;
        stored.secrets = secrets;
        Ok((stored, changes))
    }

    fn note_mode(&self, id: CredentialId, mode: Mode) {
        let mut modes = self.seen.modes.lock().unwrap_or_else(PoisonError::into_inner);
        modes.insert(id, mode);
    }

    /// A connection whose access token is good for a while, renewed where it is not.
    async fn fresh(
        &self,
        request: &CredentialRequest,
        key: &ConnectionKey,
    ) -> Result<Stored, CredentialError> {
        let stored = self.backend.store.open(key).await?;
        let before = stored.connection.health.clone();
        let revision = stored.connection.revision;
        let result = self.freshened(request, key, stored).await;
        if let Err(error) = &result {
            self.announce(key, error, &before, revision).await;
        }
        result
    }

    async fn freshened(
        &self,
        request: &CredentialRequest,
        key: &ConnectionKey,
        stored: Stored,
    ) -> Result<Stored, CredentialError> {
        let now = self.backend.clock.unix_milliseconds();
        let reconnect =
            |reason: String| Err(CredentialError::Reconnect { name: key.name.clone(), reason });
        let is_over = stored.connection.parts.expires_at.is_some_and(|at| at <= now);
        let can_renew = self.can_renew(request, &stored);
        let was_lost = stored.lease.sent_at.is_some() && stored.lease.until <= now;
        match &stored.connection.health {
            Health::NeedsReconnect { reason } => return reconnect(reason.clone()),
            Health::Disconnected => return reconnect("it was disconnected".to_owned()),
            _ if request.offline => return Ok(stored),
            Health::Connected | Health::Refused { .. } if !was_lost => {}
            // The holder of the lease decides whether it can still be used, and whether the refresh
            // may be sent again.
            _ if can_renew => {
                return self.renewer.renewed(refresh_request(request, key, &stored, false)).await;
            }
            _ if is_over => return reconnect(outcome_unknown(true)),
            _ => return Ok(stored),
        }
        if can_renew && self.is_due(&stored, now) {
            return self.renewer.renewed(refresh_request(request, key, &stored, false)).await;
        }
        if is_over && stored.connection.parts.configuration.oauth.is_some() {
            return reconnect(ended());
        }
        Ok(stored)
    }

    /// Whether this host can get a new access token: the grant is described, and there is something
    /// to renew with.
    fn can_renew(&self, request: &CredentialRequest, stored: &Stored) -> bool {
        let described = request
            .description
            .as_ref()
            .and_then(|description| description.credential_types.get(&stored.head.credential_type));
        match described.map(|one| &one.grant) {
            Some(Grant::ClientCredentials { .. }) => true,
            Some(grant) => {
                grant.has_refresh_tokens() && stored.secrets.contains_key("refresh_token")
            }
            None => false,
        }
    }

    /// Early by a skew that fits the lifetime, and not by all processes at the same moment.
    fn is_due(&self, stored: &Stored, now: u64) -> bool {
        let Some(ends) = stored.connection.parts.expires_at else {
            return !stored.secrets.contains_key("access_token");
        };
        let skew = u64::try_from(self.backend.timing.skew.as_millis()).unwrap_or(u64::MAX);
        let skew = skew.min(stored.connection.parts.lifetime.unwrap_or(u64::MAX) / 10);
        let jitter = (skew as f64 * rand::random::<f64>() / 2.0) as u64;
        now.saturating_add(skew).saturating_add(jitter) >= ends
    }

    /// Notes that the service has refused a connection that worked before.
    async fn note_refusal(&self, key: &ConnectionKey, revision: u64) {
        let Ok(stored) = self.backend.store.open(key).await else {
            return;
        };
        let before = stored.connection.health;
        if stored.connection.revision != revision || before != Health::Connected {
            return;
        }
        let health = Health::Refused { at: self.backend.clock.unix_milliseconds() };
        if let Err(error) = self.backend.store.set_health(key, revision, health).await {
            tracing::warn!(
                credential = %key, error = %chain(&error),
                "cannot record that the credential was rejected"
            );
            return;
        }
        let name = key.name.clone();
        let error = CredentialError::Reconnect { name, reason: crate::credential::refused() };
        self.announce(key, &error, &before, revision).await;
    }

    /// Notifies dependents after a failure that only a person can resolve.
    async fn announce(
        &self,
        key: &ConnectionKey,
        error: &CredentialError,
        before: &Health,
        revision: u64,
    ) {
        let CredentialError::Reconnect { reason, .. } = error else {
            return;
        };
        if !matches!(before, Health::Connected | Health::RefreshOutcomeUnknown { .. }) {
            return;
        }
        let reported = {
            let mut reported = self.seen.reported.lock().unwrap_or_else(PoisonError::into_inner);
            reported.insert(key.clone(), revision)
        };
        if reported == Some(revision) {
            return;
        }
        let event = CredentialEnded {
            tenant: key.tenant.clone(),
            credential: key.name.clone(),
            user: key.user.clone(),
            reason: reason.clone(),
            dependants: self.backend.dependants(key.credential()).await,
        };
        self.backend.events.needs_reconnect(&event).await;
    }
}

#[async_trait]
impl CredentialSource for Access {
    async fn credential(&self, request: &CredentialRequest) -> Result<Credential, CredentialError> {
        let key = self.permitted(request).await?;
        let stored = self.fresh(request, &key).await?;
        if let Some(description) = &request.description
            && let Some(granted) = &stored.connection.parts.granted_scopes
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
        let (stored, changes) = self.filled(stored, Freshness::Usual).await?;
        if request.offline {
            return Ok(ready(stored, changes));
        }
        let last = LastUse { at: self.backend.clock.unix_milliseconds(), by: used_by(request) };
        self.backend.store.note_use(&key, last, request.workflow.as_deref()).await;
        if matches!(stored.connection.health, Health::Refused { .. }) {
            let mut refused = self.seen.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.insert(key);
        }
        Ok(ready(stored, changes))
    }

    async fn refreshed(
        &self,
        request: &CredentialRequest,
        revision: u64,
    ) -> Result<Credential, CredentialError> {
        let key = self.permitted(request).await?;
        let stored = self.backend.store.open(&key).await?;
        let before = stored.connection.health.clone();
        if stored.connection.revision > stored_revision(revision) {
            let (stored, changes) = self.filled(stored, Freshness::Usual).await?;
            return Ok(ready(stored, changes));
        }
        if !self.can_renew(request, &stored) {
            if reference::of(&stored.secrets).is_empty() {
                return Err(CredentialError::NotRefreshable(key.name));
            }
            // Somebody may have replaced the secret where it is kept.
            let (stored, changes) = self.filled(stored, Freshness::Refused).await?;
            return Ok(ready(stored, changes));
        }
        match self.renewer.renewed(refresh_request(request, &key, &stored, true)).await {
            Ok(stored) => {
                let (stored, changes) = self.filled(stored, Freshness::Usual).await?;
                Ok(ready(stored, changes))
            }
            Err(error) => {
                self.announce(&key, &error, &before, revision).await;
                Err(error)
            }
        }
    }

    fn is_shared(&self, request: &CredentialRequest) -> bool {
        let id = CredentialId::of(request.actor.tenant.clone(), &request.name);
        let modes = self.seen.modes.lock().unwrap_or_else(PoisonError::into_inner);
        modes.get(&id).is_some_and(|mode| *mode != Mode::PerUser)
    }

    fn refused(&self, request: &CredentialRequest, revision: u64) {
        let revision = stored_revision(revision);
        let (access, request) = (self.clone(), request.clone());
        self.renewer.spawn(async move {
            let Ok(key) = access.permitted(&request).await else {
                return;
            };
            // One after the other, so that its dependents are notified once.
            let turn = access.renewer.turn(&key);
            {
                let _held = turn.lock().await;
                access.note_refusal(&key, revision).await;
            }
            access.renewer.give_back(&key, turn);
        });
    }

    fn accepted(&self, request: &CredentialRequest, revision: u64) {
        let revision = stored_revision(revision);
        let id = CredentialId::of(request.actor.tenant.clone(), &request.name);
        let user = ConnectionKey::of_user(&id, request.actor.user.clone());
        let key = {
            let mut refused = self.seen.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if refused.is_empty() {
                return;
            }
            match [user, ConnectionKey::of(&id)].into_iter().find(|key| refused.remove(key)) {
                Some(key) => key,
                None => return,
            }
        };
        self.seen.reported.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let backend = self.backend.clone();
        self.renewer.spawn(async move {
            let marked = backend.store.set_health(&key, revision, Health::Connected).await;
            if let Err(error) = marked {
                tracing::debug!(
                    credential = %key, error = %chain(&error),
                    "cannot record that the credential works again"
                );
            }
        });
    }
}

/// Bits of a revision that count what is stored; those above count what was read by reference.
const STORED: u32 = 32;

/// Part of a supplied revision that counts changes in the store.
fn stored_revision(revision: u64) -> u64 {
    revision & ((1 << STORED) - 1)
}

/// As the host uses it. The refresh token stays behind: no request of a plugin ever carries it.
/// `changes`: how often secrets that are read by reference have changed.
fn ready(stored: Stored, changes: u32) -> Credential {
    let Stored { head, connection, mut secrets, .. } = stored;
    let refresh = secrets.remove("refresh_token");
    drop(refresh);
    Credential {
        name: head.name,
        node: head.node,
        credential_type: head.credential_type,
        fields: connection.parts.fields,
        secrets,
        configuration: connection.parts.configuration,
        granted_scopes: connection.parts.granted_scopes,
        revision: stored_revision(connection.revision) | u64::from(changes) << STORED,
    }
}

fn used_by(request: &CredentialRequest) -> String {
    let mut by = format!("{} {}", request.node, request.action);
    if let Some(workflow) = &request.workflow {
        by.push_str(&format!(" in workflow {workflow}"));
    }
    if request.actor != Principal::default() {
        by.push_str(&format!(" by {}", request.actor));
    }
    by
}

fn refresh_request(
    request: &CredentialRequest,
    key: &ConnectionKey,
    stored: &Stored,
    refused: bool,
) -> RefreshRequest {
    RefreshRequest {
        request: request.clone(),
        key: key.clone(),
        stale: stored.connection.revision,
        refused,
    }
}
