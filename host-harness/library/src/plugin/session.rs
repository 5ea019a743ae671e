//! State of one execution: its filled slots, its limits, and its network access.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{Plugin, unknown};
use crate::approval::Approval;
use crate::audit::{Caller, CredentialEvent, CredentialOperation};
use crate::bindings::workflow::node::context::CredentialView;
use crate::budget::ByteBudget;
use crate::causes::chain;
use crate::credential::rights;
use crate::credential::{Credential, CredentialError, CredentialRequest, check_size};
use crate::deadline::Deadline;
use crate::description::{CredentialType, SlotUse};
use crate::digest::Digest;
use crate::egress::{Ending, PaceKey, Session, SlotCredential, SlotState};
use crate::error::{Cause, Error};
use crate::execution::Execution;
use crate::imports::{Place, WorkflowNodeCtx};
use crate::journal::Recorder;
use crate::journal::record::Portion;
use crate::journal::script::Script;
use crate::observer::Observer;
use crate::principal::Principal;

type Slots = BTreeMap<String, SlotUse>;

/// Source of the credential that fills a slot of an execution.
#[derive(Clone, Copy)]
enum Given<'a> {
    /// The credential of this name, from the host's source.
    Stored(&'a str),
    Inline(&'a Credential),
}

/// Sources of the credentials that fill the slots of an execution.
fn given(execution: &Execution) -> impl Iterator<Item = (&str, Given<'_>)> {
    let stored = execution.credentials.iter();
    let stored = stored.map(|(slot, name)| (slot.as_str(), Given::Stored(name)));
    let inline = execution.inline_credentials.iter();
    stored.chain(inline.map(|(slot, credential)| (slot.as_str(), Given::Inline(credential))))
}

impl Plugin {
    /// `uses`: the slots that what is run may use; `None`: whichever the execution fills.
    pub(super) async fn session(
        &self,
        execution: &Execution,
        uses: Option<&Slots>,
        observer: Arc<dyn Observer>,
    ) -> Result<Prepared, Error> {
        let clock = self.shared.clock.clone();
        let limits = execution.context.limits.as_ref().unwrap_or(&self.shared.limits);
        let part = Part {
            id: execution_id(execution),
            positions: positions(0..execution.items.len())?,
            place: None,
            deadline: Deadline::after(
                clock,
                execution.context.timeout.unwrap_or(limits.total_time),
            ),
            former: None,
            journal: None,
            recorded: None,
        };
        self.session_for(execution, uses, observer, part).await
    }

    pub(super) async fn session_for(
        &self,
        execution: &Execution,
        uses: Option<&Slots>,
        observer: Arc<dyn Observer>,
        part: Part<'_>,
    ) -> Result<Prepared, Error> {
        let approval = self.check_run(&execution.action).await?;
        let shared = &self.shared;
        let limits = execution.context.limits.clone().unwrap_or_else(|| shared.limits.clone());
        let Part { id, positions, place, deadline, former, journal, recorded } = part;
        if let Some(uses) = uses {
            self.check_slots(uses, execution)?;
        }
        let mut slots = BTreeMap::new();
        let mut views = BTreeMap::new();
        for (slot, given) in given(execution) {
            let (mut state, view) =
                self.fill_slot(slot, given, execution, &approval, uses.is_some()).await?;
            if let Some(former) = former.and_then(|session| session.slots.get(slot)) {
                state.succeed(former).await;
            }
            slots.insert(slot.to_owned(), state);
            views.insert(slot.to_owned(), view);
        }
        let session = Arc::new(Session {
            policy: match self.description.node.servers.is_empty() {
                true => self.policy.clone(),
                false => Arc::new(self.policy.at(&approval.servers)),
            },
            approval,
            approvals: shared.approvals.clone(),
            operator: execution.context.allow.clone(),
            slots,
            transport: shared.transport.clone(),
            credentials: shared.credentials.clone(),
            clock: shared.clock.clone(),
            audit: shared.audit.clone(),
            abandoned: TaskTracker::new(),
            journal: journal.clone(),
            observer: observer.clone(),
            handles: shared.handles.clone(),
            pacing: shared.pacing.clone(),
            echoes: shared.echoes.clone(),
            in_flight: Semaphore::new(limits.concurrent_requests),
            requests: AtomicU32::new(0),
            echoed: AtomicU32::new(0),
            ending: Ending::default(),
            caller: Caller {
                plugin: self.digest,
                node: self.description.node.name.clone(),
                action: execution.action.clone(),
                execution: id.clone(),
                actor: execution.context.actor.clone(),
                workflow: execution.context.workflow.clone(),
            },
            over_budget: AtomicU32::new(0),
            held: ByteBudget::of_call(limits.held_bytes, shared.held.clone()),
            heavy: match former {
                Some(former) => former.heavy.clone(),
                None => shared.heavy.of_another(),
            },
            process_limits: shared.process_limits.clone(),
            cancellation: execution.context.cancellation.clone(),
            deadline: deadline.clone(),
            limits: limits.clone(),
            dry_run: execution.dry_run,
            gate: execution.context.gate.clone(),
            reads_only: execution.context.reads_only,
        });
        let first = positions.first().copied().unwrap_or_default();
        let (mut seed, mut script) = (seed(&id, first), None);
        if let Some(Recorded { portion, script: recorded }) = recorded {
            // The guest receives the same view of the credentials again.
            views = portion.credentials.into_iter().collect();
            (seed, script) = (portion.seed, Some((recorded, portion.seen)));
        }
        let context = WorkflowNodeCtx::new(crate::imports::Parts {
            session: Some(session.clone()),
            principal: Some(execution.context.actor.clone()),
            clock: shared.clock.clone(),
            observer,
            journal,
            script,
            cancellation: execution.context.cancellation.clone(),
            deadline,
            limits,
            credentials: views,
            execution: self.repetition(execution, &id),
            seed,
            positions,
            place,
            is_timeless: false,
            computing: shared.computing(),
            ports: self.ports(&execution.action),
        });
        Ok(Prepared { session, context })
    }

    /// A context that answers from a journal alone.
    pub(super) fn offline(
        &self,
        execution: &Execution,
        observer: Arc<dyn Observer>,
        part: Part<'_>,
        recorded: Recorded,
    ) -> WorkflowNodeCtx {
        let shared = &self.shared;
        let Recorded { portion, script } = recorded;
        WorkflowNodeCtx::new(crate::imports::Parts {
            session: None,
            principal: Some(execution.context.actor.clone()),
            clock: shared.clock.clone(),
            observer,
            journal: None,
            script: Some((script, portion.seen)),
            cancellation: execution.context.cancellation.clone(),
            deadline: part.deadline,
            limits: execution.context.limits.clone().unwrap_or_else(|| shared.limits.clone()),
            credentials: portion.credentials.into_iter().collect(),
            execution: self.repetition(execution, &part.id),
            seed: portion.seed,
            positions: part.positions,
            place: part.place,
            is_timeless: false,
            computing: shared.computing(),
            ports: self.ports(&execution.action),
        })
    }

    /// The ports of an action.
    fn ports(&self, action: &str) -> BTreeSet<String> {
        let action = self.description.node.action(action);
        action.map(|action| action.output.keys().cloned().collect()).unwrap_or_default()
    }

    /// Value that idempotency keys are derived from, in addition to the item. An execution that the
    /// same principal repeats with the same credentials has the same keys, and nobody else can
    /// derive them.
    fn repetition(&self, execution: &Execution, id: &str) -> String {
        let Principal { tenant, user } = &execution.context.actor;
        let node = &self.description.node.name;
        let mut parts = vec![tenant.as_str(), user.as_str(), node, &execution.action];
        parts.extend(given(execution).flat_map(|(slot, given)| match given {
            Given::Stored(name) => [slot, name],
            // Another time it has another name.
            Given::Inline(_) => [slot, ""],
        }));
        parts.push(id);
        // Each with its length, so that no two lists look alike.
        parts.iter().map(|part| format!("{}:{part},", part.len())).collect()
    }

    /// The slots that the execution fills are used, and the required ones are filled.
    fn check_slots(&self, uses: &Slots, execution: &Execution) -> Result<(), Error> {
        if let Some((slot, _)) = given(execution).find(|(slot, _)| !uses.contains_key(*slot)) {
            return Err(unknown("slot", slot, uses.keys().cloned()));
        }
        let inline = &execution.inline_credentials;
        if let Some(slot) = inline.keys().find(|slot| execution.credentials.contains_key(*slot)) {
            return Err(Cause::CredentialUnusable(format!(
                "the slot `{slot}` has both a stored and an inline credential. Choose one"
            ))
            .into());
        }
        for (slot, slot_use) in uses {
            if slot_use.required && !given(execution).any(|(filled, _)| filled == slot) {
                let types = self.description.node.slots.get(slot);
                let types = types.map(|slot| slot.credential_types.join(", ")).unwrap_or_default();
                return Err(Cause::CredentialUnusable(format!(
                    "`{}` requires a credential in the slot `{slot}` (of type {types})",
                    execution.action
                ))
                .into());
            }
        }
        Ok(())
    }

    /// Every use of a credential leaves an entry, whichever source it is from.
    async fn audit_use(&self, request: &CredentialRequest, refused: Option<&CredentialError>) {
        let event = CredentialEvent {
            time: self.shared.clock.unix_milliseconds(),
            credential: request.name.clone(),
            operation: CredentialOperation::Use,
            node: request.node.clone(),
            action: Some(request.action.clone()),
            plugin: Some(self.digest.to_string()),
            actor: request.actor.clone(),
            workflow: request.workflow.clone(),
            refused: refused.map(|error| chain(error)),
        };
        self.shared.audit.credential(event).await;
    }

    async fn fill_slot(
        &self,
        slot: &str,
        given: Given<'_>,
        execution: &Execution,
        approval: &Approval,
        must_fit: bool,
    ) -> Result<(SlotState, CredentialView), Error> {
        let shared = &self.shared;
        let name = match given {
            Given::Stored(name) => name,
            Given::Inline(credential) => &credential.name,
        };
        let unusable = |problem: String| {
            Error::from(Cause::CredentialUnusable(format!(
                "cannot use the credential `{name}`: {problem}"
            )))
        };
        let request = CredentialRequest {
            name: name.to_owned(),
            slot: slot.to_owned(),
            node: self.description.node.name.clone(),
            plugin: Some(self.digest),
            action: execution.action.clone(),
            actor: execution.context.actor.clone(),
            workflow: execution.context.workflow.clone(),
            description: Some(self.description.clone()),
            allow: execution.context.allow.clone(),
            offline: execution.dry_run,
        };
        let credential = match given {
            Given::Stored(_) => shared.credentials.credential(&request).await,
            Given::Inline(credential) => Ok(credential.clone()),
        };
        self.audit_use(&request, credential.as_ref().err()).await;
        let credential = credential.map_err(Cause::from)?;
        if credential.node != self.description.node.name {
            return Err(unusable(format!("it was connected for the node `{}`", credential.node)));
        }
        let Some(credential_type) =
            self.description.credential_types.get(&credential.credential_type)
        else {
            let kind = &credential.credential_type;
            return Err(unusable(format!("the plugin does not have the credential type `{kind}`")));
        };
        if must_fit {
            let fits = self.description.node.slots.get(slot);
            if !fits.is_some_and(|fits| fits.credential_types.contains(&credential_type.name)) {
                return Err(unusable(format!(
                    "its type `{}` does not match the slot `{slot}` of `{}` ({})",
                    credential_type.name,
                    execution.action,
                    fits.map(|fits| fits.credential_types.join(", ")).unwrap_or_default()
                )));
            }
        }
        // A stored configuration is checked again: the description may have become narrower since,
        // and an operator may have chosen other servers.
        let credential_type =
            &at_servers(credential_type, &credential.fields, approval).map_err(unusable)?;
        crate::description::check_configuration(credential_type, &credential.configuration)
            .map_err(|problem| {
                unusable(format!("it exceeds the plugin's description ({problem}). Reconnect it"))
            })?;
        if credential.granted_scopes.is_some() {
            let needed =
                rights::needed(&self.description, &credential_type.name, &execution.action);
            approval
                .withheld
                .check_scopes(&credential_type.name, needed, |scope, withheld| scope == withheld)
                .map_err(|problem| Error::from(Cause::Withheld(problem)))?;
        }
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
        check_size(&credential.fields, &credential.secrets, &shared.process_limits)
            .map_err(unusable)?;
        let mut fields = credential.fields.clone();
        fields.retain(|field, _| !known_secrets.contains(field));
        let view = CredentialView {
            credential_type: credential.credential_type.clone(),
            fields: Value::Object(fields).to_string(),
            configuration: serde_json::to_string(&credential.configuration)
                .map_err(Error::internal)?,
            granted_scopes: credential.granted_scopes.clone(),
        };
        let is_inline = matches!(given, Given::Inline(_));
        let is_shared = !is_inline && shared.credentials.is_shared(&request);
        let pace = PaceKey {
            tenant: request.actor.tenant.clone(),
            plugin: self.digest,
            credential: name.to_owned(),
            user: (!is_shared).then(|| request.actor.user.clone()),
        };
        let (echoes, secrets) =
            (shared.echoes.clone(), crate::egress::hidden(&credential, credential_type));
        let size: usize = secrets.iter().map(crate::Secret::len).sum();
        let echo = match size <= BRIEF_SECRETS {
            true => echoes.of(secrets.iter()),
            false => shared.heavy.of_another().run(move |_| echoes.of(secrets.iter())).await?,
        };
        let credential = SlotCredential::new(credential, credential_type, echo);
        Ok((SlotState::new(request, pace, credential, is_inline), view))
    }
}

/// The credential type for a credential with these fields, whose servers must be those that the
/// operator has chosen.
pub(super) fn at_servers(
    described: &CredentialType,
    fields: &Map<String, Value>,
    approval: &Approval,
) -> Result<CredentialType, String> {
    for server in described.servers() {
        let origin = described.chosen_server(server, fields)?;
        if !approval.servers.has(server, &origin) {
            return Err(format!(
                "the operator has not chosen {origin} as the server `{server}` of this plugin. To \
                 choose it: harness approve PLUGIN --server {server}={origin}"
            ));
        }
    }
    described.at(fields)
}

/// Bytes of secrets whose filter is built on the executor's own thread.
const BRIEF_SECRETS: usize = 256;

/// Part of an execution that a session is for.
pub(super) struct Part<'a> {
    /// The execution's ID.
    pub(super) id: String,
    /// The execution's item behind each item of the guest.
    pub(super) positions: Vec<u32>,
    pub(super) place: Option<Place>,
    pub(super) deadline: Arc<Deadline>,
    /// The session of the part before.
    pub(super) former: Option<&'a Session>,
    /// Where it is recorded.
    pub(super) journal: Option<Arc<Recorder>>,
    /// Recording of this part, if it is replayed.
    pub(super) recorded: Option<Recorded>,
}

/// A call that was recorded.
pub(super) struct Recorded {
    pub(super) portion: Portion,
    pub(super) script: Script,
}

/// The ID that the engine gives, or a new one.
pub(super) fn execution_id(execution: &Execution) -> String {
    execution.id.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()))
}

/// Positions of items, as the contract counts them.
pub(super) fn positions(of: impl Iterator<Item = usize>) -> Result<Vec<u32>, Error> {
    of.map(|position| u32::try_from(position).map_err(Error::internal)).collect()
}

/// Seed of `random`: the same whenever the same items run under the same ID, and a different one
/// for each part.
pub(super) fn seed(execution: &str, first_item: u32) -> u64 {
    let digest = match first_item {
        0 => Digest::of(execution.as_bytes()),
        first => Digest::of(format!("{execution}\n{first}").as_bytes()),
    };
    u64::from_str_radix(&digest.hex()[..16], 16).unwrap_or_default()
}

/// A session with the context that a guest is given.
pub(super) struct Prepared {
    pub(super) session: Arc<Session>,
    pub(super) context: WorkflowNodeCtx,
}
