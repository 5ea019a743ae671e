//! Connecting accounts through the API: an engine requests it, a person opens a link to a page of
//! this server, sees who requests what, and confirms. The service redirects the browser back here.

mod store;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;
use workflow_node_host::credential::{ConnectionKey, CredentialId, Mode};
use workflow_node_host::description::{Access, CredentialType, Field, Form, Grant};
use workflow_node_host::oauth::{
    Actor, AskFor, Authorization, ConnectError, ConnectOrder, CredentialManager, NewConnection,
};
use workflow_node_host::{Plugin, Principal, Secret};

pub(crate) use store::{Connection, ConnectionStore, Progress, Returned};

use crate::database::{Database, DatabaseError, now};
use crate::error::ApiError;
use crate::limits::ServerLimits;
use crate::seal::Sealer;

/// Path of the OAuth callback.
pub(crate) const CALLBACK: &str = "v1/oauth/callback";

/// Which permissions to request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// Values of the form.
    #[default]
    Form,
    Read,
    Write,
    Scopes(Vec<String>),
    Actions(Vec<String>),
}

impl From<Ask> for AskFor {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Form => Self::Form,
            Ask::Read => Self::Access(Access::Read),
            Ask::Write => Self::Access(Access::Write),
            Ask::Scopes(scopes) => Self::Scopes(scopes),
            Ask::Actions(actions) => Self::Actions(actions),
        }
    }
}

/// The requested connection.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Wanted {
    pub(crate) plugin: String,
    pub(crate) credential: String,
    pub(crate) credential_type: String,
    pub(crate) description: String,
    pub(crate) mode: Mode,
    pub(crate) allowed_actions: Option<BTreeSet<String>>,
    pub(crate) fields: Map<String, Value>,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) ask: Ask,
    /// Whether the credential exists and is reconnected.
    pub(crate) replacing: bool,
    /// Whether another account than before is accepted.
    pub(crate) other_account: bool,
    /// Name of the requesting token.
    pub(crate) token: String,
    /// The authorization that waits for its callback: its state and its serialized form.
    pub(crate) authorization: Option<(String, String)>,
}

/// The pending connections of a server.
#[derive(Clone, Debug)]
pub(crate) struct PendingConnections {
    store: ConnectionStore,
    /// Ends with `/`.
    public_url: Option<Url>,
    limits: ServerLimits,
}

/// Result of confirming a connection.
pub(crate) enum Clicked {
    /// It is connected.
    Connected(Box<NewConnection>),
    /// The browser goes to the service.
    Away(Box<Authorization>),
}

/// 256 random bits as text.
pub(crate) fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

impl PendingConnections {
    pub(crate) fn new(
        database: Database,
        sealer: Sealer,
        public_url: Option<Url>,
        limits: ServerLimits,
    ) -> Self {
        Self { store: ConnectionStore::new(database, sealer), public_url, limits }
    }

    /// Runs code with the store on a blocking thread.
    pub(crate) async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ConnectionStore) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = self.store.clone();
        let worked = tokio::task::spawn_blocking(move || work(&store)).await;
        Ok(worked.map_err(|error| ApiError::internal(&error))??)
    }

    fn url(&self, path: &str) -> Result<Url, ApiError> {
        let url = self.public_url.as_ref().and_then(|url| url.join(path).ok());
        url.ok_or_else(|| {
            let message = "The server does not know the address under which browsers reach it.";
            ApiError::new(axum::http::StatusCode::CONFLICT, "no-public-url", message)
                .next("Start the server with --public-url URL.")
        })
    }

    /// The redirect URI of services.
    pub(crate) fn callback_url(&self) -> Result<Url, ApiError> {
        self.url(CALLBACK)
    }

    /// Stores a request, and returns it with the link for the person.
    pub(crate) async fn begin(
        &self,
        principal: &Principal,
        wanted: Wanted,
    ) -> Result<(Connection, Url), ApiError> {
        let (id, link) = (random_text(), random_text());
        let url = self.url(&format!("connect/{link}"))?;
        let expires_at = now().saturating_add(self.limits.connect_ms);
        let most = self.limits.connecting_per_tenant;
        let (tenant, actor) = (principal.tenant.to_string(), principal.user.to_string());
        let connection = Connection {
            id: id.clone(),
            tenant: tenant.clone(),
            actor: actor.clone(),
            credential: wanted.credential.clone(),
            progress: Progress::Waiting,
            expires_at,
            reason: None,
            wanted: None,
        };
        let create = move |store: &ConnectionStore| {
            store.create(&id, &link, (&tenant, &actor), &wanted, expires_at, most)
        };
        match self.with_store(create).await? {
            true => Ok((connection, url)),
            false => {
                let status = axum::http::StatusCode::TOO_MANY_REQUESTS;
                let message =
                    "Too many connections wait for a person (limit `connecting_per_tenant`).";
                Err(ApiError::new(status, "queue-full", message)
                    .retry_after(ServerLimits::time(self.limits.connect_ms)))
            }
        }
    }

    /// Removes expired connections.
    pub(crate) async fn prune(&self) -> Result<(), ApiError> {
        let before = now().saturating_sub(self.limits.connect_ms);
        self.with_store(move |store| store.prune(before)).await
    }
}

/// The owner of a connection with a credential's name.
pub(crate) fn key_of(principal: &Principal, name: &str, mode: Mode) -> ConnectionKey {
    let key = ConnectionKey::of(CredentialId::of(principal.tenant.clone(), name));
    let user = (mode == Mode::PerUser).then(|| principal.user.clone());
    ConnectionKey { user, ..key }
}

/// The secrets of a type's form that have not been given.
pub(crate) fn missing_secrets(described: &CredentialType, order: &ConnectOrder) -> Vec<Field> {
    let form = Form::of_credential_type(described);
    let is_missing = |field: &Field| {
        field.is_secret
            && !order.form.secrets.contains_key(&field.name)
            && !order.references.contains_key(&field.name)
    };
    form.fields.into_iter().filter(is_missing).collect()
}

/// The required fields of a type's form that are missing.
pub(crate) fn missing_fields(described: &CredentialType, order: &ConnectOrder) -> Vec<Field> {
    let form = Form::of_credential_type(described);
    let is_missing = |field: &Field| {
        field.is_required && !field.is_secret && !order.form.fields.contains_key(&field.name)
    };
    form.fields.into_iter().filter(is_missing).collect()
}

impl Wanted {
    /// The order for the library. A reconnected credential keeps its fields, except a secret that a
    /// person entered before, because that is to be replaced.
    pub(crate) async fn order(
        &self,
        manager: &CredentialManager,
        plugin: &Plugin,
        principal: &Principal,
    ) -> Result<ConnectOrder, ConnectError> {
        let mut order = match self.replacing {
            true => {
                let key = key_of(principal, &self.credential, self.mode);
                let mut order = manager.order_again(&key).await?;
                let described = plugin.credential_type(&order.credential_type)?;
                if described.grant == Grant::Fixed {
                    order.form.secrets.clear();
                    order.references.clear();
                }
                order
            }
            false => ConnectOrder {
                name: self.credential.clone(),
                description: self.description.clone(),
                owner: Some(principal.user.clone()),
                mode: self.mode,
                allowed_actions: self.allowed_actions.clone(),
                user: (self.mode == Mode::PerUser).then(|| principal.user.clone()),
                credential_type: self.credential_type.clone(),
                ..ConnectOrder::default()
            },
        };
        order.form.fields.extend(self.fields.clone());
        // A required field with a default may be omitted.
        let described = plugin.credential_type(&order.credential_type)?;
        for field in Form::of_credential_type(described).fields {
            if let Some(default) = field.default.filter(|_| field.is_required && !field.is_secret) {
                order.form.fields.entry(field.name).or_insert(default);
            }
        }
        let secrets = self.secrets.iter();
        let secrets = secrets.map(|(name, text)| (name.clone(), Secret::new(text.as_str())));
        order.form.secrets.extend(secrets);
        order.ask = self.ask.clone().into();
        Ok(order)
    }

    /// Connects it, as far as possible without the service's pages.
    pub(crate) async fn connect(
        &self,
        manager: &CredentialManager,
        plugin: &Plugin,
        principal: &Principal,
        callback: Option<Url>,
    ) -> Result<Clicked, ConnectError> {
        let by = Actor::from(principal.clone());
        let mut order = self.order(manager, plugin, principal).await?;
        let connection = match &plugin.credential_type(&order.credential_type)?.grant {
            Grant::Fixed => manager.connect_fixed(plugin, order, &by).await?,
            Grant::ClientCredentials(_) => manager.connect_app(plugin, order, &by).await?,
            _ => {
                order.redirect = callback;
                let authorization = manager.begin(plugin, order, &by).await?;
                return Ok(Clicked::Away(Box::new(authorization)));
            }
        };
        Ok(Clicked::Connected(Box::new(connection)))
    }

    /// Stores a connection, unless it is for an account that is not accepted.
    pub(crate) async fn keep(
        &self,
        manager: &CredentialManager,
        mut connection: NewConnection,
        principal: &Principal,
    ) -> Result<(), ConnectError> {
        if !connection.other_account.is_empty() {
            if !self.other_account {
                let differences = std::mem::take(&mut connection.other_account);
                manager.discard(connection).await;
                return Err(ConnectError::OtherAccount(differences));
            }
            connection.confirm_other_account();
        }
        manager.keep(connection, &Actor::from(principal.clone())).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::test_sealer;

    fn wanted() -> Wanted {
        Wanted {
            plugin: "pagerduty".into(),
            credential: "work".into(),
            credential_type: "oauth2".into(),
            description: String::new(),
            mode: Mode::Private,
            allowed_actions: None,
            fields: Map::new(),
            secrets: BTreeMap::from([("client_secret".to_owned(), "canary".to_owned())]),
            ask: Ask::Form,
            replacing: false,
            other_account: false,
            token: "n8n".into(),
            authorization: None,
        }
    }

    #[test]
    fn a_pending_connection_is_taken_once_and_by_its_own_browser() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let store = ConnectionStore::new(database, test_sealer());
        let later = now() + 60_000;
        assert!(store.create("1", "link", ("acme", "ada"), &wanted(), later, 1).unwrap());
        let full = store.create("2", "other", ("acme", "ada"), &wanted(), later, 1).unwrap();
        assert!(!full, "the tenant has a pending connection");
        assert!(store.by_link("LINK").unwrap().is_none());
        let found = store.by_link("link").unwrap().unwrap();
        assert_eq!(found.wanted.unwrap().secrets["client_secret"], "canary");
        assert!(store.by_id(("acme", "ben"), "work", "1").unwrap().is_none());
        assert!(store.returned("state", Some("cookie")).unwrap().is_none(), "nobody was sent");
        store.sent("1", "state", "cookie", &wanted()).unwrap();
        for stranger in [None, Some("another")] {
            let returned = store.returned("state", stranger).unwrap();
            assert!(matches!(returned, Some(Returned::Stranger(_))), "{stranger:?}");
        }
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let is_found = bytes.windows(6).any(|part| part == b"canary");
            assert!(!is_found, "a secret is on the disk");
        }
        let returned = store.returned("state", Some("cookie")).unwrap();
        assert!(matches!(returned, Some(Returned::Own(_))));
        assert!(store.returned("state", Some("cookie")).unwrap().is_none(), "it was taken");
        store.end("1", Progress::Connected, None).unwrap();
        let ended = store.by_id(("acme", "ada"), "work", "1").unwrap().unwrap();
        assert_eq!(ended.progress, Progress::Connected);
        assert!(ended.wanted.is_none());
    }

    #[test]
    fn a_connection_that_nobody_confirms_expires() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let store = ConnectionStore::new(database, test_sealer());
        store.create("1", "link", ("acme", "ada"), &wanted(), now() - 1, 1).unwrap();
        store.sent("1", "state", "cookie", &wanted()).unwrap();
        assert_eq!(store.by_link("link").unwrap().unwrap().progress, Progress::Expired);
        assert!(store.returned("state", Some("cookie")).unwrap().is_none());
        store.prune(0).unwrap();
        assert!(store.by_link("link").unwrap().unwrap().wanted.is_none());
        store.prune(now()).unwrap();
        assert!(store.by_link("link").unwrap().is_none());
    }
}
