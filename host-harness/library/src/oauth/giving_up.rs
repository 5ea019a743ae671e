//! What it means for a connection that no new tokens came.

use std::time::Duration;

use super::manage::{CredentialManager, Timing};
use super::renew::{Spent, Wanted, milliseconds};
use super::wire::{Refusal, RefusalKind, Tokens};
use crate::credential::{
    ConnectionKey, CredentialError, Health, Lease, LeaseChange, Stored, outcome_unknown,
};

impl CredentialManager {
    /// No new tokens: what that means for the connection.
    pub(crate) async fn given_up(
        &self,
        wanted: &Wanted,
        stored: Stored,
        lease: &Lease,
        refusal: Refusal,
        (rotates, sent_at): (bool, u64),
    ) -> Result<Spent, CredentialError> {
        let now = self.0.clock.unix_milliseconds();
        let name = wanted.key.name.clone();
        let Refusal { kind, reason, .. } = refusal;
        if kind == RefusalKind::Lost && rotates {
            return self.outcome_unknown(wanted, stored, lease, sent_at).await;
        }
        let is_still_good =
            !wanted.refused && stored.connection.expires_at.is_some_and(|at| at > now);
        let later = now.saturating_add(milliseconds(self.0.timing.after_refusal));
        match kind {
            RefusalKind::DeadGrant => {
                // Never on what was read before: somebody else may have won.
                let current = self.0.store.open(&wanted.key).await?;
                if current.connection.revision > stored.connection.revision {
                    self.release(&wanted.key, lease, 0).await;
                    return Ok(Spent::Done(Box::new(current)));
                }
                let health = Health::NeedsReconnect { reason: reason.clone() };
                self.mark(&wanted.key, stored.connection.revision, health).await?;
                self.release(&wanted.key, lease, later).await;
                Err(CredentialError::Reconnect { name, reason })
            }
            RefusalKind::Refused if is_still_good => {
                self.release(&wanted.key, lease, later).await;
                tracing::warn!(credential = %wanted.key, reason, "its token could not be refreshed");
                Ok(Spent::Done(Box::new(stored)))
            }
            RefusalKind::Refused => {
                let health = Health::NeedsReconnect { reason: reason.clone() };
                self.mark(&wanted.key, stored.connection.revision, health).await?;
                self.release(&wanted.key, lease, later).await;
                Err(CredentialError::Reconnect { name, reason })
            }
            RefusalKind::Denied => {
                self.release(&wanted.key, lease, 0).await;
                Err(CredentialError::Forbidden { name, reason })
            }
            RefusalKind::NotSent | RefusalKind::Unavailable | RefusalKind::Lost => {
                // A few seconds, so that hundreds of executions do not hammer a service that is
                // down.
                self.release(&wanted.key, lease, now.saturating_add(2_000)).await;
                if is_still_good {
                    return Ok(Spent::Done(Box::new(stored)));
                }
                Err(CredentialError::Unavailable { name, reason })
            }
        }
    }

    /// A refresh was sent, and what came of it nobody knows.
    pub(crate) async fn outcome_unknown(
        &self,
        wanted: &Wanted,
        stored: Stored,
        lease: &Lease,
        sent_at: u64,
    ) -> Result<Spent, CredentialError> {
        let health = Health::RefreshOutcomeUnknown { sent_at };
        if stored.connection.health != health {
            self.mark(&wanted.key, stored.connection.revision, health.clone()).await?;
        }
        self.release(&wanted.key, lease, 0).await;
        let now = self.0.clock.unix_milliseconds();
        if !wanted.refused && stored.connection.expires_at.is_some_and(|at| at > now) {
            let mut stored = stored;
            stored.connection.health = health;
            return Ok(Spent::Done(Box::new(stored)));
        }
        let reason = outcome_unknown(true);
        let health = Health::NeedsReconnect { reason: reason.clone() };
        self.mark(&wanted.key, stored.connection.revision, health).await?;
        Err(CredentialError::Reconnect { name: wanted.key.name.clone(), reason })
    }

    /// Notes how a connection is, unless somebody else has changed it meanwhile.
    pub(crate) async fn mark(
        &self,
        key: &ConnectionKey,
        revision: u64,
        health: Health,
    ) -> Result<(), CredentialError> {
        match self.0.store.set_health(key, revision, health).await {
            Ok(()) | Err(CredentialError::Changed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn release(&self, key: &ConnectionKey, lease: &Lease, not_before: u64) {
        let change = LeaseChange::Release { not_before };
        if let Err(error) = self.0.store.hold(key, lease.fence, change).await {
            // It runs out by itself.
            tracing::warn!(credential = %key, %error, "cannot release the lease");
        }
    }

    /// Asks a token endpoint for the first tokens of a connection. One that cannot answer just now, or
    /// that was not reached, is asked again, as for a renewal.
    pub(crate) async fn first_tokens(
        &self,
        mut ask: impl AsyncFnMut() -> Result<Tokens, Refusal>,
    ) -> Result<Tokens, Refusal> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let refusal = match ask().await {
                Ok(tokens) => return Ok(tokens),
                Err(refusal) => refusal,
            };
            let has_done_nothing =
                matches!(refusal.kind, RefusalKind::NotSent | RefusalKind::Unavailable);
            if !has_done_nothing || attempt >= self.0.timing.attempts {
                return Err(refusal);
            }
            let pause = self.pause(attempt, &refusal);
            tracing::info!(reason = %refusal.reason, ?pause, "requesting tokens again");
            self.0.clock.sleep(pause).await;
        }
    }

    /// Full jitter over growing steps, or what the service asks for.
    pub(crate) fn pause(&self, attempt: u32, refusal: &Refusal) -> Duration {
        let Timing { first_pause, longest_pause, .. } = self.0.timing;
        let step = first_pause.saturating_mul(1 << attempt.saturating_sub(1).min(8));
        let pause = step.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        refusal.retry_after.unwrap_or(pause).min(longest_pause)
    }
}
