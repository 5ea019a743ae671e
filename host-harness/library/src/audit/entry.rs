//! The one place where a request becomes an audit event.

use std::time::Duration;

use url::Url;

use super::{AuditEvent, Verdict};
use crate::digest::Digest;
use crate::origin::{Origin, OriginOfUrl as _};
use crate::principal::Principal;
use crate::text::printable;

/// On whose behalf requests are made: an execution, or the host for a credential.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) plugin: Digest,
    pub(crate) node: String,
    /// The action or trigger, or `credential.refresh` and the like.
    pub(crate) action: String,
    /// The execution's ID; empty for a request of the host.
    pub(crate) execution: String,
    pub(crate) actor: Principal,
    pub(crate) workflow: Option<String>,
}

/// A request, as it was made and as it ended.
pub(crate) struct Entry<'a> {
    /// When it was judged, in milliseconds since 1970.
    pub(crate) time: u64,
    /// Name of the credential that was attached.
    pub(crate) credential: Option<String>,
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) attempts: u32,
    /// From the judgment to the end.
    pub(crate) duration: Duration,
}

impl Caller {
    /// The event of a request. Neither query nor body is in it, and no ID of the path.
    pub(crate) fn event(&self, entry: Entry<'_>) -> AuditEvent {
        let url = Url::parse(entry.url).ok();
        AuditEvent {
            time: entry.time,
            plugin: self.plugin.to_string(),
            node: self.node.clone(),
            action: self.action.clone(),
            execution: self.execution.clone(),
            actor: self.actor.clone(),
            workflow: self.workflow.clone(),
            credential: entry.credential,
            method: printable(entry.method),
            origin: url.as_ref().and_then(Origin::of).map(|o| o.to_string()).unwrap_or_default(),
            path: url.map(|url| path_without_ids(url.path())).unwrap_or_default(),
            verdict: entry.verdict,
            reason: entry.reason,
            status: entry.status,
            attempts: entry.attempts,
            duration: u64::try_from(entry.duration.as_millis()).unwrap_or(u64::MAX),
        }
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
    fn audit_paths_contain_no_ids() {
        assert_eq!(path_without_ids("/v2/enqueue"), "/v2/enqueue");
        assert_eq!(path_without_ids("/incidents/PABC12/notes"), "/incidents/{}/notes");
        assert_eq!(path_without_ids("/users/ada@example.com"), "/users/{}");
    }
}
