//! The consequences for a connection if no new tokens arrived.

use super::renew::{RefreshOutcome, RefreshRequest, Renewer, milliseconds};
use super::wire::{Refusal, RefusalKind};
use crate::causes::chain;
use crate::credential::{
    ConnectionKey, CredentialError, Health, Lease, LeaseChange, Stored, outcome_unknown,
};

impl Renewer {
    /// Handles a refresh without new tokens.
    pub(crate) async fn given_up(
        &self,
        refresh: &RefreshRequest,
        stored: Stored,
        lease: &Lease,
        refusal: Refusal,
        (rotates, sent_at): (bool, u64),
    ) -> Result<RefreshOutcome, CredentialError> {
        let now = self.backend.clock.unix_milliseconds();
        let name = refresh.key.name.clone();
        let Refusal { kind, reason, .. } = refusal;
        if kind == RefusalKind::Lost && rotates {
            return self.outcome_unknown(refresh, stored, lease, sent_at).await;
        }
        let is_still_good =
            !refresh.refused && stored.connection.parts.expires_at.is_some_and(|at| at > now);
        let later = now.saturating_add(milliseconds(self.backend.timing.after_refusal));
        match kind {
            RefusalKind::DeadGrant => {
                // Never on what was read before: somebody else may have won.
                let current = self.backend.store.open(&refresh.key).await?;
                if current.connection.revision > stored.connection.revision {
                    self.release(&refresh.key, lease, 0).await;
                    return Ok(RefreshOutcome::Done(Box::new(current)));
                }
                let health = Health::NeedsReconnect { reason: reason.clone() };
                self.mark(&refresh.key, stored.connection.revision, health).await?;
                self.release(&refresh.key, lease, later).await;
                Err(CredentialError::Reconnect { name, reason })
            }
            RefusalKind::Refused | RefusalKind::Pending | RefusalKind::Declined
                if is_still_good =>
            {
                self.release(&refresh.key, lease, later).await;
                tracing::warn!(credential = %refresh.key, reason, "its token could not be refreshed");
                Ok(RefreshOutcome::Done(Box::new(stored)))
            }
            RefusalKind::Refused | RefusalKind::Pending | RefusalKind::Declined => {
                let health = Health::NeedsReconnect { reason: reason.clone() };
                self.mark(&refresh.key, stored.connection.revision, health).await?;
                self.release(&refresh.key, lease, later).await;
                Err(CredentialError::Reconnect { name, reason })
            }
            RefusalKind::Denied => {
                self.release(&refresh.key, lease, 0).await;
                Err(CredentialError::Forbidden { name, reason })
            }
            RefusalKind::NotSent | RefusalKind::Unavailable | RefusalKind::Lost => {
                // A few seconds, so that hundreds of executions do not hammer a service that is
                // down.
                self.release(&refresh.key, lease, now.saturating_add(2_000)).await;
                if is_still_good {
                    return Ok(RefreshOutcome::Done(Box::new(stored)));
                }
                Err(CredentialError::Unavailable { name, reason })
            }
        }
    }

    /// A refresh was sent, and its result is unknown.
    pub(crate) async fn outcome_unknown(
        &self,
        refresh: &RefreshRequest,
        stored: Stored,
        lease: &Lease,
        sent_at: u64,
    ) -> Result<RefreshOutcome, CredentialError> {
        let health = Health::RefreshOutcomeUnknown { sent_at };
        if stored.connection.health != health {
            self.mark(&refresh.key, stored.connection.revision, health.clone()).await?;
        }
        self.release(&refresh.key, lease, 0).await;
        let now = self.backend.clock.unix_milliseconds();
        if !refresh.refused && stored.connection.parts.expires_at.is_some_and(|at| at > now) {
            let mut stored = stored;
            stored.connection.health = health;
            return Ok(RefreshOutcome::Done(Box::new(stored)));
        }
        let reason = outcome_unknown(true);
        let health = Health::NeedsReconnect { reason: reason.clone() };
        self.mark(&refresh.key, stored.connection.revision, health).await?;
        Err(CredentialError::Reconnect { name: refresh.key.name.clone(), reason })
    }

    /// Notes how a connection is, unless somebody else has changed it meanwhile.
    pub(crate) async fn mark(
        &self,
        key: &ConnectionKey,
        revision: u64,
        health: Health,
    ) -> Result<(), CredentialError> {
        match self.backend.store.set_health(key, revision, health).await {
            Ok(()) | Err(CredentialError::Changed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn release(&self, key: &ConnectionKey, lease: &Lease, not_before: u64) {
        let change = LeaseChange::Release { not_before };
        if let Err(error) = self.backend.store.hold(key, lease.fence, change).await {
            // It runs out by itself.
            tracing::warn!(credential = %key, error = %chain(&error), "cannot release the lease");
        }
    }
}
