//! A loaded plugin: approving it, configuring credentials for it, running it.

mod call;
mod execute;
mod form;
mod recorded;
mod session;
mod stream;
mod trigger;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

#[cfg(target_os = "linux")]
pub(crate) use call::remote::Program;
pub(crate) use call::{Guest, describe};
use call::{call, pure};
use form::{CompiledForm, Forms};
pub use recorded::{Replay, Resume};
pub use stream::ExecutionStream;
pub(crate) use trigger::{Health as TriggerHealth, Reply as TriggerReply, TriggerCall};

use crate::approval::{Approval, GrantRequest, Servers, Withheld, until_disabled};
use crate::credential::{Credential, CredentialForm, check_size};
use crate::description::schema;
use crate::description::{
    Action, Configuration, CredentialType, Description, Document, FieldProblem, Form, Trigger,
};
use crate::digest::Digest;
use crate::egress::{Holder, Policy};
use crate::error::{Cause, Error};
use crate::execution::{CallContext, Execution, FormOf, OptionsRequest};
use crate::guest::{Invocation, Returned};
use crate::imports::WorkflowNodeCtx;
use crate::inspection::Surface;
use crate::item::{ItemError, shortened};
use crate::json::Measure;
use crate::limits::{Limits, ProcessLimits, exceeded};
use crate::observer::Silent;
use crate::offload::Stop;
use crate::principal::Principal;
use crate::shared::Shared;
use workflow_node_documents::{Identity, Options};

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Plugin").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// A plugin. Cheap to clone; every call runs in a separate instance.
#[derive(Clone)]
pub struct Plugin {
    shared: Arc<Shared>,
    digest: Digest,
    surface: Arc<Surface>,
    guest: Guest,
    description: Arc<Description>,
    request: Arc<GrantRequest>,
    /// The approval that was found to grant all of it.
    checked: Arc<Mutex<Option<Arc<Approval>>>>,
    forms: Arc<Forms>,
    /// Policy of every execution.
    policy: Arc<Policy>,
}

impl Plugin {
    pub(crate) fn new(
        shared: Arc<Shared>,
        digest: Digest,
        surface: Surface,
        guest: Guest,
        description: Description,
        request: GrantRequest,
    ) -> Self {
        Self {
            shared,
            digest,
            surface: Arc::new(surface),
            guest,
            policy: Arc::new(Policy {
                plugin: digest,
                node: description.node.name.clone(),
                user_agent: crate::egress::user_agent(
                    &description.node.name,
                    Some(description.node.version),
                ),
                origins: description.node.origins.clone(),
                credential_types: description.credential_types.clone(),
                secrets: description.node.secrets.clone(),
            }),
            description: Arc::new(description),
            request: Arc::new(request),
            checked: Arc::default(),
            forms: Arc::default(),
        }
    }

    /// Digest of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Imports and exports of the component.
    pub fn surface(&self) -> &Surface {
        &self.surface
    }

    /// Description that the plugin returned.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Permissions that the plugin requests from an operator.
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

    /// The trigger of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn trigger(&self, name: &str) -> Result<&Trigger, Error> {
        let known = || self.description.triggers.iter().map(|trigger| trigger.name.clone());
        self.description.trigger(name).ok_or_else(|| unknown("trigger", name, known()))
    }

    /// Records that an operator grants the permissions that this component requests.
    ///
    /// # Errors
    ///
    /// When it cannot be recorded.
    pub async fn approve(&self, approved_by: Option<String>) -> Result<(), Error> {
        self.approve_without(Withheld::default(), approved_by).await
    }

    /// Records that an operator grants the permissions that this component requests, less the
    /// withheld ones.
    ///
    /// # Errors
    ///
    /// When something is withheld that the component does not ask for, or when the approval cannot be
    /// recorded.
    pub async fn approve_without(
        &self,
        withheld: Withheld,
        approved_by: Option<String>,
    ) -> Result<(), Error> {
        self.approve_with(Servers::default(), withheld, approved_by).await
    }

    /// Records that an operator grants the permissions that this component requests, less the
    /// withheld ones, with the origins that the operator has chosen for its servers. Other origins
    /// need another approval.
    ///
    /// # Errors
    ///
    /// As [`Plugin::approve_without`]; also when an origin is not one that the component lets its
    /// server have.
    pub async fn approve_with(
        &self,
        servers: Servers,
        withheld: Withheld,
        approved_by: Option<String>,
    ) -> Result<(), Error> {
        withheld.check(&self.request).map_err(Cause::Items)?;
        servers.check(&self.request).map_err(Cause::Items)?;
        let approval = Approval {
            digest: self.digest,
            grant: (*self.request).clone(),
            withheld,
            servers,
            approved_at: self.shared.clock.unix_milliseconds(),
            approved_by,
        };
        Ok(self.shared.approvals.record(approval).await.map_err(Cause::from)?)
    }

    /// Permissions that this component requests beyond the latest approval of its node. `None` if
    /// its node was never approved.
    ///
    /// # Errors
    ///
    /// When approvals cannot be read.
    pub async fn growth(&self) -> Result<Option<Vec<String>>, Error> {
        let latest = self.shared.approvals.latest(&self.request.node).await.map_err(Cause::from)?;
        Ok(latest.map(|approval| self.request.growth_over(&approval.grant)))
    }

    /// Whether this component is approved, and not disabled.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_approved`] when it is not, [`Error::is_disabled`] when it is disabled.
    pub async fn check_approval(&self) -> Result<(), Error> {
        self.approval().await.map(drop)
    }

    /// The approval of this component, with the withheld permissions.
    ///
    /// # Errors
    ///
    /// As [`Plugin::check_approval`].
    pub async fn approval(&self) -> Result<Arc<Approval>, Error> {
        self.check_enabled().await?;
        if let Some(approval) = self.recorded().await? {
            return Ok(approval);
        }
        let growth = self.growth().await?;
        if self.shared.development && growth.as_ref().is_some_and(Vec::is_empty) {
            tracing::warn!(
                node = %self.request.node, digest = %self.digest,
                "DEVELOPMENT MODE: a rebuild that requests no new permissions was approved without \
                 a review"
            );
            let latest =
                self.shared.approvals.latest(&self.request.node).await.map_err(Cause::from)?;
            // Permissions withheld from the last build are withheld from this one, as far as it
            // still requests them.
            let latest = latest.as_deref();
            let mut withheld = latest.map(|latest| latest.withheld.clone()).unwrap_or_default();
            withheld.restrict(&self.request);
            let mut servers = latest.map(|latest| latest.servers.clone()).unwrap_or_default();
            servers.restrict(&self.request);
            self.approve_with(servers, withheld, Some("development mode".into())).await?;
            if let Some(approval) = self.recorded().await? {
                return Ok(approval);
            }
        }
        let request = Box::new((*self.request).clone());
        Err(Cause::NotApproved { digest: self.digest, request, growth }.into())
    }

    /// The approval of exactly this component, where one is recorded that grants what it asks for.
    async fn recorded(&self) -> Result<Option<Arc<Approval>>, Error> {
        let approval = self.shared.approvals.approval(&self.digest).await.map_err(Cause::from)?;
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(approval), Some(checked)) = (&approval, &*checked)
            && Arc::ptr_eq(approval, checked)
        {
            return Ok(Some(approval.clone()));
        }
        // The digest names the component, and a component describes itself the same way each time;
        // a file of approvals that was tampered with still grants no more than was asked for.
        *checked = approval
            .filter(|one| self.request.growth_over(&one.grant.completed(&self.request)).is_empty());
        Ok(checked.clone())
    }

    async fn check_enabled(&self) -> Result<(), Error> {
        let node = &self.request.node;
        let disabled =
            self.shared.approvals.disabled(&self.digest, node).await.map_err(Cause::from)?;
        match disabled {
            Some(disabled) => Err(Cause::Disabled(disabled).into()),
            None => Ok(()),
        }
    }

    /// Waits until an operator has disabled this component, and says so.
    pub(crate) async fn is_disabled(&self) -> Error {
        let approvals = &*self.shared.approvals;
        let disabled = until_disabled(approvals, &self.digest, &self.request.node).await;
        Cause::Disabled(disabled).into()
    }

    /// Whether an action or a trigger may run, as far as the operator has a say.
    ///
    /// # Errors
    ///
    /// As [`Plugin::check_approval`], and [`Error::is_withheld`] when it was not granted.
    pub(crate) async fn check_run(&self, name: &str) -> Result<Arc<Approval>, Error> {
        let approval = self.approval().await?;
        approval
            .withheld
            .check_run(&self.description, name)
            .map_err(|problem| Error::from(Cause::Withheld(problem)))?;
        Ok(approval)
    }

    /// Configuration derived from the fields of a credential: where it may be sent, and for OAuth
    /// the endpoints and scopes.
    ///
    /// # Errors
    ///
    /// When the plugin is not approved, a field is invalid, or the result of the plugin is outside
    /// its description.
    pub async fn configure(
        &self,
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&Value>,
    ) -> Result<Configuration, Error> {
        let approval = self.approval().await?;
        let described = self.credential_type(credential_type)?;
        let described = session::at_servers(described, fields, &approval).map_err(|problem| {
            Error::from(Cause::Invalid {
                what: format!("the fields of the credential type `{credential_type}`"),
                problems: vec![FieldProblem { pointer: String::new(), message: problem }],
            })
        })?;
        let name = credential_type.to_owned();
        let fields = Value::Object(fields.clone()).to_string();
        let grant = grant.map(Value::to_string);
        if let Some(grant) = &grant {
            schema::checked("grant.json", grant)
                .map_err(|error| Error::from(Cause::Description(error)))?;
        }
        let invocation = Invocation::Configure { credential_type: name, fields, grant };
        let (configured, _) =
            call(&self.shared, &self.guest, self.pure(), &invocation, Returned::configured)
                .await
                .map_err(|stopped| match stopped.is_too_much {
                true => {
                    let most = self.shared.limits.document;
                    let problem = exceeded("its `configuration.json`", "document", most);
                    Cause::Stopped(problem).into()
                }
                false => stopped.error,
            })?;
        let text = configured.map_err(|errors| {
            let limits = &self.shared.limits;
            let most = limits.error_text;
            let problems = errors
                .into_iter()
                .take(MOST_PROBLEMS)
                .map(|error| FieldProblem {
                    pointer: shortened(error.pointer, most),
                    message: shortened(error.message, most),
                })
                .collect();
            Error::from(Cause::Invalid {
                what: format!("the fields of the credential type `{credential_type}`"),
                problems,
            })
        })?;
        let value = self.document("configuration.json", &text, &self.shared.limits)?;
        let configuration: Configuration = serde_json::from_value(value)
            .map_err(|error| Error::refused_by("its configuration cannot be read", error))?;
        crate::description::check_configuration(&described, &configuration).map_err(|problem| {
            Error::refused(format!("its configuration exceeds its description: {problem}"))
        })?;
        Ok(configuration)
    }

    /// A document that the plugin has returned, checked against the contract's schema of this name.
    fn document(&self, name: &'static str, text: &str, limits: &Limits) -> Result<Value, Error> {
        within_limits(name, text, limits)?;
        schema::checked(name, text).map_err(|error| Error::from(Cause::Description(error)))
    }

    /// A document that the plugin has returned, checked and parsed.
    fn parsed<D: Document>(&self, text: &str, limits: &Limits) -> Result<D, Error> {
        self.document(D::NAME, text, limits)?;
        D::from_json(text)
            .map_err(|error| Error::refused_by("a document of it cannot be read", error))
    }

    /// Creates a credential from the values that a user has entered into the form of a credential
    /// type, for an engine that stores credentials itself. Sends nothing;
    /// [`Plugin::test_credential`] tests it.
    ///
    /// # Errors
    ///
    /// When the form is wrong, or as [`Plugin::configure`].
    pub async fn credential(
        &self,
        name: impl Into<String>,
        credential_type: &str,
        form: CredentialForm,
    ) -> Result<Credential, Error> {
        let configuration = self.configured(credential_type, &form).await?;
        Ok(Credential {
            name: name.into(),
            node: self.description.node.name.clone(),
            credential_type: credential_type.to_owned(),
            fields: form.fields,
            secrets: form.secrets,
            configuration,
            granted_scopes: None,
            revision: 1,
        })
    }

    pub(crate) fn process_limits(&self) -> &ProcessLimits {
        &self.shared.process_limits
    }

    /// Checks a form for a new credential. Returns what follows from it.
    ///
    /// # Errors
    ///
    /// When the form is wrong, or as [`Plugin::configure`].
    pub(crate) async fn configured(
        &self,
        credential_type: &str,
        form: &CredentialForm,
    ) -> Result<Configuration, Error> {
        let described = self.credential_type(credential_type)?.clone();
        let what = format!("the fields of the credential type `{credential_type}`");
        let limits = self.process_limits();
        if let Err(message) = check_size(&form.fields, &form.secrets, limits) {
            let problems = vec![FieldProblem { pointer: String::new(), message }];
            return Err(Cause::Invalid { what, problems }.into());
        }
        let filled = form.clone();
        let check = move |_: &Stop| filled.check(&described);
        let problems = self.shared.heavy.of_another().run(check).await?;
        if !problems.is_empty() {
            return Err(Cause::Invalid { what, problems }.into());
        }
        self.configure(credential_type, &form.fields, None).await
    }

    /// Tests a credential with real requests of the node, which change nothing.
    ///
    /// # Errors
    ///
    /// When the credential cannot be used, or the node or its service rejects it;
    /// [`Error::item`] is the reason then.
    pub async fn test_credential(
        &self,
        name: &str,
        context: CallContext,
    ) -> Result<Identity, Error> {
        let slot = TESTED_SLOT.to_owned();
        let execution =
            Execution::new(crate::credential::TEST).credential(slot.clone(), name).context(context);
        let session = self.session(&execution, None, Arc::new(Silent)).await?;
        let invocation = Invocation::Test { slot };
        let limits = session.session.limits.clone();
        let (result, _) =
            call(&self.shared, &self.guest, session.context, &invocation, Returned::document)
                .await?;
        let text = result.map_err(|error| {
            let error = ItemError::of_guest(error, &limits);
            rejected(format!("The test of the credential `{name}` failed"), error)
        })?;
        self.parsed(&text, &limits)
    }

    /// Loads the choices of a form field.
    ///
    /// # Errors
    ///
    /// When there is no such form or field, a credential cannot be used, or the node or its service
    /// rejects the query; [`Error::item`] is the reason then.
    pub async fn load_options(&self, request: OptionsRequest) -> Result<Options, Error> {
        let OptionsRequest { mut query, credentials, context } = request;
        let (form, slots, parameters) = match (&query.action, &query.trigger) {
            (Some(name), None) => {
                let action = self.action(name)?;
                (FormOf::Action(name.clone()), &action.slots, &action.parameters)
            }
            (None, Some(name)) => {
                let trigger = self.trigger(name)?;
                (FormOf::Trigger(name.clone()), &trigger.slots, &trigger.parameters)
            }
            _ => {
                let message = "Cannot load choices: the query must name either an action or a \
                               trigger";
                return Err(Cause::Items(message.into()).into());
            }
        };
        let shared = &self.description.node.schemas;
        let known = schema::with_choices(shared, parameters);
        if !known.contains(&without_places(&query.parameter)) {
            return Err(unknown("parameter with choices", &query.parameter, known.into_iter()));
        }
        let execution = Execution { credentials, context, ..Execution::new(form.name()) };
        let parameter = query.parameter.clone();
        let of = form.clone();
        let form = self.form_elsewhere(form).await?;
        let filled = Value::Object(std::mem::take(&mut query.parameters));
        let actor = &execution.context.actor;
        if let Value::Object(parameters) = self.without_secrets(&form, actor, &filled) {
            query.parameters = parameters;
        }
        let limits = &execution.context.limits;
        let limits = limits.clone().unwrap_or_else(|| self.shared.limits.clone());
        let result = match execution.context.journal {
            Some(_) => {
                let query = serde_json::to_value(&query).map_err(Error::internal)?;
                self.recorded_choices(execution, of, query).await?
            }
            None => {
                let session = self.session(&execution, Some(slots), Arc::new(Silent)).await?;
                let query = serde_json::to_string(&query).map_err(Error::internal)?;
                let query = Invocation::LoadOptions { query };
                let (result, _) =
                    call(&self.shared, &self.guest, session.context, &query, Returned::document)
                        .await?;
                result.map_err(|error| ItemError::of_guest(error, &limits))
            }
        };
        let text = result.map_err(|error| {
            rejected(format!("Cannot load the choices of `{parameter}`"), error)
        })?;
        self.parsed(&text, &limits)
    }

    /// The form of an action's parameters, resolved.
    ///
    /// # Errors
    ///
    /// If the plugin has no such action.
    pub fn action_form(&self, action: &str) -> Result<Form, Error> {
        Ok(Form::of_action(self.action(action)?, &self.description.node.schemas))
    }

    /// The form of a trigger's parameters, resolved.
    ///
    /// # Errors
    ///
    /// When there is no such trigger.
    pub fn trigger_form(&self, trigger: &str) -> Result<Form, Error> {
        Ok(Form::of_trigger(self.trigger(trigger)?, &self.description.node.schemas))
    }

    /// The form of a credential type, resolved.
    ///
    /// # Errors
    ///
    /// When there is no such credential type.
    pub fn credential_form(&self, credential_type: &str) -> Result<Form, Error> {
        Ok(Form::of_credential_type(self.credential_type(credential_type)?))
    }

    /// The problems of each item against the action's schema; empty lists where there are none.
    ///
    /// # Errors
    ///
    /// If the plugin has no such action.
    pub fn validate(&self, action: &str, items: &[Value]) -> Result<Vec<Vec<FieldProblem>>, Error> {
        let action = self.action(action)?;
        let form = self.form(&FormOf::Action(action.name.clone()))?;
        Ok(items.iter().map(|item| form.problems(item)).collect())
    }

    /// Compiled form of the parameters of an action or a trigger. Compiled on first use, and again
    /// after other forms have evicted it.
    fn form(&self, of: &FormOf) -> Result<Arc<CompiledForm>, Error> {
        if let Some(known) = self.forms.get(of) {
            return Ok(known);
        }
        let form = CompiledForm::new(&self.description, of, &self.shared)?;
        Ok(self.forms.keep(of, form))
    }

    /// As [`Plugin::form`], and never works on a thread of the executor.
    async fn form_elsewhere(&self, of: FormOf) -> Result<Arc<CompiledForm>, Error> {
        if let Some(known) = self.forms.get(&of) {
            return Ok(known);
        }
        let plugin = self.clone();
        self.shared.heavy.of_another().run(move |_| plugin.form(&of)).await?
    }

    /// An item's parameters as the guest may see them, as JSON text.
    fn text_without_secrets(
        &self,
        form: &CompiledForm,
        by: &Principal,
        parameters: &Value,
    ) -> String {
        match form.secrets.is_empty() {
            true => parameters.to_string(),
            false => self.without_secrets(form, by, parameters).to_string(),
        }
    }

    /// Parameters as the guest may see them: handles in place of secrets.
    fn without_secrets(&self, form: &CompiledForm, by: &Principal, parameters: &Value) -> Value {
        let mut parameters = parameters.clone();
        self.shared.handles.hide(&self.holder(by), &form.secrets, &mut parameters);
        parameters
    }

    /// Whom the handles of a user of this plugin are for.
    fn holder(&self, by: &Principal) -> Holder {
        Holder { plugin: self.digest, principal: by.clone() }
    }

    /// Everything that is wrong with parameters that a user runs this plugin with.
    fn problems(
        &self,
        form: &CompiledForm,
        by: &Principal,
        parameters: &Value,
    ) -> Vec<FieldProblem> {
        let mut problems = form.problems(parameters);
        let holder = self.holder(by);
        let unknown = self.shared.handles.unknown(&holder, &form.secrets, parameters);
        problems.extend(unknown.into_iter().map(|secret| FieldProblem {
            pointer: format!("/{}", secret.segments.join("/")),
            message: format!(
                "is an unknown handle of the secret `{}`. A handle is valid for the plugin and \
                 user for which it was created, until the host stops. Read or enter the secret \
                 again",
                secret.name
            ),
        }));
        problems
    }

    /// A context for a store of the engine's own, with the slots of an execution filled; see
    /// [`crate::imports`].
    ///
    /// # Errors
    ///
    /// When the plugin is not approved or a credential is missing.
    #[cfg(feature = "linker")]
    pub async fn context(
        &self,
        execution: &Execution,
        observer: Arc<dyn crate::Observer>,
    ) -> Result<WorkflowNodeCtx, Error> {
        let action = self.action(&execution.action)?;
        Ok(self.session(execution, Some(&action.slots), observer).await?.context)
    }

    /// Creates an instance and drops it: the cost of every call before the guest runs. For
    /// measurements and to warm up.
    ///
    /// # Errors
    ///
    /// When the guest is stopped.
    pub async fn instantiate(&self) -> Result<(), Error> {
        let invocation = Invocation::Instantiate;
        call(&self.shared, &self.guest, self.pure(), &invocation, Returned::nothing).await?;
        Ok(())
    }

    /// A context that can send nothing.
    fn pure(&self) -> WorkflowNodeCtx {
        pure(&self.shared, self.shared.limits.document)
    }
}

/// The slot of the credential that is being tested.
const TESTED_SLOT: &str = "credential-under-test";

/// The node or its service has rejected a call that has no items.
fn rejected(what: String, error: ItemError) -> Error {
    Cause::Rejected(format!("{what}: {error}"), Box::new(error)).into()
}

/// Refuses to run a version that a workflow was not built with.
pub(crate) fn check_version(
    what: &str,
    name: &str,
    wanted: Option<u32>,
    has: u32,
) -> Result<(), Error> {
    let Some(wanted) = wanted.filter(|wanted| *wanted != has) else { return Ok(()) };
    Err(Cause::Version(format!(
        "The workflow was built with version {wanted} of the {what} `{name}`, and this plugin has \
         version {has}. Nothing was sent. Load a build of the plugin that has version {wanted} (it \
         can run beside this one), or change the workflow to version {has}"
    ))
    .into())
}

/// More problems of one form are not reported.
const MOST_PROBLEMS: usize = 100;

/// Refuses a document of a plugin that is too large or too deep, before it is parsed.
fn within_limits(what: &str, text: &str, limits: &Limits) -> Result<(), Error> {
    let broken = |problem: String| Err(Cause::Stopped(problem).into());
    // A large one is not even measured.
    let measure = Measure::of(if text.len() > limits.document { "" } else { text });
    if text.len() > limits.document || measure.weight() > limits.document {
        return broken(exceeded(&format!("its `{what}`"), "document", limits.document));
    }
    if measure.depth > limits.json_depth {
        let what = format!("the nesting of its `{what}`");
        return broken(exceeded(&what, "json_depth", limits.json_depth));
    }
    Ok(())
}

/// The names on the way to a parameter, without the places in lists: `rules/targets/id` of
/// `rules/0/targets/1/id`.
fn without_places(path: &str) -> String {
    let is_place = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    path.split('/').filter(|step| !is_place(step)).collect::<Vec<_>>().join("/")
}

fn unknown(what: &'static str, name: &str, known: impl Iterator<Item = String>) -> Error {
    Cause::Unknown { what, name: name.to_owned(), known: known.collect() }.into()
}
