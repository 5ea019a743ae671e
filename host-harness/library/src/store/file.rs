//! Files that only their owner may read. On systems other than Unix they inherit the permissions of
//! their directory.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Mutex;

use super::error::StoreError;

/// Makes an empty file, unless it is there.
pub(super) fn ensure_private(path: &Path) -> Result<(), StoreError> {
    // Closing any handle of a file gives up every POSIX lock that the process has on it. Nobody in
    // this process can have the database open, and locked, before the one that made it has closed
    // this handle.
    static CREATING: Mutex<()> = Mutex::new(());
    let _creating = CREATING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match std::fs::metadata(path) {
        Ok(metadata) => refuse_exposed(path, &metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_parent(path)?;
            match create_private(path) {
                Ok(_) => Ok(()),
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                Err(source) => Err(StoreError::io("create the credential store", path, source)),
            }
        }
        Err(source) => Err(StoreError::io("read the credential store", path, source)),
    }
}

/// Makes a file that was not there.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the directories that a file is to be in, where they are missing.
pub(super) fn create_parent(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(parent).map_err(|source| StoreError::io("create the directory", parent, source))
}

/// Refuses anything that is not a regular file and, on Unix, a file that users other than its owner
/// can read or write.
pub(super) fn refuse_exposed(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    if !metadata.is_file() {
        let source = io::Error::other("it is not a regular file");
        return Err(StoreError::io("use", path, source));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::Exposed { path: path.to_owned(), mode });
        }
    }
    Ok(())
}
