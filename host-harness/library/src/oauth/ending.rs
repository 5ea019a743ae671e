//! The end of a connection: revoked at the service where there is a way, wiped here in any case, and
//! told to those who depend on it.

use std::time::Duration;

use serde::Serialize;

use super::manage::{Actor, CredentialEnded, CredentialManager, permit_management};
use super::wire::{RefusalKind, Wire};
use crate::audit::CredentialOperation;
use crate::credential::{
    ConnectionKey, CredentialError, CredentialRequest, Dependant, Health, Stored,
};
use crate::plugin::Plugin;

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

impl CredentialManager {
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
        by: &Actor,
        plugin: Option<&Plugin>,
    ) -> Result<Disconnection, CredentialError> {
        let head = self.0.store.head(&key.credential()).await?;
        let permitted = permit_management(&head, key.user.as_ref(), by);
        self.audit_of(&head, CredentialOperation::Disconnect, by, permitted.as_ref().err()).await;
        permitted?;
        let dependants = self.dependants(key.credential()).await;
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
            tenant: key.tenant.clone(),
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
        by: &Actor,
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
                "a typed secret cannot be revoked here. Delete it at the service if nothing else \
                 uses it"
                    .to_owned()
            });
            return (Vec::new(), reason);
        }
        let Some(plugin) = plugin else {
            let reason = "the plugin, which describes how tokens are revoked, is missing";
            return (Vec::new(), Some(reason.to_owned()));
        };
        let oauth = stored.connection.configuration.oauth.as_ref();
        if oauth.is_none_or(|oauth| oauth.revoke_url.is_none()) {
            let reason = "the service does not support revocation. Revoke access on the pages of \
                          the service, or wait until the token expires";
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
            actor: by.principal.clone(),
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
            self.audit(&request, CredentialOperation::Revoke, failed.clone()).await;
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
}
