//! Key rotation. The store also gets a new data key, so that anyone with the old key and an old
//! copy of the file cannot read anything that is written later.

use std::sync::{Arc, PoisonError};

use super::key::{PassphraseCost, StoreKey};
use super::schema::Header;
use super::{SqliteStore, StoreError, dependant_binding, write};

impl SqliteStore {
    /// Reseals everything so that only `key` opens the store. This happens in one transaction, so
    /// either the old key or the new key opens all of it. Other processes that have the store open
    /// detect this at their next use.
    ///
    /// # Errors
    ///
    /// When a record was changed outside of the store (it would be made good), when the passphrase
    /// is too short, or when the store cannot be written.
    pub fn change_key(&self, key: &StoreKey, cost: PassphraseCost) -> Result<(), StoreError> {
        let id = self.opened().0.id.clone();
        // Deriving a key takes long: not while others wait.
        let (header, new) = Header::remake(id, key, cost)?;
        self.writing(|database, old| {
            let failed = |error| self.failed(error);
            for head in write::head_rows(database).map_err(failed)? {
                head.head(old)?;
                let dependants = self.dependants_of(database, old, &head)?;
                let rows = write::connection_rows(database, &head).map_err(failed)?;
                let resealed = head.clone().sealed(&new)?;
                write::update_head(database, &resealed).map_err(failed)?;
                for mut row in rows {
                    let secrets = row.secrets(&head, old)?;
                    let course = row.course(&head, old)?;
                    row.seal(&resealed, &new, &secrets)?;
                    row.set_course(&course, &resealed, &new)?;
                    write::insert_connection(database, &resealed, &row).map_err(failed)?;
                }
                for dependant in dependants {
                    let at = super::signed(dependant.seen_at);
                    let binding = dependant_binding(&new, &head, &dependant.workflow, at);
                    let seal = new.data_key.seal_nothing(&binding)?;
                    let row = (dependant.workflow, at, seal);
                    write::put_dependant(database, &head, &row).map_err(failed)?;
                }
            }
            super::triggers::reseal(self, database, old, &new)?;
            header.replace(database).map_err(failed)
        })?;
        let current = Arc::new((new, header.sealed_data_key().to_vec()));
        *self.0.opened.lock().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(())
    }
}
