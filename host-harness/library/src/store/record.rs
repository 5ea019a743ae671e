//! A credential's row: what others give and see of it, and what its seal is bound to.

use std::collections::BTreeMap;

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::StoreError;
use super::seal::{Binding, Purpose};
use crate::credential::Credential;
use crate::description::Configuration;
use crate::secret::Secret;

/// A credential that is to be stored.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Its name, for good: 1 to 64 letters, digits, `.`, `_` and `-`, the first a letter or digit.
    pub name: String,
    /// Whose it is, in the engine's terms. The store keeps it and makes nothing of it.
    pub owner: Option<String>,
    /// The node that it is for. No other gets it.
    pub node: String,
    /// Name of the credential type.
    pub credential_type: String,
    /// The form's fields without secrets. They are stored in clear.
    pub fields: Map<String, Value>,
    /// The form's secrets and the grant's tokens, by name. They are stored sealed.
    pub secrets: BTreeMap<String, Secret>,
    /// What `configure` returned.
    pub configuration: Configuration,
    /// `None` where the grant has no scopes.
    pub granted_scopes: Option<Vec<String>>,
}

/// What can be said about a credential without opening its secrets. It is shown as it stands in
/// the file; whether something else than the store has changed it shows when the secrets are
/// opened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CredentialSummary {
    /// Its name.
    pub name: String,
    /// Whose it is, in the engine's terms.
    pub owner: Option<String>,
    /// The node that it is for.
    pub node: String,
    /// Name of the credential type.
    pub credential_type: String,
    /// The form's fields without secrets.
    pub fields: Map<String, Value>,
    /// What `configure` returned.
    pub configuration: Configuration,
    /// `None` where the grant has no scopes.
    pub granted_scopes: Option<Vec<String>>,
    /// 1 at first; raised by 1 whenever its secrets are replaced.
    pub revision: u64,
    /// Whether it can be used.
    pub state: CredentialState,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Milliseconds since 1970.
    pub updated_at: u64,
    /// `None` if it was never used.
    pub last_used: Option<LastUse>,
}

/// Whether a credential can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CredentialState {
    /// It can.
    Connected,
    /// It must be connected again.
    Reconnect {
        /// Why.
        reason: String,
    },
}

/// When a credential was last used, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastUse {
    /// Milliseconds since 1970, exact to a minute.
    pub at: u64,
    /// The node and action, the workflow and the actor, as far as they are known.
    pub by: String,
}

/// The columns that [`Record::read`] takes, in its order.
pub(super) const COLUMNS: &str = "name, id, owner, node, credential_type, fields, configuration, \
     granted_scopes, revision, sealed_secrets, reconnect_reason, created_at, updated_at, \
     last_used_at, last_used_by";

/// A row as it stands. JSON stays text, because the seal is bound to that very text.
pub(super) struct Record {
    pub(super) name: String,
    pub(super) id: Vec<u8>,
    pub(super) owner: Option<String>,
    pub(super) node: String,
    pub(super) credential_type: String,
    pub(super) fields: String,
    pub(super) configuration: String,
    pub(super) granted_scopes: String,
    pub(super) revision: i64,
    pub(super) sealed_secrets: Vec<u8>,
    pub(super) reconnect_reason: Option<String>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) last_used_at: Option<i64>,
    pub(super) last_used_by: Option<String>,
}

impl Record {
    /// A row for a new credential, to be sealed.
    pub(super) fn new(
        credential: &NewCredential,
        id: Vec<u8>,
        now: i64,
    ) -> Result<Self, StoreError> {
        check_name(&credential.name)?;
        Ok(Self {
            name: credential.name.clone(),
            id,
            owner: credential.owner.clone(),
            node: credential.node.clone(),
            credential_type: credential.credential_type.clone(),
            fields: json(&credential.fields)?,
            configuration: json(&credential.configuration)?,
            granted_scopes: json(&credential.granted_scopes)?,
            revision: 1,
            sealed_secrets: Vec::new(),
            reconnect_reason: None,
            created_at: now,
            updated_at: now,
            last_used_at: None,
            last_used_by: None,
        })
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            id: row.get(1)?,
            owner: row.get(2)?,
            node: row.get(3)?,
            credential_type: row.get(4)?,
            fields: row.get(5)?,
            configuration: row.get(6)?,
            granted_scopes: row.get(7)?,
            revision: row.get(8)?,
            sealed_secrets: row.get(9)?,
            reconnect_reason: row.get(10)?,
            created_at: row.get(11)?,
            updated_at: row.get(12)?,
            last_used_at: row.get(13)?,
            last_used_by: row.get(14)?,
        })
    }

    /// What the secrets' seal is bound to: the store, the row, and all that decides who gets the
    /// secrets and where they are sent. So a row does not open once it is given another name,
    /// owner, node or audience, or the secrets of another row or revision.
    pub(super) fn binding(&self, store: &[u8]) -> Binding {
        Binding::new(Purpose::Secrets)
            .with(store)
            .with(&self.id)
            .with(self.name.as_bytes())
            .with_optional(self.owner.as_deref().map(str::as_bytes))
            .with(self.node.as_bytes())
            .with(self.credential_type.as_bytes())
            .with(self.fields.as_bytes())
            .with(self.configuration.as_bytes())
            .with(self.granted_scopes.as_bytes())
            .with(&self.revision.to_le_bytes())
    }

    pub(super) fn summary(&self) -> Result<CredentialSummary, StoreError> {
        Ok(CredentialSummary {
            fields: self.parsed(&self.fields)?,
            configuration: self.parsed(&self.configuration)?,
            granted_scopes: self.parsed(&self.granted_scopes)?,
            name: self.name.clone(),
            owner: self.owner.clone(),
            node: self.node.clone(),
            credential_type: self.credential_type.clone(),
            revision: unsigned(self.revision),
            state: match &self.reconnect_reason {
                None => CredentialState::Connected,
                Some(reason) => CredentialState::Reconnect { reason: reason.clone() },
            },
            created_at: unsigned(self.created_at),
            updated_at: unsigned(self.updated_at),
            last_used: self.last_used_at.map(|at| LastUse {
                at: unsigned(at),
                by: self.last_used_by.clone().unwrap_or_default(),
            }),
        })
    }

    pub(super) fn into_credential(
        self,
        secrets: BTreeMap<String, Secret>,
    ) -> Result<Credential, StoreError> {
        Ok(Credential {
            fields: self.parsed(&self.fields)?,
            configuration: self.parsed(&self.configuration)?,
            granted_scopes: self.parsed(&self.granted_scopes)?,
            revision: unsigned(self.revision),
            name: self.name,
            node: self.node,
            credential_type: self.credential_type,
            secrets,
        })
    }

    pub(super) fn tampered(&self) -> StoreError {
        StoreError::Tampered { name: self.name.clone() }
    }

    fn parsed<T: DeserializeOwned>(&self, json: &str) -> Result<T, StoreError> {
        serde_json::from_str(json).map_err(|_| self.tampered())
    }
}

/// Checks that a credential can have this name.
///
/// # Errors
///
/// When it cannot.
pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let others = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if first && others && name.len() <= 64 {
        Ok(())
    } else {
        Err(StoreError::InvalidName { name: name.chars().take(80).collect() })
    }
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::unwritable)
}

/// SQLite has no unsigned integers. None of ours is negative unless somebody made it so.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn a_name_is_made_of_letters_digits_dots_dashes_and_underscores() {
        let longest = "a".repeat(64);
        for name in ["a", "7", "work", "pagerduty.eu-1_read", "A.", longest.as_str()] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let too_long = "a".repeat(65);
        for name in
            ["", ".", "-a", "_a", "a b", "a/b", "../a", "a\n", "ä", "a\0", "a:b", too_long.as_str()]
        {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
