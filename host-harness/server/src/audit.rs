//! The audit record: who has asked the server for what, and how it ended. Kept in the database in
//! addition to the log, within a time and a number of entries.

use std::time::Duration;

use rusqlite::params;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workflow_node_host::{Principal, chain};

use crate::database::{Database, DatabaseError, now};
use crate::limits::ServerLimits;
use crate::token::{Caller, signed};

/// Entries that wait to be written. Beyond it, entries are in the log only.
const WAITING: usize = 10_000;
/// Entries that are written together.
const BATCH: usize = 500;
/// How long an entry waits for others.
const FLUSH: Duration = Duration::from_millis(500);
/// Longest text of an entry, in characters.
const LONGEST: usize = 500;

/// One entry of the audit record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Milliseconds since 1970.
    pub at: u64,
    /// `api`, `page`, `token-refused`, or `execution`.
    pub kind: String,
    /// Tenant of the principal; `None` if nobody was recognized.
    pub tenant: Option<String>,
    /// User of the principal.
    pub actor: Option<String>,
    /// ID of the token.
    pub token: Option<String>,
    /// Name of the token.
    pub token_name: Option<String>,
    /// Session of a person on the page.
    pub session: Option<String>,
    /// What was asked for: method and path of a request, or the plugin and action of an execution. The path of
    /// a request without a token is that of the operation, without values.
    pub what: String,
    /// ID of the execution.
    pub execution: Option<String>,
    /// How it ended: the HTTP status, the status of the execution, or why the token was refused.
    pub result: String,
}

impl AuditEntry {
    /// An entry about a request of a token; `None` where nobody was recognized.
    pub(crate) fn of(kind: &str, caller: Option<&Caller>) -> Self {
        let mut entry = Self { kind: kind.to_owned(), ..Self::default() };
        if let Some(Caller { token, name, policy, .. }) = caller {
            let Principal { tenant, user } = policy.principal();
            entry.tenant = Some(tenant.to_string());
            entry.actor = Some(user.to_string());
            entry.token = Some(token.clone());
            entry.token_name = Some(name.clone());
        }
        entry
    }
}

/// Writes entries.
#[derive(Clone, Debug)]
pub(crate) struct Audit(mpsc::Sender<AuditEntry>);

impl Audit {
    /// An audit record in a database, and the task that writes it until it is stopped.
    pub(crate) fn new(database: Database, stop: CancellationToken) -> (Self, JoinHandle<()>) {
        let (sender, entries) = mpsc::channel(WAITING);
        (Self(sender), tokio::spawn(write(database, entries, stop)))
    }

    /// Adds an entry. Never waits: its line in the log is there already.
    pub(crate) fn add(&self, entry: AuditEntry) {
        if self.0.try_send(AuditEntry { at: now(), ..entry }).is_err() {
            tracing::warn!(
                "an entry of the audit record is in the log only: the database is too slow"
            );
        }
    }
}

async fn write(database: Database, mut all: mpsc::Receiver<AuditEntry>, stop: CancellationToken) {
    let mut batch = Vec::new();
    loop {
        let is_last = tokio::select! {
            biased;
            () = stop.cancelled() => {
                all.close();
                true
            }
            count = all.recv_many(&mut batch, BATCH) => count == 0,
        };
        if !is_last && batch.len() < BATCH {
            // Others that come soon are written in the same transaction.
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(FLUSH) => {}
            }
        }
        while batch.len() < if is_last { usize::MAX } else { BATCH }
            && let Ok(entry) = all.try_recv()
        {
            batch.push(entry);
        }
        if !batch.is_empty() {
            let (to, entries) = (database.clone(), std::mem::take(&mut batch));
            let written = tokio::task::spawn_blocking(move || append(&to, &entries)).await;
            match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let error = chain(&error);
                    tracing::error!(error, "entries of the audit record are in the log only")
                }
                Err(error) => {
                    tracing::error!(%error, "entries of the audit record are in the log only")
                }
            }
        }
        if is_last {
            return;
        }
    }
}

fn append(database: &Database, entries: &[AuditEntry]) -> Result<(), DatabaseError> {
    database.write(|change| {
        let mut insert = change.prepare_cached(
            "INSERT INTO audit (at, kind, tenant, actor, token, token_name, session, what, execution, \
             result) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for one in entries {
            let what: String = one.what.chars().take(LONGEST).collect();
            insert.execute(params![
                signed(one.at),
                one.kind,
                one.tenant,
                one.actor,
                one.token,
                one.token_name,
                one.session,
                what,
                one.execution,
                one.result
            ])?;
        }
        Ok(())
    })
}

/// Removes entries that are too old, and the oldest ones beyond the limit. Returns how many.
pub(crate) fn prune(database: &Database, limits: &ServerLimits) -> Result<usize, DatabaseError> {
    let before = now().saturating_sub(limits.audit_retention_ms);
    let most = i64::try_from(limits.audit_entries).unwrap_or(i64::MAX);
    database.write(|change| {
        let old = change.execute("DELETE FROM audit WHERE at < ?1", [signed(before)])?;
        let excess = change.execute(
            "DELETE FROM audit WHERE number <= (SELECT number FROM audit ORDER BY number DESC LIMIT 1 \
             OFFSET ?1)",
            [most],
        )?;
        Ok(old + excess)
    })
}

/// Which entries of the audit record to read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AuditQuery {
    /// Only entries from this time on, in milliseconds since 1970.
    pub since: Option<u64>,
    /// Only entries before this time, in milliseconds since 1970.
    pub until: Option<u64>,
    /// Only entries of this tenant.
    pub tenant: Option<String>,
    /// Only entries of this user.
    pub actor: Option<String>,
}

/// Reads the audit record from the oldest to the newest entry, also while a server runs.
///
/// # Errors
///
/// When the database cannot be read, or `show` fails, which ends it.
pub fn read_audit<E: From<DatabaseError>>(
    database: &Database,
    query: &AuditQuery,
    mut show: impl FnMut(AuditEntry) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = 0;
    loop {
        let part = database.read(|all| {
            let mut select = all.prepare_cached(
                "SELECT number, at, kind, tenant, actor, token, token_name, session, what, execution, \
                 result FROM audit WHERE number > ?1 AND (?2 IS NULL OR at >= ?2) \
                 AND (?3 IS NULL OR at < ?3) AND (?4 IS NULL OR tenant = ?4) \
                 AND (?5 IS NULL OR actor = ?5) ORDER BY number LIMIT 1000",
            )?;
            let (since, until) = (query.since.map(signed), query.until.map(signed));
            let rows = select.query_map(
                params![after, since, until, query.tenant, query.actor],
                |row| {
                    let entry = AuditEntry {
                        at: row.get::<_, i64>(1)?.unsigned_abs(),
                        kind: row.get(2)?,
                        tenant: row.get(3)?,
                        actor: row.get(4)?,
                        token: row.get(5)?,
                        token_name: row.get(6)?,
                        session: row.get(7)?,
                        what: row.get(8)?,
                        execution: row.get(9)?,
                        result: row.get(10)?,
                    };
                    Ok((row.get::<_, i64>(0)?, entry))
                },
            )?;
            rows.collect::<Result<Vec<_>, _>>()
        })?;
        let Some((last, _)) = part.last() else { return Ok(()) };
        after = *last;
        for (_, entry) in part {
            show(entry)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(database: &Database, query: &AuditQuery) -> Vec<u64> {
        let mut times = Vec::new();
        read_audit::<DatabaseError>(database, query, |entry| {
            times.push(entry.at);
            Ok(())
        })
        .unwrap();
        times
    }

    #[tokio::test]
    async fn entries_are_written_until_the_server_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let stop = CancellationToken::new();
        let (audit, task) = Audit::new(database.clone(), stop.clone());
        for _ in 0..1_200 {
            audit.add(AuditEntry::default());
        }
        stop.cancel();
        task.await.unwrap();
        assert_eq!(all(&database, &AuditQuery::default()).len(), 1_200);
    }

    #[test]
    fn old_entries_and_those_beyond_the_limit_are_removed_from_the_oldest_on() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let entry =
            |at| AuditEntry { at, tenant: Some(format!("t{}", at % 2)), ..AuditEntry::default() };
        let times = [1_000, now(), now() + 1, now() + 2];
        append(&database, &times.map(entry)).unwrap();
        let mut limits = ServerLimits::default();
        assert_eq!(prune(&database, &limits).unwrap(), 1);
        limits.audit_entries = 2;
        assert_eq!(prune(&database, &limits).unwrap(), 1);
        let query = AuditQuery::default();
        assert_eq!(all(&database, &query), times[2..]);
        limits.audit_entries = 0;
        let of = AuditQuery { tenant: Some(format!("t{}", times[2] % 2)), ..query.clone() };
        assert_eq!(all(&database, &of), [times[2]]);
        let since = AuditQuery { since: Some(times[3]), ..query.clone() };
        assert_eq!(all(&database, &since), [times[3]]);
        let until = AuditQuery { until: Some(times[3]), ..query.clone() };
        assert_eq!(all(&database, &until), [times[2]]);
        assert_eq!(prune(&database, &limits).unwrap(), 2);
        assert!(all(&database, &query).is_empty());
    }
}
