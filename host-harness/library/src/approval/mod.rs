//! Permissions that a plugin requests, and permissions that an operator has granted. Declaring
//! permissions grants nothing: nothing runs before an approval for exactly this component.
//!
//! | | where |
//! | --- | --- |
//! | what a plugin asks for | `request` |
//! | what a rebuild asks for beyond that | `growth` |
//! | what an operator withholds of it | `withheld` |
//! | which origins an operator chooses for its servers | `servers` |
//! | where approvals are kept | `file`, [`MemoryApprovals`] |

mod bounded;
mod file;
mod growth;
mod request;
mod servers;
mod withheld;

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub(crate) use bounded::BoundedApprovals;
pub use file::FileApprovals;
pub use request::{CredentialGrant, GrantRequest};
pub use servers::{ServerOrigin, Servers};
pub use withheld::Withheld;
pub(crate) use withheld::refused as withheld;

use crate::digest::{Digest, DigestError};

/// An operator's word about one component.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Approval {
    /// The component.
    pub digest: Digest,
    /// Permissions that the component requested when it was reviewed. They were granted, except
    /// those in `withheld`.
    pub grant: GrantRequest,
    /// Requested permissions that were not granted.
    #[serde(default, skip_serializing_if = "Withheld::is_empty")]
    pub withheld: Withheld,
    /// The origins of its servers.
    #[serde(default, skip_serializing_if = "Servers::is_empty")]
    pub servers: Servers,
    /// Milliseconds since 1970.
    pub approved_at: u64,
    /// Who approved it, if the engine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// Names plugins: all components of a node, or one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginName {
    /// Every component of this node, also those that are approved later.
    Node(String),
    /// This component.
    Digest(Digest),
}

impl PluginName {
    /// Whether a component is meant.
    pub fn names(&self, digest: &Digest, node: &str) -> bool {
        match self {
            Self::Node(name) => name == node,
            Self::Digest(one) => one == digest,
        }
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => formatter.write_str(name),
            Self::Digest(digest) => digest.fmt(formatter),
        }
    }
}

impl FromStr for PluginName {
    type Err = DigestError;

    /// `sha256:…` is a digest, everything else the name of a node.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        match text.starts_with("sha256:") {
            true => text.parse().map(Self::Digest),
            false => Ok(Self::Node(text.to_owned())),
        }
    }
}

impl Serialize for PluginName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PluginName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An operator's word that plugins do not run for now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Disabled {
    /// Which ones.
    pub plugin: PluginName,
    /// Milliseconds since 1970.
    pub since: u64,
    /// Who has disabled them, if the engine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Why approvals cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the approvals {place}")]
pub struct ApprovalsError {
    place: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl ApprovalsError {
    /// `place` says which approvals, for example "in approvals.json"; `source` is why they cannot be
    /// used: an error or a text.
    pub fn new(
        place: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { place: place.into(), source: source.into() }
    }
}

/// Where approvals are kept: in a file, or in a store on the network. A host fails a call whose
/// approval is not known within [`ProcessLimits::approvals_wait`](crate::ProcessLimits::approvals_wait).
#[async_trait]
pub trait Approvals: Send + Sync + 'static {
    /// The approval of a component. Asked before each call. As long as the approval is the same,
    /// return the same `Arc`: the host compares a grant with what the plugin requests only when it
    /// sees another.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    async fn approval(&self, digest: &Digest) -> Result<Option<Arc<Approval>>, ApprovalsError>;

    /// The latest approval of any component of this node, to show what has changed since.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    async fn latest(&self, node: &str) -> Result<Option<Arc<Approval>>, ApprovalsError>;

    /// Keeps an approval.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    async fn record(&self, approval: Approval) -> Result<(), ApprovalsError>;

    /// Whether a component of this node is disabled. Asked before each call, and every
    /// half second while one runs.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    async fn disabled(
        &self,
        digest: &Digest,
        node: &str,
    ) -> Result<Option<Disabled>, ApprovalsError> {
        let _ = (digest, node);
        Ok(None)
    }

    /// Disables plugins: their executions end soon, and no new ones start. Approvals are unchanged.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    async fn disable(&self, disabled: Disabled) -> Result<(), ApprovalsError> {
        Err(ApprovalsError::new("of this host", format!("cannot disable `{}`", disabled.plugin)))
    }

    /// Lets plugins run again that were disabled by this name. `false`: they were not.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    async fn enable(&self, plugin: &PluginName) -> Result<bool, ApprovalsError> {
        let _ = plugin;
        Ok(false)
    }
}

/// Waits until a component is disabled. Approvals that cannot be read end nothing that runs: what runs
/// was approved.
pub(crate) async fn until_disabled(
    approvals: &dyn Approvals,
    digest: &Digest,
    node: &str,
) -> Disabled {
    const EVERY: Duration = Duration::from_millis(500);
    loop {
        tokio::time::sleep(EVERY).await;
        if let Ok(Some(disabled)) = approvals.disabled(digest, node).await {
            return disabled;
        }
    }
}

/// Approvals in memory, for tests and examples.
#[derive(Debug, Default)]
pub struct MemoryApprovals(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    approvals: Vec<Arc<Approval>>,
    disabled: Vec<Disabled>,
}

impl MemoryApprovals {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Approvals for MemoryApprovals {
    async fn approval(&self, digest: &Digest) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        let held = self.held();
        Ok(held.approvals.iter().rev().find(|approval| approval.digest == *digest).cloned())
    }

    async fn latest(&self, node: &str) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        let held = self.held();
        Ok(held.approvals.iter().rev().find(|approval| approval.grant.node == node).cloned())
    }

    async fn record(&self, approval: Approval) -> Result<(), ApprovalsError> {
        self.held().approvals.push(Arc::new(approval));
        Ok(())
    }

    async fn disabled(
        &self,
        digest: &Digest,
        node: &str,
    ) -> Result<Option<Disabled>, ApprovalsError> {
        let held = self.held();
        Ok(held.disabled.iter().find(|one| one.plugin.names(digest, node)).cloned())
    }

    async fn disable(&self, disabled: Disabled) -> Result<(), ApprovalsError> {
        let mut held = self.held();
        held.disabled.retain(|one| one.plugin != disabled.plugin);
        held.disabled.push(disabled);
        Ok(())
    }

    async fn enable(&self, plugin: &PluginName) -> Result<bool, ApprovalsError> {
        let mut held = self.held();
        let before = held.disabled.len();
        held.disabled.retain(|one| one.plugin != *plugin);
        Ok(held.disabled.len() < before)
    }
}
