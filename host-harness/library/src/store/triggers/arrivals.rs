//! Received data of a subscription: deliveries until they are turned into events, events until they
//! are delivered, and the IDs of both, by which duplicates are recognized.

use std::path::Path;
use std::sync::atomic::Ordering;

use rusqlite::{Connection as Database, OptionalExtension as _, params};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Failure;
use super::row::SubscriptionRow;
use crate::limits::TriggerLimits;
use crate::store::record::{signed, unsigned};
use crate::store::{SqliteStore, StoreError};
use crate::subscription::{
    Acceptance, Delivered, NewEvent, Pending, TriggerEvent, TriggerStoreError, delivery_fits,
    events_waiting,
};

/// Milliseconds for which IDs are remembered to recognize duplicates. Services retry deliveries for
/// two or three days.
const REMEMBERED: i64 = 14 * 24 * 3_600 * 1_000;
/// Characters of the reason for which a delivery was put aside.
const LONGEST_REASON: usize = 1_000;

/// How many marks are added before it is looked whether there are too many.
const MARKS_BETWEEN_LOOKS: usize = 1_000;

impl SqliteStore {
    pub(super) fn accept_delivery(
        &self,
        name: &str,
        id: Option<&str>,
        delivered: &Delivered,
        limits: &TriggerLimits,
    ) -> Result<Acceptance, TriggerStoreError> {
        let now = signed(self.now());
        let size = delivered.size();
        self.changing(|database, _| {
            let row = self.row_or_refusal(database, name)?;
            let mark = id.map(|id| format!("delivery {id}"));
            let fits = || {
                if let Some(mark) = &mark
                    && is_marked(database, &row.id, mark)?
                {
                    return Ok(Acceptance::Repeated);
                }
                let (waiting, bytes) = deliveries_stored(database, &row.id, false)?;
                Ok(match delivery_fits(waiting, bytes, size, limits) {
                    true => Acceptance::Kept,
                    false => Acceptance::Full,
                })
            };
            let accepted = fits().map_err(|error| self.failed(error))?;
            if accepted != Acceptance::Kept {
                return Ok(accepted);
            }
            if let Err(reason) = self.space_for(database, size, limits)? {
                tracing::warn!(subscription = name, reason, "a delivery cannot be stored");
                return Ok(Acceptance::Full);
            }
            let accept = || {
                if let Some(mark) = &mark {
                    self.mark(database, &row.id, mark, now, limits)?;
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
                )
            };
            accept().map_err(|error| self.failed(error))?;
            Ok(accepted)
        })
    }

    /// Remembers a mark; `false`: it was remembered already.
    fn mark(
        &self,
        database: &Database,
        id: &[u8],
        mark: &str,
        now: i64,
        limits: &TriggerLimits,
    ) -> rusqlite::Result<bool> {
        database.execute("DELETE FROM seen WHERE seen_at < ?1", [now - REMEMBERED])?;
        let new = database.execute(
            "INSERT INTO seen (subscription, mark, seen_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT (subscription, mark) DO NOTHING",
            params![id, mark, now],
        )?;
        if new == 1 {
            self.forget_oldest_marks(database, limits)?;
        }
        Ok(new == 1)
    }

    /// Keeps marks within their limit, nearly: counting them takes too long to do it each time.
    fn forget_oldest_marks(
        &self,
        database: &Database,
        limits: &TriggerLimits,
    ) -> rusqlite::Result<()> {
        let between = (limits.remembered / 100).clamp(1, MARKS_BETWEEN_LOOKS);
        if !self.0.marks.fetch_add(1, Ordering::Relaxed).is_multiple_of(between) {
            return Ok(());
        }
        let most = i64::try_from(limits.remembered).unwrap_or(i64::MAX);
        let mut statement = database.prepare_cached(
            "SELECT subscription, count(*) - ?1 FROM seen GROUP BY subscription \
             HAVING count(*) > ?1",
        )?;
        let beyond: Vec<(Vec<u8>, i64)> = statement
            .query_map([most], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (subscription, beyond) in beyond {
            database.execute(
                "DELETE FROM seen WHERE subscription = ?1 AND mark IN \
                 (SELECT mark FROM seen WHERE subscription = ?1 ORDER BY seen_at LIMIT ?2)",
                params![subscription, beyond],
            )?;
        }
        Ok(())
    }

    /// Whether the file and its file system have space for so many bytes more. Credentials are
    /// written without asking: what this leaves is theirs.
    fn space_for(
        &self,
        database: &Database,
        bytes: usize,
        limits: &TriggerLimits,
    ) -> Result<Result<(), String>, StoreError> {
        let pragma = |name| {
            database
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .map(unsigned)
                .map_err(|error| self.failed(error))
        };
        let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
        let used = pages.saturating_mul(pragma("page_size")?);
        let bytes = bytes as u64;
        if used.saturating_add(bytes) > limits.store {
            return Ok(Err(format!(
                "the store has {used} bytes, and triggers can fill it up to {} (limit `store`)",
                limits.store
            )));
        }
        // Unknown on some file systems; then the limit above has to do.
        let directory = self.path().parent().unwrap_or_else(|| Path::new("."));
        let Ok(free) = fs4::available_space(directory) else { return Ok(Ok(())) };
        // Twice: the rollback journal keeps what is overwritten.
        if free < limits.disk_reserve.saturating_add(bytes.saturating_mul(2)) {
            return Ok(Err(format!(
                "the file system of the store has {free} bytes free, of which {} are reserved for \
                 credentials (limit `disk_reserve`)",
                limits.disk_reserve
            )));
        }
        Ok(Ok(()))
    }

    pub(super) fn room_for_events(
        &self,
        name: &str,
        limits: &TriggerLimits,
    ) -> Result<(), TriggerStoreError> {
        self.reading(|database, _| {
            let id = match self.subscription_row(database, name)? {
                Ok(row) => row.id,
                Err(error) => return Ok(Err(error)),
            };
            let room = self.events_fit(database, &id, 0, limits)?;
            Ok(room.map_err(|reason| TriggerStoreError::Full { name: name.to_owned(), reason }))
        })
        .map_err(TriggerStoreError::failed)?
    }

    fn events_fit(
        &self,
        database: &Database,
        id: &[u8],
        bytes: usize,
        limits: &TriggerLimits,
    ) -> Result<Result<(), String>, StoreError> {
        let (waiting, waiting_bytes) = database
            .query_row(
                "SELECT count(*), coalesce(sum(octet_length(json)), 0) FROM event \
                 WHERE subscription = ?1",
                [id],
                |row| Ok((size(row.get(0)?), size(row.get(1)?))),
            )
            .map_err(|error| self.failed(error))?;
        if let Err(reason) = events_waiting(waiting, waiting_bytes, limits) {
            return Ok(Err(reason));
        }
        self.space_for(database, bytes, limits)
    }

    fn keep_events(
        &self,
        database: &Database,
        row: &SubscriptionRow,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, Failure> {
        if events.is_empty() {
            return Ok(0);
        }
        let id = &row.id;
        let bytes = events.iter().map(NewEvent::size).sum();
        self.events_fit(database, id, bytes, limits)?.map_err(|reason| {
            Failure::Trigger(TriggerStoreError::Full { name: row.name.clone(), reason })
        })?;
        let now = signed(self.now());
        let mut new = 0;
        let mut keep = || {
            for event in events {
                if let Some(key) = &event.dedup_key
                    && !self.mark(database, id, &format!("event {key}"), now, limits)?
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
        .map_err(TriggerStoreError::failed)?
    }

    pub(super) fn settle_delivery(
        &self,
        name: &str,
        number: u64,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError> {
        self.changing(|database, _| {
            let row = self.row_or_refusal(database, name)?;
            let new = self.keep_events(database, &row, events, limits)?;
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
        name: &str,
        number: u64,
        reason: &str,
        put_aside: bool,
        limits: &TriggerLimits,
    ) -> Result<(), TriggerStoreError> {
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        self.changing(|database, _| {
            let row = self.row_or_refusal(database, name)?;
            database
                .execute(
                    "UPDATE delivery SET failures = failures + 1, reason = ?1, \
                     put_aside = max(put_aside, ?2) WHERE number = ?3 AND subscription = ?4",
                    params![reason, put_aside, signed(number), row.id],
                )
                .map_err(|error| self.failed(error))?;
            if put_aside {
                drop_oldest_put_aside(database, &row.id, limits)
                    .map_err(|error| self.failed(error))?;
            }
            Ok(())
        })
    }

    pub(super) fn advance_cursor(
        &self,
        name: &str,
        before: Option<&Value>,
        cursor: &Value,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError> {
        self.changing(|database, _| {
            let row = self.row_or_refusal(database, name)?;
            if row.subscription()?.cursor.as_ref() != before {
                return Err(Failure::Trigger(TriggerStoreError::Changed(name.to_owned())));
            }
            let new = self.keep_events(database, &row, events, limits)?;
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
        .map_err(TriggerStoreError::failed)?
    }
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn is_marked(database: &Database, id: &[u8], mark: &str) -> rusqlite::Result<bool> {
    database.query_row(
        "SELECT EXISTS (SELECT 1 FROM seen WHERE subscription = ?1 AND mark = ?2)",
        params![id, mark],
        |row| row.get(0),
    )
}

/// Number and bytes of the deliveries of a subscription.
fn deliveries_stored(
    database: &Database,
    id: &[u8],
    put_aside: bool,
) -> rusqlite::Result<(usize, usize)> {
    database.query_row(
        "SELECT count(*), coalesce(sum(octet_length(body) + octet_length(headers) \
         + octet_length(url) + octet_length(method)), 0) \
         FROM delivery WHERE subscription = ?1 AND put_aside = ?2",
        params![id, put_aside],
        |row| Ok((size(row.get(0)?), size(row.get(1)?))),
    )
}

fn drop_oldest_put_aside(
    database: &Database,
    id: &[u8],
    limits: &TriggerLimits,
) -> rusqlite::Result<()> {
    loop {
        let (count, bytes) = deliveries_stored(database, id, true)?;
        if count == 0 || (count <= limits.put_aside_deliveries && bytes <= limits.put_aside_bytes) {
            return Ok(());
        }
        database.execute(
            "DELETE FROM delivery WHERE number = (SELECT min(number) FROM delivery \
             WHERE subscription = ?1 AND put_aside = 1)",
            [id],
        )?;
    }
}
