//! Brings a store of an older format up to date: one transaction, so that it is of one format or of
//! the other, whenever the power goes.
//!
//! Before format 3 there were no tenants, and a private credential without an owner was anybody's.
//! Everything comes over into the default tenant, and what was private and had no owner belongs to the
//! local user.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection as Database, TransactionBehavior};

use super::error::StoreError;
use super::record::{ConnectionRow, HEAD, HeadRow, UseState, json, unsigned};
use super::schema::{Opened, TABLES};
use super::seal::{Binding, Purpose, fill_random};
use super::write::{
    connection_rows, dependant_rows, insert_connection, insert_head, put_dependant,
};
use crate::credential::{Head, Health, LastUse, Mode};
use crate::principal::{Tenant, User};
use crate::secret::Secret;

/// Why a row of format 1 whose seal does not open has no secrets any more.
const TAMPERED: &str = "its record was changed outside the store before the store was upgraded, so \
                        its secrets could not be opened";

/// A row of format 1.
struct Old {
    name: String,
    id: Vec<u8>,
    owner: Option<String>,
    node: String,
    credential_type: String,
    fields: String,
    configuration: String,
    granted_scopes: String,
    revision: i64,
    sealed_secrets: Vec<u8>,
    reconnect_reason: Option<String>,
    created_at: i64,
    updated_at: i64,
    last_used_at: Option<i64>,
    last_used_by: Option<String>,
}

impl Old {
    fn secrets(&self, opened: &Opened) -> Option<BTreeMap<String, Secret>> {
        let binding = Binding::new(Purpose::SecretsOfFormat1)
            .with(&opened.id)
            .with(&self.id)
            .with(self.name.as_bytes())
            .with_optional(self.owner.as_deref().map(str::as_bytes))
            .with(self.node.as_bytes())
            .with(self.credential_type.as_bytes())
            .with(self.fields.as_bytes())
            .with(self.configuration.as_bytes())
            .with(self.granted_scopes.as_bytes())
            .with(&self.revision.to_le_bytes());
        opened.data_key.open_secrets(&self.sealed_secrets, &binding).ok()
    }
}

/// Migrates the store. A store that another process has migrated in the meantime is left unchanged.
pub(super) fn bring_up_to_date(
    database: &mut Database,
    path: &Path,
    opened: &Opened,
    format: i64,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    let transaction =
        database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let found: i64 =
        transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    match found {
        1 => from_format_1(&transaction, path, opened)?,
        2 => from_format_2(&transaction, path, opened)?,
        _ => return Ok(()),
    }
    transaction
        .pragma_update(None, "user_version", SqlValue::Integer(format))
        .and_then(|()| transaction.commit())
        .map_err(failed)
}

/// Whose a credential is that had no owner.
fn owner(owner: Option<&str>) -> User {
    owner.map(User::from).unwrap_or_default()
}

fn from_format_2(database: &Database, path: &Path, opened: &Opened) -> Result<(), StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    let heads = {
        let read = || {
            let columns = HEAD.replace("h.tenant", "'default'");
            database
                .prepare(&format!("SELECT {columns} FROM head AS h"))?
                .query_map([], HeadRow::read)?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(failed)?
    };
    let mut all = Vec::new();
    for head in heads {
        let rows = connection_rows(database, &head).map_err(failed)?;
        let dependants = dependant_rows(database, &head).map_err(failed)?;
        all.push((head, rows, dependants));
    }
    database
        .execute_batch("DROP TABLE dependant; DROP TABLE connection; DROP TABLE head;")
        .and_then(|()| database.execute_batch(TABLES))
        .map_err(failed)?;
    for (old, rows, dependants) in all {
        let is_whole =
            opened.data_key.check_nothing(&old.seal, &old.binding_of_format_2(&opened.id)).is_ok();
        let mut head = old.clone();
        if is_whole {
            // A seal that did not open is left unchanged, so that it never opens.
            if old.mode == Mode::Private.to_string() {
                head.owner = Some(owner(old.owner.as_deref()).to_string());
            }
            head = head.sealed(opened)?;
        }
        insert_head(database, &head).map_err(failed)?;
        for mut row in rows {
            let binding = row.binding_of_format_2(&old, &opened.id);
            if let Ok(secrets) = opened.data_key.open_secrets(&row.sealed_secrets, &binding) {
                row.seal(&head, opened, &secrets)?;
            }
            insert_connection(database, &head, &row).map_err(failed)?;
        }
        for dependant in dependants {
            put_dependant(database, &head, &dependant).map_err(failed)?;
        }
    }
    super::triggers::from_format_2(database, path, opened)
}

fn from_format_1(database: &Database, path: &Path, opened: &Opened) -> Result<(), StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    let read = || {
        database
            .prepare(
                "SELECT name, id, owner, node, credential_type, fields, configuration, \
                 granted_scopes, revision, sealed_secrets, reconnect_reason, created_at, \
                 updated_at, last_used_at, last_used_by FROM credential",
            )?
            .query_map([], |row| {
                Ok(Old {
                    name: row.get(0)?,
                    id: row.get(1)?,
                    owner: row.get(2)?,
                    node: row.get(3)?,
                    credential_type: row.get(4)?,
                    fields: row.get(5)?,
                    configuration: row.get(6)?,
                    granted_scopes: row.get(7)?,
                    revision: row.get(8)?,
                    sealed_secrets: row.get(9)?,
                    reconnect_reason: row.get(10)?,
                    created_at: row.get(11)?,
                    updated_at: row.get(12)?,
                    last_used_at: row.get(13)?,
                    last_used_by: row.get(14)?,
                })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()
    };
    let rows = read().map_err(failed)?;
    database.execute_batch(TABLES).map_err(failed)?;
    database.execute_batch(super::triggers::TABLES).map_err(failed)?;
    for old in rows {
        bring(database, path, opened, &old)?;
    }
    database.execute_batch("DROP TABLE credential").map_err(failed)
}

fn bring(database: &Database, path: &Path, opened: &Opened, old: &Old) -> Result<(), StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    let secrets = old.secrets(opened);
    let head = Head {
        tenant: Tenant::default(),
        name: old.name.clone(),
        description: String::new(),
        owner: Some(owner(old.owner.as_deref())),
        // Format 1 allowed every caller to use a credential by its name.
        mode: if old.owner.is_some() { Mode::Shared } else { Mode::Private },
        allowed_actions: None,
        node: old.node.clone(),
        credential_type: old.credential_type.clone(),
    };
    let mut id = old.id.clone();
    if id.len() != 16 {
        id = vec![0; 16];
        fill_random(&mut id)?;
    }
    let head = HeadRow::of(&head, id, unsigned(old.created_at))?.sealed(opened)?;
    insert_head(database, &head).map_err(failed)?;
    let health = match (&secrets, &old.reconnect_reason) {
        (None, _) => Health::NeedsReconnect { reason: TAMPERED.to_owned() },
        (Some(_), Some(reason)) => Health::NeedsReconnect { reason: reason.clone() },
        (Some(_), None) => Health::Connected,
    };
    // A row that was changed by others is carried over as far as it can be read.
    let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    let or = |text: &str, otherwise: &str| {
        if secrets.is_some() || is_json(text) { text.to_owned() } else { otherwise.to_owned() }
    };
    let mut row = ConnectionRow {
        user: String::new(),
        fields: or(&old.fields, "{}"),
        configuration: or(&old.configuration, r#"{"audiences":[]}"#),
        asked_scopes: or(&old.granted_scopes, "null"),
        granted_scopes: or(&old.granted_scopes, "null"),
        identity: "{}".to_owned(),
        health: json(&health)?,
        expires_at: None,
        lifetime: None,
        connected_at: old.created_at,
        updated_at: old.updated_at,
        revision: old.revision,
        sealed_secrets: Vec::new(),
        course: String::new(),
        course_seal: Vec::new(),
    };
    row.seal(&head, opened, &secrets.unwrap_or_default())?;
    let used = old
        .last_used_at
        .map(|at| LastUse { at: unsigned(at), by: old.last_used_by.clone().unwrap_or_default() });
    row.set_course(&UseState { used, ..UseState::default() }, &head, opened)?;
    insert_connection(database, &head, &row).map_err(failed)?;
    Ok(())
}
