//! A connection that works but is not stored yet: its granted and missing permissions, its account,
//! and whether to store or discard it.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ConnectError;
use super::connect::Connector;
use super::id_token::{self, Expected};
use super::manage::Actor;
use super::order::{ConnectOrder, Draft, client_id};
use super::wire::{Tokens, Wire};
use crate::audit::{Caller, CredentialOperation};
use crate::credential::reference::{self, Freshness};
use crate::credential::rights::{self, Right};
use crate::credential::{
    ConnectionKey, ConnectionParts, CredentialError, CredentialId, Head, NewCredential, check_size,
};
use crate::description::{CredentialType, Grant};
use crate::plugin::Plugin;
use crate::principal::Principal;

/// Difference between the previous account and the new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The claim.
    pub what: String,
    /// Previous value.
    pub was: String,
    /// New value.
    pub is: String,
}

/// A connection that works and is not kept yet.
#[derive(Debug)]
#[must_use = "it is not kept until it is kept"]
pub struct NewConnection {
    credential: NewCredential,
    replacing: Option<u64>,
    plugin: Plugin,
    /// The account at the service.
    pub identity: Map<String, Value>,
    /// Granted permissions; empty if the grant has no scopes.
    pub granted: Vec<Right>,
    /// Permissions that were requested and not granted.
    pub missing: Vec<Right>,
    /// Actions that will not work, each with the permissions that it lacks.
    pub blocked: Vec<(String, Vec<String>)>,
    /// How the account or user differs from the one from before. Unless this is empty, it is kept
    /// only once somebody has confirmed it.
    pub other_account: Vec<Difference>,
    /// Warnings for the person who connects.
    pub warnings: Vec<String>,
    confirmed: bool,
    /// Who has connected it, and alone can keep it.
    by: Principal,
}

impl NewConnection {
    /// Confirms that the account or user may differ from the previous one.
    pub fn confirm_other_account(&mut self) {
        self.confirmed = true;
    }
}

impl Connector {
    /// See [`CredentialManager::keep`](super::CredentialManager::keep).
    pub(crate) async fn keep(
        &self,
        connection: NewConnection,
        by: &Actor,
    ) -> Result<u64, ConnectError> {
        if connection.by != by.principal {
            return Err(ConnectError::State);
        }
        if !connection.other_account.is_empty() && !connection.confirmed {
            return Err(ConnectError::OtherAccount(connection.other_account));
        }
        let Head { tenant, name, .. } = &connection.credential.head;
        let id = CredentialId::of(tenant.clone(), name);
        let revision = self.backend.store.keep(connection.credential, connection.replacing).await?;
        let head = self.backend.store.head(&id).await?;
        self.backend.audit_of(&head, CredentialOperation::Connect, by, None).await;
        Ok(revision)
    }

    /// See [`CredentialManager::discard`](super::CredentialManager::discard).
    pub(crate) async fn discard(&self, connection: NewConnection) {
        let NewConnection { credential, plugin, by, .. } = connection;
        let Ok(described) = plugin.credential_type(&credential.head.credential_type) else {
            return;
        };
        let has_way = credential
            .parts
            .configuration
            .oauth
            .as_ref()
            .is_some_and(|oauth| oauth.revoke_url.is_some());
        if !has_way {
            return;
        }
        let caller = crate::egress::EndpointCaller {
            on_behalf_of: Caller {
                plugin: plugin.digest(),
                node: credential.head.node.clone(),
                action: "credential.revoke".to_owned(),
                execution: String::new(),
                actor: by,
                workflow: None,
            },
            credential_type: credential.head.credential_type.clone(),
            credential: credential.head.name.clone(),
            allow: None,
            configuration: credential.parts.configuration.clone(),
        };
        let secrets = credential.secrets.clone();
        let name = &credential.head.name;
        let filled = self.backend.references.fill(name, secrets, Freshness::Usual).await;
        let secrets = filled.map_or_else(|_| credential.secrets.clone(), |(secrets, _)| secrets);
        let wire = Wire {
            endpoints: &self.backend.endpoints,
            caller: &caller,
            grant: &described.grant,
            fields: &credential.parts.fields,
            secrets: &secrets,
            configuration: &credential.parts.configuration,
            timeout: Duration::from_secs(10),
        };
        for name in ["refresh_token", "access_token"] {
            if let Some(token) = credential.secrets.get(name)
                && let Some(reason) = self.backend.revoke_one(&wire, name, token).await
            {
                tracing::warn!(
                    credential = credential.head.name,
                    reason,
                    "a token was not revoked"
                );
            }
        }
    }

    /// See [`CredentialManager::note_identity`](super::CredentialManager::note_identity).
    pub(crate) async fn note_identity(
        &self,
        key: &ConnectionKey,
        identity: Map<String, Value>,
    ) -> Result<(), CredentialError> {
        let stored = self.backend.store.open(key).await?;
        self.backend.store.set_identity(key, stored.connection.revision, identity).await
    }

    /// Assembles the connection to store, and the information to show the person.
    pub(crate) async fn connection(
        &self,
        plugin: &Plugin,
        described: &CredentialType,
        order: ConnectOrder,
        draft: Draft,
        by: &Actor,
        granted_now: Option<(Tokens, Option<&str>)>,
    ) -> Result<NewConnection, ConnectError> {
        let Draft { form, references, mut configuration, asked, before } = draft;
        let now = self.backend.clock.unix_milliseconds();
        let mut warnings = Vec::new();
        let mut secrets = form.secrets.clone();
        reference::keep(&references, &mut secrets);
        let mut identity = Map::new();
        let (mut granted, mut expires_at, mut lifetime) = (None, None, None);
        if let Some((tokens, nonce)) = granted_now {
            let scopes = tokens.scopes.clone().unwrap_or_else(|| asked.clone());
            if let Grant::AuthorizationCode(grant) = &described.grant
                && let Some(token) = &tokens.id_token
            {
                let client = client_id(&described.grant, &form).unwrap_or_default();
                let issuers = &grant.issuers;
                let expected = Expected { issuers, client_id: &client, nonce, now: now / 1_000 };
                identity = id_token::claims(token.expose(), &expected, &grant.id_token_claims)
                    .map_err(|why| ConnectError::IdToken(why.to_owned()))?;
            }
            lifetime =
                tokens.lifetime.map(|life| u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
            expires_at = lifetime.map(|lifetime| now.saturating_add(lifetime));
            let rotates = described.grant.has_refresh_tokens();
            if rotates && tokens.refresh_token.is_none() {
                warnings.push(
                    "the service issued no refresh token, so the credential must be reconnected \
                     when its token expires"
                        .to_owned(),
                );
            }
            secrets.insert("access_token".to_owned(), tokens.access_token);
            if let Some(token) = tokens.refresh_token.filter(|_| rotates) {
                secrets.insert("refresh_token".to_owned(), token);
            }
            check_size(&form.fields, &secrets, plugin.process_limits()).map_err(|problem| {
                ConnectError::Refused(format!("what the service issued cannot be used: {problem}"))
            })?;
            // Which account it is, and so where it may be sent, shows only now.
            let grant = json!({ "scopes": scopes, "claims": identity });
            configuration = plugin.configure(&described.name, &form.fields, Some(&grant)).await?;
            granted = Some(scopes);
        }
        let description = plugin.description();
        let held = granted.clone().unwrap_or_default();
        let lacking: Vec<String> = asked
            .iter()
            .filter(|scope| granted.is_some() && !rights::is_granted(described, &held, scope))
            .cloned()
            .collect();
        let known = |scope: &&String| described.scopes.iter().any(|one| one.allows(scope));
        let shown: Vec<String> = held.iter().filter(known).cloned().collect();
        let blocked = match &granted {
            Some(granted) => rights::blocked(description, described, granted),
            None => Vec::new(),
        };
        let other_account = before
            .as_ref()
            .map(|before| differences(&before.connection.parts.identity, &identity))
            .unwrap_or_default();
        let replacing = before.as_ref().map(|before| before.connection.revision);
        let is_oauth = granted.is_some();
        // Test results for the old secret do not apply to the new one.
        let credential = NewCredential {
            head: Head {
                tenant: by.principal.tenant.clone(),
                name: order.name,
                description: order.description,
                owner: order.owner,
                mode: order.mode,
                allowed_actions: order.allowed_actions,
                node: description.node.name.clone(),
                credential_type: described.name.clone(),
            },
            user: order.user,
            parts: ConnectionParts {
                fields: form.fields,
                configuration,
                asked_scopes: is_oauth.then_some(asked),
                granted_scopes: granted,
                identity: identity.clone(),
                expires_at,
                lifetime,
            },
            secrets,
        };
        Ok(NewConnection {
            granted: rights::in_words(description, described, &shown),
            missing: rights::in_words(description, described, &lacking),
            blocked,
            other_account,
            warnings,
            identity,
            credential,
            replacing,
            plugin: plugin.clone(),
            confirmed: false,
            by: by.principal.clone(),
        })
    }
}

fn differences(before: &Map<String, Value>, now: &Map<String, Value>) -> Vec<Difference> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    before
        .iter()
        .filter_map(|(what, was)| {
            let is = now.get(what)?;
            (is != was).then(|| Difference { what: what.clone(), was: text(was), is: text(is) })
        })
        .collect()
}
