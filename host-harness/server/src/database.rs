//! The server's database: tokens, executions, and their results, in one SQLite file next to the
//! credential store. It never contains credentials.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _};

use crate::write_ahead::WriteAheadLog;

/// The file, in the data directory.
pub(crate) const DATABASE: &str = "server.db";
/// The format of the file; see `PRAGMA user_version`.
const FORMAT: i64 = 7;

const TOKENS: &str = "
CREATE TABLE token (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    policy_name TEXT,
    policy TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
";

const EXECUTIONS: &str = "
CREATE TABLE execution (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    actor TEXT NOT NULL,
    plugin TEXT NOT NULL,
    digest TEXT NOT NULL,
    action TEXT NOT NULL,
    workflow TEXT,
    fingerprint BLOB NOT NULL,
    repeatable INTEGER NOT NULL,
    status TEXT NOT NULL,
    started INTEGER NOT NULL,
    items INTEGER NOT NULL,
    told INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    error_name TEXT,
    error BLOB,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    restored INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX execution_list ON execution (tenant, actor, created_at, id);
CREATE TABLE result (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    item INTEGER NOT NULL,
    error_kind TEXT,
    http_status INTEGER,
    body BLOB,
    PRIMARY KEY (tenant, id, item),
    FOREIGN KEY (tenant, id) REFERENCES execution (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
";

const CONNECTIONS: &str = "
CREATE TABLE connection (
    id TEXT PRIMARY KEY,
    link BLOB NOT NULL UNIQUE,
    state BLOB UNIQUE,
    cookie BLOB,
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    credential TEXT NOT NULL,
    progress TEXT NOT NULL,
    reason BLOB,
    wanted BLOB,
    expires_at INTEGER NOT NULL
) STRICT;
";

const SUBSCRIPTIONS: &str = "
CREATE TABLE source (
    name TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    plugin TEXT NOT NULL,
    hook TEXT NOT NULL UNIQUE,
    destinations TEXT
) STRICT;
CREATE TABLE subscription (
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    id TEXT NOT NULL,
    source TEXT NOT NULL REFERENCES source (name),
    plugin TEXT NOT NULL,
    trigger TEXT NOT NULL,
    workflow TEXT,
    deliver_to BLOB,
    is_private INTEGER NOT NULL,
    secret BLOB NOT NULL,
    problem BLOB,
    created_at INTEGER NOT NULL,
    next_number INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    token TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, actor, id)
) STRICT;
CREATE INDEX subscription_source ON subscription (source);
CREATE TABLE event (
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    id TEXT NOT NULL,
    number INTEGER NOT NULL,
    body BLOB NOT NULL,
    set_aside INTEGER NOT NULL,
    refused_since INTEGER,
    reason BLOB,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, actor, id, number),
    FOREIGN KEY (tenant, actor, id) REFERENCES subscription (tenant, actor, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
";

/// Access of browsers to the page: links and sessions as hashes, and the address in links.
const PAGE: &str = "
CREATE TABLE page_link (
    hash BLOB PRIMARY KEY,
    token TEXT NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE page_session (
    hash BLOB PRIMARY KEY,
    token TEXT REFERENCES token (id) ON DELETE CASCADE,
    user TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE page_address (url TEXT NOT NULL) STRICT;
";

const RECENT_EVENTS: &str = "
CREATE TABLE recent_event (
    source TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    plugin TEXT NOT NULL,
    trigger TEXT NOT NULL,
    event BLOB NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT;
CREATE INDEX recent_event_of ON recent_event (tenant, actor, plugin, trigger);
";

const SECRETS: &str = "
CREATE TABLE secret (
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, actor, name)
) STRICT;
";

/// Calls that the server repeats by itself after it was interrupted.
const CALLS: &str = "
CREATE TABLE call (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    part INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, id, part),
    FOREIGN KEY (tenant, id) REFERENCES execution (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
";

/// Configuration of the server when it started.
const APPLIED: &str = "
CREATE TABLE applied (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    configuration TEXT NOT NULL
) STRICT;
";

/// Who has asked the server for what.
const AUDIT: &str = "
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    tenant TEXT,
    actor TEXT,
    token TEXT,
    token_name TEXT,
    session TEXT,
    what TEXT NOT NULL,
    execution TEXT,
    result TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
";

/// Column that format 7 added to a table of formats 2 to 6.
const FROM_6: &str = "
ALTER TABLE execution ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;
";

/// Columns that format 6 added to the tables of formats 4 and 5.
const FROM_5: &str = "
ALTER TABLE source ADD COLUMN destinations TEXT;
ALTER TABLE subscription ADD COLUMN token TEXT NOT NULL DEFAULT '';
";

/// All tables, each with the format that introduced it in its present form.
const TABLES: [(i64, &str); 10] = [
    (1, TOKENS),
    (2, EXECUTIONS),
    (3, CONNECTIONS),
    (4, SUBSCRIPTIONS),
    (5, PAGE),
    (5, RECENT_EVENTS),
    (6, SECRETS),
    (6, CALLS),
    (6, APPLIED),
    (7, AUDIT),
];

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// A file or directory cannot be used.
    #[error("Cannot use the server's database {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// SQLite fails.
    #[error("The server's database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// A newer version has written the file.
    #[error(
        "The server's database {} has format {found}, and this version reads format {FORMAT}. Use \
         the version that wrote it", path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// Another server uses the file.
    #[error(
        "A server is using the data directory {}. Stop it, or choose another --data-dir",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file system does not support a write-ahead log.
    #[error(
        "The server's database {} cannot have a write-ahead log. Put the data directory on a local \
         disk", path.display()
    )]
    NoLog {
        /// The file.
        path: PathBuf,
    },
    /// A request cannot be stored.
    #[error("{0}")]
    Refused(String),
    /// A record cannot be serialized or sealed.
    #[error("Cannot write a record of the server's database")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A backup cannot be restored.
    #[error("Cannot restore the backup {}: {problem}. Use another backup", path.display())]
    Backup {
        /// Directory of the backup.
        path: PathBuf,
        /// Description of the problem.
        problem: String,
        /// The error that caused it.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl DatabaseError {
    pub(crate) fn unwritable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unwritable(error.into())
    }
}

/// The server's database. Cheap to clone. Its methods block until data is written to disk.
#[derive(Clone, Debug)]
pub struct Database(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The connection that writes, and reads within its transactions.
    writer: Mutex<Connection>,
    /// Reads without waiting for writes.
    reader: Mutex<Connection>,
    log: WriteAheadLog,
    directory: PathBuf,
}

/// Locked by the only server of a data directory.
#[derive(Debug)]
pub(crate) struct ServerLock(#[allow(dead_code, reason = "dropping it releases the lock")] File);

impl Database {
    /// Opens or creates `server.db` in a data directory, readable only by its owner.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or created, or a newer version has written it.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, DatabaseError> {
        let directory = directory.as_ref().to_owned();
        let path = directory.join(DATABASE);
        let failed = |source| DatabaseError::File { path: path.clone(), source };
        private_directory(&directory).map_err(failed)?;
        private_file(&path).map_err(failed)?;
        let mut writer = connect(&path)?;
        let mode: String =
            writer.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if !mode.eq_ignore_ascii_case("wal") {
            return Err(DatabaseError::NoLog { path });
        }
        // `WriteAheadLog` waits for the disk.
        writer.pragma_update(None, "synchronous", "NORMAL")?;
        // Overwrite deleted data.
        writer.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        upgrade(&mut writer, &path)?;
        let reader = connect(&path)?;
        reader.pragma_update(None, "query_only", true)?;
        let (writer, reader) = (Mutex::new(writer), Mutex::new(reader));
        let log = WriteAheadLog::of(&path);
        Ok(Self(Arc::new(Inner { writer, reader, log, directory })))
    }

    /// The data directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// Locks the data directory for one server.
    pub(crate) fn lock(&self) -> Result<ServerLock, DatabaseError> {
        lock(&self.0.directory)
    }

    /// Gives free pages back, and empties the write-ahead log: nothing stays of what was removed.
    pub(crate) fn compact(&self) -> Result<(), DatabaseError> {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for statement in ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"] {
            writer.execute_batch(statement)?;
        }
        let busy = "PRAGMA wal_checkpoint(TRUNCATE)";
        match writer.query_row(busy, [], |row| row.get::<_, i64>(0))? {
            0 => Ok(()),
            _ => Err(DatabaseError::Refused(
                "The data was removed, and its copy in the write-ahead log is still there, because \
                 another program reads the database. End it, and repeat the command."
                    .to_owned(),
            )),
        }
    }

    /// Notes the configuration that a server has started with.
    pub(crate) fn note_configuration(&self, configuration: &str) -> Result<(), DatabaseError> {
        self.write(|change| {
            change.execute("INSERT OR REPLACE INTO applied VALUES (1, ?1)", [configuration])?;
            Ok(())
        })
    }

    /// The configuration that the last server has started with.
    pub(crate) fn noted_configuration(&self) -> Result<Option<String>, DatabaseError> {
        self.read(|database| {
            let query = "SELECT configuration FROM applied";
            database.query_row(query, [], |row| row.get(0)).optional()
        })
    }

    /// Reads. Never waits for a write.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        let reader = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(read(&reader)?)
    }

    /// Writes in one transaction. It survives a power failure when this returns.
    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let (written, transaction) = self.commit(write)?;
        self.sync_to(transaction)?;
        Ok(written)
    }

    /// Writes in one transaction that survives the end of this process when this returns, and a power
    /// failure when a later [`write`](Self::write) or [`sync`](Self::sync) returns.
    pub(crate) fn write_ahead<T>(
        &self,
        write: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        Ok(self.commit(write)?.0)
    }

    /// Returns once everything that was written survives a power failure.
    pub(crate) fn sync(&self) -> Result<(), DatabaseError> {
        self.sync_to(self.0.log.committed())
    }

    fn sync_to(&self, transaction: u64) -> Result<(), DatabaseError> {
        let log = &self.0.log;
        log.sync(transaction)
            .map_err(|source| DatabaseError::File { path: log.path().to_owned(), source })
    }

    fn commit<T>(
        &self,
        write: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, DatabaseError>,
    ) -> Result<(T, u64), DatabaseError> {
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let change = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let written = write(&change)?;
        change.commit()?;
        Ok((written, self.0.log.commit()))
    }
}

/// Brings a file to the present format.
pub(crate) fn upgrade(database: &mut Connection, path: &Path) -> Result<(), DatabaseError> {
    let change = database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = change.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if !(0..=FORMAT).contains(&found) {
        return Err(DatabaseError::Format { path: path.to_owned(), found });
    }
    if found == 1 {
        // Its results were not sealed.
        change.execute_batch("DROP TABLE result; DROP TABLE execution;")?;
    }
    if (2..=6).contains(&found) {
        change.execute_batch(FROM_6)?;
    }
    if (4..=5).contains(&found) {
        change.execute_batch(FROM_5)?;
    }
    for (_, tables) in TABLES.iter().filter(|(since, _)| found < *since) {
        change.execute_batch(tables)?;
    }
    change.pragma_update(None, "user_version", FORMAT)?;
    Ok(change.commit()?)
}

/// Reserves a data directory for one server.
pub(crate) fn lock(directory: &Path) -> Result<ServerLock, DatabaseError> {
    let path = directory.join("server.lock");
    let failed = |source| DatabaseError::File { path: path.clone(), source };
    private_file(&path).map_err(failed)?;
    let file = File::open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(ServerLock(file)),
        Err(TryLockError::WouldBlock) => Err(DatabaseError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

pub(crate) fn private_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Creates the file before SQLite does, so that only its owner can read it.
fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_covers_all_transactions_that_were_committed_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let synced = || database.0.log.synced();
        let insert = |change: &rusqlite::Transaction<'_>| {
            change.execute("INSERT INTO page_address (url) VALUES ('a')", [])?;
            Ok(())
        };
        for _ in 0..3 {
            database.write_ahead(insert).unwrap();
        }
        assert_eq!(synced(), 0);
        database.write(insert).unwrap();
        assert_eq!(synced(), 4);
        database.write_ahead(insert).unwrap();
        database.sync().unwrap();
        assert_eq!(synced(), 5);
        // An emptied log is the same file.
        database.compact().unwrap();
        database.write(insert).unwrap();
        assert_eq!(synced(), 6);
        assert!(directory.path().join("server.db-wal").metadata().unwrap().len() > 0);
    }

    /// The columns of all tables, after a database was opened.
    fn columns(directory: &Path) -> Vec<String> {
        let database = Database::open(directory).unwrap();
        let all = "SELECT m.name || '.' || c.name FROM sqlite_master m \
                   JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1";
        let read = database.read(|all_tables| {
            let mut query = all_tables.prepare(all)?;
            query.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()
        });
        read.unwrap()
    }

    /// A file of an earlier format, from the second on, with these rows.
    fn earlier(format: i64, rows: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let old = connect(&directory.path().join(DATABASE)).unwrap();
        for (_, tables) in TABLES.iter().filter(|(since, _)| *since <= format) {
            let tables = match format {
                ..6 => tables.replace(",\n    destinations TEXT", ""),
                _ => (*tables).to_owned(),
            };
            let tables = tables.replace("    restored INTEGER NOT NULL DEFAULT 0,\n", "");
            let tables = match format {
                ..6 => tables.replace("    token TEXT NOT NULL DEFAULT '',\n", ""),
                _ => tables,
            };
            old.execute_batch(&tables).unwrap();
        }
        old.execute_batch(rows).unwrap();
        old.pragma_update(None, "user_version", format).unwrap();
        directory
    }

    #[test]
    fn a_file_of_an_earlier_format_has_the_columns_of_a_new_one() {
        let new = tempfile::tempdir().unwrap();
        let new = columns(new.path());
        for format in 2..FORMAT {
            assert_eq!(columns(earlier(format, "").path()), new, "format {format}");
        }
    }

    #[test]
    fn subscriptions_of_an_earlier_format_are_kept() {
        for format in 4..FORMAT {
            let directory = earlier(
                format,
                "INSERT INTO source (name, tenant, actor, plugin, hook)
                 VALUES ('s', 'acme', 'ada', 'pagerduty', 'hook');
                 INSERT INTO subscription (tenant, actor, id, source, plugin, trigger, is_private,
                 secret, created_at, next_number, last_event)
                 VALUES ('acme', 'ada', '1', 's', 'pagerduty', 'event', 0, x'00', 0, 1, 0);",
            );
            let database = Database::open(directory.path()).unwrap();
            let kept = "SELECT token, (SELECT destinations FROM source) FROM subscription";
            let kept: (String, Option<String>) = database
                .read(|all| all.query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?))))
                .unwrap();
            assert_eq!(kept, (String::new(), None), "format {format}");
        }
    }

    #[test]
    fn executions_of_an_earlier_format_are_kept() {
        for format in 2..FORMAT {
            let directory = earlier(
                format,
                "INSERT INTO execution (tenant, id, actor, plugin, digest, action, fingerprint,
                 repeatable, status, started, items, told, finished, failed, bytes, created_at)
                 VALUES ('acme', '1', 'ada', 'p', 'd', 'a', x'00', 0, 'finished', 1, 1, 1, 1, 0, 0, 0);",
            );
            let database = Database::open(directory.path()).unwrap();
            let kept = "SELECT id, restored FROM execution";
            let kept: (String, bool) = database
                .read(|all| all.query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?))))
                .unwrap();
            assert_eq!(kept, ("1".to_owned(), false), "format {format}");
        }
    }

    #[test]
    fn a_file_of_the_first_format_keeps_its_tokens_and_loses_results_that_were_not_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let old = connect(&directory.path().join("server.db")).unwrap();
        old.execute_batch(TOKENS).unwrap();
        old.execute_batch(
            "CREATE TABLE execution (id TEXT); CREATE TABLE result (body TEXT);
             INSERT INTO result VALUES ('plain');
             INSERT INTO token (id, name, hash, created_at) VALUES ('1', 'n8n', x'00', 0);
             PRAGMA user_version = 1;",
        )
        .unwrap();
        drop(old);
        let database = Database::open(directory.path()).unwrap();
        let count = |table: &str| {
            let count = format!("SELECT count(*) FROM {table}");
            database.read(|all| all.query_row(&count, [], |row| row.get::<_, i64>(0))).unwrap()
        };
        assert_eq!((count("token"), count("execution"), count("result")), (1, 0, 0));
        drop(Database::open(directory.path()).unwrap());
        let newer = connect(&directory.path().join("server.db")).unwrap();
        newer.pragma_update(None, "user_version", 99).unwrap();
        let refused = Database::open(directory.path());
        assert!(matches!(refused, Err(DatabaseError::Format { found: 99, .. })));
    }
}
