//! Keeps journals as files.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::name::JournalName;
use super::store::{JournalStore, JournalWriter, StoredJournal};

const SUFFIX: &str = "journal";

/// Keeps journals as files, readable by their owner only: one per execution in a directory, or a single
/// one. A file that is being written is locked, for other processes as well.
#[derive(Clone, Debug)]
pub struct FileJournals(Place);

#[derive(Clone, Debug)]
enum Place {
    Directory(PathBuf),
    Single(PathBuf),
}

impl FileJournals {
    /// Keeps journals in this directory, as `NAME.journal`. It is created when the first journal is.
    pub fn in_directory(path: impl Into<PathBuf>) -> Self {
        Self(Place::Directory(path.into()))
    }

    /// Keeps one journal of any name in this file: for a command that records one execution.
    pub fn single(path: impl Into<PathBuf>) -> Self {
        Self(Place::Single(path.into()))
    }

    fn path(&self, name: &JournalName) -> PathBuf {
        match &self.0 {
            Place::Directory(directory) => directory.join(format!("{name}.{SUFFIX}")),
            Place::Single(path) => path.clone(),
        }
    }
}

/// Does blocking work on another thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn options() -> OpenOptions {
    #[allow(unused_mut)] // Changed on Unix.
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes the entry of a new file in its directory durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn lock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        TryLockError::Error(error) => error,
    })
}

#[async_trait]
impl JournalStore for FileJournals {
    async fn create(&self, name: &JournalName) -> io::Result<Box<dyn JournalWriter>> {
        let (path, is_directory) = (self.path(name), matches!(self.0, Place::Directory(_)));
        blocking(move || {
            if let Some(directory) = path.parent().filter(|_| is_directory) {
                create_directory(directory)?;
            }
            let file = match options().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // The caller needs to know whether it can be resumed now.
                    lock(&File::open(&path)?)?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            };
            lock(&file)?;
            let writer = FileWriter { file: Some(file), new: Some(path) };
            Ok(Box::new(writer) as Box<dyn JournalWriter>)
        })
        .await
    }

    async fn open(&self, name: &JournalName) -> io::Result<(Vec<u8>, Box<dyn JournalWriter>)> {
        let path = self.path(name);
        blocking(move || {
            let mut file = options().read(true).write(true).open(&path)?;
            lock(&file)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let writer = FileWriter { file: Some(file), new: Some(path) };
            Ok((bytes, Box::new(writer) as Box<dyn JournalWriter>))
        })
        .await
    }

    async fn read(&self, name: &JournalName) -> io::Result<Vec<u8>> {
        let path = self.path(name);
        blocking(move || std::fs::read(path)).await
    }

    async fn remove(&self, name: &JournalName) -> io::Result<()> {
        let path = self.path(name);
        blocking(move || {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            lock(&file)?;
            std::fs::remove_file(&path)
        })
        .await
    }

    async fn list(&self) -> io::Result<Vec<StoredJournal>> {
        let Place::Directory(directory) = &self.0 else { return Ok(Vec::new()) };
        let directory = directory.clone();
        blocking(move || {
            let entries = match std::fs::read_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries?,
            };
            let mut all = Vec::new();
            for entry in entries {
                let entry = entry?;
                let file_name = entry.file_name();
                let name = Path::new(&file_name)
                    .extension()
                    .filter(|extension| *extension == SUFFIX)
                    .and_then(|_| Path::new(&file_name).file_stem()?.to_str()?.parse().ok());
                let Some(name) = name else { continue };
                // One that was removed meanwhile is not listed.
                let Ok(metadata) = entry.metadata() else { continue };
                all.push(StoredJournal::new(name, metadata.len(), metadata.modified()?));
            }
            Ok(all)
        })
        .await
    }
}

struct FileWriter {
    /// `None` while another thread writes to it, and for good after a write has failed.
    file: Option<File>,
    /// Its path, until its entry in the directory is durable. An execution that only reads never waits for
    /// that.
    new: Option<PathBuf>,
}

impl FileWriter {
    async fn with(
        &mut self,
        work: impl FnOnce(&mut File) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let file = self.file.take();
        let mut file = file.ok_or_else(|| io::Error::other("an earlier write has failed"))?;
        let file = blocking(move || {
            work(&mut file)?;
            Ok(file)
        });
        self.file = Some(file.await?);
        Ok(())
    }
}

#[async_trait]
impl JournalWriter for FileWriter {
    async fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.with(move |file| {
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length))?;
            file.sync_all()
        })
        .await
    }

    async fn append(&mut self, bytes: Vec<u8>, durable: bool) -> io::Result<()> {
        let new = if durable { self.new.take() } else { None };
        self.with(move |file| {
            file.write_all(&bytes)?;
            if durable {
                file.sync_data()?;
            }
            new.map_or(Ok(()), |path| sync_directory(&path))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(id: &str) -> JournalName {
        JournalName::of(&"default".into(), id)
    }

    #[tokio::test]
    async fn a_journal_in_a_file_is_written_by_one_at_a_time_and_listed_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let journals = FileJournals::in_directory(directory.path().join("journals"));
        assert!(journals.list().await.unwrap().is_empty());
        let name = name("one");
        let mut writer = journals.create(&name).await.unwrap();
        writer.append(b"abcdef".to_vec(), true).await.unwrap();
        for error in [
            journals.create(&name).await.err().unwrap(),
            journals.open(&name).await.err().unwrap(),
            journals.remove(&name).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
        }
        assert_eq!(journals.read(&name).await.unwrap(), b"abcdef");
        drop(writer);
        assert_eq!(
            journals.create(&name).await.err().unwrap().kind(),
            io::ErrorKind::AlreadyExists
        );
        let (bytes, mut writer) = journals.open(&name).await.unwrap();
        assert_eq!(bytes, b"abcdef");
        writer.truncate(2).await.unwrap();
        writer.append(b"X".to_vec(), false).await.unwrap();
        drop(writer);
        assert_eq!(journals.read(&name).await.unwrap(), b"abX");
        let listed = journals.list().await.unwrap();
        assert_eq!((listed[0].name, listed[0].bytes, listed.len()), (name, 3, 1));
        journals.remove(&name).await.unwrap();
        journals.remove(&name).await.unwrap();
        assert_eq!(journals.open(&name).await.err().unwrap().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_a_journal_in_a_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journals");
        let journals = FileJournals::in_directory(&path);
        drop(journals.create(&name("one")).await.unwrap());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&journals.path(&name("one"))), 0o600);
    }
}
