//! The status of a credential and its non-secret parts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::reference::SecretReference;
use super::stored::{Connection, Dependant, Health, LastUse, Mode};
use crate::description::Configuration;
use crate::principal::{Tenant, User};

/// Whether a credential can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CredentialStatus {
    /// It can.
    Connected,
    /// It can, but not for long, and nothing renews it.
    Expiring {
        /// Milliseconds since 1970.
        at: u64,
    },
    /// It must be connected again.
    NeedsReconnect {
        /// Why.
        reason: String,
    },
    /// The answer to a refresh was lost; it works until its access token ends.
    RefreshOutcomeUnknown {
        /// When the refresh was sent. Milliseconds since 1970.
        since: u64,
        /// Consequence and next step.
        reason: String,
    },
    /// It was disconnected, or nobody has connected it yet.
    Disconnected,
}

impl CredentialStatus {
    /// Whether an execution may use it.
    pub fn is_usable(&self) -> bool {
        matches!(self, Self::Connected | Self::Expiring { .. } | Self::RefreshOutcomeUnknown { .. })
    }

    /// The name, as in its JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Expiring { .. } => "expiring",
            Self::NeedsReconnect { .. } => "needs-reconnect",
            Self::RefreshOutcomeUnknown { .. } => "refresh-outcome-unknown",
            Self::Disconnected => "disconnected",
        }
    }
}

/// A credential that cannot be refreshed is reported as expiring within this time before its end.
const NOTICE: u64 = 7 * 24 * 3_600_000;

impl Connection {
    /// Status to report at this time. `renews`: whether the host can get a new access token without
    /// a person.
    pub fn status(&self, now: u64, renews: bool) -> CredentialStatus {
        match &self.health {
            Health::Disconnected => CredentialStatus::Disconnected,
            Health::NeedsReconnect { reason } => {
                CredentialStatus::NeedsReconnect { reason: reason.clone() }
            }
            Health::Refused { .. } => CredentialStatus::NeedsReconnect { reason: refused() },
            Health::RefreshOutcomeUnknown { sent_at } => {
                let ended = self.parts.expires_at.is_none_or(|at| at <= now);
                let reason = outcome_unknown(ended);
                if ended {
                    return CredentialStatus::NeedsReconnect { reason };
                }
                CredentialStatus::RefreshOutcomeUnknown { since: *sent_at, reason }
            }
            Health::Connected => match self.parts.expires_at {
                Some(at) if renews || at > now.saturating_add(self.notice()) => {
                    let _ = at;
                    CredentialStatus::Connected
                }
                Some(at) if at <= now => CredentialStatus::NeedsReconnect { reason: ended() },
                Some(at) => CredentialStatus::Expiring { at },
                None => CredentialStatus::Connected,
            },
        }
    }

    /// A credential that lives for a day would be expiring all its life.
    fn notice(&self) -> u64 {
        self.parts.lifetime.map_or(NOTICE, |lifetime| NOTICE.min(lifetime / 4))
    }
}

/// Why a credential whose refresh was lost must be connected again.
pub(crate) fn outcome_unknown(ended: bool) -> String {
    let and = if ended {
        "its access token has ended since"
    } else {
        "it works until its access \
                 token ends"
    };
    format!(
        "refresh-outcome-unknown: a refresh was sent and its answer was lost, so the service may \
         have replaced the refresh token; {and}"
    )
}

/// Why a credential that the service refuses must be connected again.
pub(crate) fn refused() -> String {
    "the service refused it when it was last used: it was revoked, has ended, or is for another \
     account or region"
        .to_owned()
}

/// Why a credential without a refresh token must be connected again.
pub(crate) fn ended() -> String {
    "its access token has expired, and the service issued no refresh token".to_owned()
}

/// Summary of a credential without its secrets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CredentialSummary {
    /// The tenant that it belongs to.
    pub tenant: Tenant,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// The user of the tenant who owns the credential.
    pub owner: Option<User>,
    /// Who may use it.
    pub mode: Mode,
    /// The actions that it may be used for; `None` for all.
    pub allowed_actions: Option<BTreeSet<String>>,
    /// The node that it is for.
    pub node: String,
    /// Name of the credential type.
    pub credential_type: String,
    /// With [`Mode::PerUser`] whose connection this is; `None` where nobody has connected yet.
    pub user: Option<User>,
    /// Whether it can be used.
    #[serde(flatten)]
    pub status: CredentialStatus,
    /// The form's fields without secrets.
    pub fields: Map<String, Value>,
    /// Secrets of the form that are kept elsewhere, and where the host reads them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<String, SecretReference>,
    /// Configuration that `configure` returned; `None` if nobody has connected yet.
    pub configuration: Option<Configuration>,
    /// Requested scopes; `None` if the grant has no scopes.
    pub asked_scopes: Option<Vec<String>>,
    /// Granted scopes; `None` if the grant has no scopes.
    pub granted_scopes: Option<Vec<String>>,
    /// See [`ConnectionParts::identity`](super::ConnectionParts::identity).
    pub identity: Map<String, Value>,
    /// When the access token ends. Milliseconds since 1970.
    pub expires_at: Option<u64>,
    /// 1 at first; raised by 1 whenever its secrets are replaced.
    pub revision: u64,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// When a person connected it last. Milliseconds since 1970.
    pub connected_at: Option<u64>,
    /// Milliseconds since 1970.
    pub updated_at: u64,
    /// `None` if it was never used.
    pub last_used: Option<LastUse>,
    /// Workflows that have named it.
    pub dependants: Vec<Dependant>,
}

#[cfg(test)]
mod tests {
    use super::super::stored::ConnectionParts;
    use super::*;

    fn connection(health: Health, expires_at: Option<u64>, lifetime: Option<u64>) -> Connection {
        let configuration = serde_json::from_str(r#"{"audiences":[]}"#).unwrap();
        let parts = ConnectionParts::new(Map::new(), configuration);
        Connection {
            parts: ConnectionParts { expires_at, lifetime, ..parts },
            health,
            connected_at: 0,
            updated_at: 0,
            revision: 1,
        }
    }

    #[test]
    fn a_status_message_contains_what_a_person_must_know() {
        const DAY: u64 = 24 * 3_600_000;
        let now = 1_000 * DAY;
        let told = |health, expires_at, lifetime, renews| {
            connection(health, expires_at, lifetime).status(now, renews).as_str()
        };
        // A credential that the host renews by itself never causes a warning.
        assert_eq!(told(Health::Connected, Some(now + 1), Some(DAY), true), "connected");
        assert_eq!(told(Health::Connected, Some(now - 1), Some(DAY), true), "connected");
        // A credential that it cannot renew is reported before it expires, and again once it has
        // expired.
        assert_eq!(told(Health::Connected, Some(now + 30 * DAY), None, false), "connected");
        assert_eq!(told(Health::Connected, Some(now + 6 * DAY), None, false), "expiring");
        assert_eq!(told(Health::Connected, Some(now + DAY / 2), Some(DAY), false), "connected");
        assert_eq!(told(Health::Connected, Some(now + DAY / 5), Some(DAY), false), "expiring");
        assert_eq!(told(Health::Connected, Some(now), None, false), "needs-reconnect");
        assert_eq!(told(Health::Connected, None, None, false), "connected");
        let unknown = Health::RefreshOutcomeUnknown { sent_at: now - 5 };
        assert_eq!(told(unknown.clone(), Some(now + 1), None, true), "refresh-outcome-unknown");
        assert_eq!(told(unknown.clone(), Some(now), None, true), "needs-reconnect");
        assert_eq!(told(unknown, None, None, true), "needs-reconnect");
        assert_eq!(told(Health::Disconnected, None, None, true), "disconnected");
    }
}
