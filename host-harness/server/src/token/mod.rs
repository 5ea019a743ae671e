//! Tokens: created by an operator, shown once, stored as hashes, and looked up for every request.

mod policy;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{OptionalExtension as _, Row};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub use policy::{Policy, Role};

use crate::database::{Database, DatabaseError, now};
use workflow_node_host::Secret;

/// Prefix of tokens, so that scanners of leaked secrets can find them.
const PREFIX: &str = "wnt";
/// Random bytes of a token's ID; they are not secret.
const ID: usize = 8;
/// Random bytes of a token's secret.
const SECRET: usize = 32;

/// Named policies, as a configuration file declares them.
pub type Policies = BTreeMap<String, Policy>;

/// The source of a token's permissions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PolicySource {
    /// The policy with this name in the configuration file, as it is when the token is used.
    Named(String),
    /// A policy of this token only.
    Own(Box<Policy>),
}

/// A token without its secret.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TokenRecord {
    /// Identifies the token in the audit log.
    pub id: String,
    /// The operator's name for it.
    pub name: String,
    /// Its permissions.
    pub policy: PolicySource,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Milliseconds since 1970; `None` if it does not expire.
    pub expires_at: Option<u64>,
    /// Milliseconds since 1970; `None` unless it was revoked.
    pub revoked_at: Option<u64>,
}

impl TokenRecord {
    /// Whether it is valid at a time, in milliseconds since 1970.
    pub fn is_valid(&self, at: u64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| at < end)
    }
}

/// Creates, lists, and revokes the tokens of a database.
#[derive(Clone, Debug)]
pub struct Tokens(Database);

/// A request's token and its permissions.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) token: String,
    pub(crate) name: String,
    pub(crate) expires_at: Option<u64>,
    pub(crate) policy: Policy,
}

/// Why a token is refused. Clients receive no details; the log contains them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malformed,
    Unknown,
    Expired,
    Revoked,
    NoPolicy,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "it is not a token",
            Self::Unknown => "it is unknown",
            Self::Expired => "it has expired",
            Self::Revoked => "it was revoked",
            Self::NoPolicy => "the configuration has no policy of its name",
        })
    }
}

impl Tokens {
    /// The tokens of a database.
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    /// Creates a token. Returns its text, which is not stored and cannot be shown again.
    ///
    /// # Errors
    ///
    /// If there is a token with this name, the name is empty or longer than 64 bytes, the policy
    /// contradicts itself, or the database fails.
    pub fn create(
        &self,
        name: &str,
        policy: &PolicySource,
        lifetime: Option<Duration>,
    ) -> Result<Secret, DatabaseError> {
        let refused = |message: String| Err(DatabaseError::Refused(message));
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            return refused(
                "Cannot create the token: its name is empty or longer than 64 bytes. \
                            Choose another name."
                    .to_owned(),
            );
        }
        let (policy_name, own) = match policy {
            PolicySource::Named(policy) => (Some(policy.as_str()), None),
            PolicySource::Own(policy) => {
                if let Some(problem) = policy.problem() {
                    return refused(format!("Cannot create the token: {problem}"));
                }
                let text = serde_json::to_string(policy).map_err(DatabaseError::unwritable)?;
                (None, Some(text))
            }
        };
        let id: String =
            rand::random::<[u8; ID]>().iter().map(|byte| format!("{byte:02x}")).collect();
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; SECRET]>());
        let text = Secret::new(format!("{PREFIX}_{id}_{secret}"));
        let created = now();
        let expires = lifetime.map(|lifetime| {
            created.saturating_add(u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX))
        });
        self.0.write(|change| {
            let taken = "SELECT count(*) FROM token WHERE name = ?1";
            if change.query_row(taken, [name], |row| row.get::<_, i64>(0))? > 0 {
                return Err(DatabaseError::Refused(format!(
                    "Cannot create the token: there is a token `{name}` already, or was one. Choose \
                     another name; names stay in the audit log."
                )));
            }
            change.execute(
                "INSERT INTO token (id, name, hash, policy_name, policy, created_at, expires_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                rusqlite::params![
                    id, name, &hash(&secret)[..], policy_name, own, signed(created),
                    expires.map(signed)
                ],
            )?;
            Ok(())
        })?;
        Ok(text)
    }

    /// All tokens, including revoked ones, by name.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub fn list(&self) -> Result<Vec<TokenRecord>, DatabaseError> {
        self.0.read(|database| {
            let mut query = database.prepare(&format!("{COLUMNS} ORDER BY name"))?;
            let rows = query.query_map([], |row| Ok(stored(row)?.record))?;
            rows.collect()
        })
    }

    /// Revokes a token: from now on, every request with it is refused. Running executions continue.
    ///
    /// # Errors
    ///
    /// If there is no token with this name, or the database fails.
    pub fn revoke(&self, name: &str) -> Result<(), DatabaseError> {
        let revoke = "UPDATE token SET revoked_at = coalesce(revoked_at, ?2) WHERE name = ?1";
        self.0.write(|change| {
            match change.execute(revoke, rusqlite::params![name, signed(now())])? {
                0 => Err(DatabaseError::Refused(format!(
                    "Cannot revoke the token `{name}`: there is none. List the tokens with `harness \
                     token list`."
                ))),
                _ => Ok(()),
            }
        })
    }

    /// The token with this text.
    pub(crate) fn caller(
        &self,
        text: &str,
        policies: &Policies,
    ) -> Result<Result<Caller, Refusal>, DatabaseError> {
        let mut parts = text.splitn(3, '_');
        let (Some(PREFIX), Some(id), Some(secret)) = (parts.next(), parts.next(), parts.next())
        else {
            return Ok(Err(Refusal::Malformed));
        };
        let found = self.stored(id)?;
        // The same work, whether the ID is known or not.
        let given = hash(secret);
        let expected = found.as_ref().map_or(&[0; 32][..], |stored| &stored.hash[..]);
        let is_same = bool::from(given.ct_eq(expected));
        let Some(stored) = found.filter(|_| is_same) else { return Ok(Err(Refusal::Unknown)) };
        Ok(usable(stored.record, policies))
    }

    /// All tokens that can be used now.
    pub(crate) fn callers(&self, policies: &Policies) -> Result<Vec<Caller>, DatabaseError> {
        let all = self.list()?.into_iter();
        Ok(all.filter_map(|record| usable(record, policies).ok()).collect())
    }

    /// Current permissions of the token with an ID, for the session of a person who signed in with it.
    pub(crate) fn caller_of(
        &self,
        id: &str,
        policies: &Policies,
    ) -> Result<Result<Caller, Refusal>, DatabaseError> {
        let found = self.stored(id)?;
        Ok(found.map_or(Err(Refusal::Unknown), |stored| usable(stored.record, policies)))
    }

    fn stored(&self, id: &str) -> Result<Option<StoredToken>, DatabaseError> {
        self.0.read(|database| {
            let mut query = database.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?;
            query.query_row([id], stored).optional()
        })
    }
}

/// Current permissions of a token, or the reason why it is refused.
fn usable(record: TokenRecord, policies: &Policies) -> Result<Caller, Refusal> {
    if record.revoked_at.is_some() {
        return Err(Refusal::Revoked);
    }
    if !record.is_valid(now()) {
        return Err(Refusal::Expired);
    }
    let policy = match record.policy {
        PolicySource::Own(policy) => *policy,
        PolicySource::Named(name) => policies.get(&name).ok_or(Refusal::NoPolicy)?.clone(),
    };
    let (token, name, expires_at) = (record.id, record.name, record.expires_at);
    Ok(Caller { token, name, expires_at, policy })
}

const COLUMNS: &str = "SELECT id, name, hash, policy_name, policy, created_at, expires_at, \
                       revoked_at FROM token";

struct StoredToken {
    record: TokenRecord,
    hash: Vec<u8>,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredToken> {
    let policy = match row.get::<_, Option<String>>(3)? {
        Some(name) => PolicySource::Named(name),
        None => {
            let text: String = row.get(4)?;
            let policy = serde_json::from_str(&text).map_err(|error| {
                let kind = rusqlite::types::Type::Text;
                rusqlite::Error::FromSqlConversionFailure(4, kind, Box::new(error))
            })?;
            PolicySource::Own(policy)
        }
    };
    let record = TokenRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        policy,
        created_at: row.get::<_, i64>(5)?.unsigned_abs(),
        expires_at: row.get::<_, Option<i64>>(6)?.map(i64::unsigned_abs),
        revoked_at: row.get::<_, Option<i64>>(7)?.map(i64::unsigned_abs),
    };
    Ok(StoredToken { record, hash: row.get(2)? })
}

/// The stored hash of a token's secret. The secret is random and long, so a fast hash is as good as
/// a slow one.
fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A time as SQLite stores it.
pub(crate) fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_stored_as_a_hash_and_found_by_its_text_alone() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(Database::open(directory.path()).unwrap());
        let none = Policies::new();
        let policy = Policy { tenant: Some("acme".into()), ..Policy::default() };
        let own = PolicySource::Own(Box::new(policy));
        let token = tokens.create("n8n", &own, None).unwrap();
        let caller = tokens.caller(token.expose(), &none).unwrap().unwrap();
        assert_eq!((caller.name.as_str(), caller.policy.tenant.as_deref()), ("n8n", Some("acme")));

        let secret = token.expose().rsplit_once('_').unwrap().1;
        let secret = token.expose().splitn(3, '_').nth(2).unwrap_or(secret).to_owned();
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "the secret of a token is on the disk");
        }
        let mut other = token.expose().to_owned();
        let last = if other.pop() == Some('A') { 'B' } else { 'A' };
        other.push(last);
        for wrong in [other.as_str(), "wnt_0000000000000000_x", "wnt__", "", "x", "wnt_a"] {
            assert!(tokens.caller(wrong, &none).unwrap().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_ends_when_it_expires_is_revoked_or_loses_its_policy() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(Database::open(directory.path()).unwrap());
        let policies = Policies::from([("run".to_owned(), Policy::default())]);
        let named = PolicySource::Named("run".into());
        let refusal = |text: &Secret, policies| {
            tokens.caller(text.expose(), policies).unwrap().map(|caller| caller.name)
        };
        let short = tokens.create("short", &named, Some(Duration::ZERO)).unwrap();
        assert_eq!(refusal(&short, &policies), Err(Refusal::Expired));
        let token = tokens.create("n8n", &named, Some(Duration::from_secs(60))).unwrap();
        assert_eq!(refusal(&token, &policies), Ok("n8n".to_owned()));
        let none = Policies::new();
        assert_eq!(refusal(&token, &none), Err(Refusal::NoPolicy));
        assert!(tokens.create("n8n", &named, None).is_err(), "the name is taken");
        tokens.revoke("n8n").unwrap();
        assert_eq!(refusal(&token, &policies), Err(Refusal::Revoked));
        assert!(tokens.create("n8n", &named, None).is_err(), "names are not used again");
        assert!(tokens.revoke("other").is_err());
        let all = tokens.list().unwrap();
        assert_eq!(all.iter().map(|one| one.is_valid(now())).collect::<Vec<_>>(), [false, false]);
    }
}
