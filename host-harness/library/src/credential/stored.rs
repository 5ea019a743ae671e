//! A credential as a store keeps it, in addition to its secrets, and its summary. Depends on
//! neither files nor the OAuth protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::description::Configuration;
use crate::principal::{Tenant, User};
use crate::secret::Secret;

/// Who may use a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Its owner alone.
    #[default]
    Private,
    /// Every workflow that names it, regardless of the acting user. Nobody can read it.
    Shared,
    /// Everyone, each with a separate connection under the same name.
    PerUser,
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Private => "private",
            Self::Shared => "shared",
            Self::PerUser => "per-user",
        })
    }
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "private" => Ok(Self::Private),
            "shared" => Ok(Self::Shared),
            "per-user" => Ok(Self::PerUser),
            other => Err(format!("invalid mode `{other}`. Use private, shared, or per-user")),
        }
    }
}

/// Data of a credential's name. It is the same for everybody who connects under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The tenant that it belongs to. No other sees it.
    pub tenant: Tenant,
    /// Its name within the tenant, for good: 1 to 64 letters, digits, `.`, `_` and `-`, the first a letter or digit.
    pub name: String,
    /// For people; may be changed at any time.
    pub description: String,
    /// The user of the tenant who owns it. A private credential without an owner belongs to nobody;
    /// only an administrator can assign an owner.
    pub owner: Option<User>,
    /// Who may use it.
    pub mode: Mode,
    /// The actions that it may be used for; `None` for all.
    pub allowed_actions: Option<BTreeSet<String>>,
    /// The node that it is for. No other gets it.
    pub node: String,
    /// Name of the credential type.
    pub credential_type: String,
}

/// Names a credential: its tenant, and its name there. A text names one of the default tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId {
    /// The tenant.
    pub tenant: Tenant,
    /// The credential's name.
    pub name: String,
}

impl CredentialId {
    /// A credential of a tenant.
    pub fn of(tenant: impl Into<Tenant>, name: impl Into<String>) -> Self {
        Self { tenant: tenant.into(), name: name.into() }
    }
}

impl From<&str> for CredentialId {
    fn from(name: &str) -> Self {
        Self { tenant: Tenant::default(), name: name.to_owned() }
    }
}

impl From<&String> for CredentialId {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}

impl From<&Self> for CredentialId {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tenant.is_default() {
            true => formatter.write_str(&self.name),
            false => write!(formatter, "{} of the tenant {}", self.name, self.tenant),
        }
    }
}

/// Names one connection: the credential, and with [`Mode::PerUser`] the user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey {
    /// The tenant.
    pub tenant: Tenant,
    /// The credential's name.
    pub name: String,
    /// Set only if each user has a separate connection.
    pub user: Option<User>,
}

impl ConnectionKey {
    /// Of a credential that is private or shared.
    pub fn of(credential: impl Into<CredentialId>) -> Self {
        let CredentialId { tenant, name } = credential.into();
        Self { tenant, name, user: None }
    }

    /// A user's own connection.
    pub fn of_user(credential: impl Into<CredentialId>, user: impl Into<User>) -> Self {
        Self { user: Some(user.into()), ..Self::of(credential) }
    }

    /// The credential.
    pub fn credential(&self) -> CredentialId {
        CredentialId { tenant: self.tenant.clone(), name: self.name.clone() }
    }
}

impl fmt::Display for ConnectionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            None => self.credential().fmt(formatter),
            Some(user) => write!(formatter, "{} of {user}", self.credential()),
        }
    }
}

/// Stored health of a connection. [`CredentialStatus`](super::CredentialStatus) is the reported
/// status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Health {
    /// It works, as far as is known.
    #[default]
    Connected,
    /// Only a person can make it work again.
    NeedsReconnect {
        /// Why, for people. Stored in clear.
        reason: String,
    },
    /// A refresh was sent and its response was lost: the service may have replaced the refresh
    /// token with an unknown one.
    RefreshOutcomeUnknown {
        /// When it was sent, in milliseconds since 1970.
        sent_at: u64,
    },
    /// The service has refused it at a use, and nothing could be done about that. It is still
    /// tried: what works again is connected again.
    Refused {
        /// When. Milliseconds since 1970.
        at: u64,
    },
    /// Somebody has disconnected it; its secrets are gone.
    Disconnected,
}

/// The parts of a connection that are not secret: the form values and the grant.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionParts {
    /// The form's fields without secrets. They are stored in clear.
    pub fields: Map<String, Value>,
    /// Configuration that `configure` returned.
    pub configuration: Configuration,
    /// The scopes that were requested; `None` where the grant has no scopes.
    pub asked_scopes: Option<Vec<String>>,
    /// The scopes that were granted; `None` where the grant has no scopes.
    pub granted_scopes: Option<Vec<String>>,
    /// The account at the service: the ID token's described claims, or the result of a test.
    pub identity: Map<String, Value>,
    /// When the access token expires, if the service said so. Milliseconds since 1970.
    pub expires_at: Option<u64>,
    /// How long the access token was valid when it was issued, in milliseconds.
    pub lifetime: Option<u64>,
}

impl ConnectionParts {
    /// The parts of a connection without scopes, identity, or expiry.
    pub fn new(fields: Map<String, Value>, configuration: Configuration) -> Self {
        Self {
            fields,
            configuration,
            asked_scopes: None,
            granted_scopes: None,
            identity: Map::new(),
            expires_at: None,
            lifetime: None,
        }
    }
}

/// Data of one connection, without its secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Form values and grant.
    pub parts: ConnectionParts,
    /// Whether it works.
    pub health: Health,
    /// When a person connected it last. Milliseconds since 1970.
    pub connected_at: u64,
    /// When its secrets or its health changed last. Milliseconds since 1970.
    pub updated_at: u64,
    /// 1 at first; raised by 1 whenever its secrets are replaced.
    pub revision: u64,
}

/// A connection with its secrets.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Data of the name.
    pub head: Head,
    /// Data that is not secret.
    pub connection: Connection,
    /// The form's secrets and the grant's tokens, by name (`access_token`, `refresh_token`).
    pub secrets: BTreeMap<String, Secret>,
    /// Who refreshes it just now, or tried last.
    pub lease: Lease,
}

/// The right to refresh a connection: one process at a time holds it, for a limited time. Kept in
/// the store, so that processes see each other's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Lease {
    /// Incremented by every new holder. Operations of an earlier holder with its lease are refused.
    pub fence: u64,
    /// Milliseconds since 1970; in the past when nobody holds it.
    pub until: u64,
    /// Set before a refresh is sent, and cleared once its response is stored. If it is still set
    /// when the lease has expired, the response to the refresh was lost. Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<u64>,
    /// The service has refused: nobody tries again before. Milliseconds since 1970.
    #[serde(default)]
    pub not_before: u64,
}

/// Result of requesting a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's.
    Granted(Lease),
    /// Another process holds it.
    Held(Lease),
}

/// Change that the holder of a lease makes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseChange {
    /// Holds it for so many milliseconds from now.
    Extend(u64),
    /// A refresh is about to leave; holds it for so many milliseconds from now.
    Sending(u64),
    /// It is certain that nothing left, or that the refresh was refused.
    NotSent,
    /// Gives it back; nobody tries again before this time (milliseconds since 1970).
    Release {
        /// See [`Lease::not_before`].
        not_before: u64,
    },
}

/// Data to store when a refresh has returned new tokens, or when a person connects again.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// All secrets from now on.
    pub secrets: BTreeMap<String, Secret>,
    /// Granted scopes, if the service reported them.
    pub granted_scopes: Option<Vec<String>>,
    /// When the access token ends. Milliseconds since 1970.
    pub expires_at: Option<u64>,
    /// How long it lives, in milliseconds.
    pub lifetime: Option<u64>,
}

/// A credential, or one more connection of it, that is to be stored.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Data of the name.
    pub head: Head,
    /// With [`Mode::PerUser`] whose connection this is.
    pub user: Option<User>,
    /// Form values and grant.
    pub parts: ConnectionParts,
    /// The form's secrets and the grant's tokens, by name. They are stored sealed.
    pub secrets: BTreeMap<String, Secret>,
}

/// A change of a credential's head.
#[derive(Clone, Debug, PartialEq)]
pub enum HeadChange {
    /// Another description.
    Description(String),
    /// Other actions; `None` for all.
    AllowedActions(Option<BTreeSet<String>>),
    /// Another mode. All connections lose their secrets: the person who agreed to the old mode has not
    /// agreed to the new one.
    Mode(Mode),
    /// Another owner.
    Owner(Option<User>),
}

/// The last use of a credential: its time and its caller.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LastUse {
    /// Milliseconds since 1970, exact to a minute.
    pub at: u64,
    /// The node and action, the workflow, and the user, where available.
    pub by: String,
}

/// A workflow that has named a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependant {
    /// The workflow, in the engine's terms.
    pub workflow: String,
    /// When it was seen last. Milliseconds since 1970.
    pub seen_at: u64,
}
