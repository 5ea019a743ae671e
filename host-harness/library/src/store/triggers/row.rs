//! The row of a subscription: its sealed part, and the data that the seal is bound to.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection as Database, Row, params};
use serde_json::Value;

use crate::principal::Principal;
use crate::secret::Secret;
use crate::store::record::{json, parsed, signed, unsigned};
use crate::store::schema::Opened;
use crate::store::seal::{Binding, Purpose};
use crate::store::{SqliteStore, StoreError};
use crate::subscription::{Status, StoredSubscription, Subscription, SubscriptionKey};

pub(super) const COLUMNS: &str = "name, id, node, trigger_name, version, credentials, callback_url, tenant, \
     actor, workflow, state, cursor, status, created_at, updated_at, revision, sealed";

/// A subscription as it stands. JSON stays text, because the seal is bound to that very text.
#[derive(Clone)]
pub(super) struct SubscriptionRow {
    pub(super) name: String,
    pub(super) id: Vec<u8>,
    pub(super) node: String,
    pub(super) trigger: String,
    pub(super) version: i64,
    pub(super) credentials: String,
    pub(super) callback_url: Option<String>,
    pub(super) tenant: String,
    pub(super) actor: String,
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
            tenant: row.get(7)?,
            actor: row.get(8)?,
            workflow: row.get(9)?,
            state: row.get(10)?,
            cursor: row.get(11)?,
            status: row.get(12)?,
            created_at: row.get(13)?,
            updated_at: row.get(14)?,
            revision: row.get(15)?,
            sealed: row.get(16)?,
        })
    }

    pub(super) fn of(subscription: &Subscription, id: Vec<u8>) -> Result<Self, StoreError> {
        Ok(Self {
            name: subscription.key().to_string(),
            id,
            node: subscription.node.clone(),
            trigger: subscription.trigger.clone(),
            version: i64::from(subscription.version),
            credentials: json(&subscription.credentials)?,
            callback_url: subscription.callback_url.clone(),
            tenant: subscription.actor.tenant.to_string(),
            actor: subscription.actor.user.to_string(),
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
        let key: SubscriptionKey = self.name.as_str().into();
        let actor = Principal::of(self.tenant.as_str(), self.actor.as_str());
        if key.principal != actor {
            return Err(wrong());
        }
        Ok(Subscription {
            name: key.name,
            node: self.node.clone(),
            trigger: self.trigger.clone(),
            version: u32::try_from(self.version).map_err(|_| wrong())?,
            credentials: parsed(&self.credentials).ok_or_else(wrong)?,
            callback_url: self.callback_url.clone(),
            actor,
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
        let begun = Binding::new(Purpose::Subscription)
            .with(store)
            .with(&self.id)
            .with(self.tenant.as_bytes());
        self.bound(begun, Some(&self.actor))
    }

    fn bound(&self, begun: Binding, actor: Option<&str>) -> Binding {
        let optional = |text: &Option<String>| text.clone().map(String::into_bytes);
        begun
            .with(self.name.as_bytes())
            .with(self.node.as_bytes())
            .with(self.trigger.as_bytes())
            .with(&self.version.to_le_bytes())
            .with(self.credentials.as_bytes())
            .with_optional(optional(&self.callback_url).as_deref())
            .with_optional(actor.map(str::as_bytes))
            .with_optional(optional(&self.workflow).as_deref())
            .with(self.state.as_bytes())
            .with(&self.created_at.to_le_bytes())
            .with(&self.revision.to_le_bytes())
    }

    pub(super) fn seal(
        &mut self,
        keep: &StoredSubscription,
        opened: &Opened,
    ) -> Result<(), StoreError> {
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

    pub(super) fn open(&self, opened: &Opened) -> Result<StoredSubscription, StoreError> {
        let secrets = opened
            .data_key
            .open_secrets(&self.sealed, &self.binding(&opened.id))
            .map_err(|_| self.tampered())?;
        self.with(secrets)
    }

    fn with(
        &self,
        mut secrets: BTreeMap<String, Secret>,
    ) -> Result<StoredSubscription, StoreError> {
        let parameters = secrets.get("parameters").and_then(|text| parsed(text.expose()));
        let until = secrets.get("previous_until").and_then(|text| text.expose().parse().ok());
        Ok(StoredSubscription {
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
             callback_url, tenant, actor, workflow, state, cursor, status, created_at, updated_at, \
             revision, sealed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) \
             ON CONFLICT (name) DO UPDATE SET version = ?5, credentials = ?6, callback_url = ?7, \
             workflow = ?10, state = ?11, status = ?13, updated_at = ?15, revision = ?16, \
             sealed = ?17",
            params![
                row.name,
                row.id,
                row.node,
                row.trigger,
                row.version,
                row.credentials,
                row.callback_url,
                row.tenant,
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

/// Reseals every subscription for another key of the store.
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

/// Brings the subscriptions of format 2 over: those without a user are the local user's.
pub(in crate::store) fn from_format_2(
    database: &Database,
    path: &Path,
    opened: &Opened,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    database
        .execute_batch(
            "ALTER TABLE subscription ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
             CREATE TEMP TABLE nobodys AS SELECT id FROM subscription WHERE actor IS NULL;
             UPDATE subscription SET actor = '' WHERE actor IS NULL;",
        )
        .map_err(failed)?;
    for old in rows(database).map_err(failed)? {
        let is_nobodys: bool = database
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM temp.nobodys WHERE id = ?1)",
                [&old.id],
                |row| row.get(0),
            )
            .map_err(failed)?;
        let actor = (!is_nobodys).then_some(old.actor.as_str());
        let begun = Binding::new(Purpose::SubscriptionOfFormat2).with(&opened.id).with(&old.id);
        let binding = old.bound(begun, actor);
        let by = actor.map_or_else(Principal::default, Principal::user);
        let key = SubscriptionKey { name: old.name.clone(), principal: by.clone() };
        let mut row =
            SubscriptionRow { name: key.to_string(), actor: by.user.to_string(), ..old.clone() };
        // A seal that did not open is left unchanged, so that it never opens.
        if let Ok(secrets) = opened.data_key.open_secrets(&old.sealed, &binding) {
            let keep = row.with(secrets)?;
            row.seal(&keep, opened)?;
        }
        database
            .execute(
                "UPDATE subscription SET name = ?1, actor = ?2, sealed = ?3 WHERE id = ?4",
                params![row.name, row.actor, row.sealed, row.id],
            )
            .map_err(failed)?;
    }
    database.execute_batch("DROP TABLE temp.nobodys").map_err(failed)
}
