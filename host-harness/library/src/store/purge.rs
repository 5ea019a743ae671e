//! Removes all data of a tenant or a user, and data received before a time.

use rusqlite::{Connection as Database, params};

use super::record::signed;
use super::schema::Opened;
use super::{SqliteStore, StoreError, write};
use crate::principal::{Tenant, User};

/// Selection of data to remove from a store. A part that is `None` does not narrow the selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purge {
    /// Only data of this tenant.
    pub tenant: Option<Tenant>,
    /// Only data of this user: credentials that the user owns or has connected, and the user's
    /// subscriptions.
    pub user: Option<User>,
    /// Only deliveries, events, and records of credential use from before this time, in
    /// milliseconds since 1970. Keeps credentials and subscriptions. With a `user`, it also keeps
    /// the records of credential use.
    pub before: Option<u64>,
}

/// Numbers of records removed from a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// Credentials, and connections of users.
    pub credentials: usize,
    /// Subscriptions. Their webhooks at the services stay.
    pub subscriptions: usize,
    /// Deliveries and events that waited.
    pub received: usize,
}

impl SqliteStore {
    /// Removes data, and leaves no trace of it in the file. Nothing is revoked or removed at a service.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn purge(&self, what: &Purge) -> Result<Purged, StoreError> {
        let tenant = what.tenant.as_ref().map(Tenant::as_str);
        let user = what.user.as_ref().map(User::as_str);
        let purged = self.writing(|database, opened| {
            let failed = |error| self.failed(error);
            let of = "(?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR actor = ?2)";
            let mut purged = Purged::default();
            if let Some(before) = what.before {
                for table in ["delivery", "event"] {
                    let delete = format!(
                        "DELETE FROM {table} WHERE received_at < ?3 AND subscription IN \
                         (SELECT id FROM subscription WHERE {of})"
                    );
                    let parameters = params![tenant, user, signed(before)];
                    purged.received += database.execute(&delete, parameters).map_err(failed)?;
                }
                // The records do not contain the user of a workflow.
                if user.is_none() {
                    self.forget_uses(database, opened, tenant, before)?;
                }
                return Ok(purged);
            }
            for table in ["delivery", "event"] {
                let count = format!(
                    "SELECT count(*) FROM {table} WHERE subscription IN \
                     (SELECT id FROM subscription WHERE {of})"
                );
                let found: i64 = database
                    .query_row(&count, params![tenant, user], |row| row.get(0))
                    .map_err(failed)?;
                purged.received += usize::try_from(found).unwrap_or_default();
            }
            let subscriptions = format!("DELETE FROM subscription WHERE {of}");
            purged.subscriptions =
                database.execute(&subscriptions, params![tenant, user]).map_err(failed)?;
            let connections = "DELETE FROM connection WHERE user = ?2 AND head IN \
                               (SELECT id FROM head WHERE ?1 IS NULL OR tenant = ?1)";
            let heads = "DELETE FROM head WHERE (?1 IS NULL OR tenant = ?1) \
                         AND (?2 IS NULL OR owner = ?2)";
            for delete in [connections, heads] {
                purged.credentials +=
                    database.execute(delete, params![tenant, user]).map_err(failed)?;
            }
            // Others' credentials remember who has used them last.
            let Some(user) = user else { return Ok(purged) };
            for head in write::head_rows(database).map_err(failed)? {
                for mut row in write::connection_rows(database, &head).map_err(failed)? {
                    let mut course = row.course(&head, opened)?;
                    if course.used.as_ref().is_some_and(|last| last.by.contains(user)) {
                        course.used = None;
                        row.set_course(&course, &head, opened)?;
                        write::insert_connection(database, &head, &row).map_err(failed)?;
                    }
                }
            }
            Ok(purged)
        })?;
        // Returns free pages to the file system; their contents were overwritten before.
        self.database().execute_batch("VACUUM").map_err(|error| self.failed(error))?;
        Ok(purged)
    }

    /// Forgets which workflows have used credentials before a time, and who has used them last.
    fn forget_uses(
        &self,
        database: &Database,
        opened: &Opened,
        tenant: Option<&str>,
        before: u64,
    ) -> Result<(), StoreError> {
        let failed = |error| self.failed(error);
        let workflows = "DELETE FROM dependant WHERE seen_at < ?2 AND head IN \
                         (SELECT id FROM head WHERE ?1 IS NULL OR tenant = ?1)";
        database.execute(workflows, params![tenant, signed(before)]).map_err(failed)?;
        for head in write::head_rows(database).map_err(failed)? {
            if tenant.is_some_and(|tenant| head.tenant != tenant) {
                continue;
            }
            for mut row in write::connection_rows(database, &head).map_err(failed)? {
                let mut course = row.course(&head, opened)?;
                if course.used.as_ref().is_some_and(|last| last.at < before) {
                    course.used = None;
                    row.set_course(&course, &head, opened)?;
                    write::insert_connection(database, &head, &row).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}
