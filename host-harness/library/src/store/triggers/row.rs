//! The row of a subscription: what of it is sealed, and what the seal is bound to.

use std::collections::BTreeMap;

use rusqlite::{Connection as Database, Row, params};
use serde_json::Value;

use crate::secret::Secret;
use crate::store::record::{json, parsed, signed, unsigned};
use crate::store::schema::Opened;
use crate::store::seal::{Binding, Purpose};
use crate::store::{SqliteStore, StoreError};
use crate::trigger::{Keep, Status, Subscription};

pub(super) const COLUMNS: &str = "name, id, node, trigger_name, version, credentials, callback_url, actor, \
     workflow, state, cursor, status, created_at, updated_at, revision, sealed";

/// A subscription as it stands. JSON stays text, because the seal is bound to that very text.
pub(super) struct SubscriptionRow {
    pub(super) name: String,
    pub(super) id: Vec<u8>,
    pub(super) node: String,
    pub(super) trigger: String,
    pub(super) version: i64,
    pub(super) credentials: String,
    pub(super) callback_url: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) workflow: Option<String>,
    pub(super) state: String,
    pub(super) cursor: Option<String>,
    pub(super) status: String,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) revision: i64,
    pub(super) sealed: Vec<u8>,
}

impl SubscriptionRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
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

    pub(super) fn of(subscription: &Subscription, id: Vec<u8>) -> Result<Self, StoreError> {
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

    pub(super) fn tampered(&self) -> StoreError {
        StoreError::Tampered { name: format!("subscription {}", self.name) }
    }

    pub(super) fn subscription(&self) -> Result<Subscription, StoreError> {
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

    pub(super) fn seal(&mut self, keep: &Keep, opened: &Opened) -> Result<(), StoreError> {
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

    pub(super) fn open(&self, opened: &Opened) -> Result<Keep, StoreError> {
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

pub(super) fn rows(database: &Database) -> rusqlite::Result<Vec<SubscriptionRow>> {
    let mut statement =
        database.prepare(&format!("SELECT {COLUMNS} FROM subscription ORDER BY name"))?;
    statement.query_map([], SubscriptionRow::read)?.collect()
}

pub(super) fn put(database: &Database, row: &SubscriptionRow) -> rusqlite::Result<()> {
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
pub(in crate::store) fn reseal(
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
