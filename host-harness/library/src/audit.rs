//! Who did what with which credential: one event per request, sent or refused, and one per use,
//! connection and end of a credential.

use std::sync::Mutex;

use serde::Serialize;

use crate::principal::Principal;

/// One request. Neither query values nor bodies stand in it, and no id of the path.
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
    /// What the host decided.
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

/// What the host decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was sent, and answered.
    Answered,
    /// It was allowed, but no answer came.
    Failed,
    /// It was not allowed.
    Refused,
}

/// Something that happened to a credential, or that somebody wanted to do with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CredentialEvent {
    /// Milliseconds since 1970.
    pub time: u64,
    /// Its name.
    pub credential: String,
    /// What was done, or was to be done.
    pub deed: CredentialDeed,
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

/// What is done with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CredentialDeed {
    /// It fills a slot of an execution.
    Use,
    /// It is connected, or connected again.
    Connect,
    /// Its token is renewed.
    Refresh,
    /// Its mode, owner, description or actions are changed.
    Change,
    /// It is disconnected.
    Disconnect,
    /// Its token is revoked at the service.
    Revoke,
}

/// Takes audit events. Called once per request, and once per use of a credential, from the
/// executor's threads: it must not block for long.
pub trait AuditSink: Send + Sync + 'static {
    /// Takes one event.
    fn record(&self, event: &AuditEvent);

    /// Takes what happened to a credential. Default: a `tracing` event of the target
    /// `workflow_node::audit`.
    fn credential(&self, event: &CredentialEvent) {
        let CredentialEvent { time, credential, deed, node, action, plugin, .. } = event;
        let CredentialEvent { actor, workflow, refused, .. } = event;
        match refused {
            Some(reason) => tracing::warn!(
                target: "workflow_node::audit",
                time, credential, ?deed, node, action, plugin, %actor, workflow, reason,
                "credential refused"
            ),
            None => tracing::info!(
                target: "workflow_node::audit",
                time, credential, ?deed, node, action, plugin, %actor, workflow, "credential"
            ),
        }
    }
}

/// Writes events as `tracing` events of the target `workflow_node::audit`. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingAudit;

impl AuditSink for TracingAudit {
    fn record(&self, event: &AuditEvent) {
        let AuditEvent { plugin, node, action, credential, method, origin, path, .. } = event;
        let AuditEvent { time, execution, actor, workflow, status, .. } = event;
        let verdict = event.verdict;
        let reason = event.reason.as_deref().unwrap_or_default();
        match verdict {
            Verdict::Refused => tracing::warn!(
                target: "workflow_node::audit",
                time, plugin, node, action, execution, %actor, workflow, credential, method, origin,
                path, ?verdict, reason, "request refused"
            ),
            _ => tracing::info!(
                target: "workflow_node::audit",
                time, plugin, node, action, execution, %actor, workflow, credential, method, origin,
                path, ?verdict, status, reason,
                attempts = event.attempts, duration = event.duration, "request"
            ),
        }
    }
}

/// Keeps events in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryAudit(Mutex<Vec<AuditEvent>>, Mutex<Vec<CredentialEvent>>);

impl MemoryAudit {
    /// What was recorded.
    pub fn events(&self) -> Vec<AuditEvent> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// What was recorded of credentials.
    pub fn credential_events(&self) -> Vec<CredentialEvent> {
        self.1.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl AuditSink for MemoryAudit {
    fn record(&self, event: &AuditEvent) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(event.clone());
    }

    fn credential(&self, event: &CredentialEvent) {
        self.1.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(event.clone());
    }
}

/// A path without what may be an id: words of lower-case letters and `_` and versions like `v2`
/// stay, every other segment becomes `{}`.
pub(crate) fn path_without_ids(path: &str) -> String {
    let is_word = |segment: &str| {
        segment.is_empty()
            || segment.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            || segment.strip_prefix('v').is_some_and(|rest| {
                rest.len() < 3 && rest.bytes().all(|byte| byte.is_ascii_digit())
            })
    };
    path.split('/')
        .map(|segment| if is_word(segment) { segment } else { "{}" })
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::path_without_ids;

    #[test]
    fn ids_do_not_stand_in_an_audit_path() {
        assert_eq!(path_without_ids("/v2/enqueue"), "/v2/enqueue");
        assert_eq!(path_without_ids("/incidents/PABC12/notes"), "/incidents/{}/notes");
        assert_eq!(path_without_ids("/users/ada@example.com"), "/users/{}");
    }
}
