//! The slots of a running execution and the credentials in them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::RwLock;

use super::echo::EchoFilter;
use super::pacing::PaceKey;
use super::placement::encoded_secrets;
use crate::credential::{Credential, CredentialRequest};
use crate::description::{CredentialType, Placement, RateLimit};
use crate::origin::OriginPattern;
use crate::secret::Secret;

/// A slot's credential, ready to be placed.
pub(crate) struct SlotCredential {
    pub(crate) name: String,
    pub(crate) fields: Map<String, Value>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) audiences: Vec<OriginPattern>,
    pub(crate) placements: Vec<Placement>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(super) revision: u64,
    pub(super) echo: Arc<EchoFilter>,
}

impl SlotCredential {
    pub(crate) fn new(
        credential: Credential,
        credential_type: &CredentialType,
        echo: Arc<EchoFilter>,
    ) -> Self {
        Self {
            echo,
            name: credential.name,
            fields: credential.fields,
            audiences: credential.configuration.audiences,
            placements: credential_type.placements.clone(),
            rate_limit: credential_type.rate_limit.clone(),
            revision: credential.revision,
            secrets: credential.secrets,
        }
    }
}

/// Everything of a credential that no answer may show: its secrets, and these as placements encode them.
pub(crate) fn hidden(credential: &Credential, credential_type: &CredentialType) -> Vec<Secret> {
    let mut hidden: Vec<Secret> = credential.secrets.values().cloned().collect();
    hidden.extend(encoded_secrets(
        &credential_type.placements,
        &credential.fields,
        &credential.secrets,
    ));
    hidden
}

/// A slot of a running execution. Its credential is replaced when it is refreshed.
pub(crate) struct SlotState {
    pub(super) request: CredentialRequest,
    /// Whether the credential came with the execution: then no source has it.
    pub(super) is_inline: bool,
    pub(super) pace: PaceKey,
    pub(super) current: RwLock<Arc<SlotCredential>>,
    /// Credentials that this execution used before a refresh. Their secrets are also removed from
    /// responses.
    pub(super) former: Mutex<Vec<Arc<SlotCredential>>>,
}

impl SlotState {
    pub(crate) fn new(
        request: CredentialRequest,
        pace: PaceKey,
        credential: SlotCredential,
        is_inline: bool,
    ) -> Self {
        let current = RwLock::new(Arc::new(credential));
        Self { request, is_inline, pace, current, former: Mutex::default() }
    }

    /// Takes over the credentials that an earlier part of the execution has used: their secrets are
    /// still taken out of answers.
    pub(crate) async fn succeed(&mut self, earlier: &Self) {
        let former = self.former.get_mut().unwrap_or_else(PoisonError::into_inner);
        former.clone_from(&earlier.former.lock().unwrap_or_else(PoisonError::into_inner));
        let last = earlier.current.read().await.clone();
        if last.revision != self.current.get_mut().revision {
            former.push(last);
        }
    }
}
