//! Shared by access, connection, and renewal: the store, the connection to the service, and the
//! receivers of events.

use std::sync::Arc;
use std::time::Duration;

use super::manage::{Actor, CredentialEvents, Timing};
use super::wire::{Refusal, RefusalKind, Tokens, Wire};
use crate::audit::{AuditLog, CredentialEvent, CredentialOperation};
use crate::causes::chain;
use crate::clock::Clock;
use crate::credential::reference::References;
use crate::credential::{
    CredentialError, CredentialId, CredentialRequest, CredentialStore, Dependant, Head,
};
use crate::egress::Endpoints;
use crate::secret::Secret;

/// State that access, connection, and renewal share. They modify nothing in it except the store.
pub(crate) struct Backend {
    pub(crate) store: Arc<dyn CredentialStore>,
    pub(crate) endpoints: Endpoints,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: AuditLog,
    pub(crate) events: Arc<dyn CredentialEvents>,
    pub(crate) timing: Timing,
    pub(crate) references: References,
}

/// Receives nothing.
pub(crate) struct NoEvents;

impl CredentialEvents for NoEvents {}

/// Request to a token endpoint when a credential is connected. An enum and not a closure, so that
/// engines can spawn the task that sends the request.
#[derive(Clone, Copy)]
pub(super) enum TokenQuestion<'a> {
    /// Tokens for an authorization code.
    Code { code: &'a Secret, verifier: &'a Secret, redirect: &'a str },
    /// A token of an app's own.
    App { scopes: &'a [String] },
}

impl Backend {
    /// Workflows that have named a credential. Empty if the store does not have it.
    pub(super) async fn dependants(&self, credential: impl Into<CredentialId>) -> Vec<Dependant> {
        let CredentialId { tenant, name } = credential.into();
        let listed = self.store.list().await.unwrap_or_default();
        listed
            .into_iter()
            .find(|one| one.tenant == tenant && one.name == name)
            .map(|one| one.dependants)
            .unwrap_or_default()
    }

    /// Records in the audit log what was done for a request.
    pub(super) async fn audit(
        &self,
        request: &CredentialRequest,
        operation: CredentialOperation,
        refused: Option<String>,
    ) {
        let event = CredentialEvent {
            time: self.clock.unix_milliseconds(),
            credential: request.name.clone(),
            operation,
            node: request.node.clone(),
            action: Some(request.action.clone()).filter(|action| !action.is_empty()),
            plugin: request.plugin.map(|plugin| plugin.to_string()),
            actor: request.actor.clone(),
            workflow: request.workflow.clone(),
            refused,
        };
        self.audit.credential(event).await;
    }

    pub(super) async fn audit_of(
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
        self.audit(&request, operation, refused.map(|error| chain(error))).await;
    }

    /// Asks a token endpoint for the first tokens of a connection. One that cannot answer just now, or
    /// that was not reached, is asked again, as for a renewal.
    pub(super) async fn first_tokens(
        &self,
        wire: &Wire<'_>,
        question: TokenQuestion<'_>,
    ) -> Result<Tokens, Refusal> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let answer = match question {
                TokenQuestion::Code { code, verifier, redirect } => {
                    wire.code(code, verifier, redirect).await
                }
                TokenQuestion::App { scopes } => wire.app(scopes).await,
            };
            let refusal = match answer {
                Ok(tokens) => return Ok(tokens),
                Err(refusal) => refusal,
            };
            let has_done_nothing =
                matches!(refusal.kind, RefusalKind::NotSent | RefusalKind::Unavailable);
            if !has_done_nothing || attempt >= self.timing.attempts {
                return Err(refusal);
            }
            let pause = self.pause(attempt, &refusal);
            tracing::info!(reason = %refusal.reason, ?pause, "requesting tokens again");
            self.clock.sleep(pause).await;
        }
    }

    /// Full jitter over growing steps, or the pause that the service asks for.
    pub(super) fn pause(&self, attempt: u32, refusal: &Refusal) -> Duration {
        let Timing { first_pause, longest_pause, .. } = self.timing;
        let step = first_pause.saturating_mul(1 << attempt.saturating_sub(1).min(8));
        let pause = step.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        refusal.retry_after.unwrap_or(pause).min(longest_pause)
    }

    /// RFC 7009 section 2.2.1: 503 means to try again.
    pub(super) async fn revoke_one(
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
            let pause = self.timing.first_pause.saturating_mul(attempt);
            let pause = refusal.retry_after.unwrap_or(pause).min(Duration::from_secs(5));
            self.clock.sleep(pause).await;
        }
    }
}
