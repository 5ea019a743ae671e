//! Setup that the end-to-end tests share: a simulator, a host that trusts it, the approved PagerDuty
//! component, and credentials of every kind.

pub mod clock;
pub mod engine;
pub mod journals;
pub mod scan;
pub mod service;
pub mod spy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journals::KeptJournals;
use pagerduty_simulator::{Account, Builder, Keys, Simulator};
use serde_json::{Map, Value, json};
use workflow_node_host::audit::MemoryAudit;
use workflow_node_host::credential::{Credential, MemoryCredentials};
use workflow_node_host::transport::{HttpTransport, HttpTransportBuilder};
use workflow_node_host::{
    Execution, Host, HostBuilder, Isolation, Limits, Outcome, Plugin, Secret, WorkerCommand,
};

/// Everything that a test of the node needs.
pub struct World {
    /// PagerDuty.
    pub simulator: Simulator,
    /// The host.
    pub host: Host,
    /// The PagerDuty plugin, approved.
    pub plugin: Plugin,
    /// Where the host gets credentials from.
    pub credentials: Arc<MemoryCredentials>,
    /// Audit log of the host.
    pub audit: Arc<MemoryAudit>,
    /// Journals of the executions.
    pub journal: KeptJournals,
    /// The credentials of [`World::connect_all`], to be given other keys.
    connected: Vec<Credential>,
}

/// Compiled components are kept between tests, below the build's own directory.
pub fn cache_directory() -> PathBuf {
    component_build::workspace_root().join("target").join("component-cache")
}

/// A host that keeps compiled components.
pub fn host() -> HostBuilder {
    Host::builder().cache_directory(cache_directory()).isolation(isolation())
}

/// The variable that chooses where guests run: `process`, or anything else for in-process.
pub const ISOLATION: &str = "WORKFLOW_NODE_TEST_ISOLATION";

/// Whether guests run in worker processes.
pub fn is_isolated() -> bool {
    std::env::var_os(ISOLATION).is_some_and(|value| value == "process")
}

/// Where guests run, as the environment says.
pub fn isolation() -> Isolation {
    if is_isolated() { Isolation::Process(worker()) } else { Isolation::InProcessUnapproved }
}

/// The worker of these tests.
pub fn worker() -> WorkerCommand {
    // Cargo builds it beside the tests.
    let tests = std::env::current_exe().expect("the path of the tests");
    let directory = tests.parent().and_then(Path::parent).expect("the build's directory");
    WorkerCommand::new(directory.join("end-to-end-worker"))
}

/// A transport that reaches the simulator under PagerDuty's names.
pub fn transport(simulator: &Simulator) -> HttpTransportBuilder {
    let mut builder = HttpTransport::builder().ca_pem(simulator.ca_pem());
    for mapping in simulator.connect_to() {
        builder = builder.connect_to(mapping.parse().expect("the simulator maps origins"));
    }
    builder
}

impl World {
    /// A world with a simulator as it comes.
    pub async fn new() -> Self {
        Self::with(Simulator::builder(), |host| host).await
    }

    /// A world with a simulator and a chosen host. Its executions have journals.
    pub async fn with(
        simulator: Builder,
        configure: impl FnOnce(HostBuilder) -> HostBuilder,
    ) -> Self {
        let journal = KeptJournals::default();
        let journals = journal.journals();
        Self::build(simulator, journal, |host| configure(host.journals(journals))).await
    }

    /// A world like [`World::with`], whose executions have no journals: for measuring.
    pub async fn without_journals(
        simulator: Builder,
        configure: impl FnOnce(HostBuilder) -> HostBuilder,
    ) -> Self {
        Self::build(simulator, KeptJournals::default(), configure).await
    }

    async fn build(
        simulator: Builder,
        journal: KeptJournals,
        configure: impl FnOnce(HostBuilder) -> HostBuilder,
    ) -> Self {
        let simulator = simulator.start().await.expect("the simulator starts");
        let credentials = Arc::new(MemoryCredentials::default());
        let audit = Arc::new(MemoryAudit::default());
        let transport = transport(&simulator).build().expect("the transport is built");
        let builder = host()
            .transport(Arc::new(transport))
            .credential_source(credentials.clone())
            .audit(audit.clone());
        let host = configure(builder).build().expect("the host is built");
        let plugin =
            host.load_file(component_build::pagerduty()).await.expect("the plugin is loaded");
        plugin.approve(None).await.expect("the plugin is approved");
        let connected = Vec::new();
        let mut world = Self { simulator, host, plugin, credentials, audit, journal, connected };
        world.connect_all().await;
        world
    }

    /// Gives both accounts what they had at start, and the credentials the accounts' new keys.
    pub fn reset(&self) {
        self.simulator.reset();
        self.simulator.clear_requests();
        for known in &self.connected {
            let mut credential = known.clone();
            let (account, name) = match known.name.strip_prefix("eu-") {
                Some(name) => (self.simulator.eu(), name),
                None => (self.simulator.us(), known.name.as_str()),
            };
            let (field, secret) = key(&account.keys(), name);
            credential.secrets = [(field.to_owned(), Secret::new(&secret))].into();
            self.credentials.insert(credential);
        }
    }

    /// Credentials `user`, `account`, `read-only`, `events` of the US account and `eu-…` of the EU
    /// one. The account's key acts as Ada.
    async fn connect_all(&mut self) {
        for (prefix, region, account) in
            [("", "us", self.simulator.us()), ("eu-", "eu", self.simulator.eu())]
        {
            let ada = json!({"region": region, "from_email": "ada@example.com"});
            let plain = json!({ "region": region });
            for (name, kind, fields) in [
                ("user", "api-token", &plain),
                ("account", "api-token", &ada),
                ("nobody", "api-token", &plain),
                ("read-only", "api-token", &ada),
                ("events", "events-integration", &plain),
            ] {
                let (field, secret) = key(&account.keys(), name);
                let name = format!("{prefix}{name}");
                let credential = self.configured(&name, kind, fields, &[(field, secret)]).await;
                self.connected.push(credential.clone());
                self.credentials.insert(credential);
            }
        }
    }

    /// Connects a credential.
    pub async fn connect(
        &self,
        name: &str,
        credential_type: &str,
        fields: &Value,
        secrets: &[(&str, impl AsRef<str>)],
    ) {
        let credential = self.configured(name, credential_type, fields, secrets).await;
        self.credentials.insert(credential);
    }

    async fn configured(
        &self,
        name: &str,
        credential_type: &str,
        fields: &Value,
        secrets: &[(&str, impl AsRef<str>)],
    ) -> Credential {
        let fields = fields.as_object().cloned().unwrap_or_default();
        let configuration = self
            .plugin
            .configure(credential_type, &fields, None)
            .await
            .expect("the plugin configures it");
        Credential {
            name: name.into(),
            node: "pagerduty".into(),
            credential_type: credential_type.into(),
            fields,
            secrets: secrets
                .iter()
                .map(|(name, secret)| ((*name).to_owned(), Secret::new(secret.as_ref())))
                .collect::<BTreeMap<_, _>>(),
            configuration,
            granted_scopes: None,
            revision: 1,
        }
    }

    /// The US account.
    pub fn us(&self) -> &Account {
        self.simulator.us()
    }

    /// Runs an action with the credential `user`, or `events` for events.
    pub async fn run(&self, action: &str, items: &[Value]) -> Outcome {
        let credential = if action.starts_with("event.") { "events" } else { "user" };
        self.run_with(credential, action, items).await
    }

    /// Runs an action with a credential.
    pub async fn run_with(&self, credential: &str, action: &str, items: &[Value]) -> Outcome {
        let execution = self.execution(credential, action, items);
        self.plugin.execute(execution).await.expect("the execution is run")
    }

    /// An execution that continues when items fail.
    pub fn execution(&self, credential: &str, action: &str, items: &[Value]) -> Execution {
        let slot = if action.starts_with("event.") { "events" } else { "rest" };
        let mut execution = Execution::new(action).credential(slot, credential);
        execution.items = items.to_vec();
        execution.continue_on_fail = true;
        execution.context.limits =
            Some(Limits { total_time: std::time::Duration::from_secs(60), ..Limits::default() });
        execution
    }

    /// The one record that one item of an action yields.
    pub async fn one(&self, action: &str, parameters: Value) -> Value {
        let outcome = self.run(action, &[parameters]).await;
        let values = values(&outcome, 0);
        assert_eq!(values.len(), 1, "one record: {values:?}");
        values.into_iter().next().unwrap_or_default()
    }
}

/// The secret of one of the credentials that a world has, and its field.
fn key(keys: &Keys, credential: &str) -> (&'static str, String) {
    match credential {
        "user" => ("api_token", keys.user.clone()),
        "read-only" => ("api_token", keys.account_read_only.clone()),
        "events" => ("routing_key", keys.routing.clone()),
        _ => ("api_token", keys.account.clone()),
    }
}

/// The records of an item, which must have succeeded.
pub fn values(outcome: &Outcome, item: usize) -> Vec<Value> {
    let item = &outcome.items[item];
    if let Some(error) = &item.error {
        panic!("the item failed: {error:?} (stopped: {:?})", outcome.stopped);
    }
    item.output.iter().map(|record| record.value()).collect()
}

/// The error of an item, which must have failed.
pub fn error(outcome: &Outcome, item: usize) -> &workflow_node_host::ItemError {
    outcome.items[item].error.as_ref().expect("the item failed")
}

/// An object of JSON.
pub fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}
