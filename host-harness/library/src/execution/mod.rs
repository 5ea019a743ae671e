//! Executions: the request of an engine, its progress, and its result.

mod recorded;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use workflow_node_documents::OptionsQuery;

use crate::credential::Credential;
use crate::egress::SendGate;
use crate::error::Error;
use crate::item::{ItemError, OutputRecord};
use crate::journal::{JournalStatus, Journals};
use crate::limits::Limits;
use crate::origin::OriginPattern;
use crate::principal::Principal;

/// Who makes a call, and within which bounds: shared by executions, credential tests, and the
/// loading of choices.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CallContext {
    /// The user who makes the call. Reported to the credential source and to the audit log. It
    /// decides whose credentials may be used, and nothing is shared with another principal: no
    /// secret handle, no connection, no idempotency key. Default: the local user of the default
    /// tenant.
    pub actor: Principal,
    /// The workflow that makes the call. Reported to the credential source and to the audit log.
    pub workflow: Option<String>,
    /// Narrows the approved origins. `None` does not narrow them; an empty list denies all.
    pub allow: Option<Vec<OriginPattern>>,
    /// Maximum duration of the call, for an execution of all its items. `None`: as the limits say.
    pub timeout: Option<Duration>,
    /// Limits of the call. `None`: the limits of the host.
    pub limits: Option<Limits>,
    /// Cancels the call.
    pub cancellation: CancellationToken,
    /// Records executions and the loading of choices. `None`: the journals of the host record
    /// executions, if it has any. See [`crate::journal`].
    pub journal: Option<Journals>,
    /// Holds back the requests of the call before the host ends.
    pub gate: SendGate,
    /// See [`Resume::reads_only`](crate::Resume::reads_only).
    pub(crate) reads_only: bool,
}

impl CallContext {
    /// The context of a call by this principal.
    pub fn of(actor: impl Into<Principal>) -> Self {
        Self { actor: actor.into(), ..Self::default() }
    }

    /// Sets the workflow that makes the call.
    #[must_use]
    pub fn workflow(mut self, workflow: impl Into<String>) -> Self {
        self.workflow = Some(workflow.into());
        self
    }

    /// Narrows the approved origins to these.
    #[must_use]
    pub fn allow(mut self, origins: impl IntoIterator<Item = OriginPattern>) -> Self {
        self.allow = Some(origins.into_iter().collect());
        self
    }

    /// Sets the maximum duration of the call.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the limits of the call.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Records the call in these journals.
    #[must_use]
    pub fn journal(mut self, journals: Journals) -> Self {
        self.journal = Some(journals);
        self
    }

    /// Sets the gate that holds back the requests of the call. One gate can hold back several calls.
    #[must_use]
    pub fn gate(mut self, gate: SendGate) -> Self {
        self.gate = gate;
        self
    }

    /// Sets the token that cancels the call. One token can cancel several calls.
    #[must_use]
    pub fn cancellation(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }
}

/// A clone has a separate cancellation token and gate: canceling one call does not cancel its copies. To
/// cancel several calls together, set the same token on each.
impl Clone for CallContext {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            workflow: self.workflow.clone(),
            allow: self.allow.clone(),
            timeout: self.timeout,
            limits: self.limits.clone(),
            cancellation: CancellationToken::new(),
            journal: self.journal.clone(),
            gate: SendGate::new(),
            reads_only: self.reads_only,
        }
    }
}

/// One call of one action for any number of items. A clone has a separate cancellation token, as
/// [`CallContext`] describes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Execution {
    /// Name of the action.
    pub action: String,
    /// Version of the action that the workflow was built with. The execution fails before anything is
    /// sent if the plugin has another version. `None`: the version that the plugin has.
    pub version: Option<u32>,
    /// One object of parameters per item.
    pub items: Vec<Value>,
    /// Names of credentials, by slot.
    pub credentials: BTreeMap<String, String>,
    /// Credentials that live as long as this execution, by slot; see
    /// [`Plugin::credential`](crate::Plugin::credential). Nothing of them is stored, and such an execution
    /// leaves no journal, so that it cannot be resumed. Their names only tell them apart for rate limits
    /// and connections.
    pub inline_credentials: BTreeMap<String, Credential>,
    /// Whether the other items run after one has failed.
    pub continue_on_fail: bool,
    /// Maximum number of items in progress at once. `None`: the node decides.
    pub concurrency: Option<usize>,
    /// ID of the execution. An execution that is repeated with the same ID sends the same
    /// idempotency keys. `None`: a new one.
    pub id: Option<String>,
    /// Judges every request and sends none.
    pub dry_run: bool,
    /// Who runs the execution, and within which bounds.
    pub context: CallContext,
}

impl Execution {
    /// An execution of an action, without items.
    pub fn new(action: impl Into<String>) -> Self {
        Self { action: action.into(), ..Self::default() }
    }

    /// Pins the version of the action that the workflow was built with.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds an item.
    #[must_use]
    pub fn item(mut self, parameters: Value) -> Self {
        self.items.push(parameters);
        self
    }

    /// Adds items.
    #[must_use]
    pub fn items(mut self, items: impl IntoIterator<Item = Value>) -> Self {
        self.items.extend(items);
        self
    }

    /// Fills a slot with the credential of this name.
    #[must_use]
    pub fn credential(mut self, slot: impl Into<String>, name: impl Into<String>) -> Self {
        self.credentials.insert(slot.into(), name.into());
        self
    }

    /// Fills a slot with a credential that lives as long as this execution.
    #[must_use]
    pub fn inline_credential(mut self, slot: impl Into<String>, credential: Credential) -> Self {
        self.inline_credentials.insert(slot.into(), credential);
        self
    }

    /// Sets whether the other items run after one has failed.
    #[must_use]
    pub fn continue_on_fail(mut self, on: bool) -> Self {
        self.continue_on_fail = on;
        self
    }

    /// Sets the maximum number of items in progress at once.
    #[must_use]
    pub fn concurrency(mut self, items: usize) -> Self {
        self.concurrency = Some(items);
        self
    }

    /// Sets the ID of the execution.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets whether every request is judged and none is sent.
    #[must_use]
    pub fn dry_run(mut self, on: bool) -> Self {
        self.dry_run = on;
        self
    }

    /// Sets who runs the execution, and within which bounds.
    #[must_use]
    pub fn context(mut self, context: CallContext) -> Self {
        self.context = context;
        self
    }

    /// Sets the user who runs the execution.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<Principal>) -> Self {
        self.context.actor = actor.into();
        self
    }
}

/// Result of one item.
#[derive(Clone, Debug)]
pub struct ItemOutcome {
    /// Records that the item yields, in order. With an error: the records emitted before the error,
    /// which remain valid.
    pub output: Vec<OutputRecord>,
    /// Why it failed.
    pub error: Option<ItemError>,
}

impl ItemOutcome {
    /// Whether it succeeded.
    pub fn is_ok(&self) -> bool {
        self.error.is_none()
    }
}

/// Result of an execution.
#[derive(Debug)]
pub struct Outcome {
    /// Its id.
    pub id: String,
    /// Per item, in order. Every item is here, also when the plugin was stopped.
    pub items: Vec<ItemOutcome>,
    /// Why the plugin was stopped, if it was. Records emitted before that remain valid.
    pub stopped: Option<Error>,
    /// How many requests were judged.
    pub requests: u64,
    /// From the first to the last moment.
    pub duration: Duration,
    /// Largest linear memory of the guest, in bytes.
    pub memory: usize,
    /// How much of it the guest asked for after it was instantiated, in bytes.
    pub memory_growth: usize,
    /// How complete its journal is.
    pub journal: JournalStatus,
}

/// Event that an [`ExecutionStream`](crate::ExecutionStream) yields.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExecutionEvent {
    /// An item has yielded a record. Records of an item come in order; those of different items may
    /// be mixed.
    Record {
        /// Position of the item, counted from 0.
        item: u32,
        /// The record.
        record: OutputRecord,
    },
    /// An item is finished, and all of its records have come. With an error: records that it
    /// yielded before remain valid. Items finish in any order, each as soon as it has ended if the
    /// node reports it (`context.finish-item`; the SDK does), otherwise when its portion ends.
    ItemFinished {
        /// Position of the item, counted from 0.
        item: u32,
        /// How many records it has yielded.
        records: u64,
        /// Why it failed.
        error: Option<ItemError>,
    },
    /// The execution has ended. Items that were not begun are not told one by one: they are those
    /// from [`ExecutionEnd::items`] on.
    End(ExecutionEnd),
}

/// Result of an execution whose items were reported one by one.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExecutionEnd {
    /// Its ID.
    pub id: String,
    /// How many items are finished.
    pub items: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Why it ended before its items did: the plugin was stopped, a credential was missing, or the
    /// items could not be read.
    pub stopped: Option<Error>,
    /// How many requests were judged.
    pub requests: u64,
    /// From the first to the last moment.
    pub duration: Duration,
    /// Largest linear memory of the guest, in bytes.
    pub memory: usize,
    /// How much of it the guest asked for after it was instantiated, in bytes.
    pub memory_growth: usize,
    /// How complete its journal is.
    pub journal: JournalStatus,
}

impl ExecutionEnd {
    /// Of an execution of which nothing is known but why it ended.
    pub(crate) fn broken(error: Error) -> Self {
        Self {
            id: String::new(),
            items: 0,
            failed: 0,
            stopped: Some(error),
            requests: 0,
            duration: Duration::ZERO,
            memory: 0,
            memory_growth: 0,
            journal: JournalStatus::None,
        }
    }
}

/// A query for the choices of a form field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OptionsRequest {
    /// The form, the field, and the current contents of the form.
    pub query: OptionsQuery,
    /// Names of credentials, by slot.
    pub credentials: BTreeMap<String, String>,
    /// Who asks, and within which bounds.
    pub context: CallContext,
}

impl OptionsRequest {
    /// A request without credentials.
    pub fn new(query: OptionsQuery) -> Self {
        Self { query, credentials: BTreeMap::new(), context: CallContext::default() }
    }

    /// Fills a slot with the credential of this name.
    #[must_use]
    pub fn credential(mut self, slot: impl Into<String>, name: impl Into<String>) -> Self {
        self.credentials.insert(slot.into(), name.into());
        self
    }

    /// Sets who asks, and within which bounds.
    #[must_use]
    pub fn context(mut self, context: CallContext) -> Self {
        self.context = context;
        self
    }
}

/// Names a form: of an action or of a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FormOf {
    Action(String),
    Trigger(String),
}

impl FormOf {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Action(name) | Self::Trigger(name) => name,
        }
    }

    /// Different for an action and a trigger of one name.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Action(name) => format!("action {name}"),
            Self::Trigger(name) => format!("trigger {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancelling_an_execution_does_not_cancel_its_clone_or_its_original() {
        let original = Execution::new("service.list");
        let clone = original.clone();
        clone.context.cancellation.cancel();
        assert!(!original.context.cancellation.is_cancelled());
        let clone = original.clone();
        original.context.cancellation.cancel();
        assert!(!clone.context.cancellation.is_cancelled());
    }

    #[test]
    fn executions_with_one_token_are_cancelled_together() {
        let token = CancellationToken::new();
        let context = || CallContext::default().cancellation(token.clone());
        let one = Execution::new("service.list").context(context());
        let another = Execution::new("incident.list").context(context());
        token.cancel();
        assert!(one.context.cancellation.is_cancelled());
        assert!(another.context.cancellation.is_cancelled());
    }
}
