//! The guest `tests/guests/evil`, in a host.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, MutexGuard};
use workflow_node_host::audit::MemoryAudit;
use workflow_node_host::credential::{Credential, MemoryCredentials};
use workflow_node_host::transport::HttpTransportBuilder;
use workflow_node_host::{Execution, HostBuilder, Limits, Outcome, Plugin, Secret};

use crate::heap::Growth;

/// The turn of a test that measures: others would spoil its figures.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// The component, describing itself in the way that `mode` names.
pub(crate) fn component(mode: &str) -> Vec<u8> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let mut bytes = std::fs::read(PATH.get_or_init(|| component_build::guest("evil"))).unwrap();
    let mark = b"@@evil-mode@@";
    let at = bytes.windows(mark.len()).position(|part| part == mark).expect("it has the mark");
    let place = &mut bytes[at + mark.len()..at + 64];
    place.fill(b' ');
    place[..mode.len()].copy_from_slice(mode.as_bytes());
    bytes
}

/// The evil plugin, approved.
pub(crate) struct Evil {
    pub(crate) plugin: Plugin,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) credentials: Arc<MemoryCredentials>,
}

/// Effects of an attack.
pub(crate) struct Harm {
    pub(crate) outcome: Outcome,
    /// MiB of heap at the peak.
    pub(crate) peak: usize,
    /// MiB of heap that stay, with the outcome.
    pub(crate) stays: usize,
    pub(crate) took: Duration,
}

impl Harm {
    /// Why the plugin was stopped.
    pub(crate) fn stopped(&self) -> String {
        self.outcome.stopped.as_ref().expect("the plugin was stopped").to_string()
    }

    /// The first record.
    pub(crate) fn value(&self) -> Value {
        end_to_end::values(&self.outcome, 0).remove(0)
    }
}

impl Evil {
    pub(crate) async fn new(transport: HttpTransportBuilder) -> Self {
        Self::with("plain", transport, |host| host).await
    }

    pub(crate) async fn with(
        mode: &str,
        transport: HttpTransportBuilder,
        configure: impl FnOnce(HostBuilder) -> HostBuilder,
    ) -> Self {
        let audit = Arc::new(MemoryAudit::default());
        let credentials = Arc::new(MemoryCredentials::default());
        let builder = end_to_end::host()
            .transport(Arc::new(transport.build().unwrap()))
            .credential_source(credentials.clone())
            .audit(audit.clone());
        let host = configure(builder).build().unwrap();
        let plugin = host.load(component(mode)).await.expect("it loads");
        plugin.approve(None).await.unwrap();
        Self { plugin, audit, credentials }
    }

    /// Connects a credential of a type that is called as its only field is.
    pub(crate) async fn connect(&self, kind: &str, secret: &str) {
        let configuration = self.plugin.configure(kind, &Map::new(), None).await.unwrap();
        self.credentials.insert(Credential {
            name: kind.into(),
            node: "evil".into(),
            credential_type: kind.into(),
            fields: Map::new(),
            secrets: BTreeMap::from([(kind.to_owned(), Secret::new(secret))]),
            configuration,
            granted_scopes: None,
            revision: 1,
        });
    }

    pub(crate) fn execution(&self, item: Value, seconds: u64) -> Execution {
        let mut execution = Execution::new("evil.run").item(item);
        let total_time = Duration::from_secs(seconds);
        execution.context.limits = Some(Limits { total_time, ..Limits::default() });
        execution
    }

    /// Runs one item.
    pub(crate) async fn run(&self, item: Value, seconds: u64) -> Harm {
        self.execute(self.execution(item, seconds)).await
    }

    pub(crate) async fn execute(&self, execution: Execution) -> Harm {
        let case = execution.items[0].to_string();
        let (growth, started) = (Growth::start(), Instant::now());
        let outcome = self.plugin.execute(execution).await.expect("it is run");
        let (peak, stays) = (growth.peak(), growth.now());
        let harm = Harm { outcome, peak, stays, took: started.elapsed() };
        eprintln!(
            "{case}: peak {peak} MiB, stays {stays} MiB, {:.1?}, stopped {:?}",
            harm.took,
            harm.outcome.stopped.as_ref().map(ToString::to_string)
        );
        harm
    }

    /// The plugin goes on as if nothing had happened.
    pub(crate) async fn is_well(&self) {
        let harm = self.run(json!({"case": "nothing"}), 5).await;
        assert_eq!(harm.value(), json!(true));
    }
}
