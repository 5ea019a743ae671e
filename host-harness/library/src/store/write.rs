//! Writes rows into tables. Depends only on SQL, not on the meaning of the rows.

use rusqlite::{Connection as Database, OptionalExtension as _, params};

use super::record::{CONNECTION, ConnectionRow, HEAD, HeadRow};
use crate::credential::CredentialId;
use crate::principal::Tenant;

pub(super) fn insert_head(database: &Database, head: &HeadRow) -> rusqlite::Result<bool> {
    let inserted = database.execute(
        "INSERT INTO head (tenant, name, id, description, owner, mode, allowed_actions, node, \
         credential_type, created_at, seal) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT (tenant, name) DO NOTHING",
        params![
            head.tenant,
            head.name,
            head.id,
            head.description,
            head.owner,
            head.mode,
            head.allowed_actions,
            head.node,
            head.credential_type,
            head.created_at,
            head.seal,
        ],
    )?;
    Ok(inserted == 1)
}

pub(super) fn update_head(database: &Database, head: &HeadRow) -> rusqlite::Result<()> {
    database
        .execute(
            "UPDATE head SET description = ?1, owner = ?2, mode = ?3, allowed_actions = ?4, \
             seal = ?5 WHERE id = ?6",
            params![
                head.description,
                head.owner,
                head.mode,
                head.allowed_actions,
                head.seal,
                head.id,
            ],
        )
        .map(|_| ())
}

/// Inserts a connection, or puts it in the place of the one that the same user has.
pub(super) fn insert_connection(
    database: &Database,
    head: &HeadRow,
    row: &ConnectionRow,
) -> rusqlite::Result<()> {
    database
        .execute(
            "INSERT OR REPLACE INTO connection (head, user, fields, configuration, asked_scopes, \
             granted_scopes, identity, health, expires_at, lifetime, connected_at, updated_at, \
             revision, sealed_secrets, course, course_seal) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, \
             ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            params![
                head.id,
                row.user,
                row.fields,
                row.configuration,
                row.asked_scopes,
                row.granted_scopes,
                row.identity,
                row.health,
                row.expires_at,
                row.lifetime,
                row.connected_at,
                row.updated_at,
                row.revision,
                row.sealed_secrets,
                row.course,
                row.course_seal,
            ],
        )
        .map(|_| ())
}

pub(super) fn update_course(
    database: &Database,
    head: &HeadRow,
    row: &ConnectionRow,
) -> rusqlite::Result<()> {
    database
        .execute(
            "UPDATE connection SET course = ?1, course_seal = ?2 WHERE head = ?3 AND user = ?4",
            params![row.course, row.course_seal, head.id, row.user],
        )
        .map(|_| ())
}

pub(super) fn head_row(
    database: &Database,
    credential: &CredentialId,
) -> rusqlite::Result<Option<HeadRow>> {
    database
        .prepare_cached(&format!("SELECT {HEAD} FROM head AS h WHERE tenant = ?1 AND name = ?2"))?
        .query_row([credential.tenant.as_str(), &credential.name], HeadRow::read)
        .optional()
}

pub(super) fn head_rows(database: &Database) -> rusqlite::Result<Vec<HeadRow>> {
    database
        .prepare_cached(&format!("SELECT {HEAD} FROM head AS h ORDER BY tenant, name"))?
        .query_map([], HeadRow::read)?
        .collect()
}

pub(super) fn connection_row(
    database: &Database,
    head: &HeadRow,
    user: &str,
) -> rusqlite::Result<Option<ConnectionRow>> {
    database
        .prepare_cached(&format!(
            "SELECT {CONNECTION} FROM connection AS c WHERE head = ?1 AND user = ?2"
        ))?
        .query_row(params![head.id, user], |row| ConnectionRow::read(row, 0))
        .optional()
}

pub(super) fn connection_rows(
    database: &Database,
    head: &HeadRow,
) -> rusqlite::Result<Vec<ConnectionRow>> {
    database
        .prepare_cached(&format!(
            "SELECT {CONNECTION} FROM connection AS c WHERE head = ?1 ORDER BY user"
        ))?
        .query_map(params![head.id], |row| ConnectionRow::read(row, 0))?
        .collect()
}

/// A workflow that has named a credential, as it stands: name, time, seal.
pub(super) type DependantRow = (String, i64, Vec<u8>);

pub(super) fn dependant_rows(
    database: &Database,
    head: &HeadRow,
) -> rusqlite::Result<Vec<DependantRow>> {
    database
        .prepare_cached(
            "SELECT workflow, seen_at, seal FROM dependant WHERE head = ?1 ORDER BY workflow",
        )?
        .query_map(params![head.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

pub(super) fn put_dependant(
    database: &Database,
    head: &HeadRow,
    (workflow, seen_at, seal): &DependantRow,
) -> rusqlite::Result<()> {
    database
        .execute(
            "INSERT OR REPLACE INTO dependant (head, workflow, seen_at, seal) \
             VALUES (?1, ?2, ?3, ?4)",
            params![head.id, workflow, seen_at, seal],
        )
        .map(|_| ())
}

pub(super) fn remove_dependant(
    database: &Database,
    head: &HeadRow,
    workflow: &str,
) -> rusqlite::Result<()> {
    database
        .execute(
            "DELETE FROM dependant WHERE head = ?1 AND workflow = ?2",
            params![head.id, workflow],
        )
        .map(|_| ())
}

/// The names of a tenant's credentials. No other tenant learns of them.
pub(super) fn names(database: &Database, tenant: &Tenant) -> rusqlite::Result<Vec<String>> {
    database
        .prepare_cached("SELECT name FROM head WHERE tenant = ?1 ORDER BY name")?
        .query_map([tenant.as_str()], |row| row.get(0))?
        .collect()
}
