//! Features that common services require, through a component that is built with the SDK, over TLS.

mod bodies;
mod credentials;
mod grants;
mod hooks;
mod paging;
mod rates;
mod servers;
mod user_agent;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use end_to_end::host;
use end_to_end::service::{Received, Reply, Service};
use serde_json::{Map, Value};
use workflow_node_host::audit::MemoryAudit;
use workflow_node_host::credential::{Credential, MemoryCredentials};
use workflow_node_host::{Execution, Limits, Outcome, Plugin, Secret};

use crate::support::Everything;

/// A service, and the node for it, approved, with a credential of each type.
struct World {
    service: Service,
    plugin: Plugin,
    audit: Arc<MemoryAudit>,
    observed: Arc<Everything>,
}

impl World {
    async fn new(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let service = Service::start(&["api.service.test"], answer).await;
        let transport =
            service.transport(&["https://api.service.test"]).build().expect("a transport");
        let credentials = Arc::new(MemoryCredentials::default());
        let audit = Arc::new(MemoryAudit::default());
        let host = host()
            .transport(Arc::new(transport))
            .credential_source(credentials.clone())
            .audit(audit.clone())
            .build()
            .expect("a host");
        let plugin =
            host.load_file(component_build::guest("service-node")).await.expect("it loads");
        plugin.approve(None).await.expect("it is approved");
        for (kind, fields, secret) in [
            ("basic", vec![("user", "ada@example.com")], ("password", PASSWORD)),
            ("token", vec![], ("token", TOKEN)),
            ("form-key", vec![], ("key", KEY)),
        ] {
            let fields: Map<String, Value> =
                fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            let configuration = plugin.configure(kind, &fields, None).await.expect("it configures");
            credentials.insert(Credential {
                name: kind.into(),
                node: "service".into(),
                credential_type: kind.into(),
                fields,
                secrets: BTreeMap::from([(secret.0.to_owned(), Secret::new(secret.1))]),
                configuration,
                granted_scopes: None,
                revision: 1,
            });
        }
        Self { service, plugin, audit, observed: Arc::default() }
    }

    /// Runs an action for one item with a credential.
    async fn run(&self, credential: &str, action: &str, item: Value) -> Outcome {
        let mut execution = Execution::new(action).credential("main", credential);
        execution.items.push(item);
        execution.context.limits =
            Some(Limits { total_time: Duration::from_secs(60), ..Limits::default() });
        let observed = self.observed.clone();
        self.plugin.execute_observed(execution, observed).await.expect("the execution is run")
    }
}

/// Secrets with characters that encodings change.
const PASSWORD: &str = "p+ss/w:rd?~\u{e9}";
const TOKEN: &str = "canary-token-0123456789";
const KEY: &str = "k&y=+ 0123456789";
