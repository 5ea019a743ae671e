//! Subscriptions in the store's file, and their received data. The parameters and the signing
//! secret of a subscription are sealed and bound to everything that determines where events come
//! from and whose credentials are used. Cursor and status are not bound, because they change with
//! every poll. Deliveries and events are stored in plaintext until they are delivered.

mod arrivals;
mod row;

use async_trait::async_trait;
use row::{COLUMNS, SubscriptionRow, put, rows};
pub(super) use row::{from_format_2, reseal};
use rusqlite::{Connection as Database, OptionalExtension as _, params};
use serde_json::Value;

use super::record::{signed, unsigned};
use super::schema::Opened;
use super::seal;
use super::{SqliteStore, StoreError};
use crate::limits::TriggerLimits;
use crate::subscription::{
    Acceptance, Delivered, NewEvent, Pending, StoredSubscription, Subscription, SubscriptionKey,
    TriggerEvent, TriggerStore, TriggerStoreError,
};

/// The tables.
pub(in crate::store) const TABLES: &str = "
CREATE TABLE subscription (
    name TEXT PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    node TEXT NOT NULL,
    trigger_name TEXT NOT NULL,
    version INTEGER NOT NULL,
    credentials TEXT NOT NULL,
    callback_url TEXT,
    actor TEXT NOT NULL,
    workflow TEXT,
    state TEXT NOT NULL,
    cursor TEXT,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    tenant TEXT NOT NULL
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

/// Error of one of the store's transactions.
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
        let known = SubscriptionKey::known_beside(name, known.into_iter().map(|row| row.name));
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
        changed.map_err(|error| refusal.unwrap_or_else(|| TriggerStoreError::failed(error)))
    }

    fn row_or_refusal(&self, database: &Database, name: &str) -> Result<SubscriptionRow, Failure> {
        self.subscription_row(database, name)?.map_err(Failure::Trigger)
    }

    fn keep_subscription(
        &self,
        keep: &StoredSubscription,
        replacing: Option<u64>,
    ) -> Result<u64, TriggerStoreError> {
        let name = &keep.subscription.key().to_string();
        let mut id = vec![0; 16];
        seal::fill_random(&mut id).map_err(TriggerStoreError::failed)?;
        self.changing(|database, opened| {
            let before = self.subscription_row(database, name)?;
            let id = match (before, replacing) {
                (Err(_), None) => id,
                (Ok(_), None) => {
                    return Err(Failure::Trigger(TriggerStoreError::Exists(name.clone())));
                }
                (Err(error), Some(_)) => return Err(Failure::Trigger(error)),
                (Ok(row), Some(revision)) if unsigned(row.revision) != revision => {
                    return Err(Failure::Trigger(TriggerStoreError::Changed(name.clone())));
                }
                (Ok(row), Some(_)) => {
                    // Resealing a row that others have changed would legitimize the change.
                    row.open(opened)?;
                    row.id
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

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, TriggerStoreError> + Send + 'static,
    ) -> Result<T, TriggerStoreError> {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => Err(TriggerStoreError::failed(error)),
        }
    }
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
                .map_err(TriggerStoreError::failed)
        })
        .await
    }

    async fn open(&self, name: &str) -> Result<StoredSubscription, TriggerStoreError> {
        let name = name.to_owned();
        self.on_disk(move |store| {
            store
                .reading(|database, opened| match store.subscription_row(database, &name)? {
                    Ok(row) => Ok(Ok(row.open(opened)?)),
                    Err(error) => Ok(Err(error)),
                })
                .map_err(TriggerStoreError::failed)?
        })
        .await
    }

    async fn keep(
        &self,
        keep: StoredSubscription,
        replacing: Option<u64>,
    ) -> Result<u64, TriggerStoreError> {
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
        limits: &TriggerLimits,
    ) -> Result<Acceptance, TriggerStoreError> {
        let (name, id, delivered) = (name.to_owned(), id.map(str::to_owned), delivered.clone());
        let limits = limits.clone();
        self.on_disk(move |store| store.accept_delivery(&name, id.as_deref(), &delivered, &limits))
            .await
    }

    async fn room(&self, name: &str, limits: &TriggerLimits) -> Result<(), TriggerStoreError> {
        let (name, limits) = (name.to_owned(), limits.clone());
        self.on_disk(move |store| store.room_for_events(&name, &limits)).await
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
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError> {
        let (name, events, limits) = (name.to_owned(), events.to_vec(), limits.clone());
        self.on_disk(move |store| store.settle_delivery(&name, number, &events, &limits)).await
    }

    async fn fail(
        &self,
        name: &str,
        number: u64,
        reason: &str,
        put_aside: bool,
        limits: &TriggerLimits,
    ) -> Result<(), TriggerStoreError> {
        let (name, reason, limits) = (name.to_owned(), reason.to_owned(), limits.clone());
        self.on_disk(move |store| store.fail_delivery(&name, number, &reason, put_aside, &limits))
            .await
    }

    async fn advance(
        &self,
        name: &str,
        before: Option<&Value>,
        cursor: &Value,
        events: &[NewEvent],
        limits: &TriggerLimits,
    ) -> Result<usize, TriggerStoreError> {
        let (name, before, cursor) = (name.to_owned(), before.cloned(), cursor.clone());
        let (events, limits) = (events.to_vec(), limits.clone());
        self.on_disk(move |store| {
            store.advance_cursor(&name, before.as_ref(), &cursor, &events, &limits)
        })
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
