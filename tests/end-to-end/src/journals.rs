//! The journals of a world: those of all executions, also of several with one ID.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use workflow_node_host::JournalLimits;
use workflow_node_host::journal::{
    JournalKey, JournalName, JournalStore, JournalWriter, Journals, MemoryJournals, Recording,
    StoredJournal,
};

/// Keeps the journals of all executions. One with the ID of an earlier one gets a separate journal.
#[derive(Clone)]
pub struct KeptJournals {
    current: MemoryJournals,
    former: Arc<Mutex<Vec<Vec<u8>>>>,
    key: JournalKey,
}

impl Default for KeptJournals {
    fn default() -> Self {
        let key = JournalKey::generate().expect("random bytes");
        Self { current: MemoryJournals::default(), former: Arc::default(), key }
    }
}

impl KeptJournals {
    /// Journals to pass to a host.
    pub fn journals(&self) -> Journals {
        let limits = JournalLimits { bytes: 1 << 30, ..JournalLimits::default() };
        Journals::new(Arc::new(self.clone()), self.key.clone(), limits)
    }

    fn former(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.former.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All journals that hold anything.
    pub async fn recordings(&self) -> Vec<Recording> {
        let mut all = self.former().clone();
        for stored in self.current.list().await.expect("journals are listed") {
            all.push(self.current.read(&stored.name).await.expect("a journal is read"));
        }
        all.iter().filter_map(|bytes| Recording::open(bytes, &self.key).ok()).collect()
    }

    /// Everything in them, as a person reads it, without the secrets behind handles.
    pub async fn text(&self) -> String {
        self.recordings().await.iter().map(|one| one.to_json().to_string()).collect()
    }

    /// How many records they hold.
    pub async fn count(&self) -> usize {
        let count = |one: &Recording| one.to_json()["entries"].as_array().map_or(0, Vec::len);
        self.recordings().await.iter().map(count).sum()
    }

    /// The call of each.
    pub async fn calls(&self) -> Vec<Value> {
        self.recordings().await.iter().map(|one| one.to_json()["call"].clone()).collect()
    }
}

#[async_trait]
impl JournalStore for KeptJournals {
    async fn create(&self, name: &JournalName) -> io::Result<Box<dyn JournalWriter>> {
        if let Ok(bytes) = self.current.read(name).await {
            self.current.remove(name).await?;
            self.former().push(bytes);
        }
        self.current.create(name).await
    }

    async fn open(&self, name: &JournalName) -> io::Result<(Vec<u8>, Box<dyn JournalWriter>)> {
        self.current.open(name).await
    }

    async fn read(&self, name: &JournalName) -> io::Result<Vec<u8>> {
        self.current.read(name).await
    }

    async fn remove(&self, name: &JournalName) -> io::Result<()> {
        self.current.remove(name).await
    }

    async fn list(&self) -> io::Result<Vec<StoredJournal>> {
        self.current.list().await
    }
}
