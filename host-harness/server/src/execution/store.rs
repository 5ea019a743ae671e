//! Executions by tenant and ID: what was asked for, how far it got, and the result of each item.
//! Everything that survives a restart is here.

use rusqlite::{OptionalExtension as _, Row, params};
use workflow_node_host::Principal;

use crate::database::{Database, DatabaseError, now};
use crate::error::ErrorDetail;
use crate::token::signed;

/// Where an execution stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It has ended, and each item has a result.
    Finished,
    /// It was cancelled.
    Cancelled,
    /// The plugin or the host stopped it.
    Stopped,
    /// The server ended while it ran.
    Interrupted,
}

impl Status {
    const ALL: [(Self, &str); 6] = [
        (Self::Queued, "queued"),
        (Self::Running, "running"),
        (Self::Finished, "finished"),
        (Self::Cancelled, "cancelled"),
        (Self::Stopped, "stopped"),
        (Self::Interrupted, "interrupted"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, name)| name)
    }

    fn of(name: &str) -> Self {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map_or(Self::Interrupted, |(one, _)| *one)
    }
}

/// What identifies an execution: IDs of two tenants have nothing to do with each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) tenant: String,
    pub(crate) id: String,
}

impl Key {
    pub(crate) fn of(principal: &Principal, id: impl Into<String>) -> Self {
        Self { tenant: principal.tenant.to_string(), id: id.into() }
    }
}

/// What an execution is asked to do.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) key: Key,
    pub(crate) actor: String,
    pub(crate) plugin: String,
    pub(crate) digest: String,
    pub(crate) action: String,
    pub(crate) workflow: Option<String>,
    pub(crate) fingerprint: [u8; 32],
    /// Whether running it again with the same ID has no further effect.
    pub(crate) repeatable: bool,
    pub(crate) items: u64,
}

/// What is stored of an execution.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) actor: String,
    pub(crate) plugin: String,
    pub(crate) action: String,
    pub(crate) workflow: Option<String>,
    fingerprint: Vec<u8>,
    repeatable: bool,
    pub(crate) status: Status,
    /// Whether the plugin was called.
    pub(crate) started: bool,
    pub(crate) items: u64,
    /// Items from this position on were not begun, if the execution was cancelled or stopped.
    pub(crate) told: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) error: Option<ErrorDetail>,
    pub(crate) created_at: u64,
    pub(crate) ended_at: Option<u64>,
}

/// What the store says to an execution that is to begin.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It is new, or may run again.
    New,
    /// It has ended; this is what came of it.
    Ended(Box<Stored>),
    /// The ID was used for something else.
    Conflict,
}

/// The result of one item, as JSON.
#[derive(Clone, Debug)]
pub(crate) struct ItemResult {
    pub(crate) item: u64,
    pub(crate) failed: bool,
    pub(crate) body: String,
}

/// How an execution has ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) status: Status,
    /// Whether anything may have been sent. What has sent nothing may run again.
    pub(crate) sent: bool,
    pub(crate) told: u64,
    pub(crate) error: Option<ErrorDetail>,
}

/// The executions of a database. Its methods block.
#[derive(Clone, Debug)]
pub(crate) struct ExecutionStore(Database);

const COLUMNS: &str = "SELECT tenant, id, actor, plugin, action, workflow, fingerprint, repeatable, \
                       status, started, items, told, finished, failed, error, created_at, ended_at \
                       FROM execution";

impl ExecutionStore {
    pub(crate) fn new(database: Database) -> Self {
        Self(database)
    }

    /// Marks what an earlier server left running. Done once, before anything runs.
    pub(crate) fn interrupt_all(&self) -> Result<usize, DatabaseError> {
        self.0.write(|change| {
            Ok(change.execute(
                "UPDATE execution SET status = 'interrupted', ended_at = ?1 \
                 WHERE status IN ('queued', 'running')",
                [signed(now())],
            )?)
        })
    }

    /// Begins an execution, unless its ID is known. The caller makes sure that no execution of this
    /// key runs.
    pub(crate) fn begin(&self, request: &Request) -> Result<Begun, DatabaseError> {
        let Key { tenant, id } = &request.key;
        self.0.write(|change| {
            let mut query = change.prepare_cached(&format!("{COLUMNS} WHERE tenant = ?1 AND id = ?2"))?;
            if let Some(stored) = query.query_row([tenant, id], read).optional()? {
                if stored.actor != request.actor || stored.fingerprint != request.fingerprint {
                    return Ok(Begun::Conflict);
                }
                let again = stored.status != Status::Finished
                    && (stored.repeatable || !stored.started);
                if !again {
                    return Ok(Begun::Ended(Box::new(stored)));
                }
                change.execute("DELETE FROM execution WHERE tenant = ?1 AND id = ?2", [tenant, id])?;
            }
            change.execute(
                "INSERT INTO execution (tenant, id, actor, plugin, digest, action, workflow, \
                 fingerprint, repeatable, status, started, items, told, finished, failed, bytes, \
                 created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'queued', 0, ?10, 0, 0, 0, \
                 0, ?11)",
                params![
                    tenant, id, request.actor, request.plugin, request.digest, request.action,
                    request.workflow, &request.fingerprint[..], request.repeatable,
                    signed(request.items), signed(now()),
                ],
            )?;
            Ok(Begun::New)
        })
    }

    /// Notes that the plugin is called from now on.
    pub(crate) fn start(&self, key: &Key) -> Result<(), DatabaseError> {
        self.0.write(|change| {
            change.execute(
                "UPDATE execution SET status = 'running', started = 1 WHERE tenant = ?1 AND id = ?2",
                [&key.tenant, &key.id],
            )?;
            Ok(())
        })
    }

    /// Stores results of items.
    pub(crate) fn record(&self, key: &Key, results: &[ItemResult]) -> Result<(), DatabaseError> {
        self.0.write(|change| {
            let mut insert = change.prepare_cached(
                "INSERT OR REPLACE INTO result (tenant, id, item, body) VALUES (?1, ?2, ?3, ?4)",
            )?;
            let mut bytes = 0;
            for result in results {
                bytes += result.body.len();
                insert.execute(params![key.tenant, key.id, signed(result.item), result.body])?;
            }
            let failed = results.iter().filter(|result| result.failed).count();
            change.execute(
                "UPDATE execution SET finished = finished + ?3, failed = failed + ?4, \
                 bytes = bytes + ?5 WHERE tenant = ?1 AND id = ?2",
                params![key.tenant, key.id, count(results.len()), count(failed), count(bytes)],
            )?;
            Ok(())
        })
    }

    /// Notes how an execution has ended.
    pub(crate) fn end(&self, key: &Key, ending: &Ending) -> Result<(), DatabaseError> {
        let error = ending.error.as_ref().map(serde_json::to_string).transpose();
        let error = error.map_err(|error| DatabaseError::Refused(error.to_string()))?;
        self.0.write(|change| {
            change.execute(
                "UPDATE execution SET status = ?3, told = ?4, error = ?5, ended_at = ?6, \
                 started = ?7 WHERE tenant = ?1 AND id = ?2",
                params![
                    key.tenant,
                    key.id,
                    ending.status.name(),
                    signed(ending.told),
                    error,
                    signed(now()),
                    ending.sent
                ],
            )?;
            Ok(())
        })
    }

    /// Removes an execution that has not sent anything, so that its ID can be used again.
    pub(crate) fn forget(&self, key: &Key) -> Result<(), DatabaseError> {
        self.0.write(|change| {
            let delete = "DELETE FROM execution WHERE tenant = ?1 AND id = ?2";
            change.execute(delete, [&key.tenant, &key.id])?;
            Ok(())
        })
    }

    /// The execution of an ID, if this principal started it.
    pub(crate) fn get(&self, by: &Principal, id: &str) -> Result<Option<Stored>, DatabaseError> {
        self.0.read(|database| {
            let mut query = database.prepare_cached(&format!(
                "{COLUMNS} WHERE tenant = ?1 AND id = ?2 AND actor = ?3"
            ))?;
            query.query_row([by.tenant.as_str(), id, by.user.as_str()], read).optional()
        })
    }

    /// Executions of a principal after a time and an ID, oldest first.
    pub(crate) fn list(
        &self,
        by: &Principal,
        after: (u64, &str),
        search: &str,
        limit: usize,
    ) -> Result<Vec<Stored>, DatabaseError> {
        self.0.read(|database| {
            let mut query = database.prepare_cached(&format!(
                "{COLUMNS} WHERE tenant = ?1 AND actor = ?2 AND (created_at, id) > (?3, ?4) \
                 AND (instr(id, ?5) OR instr(action, ?5) OR instr(coalesce(workflow, ''), ?5)) \
                 ORDER BY created_at, id LIMIT ?6"
            ))?;
            let (tenant, user) = (by.tenant.as_str(), by.user.as_str());
            let (time, id) = (signed(after.0), after.1);
            query.query_map(params![tenant, user, time, id, search, count(limit)], read)?.collect()
        })
    }

    /// Results from an item on, in the order of the items.
    pub(crate) fn results(
        &self,
        key: &Key,
        from: u64,
        limit: usize,
    ) -> Result<Vec<ItemResult>, DatabaseError> {
        self.0.read(|database| {
            let mut query = database.prepare_cached(
                "SELECT item, body FROM result WHERE tenant = ?1 AND id = ?2 AND item >= ?3 \
                 ORDER BY item LIMIT ?4",
            )?;
            let rows = query.query_map(
                params![key.tenant, key.id, signed(from), count(limit)],
                |row| {
                    let item = row.get::<_, i64>(0)?.unsigned_abs();
                    Ok(ItemResult { item, failed: false, body: row.get(1)? })
                },
            )?;
            rows.collect()
        })
    }

    /// Removes executions that ended before a time.
    pub(crate) fn prune(&self, before: u64) -> Result<usize, DatabaseError> {
        self.0.write(|change| {
            Ok(change.execute("DELETE FROM execution WHERE ended_at < ?1", [signed(before)])?)
        })
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let number = |index: usize| Ok::<_, rusqlite::Error>(row.get::<_, i64>(index)?.unsigned_abs());
    let status: String = row.get(8)?;
    let error: Option<String> = row.get(14)?;
    Ok(Stored {
        key: Key { tenant: row.get(0)?, id: row.get(1)? },
        actor: row.get(2)?,
        plugin: row.get(3)?,
        action: row.get(4)?,
        workflow: row.get(5)?,
        fingerprint: row.get(6)?,
        repeatable: row.get(7)?,
        status: Status::of(&status),
        started: row.get(9)?,
        items: number(10)?,
        told: number(11)?,
        finished: number(12)?,
        failed: number(13)?,
        error: error.and_then(|text| serde_json::from_str(&text).ok()),
        created_at: number(15)?,
        ended_at: row.get::<_, Option<i64>>(16)?.map(i64::unsigned_abs),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(tenant: &str, actor: &str, fingerprint: u8, repeatable: bool) -> Request {
        Request {
            key: Key { tenant: tenant.into(), id: "run-1".into() },
            actor: actor.into(),
            plugin: "pagerduty".into(),
            digest: "sha256:0".into(),
            action: "incident.create".into(),
            workflow: None,
            fingerprint: [fingerprint; 32],
            repeatable,
            items: 2,
        }
    }

    #[test]
    fn an_id_belongs_to_one_request_of_one_tenant_and_user() {
        let directory = tempfile::tempdir().unwrap();
        let store = ExecutionStore::new(Database::open(directory.path()).unwrap());
        let begin = |request: &Request| store.begin(request).unwrap();
        let first = request("acme", "ada", 1, false);
        assert!(matches!(begin(&first), Begun::New));
        store.start(&first.key).unwrap();
        let finished = Ending { status: Status::Finished, sent: true, told: 2, error: None };
        store.end(&first.key, &finished).unwrap();
        assert!(matches!(begin(&first), Begun::Ended(_)));
        assert!(matches!(begin(&request("acme", "ada", 2, false)), Begun::Conflict));
        assert!(matches!(begin(&request("acme", "bob", 1, false)), Begun::Conflict));
        assert!(matches!(begin(&request("other", "ada", 2, false)), Begun::New));
        let visible = |tenant: &str, user: &str| {
            store.get(&Principal::of(tenant, user), "run-1").unwrap().is_some()
        };
        assert!(visible("acme", "ada") && visible("other", "ada"));
        assert!(!visible("acme", "bob") && !visible("third", "ada"));
        let listed = store.list(&Principal::of("acme", "ada"), (0, ""), "incident", 10).unwrap();
        assert_eq!(listed.len(), 1);
        assert!(store.list(&Principal::of("acme", "bob"), (0, ""), "", 10).unwrap().is_empty());
    }

    #[test]
    fn an_interrupted_execution_runs_again_only_if_that_has_no_further_effect() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let store = ExecutionStore::new(database);
        for (tenant, repeatable, started, again) in
            [("a", true, true, true), ("b", false, true, false), ("c", false, false, true)]
        {
            let request = request(tenant, "ada", 1, repeatable);
            assert!(matches!(store.begin(&request).unwrap(), Begun::New));
            if started {
                store.start(&request.key).unwrap();
            }
            store.interrupt_all().unwrap();
            let begun = store.begin(&request).unwrap();
            assert_eq!(matches!(begun, Begun::New), again, "{tenant}: {begun:?}");
        }
    }

    #[test]
    fn results_are_removed_with_their_execution() {
        let directory = tempfile::tempdir().unwrap();
        let store = ExecutionStore::new(Database::open(directory.path()).unwrap());
        let request = request("acme", "ada", 1, true);
        store.begin(&request).unwrap();
        let results = [ItemResult { item: 0, failed: true, body: "{}".into() }];
        store.record(&request.key, &results).unwrap();
        let ending = Ending { status: Status::Finished, sent: true, told: 1, error: None };
        store.end(&request.key, &ending).unwrap();
        let stored = store.get(&Principal::of("acme", "ada"), "run-1").unwrap().unwrap();
        assert_eq!((stored.finished, stored.failed), (1, 1));
        assert_eq!(store.results(&request.key, 0, 10).unwrap().len(), 1);
        assert_eq!(store.prune(now() + 1).unwrap(), 1);
        assert!(store.results(&request.key, 0, 10).unwrap().is_empty());
    }
}
