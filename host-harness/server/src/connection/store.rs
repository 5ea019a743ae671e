//! Pending connections: the requests of engines until a person has confirmed them. Links, states,
//! and cookies are stored as hashes, and all other sensitive data is sealed.

use rusqlite::{OptionalExtension as _, Row, params};
use sha2::{Digest as _, Sha256};

use super::Wanted;
use crate::database::{Database, DatabaseError, now};
use crate::seal::Sealer;
use crate::token::signed;

/// Status of a connection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Progress {
    /// The link has not been opened and confirmed.
    Waiting,
    /// The browser is at the service.
    AtService,
    /// The account is connected.
    Connected,
    /// It was not connected.
    Failed,
    /// The link has expired.
    Expired,
}

impl Progress {
    const ALL: [(Self, &str); 4] = [
        (Self::Waiting, "waiting"),
        (Self::AtService, "at-service"),
        (Self::Connected, "connected"),
        (Self::Failed, "failed"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("failed", |(_, name)| name)
    }

    fn of(name: &str, expires_at: u64) -> Self {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        match known.map_or(Self::Failed, |(one, _)| *one) {
            Self::Waiting | Self::AtService if now() >= expires_at => Self::Expired,
            progress => progress,
        }
    }
}

/// A pending connection, or one that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) actor: String,
    pub(crate) credential: String,
    pub(crate) progress: Progress,
    pub(crate) expires_at: u64,
    /// Why it has failed.
    pub(crate) reason: Option<String>,
    /// `None` once it has ended.
    pub(crate) wanted: Option<Wanted>,
}

/// A callback with a pending connection.
pub(crate) enum Returned {
    /// From the browser that was redirected to the service.
    Own(Box<Connection>),
    /// From another browser.
    Stranger(Box<Connection>),
}

/// The pending connections of a database. Its methods block.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionStore {
    database: Database,
    sealer: Sealer,
}

const COLUMNS: &str = "SELECT id, tenant, actor, credential, progress, expires_at, reason, wanted, \
                       cookie FROM connection";

/// The stored hash of a link, a state, or a cookie. Each is random and long.
pub(super) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

impl ConnectionStore {
    pub(crate) fn new(database: Database, sealer: Sealer) -> Self {
        Self { database, sealer }
    }

    fn sealed(&self, what: &str, id: &str, text: &str) -> Result<Vec<u8>, DatabaseError> {
        let sealed = self.sealer.seal(&[what, id], text.as_bytes());
        sealed.map_err(DatabaseError::unwritable)
    }

    fn opened(&self, what: &str, id: &str, sealed: Option<Vec<u8>>) -> Option<String> {
        let opened = self.sealer.open(&[what, id], &sealed?).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    fn wanted(&self, id: &str, wanted: &Wanted) -> Result<Vec<u8>, DatabaseError> {
        let text = serde_json::to_string(wanted)
            .map(zeroize::Zeroizing::new)
            .map_err(DatabaseError::unwritable)?;
        self.sealed("connection", id, &text)
    }

    fn read(&self, row: &Row<'_>) -> rusqlite::Result<Connection> {
        let id: String = row.get(0)?;
        let progress: String = row.get(4)?;
        let expires_at = row.get::<_, i64>(5)?.unsigned_abs();
        let wanted = self.opened("connection", &id, row.get(7)?);
        Ok(Connection {
            tenant: row.get(1)?,
            actor: row.get(2)?,
            credential: row.get(3)?,
            progress: Progress::of(&progress, expires_at),
            expires_at,
            reason: self.opened("reason", &id, row.get(6)?),
            wanted: wanted.and_then(|text| serde_json::from_str(&text).ok()),
            id,
        })
    }

    /// Stores a requested connection. Returns false if the tenant has `most` pending ones.
    pub(crate) fn create(
        &self,
        id: &str,
        link: &str,
        (tenant, actor): (&str, &str),
        wanted: &Wanted,
        expires_at: u64,
        most: usize,
    ) -> Result<bool, DatabaseError> {
        let sealed = self.wanted(id, wanted)?;
        self.database.write(|change| {
            let waiting = "SELECT count(*) FROM connection WHERE tenant = ?1 AND expires_at > ?2 \
                           AND wanted IS NOT NULL";
            let waiting: i64 =
                change.query_row(waiting, params![tenant, signed(now())], |row| row.get(0))?;
            if waiting.unsigned_abs() >= most as u64 {
                return Ok(false);
            }
            change.execute(
                "INSERT INTO connection (id, link, tenant, actor, credential, progress, wanted, \
                 expires_at) VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?6, ?7)",
                params![
                    id,
                    hash(link),
                    tenant,
                    actor,
                    wanted.credential,
                    sealed,
                    signed(expires_at)
                ],
            )?;
            Ok(true)
        })
    }

    /// The pending connection of a link.
    pub(crate) fn by_link(&self, link: &str) -> Result<Option<Connection>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!("{COLUMNS} WHERE link = ?1"))?;
            query.query_row([hash(link)], |row| self.read(row)).optional()
        })
    }

    /// A connection by its ID, if this user has requested it.
    pub(crate) fn by_id(
        &self,
        (tenant, actor): (&str, &str),
        credential: &str,
        id: &str,
    ) -> Result<Option<Connection>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!(
                "{COLUMNS} WHERE id = ?1 AND tenant = ?2 AND actor = ?3 AND credential = ?4"
            ))?;
            query.query_row([id, tenant, actor, credential], |row| self.read(row)).optional()
        })
    }

    /// Records that a browser was redirected to the service.
    pub(crate) fn sent(
        &self,
        id: &str,
        state: &str,
        cookie: &str,
        wanted: &Wanted,
    ) -> Result<(), DatabaseError> {
        let sealed = self.wanted(id, wanted)?;
        self.database.write(|change| {
            change.execute(
                "UPDATE connection SET progress = 'at-service', state = ?2, cookie = ?3, \
                 wanted = ?4 WHERE id = ?1 AND wanted IS NOT NULL",
                params![id, hash(state), hash(cookie), sealed],
            )?;
            Ok(())
        })
    }

    /// Takes the connection of a callback: once, and only for the browser that was redirected to
    /// the service.
    pub(crate) fn returned(
        &self,
        state: &str,
        cookie: Option<&str>,
    ) -> Result<Option<Returned>, DatabaseError> {
        self.database.write(|change| {
            let mut query = change.prepare_cached(&format!("{COLUMNS} WHERE state = ?1"))?;
            let found = query
                .query_row([hash(state)], |row| Ok((self.read(row)?, row.get::<_, Vec<u8>>(8)?)))
                .optional()?;
            let Some((connection, expected)) = found else { return Ok(None) };
            if connection.progress != Progress::AtService {
                return Ok(None);
            }
            if cookie.is_none_or(|cookie| hash(cookie) != expected) {
                return Ok(Some(Returned::Stranger(Box::new(connection))));
            }
            change.execute(
                "UPDATE connection SET state = NULL, cookie = NULL, wanted = NULL, \
                 progress = 'failed' WHERE id = ?1",
                [&connection.id],
            )?;
            Ok(Some(Returned::Own(Box::new(connection))))
        })
    }

    /// Records the end of a connection.
    pub(crate) fn end(
        &self,
        id: &str,
        progress: Progress,
        reason: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let reason = reason.map(|reason| self.sealed("reason", id, reason)).transpose()?;
        self.database.write(|change| {
            change.execute(
                "UPDATE connection SET progress = ?2, reason = ?3, wanted = NULL, state = NULL, \
                 cookie = NULL WHERE id = ?1",
                params![id, progress.name(), reason],
            )?;
            Ok(())
        })
    }

    /// Removes connections that expired before a time, and the data of those that have expired
    /// since.
    pub(crate) fn prune(&self, before: u64) -> Result<(), DatabaseError> {
        self.database.write(|change| {
            change.execute("DELETE FROM connection WHERE expires_at < ?1", [signed(before)])?;
            change.execute(
                "UPDATE connection SET wanted = NULL, state = NULL, cookie = NULL \
                 WHERE expires_at < ?1",
                [signed(now())],
            )?;
            Ok(())
        })
    }
}
