//! Ends an execution from within the host: its plugin was disabled, or it has guessed too often.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::approval::until_disabled;

/// Ends an execution from within the host, with a reason that is not the engine's.
#[derive(Default)]
pub(crate) struct Ending {
    token: CancellationToken,
    reason: OnceLock<String>,
}

impl Ending {
    /// Ends it. Only the first reason counts.
    pub(crate) fn end(&self, reason: String) {
        self.reason.get_or_init(|| reason);
        self.token.cancel();
    }

    /// Why it was ended, once it was.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Waits until it was ended, and says why.
    pub(crate) async fn ended(&self) -> String {
        self.token.cancelled().await;
        self.reason.get().cloned().unwrap_or_default()
    }
}

impl Session {
    /// Waits until the execution is ended from within the host or by an operator, and says why.
    pub(crate) async fn ended(&self) -> String {
        let (digest, node) = (&self.policy.plugin, &self.policy.node);
        tokio::select! {
            reason = self.ending.ended() => reason,
            disabled = until_disabled(&*self.approvals, digest, node) => {
                let by = disabled.by.map(|by| format!(" by {by}")).unwrap_or_default();
                self.ending.end(format!("`{}` was disabled{by}", disabled.plugin));
                self.ending.ended().await
            }
        }
    }
}
