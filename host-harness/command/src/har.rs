//! `--trace`: the file that a trace is written to.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::exit::Failure;

/// An archive that is about to be written. It is made before anything is sent, so that a file that
/// cannot be written stops the run in time.
pub(crate) struct Archive {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    written: bool,
}

impl Archive {
    /// Makes the file beside its place, for its owner alone: answers hold people's data.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&temporary).map_err(|error| {
            let path = path.display();
            Failure::input("trace", format!("Cannot write trace file {path}: {error}"))
        })?;
        Ok(Self { path: path.to_owned(), temporary, file, written: false })
    }

    /// Writes it, and puts it in its place.
    pub(crate) fn write(mut self, archive: &Value) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(archive).map_err(Failure::internal)?;
        self.file
            .write_all(&text)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| std::fs::rename(&self.temporary, &self.path))
            .map_err(|error| {
                let path = self.path.display();
                Failure::internal(format!("Cannot write trace file {path}: {error}"))
            })?;
        self.written = true;
        Ok(())
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        if !self.written {
            // Nothing was sent; what is left is an empty file.
            let _removed = std::fs::remove_file(&self.temporary).is_ok();
        }
    }
}
