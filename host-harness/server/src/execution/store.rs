//! Executions by tenant and ID: the request, the progress, and the result of each item. This is the
//! data that survives a restart.

use rusqlite::{OptionalExtension as _, Row, params};
use workflow_node_host::{ItemError, ItemErrorKind, Principal};

use super::record::{Begun, Ending, ItemResult, Key, Request, Status, Stored};
use super::result::ItemElement;
use super::saved::Interrupted;
use crate::database::{Database, DatabaseError, now};
use crate::error::ErrorDetail;
use crate::seal::Sealer;
use crate::token::signed;

/// The executions of a database. Its methods block.
#[derive(Clone, Debug)]
pub(crate) struct ExecutionStore {
    database: Database,
    /// Without it, only outcomes are stored, and no text of a service.
    sealer: Option<Sealer>,
}

const COLUMNS: &str = "SELECT tenant, id, actor, plugin, action, workflow, fingerprint, repeatable, \
                       status, started, items, told, finished, failed, error_name, error, \
                       created_at, ended_at, restored FROM execution";

/// Counts the results that an execution had when it was interrupted.
const COUNT: &str = "finished = (SELECT count(*) FROM result \
                     WHERE result.tenant = execution.tenant AND result.id = execution.id), \
                     failed = (SELECT count(error_kind) FROM result \
                     WHERE result.tenant = execution.tenant AND result.id = execution.id)";

impl ExecutionStore {
    pub(crate) fn new(database: Database, sealer: Option<Sealer>) -> Self {
        Self { database, sealer }
    }

    /// Seals text, if it is stored.
    fn sealed(&self, belongs: &[&str], text: &str) -> Result<Option<Vec<u8>>, DatabaseError> {
        let Some(sealer) = &self.sealer else { return Ok(None) };
        let sealed = sealer.seal(belongs, text.as_bytes());
        sealed.map(Some).map_err(DatabaseError::unwritable)
    }

    /// Opens stored text.
    fn opened(&self, belongs: &[&str], sealed: Option<Vec<u8>>) -> Option<String> {
        let opened = self.sealer.as_ref()?.open(belongs, &sealed?).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    /// Marks executions that an earlier server left running. Called once, before anything runs.
    pub(crate) fn interrupt_all(&self) -> Result<usize, DatabaseError> {
        self.database.write(|change| {
            let interrupt = format!(
                "UPDATE execution SET status = 'interrupted', ended_at = ?1, {COUNT} \
                 WHERE status IN ('queued', 'running')"
            );
            Ok(change.execute(&interrupt, [signed(now())])?)
        })
    }

    /// Begins an execution, unless its ID is known. The caller ensures that no execution with this
    /// key runs. A power failure may undo it, up to the next change that is written to the disk.
    pub(crate) fn begin(&self, request: &Request) -> Result<Begun, DatabaseError> {
        let Key { tenant, id } = &request.key;
        self.database.write_ahead(|change| {
            let mut query = change.prepare_cached(&format!("{COLUMNS} WHERE tenant = ?1 AND id = ?2"))?;
            let found = query.query_row([tenant, id], |row| self.stored(row)).optional()?;
            let begun = if found.is_some() { Begun::Again } else { Begun::New };
            if let Some(stored) = found {
                if stored.actor != request.actor || stored.fingerprint != request.fingerprint {
                    return Ok(Begun::Conflict);
                }
                if stored.status == Status::Interrupted {
                    return Ok(Begun::Interrupted(Box::new(stored)));
                }
                let again = stored.status != Status::Finished
                    && !stored.restored
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
            Ok(begun)
        })
    }

    /// Begins an interrupted execution again. Its results are kept until others replace them,
    /// unless it starts from its first item.
    pub(crate) fn again(&self, key: &Key, from_start: bool) -> Result<(), DatabaseError> {
        self.database.write(|change| {
            change.execute(
                "UPDATE execution SET status = 'queued', finished = 0, failed = 0, bytes = 0, \
                 told = 0, error_name = NULL, error = NULL, ended_at = NULL, \
                 started = started AND NOT ?3 WHERE tenant = ?1 AND id = ?2",
                params![key.tenant, key.id, from_start],
            )?;
            if from_start {
                let delete = "DELETE FROM result WHERE tenant = ?1 AND id = ?2";
                change.execute(delete, [&key.tenant, &key.id])?;
            }
            Ok(())
        })
    }

    /// Records that the plugin is called from now on. With a journal, a power failure may undo it: the
    /// journal has what was sent.
    pub(crate) fn start(&self, key: &Key, has_journal: bool) -> Result<(), DatabaseError> {
        self.database.write_ahead(|change| {
            change.execute(
                "UPDATE execution SET status = 'running', started = 1 WHERE tenant = ?1 AND id = ?2",
                [&key.tenant, &key.id],
            )?;
            Ok(())
        })?;
        if has_journal { Ok(()) } else { self.sync() }
    }

    /// Returns once all executions that have begun survive a power failure.
    pub(crate) fn sync(&self) -> Result<(), DatabaseError> {
        self.database.sync()
    }

    /// Stores results of items, which a power failure may undo until the execution has ended.
    pub(crate) fn record(&self, key: &Key, results: &[ItemResult]) -> Result<(), DatabaseError> {
        self.database.write_ahead(|change| self.insert(change, key, results))
    }

    fn insert(
        &self,
        change: &rusqlite::Transaction<'_>,
        key: &Key,
        results: &[ItemResult],
    ) -> Result<(), DatabaseError> {
        let mut insert = change.prepare_cached(
            "INSERT OR REPLACE INTO result (tenant, id, item, error_kind, http_status, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut bytes = 0;
        for result in results {
            let item = result.item.to_string();
            let body = self.sealed(&of_result(key, &item), &result.body)?;
            bytes += body.as_ref().map_or(0, Vec::len);
            let kind = result.error.as_ref().map(|(kind, _)| kind.as_str());
            let status = result.error.as_ref().and_then(|(_, status)| *status);
            let item = signed(result.item);
            insert.execute(params![key.tenant, key.id, item, kind, status, body])?;
        }
        let failed = results.iter().filter(|result| result.error.is_some()).count();
        change.execute(
            "UPDATE execution SET finished = finished + ?3, failed = failed + ?4, \
             bytes = bytes + ?5 WHERE tenant = ?1 AND id = ?2",
            params![key.tenant, key.id, count(results.len()), count(failed), count(bytes)],
        )?;
        Ok(())
    }

    /// Stores the last results of items, and records how the execution has ended.
    pub(crate) fn end(
        &self,
        key: &Key,
        last: &[ItemResult],
        ending: &Ending,
    ) -> Result<(), DatabaseError> {
        let error = ending.error.as_ref().map(serde_json::to_string).transpose();
        let error = error.map_err(DatabaseError::unwritable)?;
        let name = ending.error.as_ref().map(|error| error.name.as_ref());
        let error = match &error {
            Some(error) => self.sealed(&of_error(key), error)?,
            None => None,
        };
        let count = match ending.status {
            Status::Interrupted => format!(", {COUNT}"),
            _ => String::new(),
        };
        let end = format!(
            "UPDATE execution SET status = ?3, told = ?4, error_name = ?5, error = ?6, \
             ended_at = ?7, started = ?8{count} WHERE tenant = ?1 AND id = ?2"
        );
        self.database.write(|change| {
            if !last.is_empty() {
                self.insert(change, key, last)?;
            }
            change.execute(
                &end,
                params![
                    key.tenant,
                    key.id,
                    ending.status.name(),
                    signed(ending.told),
                    name,
                    error,
                    signed(now()),
                    ending.sent
                ],
            )?;
            if ending.status != Status::Interrupted {
                let forget = "DELETE FROM call WHERE tenant = ?1 AND id = ?2";
                change.execute(forget, [&key.tenant, &key.id])?;
            }
            Ok(())
        })
    }

    /// Keeps a call that the server repeats by itself if it is interrupted.
    pub(crate) fn keep_call(&self, key: &Key, parts: &[String]) -> Result<(), DatabaseError> {
        self.database.write(|change| {
            let mut insert = change.prepare_cached(
                "INSERT OR REPLACE INTO call (tenant, id, part, body) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (number, part) in parts.iter().enumerate() {
                let text = number.to_string();
                let Some(body) = self.sealed(&of_call(key, &text), part)? else { return Ok(()) };
                insert.execute(params![key.tenant, key.id, count(number), body])?;
            }
            Ok(())
        })
    }

    /// Keys of the interrupted executions whose calls are kept.
    pub(crate) fn interrupted(&self) -> Result<Vec<Key>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare(
                "SELECT tenant, id FROM execution WHERE status = 'interrupted' AND EXISTS \
                 (SELECT 1 FROM call WHERE call.tenant = execution.tenant \
                 AND call.id = execution.id) ORDER BY created_at, id",
            )?;
            let rows =
                query.query_map([], |row| Ok(Key { tenant: row.get(0)?, id: row.get(1)? }))?;
            rows.collect()
        })
    }

    /// The call of an interrupted execution, if it is kept and opens with this key.
    pub(crate) fn call(&self, key: &Key) -> Result<Option<Interrupted>, DatabaseError> {
        let (actor, parts) = self.database.read(|database| {
            let actor = "SELECT actor FROM execution WHERE tenant = ?1 AND id = ?2";
            let of = [&key.tenant, &key.id];
            let actor = database.query_row(actor, of, |row| row.get::<_, String>(0)).optional()?;
            let mut query = database.prepare_cached(
                "SELECT part, body FROM call WHERE tenant = ?1 AND id = ?2 ORDER BY part",
            )?;
            let rows = query.query_map(of, |row| {
                let number = row.get::<_, i64>(0)?.to_string();
                Ok(self.opened(&of_call(key, &number), row.get(1)?))
            })?;
            Ok((actor, rows.collect::<Result<Option<Vec<String>>, _>>()?))
        })?;
        let (Some(actor), Some(parts)) = (actor, parts) else { return Ok(None) };
        let mut parts = parts.into_iter();
        let call = parts.next().and_then(|text| serde_json::from_str(&text).ok());
        let Some(call) = call else { return Ok(None) };
        let lines = parts.flat_map(|part| part.lines().map(str::to_owned).collect::<Vec<_>>());
        let lines = lines.collect();
        Ok(Some(Interrupted { key: key.clone(), actor, call, lines }))
    }

    /// Removes an execution that has not sent anything, so that its ID can be used again.
    pub(crate) fn forget(&self, key: &Key) -> Result<(), DatabaseError> {
        self.database.write(|change| {
            let delete = "DELETE FROM execution WHERE tenant = ?1 AND id = ?2";
            change.execute(delete, [&key.tenant, &key.id])?;
            Ok(())
        })
    }

    /// The execution with an ID, if this principal started it.
    pub(crate) fn get(&self, by: &Principal, id: &str) -> Result<Option<Stored>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!(
                "{COLUMNS} WHERE tenant = ?1 AND id = ?2 AND actor = ?3"
            ))?;
            let key = [by.tenant.as_str(), id, by.user.as_str()];
            query.query_row(key, |row| self.stored(row)).optional()
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
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!(
                "{COLUMNS} WHERE tenant = ?1 AND actor = ?2 AND (created_at, id) > (?3, ?4) \
                 AND (instr(id, ?5) OR instr(action, ?5) OR instr(coalesce(workflow, ''), ?5)) \
                 ORDER BY created_at, id LIMIT ?6"
            ))?;
            let (tenant, user) = (by.tenant.as_str(), by.user.as_str());
            let (time, id) = (signed(after.0), after.1);
            let parameters = params![tenant, user, time, id, search, count(limit)];
            query.query_map(parameters, |row| self.stored(row))?.collect()
        })
    }

    /// The latest executions of a principal, newest first.
    pub(crate) fn latest(
        &self,
        by: &Principal,
        limit: usize,
    ) -> Result<Vec<Stored>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!(
                "{COLUMNS} WHERE tenant = ?1 AND actor = ?2 ORDER BY created_at DESC, id DESC \
                 LIMIT ?3"
            ))?;
            let parameters = params![by.tenant.as_str(), by.user.as_str(), count(limit)];
            query.query_map(parameters, |row| self.stored(row))?.collect()
        })
    }

    /// Results from an item on as JSON, in the order of the items.
    pub(crate) fn results(
        &self,
        key: &Key,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, String)>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(
                "SELECT item, error_kind, http_status, body FROM result \
                 WHERE tenant = ?1 AND id = ?2 AND item >= ?3 ORDER BY item LIMIT ?4",
            )?;
            let rows = query.query_map(
                params![key.tenant, key.id, signed(from), count(limit)],
                |row| {
                    let item = row.get::<_, i64>(0)?.unsigned_abs();
                    let opened = self.opened(&of_result(key, &item.to_string()), row.get(3)?);
                    let (kind, status) = (row.get(1)?, row.get(2)?);
                    Ok((item, opened.unwrap_or_else(|| not_kept(item, kind, status))))
                },
            )?;
            rows.collect()
        })
    }

    /// Removes executions that ended before a time, and the output of the oldest ones of tenants
    /// with more than `most` bytes of output. Returns how many were removed.
    pub(crate) fn prune(&self, before: u64, most: usize) -> Result<usize, DatabaseError> {
        self.database.write(|change| {
            let removed =
                change.execute("DELETE FROM execution WHERE ended_at < ?1", [signed(before)])?;
            let excess = "SELECT tenant, id FROM (SELECT tenant, id, ended_at, sum(bytes) OVER \
                          (PARTITION BY tenant ORDER BY created_at DESC, id DESC) AS total, bytes \
                          FROM execution) WHERE total > ?1 AND bytes > 0 AND ended_at IS NOT NULL";
            let mut query = change.prepare(excess)?;
            let found: Vec<(String, String)> = query
                .query_map([count(most)], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (tenant, id) in found {
                let key = [&tenant, &id];
                let drop = "UPDATE result SET body = NULL WHERE tenant = ?1 AND id = ?2";
                change.execute(drop, key)?;
                let note = "UPDATE execution SET bytes = 0 WHERE tenant = ?1 AND id = ?2";
                change.execute(note, key)?;
            }
            Ok(removed)
        })
    }

    fn stored(&self, row: &Row<'_>) -> rusqlite::Result<Stored> {
        let mut stored = read(row)?;
        let name: Option<String> = row.get(14)?;
        let sealed: Option<Vec<u8>> = row.get(15)?;
        stored.error = name.map(|name| {
            let text = self.opened(&of_error(&stored.key), sealed);
            text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| ErrorDetail {
                name: name.into(),
                message: NOT_KEPT.to_owned(),
                next: None,
                problems: Vec::new(),
            })
        });
        Ok(stored)
    }
}

const NOT_KEPT: &str = "The server does not keep the reason.";

/// The binding of a result's seal.
fn of_result<'a>(key: &'a Key, item: &'a str) -> [&'a str; 4] {
    ["result", &key.tenant, &key.id, item]
}

/// Context that the seal of a part of a call is bound to.
fn of_call<'a>(key: &'a Key, part: &'a str) -> [&'a str; 4] {
    ["call", &key.tenant, &key.id, part]
}

/// Context that the seal of an execution's error is bound to.
fn of_error(key: &Key) -> [&str; 3] {
    ["error", &key.tenant, &key.id]
}

/// A result of which only the outcome is stored.
fn not_kept(item: u64, kind: Option<String>, http_status: Option<u16>) -> String {
    let error = kind.map(|kind| {
        let kind = serde_json::from_value(kind.into()).unwrap_or(ItemErrorKind::Internal);
        let mut error = ItemError::new(kind, NOT_KEPT);
        error.http_status = http_status;
        error
    });
    serde_json::to_string(&ItemElement::not_kept(item, error.as_ref())).unwrap_or_default()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let number = |index: usize| Ok::<_, rusqlite::Error>(row.get::<_, i64>(index)?.unsigned_abs());
    let status: String = row.get(8)?;
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
        error: None,
        created_at: number(16)?,
        ended_at: row.get::<_, Option<i64>>(17)?.map(i64::unsigned_abs),
        restored: row.get(18)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::test_sealer;

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
        let store =
            ExecutionStore::new(Database::open(directory.path()).unwrap(), Some(test_sealer()));
        let begin = |request: &Request| store.begin(request).unwrap();
        let first = request("acme", "ada", 1, false);
        assert!(matches!(begin(&first), Begun::New));
        store.start(&first.key, true).unwrap();
        let finished = Ending { status: Status::Finished, sent: true, told: 2, error: None };
        store.end(&first.key, &[], &finished).unwrap();
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
    fn a_stopped_execution_runs_again_only_if_it_is_idempotent() {
        let directory = tempfile::tempdir().unwrap();
        let store = ExecutionStore::new(Database::open(directory.path()).unwrap(), None);
        for (tenant, repeatable, sent, again) in
            [("a", true, true, true), ("b", false, true, false), ("c", false, false, true)]
        {
            let request = request(tenant, "ada", 1, repeatable);
            assert!(matches!(store.begin(&request).unwrap(), Begun::New));
            let stopped = Ending { status: Status::Stopped, sent, told: 0, error: None };
            store.end(&request.key, &[], &stopped).unwrap();
            let begun = store.begin(&request).unwrap();
            assert_eq!(matches!(begun, Begun::Again), again, "{tenant}: {begun:?}");
        }
    }

    #[test]
    fn an_interrupted_execution_keeps_its_results_unless_it_starts_again() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let store = ExecutionStore::new(database, Some(test_sealer()));
        let request = request("acme", "ada", 1, false);
        store.begin(&request).unwrap();
        store.start(&request.key, true).unwrap();
        let result = |item| ItemResult { item, error: None, body: format!("{{\"item\":{item}}}") };
        store.record(&request.key, &[result(0), result(1)]).unwrap();
        assert_eq!(store.interrupt_all().unwrap(), 1);
        let Begun::Interrupted(stored) = store.begin(&request).unwrap() else { panic!() };
        assert_eq!((stored.finished, stored.status), (2, Status::Interrupted));
        store.again(&request.key, false).unwrap();
        store.record(&request.key, &[result(0)]).unwrap();
        // It is interrupted again before all results have been repeated.
        store.interrupt_all().unwrap();
        let Begun::Interrupted(stored) = store.begin(&request).unwrap() else { panic!() };
        assert!(stored.started);
        assert_eq!((stored.finished, store.results(&request.key, 0, 10).unwrap().len()), (2, 2));
        store.again(&request.key, true).unwrap();
        assert!(store.results(&request.key, 0, 10).unwrap().is_empty());
    }

    #[test]
    fn only_sealed_results_or_outcomes_are_stored() {
        let ending = |error: &str| Ending {
            status: Status::Stopped,
            sent: true,
            told: 2,
            error: Some(ErrorDetail {
                name: "plugin-stopped".into(),
                message: error.to_owned(),
                next: None,
                problems: Vec::new(),
            }),
        };
        for sealer in [Some(test_sealer()), None] {
            let directory = tempfile::tempdir().unwrap();
            let is_sealed = sealer.is_some();
            let store = ExecutionStore::new(Database::open(directory.path()).unwrap(), sealer);
            let request = request("acme", "ada", 1, false);
            store.begin(&request).unwrap();
            let body = r#"{"item":0,"status":"ok","output":["canary"]}"#.to_owned();
            let failed = Some((ItemErrorKind::Forbidden, Some(403)));
            let results = [
                ItemResult { item: 0, error: None, body: body.clone() },
                ItemResult { item: 1, error: failed, body: r#"{"canary": 1}"#.to_owned() },
            ];
            store.record(&request.key, &results).unwrap();
            store.end(&request.key, &[], &ending("canary")).unwrap();
            for entry in std::fs::read_dir(directory.path()).unwrap() {
                let bytes = std::fs::read(entry.unwrap().path()).unwrap();
                assert!(!bytes.windows(6).any(|part| part == b"canary"), "a result is on the disk");
            }
            let results = store.results(&request.key, 0, 10).unwrap();
            let stored = store.get(&Principal::of("acme", "ada"), "run-1").unwrap().unwrap();
            let error = stored.error.unwrap();
            assert_eq!(
                (error.name.as_ref(), error.message == "canary"),
                ("plugin-stopped", is_sealed)
            );
            if is_sealed {
                assert_eq!(results[0].1, body);
                // Discarded output looks like output that was never stored.
                assert_eq!(store.prune(0, 0).unwrap(), 0);
            }
            let results: Vec<serde_json::Value> = store
                .results(&request.key, 0, 10)
                .unwrap()
                .iter()
                .map(|(_, text)| serde_json::from_str(text).unwrap())
                .collect();
            assert_eq!(results[0]["status"], "ok");
            assert_eq!(results[0]["output_dropped"], true);
            assert_eq!(results[1]["error"]["kind"], "forbidden");
            assert_eq!(results[1]["error"]["http_status"], 403);
        }
    }

    #[test]
    fn the_oldest_output_of_a_tenant_above_its_limit_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let store = ExecutionStore::new(database, Some(test_sealer()));
        let mut keys = Vec::new();
        for (tenant, id) in [("acme", "1"), ("acme", "2"), ("other", "1")] {
            let mut request = request(tenant, "ada", 1, true);
            request.key.id = id.to_owned();
            store.begin(&request).unwrap();
            let body = format!("\"{}\"", "x".repeat(1_000));
            store.record(&request.key, &[ItemResult { item: 0, error: None, body }]).unwrap();
            let ending = Ending { status: Status::Finished, sent: true, told: 1, error: None };
            store.end(&request.key, &[], &ending).unwrap();
            keys.push(request.key);
        }
        store.prune(0, 1_500).unwrap();
        let kept =
            keys.iter().map(|key| !store.results(key, 0, 1).unwrap()[0].1.contains("dropped"));
        assert_eq!(kept.collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn results_are_removed_with_their_execution() {
        let directory = tempfile::tempdir().unwrap();
        let store =
            ExecutionStore::new(Database::open(directory.path()).unwrap(), Some(test_sealer()));
        let request = request("acme", "ada", 1, true);
        store.begin(&request).unwrap();
        let failed = Some((ItemErrorKind::Forbidden, Some(403)));
        let results = [ItemResult { item: 0, error: failed, body: "{}".into() }];
        store.record(&request.key, &results).unwrap();
        let last = [ItemResult { item: 1, error: None, body: "{}".into() }];
        let ending = Ending { status: Status::Finished, sent: true, told: 2, error: None };
        store.end(&request.key, &last, &ending).unwrap();
        let stored = store.get(&Principal::of("acme", "ada"), "run-1").unwrap().unwrap();
        assert_eq!((stored.finished, stored.failed), (2, 1));
        assert_eq!(store.results(&request.key, 0, 10).unwrap().len(), 2);
        assert_eq!(store.prune(now() + 1, usize::MAX).unwrap(), 1);
        assert!(store.results(&request.key, 0, 10).unwrap().is_empty());
    }
}
