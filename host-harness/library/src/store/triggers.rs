//! Subscriptions in the store's file, and what has come for them. What a subscription's parameters
//! hold and what signs its deliveries is sealed, bound to all that decides where events come from
//! and whose credentials are used. Cursor and status are not: they change with every poll. What was
//! delivered stands in clear until it is handed on.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{Connection as Database, OptionalExtension as _, Row, params};
use serde_json::Value;
use serde_json::value::RawValue;

use super::record::{json, parsed, signed, unsigned};
use super::schema::Opened;
use super::seal::{self, Binding, Purpose};
use super::{SqliteStore, StoreError};
use crate::secret::Secret;
use crate::trigger::{
    Acceptance, Delivered, Keep, NewEvent, Pending, Status, Subscription, TriggerEvent,
    TriggerStore, TriggerStoreError,
};

/// The tables.
pub(super) const TABLES: &str = "
CREATE TABLE subscription (
    name TEXT PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    node TEXT NOT NULL,
    trigger_name TEXT NOT NULL,
    version INTEGER NOT NULL,
    credentials TEXT NOT NULL,
    callback_url TEXT,
    actor TEXT,
    workflow TEXT,
    state TEXT NOT NULL,
    cursor TEXT,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription BLOB NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    put_aside INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX delivery_by_subscription ON delivery (subscription, put_aside, number);
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription BLOB NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    json TEXT NOT NULL,
    dedup_key TEXT,
    occurred_at INTEGER,
    received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX event_by_subscription ON event (subscription, number);
CREATE TABLE seen (
    subscription BLOB NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    mark TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (subscription, mark)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_time ON seen (seen_at);
";

/// How long what has come is told apart from what comes again, in milliseconds. Services repeat
/// deliveries for two or three days.
const REMEMBERED: i64 = 14 * 24 * 3_600 * 1_000;

const COLUMNS: &str = "name, id, node, trigger_name, version, credentials, callback_url, actor, \
     workflow, state, cursor, status, created_at, updated_at, revision, sealed";

/// A subscription as it stands. JSON stays text, because the seal is bound to that very text.
struct SubscriptionRow {
    name: String,
    id: Vec<u8>,
    node: String,
    trigger: String,
    version: i64,
    credentials: String,
    callback_url: Option<String>,
    actor: Option<String>,
    workflow: Option<String>,
    state: String,
    cursor: Option<String>,
    status: String,
    created_at: i64,
    updated_at: i64,
    revision: i64,
    sealed: Vec<u8>,
}

impl SubscriptionRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            id: row.get(1)?,
            node: row.get(2)?,
            trigger: row.get(3)?,
            version: row.get(4)?,
            credentials: row.get(5)?,
            callback_url: row.get(6)?,
            actor: row.get(7)?,
            workflow: row.get(8)?,
            state: row.get(9)?,
            cursor: row.get(10)?,
            status: row.get(11)?,
            created_at: row.get(12)?,
            updated_at: row.get(13)?,
            revision: row.get(14)?,
            sealed: row.get(15)?,
        })
    }

    fn of(subscription: &Subscription, id: Vec<u8>) -> Result<Self, StoreError> {
        Ok(Self {
            name: subscription.name.clone(),
            id,
            node: subscription.node.clone(),
            trigger: subscription.trigger.clone(),
            version: i64::from(subscription.version),
            credentials: json(&subscription.credentials)?,
            callback_url: subscription.callback_url.clone(),
            actor: subscription.actor.clone(),
            workflow: subscription.workflow.clone(),
            state: json(&subscription.state)?,
            cursor: subscription.cursor.as_ref().map(Value::to_string),
            status: json(&subscription.status)?,
            created_at: signed(subscription.created_at),
            updated_at: signed(subscription.updated_at),
            revision: signed(subscription.revision),
            sealed: Vec::new(),
        })
    }

    fn tampered(&self) -> StoreError {
        StoreError::Tampered { name: format!("subscription {}", self.name) }
    }

    fn subscription(&self) -> Result<Subscription, StoreError> {
        let wrong = || self.tampered();
        Ok(Subscription {
            name: self.name.clone(),
            node: self.node.clone(),
            trigger: self.trigger.clone(),
            version: u32::try_from(self.version).map_err(|_| wrong())?,
            credentials: parsed(&self.credentials).ok_or_else(wrong)?,
            callback_url: self.callback_url.clone(),
            actor: self.actor.clone(),
            workflow: self.workflow.clone(),
            state: parsed(&self.state).ok_or_else(wrong)?,
            cursor: match &self.cursor {
                None => None,
                Some(text) => Some(parsed(text).ok_or_else(wrong)?),
            },
            status: parsed::<Status>(&self.status).ok_or_else(wrong)?,
            created_at: unsigned(self.created_at),
            updated_at: unsigned(self.updated_at),
            revision: unsigned(self.revision),
        })
    }

    fn binding(&self, store: &[u8]) -> Binding {
        let optional = |text: &Option<String>| text.clone().map(String::into_bytes);
        Binding::new(Purpose::Subscription)
            .with(store)
            .with(&self.id)
            .with(self.name.as_bytes())
            .with(self.node.as_bytes())
            .with(self.trigger.as_bytes())
            .with(&self.version.to_le_bytes())
            .with(self.credentials.as_bytes())
            .with_optional(optional(&self.callback_url).as_deref())
            .with_optional(optional(&self.actor).as_deref())
            .with_optional(optional(&self.workflow).as_deref())
            .with(self.state.as_bytes())
            .with(&self.created_at.to_le_bytes())
            .with(&self.revision.to_le_bytes())
    }

    fn seal(&mut self, keep: &Keep, opened: &Opened) -> Result<(), StoreError> {
        let mut secrets = BTreeMap::new();
        secrets.insert("parameters".to_owned(), Secret::new(keep.parameters.to_string()));
        if let Some(secret) = &keep.secret {
            secrets.insert("secret".to_owned(), secret.clone());
        }
        if let Some((secret, until)) = &keep.previous {
            secrets.insert("previous".to_owned(), secret.clone());
            secrets.insert("previous_until".to_owned(), Secret::new(until.to_string()));
        }
        self.sealed = opened.data_key.seal_secrets(&secrets, &self.binding(&opened.id))?;
        Ok(())
    }

    fn open(&self, opened: &Opened) -> Result<Keep, StoreError> {
        let mut secrets = opened
            .data_key
            .open_secrets(&self.sealed, &self.binding(&opened.id))
            .map_err(|_| self.tampered())?;
        let parameters = secrets.get("parameters").and_then(|text| parsed(text.expose()));
        let until = secrets.get("previous_until").and_then(|text| text.expose().parse().ok());
        Ok(Keep {
            subscription: self.subscription()?,
            parameters: parameters.ok_or_else(|| self.tampered())?,
            secret: secrets.remove("secret"),
            previous: secrets.remove("previous").zip(until),
        })
    }
}

fn rows(database: &Database) -> rusqlite::Result<Vec<SubscriptionRow>> {
    let mut statement =
        database.prepare(&format!("SELECT {COLUMNS} FROM subscription ORDER BY name"))?;
    statement.query_map([], SubscriptionRow::read)?.collect()
}

fn put(database: &Database, row: &SubscriptionRow) -> rusqlite::Result<()> {
    database
        .execute(
            "INSERT INTO subscription (name, id, node, trigger_name, version, credentials, \
             callback_url, actor, workflow, state, cursor, status, created_at, updated_at, \
             revision, sealed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
             ON CONFLICT (name) DO UPDATE SET version = ?5, credentials = ?6, callback_url = ?7, \
             actor = ?8, workflow = ?9, state = ?10, status = ?12, updated_at = ?14, \
             revision = ?15, sealed = ?16",
            params![
                row.name,
                row.id,
                row.node,
                row.trigger,
                row.version,
                row.credentials,
                row.callback_url,
                row.actor,
                row.workflow,
                row.state,
                row.cursor,
                row.status,
                row.created_at,
                row.updated_at,
                row.revision,
                row.sealed,
            ],
        )
        .map(|_| ())
}

/// Seals every subscription anew, for another key of the store.
pub(super) fn reseal(
    store: &SqliteStore,
    database: &Database,
    old: &Opened,
    new: &Opened,
) -> Result<(), StoreError> {
    for mut row in rows(database).map_err(|error| store.failed(error))? {
        let keep = row.open(old)?;
        row.seal(&keep, new)?;
        put(database, &row).map_err(|error| store.failed(error))?;
    }
    Ok(())
}

/// What goes wrong in one of the store's transactions.
enum Failure {
    Store(StoreError),
    Trigger(TriggerStoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl SqliteStore {
    fn subscription_row(
        &self,
        database: &Database,
        name: &str,
    ) -> Result<Result<SubscriptionRow, TriggerStoreError>, StoreError> {
        let row = database
            .query_row(
                &format!("SELECT {COLUMNS} FROM subscription WHERE name = ?1"),
                [name],
                SubscriptionRow::read,
            )
            .optional()
            .map_err(|error| self.failed(error))?;
        if let Some(row) = row {
            return Ok(Ok(row));
        }
        let known = rows(database).map_err(|error| self.failed(error))?;
        let known = known.into_iter().map(|row| row.name).collect();
        Ok(Err(TriggerStoreError::Unknown { name: name.to_owned(), known }))
    }

    /// Writes in one transaction, which a refusal ends without a change.
    fn changing<T>(
        &self,
        change: impl FnOnce(&Database, &Opened) -> Result<T, Failure>,
    ) -> Result<T, TriggerStoreError> {
        let mut refusal = None;
        let changed = self.writing(|database, opened| {
            change(database, opened).map_err(|failure| match failure {
                Failure::Store(error) => error,
                Failure::Trigger(error) => {
                    refusal = Some(error);
                    // Stands for the refusal, and undoes the transaction.
                    StoreError::Damaged { path: self.path().to_owned(), detail: String::new() }
                }
            })
        });
        changed.map_err(|error| refusal.unwrap_or_else(|| failed(&error)))
    }

    fn row_or_refusal(&self, database: &Database, name: &str) -> Result<SubscriptionRow, Failure> {
        self.subscription_row(database, name)?.map_err(Failure::Trigger)
    }

    fn keep_subscription(
        &self,
        keep: &Keep,
        replacing: Option<u64>,
    ) -> Result<u64, TriggerStoreError> {
        let name = &keep.subscription.name;
        let mut id = vec![0; 16];
        seal::fill_random(&mut id).map_err(|error| failed(&error))?;
        self.changing(|database, opened| {
            let before = self.subscription_row(database, name)?;
            let id = match (&before, replacing) {
                (Err(_), None) => id,
                (Ok(_), None) => {
                    return Err(Failure::Trigger(TriggerStoreError::Exists(name.clone())));
                }
                (Err(error), Some(_)) => return Err(Failure::Trigger(error.clone())),
                (Ok(row), Some(revision)) if unsigned(row.revision) != revision => {
                    return Err(Failure::Trigger(TriggerStoreError::Changed(name.clone())));
                }
                (Ok(row), Some(_)) => {
                    // Sealing anew what others have changed would make it good.
                    row.open(opened)?;
                    row.id.clone()
                }
            };
            let mut subscription = keep.subscription.clone();
            subscription.revision = replacing.unwrap_or_default() + 1;
            let mut row = SubscriptionRow::of(&subscription, id)?;
            row.seal(keep, opened)?;
            put(database, &row).map_err(|error| self.failed(error))?;
            Ok(subscription.revision)
        })
    }

    fn accept_delivery(
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

    fn keep_events(
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

    fn next_delivery(&self, name: &str) -> Result<Option<Pending>, TriggerStoreError> {
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

    fn settle_delivery(
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

    fn fail_delivery(
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

    fn advance_cursor(
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

    fn next_event(&self, name: &str) -> Result<Option<TriggerEvent>, TriggerStoreError> {
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

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, TriggerStoreError> + Send + 'static,
    ) -> Result<T, TriggerStoreError> {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => Err(TriggerStoreError::Failed(error.to_string())),
        }
    }
}

fn failed(error: &StoreError) -> TriggerStoreError {
    TriggerStoreError::Failed(error.to_string())
}

#[async_trait]
impl TriggerStore for SqliteStore {
    async fn subscriptions(&self) -> Result<Vec<Subscription>, TriggerStoreError> {
        self.on_disk(|store| {
            store
                .reading(|database, opened| {
                    let rows = rows(database).map_err(|error| store.failed(error))?;
                    rows.iter().map(|row| Ok(row.open(opened)?.subscription)).collect()
                })
                .map_err(|error| failed(&error))
        })
        .await
    }

    async fn open(&self, name: &str) -> Result<Keep, TriggerStoreError> {
        let name = name.to_owned();
        self.on_disk(move |store| {
            store
                .reading(|database, opened| match store.subscription_row(database, &name)? {
                    Ok(row) => Ok(Ok(row.open(opened)?)),
                    Err(error) => Ok(Err(error)),
                })
                .map_err(|error| failed(&error))?
        })
        .await
    }

    async fn keep(&self, keep: Keep, replacing: Option<u64>) -> Result<u64, TriggerStoreError> {
        self.on_disk(move |store| store.keep_subscription(&keep, replacing)).await
    }

    async fn remove(&self, name: &str) -> Result<(), TriggerStoreError> {
        let name = name.to_owned();
        self.on_disk(move |store| {
            store.changing(|database, _| {
                database
                    .execute("DELETE FROM subscription WHERE name = ?1", [&name])
                    .map_err(|error| store.failed(error))?;
                Ok(())
            })
        })
        .await
    }

    async fn accept(
        &self,
        name: &str,
        id: Option<&str>,
        delivered: &Delivered,
        most: usize,
    ) -> Result<Acceptance, TriggerStoreError> {
        let (name, id, delivered) = (name.to_owned(), id.map(str::to_owned), delivered.clone());
        self.on_disk(move |store| store.accept_delivery(&name, id.as_deref(), &delivered, most))
            .await
    }

    async fn pending(&self, name: &str) -> Result<Option<Pending>, TriggerStoreError> {
        let name = name.to_owned();
        self.on_disk(move |store| store.next_delivery(&name)).await
    }

    async fn settle(
        &self,
        name: &str,
        number: u64,
        events: &[NewEvent],
    ) -> Result<usize, TriggerStoreError> {
        let (name, events) = (name.to_owned(), events.to_vec());
        self.on_disk(move |store| store.settle_delivery(&name, number, &events)).await
    }

    async fn fail(
        &self,
        _name: &str,
        number: u64,
        reason: &str,
        put_aside: bool,
    ) -> Result<(), TriggerStoreError> {
        let reason = reason.to_owned();
        self.on_disk(move |store| store.fail_delivery(number, &reason, put_aside)).await
    }

    async fn advance(
        &self,
        name: &str,
        before: Option<&Value>,
        cursor: &Value,
        events: &[NewEvent],
    ) -> Result<usize, TriggerStoreError> {
        let (name, before, cursor) = (name.to_owned(), before.cloned(), cursor.clone());
        let events = events.to_vec();
        self.on_disk(move |store| store.advance_cursor(&name, before.as_ref(), &cursor, &events))
            .await
    }

    async fn event(&self, name: &str) -> Result<Option<TriggerEvent>, TriggerStoreError> {
        let name = name.to_owned();
        self.on_disk(move |store| store.next_event(&name)).await
    }

    async fn taken(&self, name: &str, number: u64) -> Result<(), TriggerStoreError> {
        let name = name.to_owned();
        self.on_disk(move |store| {
            store.changing(|database, _| {
                let row = store.row_or_refusal(database, &name)?;
                database
                    .execute(
                        "DELETE FROM event WHERE number = ?1 AND subscription = ?2",
                        params![signed(number), row.id],
                    )
                    .map_err(|error| store.failed(error))?;
                Ok(())
            })
        })
        .await
    }
}
