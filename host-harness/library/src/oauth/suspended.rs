//! Authorizations that outlive the process that has begun them: written down, and read back. The engine
//! keeps the text, and seals it, because it holds the form's secrets and the code verifier.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::ConnectError;
use super::connect::{Connector, Pending};
use super::manage::Actor;
use super::order::ConnectOrder;
use crate::credential::rights::{self, AskFor, Right};
use crate::credential::{CredentialForm, Mode, SecretReference};
use crate::description::Access;
use crate::digest::Digest;
use crate::plugin::Plugin;
use crate::principal::{Principal, User};
use crate::secret::Secret;

/// An authorization as text.
#[derive(Deserialize, Serialize)]
struct Suspended {
    plugin: Digest,
    order: SavedOrder,
    redirect: Url,
    verifier: String,
    nonce: Option<String>,
    /// Milliseconds since 1970.
    began_at: u64,
    by: Principal,
    is_admin: bool,
}

#[derive(Deserialize, Serialize)]
struct SavedOrder {
    name: String,
    description: String,
    owner: Option<User>,
    mode: Mode,
    allowed_actions: Option<BTreeSet<String>>,
    user: Option<User>,
    credential_type: String,
    fields: Map<String, Value>,
    secrets: BTreeMap<String, String>,
    #[serde(default)]
    references: BTreeMap<String, SecretReference>,
    ask: SavedAsk,
    replacing: bool,
    insecure_redirect: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum SavedAsk {
    Form,
    Access(Access),
    Scopes(Vec<String>),
    Actions(Vec<String>),
}

impl From<&AskFor> for SavedAsk {
    fn from(ask: &AskFor) -> Self {
        match ask {
            AskFor::Form => Self::Form,
            AskFor::Access(access) => Self::Access(*access),
            AskFor::Scopes(scopes) => Self::Scopes(scopes.clone()),
            AskFor::Actions(actions) => Self::Actions(actions.clone()),
        }
    }
}

impl From<SavedAsk> for AskFor {
    fn from(ask: SavedAsk) -> Self {
        match ask {
            SavedAsk::Form => Self::Form,
            SavedAsk::Access(access) => Self::Access(access),
            SavedAsk::Scopes(scopes) => Self::Scopes(scopes),
            SavedAsk::Actions(actions) => Self::Actions(actions),
        }
    }
}

impl From<&ConnectOrder> for SavedOrder {
    fn from(order: &ConnectOrder) -> Self {
        let exposed = |(name, secret): (&String, &Secret)| (name.clone(), secret.expose().into());
        Self {
            name: order.name.clone(),
            description: order.description.clone(),
            owner: order.owner.clone(),
            mode: order.mode,
            allowed_actions: order.allowed_actions.clone(),
            user: order.user.clone(),
            credential_type: order.credential_type.clone(),
            fields: order.form.fields.clone(),
            secrets: order.form.secrets.iter().map(exposed).collect(),
            references: order.references.clone(),
            ask: (&order.ask).into(),
            replacing: order.replacing,
            insecure_redirect: order.insecure_redirect,
        }
    }
}

impl SavedOrder {
    fn order(self, redirect: Url) -> ConnectOrder {
        let secrets = self.secrets.into_iter().map(|(name, text)| (name, Secret::new(text)));
        ConnectOrder {
            name: self.name,
            description: self.description,
            owner: self.owner,
            mode: self.mode,
            allowed_actions: self.allowed_actions,
            user: self.user,
            credential_type: self.credential_type,
            form: CredentialForm { fields: self.fields, secrets: secrets.collect() },
            references: self.references,
            ask: self.ask.into(),
            replacing: self.replacing,
            redirect: Some(redirect),
            insecure_redirect: self.insecure_redirect,
        }
    }
}

impl Connector {
    /// See [`CredentialManager::suspend`](super::CredentialManager::suspend).
    pub(crate) fn suspend(&self, state: &str) -> Result<Secret, ConnectError> {
        let pending = {
            let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(state).ok_or(ConnectError::State)?
        };
        let since = self.backend.clock.monotonic().saturating_sub(pending.began);
        let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let suspended = Suspended {
            plugin: pending.plugin.digest(),
            order: (&pending.order).into(),
            redirect: pending.redirect,
            verifier: pending.verifier.expose().to_owned(),
            nonce: pending.nonce,
            began_at: self.backend.clock.unix_milliseconds().saturating_sub(since),
            by: pending.by.principal,
            is_admin: pending.by.is_admin,
        };
        let text = serde_json::to_string(&suspended);
        text.map(Secret::new).map_err(|error| ConnectError::Prepare(error.into()))
    }

    /// See [`CredentialManager::restore`](super::CredentialManager::restore).
    pub(crate) async fn restore(
        &self,
        plugin: &Plugin,
        state: &str,
        suspended: &Secret,
    ) -> Result<(), ConnectError> {
        let suspended: Suspended =
            serde_json::from_str(suspended.expose()).map_err(|_| ConnectError::State)?;
        if suspended.plugin != plugin.digest() {
            return Err(ConnectError::Refused(
                "another build of the plugin has begun the connection: begin again".to_owned(),
            ));
        }
        let by = Actor { principal: suspended.by, is_admin: suspended.is_admin };
        let order = suspended.order.order(suspended.redirect.clone());
        let described = self.described(plugin, &order).await?;
        let draft = self.draft(plugin, described, &order, &by).await?;
        let since = self.backend.clock.unix_milliseconds().saturating_sub(suspended.began_at);
        let since = Duration::from_millis(since);
        if since >= self.backend.timing.pending {
            return Err(ConnectError::State);
        }
        let pending = Pending {
            plugin: plugin.clone(),
            order,
            draft,
            redirect: suspended.redirect,
            verifier: Secret::new(suspended.verifier),
            nonce: suspended.nonce,
            began: self.backend.clock.monotonic().saturating_sub(since),
            by,
        };
        let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(state.to_owned(), pending);
        Ok(())
    }

    /// See [`CredentialManager::rights_of`](super::CredentialManager::rights_of).
    pub(crate) async fn rights_of(
        &self,
        plugin: &Plugin,
        order: &ConnectOrder,
    ) -> Result<Option<Vec<Right>>, ConnectError> {
        let described = self.described(plugin, order).await?;
        let description = plugin.description();
        let requested = rights::requested_scopes(description, described, &order.ask)
            .map_err(ConnectError::Refused)?;
        let scopes = requested.or_else(|| {
            let list = order.form.fields.get(described.grant.scopes_field()?)?.as_array()?;
            Some(list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
        });
        Ok(scopes.map(|scopes| rights::in_words(description, described, &scopes)))
    }
}
