//! The database: how it is opened, its tables, and the header with the keys that open it.
//!
//! It keeps SQLite's rollback journal. A write-ahead log would let readers and writers go side by
//! side, but needs a shared memory file beside the database and does not work on network file
//! systems; a store is small and seldom written.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::error::StoreError;
use super::key::{KeyKind, PassphraseCost, StoreKey, derive};
use super::migrate;
use super::record::unsigned;
use super::seal::{Binding, Purpose, SealingKey, fill_random};
use crate::secret::Secret;

/// Marks the file as ours (`wncs`), in SQLite's own header.
const APPLICATION_ID: i64 = 0x776e_6373;
/// Raised when an older version could no longer use the store.
const FORMAT: i64 = 3;
/// How long a process waits for another one's write. A write takes milliseconds; with a hundred
/// waiting at once, the last one is served well within this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// The header; the same since format 1.
const STORE: &str = "
CREATE TABLE store (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id BLOB NOT NULL,
    key_kind TEXT NOT NULL CHECK (key_kind IN ('key', 'passphrase')),
    salt BLOB NOT NULL,
    memory_kib INTEGER NOT NULL,
    iterations INTEGER NOT NULL,
    parallelism INTEGER NOT NULL,
    sealed_data_key BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
";

/// Tables of the store: a row for each name, one for each connection under it, and one for each
/// workflow that has named it. Every row is sealed as a whole; see `record`.
pub(super) const TABLES: &str = "
CREATE TABLE head (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    id BLOB NOT NULL UNIQUE,
    description TEXT NOT NULL,
    owner TEXT,
    mode TEXT NOT NULL,
    allowed_actions TEXT NOT NULL,
    node TEXT NOT NULL,
    credential_type TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT;
CREATE TABLE connection (
    head BLOB NOT NULL REFERENCES head (id) ON DELETE CASCADE,
    user TEXT NOT NULL,
    fields TEXT NOT NULL,
    configuration TEXT NOT NULL,
    asked_scopes TEXT NOT NULL,
    granted_scopes TEXT NOT NULL,
    identity TEXT NOT NULL,
    health TEXT NOT NULL,
    expires_at INTEGER,
    lifetime INTEGER,
    connected_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    sealed_secrets BLOB NOT NULL,
    course TEXT NOT NULL,
    course_seal BLOB NOT NULL,
    PRIMARY KEY (head, user)
) STRICT;
CREATE TABLE dependant (
    head BLOB NOT NULL REFERENCES head (id) ON DELETE CASCADE,
    workflow TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (head, workflow)
) STRICT;
";

/// Opens a database that is there. Writes nothing.
pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let configured = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        // With these settings, a manipulated schema can be wrong but cannot do anything else.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // EXTRA: a secret that was replaced stays replaced, whenever the power goes.
        connection.pragma_update(None, "synchronous", "EXTRA")?;
        // Answers with a row, because it may also be asked for.
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        Ok(connection)
    };
    configured().map_err(|error| StoreError::sqlite(path, error))
}

/// Contents of the table `store`.
pub(super) struct Header {
    id: Vec<u8>,
    kind: KeyKind,
    salt: Vec<u8>,
    cost: PassphraseCost,
    sealed_data_key: Vec<u8>,
    format: i64,
}

/// A store that has been opened.
pub(super) struct Opened {
    /// Names this store; what is sealed in one does not open in another.
    pub(super) id: Vec<u8>,
    pub(super) data_key: SealingKey,
}

impl Header {
    /// For a new store.
    fn make(key: &StoreKey, cost: PassphraseCost) -> Result<(Self, Opened), StoreError> {
        if let StoreKey::Passphrase(passphrase) = key
            && passphrase.len() < Secret::MINIMUM_LENGTH
        {
            return Err(StoreError::ShortPassphrase { minimum: Secret::MINIMUM_LENGTH });
        }
        let PassphraseCost { memory_kib, iterations, parallelism } = cost;
        if !cost.is_sane() {
            return Err(StoreError::PassphraseCost { memory_kib, iterations, parallelism });
        }
        let (mut id, mut salt) = (vec![0; 16], vec![0; 16]);
        fill_random(&mut id)?;
        fill_random(&mut salt)?;
        let sealed_data_key = Vec::new();
        let mut header = Self { id, kind: key.kind(), salt, cost, sealed_data_key, format: FORMAT };
        let data_key = SealingKey::generate()?;
        header.sealed_data_key = header.sealing_key(key)?.wrap(&data_key, &header.binding())?;
        let opened = Opened { id: header.id.clone(), data_key };
        Ok((header, opened))
    }

    /// For a store that gets another key: everything new but its id.
    pub(super) fn remake(
        id: Vec<u8>,
        key: &StoreKey,
        cost: PassphraseCost,
    ) -> Result<(Self, Opened), StoreError> {
        let (mut header, opened) = Self::make(key, cost)?;
        header.id = id;
        let key = header.sealing_key(key)?;
        header.sealed_data_key = key.wrap(&opened.data_key, &header.binding())?;
        let id = header.id.clone();
        Ok((header, Opened { id, data_key: opened.data_key }))
    }

    /// Puts this header in the place of the one that is there.
    pub(super) fn replace(&self, connection: &Connection) -> rusqlite::Result<()> {
        let changed = connection.execute(
            "UPDATE store SET key_kind = ?1, salt = ?2, memory_kib = ?3, iterations = ?4, \
             parallelism = ?5, sealed_data_key = ?6",
            params![
                self.kind.to_string(),
                self.salt,
                self.cost.memory_kib,
                self.cost.iterations,
                self.cost.parallelism,
                self.sealed_data_key,
            ],
        )?;
        if changed == 1 { Ok(()) } else { Err(rusqlite::Error::QueryReturnedNoRows) }
    }

    /// Whether the store's data key is still the one that was opened: nobody has changed the key.
    pub(super) fn is_current(connection: &Connection, sealed: &[u8]) -> rusqlite::Result<bool> {
        connection.query_row("SELECT sealed_data_key = ?1 FROM store", [sealed], |row| row.get(0))
    }

    pub(super) fn sealed_data_key(&self) -> &[u8] {
        &self.sealed_data_key
    }

    /// The header of the store, or `None` if the file is empty still.
    pub(super) fn read(connection: &Connection, path: &Path) -> Result<Option<Self>, StoreError> {
        let failed = |error| StoreError::sqlite(path, error);
        // One transaction, so that a store that another process is just making is seen whole or
        // not at all.
        let transaction = connection.unchecked_transaction().map_err(failed)?;
        let pragma = |name| {
            transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed)
        };
        let (application, format) = (pragma("application_id")?, pragma("user_version")?);
        let length = std::fs::metadata(path)
            .map_err(|source| StoreError::io("read the credential store", path, source))?
            .len();
        if application != APPLICATION_ID {
            return match length {
                0 => Ok(None),
                _ => Err(StoreError::NotAStore { path: path.to_owned() }),
            };
        }
        let damaged =
            |detail: &str| StoreError::Damaged { path: path.to_owned(), detail: detail.to_owned() };
        if format > FORMAT {
            return Err(StoreError::Newer { path: path.to_owned(), found: format, known: FORMAT });
        } else if format < 1 {
            return Err(damaged("its format is missing"));
        }
        // SQLite reads zeros where the last page is cut off.
        if !length.is_multiple_of(unsigned(pragma("page_size")?).max(1)) {
            return Err(damaged("its end is missing"));
        }
        // Indexes, too: a row that is not found would look like one that was never there. A store is
        // small. The first finding says it all: the rest follows from it.
        let finding: String = transaction
            .pragma_query_value(None, "integrity_check", |row| row.get(0))
            .map_err(failed)?;
        if finding != "ok" {
            return Err(damaged(&finding));
        }
        let strays: i64 = transaction
            .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
            .map_err(failed)?;
        if strays != 0 {
            return Err(damaged("it contains an orphaned row"));
        }
        let header = transaction
            .query_row(
                "SELECT id, key_kind, salt, memory_kib, iterations, parallelism, sealed_data_key \
                 FROM store",
                [],
                |row| {
                    let kind: String = row.get(1)?;
                    Ok(Self {
                        id: row.get(0)?,
                        kind: if kind == "key" { KeyKind::Key } else { KeyKind::Passphrase },
                        salt: row.get(2)?,
                        cost: PassphraseCost {
                            memory_kib: row.get(3)?,
                            iterations: row.get(4)?,
                            parallelism: row.get(5)?,
                        },
                        sealed_data_key: row.get(6)?,
                        format,
                    })
                },
            )
            .optional()
            .map_err(failed)?
            .ok_or_else(|| damaged("its header is missing"))?;
        if !header.cost.is_sane() || header.salt.len() < 8 || header.salt.len() > 64 {
            return Err(damaged("the key derivation cost in its header is invalid"));
        }
        Ok(Some(header))
    }

    pub(super) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Opens the store. Writes nothing.
    pub(super) fn open(&self, key: &StoreKey, path: &Path) -> Result<Opened, StoreError> {
        let (path, expected, given) = (path.to_owned(), self.kind, key.kind());
        if expected != given {
            return Err(StoreError::WrongKeyKind { path, expected, given });
        }
        match self.sealing_key(key)?.unwrap(&self.sealed_data_key, &self.binding()) {
            Ok(data_key) => Ok(Opened { id: self.id.clone(), data_key }),
            Err(_) => Err(StoreError::WrongKey { path, kind: given }),
        }
    }

    fn sealing_key(&self, key: &StoreKey) -> Result<SealingKey, StoreError> {
        Ok(SealingKey::new(match key {
            StoreKey::Key(key) => key.clone(),
            StoreKey::Passphrase(passphrase) => derive(passphrase, &self.salt, self.cost)?,
        }))
    }

    fn binding(&self) -> Binding {
        let purpose = match self.kind {
            KeyKind::Key => Purpose::DataKeyUnderKey,
            KeyKind::Passphrase => Purpose::DataKeyUnderPassphrase,
        };
        let PassphraseCost { memory_kib, iterations, parallelism } = self.cost;
        Binding::new(purpose)
            .with(&self.id)
            .with(&self.salt)
            .with(&memory_kib.to_le_bytes())
            .with(&iterations.to_le_bytes())
            .with(&parallelism.to_le_bytes())
    }
}

/// Opens the store in a database, makes it first if the database is empty, and brings it up to
/// date if it is of an older format.
pub(super) fn open_or_make(
    connection: &mut Connection,
    path: &Path,
    key: &StoreKey,
    cost: PassphraseCost,
    now: i64,
) -> Result<(Header, Opened), StoreError> {
    if let Some(header) = Header::read(connection, path)? {
        return open_current(connection, path, key, header);
    }
    // Deriving a key takes long: not while others wait.
    let (header, opened) = Header::make(key, cost)?;
    let failed = |error| StoreError::sqlite(path, error);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let is_empty: bool = transaction
        .query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
        .map_err(failed)?;
    if !is_empty {
        // Another process was faster.
        drop(transaction);
        let header = Header::read(connection, path)?;
        let header = header.ok_or_else(|| StoreError::NotAStore { path: path.to_owned() })?;
        return open_current(connection, path, key, header);
    }
    let make = || {
        transaction.execute_batch(STORE)?;
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(super::triggers::TABLES)?;
        transaction.execute(
            "INSERT INTO store VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                header.id,
                header.kind.to_string(),
                header.salt,
                header.cost.memory_kib,
                header.cost.iterations,
                header.cost.parallelism,
                header.sealed_data_key,
                now,
            ],
        )?;
        transaction.pragma_update(None, "application_id", SqlValue::Integer(APPLICATION_ID))?;
        transaction.pragma_update(None, "user_version", SqlValue::Integer(FORMAT))
    };
    make().map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok((header, opened))
}

fn open_current(
    connection: &mut Connection,
    path: &Path,
    key: &StoreKey,
    header: Header,
) -> Result<(Header, Opened), StoreError> {
    let opened = header.open(key, path)?;
    if header.format < FORMAT {
        migrate::bring_up_to_date(connection, path, &opened, FORMAT)?;
    }
    Ok((header, opened))
}
