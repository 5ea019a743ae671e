//! The default credential store: one SQLite file, in which every secret is sealed.
//!
//! A random data key, created with the store, seals the secrets (XChaCha20-Poly1305). The data key
//! is sealed with a [`StoreKey`]: a key, or a key derived from a passphrase with Argon2id. A wrong
//! key is detected before anything is written. Every row is sealed as a whole: the seal of a
//! connection's secrets is bound to the store, the row, its revision, and everything that
//! determines who receives them, for what, and where they are sent. A separate seal protects the
//! other fields. Changed or swapped rows are therefore detected. Restoring an older copy of the
//! file or of one whole row, and deleting a row, are not detected.
//!
//! The following is stored in plain text: names, descriptions, owners, nodes, types, fields,
//! configurations, scopes, account information from the service, workflows, and times. Only the
//! owner of the file can read it (mode 0600); processes may share it.
//!
//! ```
//! # use workflow_node_host::store::{SqliteStore, StoreKey};
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! let key = StoreKey::generate_key_file(&directory.join("keys/store.key"))?;
//! let store = SqliteStore::open(&directory.join("data/credentials.db"), key)?;
//! assert!(store.list()?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocking;
mod changes;
mod error;
mod export;
mod file;
mod key;
mod lazy;
mod lease;
mod migrate;
mod purge;
mod record;
mod rekey;
mod schema;
mod seal;
mod triggers;
mod write;

pub use error::StoreError;
pub use export::ImportReport;
pub use key::{KeyKind, PassphraseCost, StoreKey};
pub use lazy::LazyStore;
pub use purge::{Purge, Purged};

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection as Database, Transaction, TransactionBehavior};
use zeroize::Zeroizing;

use crate::clock::{Clock, SystemClock};
use crate::credential::{ConnectionKey, CredentialId, CredentialSummary, Dependant, Head, Stored};
use crate::journal::JournalKey;
use crate::principal::User;
use record::{ConnectionRow, HeadRow, check_name, signed, unsigned};
use schema::{Header, Opened};
use seal::{Binding, Purpose};

/// Credentials in a file. Clones share the file's handle.
///
/// The methods block while they wait for the disk or for another process, up to 20 seconds; as a
/// [`CredentialStore`](crate::credential::CredentialStore) the store moves that to tokio's
/// blocking threads.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// Keys that the file is read with, and the sealed form of its key. The sealed form shows
    /// whether another process has changed the key in the meantime.
    opened: Mutex<Arc<(Opened, Vec<u8>)>>,
    database: Mutex<Database>,
    clock: Box<dyn Clock>,
    /// Marks that were added; see `triggers`.
    marks: AtomicUsize,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteStore").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store, or makes it where there is none: the file for its owner alone (0600), and
    /// missing directories likewise (0700). A store is opened by the kind of key that it was made
    /// with. One of an older format is brought up to date, in one transaction.
    ///
    /// # Errors
    ///
    /// If the key is wrong, the file is not a credential store, is damaged, or has a newer format,
    /// users other than its owner can access it, or it cannot be created or read. An existing file
    /// is left unchanged.
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

    /// Like [`open_with_cost`](Self::open_with_cost), with a custom clock.
    ///
    /// # Errors
    ///
    /// Those of [`open_with_cost`](Self::open_with_cost).
    pub fn open_with_clock(
        path: &Path,
        key: StoreKey,
        cost: PassphraseCost,
        clock: Box<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let path = absolute(path)?;
        file::ensure_private(&path)?;
        let mut database = schema::connect(&path)?;
        let now = signed(clock.unix_milliseconds());
        let (header, opened) = schema::open_or_make(&mut database, &path, &key, cost, now)?;
        let opened = Mutex::new(Arc::new((opened, header.sealed_data_key().to_vec())));
        let (database, marks) = (Mutex::new(database), AtomicUsize::new(0));
        Ok(Self(Arc::new(Inner { path, opened, database, clock, marks })))
    }

    /// Kind of key that opens the store in a file, so that a program can prompt for it. `None` if
    /// the store does not exist yet.
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

    /// A connection with its secrets.
    ///
    /// # Errors
    ///
    /// When it is not there, was changed outside of the store, or when the store cannot be read.
    pub fn read(&self, key: &ConnectionKey) -> Result<Stored, StoreError> {
        self.reading(|database, opened| {
            let (head, row) = self.rows(database, key)?;
            row.stored(&head, opened)
        })
    }

    /// Head of a credential: the data of its name.
    ///
    /// # Errors
    ///
    /// When it does not exist, was changed outside of the store, or the store cannot be read.
    pub fn head(&self, credential: impl Into<CredentialId>) -> Result<Head, StoreError> {
        let id = credential.into();
        self.reading(|database, opened| self.head_row(database, &id)?.head(opened))
    }

    /// Summaries, by name and user. They contain no secrets, but every seal is checked: for a
    /// record that was changed outside the store, the summary states only this.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<CredentialSummary>, StoreError> {
        self.reading(|database, opened| {
            let heads = write::head_rows(database).map_err(|error| self.failed(error))?;
            let mut all = Vec::new();
            for head in heads {
                match self.summaries_of(database, opened, &head) {
                    Ok(summaries) => all.extend(summaries),
                    Err(error @ StoreError::Tampered { .. }) => {
                        match self.explained(database, &self.opened().1, error) {
                            StoreError::Tampered { name } => {
                                all.push(record::tampered(&head, name))
                            }
                            error => return Err(error),
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(all)
        })
    }

    /// Summaries for a name: one, or one per user if each user has a separate connection.
    ///
    /// # Errors
    ///
    /// When there is no such credential, it was changed outside of the store, or the store cannot
    /// be read.
    pub fn summaries(
        &self,
        credential: impl Into<CredentialId>,
    ) -> Result<Vec<CredentialSummary>, StoreError> {
        let id = credential.into();
        self.reading(|database, opened| {
            let head = self.head_row(database, &id)?;
            self.summaries_of(database, opened, &head)
        })
    }

    /// Summary for a name. If each user has a separate connection, that of the first user.
    ///
    /// # Errors
    ///
    /// Those of [`summaries`](Self::summaries).
    pub fn summary(
        &self,
        credential: impl Into<CredentialId>,
    ) -> Result<CredentialSummary, StoreError> {
        let id = credential.into();
        let first = self.summaries(&id)?.into_iter().next();
        first.ok_or_else(|| StoreError::Unknown { name: id.name, known: Vec::new() })
    }

    fn summaries_of(
        &self,
        database: &Database,
        opened: &Opened,
        head: &HeadRow,
    ) -> Result<Vec<CredentialSummary>, StoreError> {
        let now = self.0.clock.unix_milliseconds();
        let rows = write::connection_rows(database, head).map_err(|error| self.failed(error))?;
        let dependants = self.dependants_of(database, opened, head)?;
        if rows.is_empty() {
            return Ok(vec![record::summary(head, None, opened, dependants, now)?]);
        }
        rows.iter()
            .map(|row| record::summary(head, Some(row), opened, dependants.clone(), now))
            .collect()
    }

    fn dependants_of(
        &self,
        database: &Database,
        opened: &Opened,
        head: &HeadRow,
    ) -> Result<Vec<Dependant>, StoreError> {
        let rows = write::dependant_rows(database, head).map_err(|error| self.failed(error))?;
        rows.into_iter()
            .map(|(workflow, seen_at, seal)| {
                opened
                    .data_key
                    .check_nothing(&seal, &dependant_binding(opened, head, &workflow, seen_at))
                    .map_err(|_| head.tampered())?;
                Ok(Dependant { workflow, seen_at: unsigned(seen_at) })
            })
            .collect()
    }

    fn head_row(&self, database: &Database, id: &CredentialId) -> Result<HeadRow, StoreError> {
        write::head_row(database, id)
            .map_err(|error| self.failed(error))?
            .ok_or_else(|| self.unknown(database, id))
    }

    fn rows(
        &self,
        database: &Database,
        key: &ConnectionKey,
    ) -> Result<(HeadRow, ConnectionRow), StoreError> {
        let head = self.head_row(database, &key.credential())?;
        let user = key.user.as_ref().map(User::as_str).unwrap_or_default();
        let row = write::connection_row(database, &head, user)
            .map_err(|error| self.failed(error))?
            .ok_or_else(|| StoreError::NotConnected {
                name: key.name.clone(),
                user: key.user.clone(),
            })?;
        Ok((head, row))
    }

    fn unknown(&self, database: &Database, id: &CredentialId) -> StoreError {
        if let Err(error) = check_name(&id.name) {
            return error;
        }
        match write::names(database, &id.tenant) {
            Ok(known) => StoreError::Unknown { name: id.name.clone(), known },
            Err(error) => self.failed(error),
        }
    }

    fn now(&self) -> u64 {
        self.0.clock.unix_milliseconds()
    }

    /// The key that seals journals. It is derived from the store's data key, and stays the same
    /// until the store's key is changed. After [`SqliteStore::change_key`], earlier journals can no
    /// longer be opened.
    pub fn journal_key(&self) -> JournalKey {
        JournalKey::new(*self.opened().0.data_key.derive("workflow-node store: journals, 1"))
    }

    /// A key for data that an engine keeps outside the store. `purpose` names the use of the key,
    /// and keys of different purposes reveal nothing about each other. The key is derived from the
    /// store's data key, as [`journal_key`](Self::journal_key) is.
    pub fn derived_key(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let purpose = format!("workflow-node store: data of an engine, 1: {purpose}");
        self.opened().0.data_key.derive(&purpose)
    }

    fn opened(&self) -> Arc<(Opened, Vec<u8>)> {
        self.0.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reading<T>(
        &self,
        read: impl FnOnce(&Database, &Opened) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let opened = self.opened();
        let mut database = self.database();
        // One transaction, so that what is read belongs together.
        let transaction = database
            .transaction_with_behavior(TransactionBehavior::Deferred)
            .map_err(|error| self.failed(error))?;
        read(&transaction, &opened.0)
            .map_err(|error| self.explained(&transaction, &opened.1, error))
    }

    fn writing<T>(
        &self,
        write: impl FnOnce(&Transaction<'_>, &Opened) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let opened = self.opened();
        let mut database = self.database();
        let transaction = database
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| self.failed(error))?;
        // Data sealed with a key that is no longer the store's could never be opened again.
        if !Header::is_current(&transaction, &opened.1).map_err(|error| self.failed(error))? {
            return Err(StoreError::KeyChanged { path: self.0.path.clone() });
        }
        let value = write(&transaction, &opened.0)
            .map_err(|error| self.explained(&transaction, &opened.1, error))?;
        transaction.commit().map_err(|error| self.failed(error))?;
        Ok(value)
    }

    /// A record that does not open is not tampered with if the store has another key by now.
    fn explained(&self, database: &Database, sealed: &[u8], error: StoreError) -> StoreError {
        let is_current = || Header::is_current(database, sealed).unwrap_or(true);
        match error {
            StoreError::Tampered { .. } if !is_current() => {
                StoreError::KeyChanged { path: self.0.path.clone() }
            }
            error => error,
        }
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        self.0.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.0.path, error)
    }
}

fn dependant_binding(opened: &Opened, head: &HeadRow, workflow: &str, seen_at: i64) -> Binding {
    Binding::new(Purpose::Dependant)
        .with(&opened.id)
        .with(&head.id)
        .with(workflow.as_bytes())
        .with(&seen_at.to_le_bytes())
}

/// SQLite would take a relative path that begins with `file:` for a URI, and some names for a
/// database in memory.
fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(|source| StoreError::io("find", path, source))
}
