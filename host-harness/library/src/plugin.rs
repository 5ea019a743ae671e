//! A loaded plugin: approving it, configuring credentials for it, running it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use crate::approval::{Approval, GrantRequest};
use crate::bindings::exports::workflow::node::node::Call;
use crate::bindings::workflow::node::context::CredentialView;
use crate::bindings::{Plugin as Bindings, PluginPre};
use crate::credential::{CredentialForm, CredentialRequest};
use crate::description::schema::{self, Validator};
use crate::description::{Action, Configuration, CredentialType, Description, FieldProblem};
use crate::digest::Digest;
use crate::egress::{Policy, Session, SlotCredential, SlotState};
use crate::error::{Error, ErrorKind};
use crate::execution::{
    Execution, ItemError, ItemOutcome, Observer, OptionsQuery, Outcome, OutputRecord, Silent,
    depth_of,
};
use crate::host::{CallState, Shared};
use crate::imports::{Emitted, WasiState, WorkflowNodeCtx};
use crate::inspection::{CONTRACT, CONTRACT_VERSION, Surface};
use crate::journal::{Journal, JournalEntry, NoJournal};
use crate::limits::Limits;

/// After the deadline or a cancellation a guest has so long to return what it has.
const GRACE: Duration = Duration::from_secs(2);

/// A plugin. Cheap to clone; every call runs in an instance of its own.
#[derive(Clone)]
pub struct Plugin {
    shared: Arc<Shared>,
    digest: Digest,
    surface: Arc<Surface>,
    pre: PluginPre<CallState>,
    description: Arc<Description>,
    request: Arc<GrantRequest>,
    validators: Arc<Mutex<HashMap<String, Arc<Validator>>>>,
    /// What every execution may do at most.
    policy: Arc<Policy>,
}

impl Plugin {
    pub(crate) fn new(
        shared: Arc<Shared>,
        digest: Digest,
        surface: Surface,
        pre: PluginPre<CallState>,
        description: Description,
        request: GrantRequest,
    ) -> Self {
        Self {
            shared,
            digest,
            surface: Arc::new(surface),
            pre,
            policy: Arc::new(Policy {
                plugin: digest,
                node: description.node.name.clone(),
                origins: description.node.origins.clone(),
                credential_types: description.credential_types.clone(),
                secrets: description.node.secrets.clone(),
            }),
            description: Arc::new(description),
            request: Arc::new(request),
            validators: Arc::default(),
        }
    }

    /// Digest of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it imports and exports.
    pub fn surface(&self) -> &Surface {
        &self.surface
    }

    /// What it says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What it asks an operator for.
    pub fn grant_request(&self) -> &GrantRequest {
        &self.request
    }

    /// The action of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn action(&self, name: &str) -> Result<&Action, Error> {
        let node = &self.description.node;
        node.action(name).ok_or_else(|| {
            unknown("action", name, node.actions.iter().map(|action| action.name.clone()))
        })
    }

    /// The credential type of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn credential_type(&self, name: &str) -> Result<&CredentialType, Error> {
        let types = &self.description.credential_types;
        types.get(name).ok_or_else(|| unknown("credential type", name, types.keys().cloned()))
    }

    /// Records that an operator grants what this component asks for.
    ///
    /// # Errors
    ///
    /// When it cannot be recorded.
    pub fn approve(&self, approved_by: Option<String>) -> Result<(), Error> {
        let approval = Approval {
            digest: self.digest,
            grant: (*self.request).clone(),
            approved_at: self.shared.clock.unix_milliseconds(),
            approved_by,
        };
        Ok(self.shared.approvals.record(approval).map_err(ErrorKind::from)?)
    }

    /// What this component asks for beyond the latest approval of its node: `None` when there is no
    /// approval at all.
    ///
    /// # Errors
    ///
    /// When approvals cannot be read.
    pub fn growth(&self) -> Result<Option<Vec<String>>, Error> {
        let latest = self.shared.approvals.latest(&self.request.node).map_err(ErrorKind::from)?;
        Ok(latest.map(|approval| self.request.growth_over(&approval.grant)))
    }

    /// Whether this component is approved.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_approved`] when it is not.
    pub fn check_approval(&self) -> Result<(), Error> {
        let approval = self.shared.approvals.approval(&self.digest).map_err(ErrorKind::from)?;
        // The digest names the component, and a component describes itself the same way each time;
        // a file of approvals that was tampered with still grants no more than was asked for.
        if approval.is_some_and(|approval| self.request.growth_over(&approval.grant).is_empty()) {
            return Ok(());
        }
        let growth = self.growth()?;
        if self.shared.development && growth.as_ref().is_some_and(Vec::is_empty) {
            tracing::warn!(
                node = %self.request.node, digest = %self.digest,
                "DEVELOPMENT MODE: a rebuild that asks for nothing new is approved without anybody \
                 having looked at it"
            );
            return self.approve(Some("development mode".into()));
        }
        let request = Box::new((*self.request).clone());
        Err(ErrorKind::NotApproved { digest: self.digest, request, growth }.into())
    }

    /// What follows from the fields of a credential: where it may be sent, and for OAuth the
    /// endpoints and scopes.
    ///
    /// # Errors
    ///
    /// When the plugin is not approved, a field is wrong, or the plugin answers outside of what it
    /// describes.
    pub async fn configure(
        &self,
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&Value>,
    ) -> Result<Configuration, Error> {
        self.check_approval()?;
        let described = self.credential_type(credential_type)?;
        let name = credential_type.to_owned();
        let fields = Value::Object(fields.clone()).to_string();
        let grant = grant.map(Value::to_string);
        let (configured, _) =
            call(&self.shared, &self.pre, self.pure(), async |bindings, store| {
                let exports = bindings.workflow_node_credential_type();
                exports.call_configure(store, &name, &fields, grant.as_ref()).await
            })
            .await?;
        let text = configured.map_err(|errors| {
            let problems = errors
                .into_iter()
                .map(|error| FieldProblem { pointer: error.pointer, message: error.message })
                .collect();
            Error::from(ErrorKind::Invalid {
                what: format!("the fields of the credential type `{credential_type}`"),
                problems,
            })
        })?;
        let value = schema::checked("configuration.json", &text)
            .map_err(|error| Error::from(ErrorKind::Description(error)))?;
        let configuration: Configuration =
            serde_json::from_value(value).map_err(|error| Error::refused(error.to_string()))?;
        described.allows(&configuration).map_err(|problem| {
            Error::refused(format!("its configuration goes beyond its description: {problem}"))
        })?;
        Ok(configuration)
    }

    /// Checks a form for a new credential, and says what follows from it.
    ///
    /// # Errors
    ///
    /// When the form is wrong, or as [`Plugin::configure`].
    pub async fn connect(
        &self,
        credential_type: &str,
        form: &CredentialForm,
    ) -> Result<Configuration, Error> {
        let problems = form.check(self.credential_type(credential_type)?);
        if !problems.is_empty() {
            let what = format!("the fields of the credential type `{credential_type}`");
            return Err(ErrorKind::Invalid { what, problems }.into());
        }
        self.configure(credential_type, &form.fields, None).await
    }

    /// Proves a credential with real calls of the plugin.
    ///
    /// # Errors
    ///
    /// When it cannot be tested. What the service answers is the inner result.
    pub async fn test_credential(
        &self,
        name: &str,
        context: &Execution,
    ) -> Result<Result<Value, ItemError>, Error> {
        let slot = "credential-under-test".to_owned();
        let mut execution = context.clone();
        execution.action = "credential.test".into();
        execution.credentials = BTreeMap::from([(slot.clone(), name.to_owned())]);
        let session = self.session(&execution, None, Arc::new(Silent)).await?;
        let (result, _) =
            call(&self.shared, &self.pre, session.context, async |bindings, store| {
                bindings.workflow_node_credential_type().call_test(store, &slot).await
            })
            .await?;
        match result {
            Ok(text) => {
                let value = schema::checked("identity.json", &text)
                    .map_err(|error| Error::from(ErrorKind::Description(error)))?;
                Ok(Ok(value))
            }
            Err(error) => Ok(Err(error.into())),
        }
    }

    /// The choices of a form field (a document of `schemas/options.json`).
    ///
    /// # Errors
    ///
    /// When they cannot be asked for. What the service answers is the inner result.
    pub async fn load_options(
        &self,
        query: &OptionsQuery,
        context: &Execution,
    ) -> Result<Result<Value, ItemError>, Error> {
        let action = self.action(&query.action)?;
        let properties = action.parameters.get("properties").and_then(Value::as_object);
        let parameter = properties.and_then(|properties| properties.get(&query.parameter));
        let has_options =
            |schema: &Value| schema.pointer("/x-ui/options") == Some(&Value::Bool(true));
        if !parameter.is_some_and(has_options) {
            let known = properties
                .into_iter()
                .flatten()
                .filter(|(_, schema)| has_options(schema))
                .map(|(name, _)| name.clone());
            return Err(unknown("parameter with choices", &query.parameter, known));
        }
        let mut execution = context.clone();
        execution.action = query.action.clone();
        let session = self.session(&execution, Some(action), Arc::new(Silent)).await?;
        let query = serde_json::to_string(query).map_err(Error::internal)?;
        let (result, _) =
            call(&self.shared, &self.pre, session.context, async |bindings, store| {
                bindings.workflow_node_node().call_load_options(store, &query).await
            })
            .await?;
        match result {
            Ok(text) => {
                let value = schema::checked("options.json", &text)
                    .map_err(|error| Error::from(ErrorKind::Description(error)))?;
                Ok(Ok(value))
            }
            Err(error) => Ok(Err(error.into())),
        }
    }

    /// The problems of each item against the action's schema; empty lists where there are none.
    ///
    /// # Errors
    ///
    /// When there is no such action.
    pub fn validate(&self, action: &str, items: &[Value]) -> Result<Vec<Vec<FieldProblem>>, Error> {
        let action = self.action(action)?;
        let validator = self.validator(action)?;
        Ok(items.iter().map(|item| validator.problems(item)).collect())
    }

    /// The compiled schema of an action's parameters; compiled once per plugin.
    fn validator(&self, action: &Action) -> Result<Arc<Validator>, Error> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = validators.get(&action.name) {
            return Ok(known.clone());
        }
        let compiled = Validator::new(&self.description.node.schemas, &action.parameters)
            .map_err(Error::refused)?;
        let compiled = Arc::new(compiled);
        validators.insert(action.name.clone(), compiled.clone());
        Ok(compiled)
    }

    /// Runs an action.
    ///
    /// # Errors
    ///
    /// As [`Plugin::execute_observed`].
    pub async fn execute(&self, execution: Execution) -> Result<Outcome, Error> {
        self.execute_observed(execution, Arc::new(Silent)).await
    }

    /// Runs an action, telling an observer what happens meanwhile. Items are validated first: one
    /// that is wrong stops all, or with `continue_on_fail` fails alone.
    ///
    /// # Errors
    ///
    /// When nothing was run: the plugin is not approved, an item is wrong, a credential is missing.
    /// A plugin that is stopped half-way is an [`Outcome`].
    pub async fn execute_observed(
        &self,
        execution: Execution,
        observer: Arc<dyn Observer>,
    ) -> Result<Outcome, Error> {
        let action = self.action(&execution.action)?;
        let problems = self.validate(&action.name, &execution.items)?;
        if !execution.continue_on_fail {
            let flat: Vec<FieldProblem> = problems
                .iter()
                .enumerate()
                .flat_map(|(index, problems)| {
                    problems.iter().map(move |problem| FieldProblem {
                        pointer: format!("/{index}{}", problem.pointer),
                        message: problem.message.clone(),
                    })
                })
                .collect();
            if !flat.is_empty() {
                let what = "the items do not fit the action (item, parameter)".to_owned();
                return Err(ErrorKind::Invalid { what, problems: flat }.into());
            }
        }
        // Items that are wrong are not handed to the guest; `positions` leads back.
        let positions: Vec<usize> =
            (0..execution.items.len()).filter(|index| problems[*index].is_empty()).collect();
        let session = self.session_for(&execution, Some(action), observer, &positions).await?;
        let started = self.shared.clock.monotonic();
        let id = session.id.clone();
        let requests = session.session.clone();
        let limits = requests.limits.clone();
        let options = serde_json::json!({
            "continue_on_fail": execution.continue_on_fail,
            "concurrency": execution.concurrency,
        });
        let guest_call = Call {
            node: self.description.node.name.clone(),
            version: action.version,
            action: action.name.clone(),
            items: positions.iter().map(|index| execution.items[*index].to_string()).collect(),
            options: without_nulls(options).to_string(),
        };
        let span = tracing::info_span!(
            "execute", node = %guest_call.node, action = %guest_call.action,
            execution = %id, items = guest_call.items.len()
        );
        let called = call(&self.shared, &self.pre, session.context, async |bindings, store| {
            bindings.workflow_node_node().call_execute(store, &guest_call).await
        })
        .instrument(span)
        .await;
        let mut outcome = Outcome {
            id,
            items: Vec::with_capacity(execution.items.len()),
            stopped: None,
            requests: requests.requests.load(Ordering::Relaxed),
            duration: self.shared.clock.monotonic().saturating_sub(started),
            memory: 0,
        };
        let (results, mut emitted) = match called {
            Ok((result, ended)) => {
                outcome.memory = ended.memory;
                let results = match result {
                    Ok(results) => {
                        let given = ended.output_bytes;
                        self.checked_results(action, results, positions.len(), &limits, given)
                    }
                    Err(error) => Ok(Results::Whole(error.into())),
                };
                match results {
                    Ok(results) => (results, ended.emitted),
                    Err(error) => {
                        let whole = Results::Whole(ItemError::new("internal", error.to_string()));
                        outcome.stopped = Some(error);
                        (whole, ended.emitted)
                    }
                }
            }
            Err(Stopped { error, emitted }) => {
                let message = format!("{error}; what it had sent may have happened");
                outcome.stopped = Some(error);
                (Results::Whole(ItemError::new("internal", message)), emitted)
            }
        };
        let mut results = results.into_iter(positions.len());
        for (index, problems) in problems.into_iter().enumerate() {
            if !problems.is_empty() {
                outcome.items.push(invalid_item(&problems));
                continue;
            }
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let mut output = emitted.remove(&index).unwrap_or_default();
            let error = match results.next() {
                Some(Ok(records)) => {
                    output.extend(records);
                    None
                }
                Some(Err(error)) => Some(error),
                None => Some(ItemError::new("internal", "the plugin gave no result")),
            };
            outcome.items.push(ItemOutcome { output, error });
        }
        let ended = JournalEntry::Ended {
            items: outcome.items.iter().map(ItemOutcome::is_ok).collect(),
            error: outcome.stopped.as_ref().map(|error| Value::String(error.to_string())),
        };
        if let Err(error) = self.shared.journal.append(ended).await {
            tracing::error!(%error, "the journal cannot be written");
        }
        Ok(outcome)
    }

    /// A context for a store of the engine's own, with the slots of an execution filled; see
    /// [`crate::imports`].
    ///
    /// # Errors
    ///
    /// When the plugin is not approved or a credential is missing.
    pub async fn context(
        &self,
        execution: &Execution,
        observer: Arc<dyn Observer>,
    ) -> Result<WorkflowNodeCtx, Error> {
        let action = self.action(&execution.action)?;
        Ok(self.session(execution, Some(action), observer).await?.context)
    }

    /// Results as the contract wants them: one per item, known ports, JSON.
    fn checked_results(
        &self,
        action: &Action,
        results: Vec<GuestResult>,
        items: usize,
        limits: &Limits,
        mut bytes: usize,
    ) -> Result<Results, Error> {
        let broken = |problem: String| Error::from(ErrorKind::Stopped(problem));
        if results.len() != items {
            return Err(broken(format!("it gave {} results for {items} items", results.len())));
        }
        let mut checked = Vec::with_capacity(items);
        for result in results {
            checked.push(match result {
                Err(error) => Err(error.into()),
                Ok(outputs) => {
                    let mut records = Vec::with_capacity(outputs.len());
                    for output in outputs {
                        bytes += output.json.len();
                        if bytes > limits.output {
                            let limit = limits.output;
                            return Err(broken(format!("its output is larger than {limit} bytes")));
                        }
                        if !action.output.contains_key(&output.port) {
                            let port = &output.port;
                            return Err(broken(format!(
                                "it gave output on the port `{port}`, which `{}` does not have",
                                action.name
                            )));
                        }
                        let record = OutputRecord::checked(output, limits.json_depth);
                        records.push(record.map_err(|error| broken(error.to_string()))?);
                    }
                    Ok(records)
                }
            });
        }
        Ok(Results::PerItem(checked))
    }

    /// Makes an instance and drops it: what every call costs before the guest runs. For
    /// measurements and to warm up.
    ///
    /// # Errors
    ///
    /// When the guest is stopped.
    pub async fn instantiate(&self) -> Result<(), Error> {
        call(&self.shared, &self.pre, self.pure(), async |_, _| Ok(())).await?;
        Ok(())
    }

    /// A context that can send nothing.
    fn pure(&self) -> WorkflowNodeCtx {
        pure(&self.shared)
    }

    async fn session(
        &self,
        execution: &Execution,
        action: Option<&Action>,
        observer: Arc<dyn Observer>,
    ) -> Result<Prepared, Error> {
        let all: Vec<usize> = (0..execution.items.len()).collect();
        self.session_for(execution, action, observer, &all).await
    }

    /// `positions`: which of the execution's items the guest is handed, in order.
    async fn session_for(
        &self,
        execution: &Execution,
        action: Option<&Action>,
        observer: Arc<dyn Observer>,
        positions: &[usize],
    ) -> Result<Prepared, Error> {
        self.check_approval()?;
        let shared = &self.shared;
        let limits = execution.limits.clone().unwrap_or_else(|| shared.limits.clone());
        let id = execution.id.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        if let Some(action) = action {
            self.check_slots(action, execution)?;
        }
        let mut slots = BTreeMap::new();
        let mut views = BTreeMap::new();
        for (slot, name) in &execution.credentials {
            let (state, view) = self.fill_slot(slot, name, execution, action).await?;
            slots.insert(slot.clone(), state);
            views.insert(slot.clone(), view);
        }
        let session = Arc::new(Session {
            policy: self.policy.clone(),
            operator: execution.allow.clone(),
            slots,
            transport: shared.transport.clone(),
            credentials: shared.credentials.clone(),
            clock: shared.clock.clone(),
            audit: shared.audit.clone(),
            journal: shared.journal.clone(),
            observer: observer.clone(),
            handles: shared.handles.clone(),
            in_flight: Semaphore::new(limits.concurrent_requests),
            requests: AtomicU32::new(0),
            cancellation: execution.cancellation.clone(),
            deadline: Some(shared.clock.monotonic() + limits.total_time),
            limits: limits.clone(),
            action: execution.action.clone(),
            execution: id.clone(),
            actor: execution.actor.clone(),
            workflow: execution.workflow.clone(),
            dry_run: execution.dry_run,
        });
        let seed = {
            let digest = Digest::of(id.as_bytes()).hex();
            u64::from_str_radix(&digest[..16], 16).unwrap_or_default()
        };
        let started = JournalEntry::Started {
            execution: id.clone(),
            plugin: self.digest.to_string(),
            action: execution.action.clone(),
            seed,
            now: shared.clock.unix_milliseconds(),
        };
        shared.journal.append(started).await.map_err(|error| {
            Error::internal(format!("the journal cannot be written: {error}; nothing was run"))
        })?;
        let context = WorkflowNodeCtx::new(crate::imports::Parts {
            session: Some(session.clone()),
            clock: shared.clock.clone(),
            observer,
            journal: shared.journal.clone(),
            cancellation: execution.cancellation.clone(),
            limits,
            credentials: views,
            execution: id.clone(),
            seed,
            positions: positions
                .iter()
                .map(|position| u32::try_from(*position))
                .collect::<Result<_, _>>()
                .map_err(Error::internal)?,
            ports: action.map(|action| action.output.keys().cloned().collect()).unwrap_or_default(),
        });
        Ok(Prepared { id, session, context })
    }

    /// The slots that the execution fills are the action's, and the required ones are filled.
    fn check_slots(&self, action: &Action, execution: &Execution) -> Result<(), Error> {
        if let Some(slot) =
            execution.credentials.keys().find(|slot| !action.slots.contains_key(*slot))
        {
            return Err(unknown("slot", slot, action.slots.keys().cloned()));
        }
        for (slot, slot_use) in &action.slots {
            if slot_use.required && !execution.credentials.contains_key(slot) {
                let types = self.description.node.slots.get(slot);
                let types = types.map(|slot| slot.credential_types.join(", ")).unwrap_or_default();
                return Err(ErrorKind::CredentialUnusable(format!(
                    "`{}` needs a credential in the slot `{slot}` (of type {types}), and none was \
                     named",
                    action.name
                ))
                .into());
            }
        }
        Ok(())
    }

    async fn fill_slot(
        &self,
        slot: &str,
        name: &str,
        execution: &Execution,
        action: Option<&Action>,
    ) -> Result<(SlotState, CredentialView), Error> {
        let shared = &self.shared;
        let unusable = |problem: String| {
            Error::from(ErrorKind::CredentialUnusable(format!(
                "the credential `{name}` cannot be used: {problem}"
            )))
        };
        let request = CredentialRequest {
            name: name.to_owned(),
            slot: slot.to_owned(),
            node: self.description.node.name.clone(),
            plugin: Some(self.digest),
            action: execution.action.clone(),
            actor: execution.actor.clone(),
            workflow: execution.workflow.clone(),
        };
        let credential = shared.credentials.credential(&request).await.map_err(ErrorKind::from)?;
        if credential.node != self.description.node.name {
            return Err(unusable(format!("it was connected for the node `{}`", credential.node)));
        }
        let Some(credential_type) =
            self.description.credential_types.get(&credential.credential_type)
        else {
            let kind = &credential.credential_type;
            return Err(unusable(format!("the plugin knows no credential type `{kind}`")));
        };
        if let Some(action) = action {
            let fits = self.description.node.slots.get(slot);
            if !fits.is_some_and(|fits| fits.credential_types.contains(&credential_type.name)) {
                return Err(unusable(format!(
                    "it is of type `{}`, which does not fit the slot `{slot}` of `{}` ({})",
                    credential_type.name,
                    action.name,
                    fits.map(|fits| fits.credential_types.join(", ")).unwrap_or_default()
                )));
            }
        }
        // What was stored is checked again: the description may have become narrower since.
        credential_type.allows(&credential.configuration).map_err(|problem| {
            unusable(format!(
                "it goes beyond the plugin's description ({problem}): connect it again"
            ))
        })?;
        let known_secrets = credential_type.secret_fields();
        if let Some(short) = credential
            .secrets
            .iter()
            .find(|(_, secret)| secret.len() < crate::Secret::MINIMUM_LENGTH)
        {
            return Err(unusable(format!(
                "its `{}` is shorter than {} bytes",
                short.0,
                crate::Secret::MINIMUM_LENGTH
            )));
        }
        let mut fields = credential.fields.clone();
        fields.retain(|field, _| !known_secrets.contains(field));
        let view = CredentialView {
            credential_type: credential.credential_type.clone(),
            fields: Value::Object(fields).to_string(),
            configuration: serde_json::to_string(&credential.configuration)
                .map_err(Error::internal)?,
            granted_scopes: credential.granted_scopes.clone(),
        };
        let pacer = shared.pacing.pacer(&request.node, name, credential_type.rate_limit.as_ref());
        let credential = SlotCredential::new(credential, credential_type);
        Ok((SlotState::new(request, pacer, credential), view))
    }
}

struct Prepared {
    id: String,
    session: Arc<Session>,
    context: WorkflowNodeCtx,
}

type GuestResult = Result<
    Vec<crate::bindings::workflow::node::types::OutputItem>,
    crate::bindings::workflow::node::types::Error,
>;

/// Results of a call.
enum Results {
    PerItem(Vec<Result<Vec<OutputRecord>, ItemError>>),
    /// The call as a whole failed: every item did.
    Whole(ItemError),
}

impl Results {
    fn into_iter(self, items: usize) -> std::vec::IntoIter<Result<Vec<OutputRecord>, ItemError>> {
        match self {
            Self::PerItem(results) => results.into_iter(),
            Self::Whole(error) => vec![Err(error); items].into_iter(),
        }
    }
}

fn invalid_item(problems: &[FieldProblem]) -> ItemOutcome {
    let message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let mut error = ItemError::new("invalid-input", message);
    error.detail = Some(serde_json::json!({ "errors": problems }));
    ItemOutcome { output: Vec::new(), error: Some(error) }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}

fn unknown(what: &'static str, name: &str, known: impl Iterator<Item = String>) -> Error {
    ErrorKind::Unknown { what, name: name.to_owned(), known: known.collect() }.into()
}

/// A context that can send nothing, for `describe` and `configure`.
fn pure(shared: &Shared) -> WorkflowNodeCtx {
    let mut limits = shared.limits.clone();
    limits.total_time = limits.total_time.min(Duration::from_secs(30));
    let journal: Arc<dyn Journal> = Arc::new(NoJournal);
    WorkflowNodeCtx::new(crate::imports::Parts {
        session: None,
        clock: shared.clock.clone(),
        observer: Arc::new(Silent),
        journal,
        cancellation: CancellationToken::new(),
        limits,
        credentials: BTreeMap::new(),
        execution: String::new(),
        seed: 0,
        positions: Vec::new(),
        ports: BTreeSet::new(),
    })
}

/// Asks a plugin to describe itself.
pub(crate) async fn describe(
    shared: &Arc<Shared>,
    pre: &PluginPre<CallState>,
    surface: &Surface,
) -> Result<(String, String, Option<String>), Error> {
    let (node, _) = call(shared, pre, pure(shared), async |bindings, store| {
        bindings.workflow_node_node().call_describe(store).await
    })
    .await?;
    let (credential_types, _) = call(shared, pre, pure(shared), async |bindings, store| {
        bindings.workflow_node_credential_type().call_describe(store).await
    })
    .await?;
    let triggers =
        if surface.exports("trigger") { Some(describe_triggers(shared, pre).await?) } else { None };
    for document in [Some(&node), Some(&credential_types), triggers.as_ref()].into_iter().flatten()
    {
        if depth_of(document) > shared.limits.json_depth {
            return Err(Error::refused("its description is nested too deeply"));
        }
    }
    Ok((node, credential_types, triggers))
}

/// The interface is optional, so the generated bindings do not know it.
async fn describe_triggers(
    shared: &Arc<Shared>,
    pre: &PluginPre<CallState>,
) -> Result<String, Error> {
    let mut store = new_store(shared, pure(shared));
    let limit = Duration::from_secs(30);
    let asked = async {
        let instance = pre.instance_pre().instantiate_async(&mut store).await?;
        let interface = format!("{CONTRACT}/trigger@{CONTRACT_VERSION}");
        let interface = instance.get_export_index(&mut store, None, &interface);
        let function = interface
            .and_then(|interface| {
                instance.get_export_index(&mut store, Some(&interface), "describe")
            })
            .ok_or_else(|| wasmtime::format_err!("`trigger` has no `describe`"))?;
        let function = instance.get_typed_func::<(), (String,)>(&mut store, function)?;
        let (document,) = function.call_async(&mut store, ()).await?;
        wasmtime::Result::Ok(document)
    };
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok(document)) => Ok(document),
        Ok(Err(error)) => Err(ErrorKind::Stopped(trap_text(&error)).into()),
        Err(_) => {
            Err(ErrorKind::Stopped("it takes too long to describe its triggers".into()).into())
        }
    }
}

/// Bounds the linear memory of a call.
pub(crate) struct MemoryLimit {
    most: usize,
    total: usize,
    refused: bool,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // All memories of the component together; memory never shrinks.
        let total = self.total.saturating_add(desired.saturating_sub(current));
        let allowed = total <= self.most;
        if allowed {
            self.total = total;
        } else {
            self.refused = true;
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= 20_000)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

fn new_store(shared: &Shared, context: WorkflowNodeCtx) -> Store<CallState> {
    let (memory, guest_time, host_call) = {
        let limits = context.limits();
        (limits.memory, limits.guest_time, limits.host_call)
    };
    let state = CallState {
        node: context,
        wasi: WasiState::new(),
        memory: MemoryLimit { most: memory, total: 0, refused: false },
    };
    let mut store = Store::new(&shared.engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(host_call);
    store.set_epoch_deadline(1);
    let started = std::time::Instant::now();
    store.epoch_deadline_callback(move |store| {
        let waited = store.data().node.waited();
        if started.elapsed().saturating_sub(waited) > guest_time {
            wasmtime::bail!("it computed for longer than {guest_time:?}");
        }
        // Other work of the executor gets its turn while a guest computes.
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// A call that ended.
pub(crate) struct Ended {
    emitted: Emitted,
    memory: usize,
    output_bytes: usize,
}

/// A call that was stopped.
struct Stopped {
    error: Error,
    emitted: Emitted,
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        stopped.error
    }
}

/// Runs one call in an instance of its own. The store is dropped afterwards, whatever happened: an
/// instance that trapped or was abandoned is never used again.
async fn call<T>(
    shared: &Shared,
    pre: &PluginPre<CallState>,
    context: WorkflowNodeCtx,
    invoke: impl AsyncFnOnce(&Bindings, &mut Store<CallState>) -> wasmtime::Result<T>,
) -> Result<(T, Ended), Stopped> {
    let total = context.limits().total_time;
    let cancellation = context.cancellation().clone();
    let mut store = new_store(shared, context);
    let clock = shared.clock.clone();
    let over = async {
        tokio::select! {
            () = clock.sleep(total) => {}
            () = cancellation.cancelled() => {}
        }
        clock.sleep(GRACE).await;
    };
    let running = async {
        let bindings = pre.instantiate_async(&mut store).await?;
        invoke(&bindings, &mut store).await
    };
    let result = tokio::select! {
        result = running => result.map_err(|error| trap_text(&error)),
        () = over => Err(format!("it did not return within {GRACE:?} after its time was over")),
    };
    let state = store.data_mut();
    state.node.abandon_open_tickets().await;
    let ended = Ended {
        emitted: state.node.take_emitted(),
        memory: state.memory.total,
        output_bytes: state.node.output_bytes(),
    };
    match result {
        Ok(value) => Ok((value, ended)),
        Err(mut message) => {
            if state.memory.refused {
                let most = state.memory.most / (1024 * 1024);
                message = format!("it wanted more than {most} MiB of memory ({message})");
            }
            Err(Stopped { error: ErrorKind::Stopped(message).into(), emitted: ended.emitted })
        }
    }
}

/// The cause of a trap, without the frames.
fn trap_text(error: &wasmtime::Error) -> String {
    let mut causes: Vec<String> = error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| !cause.starts_with("error while executing"))
        .collect();
    causes.dedup();
    let text = causes.join(": ");
    tracing::debug!(error = ?error, "a guest was stopped");
    text.chars().take(1_000).collect()
}
