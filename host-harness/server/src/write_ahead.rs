//! Waits until transactions of SQLite are on the disk.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// SQLite's write-ahead log. SQLite appends each transaction to it without waiting for the disk; this
/// waits, once for all transactions that were committed meanwhile.
#[derive(Debug)]
pub(crate) struct WriteAheadLog {
    path: PathBuf,
    /// Transactions that were committed.
    committed: AtomicU64,
    synced: Mutex<Synced>,
}

#[derive(Debug, Default)]
struct Synced {
    file: Option<File>,
    /// Transactions that are on the disk.
    transactions: u64,
}

impl WriteAheadLog {
    /// The log of a database file.
    pub(crate) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), committed: AtomicU64::new(0), synced: Mutex::default() }
    }

    /// Counts a transaction that was committed. Returns its number.
    pub(crate) fn commit(&self) -> u64 {
        self.committed.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Returns once a transaction and all before it survive a power failure.
    pub(crate) fn sync(&self, transaction: u64) -> std::io::Result<()> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.transactions >= transaction {
            return Ok(());
        }
        let committed = self.committed();
        if synced.file.is_none() {
            // SQLite keeps the file as long as the database is open. It locks other files, so closing
            // this one releases no lock.
            synced.file = Some(OpenOptions::new().write(true).open(&self.path)?);
        }
        if let Some(file) = &synced.file {
            file.sync_data()?;
        }
        synced.transactions = committed;
        Ok(())
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many transactions were committed.
    pub(crate) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// How many transactions are on the disk.
    #[cfg(test)]
    pub(crate) fn synced(&self) -> u64 {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).transactions
    }
}
