//! Secrets for parameters: stored under a name, so that no workflow of an engine holds the secret
//! itself. A parameter that the plugin marks `x-secret` takes `secret:NAME`.

use std::collections::HashMap;

use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use workflow_node_host::credential::SecretReference;
use workflow_node_host::{Plugin, Principal, ProcessLimits, ReferenceLimits, Secret, chain};

use crate::database::{Database, DatabaseError, now};
use crate::error::{ApiError, Problem};
use crate::limits::ServerLimits;
use crate::seal::{Sealer, ServerKeys};
use crate::token::{Caller, signed};

/// Prefix of a parameter value that names a stored secret. Handles have the same prefix.
const PREFIX: &str = "secret:";
/// Hexadecimal digits of a handle.
const HANDLE: usize = 32;

/// A stored secret, without the secret.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SecretRecord {
    /// Its name, unique for its user.
    pub name: String,
    /// Where the server reads it, if it is kept elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<SecretReference>,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Milliseconds since 1970.
    pub updated_at: u64,
}

/// A secret that is to be stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SecretValue {
    /// The secret itself.
    Text(Secret),
    /// Where the server reads it for each call. Never pass on what a user of an engine has sent.
    Reference(SecretReference),
}

/// As it is sealed.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Sealed {
    Text(String),
    Reference(SecretReference),
}

/// Stores, lists, and removes the secrets of a database.
#[derive(Clone, Debug)]
pub struct Secrets {
    database: Database,
    sealer: Sealer,
}

impl Secrets {
    /// The secrets of a database.
    pub fn new(database: Database, keys: &ServerKeys) -> Self {
        Self { database, sealer: keys.sealer() }
    }

    /// Stores a secret of a user, or replaces the one of its name.
    ///
    /// # Errors
    ///
    /// When the name or the secret cannot be used, or the database fails. The error does not contain the
    /// secret.
    pub fn set(
        &self,
        of: &Principal,
        name: &str,
        value: &SecretValue,
    ) -> Result<(), DatabaseError> {
        if let Some(problem) = problem_of_name(name) {
            return Err(DatabaseError::Refused(problem));
        }
        let sealed = match value {
            SecretValue::Text(secret) => {
                if let Some(problem) = problem_of_secret(secret) {
                    return Err(DatabaseError::Refused(problem));
                }
                Sealed::Text(secret.expose().to_owned())
            }
            SecretValue::Reference(reference) => Sealed::Reference(reference.clone()),
        };
        let text = serde_json::to_string(&sealed).map(zeroize::Zeroizing::new);
        let text = text.map_err(DatabaseError::unwritable)?;
        let sealed = self.sealer.seal(&of_secret(of, name), text.as_bytes());
        let sealed = sealed.map_err(DatabaseError::unwritable)?;
        self.database.write(|change| {
            change.execute(
                "INSERT INTO secret (tenant, actor, name, value, created_at, updated_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (tenant, actor, name) \
                 DO UPDATE SET value = ?4, updated_at = ?5",
                params![of.tenant.as_str(), of.user.as_str(), name, sealed, signed(now())],
            )?;
            Ok(())
        })
    }

    /// The secrets of a user, by name.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub fn list(&self, of: &Principal) -> Result<Vec<SecretRecord>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(
                "SELECT name, value, created_at, updated_at FROM secret \
                 WHERE tenant = ?1 AND actor = ?2 ORDER BY name",
            )?;
            let rows = query.query_map([of.tenant.as_str(), of.user.as_str()], |row| {
                let name: String = row.get(0)?;
                let reference = match self.opened(of, &name, &row.get::<_, Vec<u8>>(1)?) {
                    Some(Sealed::Reference(reference)) => Some(reference),
                    _ => None,
                };
                Ok(SecretRecord {
                    name,
                    reference,
                    created_at: row.get::<_, i64>(2)?.unsigned_abs(),
                    updated_at: row.get::<_, i64>(3)?.unsigned_abs(),
                })
            })?;
            rows.collect()
        })
    }

    /// Removes a secret of a user. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub fn remove(&self, of: &Principal, name: &str) -> Result<bool, DatabaseError> {
        self.database.write(|change| {
            let remove = "DELETE FROM secret WHERE tenant = ?1 AND actor = ?2 AND name = ?3";
            Ok(change.execute(remove, [of.tenant.as_str(), of.user.as_str(), name])? > 0)
        })
    }

    pub(crate) fn count(&self, tenant: &str) -> Result<u64, DatabaseError> {
        self.database.read(|database| {
            let count = "SELECT count(*) FROM secret WHERE tenant = ?1";
            database.query_row(count, [tenant], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
        })
    }

    fn opened(&self, of: &Principal, name: &str, sealed: &[u8]) -> Option<Sealed> {
        let opened = self.sealer.open(&of_secret(of, name), sealed).ok()?;
        serde_json::from_slice(&opened).ok()
    }

    /// The secret of a name. Blocks while one that is kept elsewhere is read.
    fn open(&self, of: &Principal, name: &str) -> Result<Option<Secret>, ApiError> {
        let found = self.database.read(|database| {
            let mut query = database.prepare_cached(
                "SELECT value FROM secret WHERE tenant = ?1 AND actor = ?2 AND name = ?3",
            )?;
            let key = [of.tenant.as_str(), of.user.as_str(), name];
            query.query_row(key, |row| row.get::<_, Vec<u8>>(0)).optional()
        })?;
        let Some(sealed) = found else { return Ok(None) };
        let unusable = |reason: String| {
            let message = format!("Cannot use the secret `{name}`: {reason}.");
            ApiError::new(
                axum::http::StatusCode::SERVICE_UNAVAILABLE,
                "credential-unavailable",
                message,
            )
            .retry_after(std::time::Duration::from_secs(5))
        };
        match self.opened(of, name, &sealed) {
            Some(Sealed::Text(text)) => Ok(Some(Secret::new(text))),
            Some(Sealed::Reference(reference)) => {
                let read = reference.read(&ReferenceLimits::default());
                let secret = read.map_err(|error| unusable(chain(&error)))?;
                match problem_of_secret(&secret) {
                    None => Ok(Some(secret)),
                    Some(problem) => Err(unusable(problem)),
                }
            }
            None => Err(unusable("it was stored with another key. Store it again".to_owned())),
        }
    }
}

fn of_secret<'a>(of: &'a Principal, name: &'a str) -> [&'a str; 4] {
    ["named-secret", of.tenant.as_str(), of.user.as_str(), name]
}

fn problem_of_name(name: &str) -> Option<String> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let others = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !first || !others || name.len() > 64 {
        return Some(
            "Cannot store the secret: its name is not 1 to 64 letters, digits, `.`, `_`, and `-`, of \
             which the first is a letter or a digit. Choose another name."
                .to_owned(),
        );
    }
    is_handle(name).then(|| {
        "Cannot store the secret: 32 hexadecimal digits name a handle. Choose another name."
            .to_owned()
    })
}

fn problem_of_secret(secret: &Secret) -> Option<String> {
    let most = ProcessLimits::default().secret;
    match secret.len() {
        0 => Some("Cannot store the secret: it is empty.".to_owned()),
        length if length > most => Some(format!(
            "Cannot store the secret: it is longer than {most} bytes (limit `secret`)."
        )),
        _ => None,
    }
}

fn is_handle(name: &str) -> bool {
    name.len() == HANDLE && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name of a stored secret that a parameter holds in the place of a secret.
fn named(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX).filter(|name| !is_handle(name))
}

/// Fills in the stored secrets that parameters name, each read once.
#[derive(Clone)]
pub(crate) struct Filler {
    /// `None` without a key: then no name is known.
    secrets: Option<Secrets>,
    caller: Caller,
    plugin: Plugin,
    /// The action or trigger.
    form: String,
    known: HashMap<String, Secret>,
}

impl Filler {
    pub(crate) fn new(
        secrets: Option<Secrets>,
        caller: &Caller,
        plugin: &Plugin,
        form: &str,
    ) -> Self {
        let (caller, plugin) = (caller.clone(), plugin.clone());
        Self { secrets, caller, plugin, form: form.to_owned(), known: HashMap::new() }
    }

    /// Reads the secrets that parameters name, and puts them in. Blocks. `at`: where the parameters are
    /// in the body. Returns whether there were any.
    pub(crate) fn read(&mut self, parameters: &mut Value, at: &str) -> Result<bool, ApiError> {
        let places = self.plugin.secret_places(&self.form, parameters)?;
        let mut problems = Vec::new();
        let mut is_changed = false;
        for pointer in places {
            let Some(place) = parameters.pointer_mut(&pointer) else { continue };
            let Some(name) = place.as_str().and_then(named).map(str::to_owned) else { continue };
            match self.secret(&name)? {
                Some(secret) => {
                    *place = Value::String(secret.expose().to_owned());
                    is_changed = true;
                }
                None => problems.push(Problem {
                    pointer: format!("{at}{pointer}"),
                    message: "names a secret that does not exist, or that the token may not use"
                        .to_owned(),
                }),
            }
        }
        if problems.is_empty() {
            return Ok(is_changed);
        }
        let status = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
        Err(ApiError::new(status, "invalid-input", "The call names secrets that cannot be found.")
            .next("Store them with `harness secret set NAME`, or PUT /v1/secrets/NAME.")
            .problems(problems))
    }

    fn secret(&mut self, name: &str) -> Result<Option<Secret>, ApiError> {
        if let Some(known) = self.known.get(name) {
            return Ok(Some(known.clone()));
        }
        let Some(secrets) = &self.secrets else { return Ok(None) };
        if !self.caller.policy.allows_secret(name) {
            return Ok(None);
        }
        let found = secrets.open(&self.caller.policy.principal(), name)?;
        if let Some(secret) = &found {
            self.known.insert(name.to_owned(), secret.clone());
        }
        Ok(found)
    }

    /// Whether any secret was read.
    pub(crate) fn has_any(&self) -> bool {
        !self.known.is_empty()
    }

    /// Puts secrets in that were read before.
    pub(crate) fn fill(&self, parameters: &mut Value) {
        let Ok(places) = self.plugin.secret_places(&self.form, parameters) else { return };
        for pointer in places {
            let Some(place) = parameters.pointer_mut(&pointer) else { continue };
            let known = place.as_str().and_then(named).and_then(|name| self.known.get(name));
            if let Some(secret) = known {
                *place = Value::String(secret.expose().to_owned());
            }
        }
    }
}

/// How many secrets a tenant may store, as an error.
pub(crate) fn too_many(limits: &ServerLimits) -> ApiError {
    let status = axum::http::StatusCode::TOO_MANY_REQUESTS;
    let message = "The tenant has too many secrets (limit `secrets_per_tenant`).";
    ApiError::new(status, "queue-full", message)
        .next("Remove secrets that no workflow uses.")
        .retry_after(ServerLimits::time(limits.retry_after_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::test_sealer;

    #[test]
    fn a_secret_is_stored_sealed_under_a_name_of_its_user() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let secrets = Secrets { database, sealer: test_sealer() };
        let (ada, ben) = (Principal::of("acme", "ada"), Principal::of("acme", "ben"));
        let text = SecretValue::Text(Secret::new("sesame-open"));
        secrets.set(&ada, "hook", &text).unwrap();
        assert_eq!(secrets.open(&ada, "hook").unwrap().unwrap().expose(), "sesame-open");
        assert!(secrets.open(&ben, "hook").unwrap().is_none());
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(11).any(|part| part == b"sesame-open"));
        }
        let reference = SecretReference::Env("PATH".to_owned());
        secrets.set(&ada, "hook", &SecretValue::Reference(reference.clone())).unwrap();
        assert_eq!(secrets.list(&ada).unwrap()[0].reference, Some(reference));
        for name in ["", "a b", "secret:x", &"a".repeat(65), &"0af".repeat(11)[..32]] {
            assert!(secrets.set(&ada, name, &text).is_err(), "{name}");
        }
        for secret in ["", &"s".repeat(5_000)] {
            assert!(secrets.set(&ada, "hook", &SecretValue::Text(Secret::new(secret))).is_err());
        }
        assert!(secrets.remove(&ada, "hook").unwrap() && !secrets.remove(&ada, "hook").unwrap());
    }
}
