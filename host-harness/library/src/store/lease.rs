//! Leases and uses: changes to a connection that do not require a new connection.

use super::record::{UseState, signed};
use super::{SqliteStore, StoreError, dependant_binding, write};
use crate::credential::{Claim, ConnectionKey, CredentialId, LastUse, Lease, LeaseChange};

/// A use within a minute of the last one by the same is not written down: it would make every
/// execution wait for the disk.
const USE_RESOLUTION: u64 = 60_000;

impl SqliteStore {
    /// Asks for the right to refresh a connection, for so many milliseconds.
    ///
    /// # Errors
    ///
    /// When there is no such connection, when its record was changed outside of the store, or when
    /// the store cannot be written.
    pub fn claim(&self, key: &ConnectionKey, milliseconds: u64) -> Result<Claim, StoreError> {
        let now = self.0.clock.unix_milliseconds();
        self.with_course(key, |course| {
            if course.lease.until > now {
                return (Claim::Held(course.lease.clone()), false);
            }
            course.lease.fence += 1;
            course.lease.until = now.saturating_add(milliseconds);
            (Claim::Granted(course.lease.clone()), true)
        })
    }

    /// Changes a lease as its holder. `None`: it is another's by now, and nothing was changed.
    ///
    /// # Errors
    ///
    /// Those of [`claim`](Self::claim).
    pub fn hold(
        &self,
        key: &ConnectionKey,
        fence: u64,
        change: LeaseChange,
    ) -> Result<Option<Lease>, StoreError> {
        let now = self.0.clock.unix_milliseconds();
        self.with_course(key, |course| {
            let lease = &mut course.lease;
            if lease.fence != fence {
                return (None, false);
            }
            match change {
                LeaseChange::Extend(milliseconds) => {
                    lease.until = now.saturating_add(milliseconds);
                }
                // Who slept through its own lease may find another at work: it does not begin.
                LeaseChange::Sending(_) if lease.until <= now => return (None, false),
                LeaseChange::Sending(milliseconds) => {
                    lease.sent_at = Some(now);
                    lease.until = now.saturating_add(milliseconds);
                }
                LeaseChange::NotSent => lease.sent_at = None,
                LeaseChange::Release { not_before } => {
                    lease.until = 0;
                    lease.not_before = not_before;
                }
            }
            (Some(lease.clone()), true)
        })
    }

    /// Notes a use. Not written down if the same was noted less than a minute ago.
    ///
    /// # Errors
    ///
    /// Those of [`claim`](Self::claim).
    pub fn note_use(
        &self,
        key: &ConnectionKey,
        last: &LastUse,
        workflow: Option<&str>,
    ) -> Result<(), StoreError> {
        let recent = |at: u64| (at..at.saturating_add(USE_RESOLUTION)).contains(&last.at);
        let known = self.reading(|database, opened| {
            let (head, row) = self.rows(database, key)?;
            let used = row.course(&head, opened)?.used;
            let is_known = used.is_some_and(|used| used.by == last.by && recent(used.at));
            let dependants = self.dependants_of(database, opened, &head)?;
            let is_noted = workflow.is_none_or(|workflow| {
                dependants.iter().any(|one| one.workflow == workflow && recent(one.seen_at))
            });
            Ok((is_known, is_noted))
        })?;
        if known == (true, true) {
            return Ok(());
        }
        self.writing(|database, opened| {
            let failed = |error| self.failed(error);
            let (head, mut row) = self.rows(database, key)?;
            let mut course = row.course(&head, opened)?;
            course.used = Some(last.clone());
            row.set_course(&course, &head, opened)?;
            write::update_course(database, &head, &row).map_err(failed)?;
            if let Some(workflow) = workflow {
                let at = signed(last.at);
                let binding = dependant_binding(opened, &head, workflow, at);
                let seal = opened.data_key.seal_nothing(&binding)?;
                let dependant = (workflow.to_owned(), at, seal);
                write::put_dependant(database, &head, &dependant).map_err(failed)?;
            }
            Ok(())
        })
    }

    /// Forgets that a workflow depends on a credential, e.g. because it was deleted.
    ///
    /// # Errors
    ///
    /// When there is no such credential, or when the store cannot be written.
    pub fn forget_dependant(
        &self,
        credential: impl Into<CredentialId>,
        workflow: &str,
    ) -> Result<(), StoreError> {
        let id = credential.into();
        self.writing(|database, _| {
            let head = self.head_row(database, &id)?;
            write::remove_dependant(database, &head, workflow).map_err(|error| self.failed(error))
        })
    }

    fn with_course<T>(
        &self,
        key: &ConnectionKey,
        change: impl FnOnce(&mut UseState) -> (T, bool),
    ) -> Result<T, StoreError> {
        self.writing(|database, opened| {
            let (head, mut row) = self.rows(database, key)?;
            let mut course = row.course(&head, opened)?;
            let (value, changed) = change(&mut course);
            if changed {
                row.set_course(&course, &head, opened)?;
                write::update_course(database, &head, &row).map_err(|error| self.failed(error))?;
            }
            Ok(value)
        })
    }
}
