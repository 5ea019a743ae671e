//! Writes to the store: credentials are added, renewed, changed, and removed. Each method is one
//! transaction.

use std::collections::BTreeMap;

use rusqlite::Connection as Database;
use serde_json::{Map, Value};

use super::record::{self, ConnectionRow, HeadRow, UseState, check_name, signed, unsigned};
use super::{SqliteStore, StoreError, seal, write};
use crate::credential::{
    Connection, ConnectionKey, CredentialId, HeadChange, Health, Mode, NewCredential, Renewal,
};
use crate::principal::User;

impl SqliteStore {
    /// Keeps a new credential, or a connection of one more user, at revision 1.
    ///
    /// # Errors
    ///
    /// If its name is invalid or in use, or the store cannot be written.
    pub fn add(&self, credential: NewCredential) -> Result<(), StoreError> {
        self.keep(credential, None).map(|_| ())
    }

    /// Keeps a credential: makes the name, adds a user's connection, or with `replacing` replaces
    /// all of the connection that has this revision. Returns its revision.
    ///
    /// # Errors
    ///
    /// If its name is invalid or in use, the connection has another revision, its node or type
    /// differs from that of the name, or the store cannot be written.
    pub fn keep(
        &self,
        credential: NewCredential,
        replacing: Option<u64>,
    ) -> Result<u64, StoreError> {
        let now = self.0.clock.unix_milliseconds();
        check_name(&credential.head.name)?;
        let per_user = credential.head.mode == Mode::PerUser;
        if per_user != credential.user.is_some() {
            return Err(StoreError::UserOfMode { name: credential.head.name, per_user });
        }
        let mut id = vec![0; 16];
        seal::fill_random(&mut id)?;
        self.writing(|database, opened| {
            let failed = |error| self.failed(error);
            let name = &credential.head.name;
            let id_of = CredentialId::of(credential.head.tenant.clone(), name);
            let exists = || StoreError::Exists { name: name.clone() };
            let head = match write::head_row(database, &id_of).map_err(failed)? {
                Some(head) => {
                    let told = head.head(opened)?;
                    if replacing.is_none() && !per_user {
                        return Err(exists());
                    }
                    let same = told.node == credential.head.node
                        && told.credential_type == credential.head.credential_type
                        && told.mode == credential.head.mode;
                    if !same {
                        return Err(StoreError::OtherKind {
                            name: name.clone(),
                            is: format!("{} of {}, {}", told.credential_type, told.node, told.mode),
                        });
                    }
                    head
                }
                None if replacing.is_some() => return Err(self.unknown(database, &id_of)),
                None => {
                    let head = HeadRow::of(&credential.head, id, now)?.sealed(opened)?;
                    write::insert_head(database, &head).map_err(failed)?;
                    head
                }
            };
            let user = credential.user.as_ref();
            let own = user.map(User::as_str).unwrap_or_default();
            let there = write::connection_row(database, &head, own).map_err(failed)?;
            let mut course = UseState::default();
            let revision = match (&there, replacing) {
                (None, _) => 1,
                (Some(_), None) => return Err(exists()),
                (Some(row), Some(expected)) => {
                    let found = unsigned(row.revision);
                    if found != expected {
                        return Err(StoreError::Changed { name: name.clone(), expected, found });
                    }
                    // Resealing a row that others have changed would legitimize the change.
                    row.secrets(&head, opened)?;
                    let before = row.course(&head, opened)?;
                    course.used = before.used;
                    // The fence stays above every lease that was given out before.
                    course.lease.fence = before.lease.fence + 1;
                    found + 1
                }
            };
            let connection = Connection {
                parts: credential.parts.clone(),
                health: Health::Connected,
                connected_at: now,
                updated_at: now,
                revision,
            };
            let mut row = ConnectionRow::of(&connection, user)?;
            row.seal(&head, opened, &credential.secrets)?;
            row.set_course(&course, &head, opened)?;
            write::insert_connection(database, &head, &row).map_err(failed)?;
            Ok(revision)
        })
    }

    /// Writes new tokens down. Either all of this happens or nothing. Returns the new revision.
    ///
    /// # Errors
    ///
    /// When there is no such connection, when it has another revision by now, when its record was
    /// changed outside of the store, or when the store cannot be written.
    pub fn renew(
        &self,
        key: &ConnectionKey,
        revision: u64,
        renewal: Renewal,
    ) -> Result<u64, StoreError> {
        self.change_connection(key, Some(revision), |connection, secrets, course| {
            connection.revision += 1;
            connection.health = Health::Connected;
            connection.parts.expires_at = renewal.expires_at;
            connection.parts.lifetime = renewal.lifetime;
            if renewal.granted_scopes.is_some() {
                connection.parts.granted_scopes = renewal.granted_scopes;
            }
            *secrets = renewal.secrets;
            course.lease.sent_at = None;
            course.lease.not_before = 0;
        })
    }

    /// Notes how a connection is. [`Health::Disconnected`] wipes its secrets, and raises its
    /// revision.
    ///
    /// # Errors
    ///
    /// Those of [`renew`](Self::renew).
    pub fn set_health(
        &self,
        key: &ConnectionKey,
        revision: u64,
        health: Health,
    ) -> Result<(), StoreError> {
        self.change_connection(key, Some(revision), |connection, secrets, course| {
            if health == Health::Disconnected {
                secrets.clear();
                connection.revision += 1;
                connection.parts.expires_at = None;
                connection.parts.lifetime = None;
            }
            if health != Health::Connected {
                course.lease.sent_at = None;
            }
            connection.health = health;
        })
        .map(|_| ())
    }

    /// Notes whose a connection is at the service.
    ///
    /// # Errors
    ///
    /// Those of [`renew`](Self::renew).
    pub fn set_identity(
        &self,
        key: &ConnectionKey,
        revision: u64,
        identity: Map<String, Value>,
    ) -> Result<(), StoreError> {
        self.change_connection(key, Some(revision), |connection, _, _| {
            connection.parts.identity = identity;
        })
        .map(|_| ())
    }

    /// Changes the head of a credential. Another mode wipes the secrets of every connection.
    ///
    /// # Errors
    ///
    /// When there is no such credential, when a record of it was changed outside of the store, or
    /// when the store cannot be written.
    pub fn change(
        &self,
        credential: impl Into<CredentialId>,
        change: HeadChange,
    ) -> Result<(), StoreError> {
        let id = credential.into();
        let now = signed(self.0.clock.unix_milliseconds());
        self.writing(|database, opened| {
            let failed = |error| self.failed(error);
            let before = self.head_row(database, &id)?;
            let mut head = before.head(opened)?;
            let mut new_mode = None;
            match &change {
                HeadChange::Description(text) => head.description.clone_from(text),
                HeadChange::AllowedActions(actions) => head.allowed_actions.clone_from(actions),
                HeadChange::Owner(owner) => head.owner.clone_from(owner),
                HeadChange::Mode(mode) if *mode == head.mode => return Ok(()),
                HeadChange::Mode(mode) => {
                    new_mode = Some(*mode);
                    head.mode = *mode;
                }
            }
            let after = HeadRow::of(&head, before.id.clone(), unsigned(before.created_at))?
                .sealed(opened)?;
            write::update_head(database, &after).map_err(failed)?;
            for mut row in write::connection_rows(database, &before).map_err(failed)? {
                let mut secrets = row.secrets(&before, opened)?;
                if let Some(mode) = new_mode {
                    secrets = BTreeMap::new();
                    let reason =
                        format!("its mode was changed to {mode}, so it must be connected again");
                    row.health = record::json(&Health::NeedsReconnect { reason })?;
                    row.revision += 1;
                    row.expires_at = None;
                    row.lifetime = None;
                    row.updated_at = now;
                    if (mode == Mode::PerUser) == row.user.is_empty() {
                        // It belongs to nobody who could connect it in this mode.
                        self.delete_connection(database, &before, &row.user)?;
                        continue;
                    }
                }
                row.seal(&after, opened, &secrets)?;
                write::insert_connection(database, &after, &row).map_err(failed)?;
            }
            Ok(())
        })
    }

    /// Removes a credential and all its connections. The place where they stood in the file is
    /// overwritten.
    ///
    /// # Errors
    ///
    /// When there is no such credential, or when the store cannot be written.
    pub fn remove(&self, credential: impl Into<CredentialId>) -> Result<(), StoreError> {
        let id = credential.into();
        self.writing(|database, _| {
            let removed = database
                .execute(
                    "DELETE FROM head WHERE tenant = ?1 AND name = ?2",
                    [id.tenant.as_str(), &id.name],
                )
                .map_err(|error| self.failed(error))?;
            match removed {
                0 => Err(self.unknown(database, &id)),
                _ => Ok(()),
            }
        })
    }

    fn delete_connection(
        &self,
        database: &Database,
        head: &HeadRow,
        user: &str,
    ) -> Result<(), StoreError> {
        database
            .execute(
                "DELETE FROM connection WHERE head = ?1 AND user = ?2",
                rusqlite::params![head.id, user],
            )
            .map(|_| ())
            .map_err(|error| self.failed(error))
    }

    /// Changes a connection, at this revision where one is given. Returns the revision that it has
    /// then.
    fn change_connection(
        &self,
        key: &ConnectionKey,
        expected: Option<u64>,
        change: impl FnOnce(&mut Connection, &mut BTreeMap<String, crate::Secret>, &mut UseState),
    ) -> Result<u64, StoreError> {
        let now = self.0.clock.unix_milliseconds();
        self.writing(|database, opened| {
            let (head, row) = self.rows(database, key)?;
            let found = unsigned(row.revision);
            if let Some(expected) = expected
                && found != expected
            {
                return Err(StoreError::Changed { name: key.name.clone(), expected, found });
            }
            // Sealing the current row would legitimize changes that others have made to it.
            let mut secrets = row.secrets(&head, opened)?;
            head.head(opened)?;
            let mut connection = row.connection(&head)?;
            let mut course = row.course(&head, opened)?;
            change(&mut connection, &mut secrets, &mut course);
            connection.updated_at = now;
            let mut row = ConnectionRow::of(&connection, key.user.as_ref())?;
            row.seal(&head, opened, &secrets)?;
            row.set_course(&course, &head, opened)?;
            write::insert_connection(database, &head, &row).map_err(|error| self.failed(error))?;
            Ok(connection.revision)
        })
    }
}
