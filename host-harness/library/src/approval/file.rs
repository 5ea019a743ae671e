//! Approvals in a JSON file.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Approval, Approvals, ApprovalsError, Disabled, PluginName};
use crate::digest::Digest;

/// Approvals in a JSON file, which can be checked in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FileApprovals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    writing: Mutex<()>,
    /// Contents of the file when it was last read.
    read: Mutex<Option<(Version, Contents)>>,
}

/// Contents of a file.
#[derive(Clone, Debug, Default)]
struct Contents {
    approvals: Vec<Arc<Approval>>,
    disabled: Vec<Disabled>,
    /// Keys of authors by node.
    author_keys: BTreeMap<String, String>,
}

/// Identifies the version of a file that was read. The file is replaced whenever it changes.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    changed: SystemTime,
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Version {
    fn of(file: &std::fs::Metadata) -> std::io::Result<Self> {
        Ok(Self {
            changed: file.modified()?,
            length: file.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(file),
        })
    }

    /// Whether a later change would show. Right after a change, the next one may carry the same
    /// time: file systems count in steps of some milliseconds.
    fn is_settled(&self) -> bool {
        const STEP: Duration = Duration::from_secs(2);
        self.changed.elapsed().is_ok_and(|elapsed| elapsed > STEP)
    }
}

#[derive(Deserialize, Serialize)]
struct File<T> {
    #[serde(default = "Vec::new")]
    approvals: Vec<T>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    disabled: Vec<Disabled>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    author_keys: BTreeMap<String, String>,
}

impl FileApprovals {
    /// Approvals in this file; made when the first is recorded.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let (path, writing, read) = (path.into(), Mutex::new(()), Mutex::default());
        Self(Arc::new(Inner { path, writing, read }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// All approvals, oldest first, and the disabled plugins.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn list(&self) -> Result<(Vec<Arc<Approval>>, Vec<Disabled>), ApprovalsError> {
        let Contents { approvals, disabled, .. } = self.0.read()?;
        Ok((approvals, disabled))
    }

    /// The public key of the author of a node, if one was pinned: packages of the node must be signed
    /// with it. The host does not read it; who approves packages does.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn author_key(&self, node: &str) -> Result<Option<String>, ApprovalsError> {
        Ok(self.0.read()?.author_keys.remove(node))
    }

    /// Pins the public key of the author of a node. `expected` is the key that was pinned before, as
    /// [`author_key`](Self::author_key) returned it. `false`: another key was pinned in the meantime, and
    /// nothing was changed.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written.
    pub async fn pin_author_key(
        &self,
        node: &str,
        expected: Option<&str>,
        key: &str,
    ) -> Result<bool, ApprovalsError> {
        let (node, expected) = (node.to_owned(), expected.map(str::to_owned));
        let key = key.to_owned();
        self.change(move |contents| {
            let is_expected = contents.author_keys.get(&node) == expected.as_ref();
            if is_expected {
                contents.author_keys.insert(node, key);
            }
            is_expected
        })
        .await
    }

    /// Changes the file, on a thread for blocking work: another process may hold the lock.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Contents) -> T + Send + 'static,
    ) -> Result<T, ApprovalsError> {
        let inner = self.0.clone();
        let changed = tokio::task::spawn_blocking(move || inner.change(change)).await;
        changed.unwrap_or_else(|error| Err(self.0.error(error)))
    }
}

impl Inner {
    fn read(&self) -> Result<Contents, ApprovalsError> {
        match self.read_file() {
            Ok(contents) => Ok(contents),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Contents::default()),
            Err(error) => Err(self.error(error)),
        }
    }

    fn read_file(&self) -> std::io::Result<Contents> {
        let mut file = std::fs::File::open(&self.path)?;
        let version = Version::of(&file.metadata()?)?;
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, contents)) = &*last
            && *known == version
            && version.is_settled()
        {
            return Ok(contents.clone());
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let File::<Approval> { approvals, disabled, author_keys } = serde_json::from_slice(&text)?;
        let mut approvals: Vec<Arc<Approval>> = approvals.into_iter().map(Arc::new).collect();
        if let Some((_, known)) = &*last {
            // An approval that has not changed keeps its `Arc`.
            for approval in &mut approvals {
                if let Some(same) = known.approvals.iter().find(|one| one == &approval) {
                    *approval = same.clone();
                }
            }
        }
        let contents = Contents { approvals, disabled, author_keys };
        *last = Some((version, contents.clone()));
        Ok(contents)
    }

    fn error(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApprovalsError {
        ApprovalsError::new(format!("in {}", self.path.display()), source)
    }

    /// Changes the file.
    fn change<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> Result<T, ApprovalsError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Another process may write at the same time. The file itself is replaced, so a lock on it
        // would apply to the old file.
        let lock = self.lock().map_err(|error| self.error(error))?;
        let mut contents = self.read()?;
        let value = change(&mut contents);
        self.write(&contents).map_err(|error| self.error(error))?;
        drop(lock);
        Ok(value)
    }

    /// Holds the right to change the file until it is dropped.
    fn lock(&self) -> std::io::Result<std::fs::File> {
        std::fs::create_dir_all(self.directory())?;
        let lock = std::fs::File::create(self.path.with_extension("lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    fn write(&self, contents: &Contents) -> std::io::Result<()> {
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let file = File {
            approvals: contents.approvals.iter().map(|one| &**one).collect(),
            disabled: contents.disabled.clone(),
            author_keys: contents.author_keys.clone(),
        };
        let mut target = std::fs::File::create(&temporary)?;
        target.write_all(&serde_json::to_vec_pretty(&file)?)?;
        target.write_all(b"\n")?;
        target.sync_all()?;
        std::fs::rename(&temporary, &self.path)
    }
}

#[async_trait]
impl Approvals for FileApprovals {
    async fn approval(&self, digest: &Digest) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        let approvals = self.0.read()?.approvals;
        Ok(approvals.into_iter().rev().find(|approval| approval.digest == *digest))
    }

    async fn latest(&self, node: &str) -> Result<Option<Arc<Approval>>, ApprovalsError> {
        let approvals = self.0.read()?.approvals;
        Ok(approvals.into_iter().rev().find(|approval| approval.grant.node == node))
    }

    async fn record(&self, approval: Approval) -> Result<(), ApprovalsError> {
        self.change(move |contents| {
            contents.approvals.retain(|known| known.digest != approval.digest);
            contents.approvals.push(Arc::new(approval));
        })
        .await
    }

    async fn disabled(
        &self,
        digest: &Digest,
        node: &str,
    ) -> Result<Option<Disabled>, ApprovalsError> {
        let disabled = self.0.read()?.disabled;
        Ok(disabled.into_iter().find(|one| one.plugin.names(digest, node)))
    }

    async fn disable(&self, disabled: Disabled) -> Result<(), ApprovalsError> {
        self.change(move |contents| {
            contents.disabled.retain(|one| one.plugin != disabled.plugin);
            contents.disabled.push(disabled);
        })
        .await
    }

    async fn enable(&self, plugin: &PluginName) -> Result<bool, ApprovalsError> {
        let plugin = plugin.clone();
        self.change(move |contents| {
            let before = contents.disabled.len();
            contents.disabled.retain(|one| one.plugin != plugin);
            contents.disabled.len() < before
        })
        .await
    }
}
