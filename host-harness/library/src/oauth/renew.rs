//! Renews tokens: exactly one refresh among all tasks and processes, written down before anybody
//! uses what it brought.
//!
//! | what happens | what is done |
//! | --- | --- |
//! | several tasks want it | one does it, the others wait for it |
//! | several processes want it | one gets the lease, the others wait and read what it wrote |
//! | the holder is slow | its heartbeat keeps the lease |
//! | the holder dies before it sent | the lease runs out, the next one begins |
//! | the holder dies after it sent, or no answer comes | the outcome is unknown; nobody sends the token again, unless the service is known to take it twice |
//! | the service says 5xx | again, with growing pauses; what is stored is untouched |
//! | the service says that the grant is dead | unless somebody else has written newer tokens meanwhile, a person must connect again |

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::backend::Backend;
use super::manage::Timing;
use super::wire::{Refusal, RefusalKind, Tokens, Wire};
use crate::audit::{Caller, CredentialOperation};
use crate::causes::chain;
use crate::credential::reference::Freshness;
use crate::credential::{
    Claim, ConnectionKey, CredentialError, CredentialRequest, Health, Lease, LeaseChange, Renewal,
    Stored,
};
use crate::description::{CredentialType, Grant};
use crate::egress::EndpointCaller;

/// How often a process looks whether another one has finished.
const LOOKING: Duration = Duration::from_millis(40);
/// How often new tokens are tried to be written down: losing them would lose the credential.
const WRITING: u32 = 20;

/// A request to renew a connection.
#[derive(Clone)]
pub(crate) struct RefreshRequest {
    pub(crate) request: CredentialRequest,
    pub(crate) key: ConnectionKey,
    /// The revision whose access token is not good enough any more.
    pub(crate) stale: u64,
    /// Whether the service has refused the access token: then it is of no use, however long it
    /// would have lived.
    pub(crate) refused: bool,
}

/// How one attempt to refresh has ended.
pub(crate) enum RefreshOutcome {
    Done(Box<Stored>),
    /// The lease went to somebody else before anything was sent.
    LostLease,
}

/// Renews tokens. Owns the turns of the tasks of this process, and the tasks that are not to be
/// interrupted. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Renewer {
    pub(super) backend: Arc<Backend>,
    /// One turn per connection that is being renewed in this process.
    turns: Arc<Mutex<HashMap<ConnectionKey, Turn>>>,
    in_progress: TaskTracker,
}

/// The right of a task to renew a connection.
pub(super) type Turn = Arc<tokio::sync::Mutex<()>>;

impl Renewer {
    pub(super) fn new(backend: Arc<Backend>) -> Self {
        Self { backend, turns: Arc::default(), in_progress: TaskTracker::new() }
    }

    /// See [`CredentialManager::settle`](super::CredentialManager::settle).
    pub(super) async fn settle(&self) {
        self.in_progress.close();
        tokio::select! {
            () = self.in_progress.wait() => {}
            () = self.backend.clock.sleep(self.backend.timing.answer) => {
                tracing::warn!("a token is still being refreshed");
            }
        }
        self.in_progress.reopen();
    }

    /// Completes a future, even if its caller is dropped.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.in_progress.spawn(work)
    }

    /// The turn of a connection; given back with [`give_back`](Self::give_back).
    pub(super) fn turn(&self, key: &ConnectionKey) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(key.clone()).or_default().clone()
    }

    /// Forgets a turn that nobody waits for.
    pub(super) fn give_back(&self, key: &ConnectionKey, turn: Turn) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's, and ours.
        if Arc::strong_count(&turn) <= 2 {
            turns.remove(key);
        }
    }

    /// A connection that is newer than the stale one. Does not end with its caller: a
    /// refresh that was sent is always waited for.
    pub(crate) async fn renewed(&self, refresh: RefreshRequest) -> Result<Stored, CredentialError> {
        let renewer = self.clone();
        let name = refresh.key.name.clone();
        let task = self.spawn(async move { renewer.renew_in_turn(&refresh).await });
        task.await.unwrap_or_else(|error| {
            tracing::error!(credential = name, %error, "the refresh was interrupted");
            Err(CredentialError::source_failed(error))
        })
    }

    async fn renew_in_turn(&self, refresh: &RefreshRequest) -> Result<Stored, CredentialError> {
        let turn = self.turn(&refresh.key);
        let result = {
            let _held = turn.lock().await;
            self.renew_among_processes(refresh).await
        };
        self.give_back(&refresh.key, turn);
        result
    }

    async fn renew_among_processes(
        &self,
        refresh: &RefreshRequest,
    ) -> Result<Stored, CredentialError> {
        let name = || refresh.key.name.clone();
        let credential_type =
            described(&refresh.request, &refresh.key, &self.backend.store).await?;
        let Timing { lease, waiting, .. } = self.backend.timing;
        let started = self.backend.clock.monotonic();
        loop {
            let stored = self.backend.store.open(&refresh.key).await?;
            if let Some(decided) = self.decided(refresh, &stored)? {
                return Ok(decided);
            }
            match self.backend.store.claim(&refresh.key, milliseconds(lease)).await? {
                Claim::Held(_) => {
                    if self.backend.clock.monotonic().saturating_sub(started) > waiting {
                        let reason =
                            "another process has been refreshing it for too long".to_owned();
                        return Err(CredentialError::Unavailable { name: name(), reason });
                    }
                    self.backend.clock.sleep(LOOKING.mul_f64(0.5 + rand::random::<f64>())).await;
                }
                Claim::Granted(lease) => {
                    crash_point("claimed");
                    // Read again: the previous holder may have finished between the look
                    // and the claim.
                    let stored = self.backend.store.open(&refresh.key).await?;
                    let decided = self.decided(refresh, &stored);
                    if !matches!(decided, Ok(None)) {
                        self.release(&refresh.key, &lease, lease.not_before).await;
                    }
                    if let Some(stored) = decided? {
                        return Ok(stored);
                    }
                    match self.spend(refresh, &credential_type, stored, &lease).await? {
                        RefreshOutcome::LostLease => {}
                        RefreshOutcome::Done(stored) => return Ok(*stored),
                    }
                }
            }
        }
    }

    /// Whether nothing has to be sent: somebody else has renewed it, or nobody can.
    fn decided(
        &self,
        refresh: &RefreshRequest,
        stored: &Stored,
    ) -> Result<Option<Stored>, CredentialError> {
        let name = || refresh.key.name.clone();
        match &stored.connection.health {
            Health::NeedsReconnect { reason } => {
                return Err(CredentialError::Reconnect { name: name(), reason: reason.clone() });
            }
            Health::Disconnected => {
                let reason = "it was disconnected".to_owned();
                return Err(CredentialError::Reconnect { name: name(), reason });
            }
            Health::Connected | Health::Refused { .. } | Health::RefreshOutcomeUnknown { .. } => {}
        }
        if stored.connection.revision > refresh.stale {
            return Ok(Some(stored.clone()));
        }
        let now = self.backend.clock.unix_milliseconds();
        if stored.lease.not_before > now {
            if !refresh.refused && stored.connection.parts.expires_at.is_some_and(|at| at > now) {
                return Ok(Some(stored.clone()));
            }
            let wait = (stored.lease.not_before - now).div_ceil(1_000);
            let reason = format!(
                "the service has just rejected a refresh. The next attempt is in \
                                  {wait} s"
            );
            return Err(CredentialError::Unavailable { name: name(), reason });
        }
        Ok(None)
    }

    /// Asks the service for new tokens, as the holder of the lease.
    async fn spend(
        &self,
        refresh: &RefreshRequest,
        credential_type: &CredentialType,
        stored: Stored,
        lease: &Lease,
    ) -> Result<RefreshOutcome, CredentialError> {
        let rotates = credential_type.grant.has_refresh_tokens();
        let grace = grace(credential_type);
        let now = self.backend.clock.unix_milliseconds();
        // A request of an earlier holder, whose result is unknown.
        let lost_at = lease.sent_at.or(match stored.connection.health {
            Health::RefreshOutcomeUnknown { sent_at } => Some(sent_at),
            _ => None,
        });
        if let (true, Some(sent_at)) = (rotates, lost_at)
            && grace.is_none_or(|grace| now >= sent_at.saturating_add(milliseconds(grace)))
        {
            return self.outcome_unknown(refresh, stored, lease, sent_at).await;
        }
        let first_sent_at = lost_at.unwrap_or(now);
        let mut attempt = 0;
        loop {
            attempt += 1;
            if rotates {
                let change = LeaseChange::Sending(milliseconds(self.backend.timing.lease));
                if self.backend.store.hold(&refresh.key, lease.fence, change).await?.is_none() {
                    return Ok(RefreshOutcome::LostLease);
                }
            }
            crash_point("sending");
            let answer = self.ask(refresh, credential_type, &stored, lease).await;
            crash_point("answered");
            let refusal = match answer {
                Ok(tokens) => {
                    let renewed = self.write_down(refresh, &stored, tokens).await?;
                    crash_point("written");
                    self.release(&refresh.key, lease, 0).await;
                    self.backend.audit(&refresh.request, CredentialOperation::Refresh, None).await;
                    return Ok(RefreshOutcome::Done(Box::new(renewed)));
                }
                Err(refusal) => refusal,
            };
            let within_grace = grace.is_some_and(|grace| {
                let ends = first_sent_at.saturating_add(milliseconds(grace));
                self.backend.clock.unix_milliseconds() < ends
            });
            let again = match refusal.kind {
                RefusalKind::NotSent | RefusalKind::Unavailable => true,
                RefusalKind::Lost => !rotates || within_grace,
                _ => false,
            };
            if refusal.kind != RefusalKind::Lost && rotates && lost_at.is_none() {
                self.backend.store.hold(&refresh.key, lease.fence, LeaseChange::NotSent).await?;
            }
            if again && attempt < self.backend.timing.attempts {
                let pause = self.backend.pause(attempt, &refusal);
                let hold = LeaseChange::Extend(milliseconds(self.backend.timing.lease + pause));
                self.backend.store.hold(&refresh.key, lease.fence, hold).await?;
                self.backend.clock.sleep(pause).await;
                continue;
            }
            self.backend
                .audit(&refresh.request, CredentialOperation::Refresh, Some(refusal.reason.clone()))
                .await;
            return self.given_up(refresh, stored, lease, refusal, (rotates, first_sent_at)).await;
        }
    }

    /// One request, with a heartbeat that keeps the lease while the service takes its time.
    async fn ask(
        &self,
        refresh: &RefreshRequest,
        credential_type: &CredentialType,
        stored: &Stored,
        lease: &Lease,
    ) -> Result<Tokens, Refusal> {
        let caller = caller(&refresh.request, stored, "credential.refresh");
        // The secret of the app may be kept elsewhere. Refreshing is rare, so it is read again.
        let (name, secrets) = (&stored.head.name, stored.secrets.clone());
        let filled = self.backend.references.fill(name, secrets, Freshness::Refused).await;
        let (secrets, _) = filled.map_err(|error| Refusal {
            kind: RefusalKind::NotSent,
            reason: chain(&error),
            retry_after: None,
        })?;
        let wire = Wire {
            endpoints: &self.backend.endpoints,
            caller: &caller,
            grant: &credential_type.grant,
            fields: &stored.connection.parts.fields,
            secrets: &secrets,
            configuration: &stored.connection.parts.configuration,
            timeout: self.backend.timing.answer,
        };
        let asking = async {
            match &credential_type.grant {
                Grant::ClientCredentials { .. } => {
                    wire.app(stored.connection.parts.asked_scopes.as_deref().unwrap_or_default())
                        .await
                }
                _ => wire.refresh().await,
            }
        };
        let hold = LeaseChange::Extend(milliseconds(self.backend.timing.lease));
        let heartbeat = async {
            loop {
                self.backend.clock.sleep(self.backend.timing.lease / 3).await;
                if let Err(error) = self.backend.store.hold(&refresh.key, lease.fence, hold).await {
                    tracing::warn!(credential = %refresh.key, error = %chain(&error), "cannot extend the lease");
                }
            }
        };
        tokio::select! {
            biased;
            answer = asking => answer,
            () = heartbeat => unreachable!("a heartbeat does not end"),
        }
    }

    /// New tokens are stored before anyone uses them.
    async fn write_down(
        &self,
        refresh: &RefreshRequest,
        stored: &Stored,
        tokens: Tokens,
    ) -> Result<Stored, CredentialError> {
        let now = self.backend.clock.unix_milliseconds();
        let renewal = renewal(stored, tokens, now);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let written = self
                .backend
                .store
                .renew(&refresh.key, stored.connection.revision, renewal.clone())
                .await;
            match written {
                Ok(_) => return self.backend.store.open(&refresh.key).await,
                // Somebody has connected it again meanwhile: theirs is newer.
                Err(CredentialError::Changed(_)) => {
                    return self.backend.store.open(&refresh.key).await;
                }
                Err(error @ CredentialError::Source(_)) if attempt < WRITING => {
                    tracing::error!(
                        credential = %refresh.key, error = %chain(&error), "cannot store the new tokens"
                    );
                    self.backend.clock.sleep(Duration::from_millis(100 * u64::from(attempt))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long a spent refresh token is still accepted, where the type says so.
fn grace(credential_type: &CredentialType) -> Option<Duration> {
    credential_type.grant.refresh_grace_ms().map(Duration::from_millis)
}

/// Changes to store for new tokens. Keeps the old refresh token if the service issued no new one.
pub(crate) fn renewal(stored: &Stored, tokens: Tokens, now: u64) -> Renewal {
    let mut secrets = stored.secrets.clone();
    secrets.insert("access_token".to_owned(), tokens.access_token);
    if let Some(token) = tokens.refresh_token {
        secrets.insert("refresh_token".to_owned(), token);
    }
    let lifetime = tokens.lifetime.map(milliseconds);
    Renewal {
        secrets,
        granted_scopes: tokens.scopes,
        expires_at: lifetime.map(|lifetime| now.saturating_add(lifetime)),
        lifetime,
    }
}

/// The credential type of a request's connection, as the approved component describes it.
pub(crate) async fn described(
    request: &CredentialRequest,
    key: &ConnectionKey,
    store: &Arc<dyn crate::credential::CredentialStore>,
) -> Result<CredentialType, CredentialError> {
    let head = store.head(&key.credential()).await?;
    request
        .description
        .as_ref()
        .and_then(|description| description.credential_types.get(&head.credential_type))
        .cloned()
        .ok_or_else(|| CredentialError::NotRefreshable(key.name.clone()))
}

/// On whose behalf an endpoint is asked.
pub(super) fn caller(
    request: &CredentialRequest,
    stored: &Stored,
    action: &'static str,
) -> EndpointCaller {
    EndpointCaller {
        on_behalf_of: Caller {
            plugin: request.plugin.unwrap_or(crate::digest::Digest::of(b"")),
            node: request.node.clone(),
            action: action.to_owned(),
            execution: String::new(),
            actor: request.actor.clone(),
            workflow: request.workflow.clone(),
        },
        credential_type: stored.head.credential_type.clone(),
        credential: stored.head.name.clone(),
        allow: request.allow.clone(),
        configuration: stored.connection.parts.configuration.clone(),
    }
}

/// A point at which a test lets this process die as when the machine loses power:
/// `WORKFLOW_NODE_CRASH_AT` names it. Compiled into this crate's own tests alone.
#[cfg(test)]
fn crash_point(name: &str) {
    if std::env::var_os("WORKFLOW_NODE_CRASH_AT").is_some_and(|at| at == name) {
        let me = std::process::id().to_string();
        std::process::Command::new("kill").args(["-9", &me]).status().ok();
        // Nothing after this point may happen, however late the signal comes.
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[cfg(not(test))]
fn crash_point(_name: &str) {}
