//! The end of a connection: revoked at the service where there is a way, wiped here in any case, and
//! told to those who depend on it.

use std::time::Duration;

use serde::Serialize;

use super::connect::Connector;
use super::manage::{Actor, CredentialEnded, permit_management};
use super::renew::caller;
use super::wire::Wire;
use crate::audit::CredentialOperation;
use crate::causes::chain;
use crate::credential::reference::Freshness;
use crate::credential::{
    ConnectionKey, CredentialError, CredentialRequest, Dependant, Health, Stored,
};
use crate::plugin::Plugin;

/// Result of revoking a token when its credential was disconnected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revoked {
    /// `access_token` or `refresh_token`.
    pub token: String,
    /// Why the service did not revoke it; `None` if the service confirmed the revocation.
    pub failed: Option<String>,
}

/// Result of a disconnection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disconnection {
    /// The tokens that the service was asked to revoke.
    pub revoked: Vec<Revoked>,
    /// Why the service was not asked; `None` where it was, or where there was no token.
    pub not_asked: Option<String>,
    /// The workflows that were told.
    pub dependants: Vec<Dependant>,
}

impl Connector {
    /// See [`CredentialManager::disconnect`](super::CredentialManager::disconnect).
    pub(crate) async fn disconnect(
        &self,
        key: &ConnectionKey,
        by: &Actor,
        plugin: Option<&Plugin>,
    ) -> Result<Disconnection, CredentialError> {
        let head = self.backend.store.head(&key.credential()).await?;
        let permitted = permit_management(&head, key.user.as_ref(), by);
        self.backend
            .audit_of(&head, CredentialOperation::Disconnect, by, permitted.as_ref().err())
            .await;
        permitted?;
        let dependants = self.backend.dependants(key.credential()).await;
        // A record that does not open can still be wiped.
        let stored = self.backend.store.open(key).await;
        let (revoked, not_asked) = match &stored {
            Ok(stored) => self.revoke_tokens(stored, by, plugin).await,
            Err(CredentialError::NotConnected { name, user }) => {
                let (name, user) = (name.clone(), user.clone());
                return Err(CredentialError::NotConnected { name, user });
            }
            Err(error) => (Vec::new(), Some(chain(&error))),
        };
        // Tokens may have been renewed since they were read.
        let mut revision = stored.as_ref().map_or(0, |stored| stored.connection.revision);
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.backend.store.set_health(key, revision, Health::Disconnected).await {
                Ok(()) => break,
                Err(CredentialError::Changed(_)) if attempts < 5 => {
                    revision = self.backend.store.open(key).await?.connection.revision;
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
        self.backend.events.disconnected(&event).await;
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
            let fixed = stored.connection.parts.configuration.oauth.is_none();
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
        let oauth = stored.connection.parts.configuration.oauth.as_ref();
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
        let caller = caller(&request, stored, "credential.revoke");
        let (name, secrets) = (&stored.head.name, stored.secrets.clone());
        let filled = self.backend.references.fill(name, secrets, Freshness::Usual).await;
        let secrets = match filled {
            Ok((secrets, _)) => secrets,
            Err(error) => return (Vec::new(), Some(chain(&error))),
        };
        let wire = Wire {
            endpoints: &self.backend.endpoints,
            caller: &caller,
            grant: &credential_type.grant,
            fields: &stored.connection.parts.fields,
            secrets: &secrets,
            configuration: &stored.connection.parts.configuration,
            timeout: self.backend.timing.answer.min(Duration::from_secs(20)),
        };
        let mut revoked = Vec::new();
        for name in tokens {
            let failed = self.backend.revoke_one(&wire, name, &stored.secrets[name]).await;
            self.backend.audit(&request, CredentialOperation::Revoke, failed.clone()).await;
            revoked.push(Revoked { token: name.to_owned(), failed });
        }
        (revoked, None)
    }
}
