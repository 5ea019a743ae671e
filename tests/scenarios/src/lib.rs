//! Shared parts of the scenarios: an engine with a sealed credential store, the approved PagerDuty
//! component, and a PagerDuty simulator. On top of them are two small products as an integrator
//! would build them: a rotation bot and a sync with an issue tracker. They use only the names of
//! the node's actions and triggers, and only the names of credentials.

pub mod rotation;
pub mod sync;
pub mod tracker;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use end_to_end::{host, transport};
use pagerduty_simulator::{App, Region, Simulator};
use serde_json::Value;
use url::Url;
use workflow_node_host::audit::MemoryAudit;
use workflow_node_host::credential::{
    ConnectionKey, CredentialForm, CredentialStatus, CredentialSummary, Mode,
};
use workflow_node_host::oauth::{
    Actor, AskFor, ConnectError, ConnectOrder, CredentialEnded, CredentialEvents,
    CredentialManager, NewConnection,
};
use workflow_node_host::store::{PassphraseCost, SqliteStore, StoreKey};
use workflow_node_host::{
    CallContext, Error, Execution, Host, Identity, ItemError, Outcome, Plugin, Secret,
};

/// The redirect URI that the engine has registered with PagerDuty.
pub const REDIRECT: &str = "https://example.com/callback";

/// An engine, the PagerDuty node, and a PagerDuty simulator.
pub struct World {
    /// The PagerDuty simulator.
    pub simulator: Simulator,
    /// The host that the engine embeds.
    pub host: Host,
    /// The PagerDuty node, approved.
    pub plugin: Plugin,
    /// The engine's store.
    pub store: SqliteStore,
    /// The audit events.
    pub audit: Arc<MemoryAudit>,
    /// Credentials that ended, as reported to the engine.
    pub ended: Arc<Ended>,
    _directory: tempfile::TempDir,
}

/// Receives the end of credentials.
#[derive(Debug, Default)]
pub struct Ended(Mutex<Vec<(&'static str, CredentialEnded)>>);

impl Ended {
    /// The reported ends: `disconnected` or `needs-reconnect`, with the credential.
    pub fn all(&self) -> Vec<(&'static str, CredentialEnded)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hear(&self, what: &'static str, event: &CredentialEnded) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((what, event.clone()));
    }
}

#[async_trait]
impl CredentialEvents for Ended {
    async fn disconnected(&self, event: &CredentialEnded) {
        self.hear("disconnected", event);
    }

    async fn needs_reconnect(&self, event: &CredentialEnded) {
        self.hear("needs-reconnect", event);
    }
}

/// Why an operation failed: a kind for the engine, and a message for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The kind of an item's error, or of the host's.
    pub kind: &'static str,
    /// Cause and next step.
    pub message: String,
}

impl From<ItemError> for Failed {
    fn from(error: ItemError) -> Self {
        Self { kind: error.kind.as_str(), message: error.message }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { kind: error.kind().as_str(), message: error.to_string() }
    }
}

/// The actor and the workflow of a call.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The user, in the engine's terms.
    pub user: &'a str,
    /// The workflow, in the engine's terms.
    pub workflow: &'a str,
}

impl World {
    /// An engine that is notified of ended credentials.
    pub async fn new() -> Self {
        Self::telling(Arc::new(Ended::default()), None).await
    }

    /// An engine whose ended credentials are reported elsewhere.
    pub async fn telling(ended: Arc<Ended>, other: Option<Arc<dyn CredentialEvents>>) -> Self {
        let simulator =
            Simulator::builder().without_rate_limits().start().await.expect("the simulator starts");
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open_with_cost(
            &directory.path().join("credentials.db"),
            StoreKey::generate().expect("a key"),
            PassphraseCost::for_tests(),
        )
        .expect("a store");
        let audit = Arc::new(MemoryAudit::default());
        let both = Both(ended.clone(), other);
        let host = host()
            .transport(Arc::new(transport(&simulator).build().expect("a transport")))
            .credential_store(Arc::new(store.clone()))
            .credential_events(Arc::new(both))
            .audit(audit.clone())
            .build()
            .expect("a host");
        let plugin = host.load_file(component_build::pagerduty()).await.expect("the plugin");
        plugin.approve(None).await.expect("it is approved");
        Self { simulator, host, plugin, store, audit, ended, _directory: directory }
    }

    /// The credential manager.
    ///
    /// # Panics
    ///
    /// Never: the host has a store.
    pub fn manager(&self) -> &CredentialManager {
        self.host.credentials().expect("the host has a store")
    }

    /// Connects credentials that were entered: an API token, or an app's client credentials.
    ///
    /// # Errors
    ///
    /// If it is refused.
    pub async fn connect(&self, order: ConnectOrder, by: &Actor) -> Result<u64, ConnectError> {
        let order = for_everybody_unless_owned(order);
        let connection = if order.credential_type == "oauth2-app" {
            self.manager().connect_app(&self.plugin, order, by).await?
        } else {
            self.manager().connect_fixed(&self.plugin, order, by).await?
        };
        self.manager().keep(connection, by).await
    }

    /// A user presses Connect, chooses an account, and consents; the engine handles the callback.
    ///
    /// # Errors
    ///
    /// If a step is refused.
    pub async fn press_connect(
        &self,
        order: ConnectOrder,
        person: &str,
        by: &Actor,
    ) -> Result<NewConnection, ConnectError> {
        let order = for_everybody_unless_owned(order);
        let begun = self.manager().begin(&self.plugin, order, by).await?;
        let callback = self.simulator.identity().approve(begun.url.as_str(), person);
        self.manager().finish(&callback.expect("they may consent"), by).await
    }

    /// Runs an action over items; each fails separately.
    ///
    /// # Errors
    ///
    /// If it cannot run at all: there is no such credential for the actor, or it lacks a scope.
    pub async fn run(
        &self,
        by: By<'_>,
        credential: &str,
        action: &str,
        items: &[Value],
    ) -> Result<Outcome, Error> {
        let mut execution = Execution::new(action).credential("rest", credential);
        execution.items = items.to_vec();
        execution.continue_on_fail = true;
        execution.context.actor = by.user.into();
        execution.context.workflow = Some(by.workflow.to_owned());
        self.plugin.execute(execution).await
    }

    /// Returns the output of one item.
    ///
    /// # Errors
    ///
    /// If it was not run, or the item has failed.
    pub async fn ask(
        &self,
        by: By<'_>,
        credential: &str,
        action: &str,
        parameters: Value,
    ) -> Result<Vec<Value>, Failed> {
        let mut outcome = self.run(by, credential, action, &[parameters]).await?;
        let item = outcome.items.remove(0);
        match item.error {
            Some(error) => Err(error.into()),
            None => Ok(item.output.iter().map(|record| record.value()).collect()),
        }
    }

    /// Parameters that create an incident on the first service.
    pub fn opening(&self) -> Value {
        let service = &self.simulator.us().services()[0].id;
        serde_json::json!({"title": "The pipe leaks", "service_id": service})
    }

    /// Status of a credential, as the engine shows it.
    pub fn status(&self, name: &str) -> CredentialStatus {
        self.summary(name).status
    }

    /// Summary of a credential, as the engine shows it.
    pub fn summary(&self, name: &str) -> CredentialSummary {
        self.store.summary(name).expect("it is there")
    }

    /// The node's test of a credential.
    ///
    /// # Errors
    ///
    /// If the service refuses it.
    pub async fn test(&self, by: By<'_>, credential: &str) -> Result<Identity, Error> {
        let context = CallContext::of(by.user).workflow(by.workflow);
        self.plugin.test_credential(credential, context).await
    }

    /// Number of requests to PagerDuty's API that change something.
    pub fn writes(&self) -> usize {
        let requests = self.simulator.requests();
        requests
            .iter()
            .filter(|one| !one.path.starts_with("/oauth/") && one.method != "GET")
            .count()
    }
}

struct Both(Arc<Ended>, Option<Arc<dyn CredentialEvents>>);

#[async_trait]
impl CredentialEvents for Both {
    async fn disconnected(&self, event: &CredentialEnded) {
        self.0.disconnected(event).await;
        if let Some(other) = &self.1 {
            other.disconnected(event).await;
        }
    }

    async fn needs_reconnect(&self, event: &CredentialEnded) {
        self.0.needs_reconnect(event).await;
        if let Some(other) = &self.1 {
            other.needs_reconnect(event).await;
        }
    }
}

/// An order for an API token.
pub fn api_token(name: &str, region: Region, token: &str) -> ConnectOrder {
    ConnectOrder {
        name: name.into(),
        credential_type: "api-token".into(),
        form: CredentialForm {
            fields: end_to_end::object(serde_json::json!({ "region": region.to_string() })),
            secrets: [("api_token".to_owned(), Secret::new(token))].into(),
        },
        ..ConnectOrder::default()
    }
}

/// An order for a user's account, with an app that is registered for [`REDIRECT`].
pub fn user_account(name: &str, app: &App, ask: AskFor) -> ConnectOrder {
    ConnectOrder {
        name: name.into(),
        credential_type: "oauth2".into(),
        form: form(app, serde_json::json!({ "client_id": app.client_id })),
        ask,
        redirect: Some(Url::parse(REDIRECT).expect("it is one")),
        ..ConnectOrder::default()
    }
}

/// An order for an app's own credentials in an account.
pub fn app_account(name: &str, app: &App, region: Region, scopes: &[&str]) -> ConnectOrder {
    ConnectOrder {
        name: name.into(),
        credential_type: "oauth2-app".into(),
        form: form(
            app,
            serde_json::json!({
                "client_id": app.client_id, "region": region.to_string(), "subdomain": "example",
            }),
        ),
        ask: AskFor::Scopes(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
        ..ConnectOrder::default()
    }
}

fn form(app: &App, fields: Value) -> CredentialForm {
    let secret = app.client_secret.as_deref().expect("the app has a secret");
    CredentialForm {
        fields: end_to_end::object(fields),
        secrets: [("client_secret".to_owned(), Secret::new(secret))].into(),
    }
}

/// Credentials that are shared if they name no owner. A private one would belong to the user who
/// connects it.
fn for_everybody_unless_owned(order: ConnectOrder) -> ConnectOrder {
    match (order.mode, &order.owner) {
        (Mode::Private, None) => ConnectOrder { mode: Mode::Shared, ..order },
        _ => order,
    }
}

/// Private to one user.
#[must_use]
pub fn owned(order: ConnectOrder, owner: &str) -> ConnectOrder {
    ConnectOrder { owner: Some(owner.into()), ..order }
}

/// Shared with all workflows that name it, for these actions only; for all actions if the list is
/// empty.
#[must_use]
pub fn shared(order: ConnectOrder, owner: &str, actions: &[&str]) -> ConnectOrder {
    let allowed: BTreeSet<String> = actions.iter().map(|action| (*action).to_owned()).collect();
    ConnectOrder {
        owner: Some(owner.into()),
        mode: Mode::Shared,
        allowed_actions: Some(allowed).filter(|allowed| !allowed.is_empty()),
        ..order
    }
}

/// The connection of a credential that is private or shared.
pub fn key(name: &str) -> ConnectionKey {
    ConnectionKey::of(name)
}
