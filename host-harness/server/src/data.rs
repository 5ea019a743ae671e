//! The data of a server as a whole: removed by tenant, user, or time; copied while the server runs; put
//! back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use workflow_node_host::Principal;
use workflow_node_host::journal::JournalName;

use crate::database::{DATABASE, Database, DatabaseError, ServerLock, now};
use crate::execution::JOURNALS;
use crate::token::{PolicySource, Tokens, signed};

/// The credential store, beside the server's database.
const CREDENTIALS: &str = "credentials.db";
/// Manifest of a backup.
const MANIFEST: &str = "backup.json";
/// Files that a backup contains in addition to the databases, if they exist.
const FILES: [&str; 1] = ["approvals.json"];
/// Directories of a backup. Journals are copied after the databases, so that they hold at least what the
/// databases do.
const DIRECTORIES: [&str; 2] = ["plugins", JOURNALS];

/// Data to remove. A member that is `None` does not restrict the selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purge {
    /// Only data of this tenant.
    pub tenant: Option<String>,
    /// Only data of this user.
    pub actor: Option<String>,
    /// Only executions that ended, events that arrived, and connections that expired before this time,
    /// in milliseconds since 1970. If set, subscriptions, secrets, and tokens are not removed.
    pub before: Option<u64>,
}

/// Counts of removed data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Purged {
    /// Executions with their results.
    pub executions: usize,
    /// Journals of executions.
    pub journals: usize,
    /// Events that waited for an engine.
    pub events: usize,
    /// Subscriptions of engines.
    pub subscriptions: usize,
    /// Connections that waited for a person.
    pub connections: usize,
    /// Secrets for parameters.
    pub secrets: usize,
    /// Tokens with a separate policy.
    pub tokens: usize,
    /// Entries of the audit record.
    pub audit: usize,
}

impl std::ops::AddAssign for Purged {
    fn add_assign(&mut self, other: Self) {
        let Self {
            executions,
            journals,
            events,
            subscriptions,
            connections,
            secrets,
            tokens,
            audit,
        } = other;
        self.executions += executions;
        self.journals += journals;
        self.events += events;
        self.subscriptions += subscriptions;
        self.connections += connections;
        self.secrets += secrets;
        self.tokens += tokens;
        self.audit += audit;
    }
}

/// Databases whose servers do not run, and cannot start as long as it exists.
#[derive(Debug)]
pub struct Stopped(Vec<(Database, ServerLock)>);

impl Stopped {
    /// Locks the data directories of databases.
    ///
    /// # Errors
    ///
    /// When a server uses one of them. No directory is locked then.
    pub fn lock(databases: impl IntoIterator<Item = Database>) -> Result<Self, DatabaseError> {
        let locked = databases.into_iter().map(|database| {
            let lock = database.lock()?;
            Ok((database, lock))
        });
        locked.collect::<Result<_, _>>().map(Self)
    }

    /// Removes data from the databases and their journals, and leaves no trace of it in the files.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub fn purge(&self, what: &Purge) -> Result<Purged, DatabaseError> {
        let mut purged = Purged::default();
        for (database, _) in &self.0 {
            purged += purge(database, what)?;
        }
        Ok(purged)
    }
}

fn purge(database: &Database, what: &Purge) -> Result<Purged, DatabaseError> {
    let (tenant, actor) = (what.tenant.as_deref(), what.actor.as_deref());
    let before = what.before.map(signed);
    let of = "(?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR actor = ?2)";
    let tokens = match before {
        Some(_) => Vec::new(),
        None => tokens_of(database, tenant, actor)?,
    };
    let mut purged = database.write(|change| {
        let mut purged = Purged::default();
        let delete = |table: &str, time: &str| {
            let delete = format!("DELETE FROM {table} WHERE {of} AND (?3 IS NULL OR {time} < ?3)");
            change.execute(&delete, params![tenant, actor, before])
        };
        purged.executions = delete("execution", "coalesce(ended_at, created_at)")?;
        purged.events = delete("event", "stored_at")?;
        delete("recent_event", "stored_at")?;
        purged.connections = delete("connection", "expires_at")?;
        purged.audit = delete("audit", "at")?;
        if before.is_none() {
            purged.subscriptions = delete("subscription", "created_at")?;
            delete("source", "0")?;
            purged.secrets = delete("secret", "created_at")?;
            for id in &tokens {
                purged.tokens += change.execute("DELETE FROM token WHERE id = ?1", [id])?;
            }
            // Users of the page must enter it again.
            change.execute("DELETE FROM page_session", [])?;
            // It names tenants and users, and is written again when the server starts.
            change.execute("DELETE FROM applied", [])?;
        }
        Ok(purged)
    })?;
    purged.journals = remove_journals(database)?;
    database.compact()?;
    Ok(purged)
}

/// IDs of the tokens whose own policies act as a tenant or a user.
fn tokens_of(
    database: &Database,
    tenant: Option<&str>,
    actor: Option<&str>,
) -> Result<Vec<String>, DatabaseError> {
    let is_of = |principal: &Principal| {
        tenant.is_none_or(|tenant| principal.tenant == *tenant)
            && actor.is_none_or(|actor| principal.user == *actor)
    };
    let all = Tokens::new(database.clone()).list()?.into_iter();
    let own = all.filter(|token| match &token.policy {
        PolicySource::Own(policy) => is_of(&policy.principal()),
        PolicySource::Named(_) => false,
    });
    Ok(own.map(|token| token.id).collect())
}

/// Removes the journals that belong to no execution. Returns how many.
fn remove_journals(database: &Database) -> Result<usize, DatabaseError> {
    let directory = database.directory().join(JOURNALS);
    let failed = |source| DatabaseError::File { path: directory.clone(), source };
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let kept = database.read(journal_names)?;
    let mut removed = 0;
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if !kept.contains(name) {
            std::fs::remove_file(&path).map_err(failed)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Names of the journals that the executions of a database have, or had.
fn journal_names(database: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut query = database.prepare("SELECT tenant, id FROM execution")?;
    let names = query.query_map([], |row| {
        let (tenant, id): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(JournalName::of(&tenant.into(), &id).to_string())
    })?;
    names.collect()
}

/// Contents of a backup.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Backup {
    /// Version of the program that created the backup.
    pub version: String,
    /// Creation time, in milliseconds since 1970.
    pub created_at: u64,
    /// SHA-256 of each file, by its path in the backup.
    pub files: BTreeMap<String, String>,
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> DatabaseError + '_ {
    move |source| DatabaseError::File { path: path.to_owned(), source }
}

/// Copies the data of a server into a new directory, also while the server runs: the databases as they
/// are at one moment each, approvals, installed plugins, and journals. Keys are not part of it.
///
/// # Errors
///
/// When the directory is there and not empty, or a file cannot be read or written.
pub fn back_up(data: &Path, to: &Path) -> Result<Backup, DatabaseError> {
    if std::fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(DatabaseError::Refused(format!(
            "Cannot write the backup to {}: the directory is not empty. Choose another one.",
            to.display()
        )));
    }
    crate::database::private_directory(to).map_err(file_error(to))?;
    let mut files = BTreeMap::new();
    for name in [DATABASE, CREDENTIALS] {
        let (from, copy) = (data.join(name), to.join(name));
        if from.exists() {
            copy_database(&from, &copy)?;
            files.insert(name.to_owned(), digest_of(&copy)?);
        }
    }
    if files.is_empty() {
        return Err(DatabaseError::Refused(format!(
            "Cannot back up {}: it holds neither {DATABASE} nor {CREDENTIALS}. Name the data directory \
             with --data-dir.",
            data.display()
        )));
    }
    // An execution that began after its database was copied is not in the backup. Its journal alone would
    // look like that of an execution whose row was lost.
    let known = match files.contains_key(DATABASE) {
        true => journal_names(&Connection::open(to.join(DATABASE))?)?,
        false => BTreeSet::new(),
    };
    for name in others(data)? {
        let journal = Path::new(&name).file_stem().and_then(|stem| stem.to_str());
        if is_journal(&name) && !journal.is_some_and(|name| known.contains(name)) {
            continue;
        }
        match copy_file(&data.join(&name), &to.join(&name)) {
            // A journal is removed when its execution ends.
            Err(DatabaseError::File { source, .. })
                if is_journal(&name) && source.kind() == io::ErrorKind::NotFound => {}
            copied => {
                copied?;
                files.insert(name.clone(), digest_of(&to.join(&name))?);
            }
        }
    }
    let backup = Backup { version: env!("CARGO_PKG_VERSION").to_owned(), created_at: now(), files };
    let text = serde_json::to_vec_pretty(&backup);
    let text = text.map_err(|error| DatabaseError::Refused(error.to_string()))?;
    let path = to.join(MANIFEST);
    // Last: a backup without it is not complete.
    write_file(&path, &text).map_err(file_error(&path))?;
    Ok(backup)
}

/// Puts a backup back into a data directory that no server uses. What the backup holds replaces what is
/// there. Executions that had not ended are interrupted; what they may have sent since then is not sent
/// again.
///
/// # Errors
///
/// When the backup is not complete or was changed, the data directory holds data and `replace` is not
/// set, a server uses it, or a file cannot be written. Nothing is changed then.
pub fn restore(data: &Path, from: &Path, replace: bool) -> Result<Backup, DatabaseError> {
    let path = from.join(MANIFEST);
    let text = std::fs::read(&path).map_err(file_error(&path))?;
    let damaged = |problem: String| {
        DatabaseError::Refused(format!(
            "Cannot restore the backup {}: {problem}. Use another backup.",
            from.display()
        ))
    };
    let backup: Backup =
        serde_json::from_slice(&text).map_err(|error| damaged(format!("{MANIFEST}: {error}")))?;
    for (name, expected) in &backup.files {
        let is_plain = Path::new(name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !is_plain {
            return Err(damaged(format!("`{name}` is not the name of a file in it")));
        }
        if digest_of(&from.join(name))? != *expected {
            return Err(damaged(format!("`{name}` was changed")));
        }
    }
    let there = backup.files.keys().find(|name| data.join(name).exists());
    if let Some(name) = there.filter(|_| !replace) {
        return Err(DatabaseError::Refused(format!(
            "Cannot restore into {}: `{name}` is there already. Add --replace to replace it.",
            data.display()
        )));
    }
    crate::database::private_directory(data).map_err(file_error(data))?;
    let _lock = crate::database::lock(data)?;
    // Copy to temporary names first: if a step fails, the existing data is unchanged.
    let mut ready = Vec::new();
    for name in backup.files.keys() {
        let (copy, place) = (data.join(format!("{name}.restoring")), data.join(name));
        copy_file(&from.join(name), &copy)?;
        if name.ends_with(".db") {
            check_database(&copy).map_err(|problem| damaged(format!("`{name}`: {problem}")))?;
        }
        if name == DATABASE {
            end_executions(&copy)?;
        }
        ready.push((copy, place));
    }
    for (copy, place) in &ready {
        for suffix in ["-wal", "-shm", "-journal"] {
            let mut beside = place.clone().into_os_string();
            beside.push(suffix);
            match std::fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(file_error(place)(error));
                }
                _ => {}
            }
        }
        std::fs::rename(copy, place).map_err(file_error(place))?;
    }
    remove_other_journals(data, &backup)?;
    Ok(backup)
}

/// Removes the journals that are not in a backup.
fn remove_other_journals(data: &Path, backup: &Backup) -> Result<(), DatabaseError> {
    let directory = data.join(JOURNALS);
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(file_error(&directory))?,
    };
    for entry in entries {
        let entry = entry.map_err(file_error(&directory))?;
        let name = entry.file_name();
        let is_restored = name
            .to_str()
            .is_some_and(|name| backup.files.contains_key(&format!("{JOURNALS}/{name}")));
        if !is_restored {
            std::fs::remove_file(entry.path()).map_err(file_error(&entry.path()))?;
        }
    }
    Ok(())
}

fn is_journal(name: &str) -> bool {
    Path::new(name).starts_with(JOURNALS)
}

/// Marks the executions of a restored database that had not ended: they may have gone on after the backup,
/// so they send nothing that may have been sent.
fn end_executions(path: &Path) -> Result<(), DatabaseError> {
    let mut database = Connection::open(path)?;
    crate::database::upgrade(&mut database, path)?;
    database.execute(
        "UPDATE execution SET status = 'interrupted', ended_at = coalesce(ended_at, ?1), started = 1, \
         restored = 1 WHERE status IN ('queued', 'running', 'interrupted')",
        [signed(now())],
    )?;
    Ok(())
}

fn check_database(path: &Path) -> Result<(), String> {
    let open = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let database = open.map_err(|error| error.to_string())?;
    let found = database.pragma_query_value(None, "integrity_check", |row| row.get::<_, String>(0));
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(found),
        Err(error) => Err(error.to_string()),
    }
}

/// Copies a consistent snapshot of a database, regardless of concurrent writes.
fn copy_database(from: &Path, to: &Path) -> Result<(), DatabaseError> {
    // Created by us first, so that nobody else can read it.
    create(to).map_err(file_error(to))?;
    let database = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    database.busy_timeout(std::time::Duration::from_secs(30))?;
    database.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    File::open(to).and_then(|file| file.sync_all()).map_err(file_error(to))
}

/// The paths of the other files of a backup, relative to the data directory.
fn others(data: &Path) -> Result<Vec<String>, DatabaseError> {
    let mut found: Vec<String> =
        FILES.into_iter().filter(|name| data.join(name).is_file()).map(str::to_owned).collect();
    let mut directories: Vec<PathBuf> = DIRECTORIES.iter().map(PathBuf::from).collect();
    while let Some(directory) = directories.pop() {
        let path = data.join(&directory);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(file_error(&path)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(file_error(&path))?;
            let kind = entry.file_type().map_err(file_error(&path))?;
            let name = directory.join(entry.file_name());
            if kind.is_dir() {
                directories.push(name);
            } else if let (true, Some(name)) = (kind.is_file(), name.to_str()) {
                found.push(name.to_owned());
            }
        }
    }
    Ok(found)
}

fn copy_file(from: &Path, to: &Path) -> Result<(), DatabaseError> {
    if let Some(directory) = to.parent() {
        crate::database::private_directory(directory).map_err(file_error(directory))?;
    }
    let copy = || {
        let mut source = File::open(from)?;
        // One that an interrupted restoration has left behind.
        match std::fs::remove_file(to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut copy = create(to)?;
        io::copy(&mut source, &mut copy)?;
        copy.sync_all()
    };
    copy().map_err(file_error(from))
}

fn write_file(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    io::Write::write_all(&mut file, text)?;
    file.sync_all()
}

/// Creates a file that its owner alone can read.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn digest_of(path: &Path) -> Result<String, DatabaseError> {
    let digest = || {
        let mut hash = Sha256::new();
        io::copy(&mut File::open(path)?, &mut hash)?;
        let digest: [u8; 32] = hash.finalize().into();
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    };
    digest().map_err(file_error(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_removed_while_one_of_several_servers_runs() {
        let [one, two] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let databases = || [&one, &two].map(|path| Database::open(path.path()).unwrap());
        let running = databases()[1].lock().unwrap();
        let refused = Stopped::lock(databases());
        assert!(matches!(refused, Err(DatabaseError::InUse { path }) if path == two.path()));
        drop(running);
        let stopped = Stopped::lock(databases()).unwrap();
        assert!(databases()[0].lock().is_err(), "a server cannot start now");
        assert_eq!(stopped.purge(&Purge::default()).unwrap(), Purged::default());
        drop(stopped);
        assert!(databases()[0].lock().is_ok());
    }
}
