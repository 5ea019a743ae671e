//! The default credential store: one SQLite file, in which every secret is sealed.
//!
//! A random data key, made with the store, seals the secrets (XChaCha20-Poly1305). The data key
//! itself is sealed with a [`StoreKey`]: a key, or a passphrase by way of Argon2id. A wrong key is
//! noticed before anything is written. Every row is sealed as a whole: the seal of a connection's
//! secrets is bound to the store, the row, its revision, and all that decides who gets them, for
//! what, and where they are sent; what is not secret is bound to a seal of its own. So rows can be
//! neither altered nor swapped unnoticed. What is not noticed is an older copy put back, be it of
//! the file or of one whole row, and a row that is taken out.
//!
//! In clear stand names, descriptions, owners, nodes, types, fields, configurations, scopes, what
//! the service says about whose an account is, workflows, and times. The file is for its owner
//! alone (mode 0600); processes may share it.
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

mod elsewhere;
mod error;
mod export;
mod file;
mod key;
mod lease;
mod migrate;
mod record;
mod rekey;
mod schema;
mod seal;
mod write;

pub use error::StoreError;
pub use export::ImportReport;
pub use key::{KeyKind, PassphraseCost, StoreKey};

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection as Database, Transaction, TransactionBehavior};
use serde_json::{Map, Value};

use crate::clock::{Clock, SystemClock};
use crate::credential::{
    Connection, ConnectionKey, CredentialSummary, Dependant, Head, HeadChange, Health, Mode,
    NewCredential, Renewal, Stored,
};
use record::{ConnectionRow, Course, HeadRow, check_name, signed, unsigned};
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
    /// What the file is read with, and the sealed form of its key, by which it is seen whether
    /// another process has changed the key meanwhile.
    opened: Mutex<Arc<(Opened, Vec<u8>)>>,
    database: Mutex<Database>,
    clock: Box<dyn Clock>,
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

    /// Like [`open_with_cost`](Self::open_with_cost), with a clock of one's own.
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
        Ok(Self(Arc::new(Inner { path, opened, database: Mutex::new(database), clock })))
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

    /// What belongs to a name.
    ///
    /// # Errors
    ///
    /// When it is not there, was changed outside of the store, or when the store cannot be read.
    pub fn head(&self, name: &str) -> Result<Head, StoreError> {
        self.reading(|database, opened| self.head_row(database, name)?.head(opened))
    }

    /// What is kept, by name and user. No secret comes out, but every seal is checked: of a record
    /// that was changed outside of the store nothing is told but that.
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
                            StoreError::Tampered { name } => all.push(record::tampered(name)),
                            error => return Err(error),
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(all)
        })
    }

    /// What is kept under a name: one summary, or with [`Mode::PerUser`] one per user.
    ///
    /// # Errors
    ///
    /// When there is no such credential, it was changed outside of the store, or the store cannot
    /// be read.
    pub fn summaries(&self, name: &str) -> Result<Vec<CredentialSummary>, StoreError> {
        self.reading(|database, opened| {
            let head = self.head_row(database, name)?;
            self.summaries_of(database, opened, &head)
        })
    }

    /// What is kept under a name; with [`Mode::PerUser`] of the first user.
    ///
    /// # Errors
    ///
    /// Those of [`summaries`](Self::summaries).
    pub fn summary(&self, name: &str) -> Result<CredentialSummary, StoreError> {
        let first = self.summaries(name)?.into_iter().next();
        first.ok_or_else(|| StoreError::Unknown { name: name.to_owned(), known: Vec::new() })
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

    /// Keeps a new credential, or a connection of one more user, at revision 1.
    ///
    /// # Errors
    ///
    /// When its name is no name or taken, or when the store cannot be written.
    pub fn add(&self, credential: NewCredential) -> Result<(), StoreError> {
        self.keep(credential, None).map(|_| ())
    }

    /// Keeps a credential: makes the name, adds a user's connection, or with `replacing` replaces
    /// all of the connection that has this revision. Returns its revision.
    ///
    /// # Errors
    ///
    /// When its name is no name or taken, when the connection has another revision, when it is for
    /// another node or type than the name, or when the store cannot be written.
    pub fn keep(
        &self,
        credential: NewCredential,
        replacing: Option<u64>,
    ) -> Result<u64, StoreError> {
        let now = self.0.clock.unix_milliseconds();
        check_name(&credential.name)?;
        let per_user = credential.mode == Mode::PerUser;
        if per_user != credential.user.is_some() {
            return Err(StoreError::UserOfMode { name: credential.name, per_user });
        }
        let mut id = vec![0; 16];
        seal::fill_random(&mut id)?;
        self.writing(|database, opened| {
            let failed = |error| self.failed(error);
            let name = &credential.name;
            let exists = || StoreError::Exists { name: name.clone() };
            let head = match write::head_row(database, name).map_err(failed)? {
                Some(head) => {
                    let told = head.head(opened)?;
                    if replacing.is_none() && !per_user {
                        return Err(exists());
                    }
                    let same = told.node == credential.node
                        && told.credential_type == credential.credential_type
                        && told.mode == credential.mode;
                    if !same {
                        return Err(StoreError::OtherKind {
                            name: name.clone(),
                            is: format!("{} of {}, {}", told.credential_type, told.node, told.mode),
                        });
                    }
                    head
                }
                None if replacing.is_some() => return Err(self.unknown(database, name)),
                None => {
                    let head = Head {
                        name: name.clone(),
                        description: credential.description.clone(),
                        owner: credential.owner.clone(),
                        mode: credential.mode,
                        allowed_actions: credential.allowed_actions.clone(),
                        node: credential.node.clone(),
                        credential_type: credential.credential_type.clone(),
                        created_at: now,
                    };
                    let head = HeadRow::of(&head, id)?.sealed(opened)?;
                    write::insert_head(database, &head).map_err(failed)?;
                    head
                }
            };
            let user = credential.user.as_deref();
            let there =
                write::connection_row(database, &head, user.unwrap_or_default()).map_err(failed)?;
            let mut course = Course::default();
            let revision = match (&there, replacing) {
                (None, _) => 1,
                (Some(_), None) => return Err(exists()),
                (Some(row), Some(expected)) => {
                    let found = unsigned(row.revision);
                    if found != expected {
                        return Err(StoreError::Changed { name: name.clone(), expected, found });
                    }
                    // Sealing anew what others have changed would make it good.
                    row.secrets(&head, opened)?;
                    let before = row.course(&head, opened)?;
                    course.used = before.used;
                    // The fence stays above every lease that was given out before.
                    course.lease.fence = before.lease.fence + 1;
                    found + 1
                }
            };
            let connection = Connection {
                fields: credential.fields.clone(),
                configuration: credential.configuration.clone(),
                asked_scopes: credential.asked_scopes.clone(),
                granted_scopes: credential.granted_scopes.clone(),
                identity: credential.identity.clone(),
                health: Health::Connected,
                expires_at: credential.expires_at,
                lifetime: credential.lifetime,
                connected_at: now,
                updated_at: now,
                revision,
            };
            let mut row = ConnectionRow::of(&connection, user)?;
            row.seal(&head, opened, &credential.secrets)?;
            row.set_course(&course, &head, opened)?;
            write::insert_connection(database, &head, &row).map_err(failed)?;
            Ok(revision)
        })
    }

    /// Writes new tokens down. Either all of this happens or nothing. Returns the new revision.
    ///
    /// # Errors
    ///
    /// When there is no such connection, when it has another revision by now, when its record was
    /// changed outside of the store, or when the store cannot be written.
    pub fn renew(
        &self,
        key: &ConnectionKey,
        revision: u64,
        renewal: Renewal,
    ) -> Result<u64, StoreError> {
        self.change_connection(key, Some(revision), |connection, secrets, course| {
            connection.revision += 1;
            connection.health = Health::Connected;
            connection.expires_at = renewal.expires_at;
            connection.lifetime = renewal.lifetime;
            if renewal.granted_scopes.is_some() {
                connection.granted_scopes = renewal.granted_scopes;
            }
            *secrets = renewal.secrets;
            course.lease.sent_at = None;
            course.lease.not_before = 0;
        })
    }

    /// Notes how a connection is. [`Health::Disconnected`] wipes its secrets, and raises its
    /// revision.
    ///
    /// # Errors
    ///
    /// Those of [`renew`](Self::renew).
    pub fn set_health(
        &self,
        key: &ConnectionKey,
        revision: u64,
        health: Health,
    ) -> Result<(), StoreError> {
        self.change_connection(key, Some(revision), |connection, secrets, course| {
            if health == Health::Disconnected {
                secrets.clear();
                connection.revision += 1;
                connection.expires_at = None;
                connection.lifetime = None;
            }
            if health != Health::Connected {
                course.lease.sent_at = None;
            }
            connection.health = health;
        })
        .map(|_| ())
    }

    /// Notes whose a connection is at the service.
    ///
    /// # Errors
    ///
    /// Those of [`renew`](Self::renew).
    pub fn set_identity(
        &self,
        key: &ConnectionKey,
        revision: u64,
        identity: Map<String, Value>,
    ) -> Result<(), StoreError> {
        self.change_connection(key, Some(revision), |connection, _, _| {
            connection.identity = identity;
        })
        .map(|_| ())
    }

    /// Changes what belongs to a name. Another mode wipes the secrets of every connection.
    ///
    /// # Errors
    ///
    /// When there is no such credential, when a record of it was changed outside of the store, or
    /// when the store cannot be written.
    pub fn change(&self, name: &str, change: HeadChange) -> Result<(), StoreError> {
        let now = signed(self.0.clock.unix_milliseconds());
        self.writing(|database, opened| {
            let failed = |error| self.failed(error);
            let before = self.head_row(database, name)?;
            let mut head = before.head(opened)?;
            let mut new_mode = None;
            match &change {
                HeadChange::Description(text) => head.description.clone_from(text),
                HeadChange::AllowedActions(actions) => head.allowed_actions.clone_from(actions),
                HeadChange::Owner(owner) => head.owner.clone_from(owner),
                HeadChange::Mode(mode) if *mode == head.mode => return Ok(()),
                HeadChange::Mode(mode) => {
                    new_mode = Some(*mode);
                    head.mode = *mode;
                }
            }
            let after = HeadRow::of(&head, before.id.clone())?.sealed(opened)?;
            write::update_head(database, &after).map_err(failed)?;
            for mut row in write::connection_rows(database, &before).map_err(failed)? {
                let mut secrets = row.secrets(&before, opened)?;
                if let Some(mode) = new_mode {
                    secrets = BTreeMap::new();
                    let reason = format!("it is {mode} now, and has to be connected as such");
                    row.health = record::json(&Health::NeedsReconnect { reason })?;
                    row.revision += 1;
                    row.expires_at = None;
                    row.lifetime = None;
                    row.updated_at = now;
                    if (mode == Mode::PerUser) != !row.user.is_empty() {
                        // It belongs to nobody who could connect it in this mode.
                        self.delete_connection(database, &before, &row.user)?;
                        continue;
                    }
                }
                row.seal(&after, opened, &secrets)?;
                write::insert_connection(database, &after, &row).map_err(failed)?;
            }
            Ok(())
        })
    }

    /// Removes a credential and all its connections. The place where they stood in the file is
    /// overwritten.
    ///
    /// # Errors
    ///
    /// When there is no such credential, or when the store cannot be written.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.writing(|database, _| {
            let removed = database
                .execute("DELETE FROM head WHERE name = ?1", [name])
                .map_err(|error| self.failed(error))?;
            match removed {
                0 => Err(self.unknown(database, name)),
                _ => Ok(()),
            }
        })
    }

    fn delete_connection(
        &self,
        database: &Database,
        head: &HeadRow,
        user: &str,
    ) -> Result<(), StoreError> {
        database
            .execute(
                "DELETE FROM connection WHERE head = ?1 AND user = ?2",
                rusqlite::params![head.id, user],
            )
            .map(|_| ())
            .map_err(|error| self.failed(error))
    }

    /// Changes a connection, at this revision where one is given. Returns the revision that it has
    /// then.
    fn change_connection(
        &self,
        key: &ConnectionKey,
        expected: Option<u64>,
        change: impl FnOnce(&mut Connection, &mut BTreeMap<String, crate::Secret>, &mut Course),
    ) -> Result<u64, StoreError> {
        let now = self.0.clock.unix_milliseconds();
        self.writing(|database, opened| {
            let (head, row) = self.rows(database, key)?;
            let found = unsigned(row.revision);
            if let Some(expected) = expected
                && found != expected
            {
                return Err(StoreError::Changed { name: key.name.clone(), expected, found });
            }
            // Sealing the row as it stands would make good what others have done to it.
            let mut secrets = row.secrets(&head, opened)?;
            head.head(opened)?;
            let mut connection = row.connection(&head)?;
            let mut course = row.course(&head, opened)?;
            change(&mut connection, &mut secrets, &mut course);
            connection.updated_at = now;
            let mut row = ConnectionRow::of(&connection, key.user.as_deref())?;
            row.seal(&head, opened, &secrets)?;
            row.set_course(&course, &head, opened)?;
            write::insert_connection(database, &head, &row).map_err(|error| self.failed(error))?;
            Ok(connection.revision)
        })
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

    fn head_row(&self, database: &Database, name: &str) -> Result<HeadRow, StoreError> {
        write::head_row(database, name)
            .map_err(|error| self.failed(error))?
            .ok_or_else(|| self.unknown(database, name))
    }

    fn rows(
        &self,
        database: &Database,
        key: &ConnectionKey,
    ) -> Result<(HeadRow, ConnectionRow), StoreError> {
        let head = self.head_row(database, &key.name)?;
        let user = key.user.as_deref().unwrap_or_default();
        let row = write::connection_row(database, &head, user)
            .map_err(|error| self.failed(error))?
            .ok_or_else(|| StoreError::NotConnected {
                name: key.name.clone(),
                user: key.user.clone(),
            })?;
        Ok((head, row))
    }

    fn unknown(&self, database: &Database, name: &str) -> StoreError {
        if let Err(error) = check_name(name) {
            return error;
        }
        match write::names(database) {
            Ok(known) => StoreError::Unknown { name: name.to_owned(), known },
            Err(error) => self.failed(error),
        }
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
        // What is sealed with a key that is no longer the store's could never be opened again.
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
