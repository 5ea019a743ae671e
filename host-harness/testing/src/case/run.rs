//! Runs one case: against a recording, a fake, or a service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use workflow_node_host::credential::{Credential, CredentialStore, MemoryCredentials};
use workflow_node_host::description::{Grant, Idempotency};
use workflow_node_host::transport::Transport;
use workflow_node_host::{
    Approvals, Clock, Error, Exchange, Execution, Host, Isolation, ItemErrorKind, MemoryApprovals,
    Observer, Outcome, Plugin, Principal, Secret, Servers, SystemClock, Withheld,
};

use super::file::Case;
use crate::clock::VirtualClock;
use crate::fake::{Fake, FakeTransport};
use crate::fault::{Plan, Sent, Wire};
use crate::file::FileError;
use crate::recording::{Mismatch, Recorder, Recording, Redactor, Replayer, placeholder};

/// Time limit of a case, by the clock of the case; only reached if something hangs.
const TIME_LIMIT: Duration = Duration::from_secs(3_600);

/// When cases with a fake begin: 2026-01-01T00:00:00Z, in milliseconds since 1970.
const START: u64 = 1_767_225_600_000;

/// Shared by all cases.
#[derive(Clone)]
pub struct Bench {
    /// The component.
    pub component: PathBuf,
    /// Where guests run.
    pub isolation: Isolation,
    /// Cache of compiled components.
    pub cache: Option<PathBuf>,
}

/// A service that is recorded, with stored credentials.
#[derive(Clone)]
pub struct Live {
    /// The transport to the service.
    pub transport: Arc<dyn Transport>,
    /// The credential store.
    pub store: Arc<dyn CredentialStore>,
    /// Approvals: the plugin must be approved.
    pub approvals: Arc<dyn Approvals>,
    /// Names of credentials by slot.
    pub names: BTreeMap<String, String>,
    /// Secrets of the credentials, by slot and field.
    pub secrets: Vec<(String, String, Secret)>,
    /// Who runs it.
    pub principal: Principal,
}

/// Result of a run.
#[derive(Clone)]
pub struct Ran {
    /// Results of the items.
    pub items: Vec<ItemResult>,
    /// Why the plugin was stopped.
    pub stopped: Option<String>,
    /// The requests that were sent.
    pub sent: Vec<Sent>,
    /// The requests as the guest saw them.
    pub exchanges: Vec<Exchange>,
    /// Idempotency of the action.
    pub idempotency: Idempotency,
    /// How long it took by the clock of the case.
    pub duration: Duration,
    /// Largest linear memory of the guest, in bytes.
    pub memory: usize,
    /// Requests that are not in the recording.
    pub mismatches: Vec<Mismatch>,
    /// Recorded requests that were not sent.
    pub unused: Vec<String>,
}

/// Result of one item.
#[derive(Clone, Debug)]
pub struct ItemResult {
    /// Kind of its error.
    pub kind: Option<ItemErrorKind>,
    /// Records of the port `main`.
    pub output: Vec<Value>,
    /// The whole result as a snapshot shows it.
    pub json: Value,
}

/// Why a case could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file of the case.
    #[error(transparent)]
    File(#[from] FileError),
    /// The host or the plugin.
    #[error(transparent)]
    Host(#[from] Error),
}

/// The source of responses in a run.
enum Answers {
    Recording(Recording),
    Fake(Arc<Fake>),
}

impl Bench {
    /// Loads the component, for example for its description.
    ///
    /// # Errors
    ///
    /// If it is not a component that the host accepts.
    pub async fn load(&self) -> Result<Plugin, Error> {
        self.builder().build()?.load_file(&self.component).await
    }

    fn builder(&self) -> workflow_node_host::HostBuilder {
        let builder = Host::builder().isolation(self.isolation.clone());
        match &self.cache {
            Some(cache) => builder.cache_directory(cache),
            None => builder,
        }
    }

    /// Runs a case offline, with the faults of a plan. `described`: the component, as loaded by
    /// [`Bench::load`].
    ///
    /// # Errors
    ///
    /// If a file of the case cannot be read, or the plugin cannot run.
    pub async fn replay(
        &self,
        described: &Plugin,
        case: &Case,
        plan: Option<Plan>,
    ) -> Result<Ran, RunError> {
        let answers = match &case.fake {
            Some(fake) => Answers::Fake(Arc::new(Fake::read(fake)?)),
            None => Answers::Recording(Recording::read(&case.recording())?),
        };
        self.offline(described, case, answers, plan).await
    }

    /// Runs a case against a recording that was not written to a file.
    ///
    /// # Errors
    ///
    /// As [`Bench::replay`].
    pub async fn replay_recording(
        &self,
        described: &Plugin,
        case: &Case,
        recording: Recording,
    ) -> Result<Ran, RunError> {
        self.offline(described, case, Answers::Recording(recording), None).await
    }

    async fn offline(
        &self,
        described: &Plugin,
        case: &Case,
        answers: Answers,
        plan: Option<Plan>,
    ) -> Result<Ran, RunError> {
        let (start, names, principal) = match &answers {
            Answers::Recording(recording) => {
                (recording.started, recording.credentials.clone(), recording.principal.clone())
            }
            Answers::Fake(_) => (START, BTreeMap::new(), Principal::default()),
        };
        let clock = VirtualClock::starting(start);
        let credentials = Arc::new(MemoryCredentials::default());
        let mut secrets = Vec::new();
        // The placeholders follow from the credential types.
        for (slot, one) in &case.credentials {
            let credential_type = described.credential_type(&one.credential_type)?;
            secrets.extend(
                secret_names(&credential_type.grant, credential_type.secret_fields())
                    .map(|field| (slot.clone(), placeholder(slot, &field), field)),
            );
        }
        let placeholders: Vec<String> = secrets.iter().map(|(_, text, _)| text.clone()).collect();
        let (inner, replayer): (Arc<dyn Transport>, _) = match answers {
            Answers::Fake(fake) => {
                (Arc::new(FakeTransport::new(fake, Arc::new(clock.clone()))), None)
            }
            Answers::Recording(recording) => {
                let replayer = Replayer::new(recording, clock.clone(), &placeholders);
                let replayer =
                    Arc::new(if plan.is_some() { replayer.repeating() } else { replayer });
                (replayer.clone(), Some(replayer))
            }
        };
        let wire = Wire::new(inner, Arc::new(clock.clone()), plan);
        let host = self
            .builder()
            .transport(wire.clone())
            .clock(Arc::new(clock.clone()))
            .rate_limit(Vec::new())
            .approvals(Arc::new(MemoryApprovals::default()))
            .credential_source(credentials.clone())
            .build()?;
        // The calls before the run have short limits.
        let busy = clock.busy();
        let plugin = host.load_file(&self.component).await?;
        let servers = case.servers.iter().fold(Servers::default(), |servers, (name, origin)| {
            servers.with(name.as_str(), origin.clone(), false)
        });
        plugin.approve_with(servers, Withheld::default(), Some("harness test".into())).await?;
        let mut execution = execution(case);
        execution.context.actor = principal;
        for (slot, one) in &case.credentials {
            let name = names.get(slot).unwrap_or(slot);
            let configuration = plugin.configure(&one.credential_type, &one.fields, None).await?;
            let of_slot = secrets.iter().filter(|(of, ..)| of == slot);
            credentials.insert(Credential {
                name: name.clone(),
                node: plugin.description().node.name.clone(),
                credential_type: one.credential_type.clone(),
                fields: one.fields.clone(),
                secrets: of_slot
                    .map(|(_, text, field)| (field.clone(), Secret::new(text.as_str())))
                    .collect(),
                configuration,
                granted_scopes: None,
                revision: 1,
            });
            execution.credentials.insert(slot.clone(), name.clone());
        }
        drop(busy);
        let mut ran = ran(&plugin, case, execution, &wire, &clock).await?;
        if let Some(replayer) = replayer {
            (ran.mismatches, ran.unused) = (replayer.mismatches(), replayer.unused());
        }
        Ok(ran)
    }

    /// Runs a case against a service, and records it without writing a file. The redactor knows the
    /// secrets that were found.
    ///
    /// # Errors
    ///
    /// If the plugin is not approved or cannot run.
    pub async fn record(
        &self,
        case: &Case,
        live: &Live,
    ) -> Result<(Ran, Recording, Arc<Redactor>), RunError> {
        let clock = Arc::new(SystemClock::default());
        let redactor = Arc::new(Redactor::default());
        for (slot, field, secret) in &live.secrets {
            redactor.add(secret, &placeholder(slot, field));
        }
        let recorder =
            Arc::new(Recorder::new(live.transport.clone(), clock.clone(), redactor.clone()));
        let wire = Wire::new(recorder.clone(), clock.clone(), None);
        let host = self
            .builder()
            .transport(wire.clone())
            .clock(clock.clone())
            .approvals(live.approvals.clone())
            .credential_store(live.store.clone())
            .build()?;
        let plugin = host.load_file(&self.component).await?;
        plugin.check_approval().await?;
        let mut execution = execution(case);
        execution.context.actor = live.principal.clone();
        for slot in case.credentials.keys() {
            if let Some(name) = live.names.get(slot) {
                execution.credentials.insert(slot.clone(), name.clone());
            }
        }
        let credentials = execution.credentials.clone();
        let ran = ran(&plugin, case, execution, &wire, &*clock).await;
        // A token refresh in progress is awaited; its response would be lost otherwise.
        if let Ok(credentials) = host.credentials() {
            credentials.settle().await;
        }
        let node = &plugin.description().node;
        let mut recording = recorder.recording(format!("{} {}", node.name, node.version));
        recording.credentials = credentials;
        recording.principal = live.principal.clone();
        Ok((ran?, recording, redactor))
    }
}

/// Names of the secrets that a credential of a type has.
fn secret_names(
    grant: &Grant,
    fields: impl IntoIterator<Item = String>,
) -> impl Iterator<Item = String> {
    let is_oauth = !matches!(grant, Grant::Fixed);
    let token = is_oauth.then(|| "access_token".to_owned());
    fields.into_iter().chain(token).collect::<Vec<_>>().into_iter()
}

fn execution(case: &Case) -> Execution {
    let mut execution = Execution::new(&case.action)
        .items(case.items.iter().cloned())
        .continue_on_fail(true)
        // Randomness follows from the ID, and so do idempotency keys.
        .id(format!("case {}", case.name));
    execution.concurrency = case.concurrency;
    execution.context.timeout = Some(TIME_LIMIT);
    execution
}

/// Records what the guest sees.
#[derive(Default)]
struct Watch(Mutex<Vec<Exchange>>);

impl Observer for Watch {
    fn exchange(&self, exchange: &Exchange) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(exchange.clone());
    }

    fn paced(&self, _requests: usize, _at_least: Duration) {}
}

async fn ran(
    plugin: &Plugin,
    case: &Case,
    execution: Execution,
    wire: &Wire,
    clock: &dyn Clock,
) -> Result<Ran, RunError> {
    let idempotency = plugin.action(&case.action)?.idempotency;
    let watch = Arc::new(Watch::default());
    let began = clock.monotonic();
    let outcome = plugin.execute_observed(execution, watch.clone()).await?;
    let duration = clock.monotonic().saturating_sub(began);
    let exchanges = std::mem::take(&mut *watch.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Ran {
        items: results(&outcome),
        stopped: outcome.stopped.as_ref().map(|error| format!("{error:#}")),
        sent: wire.sent(),
        exchanges,
        idempotency,
        duration,
        memory: outcome.memory,
        mismatches: Vec::new(),
        unused: Vec::new(),
    })
}

fn results(outcome: &Outcome) -> Vec<ItemResult> {
    outcome
        .items
        .iter()
        .map(|item| {
            let mut ports: Map<String, Value> = Map::new();
            for record in &item.output {
                let mut value = record.value();
                without_handles(&mut value);
                let port = ports.entry(record.port.clone()).or_insert_with(|| json!([]));
                if let Value::Array(list) = port {
                    list.push(value);
                }
            }
            let output = match ports.get("main") {
                Some(Value::Array(list)) => list.clone(),
                _ => Vec::new(),
            };
            let mut result = Map::new();
            if let Some(error) = &item.error {
                let mut error = json!(error);
                if let Value::Object(error) = &mut error {
                    error.retain(|_, value| !value.is_null());
                }
                without_handles(&mut error);
                result.insert("error".into(), error);
            }
            if item.error.is_none() || !ports.is_empty() {
                result.insert("output".into(), Value::Object(ports));
            }
            ItemResult {
                kind: item.error.as_ref().map(|error| error.kind),
                output,
                json: Value::Object(result),
            }
        })
        .collect()
}

/// Handles of secrets differ from run to run.
fn without_handles(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("secret:") => *text = masked(text),
        Value::Array(list) => list.iter_mut().for_each(without_handles),
        Value::Object(members) => members.values_mut().for_each(without_handles),
        _ => {}
    }
}

fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("secret:") {
        masked.push_str(before);
        masked.push_str("secret:");
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        let (handle, after) = after.split_at(end.unwrap_or(after.len()));
        masked.push_str(if handle.len() >= 16 { "…" } else { handle });
        rest = after;
    }
    masked.push_str(rest);
    masked
}
