//! State shared by all requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::DropGuard;
use workflow_node_host::{CancellationToken, Host, Plugin};

use crate::audit::Audit;
use crate::connection::PendingConnections;
use crate::error::ApiError;
use crate::execution::Executions;
use crate::limits::ServerLimits;
use crate::metrics::Metrics;
use crate::origins::Origins;
use crate::secrets::Secrets;
use crate::session::Sessions;
use crate::subscription::Subscriptions;
use crate::token::{Caller, Policies, Tokens};

/// State shared by all requests.
pub(crate) struct State {
    pub(crate) host: Host,
    /// By the name of the node.
    pub(crate) plugins: BTreeMap<String, Plugin>,
    pub(crate) tokens: Tokens,
    pub(crate) policies: Policies,
    pub(crate) sessions: Sessions,
    pub(crate) executions: Arc<Executions>,
    /// `None` without a credential store.
    pub(crate) connections: Option<PendingConnections>,
    /// `None` without a subscription store.
    pub(crate) subscriptions: Option<Arc<Subscriptions>>,
    /// `None` without a key for them.
    pub(crate) secrets: Option<Secrets>,
    pub(crate) limits: ServerLimits,
    pub(crate) metrics: Metrics,
    pub(crate) audit: Audit,
    pub(crate) origins: Origins,
    /// The OpenAPI document.
    pub(crate) document: Bytes,
}

pub(crate) type Shared = Arc<State>;

impl State {
    /// A plugin that the token may use.
    pub(crate) fn plugin(&self, caller: &Caller, name: &str) -> Result<&Plugin, ApiError> {
        let plugin = self.plugins.get(name).filter(|_| caller.policy.allows_plugin(name));
        plugin.ok_or_else(|| ApiError::not_found("plugin", name))
    }
}

/// A token that is canceled when the guard is dropped: with the request, if its client has
/// disconnected.
pub(crate) fn until_gone() -> (CancellationToken, DropGuard) {
    let token = CancellationToken::new();
    (token.clone(), token.drop_guard())
}
