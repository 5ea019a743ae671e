//! PagerDuty with a credential of every type in the sealed store, every secret of which is known; and
//! ears everywhere.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use end_to_end::journals::KeptJournals;
use end_to_end::spy::Spy;
use end_to_end::{host, transport};
use pagerduty_simulator::{App, Region, Simulator};
use serde_json::{Value, json};
use workflow_node_host::audit::MemoryAudit;
use workflow_node_host::credential::{
    ConnectionKey, ConnectionParts, Credential, CredentialError, CredentialForm, CredentialRequest,
    CredentialSource as _, CredentialStatus, Head, NewCredential,
};
use workflow_node_host::oauth::{Actor, AskFor, ConnectOrder, CredentialManager, Page};
use workflow_node_host::store::{PassphraseCost, SqliteStore, StoreKey};
use workflow_node_host::{Exchange, Host, LogLevel, Observer, OutputRecord, Plugin, Secret};

static LOGS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGS.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every log line of every crate of this process.
pub(crate) fn logs() -> String {
    String::from_utf8_lossy(&LOGS.lock().unwrap()).into_owned()
}

/// Begins to hear every log line; once for all tests of this process.
pub(crate) fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
            .with_writer(|| Log)
            .init();
    });
}

/// An error with all its causes, in both of its forms.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause} {cause:?}"));
        next = cause.source();
    }
    text
}

/// Hears everything that an observer hears, as text; this is what a trace is made of.
#[derive(Default)]
pub(crate) struct Everything(Mutex<String>);

impl Everything {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl Observer for Everything {
    async fn output(&self, _item: u32, records: &[OutputRecord]) {
        self.0.lock().unwrap().push_str(&format!("{records:?}"));
    }
    fn progress(&self, _done: u64, _total: Option<u64>, message: &str) {
        self.0.lock().unwrap().push_str(message);
    }
    fn log(&self, _level: LogLevel, message: &str, fields: &str) {
        self.0.lock().unwrap().push_str(&format!("{message}{fields}"));
    }
    fn exchange(&self, exchange: &Exchange) {
        let json = serde_json::to_string(exchange).unwrap();
        self.0.lock().unwrap().push_str(&json);
    }
}

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) store: SqliteStore,
    pub(crate) plugin: Plugin,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) journal: KeptJournals,
    pub(crate) spy: Arc<Spy>,
    host: Host,
    directory: tempfile::TempDir,
    app: App,
    user_app: App,
}

impl World {
    pub(crate) async fn new() -> Self {
        listen();
        let simulator =
            Simulator::builder().without_rate_limits().start().await.expect("the simulator starts");
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_with_cost(
            &directory.path().join("credentials.db"),
            StoreKey::generate().unwrap(),
            PassphraseCost::for_tests(),
        )
        .unwrap();
        let (audit, journal) = (Arc::new(MemoryAudit::default()), KeptJournals::default());
        let spy = Arc::new(Spy::default());
        let host = spy
            .watch(host())
            .transport(Arc::new(transport(&simulator).build().unwrap()))
            .credential_store(Arc::new(store.clone()))
            .audit(audit.clone())
            .journals(journal.journals())
            .build()
            .unwrap();
        spy.attach(&host);
        let plugin = host.load_file(component_build::pagerduty()).await.unwrap();
        plugin.approve(None).await.unwrap();
        let identity = simulator.identity();
        let (app, user_app) = (identity.scoped_app(Region::Us), identity.classic_app());
        let world =
            Self { simulator, store, plugin, audit, journal, spy, host, directory, app, user_app };
        let keys = world.simulator.us().keys();
        world.connect_fixed("token", "api-token", "api_token", &keys.account).await;
        world.connect_fixed("events", "events-integration", "routing_key", &keys.routing).await;
        world.connect_app(false).await;
        world.connect_user(false).await;
        world
    }

    pub(crate) fn manager(&self) -> &CredentialManager {
        self.host.credentials().unwrap()
    }

    async fn connect_fixed(&self, name: &str, kind: &str, field: &str, secret: &str) {
        let order = ConnectOrder {
            name: name.into(),
            credential_type: kind.into(),
            form: CredentialForm {
                fields: json!({"region": "us", "from_email": "ada@example.com"})
                    .as_object()
                    .unwrap()
                    .iter()
                    .filter(|(field, _)| kind == "api-token" || *field == "region")
                    .map(|(field, value)| (field.clone(), value.clone()))
                    .collect(),
                secrets: [(field.to_owned(), Secret::new(secret))].into(),
            },
            ..ConnectOrder::default()
        };
        let by = Actor::admin();
        let connection = self.manager().connect_fixed(&self.plugin, order, &by).await.unwrap();
        self.manager().keep(connection, &by).await.unwrap();
    }

    async fn connect_app(&self, replacing: bool) {
        let by = Actor::admin();
        let order = ConnectOrder {
            name: "app".into(),
            credential_type: "oauth2-app".into(),
            replacing,
            form: self.form(
                &self.app,
                json!({"region": "us", "subdomain": "example",
                "client_id": self.app.client_id, "from_email": "ada@example.com"}),
            ),
            ask: AskFor::Access(workflow_node_host::description::Access::Write),
            ..ConnectOrder::default()
        };
        let connection = self.manager().connect_app(&self.plugin, order, &by).await.unwrap();
        self.manager().keep(connection, &by).await.unwrap();
    }

    async fn connect_user(&self, replacing: bool) {
        let by = Actor::admin();
        let order = ConnectOrder {
            name: "user".into(),
            credential_type: "oauth2".into(),
            replacing,
            form: self.form(&self.user_app, json!({"client_id": self.user_app.client_id})),
            ask: AskFor::Access(workflow_node_host::description::Access::Write),
            redirect: Some("http://127.0.0.1:4711/callback".parse().unwrap()),
            ..ConnectOrder::default()
        };
        let begun = self.manager().begin(&self.plugin, order, &by).await.unwrap();
        let user = self.simulator.us().users()[0].id.clone();
        let callback = self.simulator.identity().approve(begun.url.as_str(), &user).unwrap();
        let connection = self.manager().finish(&callback, &by).await.unwrap();
        self.manager().keep(connection, &by).await.unwrap();
    }

    fn form(&self, app: &App, fields: Value) -> CredentialForm {
        let secret = Secret::new(app.client_secret.as_deref().unwrap());
        CredentialForm {
            fields: fields.as_object().unwrap().clone(),
            secrets: [("client_secret".to_owned(), secret)].into(),
        }
    }

    /// Reconnects credentials that a fault has ended, so that the next fault finds them connected.
    pub(crate) async fn reconnect_what_is_dead(&self) {
        self.manager().settle().await;
        for name in ["user", "app"] {
            let summary = self.store.summary(name).unwrap();
            if summary.status == CredentialStatus::Connected {
                continue;
            }
            match name {
                "user" => self.connect_user(true).await,
                _ => self.connect_app(true).await,
            }
        }
    }

    /// Names and types of the credentials.
    pub(crate) fn connected(&self) -> Vec<(String, String)> {
        [
            ("token", "api-token"),
            ("user", "oauth2"),
            ("app", "oauth2-app"),
            ("events", "events-integration"),
        ]
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .to_vec()
    }

    /// Every action that takes a credential type, with parameters that it accepts.
    pub(crate) fn actions_of(&self, credential_type: &str) -> Vec<(String, Value)> {
        let node = &self.plugin.description().node;
        let slot = if credential_type == "events-integration" { "events" } else { "rest" };
        node.actions
            .iter()
            .filter(|action| action.slots.contains_key(slot))
            .map(|action| {
                let example = action.examples.first().map(|one| one.parameters.value().clone());
                (action.name.clone(), example.unwrap_or_else(|| json!({})))
            })
            .collect()
    }

    /// Every secret that is in the store now, by name: form fields and tokens.
    pub(crate) fn secrets(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (name, _) in self.connected() {
            let stored = self.store.read(&ConnectionKey::of(&name)).unwrap();
            for (field, secret) in stored.secrets {
                all.push((format!("{name}.{field}"), secret.expose().to_owned()));
            }
        }
        // Secrets that were sent to the token endpoint, regardless of its response.
        for request in self.simulator.token_requests() {
            for field in ["code", "code_verifier", "client_secret", "refresh_token", "token"] {
                let Some(secret) = request.field(field) else { continue };
                if !all.iter().any(|(_, known)| known == secret) {
                    all.push((format!("request.{field}"), secret.to_owned()));
                }
            }
        }
        all
    }

    /// A refresh that the service is made to see, whether it is due or not.
    pub(crate) async fn refreshed(&self, name: &str) -> Result<Credential, CredentialError> {
        let revision = self.store.summary(name).unwrap().revision;
        let request = CredentialRequest {
            name: name.into(),
            node: "pagerduty".into(),
            plugin: Some(self.plugin.digest()),
            action: "service.list".into(),
            description: Some(Arc::new(self.plugin.description().clone())),
            ..CredentialRequest::default()
        };
        self.manager().refreshed(&request, revision).await
    }

    /// Pages for a browser that returns from the service.
    pub(crate) fn pages(&self) -> String {
        let rights = ["See everything.".to_owned()];
        Page::connected("user", "example", &rights).html()
            + &Page::failed("user").html()
            + &Page::to_confirm("user").html()
    }

    /// The store's file and whatever lies beside it, its journal while something is written too.
    pub(crate) fn files_of_the_store(&self) -> Vec<(String, Vec<u8>)> {
        // A change of every page, not committed: SQLite keeps what was there in its journal.
        let database = self.directory.path().join("credentials.db");
        let mut other = Vec::new();
        with_open_journal(&database, || {
            for entry in std::fs::read_dir(self.directory.path()).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    other.push((path.display().to_string(), std::fs::read(&path).unwrap()));
                }
            }
        });
        assert!(other.iter().any(|(name, _)| name.ends_with("-journal")), "a journal is seen");
        other
    }

    /// A credential that somebody has put a secret into where it does not belong.
    pub(crate) fn leaky(&self) -> NewCredential {
        NewCredential {
            head: Head {
                tenant: Default::default(),
                name: "leaky".into(),
                description: String::new(),
                owner: Some(Default::default()),
                mode: workflow_node_host::credential::Mode::Private,
                allowed_actions: None,
                node: "pagerduty".into(),
                credential_type: "api-token".into(),
            },
            user: None,
            parts: ConnectionParts {
                fields: serde_json::Map::new(),
                configuration: serde_json::from_value(json!({"audiences": []})).unwrap(),
                asked_scopes: None,
                granted_scopes: None,
                identity: serde_json::Map::new(),
                expires_at: None,
                lifetime: None,
            },
            secrets: std::collections::BTreeMap::new(),
        }
    }
}

fn with_open_journal(database: &Path, look: impl FnOnce()) {
    let connection = rusqlite::Connection::open(database).unwrap();
    // Little memory for pages, so that they go to the file before the transaction ends.
    connection
        .execute_batch(
            "PRAGMA cache_size = 2; PRAGMA cache_spill = 1; BEGIN IMMEDIATE; UPDATE head SET \
             description = description || ' changed'; UPDATE connection SET sealed_secrets = \
             sealed_secrets;",
        )
        .unwrap();
    look();
    connection.execute_batch("ROLLBACK").unwrap();
}
