//! What has come for a subscription: deliveries until they are turned into events, events until they
//! are handed on, and marks of both, by which what comes again is known.

use rusqlite::{Connection as Database, OptionalExtension as _, params};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Failure, failed};
use crate::store::record::{signed, unsigned};
use crate::store::{SqliteStore, StoreError};
use crate::trigger::{Acceptance, Delivered, NewEvent, Pending, TriggerEvent, TriggerStoreError};

/// How long what has come is told apart from what comes again, in milliseconds. Services repeat
/// deliveries for two or three days.
const REMEMBERED: i64 = 14 * 24 * 3_600 * 1_000;
impl SqliteStore {
    pub(super) fn accept_delivery(
        &self,
        name: &str,
        id: Option<&str>,
        delivered: &Delivered,
        most: usize,
    ) -> Result<Acceptance, TriggerStoreError> {
        let now = signed(self.now());
        self.changing(|database, _| {
            let row = self.row_or_refusal(database, name)?;
            let accept = || {
                if let Some(id) = id
                    && !self.mark(database, &row.id, &format!("delivery {id}"), now)?
                {
                    return Ok(Acceptance::Repeated);
                }
                let waiting: i64 = database.query_row(
                    "SELECT count(*) FROM delivery WHERE subscription = ?1 AND put_aside = 0",
                    [&row.id],
                    |row| row.get(0),
                )?;
                if unsigned(waiting) >= most as u64 {
                    return Ok(Acceptance::Full);
                }
                let headers = serde_json::to_string(&delivered.headers).unwrap_or_default();
                database.execute(
                    "INSERT INTO delivery (subscription, method, url, headers, body, received_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        row.id,
                        delivered.method,
                        delivered.url,
                        headers,
                        delivered.body,
                        signed(delivered.received_at),
                    ],
                )?;
                Ok(Acceptance::Kept)
            };
            let accepted = accept().map_err(|error| self.failed(error))?;
            if accepted == Acceptance::Full {
                // Its id is not to be remembered: it will come again.
                if let Some(id) = id {
                    let mark = format!("delivery {id}");
                    database
                        .execute(
                            "DELETE FROM seen WHERE subscription = ?1 AND mark = ?2",
                            params![row.id, mark],
                        )
                        .map_err(|error| self.failed(error))?;
                }
            }
            Ok(accepted)
        })
    }

    /// Remembers a mark; `false`: it was remembered already.
    fn mark(&self, database: &Database, id: &[u8], mark: &str, now: i64) -> rusqlite::Result<bool> {
        database.execute("DELETE FROM seen WHERE seen_at < ?1", [now - REMEMBERED])?;
        let new = database.execute(
            "INSERT INTO seen (subscription, mark, seen_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT (subscription, mark) DO NOTHING",
            params![id, mark, now],
        )?;
        Ok(new == 1)
    }

    pub(super) fn keep_events(
        &self,
        database: &Database,
        id: &[u8],
        events: &[NewEvent],
    ) -> Result<usize, StoreError> {
        let now = signed(self.now());
        let mut new = 0;
        let mut keep = || {
            for event in events {
                if let Some(key) = &event.dedup_key
                    && !self.mark(database, id, &format!("event {key}"), now)?
                {
                    continue;
                }
                database.execute(
                    "INSERT INTO event (subscription, json, dedup_key, occurred_at, received_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        id,
                        event.json.get(),
                        event.dedup_key,
                        event.occurred_at.map(signed),
                        now
                    ],
                )?;
                new += 1;
            }
            Ok(())
        };
        keep().map_err(|error| self.failed(error))?;
        Ok(new)
    }

    pub(super) fn next_delivery(&self, name: &str) -> Result<Option<Pending>, TriggerStoreError> {
        self.reading(|database, _| {
            let id = match self.subscription_row(database, name)? {
                Ok(row) => row.id,
                Err(error) => return Ok(Err(error)),
            };
            let pending = database
                .query_row(
                    "SELECT number, method, url, headers, body, received_at, failures \
                     FROM delivery WHERE subscription = ?1 AND put_aside = 0 \
                     ORDER BY number LIMIT 1",
                    [&id],
                    |row| {
                        let headers: String = row.get(3)?;
                        Ok(Pending {
                            number: unsigned(row.get(0)?),
                            delivered: Delivered {
                                method: row.get(1)?,
                                url: row.get(2)?,
                                headers: serde_json::from_str(&headers).unwrap_or_default(),
                                body: row.get(4)?,
                                received_at: unsigned(row.get(5)?),
                            },
                            failures: row.get(6)?,
                        })
                    },
                )
                .optional();
            pending.map(Ok).map_err(|error| self.failed(error))
        })
        .map_err(|error| failed(&error))?
    }

    pub(super) fn settle_delivery(
        &self,
        name: &str,
        number: u64,
        events: &[NewEvent],
    ) -> Result<usize, TriggerStoreError> {
        self.changing(|database, _| {
            let row = self.row_or_refusal(database, name)?;
            let new = self.keep_events(database, &row.id, events)?;
            database
                .execute(
                    "DELETE FROM delivery WHERE number = ?1 AND subscription = ?2",
                    params![signed(number), row.id],
                )
                .map_err(|error| self.failed(error))?;
            Ok(new)
        })
    }

    pub(super) fn fail_delivery(
        &self,
        number: u64,
        reason: &str,
        put_aside: bool,
    ) -> Result<(), TriggerStoreError> {
        self.changing(|database, _| {
            database
                .execute(
                    "UPDATE delivery SET failures = failures + 1, reason = ?1, \
                     put_aside = max(put_aside, ?2) WHERE number = ?3",
                    params![reason, put_aside, signed(number)],
                )
                .map_err(|error| self.failed(error))?;
            Ok(())
        })
    }

    pub(super) fn advance_cursor(
        &self,
        name: &str,
        before: Option<&Value>,
        cursor: &Value,
        events: &[NewEvent],
    ) -> Result<usize, TriggerStoreError> {
        self.changing(|database, _| {
            let row = self.row_or_refusal(database, name)?;
            if row.subscription()?.cursor.as_ref() != before {
                return Err(Failure::Trigger(TriggerStoreError::Changed(name.to_owned())));
            }
            let new = self.keep_events(database, &row.id, events)?;
            database
                .execute(
                    "UPDATE subscription SET cursor = ?1 WHERE id = ?2",
                    params![cursor.to_string(), row.id],
                )
                .map_err(|error| self.failed(error))?;
            Ok(new)
        })
    }

    pub(super) fn next_event(&self, name: &str) -> Result<Option<TriggerEvent>, TriggerStoreError> {
        self.reading(|database, _| {
            let row = match self.subscription_row(database, name)? {
                Ok(row) => row,
                Err(error) => return Ok(Err(error)),
            };
            let event = database
                .query_row(
                    "SELECT number, json, dedup_key, occurred_at, received_at FROM event \
                     WHERE subscription = ?1 ORDER BY number LIMIT 1",
                    [&row.id],
                    |row| {
                        let json: String = row.get(1)?;
                        let occurred_at: Option<i64> = row.get(3)?;
                        Ok((
                            json,
                            TriggerEvent {
                                subscription: name.to_owned(),
                                number: unsigned(row.get(0)?),
                                dedup_key: row.get(2)?,
                                occurred_at: occurred_at.map(unsigned),
                                received_at: unsigned(row.get(4)?),
                                event: RawValue::NULL.to_owned(),
                            },
                        ))
                    },
                )
                .optional()
                .map_err(|error| self.failed(error))?;
            let Some((json, mut event)) = event else { return Ok(Ok(None)) };
            event.event = RawValue::from_string(json).map_err(|_| row.tampered())?;
            Ok(Ok(Some(event)))
        })
        .map_err(|error| failed(&error))?
    }
}
