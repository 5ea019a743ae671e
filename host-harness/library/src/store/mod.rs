//! The default credential store: one SQLite file, in which every secret is sealed.
//!
//! A random data key, made with the store, seals the secrets (XChaCha20-Poly1305). The data key
//! itself is sealed with a [`StoreKey`]: a key, or a passphrase by way of Argon2id. A wrong key is
//! noticed before anything is written. Each credential's seal is bound to the store, to its row and
//! revision, and to all that decides who gets it and where it is sent, so that rows can be neither
//! altered nor swapped unnoticed. What is not noticed is an older copy put back, be it of the file
//! or of one whole row.
//!
//! In clear stand the names, nodes, types, fields, configurations, scopes and times. The file is
//! for its owner alone (mode 0600); processes may share it.
//!
//! ```
//! # use workflow_node_host::store::{CredentialStore, StoreKey};
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! let key = StoreKey::generate_key_file(&directory.join("keys/store.key"))?;
//! let store = CredentialStore::open(&directory.join("data/credentials.db"), key)?;
//! assert!(store.list()?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod file;
mod key;
mod record;
mod schema;
mod seal;
mod source;

pub use error::StoreError;
pub use key::{KeyKind, PassphraseCost, StoreKey};
pub use record::{CredentialState, CredentialSummary, LastUse, NewCredential};

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::clock::{Clock, SystemClock};
use crate::secret::Secret;
use record::{COLUMNS, Record, check_name, unsigned};
use schema::{Header, Opened};

/// Credentials in a file. Clones share the file's handle.
///
/// The methods block while they wait for the disk or for another process, up to 20 seconds; as a
/// [`CredentialSource`](crate::credential::CredentialSource) the store moves that to tokio's blocking threads.
#[derive(Clone)]
pub struct CredentialStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    opened: Opened,
    connection: Mutex<Connection>,
    clock: Box<dyn Clock>,
}

impl fmt::Debug for CredentialStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CredentialStore")
            .field("path", &self.0.path)
            .finish_non_exhaustive()
    }
}

impl CredentialStore {
    /// Opens the store, or makes it where there is none: the file for its owner alone (0600), and
    /// missing directories likewise (0700). A store is opened by the kind of key that it was made
    /// with.
    ///
    /// # Errors
    ///
    /// When the key is wrong, when the file is none of ours, damaged or of a newer format, when
    /// others than its owner may use it, or when it cannot be made or read. In all these cases a
    /// file that was there is left as it was.
    pub fn open(path: &Path, key: StoreKey) -> Result<Self, StoreError> {
        Self::open_with_cost(path, key, PassphraseCost::default())
    }

    /// Like [`open`](Self::open), with another cost for a new store's passphrase. A store that is
    /// there keeps its own.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and when Argon2id does not take the cost.
    pub fn open_with_cost(
        path: &Path,
        key: StoreKey,
        cost: PassphraseCost,
    ) -> Result<Self, StoreError> {
        Self::open_with_clock(path, key, cost, Box::new(SystemClock::default()))
    }

    fn open_with_clock(
        path: &Path,
        key: StoreKey,
        cost: PassphraseCost,
        clock: Box<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let path = absolute(path)?;
        file::ensure_private(&path)?;
        let mut connection = schema::connect(&path)?;
        let opened = schema::open_or_make(&mut connection, &path, &key, cost, now(&*clock))?;
        Ok(Self(Arc::new(Inner { path, opened, connection: Mutex::new(connection), clock })))
    }

    /// Which kind of key opens the store in a file; `None` where there is no store yet. Tells a
    /// program what to ask for.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), but for a wrong key.
    pub fn key_kind(path: &Path) -> Result<Option<KeyKind>, StoreError> {
        let path = absolute(path)?;
        match std::fs::metadata(&path) {
            Ok(metadata) => file::refuse_exposed(&path, &metadata)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::io("look at", &path, source)),
        }
        let header = Header::read(&schema::connect(&path)?, &path)?;
        Ok(header.map(|header| header.kind()))
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Stores a new credential, at revision 1.
    ///
    /// # Errors
    ///
    /// When its name is no name or taken, or when the store cannot be written.
    pub fn add(&self, credential: NewCredential) -> Result<(), StoreError> {
        let mut id = vec![0; 16];
        seal::fill_random(&mut id)?;
        let Inner { opened, clock, .. } = &*self.0;
        let mut record = Record::new(&credential, id, now(&**clock))?;
        record.sealed_secrets =
            opened.data_key.seal_secrets(&credential.secrets, &record.binding(&opened.id))?;
        let added = self
            .connection()
            .execute(
                "INSERT INTO credential (name, id, owner, node, credential_type, fields, \
                 configuration, granted_scopes, revision, sealed_secrets, created_at, updated_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11) \
                 ON CONFLICT (name) DO NOTHING",
                params![
                    record.name,
                    record.id,
                    record.owner,
                    record.node,
                    record.credential_type,
                    record.fields,
                    record.configuration,
                    record.granted_scopes,
                    record.revision,
                    record.sealed_secrets,
                    record.created_at,
                ],
            )
            .map_err(|error| self.failed(error))?;
        match added {
            0 => Err(StoreError::Exists { name: credential.name }),
            _ => Ok(()),
        }
    }

    /// Replaces all secrets of a credential whose revision is still `revision`, and returns the
    /// new revision. It counts as connected again. Either all of this happens or nothing.
    ///
    /// # Errors
    ///
    /// When there is no such credential, when it has another revision by now, when its record was
    /// changed outside of the store, or when the store cannot be written.
    pub fn replace_secrets(
        &self,
        name: &str,
        revision: u64,
        secrets: &BTreeMap<String, Secret>,
    ) -> Result<u64, StoreError> {
        let Opened { id, data_key } = &self.0.opened;
        self.change(name, revision, |record| {
            // Sealing the row as it stands would make good what others have done to it.
            data_key
                .open_secrets(&record.sealed_secrets, &record.binding(id))
                .map_err(|_| record.tampered())?;
            record.revision += 1;
            record.sealed_secrets = data_key.seal_secrets(secrets, &record.binding(id))?;
            record.reconnect_reason = None;
            Ok(())
        })
    }

    /// Notes that a credential whose revision is still `revision` must be connected again: it is
    /// not given out any more until its secrets are replaced. The reason is shown to people, and
    /// stored in clear.
    ///
    /// # Errors
    ///
    /// When there is no such credential, when it has another revision by now, or when the store
    /// cannot be written.
    pub fn require_reconnect(
        &self,
        name: &str,
        revision: u64,
        reason: &str,
    ) -> Result<(), StoreError> {
        let change = |record: &mut Record| {
            record.reconnect_reason = Some(reason.to_owned());
            Ok(())
        };
        self.change(name, revision, change).map(|_| ())
    }

    /// What is stored, by name. Opens no secret.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<CredentialSummary>, StoreError> {
        let connection = self.connection();
        let read = || {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM credential ORDER BY name"))?
                .query_map([], Record::read)?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        let records = read().map_err(|error| self.failed(error))?;
        records.iter().map(Record::summary).collect()
    }

    /// What is stored under a name. Opens no secret.
    ///
    /// # Errors
    ///
    /// When there is no such credential, or when the store cannot be read.
    pub fn summary(&self, name: &str) -> Result<CredentialSummary, StoreError> {
        self.record(&self.connection(), name)?.summary()
    }

    /// Removes a credential. The place where it stood in the file is overwritten.
    ///
    /// # Errors
    ///
    /// When there is no such credential, or when the store cannot be written.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let connection = self.connection();
        let removed = connection
            .execute("DELETE FROM credential WHERE name = ?1", [name])
            .map_err(|error| self.failed(error))?;
        match removed {
            0 => Err(self.unknown(&connection, name)),
            _ => Ok(()),
        }
    }

    /// Changes a row that has this revision. Returns the revision that it has then.
    fn change(
        &self,
        name: &str,
        expected: u64,
        change: impl FnOnce(&mut Record) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut connection = self.connection();
        let failed = |error| self.failed(error);
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let mut record = self.record(&transaction, name)?;
        let found = unsigned(record.revision);
        if found != expected {
            return Err(StoreError::Changed { name: record.name, expected, found });
        }
        change(&mut record)?;
        transaction
            .execute(
                "UPDATE credential SET revision = ?1, sealed_secrets = ?2, reconnect_reason = ?3, \
                 updated_at = ?4 WHERE id = ?5",
                params![
                    record.revision,
                    record.sealed_secrets,
                    record.reconnect_reason,
                    now(&*self.0.clock),
                    record.id,
                ],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(unsigned(record.revision))
    }

    fn record(&self, connection: &Connection, name: &str) -> Result<Record, StoreError> {
        let read = || {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM credential WHERE name = ?1"))?
                .query_row([name], Record::read)
                .optional()
        };
        let record = read().map_err(|error| self.failed(error))?;
        record.ok_or_else(|| self.unknown(connection, name))
    }

    fn unknown(&self, connection: &Connection, name: &str) -> StoreError {
        if let Err(error) = check_name(name) {
            return error;
        }
        let known = || {
            connection
                .prepare_cached("SELECT name FROM credential ORDER BY name")?
                .query_map([], |row| row.get(0))?
                .collect()
        };
        match known() {
            Ok(known) => StoreError::Unknown { name: name.to_owned(), known },
            Err(error) => self.failed(error),
        }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.connection.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.0.path, error)
    }
}

/// SQLite would take a relative path that begins with `file:` for a URI, and some names for a
/// database in memory.
fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(|source| StoreError::io("find", path, source))
}

fn now(clock: &dyn Clock) -> i64 {
    i64::try_from(clock.unix_milliseconds()).unwrap_or(i64::MAX)
}
