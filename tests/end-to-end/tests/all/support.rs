//! The hostile plugin, approved, with a credential for the simulator; and an observer that forgets
//! nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use end_to_end::{host, transport};
use pagerduty_simulator::Simulator;
use serde_json::{Map, Value, json};
use workflow_node_host::audit::MemoryAudit;
use workflow_node_host::credential::{Credential, MemoryCredentials};
use workflow_node_host::transport::HttpTransportBuilder;
use workflow_node_host::{
    Exchange, Execution, Host, HostBuilder, Limits, LogLevel, Observer, Outcome, OutputRecord,
    Plugin, Secret,
};

/// Hears everything, and keeps it as text.
#[derive(Default)]
pub(crate) struct Everything(Mutex<String>);

#[async_trait::async_trait]
impl Observer for Everything {
    async fn output(&self, _item: u32, records: &[OutputRecord]) {
        self.0.lock().unwrap().push_str(&format!("{records:?}"));
    }
    fn log(&self, _level: LogLevel, message: &str, fields: &str) {
        self.0.lock().unwrap().push_str(&format!("{message}{fields}"));
    }
    fn exchange(&self, exchange: &Exchange) {
        let json = serde_json::to_string(exchange).unwrap();
        self.0.lock().unwrap().push_str(&json);
    }
}

impl Everything {
    /// All that was heard.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// The hostile plugin in a host.
pub(crate) struct Hostile {
    pub(crate) simulator: Simulator,
    pub(crate) host: Host,
    pub(crate) plugin: Plugin,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) token: String,
}

impl Hostile {
    pub(crate) async fn new() -> Self {
        Self::with(|transport| transport, |host| host).await
    }

    pub(crate) async fn with(
        configure_transport: impl FnOnce(HttpTransportBuilder) -> HttpTransportBuilder,
        configure_host: impl FnOnce(HostBuilder) -> HostBuilder,
    ) -> Self {
        let simulator = Simulator::builder().start().await.expect("the simulator starts");
        let credentials = Arc::new(MemoryCredentials::default());
        let audit = Arc::new(MemoryAudit::default());
        let transport = configure_transport(transport(&simulator)).build().expect("a transport");
        let builder = host()
            .transport(Arc::new(transport))
            .credential_source(credentials.clone())
            .audit(audit.clone());
        let host = configure_host(builder).build().expect("a host");
        let plugin = host.load_file(component_build::guest("hostile")).await.expect("it loads");
        plugin.approve(None).await.expect("it is approved");
        let token = simulator.us().keys().user;
        for (name, kind, field, secret) in [
            ("token", "token", "token", token.clone()),
            ("key", "key", "key", simulator.us().keys().routing),
        ] {
            let configuration =
                plugin.configure(kind, &Map::new(), None).await.expect("it configures");
            credentials.insert(Credential {
                name: name.into(),
                node: "hostile".into(),
                credential_type: kind.into(),
                fields: Map::new(),
                secrets: BTreeMap::from([(field.to_owned(), Secret::new(secret))]),
                configuration,
                granted_scopes: None,
                revision: 1,
            });
        }
        Self { simulator, host, plugin, audit, token }
    }

    /// Sends a request and returns the record of its result.
    pub(crate) async fn request(&self, request: Value) -> Value {
        let outcome = self.execute("hostile.request", request).await;
        end_to_end::values(&outcome, 0).remove(0)
    }

    /// The message of a request that must have been refused in this way, without reaching anybody.
    pub(crate) async fn refused(&self, kind: &str, request: Value) -> String {
        let before = self.simulator.requests().len();
        let record = self.request(request.clone()).await;
        assert_eq!(record["error"], format!("SendErrorKind::{kind}"), "{request}: {record}");
        assert_eq!(record["maybe_sent"], false, "{request}");
        assert_eq!(self.simulator.requests().len(), before, "{request}");
        record["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Breaks the contract in the way that `case` names.
    pub(crate) async fn misbehave(&self, case: &str) -> Outcome {
        self.execute("hostile.misbehave", json!({ "case": case })).await
    }

    pub(crate) async fn execute(&self, action: &str, item: Value) -> Outcome {
        let mut execution = self.execution(action);
        execution.items.push(item);
        self.plugin.execute(execution).await.expect("the execution is run")
    }

    pub(crate) fn execution(&self, action: &str) -> Execution {
        let mut execution = Execution::new(action).credential("rest", "token");
        if action == "hostile.request" {
            execution = execution.credential("events", "key");
        }
        execution.context.limits = Some(Limits {
            guest_time: std::time::Duration::from_millis(300),
            total_time: std::time::Duration::from_secs(20),
            ..Limits::default()
        });
        execution
    }
}
