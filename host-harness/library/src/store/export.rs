//! Credentials in a sealed file, for another machine or for backup. It is sealed with a separate
//! key or passphrase and contains no plaintext.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::error::StoreError;
use super::key::{KeyKind, PassphraseCost, StoreKey, derive};
use super::record::HeadRow;
use super::seal::{Binding, Purpose, SealingKey, fill_random};
use super::{SqliteStore, write};
use crate::credential::{ConnectionParts, CredentialId, Head, Health, Mode, NewCredential};
use crate::description::Configuration;
use crate::principal::{Tenant, User};
use crate::secret::Secret;

/// No export is larger; a larger file is a mistake and is not read.
const LARGEST: usize = 64 << 20;
const FORMAT: &str = "workflow-node credentials, sealed";

/// The file: how its key is made, and the rest sealed.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    key_kind: String,
    salt: String,
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
    sealed: String,
}

/// A connection in the sealed part. It contains secrets in plaintext, so it exists only between the
/// seal and the store.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Missing in exports of stores that knew no tenants.
    #[serde(default)]
    tenant: Tenant,
    name: String,
    description: String,
    owner: Option<User>,
    mode: Mode,
    allowed_actions: Option<BTreeSet<String>>,
    node: String,
    credential_type: String,
    user: Option<User>,
    fields: Map<String, Value>,
    configuration: Configuration,
    asked_scopes: Option<Vec<String>>,
    granted_scopes: Option<Vec<String>>,
    identity: Map<String, Value>,
    health: Health,
    expires_at: Option<u64>,
    lifetime: Option<u64>,
    secrets: BTreeMap<String, String>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        for secret in self.secrets.values_mut() {
            zeroize::Zeroize::zeroize(secret);
        }
    }
}

/// Result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Kept from now on.
    pub imported: Vec<String>,
    /// Left as they were, because the name is taken.
    pub skipped: Vec<String>,
    /// Of those that were imported: their tokens are renewed by the service one for the other, so
    /// only one machine can go on using them.
    pub rotating: Vec<String>,
}

impl SqliteStore {
    /// These credentials of the default tenant, or all of all tenants, as the text of a sealed file.
    ///
    /// # Errors
    ///
    /// When one is not there or was changed outside of the store, when the passphrase is too
    /// short, or when the store cannot be read.
    pub fn export(
        &self,
        names: &[String],
        key: &StoreKey,
        cost: PassphraseCost,
    ) -> Result<String, StoreError> {
        let ids: Vec<CredentialId> = names.iter().map(CredentialId::from).collect();
        self.exported(|_| true, &ids, key, cost)
    }

    /// These credentials of a tenant, or all of them, as the text of a sealed file.
    ///
    /// # Errors
    ///
    /// Those of [`export`](Self::export).
    pub fn export_tenant(
        &self,
        tenant: &Tenant,
        names: &[String],
        key: &StoreKey,
        cost: PassphraseCost,
    ) -> Result<String, StoreError> {
        let ids: Vec<CredentialId> =
            names.iter().map(|name| CredentialId::of(tenant.clone(), name)).collect();
        self.exported(|head| *tenant == *head.tenant.as_str(), &ids, key, cost)
    }

    fn exported(
        &self,
        is_meant: impl Fn(&HeadRow) -> bool,
        ids: &[CredentialId],
        key: &StoreKey,
        cost: PassphraseCost,
    ) -> Result<String, StoreError> {
        let entries = self.reading(|database, opened| {
            let failed = |error| self.failed(error);
            let heads: Vec<HeadRow> = if ids.is_empty() {
                write::head_rows(database).map_err(failed)?.into_iter().filter(&is_meant).collect()
            } else {
                ids.iter().map(|id| self.head_row(database, id)).collect::<Result<_, _>>()?
            };
            let mut entries = Vec::new();
            for head in heads {
                let told = head.head(opened)?;
                for row in write::connection_rows(database, &head).map_err(failed)? {
                    let stored = row.stored(&head, opened)?;
                    let secrets = stored
                        .secrets
                        .iter()
                        .map(|(name, secret)| (name.clone(), secret.expose().to_owned()))
                        .collect();
                    let connection = stored.connection;
                    entries.push(Entry {
                        tenant: told.tenant.clone(),
                        name: told.name.clone(),
                        description: told.description.clone(),
                        owner: told.owner.clone(),
                        mode: told.mode,
                        allowed_actions: told.allowed_actions.clone(),
                        node: told.node.clone(),
                        credential_type: told.credential_type.clone(),
                        user: Some(row.user.as_str())
                            .filter(|user| !user.is_empty())
                            .map(User::from),
                        fields: connection.parts.fields,
                        configuration: connection.parts.configuration,
                        asked_scopes: connection.parts.asked_scopes,
                        granted_scopes: connection.parts.granted_scopes,
                        identity: connection.parts.identity,
                        health: connection.health,
                        expires_at: connection.parts.expires_at,
                        lifetime: connection.parts.lifetime,
                        secrets,
                    });
                }
            }
            Ok(entries)
        })?;
        seal(&entries, key, cost)
    }

    /// Stores the contents of a sealed file. An existing name is left unchanged and reported.
    ///
    /// # Errors
    ///
    /// If the file is not an export, was changed, or is sealed with another key, or the store
    /// cannot be written. Nothing was stored except what an earlier, interrupted import has stored.
    pub fn import(&self, file: &str, key: &StoreKey) -> Result<ImportReport, StoreError> {
        let entries = unseal(file, key)?;
        let mut report = ImportReport::default();
        for entry in &entries {
            let told = match &entry.user {
                None => entry.name.clone(),
                Some(user) => format!("{} of {user}", entry.name),
            };
            let rotates = entry.secrets.contains_key("refresh_token");
            let kept = self.keep(entry.credential(), None).and_then(|revision| {
                let key = crate::credential::ConnectionKey {
                    tenant: entry.tenant.clone(),
                    name: entry.name.clone(),
                    user: entry.user.clone(),
                };
                match &entry.health {
                    Health::Connected => Ok(()),
                    health => self.set_health(&key, revision, health.clone()),
                }
            });
            match kept {
                Ok(()) => {
                    if rotates {
                        report.rotating.push(told.clone());
                    }
                    report.imported.push(told);
                }
                Err(StoreError::Exists { .. } | StoreError::OtherKind { .. }) => {
                    report.skipped.push(told);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }
}

impl Entry {
    fn credential(&self) -> NewCredential {
        NewCredential {
            head: Head {
                tenant: self.tenant.clone(),
                name: self.name.clone(),
                description: self.description.clone(),
                owner: self.owner.clone(),
                mode: self.mode,
                allowed_actions: self.allowed_actions.clone(),
                node: self.node.clone(),
                credential_type: self.credential_type.clone(),
            },
            user: self.user.clone(),
            parts: ConnectionParts {
                fields: self.fields.clone(),
                configuration: self.configuration.clone(),
                asked_scopes: self.asked_scopes.clone(),
                granted_scopes: self.granted_scopes.clone(),
                identity: self.identity.clone(),
                expires_at: self.expires_at,
                lifetime: self.lifetime,
            },
            secrets: self
                .secrets
                .iter()
                .map(|(name, secret)| (name.clone(), Secret::new(secret.as_str())))
                .collect(),
        }
    }
}

fn seal(entries: &[Entry], key: &StoreKey, cost: PassphraseCost) -> Result<String, StoreError> {
    if let StoreKey::Passphrase(passphrase) = key
        && passphrase.len() < Secret::MINIMUM_LENGTH
    {
        return Err(StoreError::ShortPassphrase { minimum: Secret::MINIMUM_LENGTH });
    }
    let mut salt = vec![0; 16];
    fill_random(&mut salt)?;
    let PassphraseCost { memory_kib, iterations, parallelism } = cost;
    let mut file = File {
        format: FORMAT.to_owned(),
        version: 1,
        key_kind: key.kind().to_string(),
        salt: STANDARD.encode(&salt),
        memory_kib,
        iterations,
        parallelism,
        sealed: String::new(),
    };
    // With room for all, nothing is left behind in memory by a buffer that grows.
    let mut size = Counter(0);
    serde_json::to_writer(&mut size, entries).map_err(StoreError::unwritable)?;
    let mut clear = Zeroizing::new(Vec::with_capacity(size.0));
    serde_json::to_writer(&mut *clear, entries).map_err(StoreError::unwritable)?;
    let sealed = sealing_key(&file, &salt, key)?.seal(clear, &binding(&file))?;
    file.sealed = STANDARD.encode(sealed);
    serde_json::to_string_pretty(&file).map_err(StoreError::unwritable)
}

fn unseal(text: &str, key: &StoreKey) -> Result<Vec<Entry>, StoreError> {
    let wrong = |reason: &str| StoreError::Import { reason: reason.to_owned() };
    if text.len() > LARGEST {
        return Err(wrong("it is too large for an export"));
    }
    let file: File = serde_json::from_str(text)
        .ok()
        .filter(|file: &File| file.format == FORMAT)
        .ok_or_else(|| wrong("it is not a file that `credential export` has written"))?;
    if file.version != 1 {
        return Err(wrong("it was written by a newer version of this program"));
    }
    if file.key_kind != key.kind().to_string() {
        let kind = if file.key_kind == "key" { KeyKind::Key } else { KeyKind::Passphrase };
        return Err(wrong(&format!("it is sealed with a {kind}, not with a {}", key.kind())));
    }
    let base64 =
        |text: &str| STANDARD.decode(text).map_err(|_| wrong("it was changed or truncated"));
    let (salt, sealed) = (base64(&file.salt)?, base64(&file.sealed)?);
    // Foreign data until it is unsealed: it must not make us take all memory or time.
    if !cost_of(&file).is_sane() || !(8..=64).contains(&salt.len()) {
        return Err(wrong("its key derivation cost is invalid"));
    }
    let clear = sealing_key(&file, &salt, key)?
        .open(&sealed, &binding(&file))
        .map_err(|_| wrong("the key or passphrase does not match, or the file was changed"))?;
    serde_json::from_slice(&clear).map_err(|_| wrong("it does not contain credentials"))
}

fn cost_of(file: &File) -> PassphraseCost {
    PassphraseCost {
        memory_kib: file.memory_kib,
        iterations: file.iterations,
        parallelism: file.parallelism,
    }
}

fn sealing_key(file: &File, salt: &[u8], key: &StoreKey) -> Result<SealingKey, StoreError> {
    Ok(SealingKey::new(match key {
        StoreKey::Key(key) => key.clone(),
        StoreKey::Passphrase(passphrase) => derive(passphrase, salt, cost_of(file))?,
    }))
}

fn binding(file: &File) -> Binding {
    Binding::new(Purpose::Export)
        .with(file.format.as_bytes())
        .with(&file.version.to_le_bytes())
        .with(file.key_kind.as_bytes())
        .with(file.salt.as_bytes())
        .with(&file.memory_kib.to_le_bytes())
        .with(&file.iterations.to_le_bytes())
        .with(&file.parallelism.to_le_bytes())
}

/// Counts what is written to it.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
