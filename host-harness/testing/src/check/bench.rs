//! A host with a separate service, in which a node is judged: credentials of every type, and the
//! knowledge about each action from its first run.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use workflow_node_documents::{Action, CredentialType, Effect, Grant, Idempotency};
use workflow_node_host::audit::{AuditEvent, MemoryAudit, Verdict};
use workflow_node_host::credential::{CredentialForm, MemoryCredentials};
use workflow_node_host::trigger::MemoryTriggers;
use workflow_node_host::{
    CallContext, CancellationToken, Error, Execution, Host, HostBuilder, ItemError, ItemErrorKind,
    Limits, MemoryApprovals, Outcome, Plugin, Secret, Servers, Withheld,
};

use super::answer::{Answering, Pages, Shape, given, quoted};
use super::clock::Pace;
use super::service::{Behavior, Seen, Service};
use crate::loopback::{Loopback, Received};
use crate::sample::{Fill, Fits, Sampler};

/// Maximum duration of one call. A call that takes longer is reported as a finding or as not
/// judged.
const PATIENCE: Duration = Duration::from_secs(30);
/// Limit of a call on the node's clock, far more than a call takes while waits are shortened.
const TOTAL_TIME: Duration = Duration::from_secs(12 * 3_600);
/// ID of executions.
const ID: &str = "harness-check";
/// ID of canceled executions, whose last requests the host refuses.
const CANCELED: &str = "harness-check-canceled";
/// Members that are tried to distinguish items.
const MARKED_MEMBERS: usize = 6;

/// The environment for judging.
pub(super) struct Bench {
    pub(super) plugin: Plugin,
    pub(super) service: Arc<Service>,
    pub(super) clock: Arc<Pace>,
    pub(super) shared: Arc<Map<String, Value>>,
    audit: Arc<MemoryAudit>,
    /// Credential types with a credential of the same name.
    credentials: Vec<String>,
    /// Credential types without a credential, and the reason.
    pub(super) without: BTreeMap<String, String>,
    /// Number of audit events that were read.
    _loopback: Loopback,
    pub(super) host: Host,
}

/// Result of a call.
pub(super) struct Ran {
    pub(super) outcome: Result<Outcome, Error>,
    pub(super) seen: Vec<Seen>,
    /// Maximum number of requests that were held at once.
    pub(super) held: usize,
}

impl Ran {
    /// The error of an item, if it failed.
    pub(super) fn error(&self, item: usize) -> Option<ItemError> {
        match &self.outcome {
            Ok(outcome) => outcome.items.get(item).and_then(|item| item.error.clone()),
            Err(error) => Some(ItemError::new(ItemErrorKind::Internal, format!("{error:#}"))),
        }
    }

    /// Why the plugin was stopped, if it was.
    pub(super) fn stopped(&self) -> Option<String> {
        match &self.outcome {
            Ok(outcome) => outcome.stopped.as_ref().map(|error| format!("{error:#}")),
            Err(error) => error.is_stopped().then(|| format!("{error:#}")),
        }
    }

    /// The records of an item.
    pub(super) fn records(&self, item: usize) -> Vec<Value> {
        let Ok(outcome) = &self.outcome else { return Vec::new() };
        let records = outcome.items.get(item).map(|item| &item.output).into_iter().flatten();
        records.map(|record| record.value()).collect()
    }

    /// The records of an item as text.
    pub(super) fn text(&self, item: usize) -> String {
        let Ok(outcome) = &self.outcome else { return String::new() };
        let records = outcome.items.get(item).map(|item| &item.output).into_iter().flatten();
        records.map(|record| record.json.get()).collect::<Vec<_>>().join("\n")
    }

    /// Whether every item succeeded.
    pub(super) fn is_ok(&self) -> bool {
        match &self.outcome {
            Ok(outcome) => {
                outcome.stopped.is_none() && outcome.items.iter().all(|item| item.is_ok())
            }
            Err(_) => false,
        }
    }

    /// Why it did not succeed.
    pub(super) fn problem(&self) -> String {
        if let Some(stopped) = self.stopped() {
            return stopped;
        }
        let errors = self.outcome.as_ref().map_or(0, |outcome| outcome.items.len());
        let error = (0..errors.max(1)).find_map(|item| self.error(item));
        error.map_or_else(|| "it succeeded".to_owned(), |error| shown(&error))
    }
}

/// An error with its kind, on one line.
pub(super) fn shown(error: &ItemError) -> String {
    let mut message = error.message.replace('\n', " ");
    if message.len() > 240 {
        message.truncate(message.floor_char_boundary(240));
        message.push('…');
    }
    format!("{}: {message}", error.kind)
}

/// How well an action ran with generated responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quality {
    /// It failed.
    Failed,
    /// It succeeded, and a record does not fit its schema.
    Misfit,
    /// It succeeded without a record.
    Silent,
    /// It succeeded, and every record fits.
    Fits,
}

/// Knowledge about an action from its first run.
pub(super) struct Known {
    pub(super) action: Action,
    /// Parameters of an example, or generated ones.
    pub(super) parameters: Value,
    pub(super) quality: Quality,
    /// How the service wraps the action's records.
    pub(super) shape: Shape,
    /// Members that the node missed in responses.
    pub(super) named: Vec<String>,
    /// Why it failed, or which record does not fit.
    pub(super) problem: String,
    /// Requests that it sent.
    pub(super) requests: usize,
    /// Records that it returned.
    pub(super) records: usize,
    /// Whether a response contains what it returned.
    pub(super) returns_answer: bool,
    /// The parameter by which items can be distinguished: the member's name.
    pub(super) marked: Option<String>,
}

impl Known {
    /// Whether its behavior can be judged.
    pub(super) fn is_usable(&self) -> bool {
        self.quality != Quality::Failed && self.requests > 0
    }

    /// Whether the action only reads.
    pub(super) fn reads(&self) -> bool {
        self.action.effect == Effect::Read
    }

    /// Whether the action is idempotent.
    pub(super) fn may_repeat(&self) -> bool {
        matches!(self.action.idempotency, Idempotency::Safe | Idempotency::Idempotent)
    }

    /// Parameters of an item that can be distinguished from others.
    pub(super) fn item(&self, place: usize) -> Value {
        let mut parameters = self.parameters.clone();
        if let (Some(name), Value::Object(members)) = (&self.marked, &mut parameters) {
            members.insert(name.clone(), Value::String(mark(place)));
        }
        parameters
    }
}

/// A text by which an item is recognized.
pub(super) fn mark(place: usize) -> String {
    format!("check-item-{place}")
}

impl Bench {
    /// Loads a component into a host with a separate service, approves it, and creates a credential
    /// of each type.
    ///
    /// # Errors
    ///
    /// If the component is refused, or the service cannot be started.
    pub(super) async fn new(builder: HostBuilder, component: &Path) -> Result<Self, Error> {
        let service = Arc::new(Service::new());
        let loopback = Loopback::start(service.clone()).await;
        let loopback = loopback.expect("ports of the loopback interface can be bound");
        let (credentials, audit) =
            (Arc::new(MemoryCredentials::default()), Arc::new(MemoryAudit::default()));
        let clock = Arc::new(Pace::new());
        let host = builder
            .transport(Arc::new(loopback.transport()))
            .credential_source(credentials.clone())
            .audit(audit.clone())
            .approvals(Arc::new(MemoryApprovals::default()))
            .trigger_store(Arc::new(MemoryTriggers::default()))
            .clock(clock.clone())
            .rate_limit(Vec::new())
            .build()?;
        let plugin = host.load_file(component).await?;
        plugin.approve_with(servers(&plugin), Withheld::default(), None).await?;
        let shared = Arc::new((*plugin.description().node.schemas).clone());
        let mut bench = Self {
            plugin,
            service,
            clock,
            shared,
            audit,
            credentials: Vec::new(),
            without: BTreeMap::new(),
            _loopback: loopback,
            host,
        };
        let types: Vec<CredentialType> =
            bench.plugin.description().credential_types.values().cloned().collect();
        for one in types {
            match bench.credential(&one).await {
                Ok(credential) => {
                    credentials.insert(credential);
                    bench.credentials.push(one.name);
                }
                Err(problem) => {
                    bench.without.insert(one.name, problem);
                }
            }
        }
        Ok(bench)
    }

    /// A credential of a type, with the type's name.
    async fn credential(
        &self,
        one: &CredentialType,
    ) -> Result<workflow_node_host::credential::Credential, String> {
        let secret_fields = one.secret_fields();
        let servers: BTreeMap<String, String> =
            servers(&self.plugin).iter().filter_map(first_origin).collect();
        let nothing = Map::new();
        let text = |name: &str| format!("{name}-of-the-check-0123456789");
        let mut problem = String::new();
        for fill in [Fill::Required, Fill::All] {
            let sampler = Sampler { shared: &nothing, fill, text: &text };
            let Value::Object(fields) = sampler.value("", &one.fields) else { continue };
            let mut form = CredentialForm::default();
            for (name, value) in fields {
                form = match (servers.get(&name), value) {
                    (Some(origin), _) => form.field(name, origin.clone()),
                    (None, Value::String(secret)) if secret_fields.contains(&name) => {
                        form.secret(name, secret)
                    }
                    (None, value) => form.field(name, value),
                };
            }
            match self.plugin.credential(one.name.clone(), &one.name, form).await {
                Ok(mut credential) => {
                    if one.grant != Grant::Fixed {
                        for token in one.grant_secrets() {
                            let secret = Secret::new(format!("{token}-of-the-check-0123456789"));
                            credential.secrets.insert((*token).to_owned(), secret);
                        }
                    }
                    return Ok(credential);
                }
                Err(error) => problem = format!("{error:#}"),
            }
        }
        Err(problem)
    }

    /// Names of credentials for the slots of an action.
    pub(super) fn filled(&self, slots: impl Iterator<Item = String>) -> BTreeMap<String, String> {
        let node = &self.plugin.description().node;
        let credential = |slot: &String| {
            let types = &node.slots.get(slot)?.credential_types;
            types.iter().find(|one| self.credentials.contains(one)).cloned()
        };
        slots.filter_map(|slot| credential(&slot).map(|name| (slot, name))).collect()
    }

    /// Why an action cannot run: a required slot cannot be filled.
    pub(super) fn unfilled(&self, action: &Action) -> Option<String> {
        let filled = self.filled(action.slots.keys().cloned());
        let required = action.slots.iter().filter(|(_, usage)| usage.required);
        let (slot, _) = required.into_iter().find(|(slot, _)| !filled.contains_key(*slot))?;
        let node = &self.plugin.description().node;
        let types = node.slots.get(slot).map(|slot| slot.credential_types.clone());
        let reasons = types.into_iter().flatten();
        let reason = reasons.filter_map(|one| self.without.get(&one)).next();
        Some(format!(
            "no credential for the slot `{slot}` could be made: {}",
            reason.map_or("the slot names no credential type", String::as_str)
        ))
    }

    /// How requests of an action are answered.
    pub(super) fn answering(&self, action: &Action, shape: Shape, items: &[Value]) -> Answering {
        let resource = action.name.split('.').next().unwrap_or_default();
        let words = [action.resource.as_deref().unwrap_or(resource), resource];
        let record = action.output.get("main").map(|schema| schema.value().clone());
        Answering {
            shape,
            record: record.unwrap_or(Value::Bool(true)),
            shared: self.shared.clone(),
            given: given(&Value::Array(items.to_vec())),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            named: Vec::new(),
            pages: Pages::Last,
            same: false,
            others: 2,
        }
    }

    /// How requests of a known action are answered.
    pub(super) fn answering_known(&self, known: &Known, items: &[Value]) -> Answering {
        let mut answering = self.answering(&known.action, known.shape, items);
        answering.named.clone_from(&known.named);
        answering
    }

    /// Runs an action.
    pub(super) async fn run(
        &self,
        action: &Action,
        items: Vec<Value>,
        behavior: Behavior,
        answering: Answering,
    ) -> Ran {
        let never = None::<std::future::Pending<()>>;
        self.run_until(action, items, behavior, answering, never).await
    }

    /// Runs a known action with responses that it understands.
    pub(super) async fn run_known(
        &self,
        known: &Known,
        items: Vec<Value>,
        behavior: Behavior,
    ) -> Ran {
        let answering = self.answering_known(known, &items);
        self.run(&known.action, items, behavior, answering).await
    }

    /// Runs an action until a future ends, if there is one, which cancels it.
    pub(super) async fn run_until(
        &self,
        action: &Action,
        items: Vec<Value>,
        behavior: Behavior,
        answering: Answering,
        until: Option<impl Future<Output = ()>>,
    ) -> Ran {
        let id = if until.is_some() { CANCELED } else { ID };
        let until = async {
            match until {
                Some(until) => until.await,
                None => std::future::pending().await,
            }
        };
        let gated = matches!(behavior, Behavior::Together { .. });
        self.service.begin(behavior, answering);
        let releasing = gated.then(|| tokio::spawn(self.service.clone().release()));
        let token = CancellationToken::new();
        let limits = Limits { total_time: TOTAL_TIME, ..Limits::default() };
        let mut execution = Execution::new(&action.name)
            .items(items)
            .continue_on_fail(true)
            .id(id)
            .context(CallContext::default().limits(limits).cancellation(token.clone()));
        execution.credentials = self.filled(action.slots.keys().cloned());
        let running = self.plugin.execute(execution);
        tokio::pin!(running);
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(patience, until);
        let outcome = tokio::select! {
            outcome = &mut running => outcome,
            () = &mut until => {
                token.cancel();
                running.await
            }
            () = &mut patience => {
                token.cancel();
                running.await
            }
        };
        if let Some(releasing) = releasing {
            releasing.abort();
        }
        let (seen, held) = self.service.end();
        Ran { outcome, seen, held }
    }

    /// Number of requests that the host has refused.
    pub(super) fn refused(&self) -> Vec<AuditEvent> {
        let events = self.audit.events().into_iter();
        events.filter(|one| one.verdict == Verdict::Refused && one.execution != CANCELED).collect()
    }

    /// Runs an action with responses of every shape until one fits.
    pub(super) async fn learn(&self, action: &Action, parameters: Value) -> Known {
        let mut known = Known {
            action: action.clone(),
            parameters: parameters.clone(),
            quality: Quality::Failed,
            shape: Shape::Wrapped,
            named: Vec::new(),
            problem: String::new(),
            requests: 0,
            records: 0,
            returns_answer: false,
            marked: None,
        };
        let output = action.output.get("main").map(|schema| Fits::new(&self.shared, schema));
        // Each with the members that it missed before.
        let mut tried = VecDeque::from(Shape::ALL.map(|shape| (shape, Vec::new())));
        while let Some((shape, named)) = tried.pop_front() {
            let items = vec![parameters.clone()];
            let mut answering = self.answering(action, shape, &items);
            answering.named.clone_from(&named);
            let ran = self.run(action, items, Behavior::Answers, answering).await;
            let misfit = match &output {
                Some(Ok(fits)) => ran.records(0).iter().find_map(|one| fits.problem(one)),
                Some(Err(error)) => Some(error.clone()),
                None => None,
            };
            let quality = match (ran.is_ok(), misfit.is_some(), ran.records(0).is_empty()) {
                (false, ..) => Quality::Failed,
                (true, true, _) => Quality::Misfit,
                (true, false, true) => Quality::Silent,
                (true, false, false) => Quality::Fits,
            };
            // Of failing responses, the first one explains why.
            let is_first = known.problem.is_empty();
            if is_first && quality == Quality::Failed {
                let missed = ran.error(0).map(|error| quoted(&error.message)).unwrap_or_default();
                if !missed.is_empty() {
                    tried.push_front((Shape::WrappedOne, missed.clone()));
                    tried.push_front((Shape::Wrapped, missed));
                }
            }
            if quality > known.quality || is_first {
                let text = ran.text(0);
                known.quality = quality;
                known.shape = shape;
                known.named = named;
                known.problem = misfit.unwrap_or_else(|| ran.problem());
                known.requests = ran.seen.len();
                known.records = ran.records(0).len();
                known.returns_answer = ran.seen.iter().any(|one| text.contains(&one.fingerprint));
            }
            // Without a request, no other response changes anything.
            if quality == Quality::Fits || ran.seen.is_empty() {
                break;
            }
        }
        if known.is_usable() {
            known.marked = self.marked(&known).await;
        }
        known
    }

    /// The parameter that appears in a request, so that requests of items can be distinguished.
    async fn marked(&self, known: &Known) -> Option<String> {
        let members = known.parameters.as_object()?.iter();
        let texts = members.filter(|(_, value)| value.is_string()).map(|(name, _)| name);
        for name in texts.take(MARKED_MEMBERS) {
            let marked = Known {
                action: known.action.clone(),
                parameters: known.parameters.clone(),
                problem: String::new(),
                named: known.named.clone(),
                marked: Some(name.clone()),
                ..*known
            };
            let items = vec![marked.item(0)];
            let problems = self.plugin.validate(&known.action.name, &items);
            if !problems.is_ok_and(|problems| problems.iter().all(Vec::is_empty)) {
                continue;
            }
            let ran = self.run_known(known, items, Behavior::Answers).await;
            if ran.is_ok() && ran.seen.iter().any(|one| is_of(one, 0)) {
                return Some(name.clone());
            }
        }
        None
    }
}

/// Whether a request belongs to an item with a mark.
pub(super) fn is_of(seen: &Seen, place: usize) -> bool {
    has_mark(&seen.request, place)
}

/// As [`is_of`], of a request that was not answered yet.
pub(super) fn has_mark(request: &Received, place: usize) -> bool {
    let mark = mark(place);
    // A mark may be a prefix of another one.
    let has = |text: &str| {
        text.match_indices(&mark)
            .any(|(at, _)| !text[at + mark.len()..].starts_with(|next: char| next.is_ascii_digit()))
    };
    has(&request.target) || has(&request.text())
}

/// An origin for each server of a node, among those that the operator may choose.
fn servers(plugin: &Plugin) -> Servers {
    let mut servers = Servers::default();
    for server in &plugin.description().node.servers {
        let chosen = server.within.iter().find_map(|pattern| {
            let text = pattern.to_string();
            let text = text.strip_suffix(":*").unwrap_or(&text);
            let text = text.replace("https://*.", "https://check.");
            let text = text.replace("https://*", "https://server.check.example");
            text.parse().ok().filter(|origin| pattern.allows(origin))
        });
        if let Some(origin) = chosen {
            servers = servers.with(&server.name, origin, false);
        }
    }
    servers
}

fn first_origin(
    (name, origins): (&str, &[workflow_node_host::ServerOrigin]),
) -> Option<(String, String)> {
    Some((name.to_owned(), origins.first()?.origin.to_string()))
}
