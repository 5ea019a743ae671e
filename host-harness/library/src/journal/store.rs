//! Where the bytes of journals are kept: a trait, and a store in memory. Knows nothing of their format.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use super::name::JournalName;

/// Stores the bytes of journals. The bytes are already sealed.
#[async_trait]
pub trait JournalStore: Send + Sync + 'static {
    /// Creates an empty journal and opens it for writing.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AlreadyExists`] if there is one of this name; [`io::ErrorKind::WouldBlock`] if
    /// it is open for writing; others if it cannot be created.
    async fn create(&self, name: &JournalName) -> io::Result<Box<dyn JournalWriter>>;

    /// Opens a journal for writing, and reads it. No other writer can open it until this one is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is none; [`io::ErrorKind::WouldBlock`] if it is open for
    /// writing; others if it cannot be read.
    async fn open(&self, name: &JournalName) -> io::Result<(Vec<u8>, Box<dyn JournalWriter>)>;

    /// Reads a journal, whether or not it is being written.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is none; others if it cannot be read.
    async fn read(&self, name: &JournalName) -> io::Result<Vec<u8>>;

    /// Removes a journal. One that is gone already is a success.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if it is open for writing; others if it cannot be removed.
    async fn remove(&self, name: &JournalName) -> io::Result<()>;

    /// Lists all journals.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    async fn list(&self) -> io::Result<Vec<StoredJournal>>;
}

/// A journal in a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredJournal {
    /// Its name.
    pub name: JournalName,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written.
    pub changed: SystemTime,
}

impl StoredJournal {
    /// A journal that a store lists.
    pub fn new(name: JournalName, bytes: u64, changed: SystemTime) -> Self {
        Self { name, bytes, changed }
    }
}

/// Writes one journal.
#[async_trait]
pub trait JournalWriter: Send + 'static {
    /// Cuts the journal off at this length, in bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be cut off.
    async fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Appends bytes. With `durable`, returns once these and all bytes before them survive a power
    /// failure; without, once they survive the end of this process.
    ///
    /// # Errors
    ///
    /// If they cannot be written. Some of them may have been; nothing more is appended then.
    async fn append(&mut self, bytes: Vec<u8>, durable: bool) -> io::Result<()>;
}

/// Keeps journals in memory: for tests, and where nothing has to survive the process.
#[derive(Clone, Default)]
pub struct MemoryJournals(Arc<Mutex<BTreeMap<JournalName, Kept>>>);

#[derive(Clone)]
struct Kept {
    bytes: Vec<u8>,
    changed: SystemTime,
    is_open: bool,
}

impl std::fmt::Debug for MemoryJournals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.kept().keys()).finish()
    }
}

impl MemoryJournals {
    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<JournalName, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a journal's bytes in, e.g. those of a bug report. Replaces one of the same name.
    pub fn insert(&self, name: JournalName, bytes: Vec<u8>) {
        let kept = Kept { bytes, changed: SystemTime::now(), is_open: false };
        self.kept().insert(name, kept);
    }

    fn writer(&self, name: &JournalName) -> Box<dyn JournalWriter> {
        Box::new(MemoryWriter { journals: self.clone(), name: *name })
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn in_use() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

#[async_trait]
impl JournalStore for MemoryJournals {
    async fn create(&self, name: &JournalName) -> io::Result<Box<dyn JournalWriter>> {
        let mut all = self.kept();
        match all.get(name) {
            Some(kept) if kept.is_open => return Err(in_use()),
            Some(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            None => {}
        }
        let kept = Kept { bytes: Vec::new(), changed: SystemTime::now(), is_open: true };
        all.insert(*name, kept);
        Ok(self.writer(name))
    }

    async fn open(&self, name: &JournalName) -> io::Result<(Vec<u8>, Box<dyn JournalWriter>)> {
        let mut all = self.kept();
        let kept = all.get_mut(name).ok_or_else(missing)?;
        if std::mem::replace(&mut kept.is_open, true) {
            return Err(in_use());
        }
        Ok((kept.bytes.clone(), self.writer(name)))
    }

    async fn read(&self, name: &JournalName) -> io::Result<Vec<u8>> {
        self.kept().get(name).map(|kept| kept.bytes.clone()).ok_or_else(missing)
    }

    async fn remove(&self, name: &JournalName) -> io::Result<()> {
        let mut all = self.kept();
        if all.get(name).is_some_and(|kept| kept.is_open) {
            return Err(in_use());
        }
        all.remove(name);
        Ok(())
    }

    async fn list(&self) -> io::Result<Vec<StoredJournal>> {
        let stored = |(name, kept): (&JournalName, &Kept)| {
            StoredJournal::new(*name, kept.bytes.len() as u64, kept.changed)
        };
        Ok(self.kept().iter().map(stored).collect())
    }
}

struct MemoryWriter {
    journals: MemoryJournals,
    name: JournalName,
}

impl MemoryWriter {
    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut all = self.journals.kept();
        let kept = all.get_mut(&self.name).ok_or_else(missing)?;
        change(&mut kept.bytes);
        kept.changed = SystemTime::now();
        Ok(())
    }
}

#[async_trait]
impl JournalWriter for MemoryWriter {
    async fn truncate(&mut self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.change(|bytes| bytes.truncate(length))
    }

    async fn append(&mut self, bytes: Vec<u8>, _durable: bool) -> io::Result<()> {
        self.change(|own| own.extend_from_slice(&bytes))
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        if let Some(kept) = self.journals.kept().get_mut(&self.name) {
            kept.is_open = false;
        }
    }
}
