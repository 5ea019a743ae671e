//! Audit log: which user did what with which credential. One event per request, sent or refused,
//! and one per use, connection, and end of a credential.

mod entry;
mod log;

use std::sync::Mutex;

use async_trait::async_trait;
use serde::Serialize;

pub(crate) use entry::{Caller, Entry, path_without_ids};
pub(crate) use log::AuditLog;

use crate::names::names;
use crate::principal::Principal;

/// A request, without query values, bodies, and the IDs in its path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEvent {
    /// Milliseconds since 1970, when the request was judged.
    pub time: u64,
    /// Digest of the component.
    pub plugin: String,
    /// Name of the node.
    pub node: String,
    /// The action, or `credential.test` and the like.
    pub action: String,
    /// The execution's id.
    pub execution: String,
    /// Who runs it.
    pub actor: Principal,
    /// The workflow, if the engine says.
    pub workflow: Option<String>,
    /// Name of the credential that was attached.
    pub credential: Option<String>,
    /// The request's method.
    pub method: String,
    /// Where it went or was to go; empty when it could not be read.
    pub origin: String,
    /// The path with `{}` for every segment that may be an id.
    pub path: String,
    /// Decision of the host.
    pub verdict: Verdict,
    /// Why, where it was refused or failed.
    pub reason: Option<String>,
    /// The answer's status.
    pub status: Option<u16>,
    /// How often it was sent.
    pub attempts: u32,
    /// From the judgement to the end, in milliseconds.
    pub duration: u64,
}

names! {
    /// Decision of the host about a request.
    pub enum Verdict {
        /// It was sent, and answered.
        Answered = "answered",
        /// It was allowed, but no answer came.
        Failed = "failed",
        /// It was not allowed.
        Refused = "refused",
    }
}

/// Something that happened to a credential, or that somebody wanted to do with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CredentialEvent {
    /// Milliseconds since 1970.
    pub time: u64,
    /// Its name.
    pub credential: String,
    /// Operation that was carried out or attempted.
    pub operation: CredentialOperation,
    /// Name of the node.
    pub node: String,
    /// The action that it was wanted for, where there is one.
    pub action: Option<String>,
    /// Digest of the component, where there is one.
    pub plugin: Option<String>,
    /// Who.
    pub actor: Principal,
    /// The workflow, if the engine says.
    pub workflow: Option<String>,
    /// Why it was refused or has failed; `None` where it was done.
    pub refused: Option<String>,
}

names! {
    /// Operation on a credential.
    pub enum CredentialOperation {
        /// It fills a slot of an execution.
        Use = "use",
        /// It is connected, or connected again.
        Connect = "connect",
        /// Its token is renewed.
        Refresh = "refresh",
        /// Its mode, owner, description or actions are changed.
        Change = "change",
        /// It is disconnected.
        Disconnect = "disconnect",
        /// Its token is revoked at the service.
        Revoke = "revoke",
    }
}

/// Takes audit events: one per request, and one per use of a credential. Events of concurrent requests
/// arrive concurrently.
///
/// The host waits until an event is taken before it returns the answer to the guest, so that nothing
/// is returned that is not recorded. A sink that stalls does not stop executions: they wait at most
/// [`ProcessLimits::audit_wait`](crate::ProcessLimits::audit_wait) for it, and then nobody waits until
/// it answers again. Meanwhile at most
/// [`ProcessLimits::audit_events`](crate::ProcessLimits::audit_events) events are held for it; those
/// beyond are written to the log as [`TracingAudit`] does.
#[async_trait]
pub trait AuditSink: Send + Sync + 'static {
    /// Takes one event.
    async fn record(&self, event: &AuditEvent);

    /// Receives an event of a credential. Default: a `tracing` event of the target
    /// `workflow_node::audit`.
    async fn credential(&self, event: &CredentialEvent) {
        let CredentialEvent { time, credential, operation, node, action, plugin, .. } = event;
        let CredentialEvent { actor, workflow, refused, .. } = event;
        match refused {
            Some(reason) => tracing::warn!(
                target: "workflow_node::audit",
                time, credential, %operation, node, action, plugin, %actor, workflow, reason,
                "credential refused"
            ),
            None => tracing::info!(
                target: "workflow_node::audit",
                time, credential, %operation, node, action, plugin, %actor, workflow, "credential"
            ),
        }
    }
}

/// Writes events as `tracing` events of the target `workflow_node::audit`. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingAudit;

#[async_trait]
impl AuditSink for TracingAudit {
    async fn record(&self, event: &AuditEvent) {
        let AuditEvent { plugin, node, action, credential, method, origin, path, .. } = event;
        let AuditEvent { time, execution, actor, workflow, status, .. } = event;
        let verdict = event.verdict;
        let reason = event.reason.as_deref().unwrap_or_default();
        match verdict {
            Verdict::Refused => tracing::warn!(
                target: "workflow_node::audit",
                time, plugin, node, action, execution, %actor, workflow, credential, method, origin,
                path, %verdict, reason, "request refused"
            ),
            _ => tracing::info!(
                target: "workflow_node::audit",
                time, plugin, node, action, execution, %actor, workflow, credential, method, origin,
                path, %verdict, status, reason,
                attempts = event.attempts, duration = event.duration, "request"
            ),
        }
    }
}

/// Keeps events in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryAudit(Mutex<Vec<AuditEvent>>, Mutex<Vec<CredentialEvent>>);

impl MemoryAudit {
    /// Recorded events.
    pub fn events(&self) -> Vec<AuditEvent> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Recorded events of credentials.
    pub fn credential_events(&self) -> Vec<CredentialEvent> {
        self.1.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

#[async_trait]
impl AuditSink for MemoryAudit {
    async fn record(&self, event: &AuditEvent) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(event.clone());
    }

    async fn credential(&self, event: &CredentialEvent) {
        self.1.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(event.clone());
    }
}
