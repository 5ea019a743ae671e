//! Compiled components and their descriptions, kept so that loading one again takes a fraction of
//! a millisecond.
//!
//! Loading machine code is trusting it. So the cache is a directory of the user's own, closed to
//! everybody else, and an entry is named by the digest of the component and by everything that
//! decides how it is compiled. Nothing that a plugin's author ships is ever loaded as machine code.

use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::Digest;
use crate::inspection::Surface;

/// A directory of compiled components.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
}

/// Documents stored alongside the machine code. In the file, they follow a line that holds their
/// lengths, so that each one is read back verbatim.
pub(crate) struct Documents {
    pub(crate) surface: Surface,
    pub(crate) node: String,
    pub(crate) credential_types: String,
    pub(crate) triggers: Option<String>,
}

/// The first line of a file of documents.
#[derive(Deserialize, Serialize)]
struct Head {
    surface: Surface,
    /// Bytes of the node's document, and of that of its credential types.
    lengths: (usize, usize),
    has_triggers: bool,
}

impl Documents {
    fn read(mut text: String) -> Option<Self> {
        let (line, _) = text.split_once('\n')?;
        let Head { surface, lengths: (node, types), has_triggers } =
            serde_json::from_str(line).ok()?;
        let start = line.len() + 1;
        let end = start.checked_add(node)?.checked_add(types)?;
        let triggers = text.get(end..)?.to_owned();
        text.truncate(end);
        let credential_types = text.get(start + node..)?.to_owned();
        text.truncate(start + node);
        text.drain(..start);
        Some(Self {
            surface,
            node: text,
            credential_types,
            triggers: has_triggers.then_some(triggers),
        })
    }

    fn write(&self) -> io::Result<Vec<u8>> {
        let head = Head {
            surface: self.surface.clone(),
            lengths: (self.node.len(), self.credential_types.len()),
            has_triggers: self.triggers.is_some(),
        };
        let mut text = serde_json::to_vec(&head)?;
        text.push(b'\n');
        for document in [Some(&self.node), Some(&self.credential_types), self.triggers.as_ref()] {
            text.extend(document.into_iter().flat_map(|document| document.as_bytes()));
        }
        Ok(text)
    }
}

impl Cache {
    /// A cache below `directory`.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> io::Result<Self> {
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        let directory = directory.join(format!("{:016x}", hasher.finish()));
        make_private(&directory)?;
        close_to_others(&directory)?;
        Ok(Self { directory })
    }

    fn path(&self, digest: &Digest, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", digest.hex()))
    }

    /// The component and its documents, if both are here.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest) -> Option<(Component, Documents)> {
        let documents = std::fs::read_to_string(self.path(digest, "documents")).ok()?;
        let documents = Documents::read(documents)?;
        let path = self.path(digest, "cwasm");
        #[allow(unsafe_code)]
        // SAFETY: the file is one that `store` has written: it lies in a directory that only this
        // user can write (checked when it was opened), under a name that holds the digest of the component
        // and a hash of the engine's settings; wasmtime itself checks version and settings again.
        let component = unsafe { Component::deserialize_file(engine, path) }.ok()?;
        Some((component, documents))
    }

    /// The code of a component, open for reading, and its documents, if both are here.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_entry(&self, digest: &Digest) -> Option<(std::fs::File, Documents)> {
        let documents = std::fs::read_to_string(self.path(digest, "documents")).ok()?;
        let code = std::fs::File::open(self.path(digest, "cwasm")).ok()?;
        Some((code, Documents::read(documents)?))
    }

    /// Keeps a component and its documents. Failing costs only time later.
    pub(crate) fn store(
        &self,
        digest: &Digest,
        component: &Component,
        documents: &Documents,
    ) -> io::Result<()> {
        let code = component.serialize().map_err(io::Error::other)?;
        self.write(&self.path(digest, "cwasm"), &code)?;
        self.write(&self.path(digest, "documents"), &documents.write()?)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = path.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
        std::fs::write(&temporary, bytes)?;
        std::fs::rename(&temporary, path)
    }
}

/// A file for the code of a component that is being compiled: in the cache, or in memory where
/// there is none.
#[cfg(target_os = "linux")]
pub(crate) struct NewCode {
    file: std::fs::File,
    /// The cache, the path of the file, and where it belongs.
    place: Option<(Cache, PathBuf, Digest)>,
}

#[cfg(target_os = "linux")]
impl NewCode {
    pub(crate) fn create(cache: Option<&Cache>, digest: &Digest) -> io::Result<Self> {
        let Some(cache) = cache else {
            let file = rustix::fs::memfd_create("code", rustix::fs::MemfdFlags::CLOEXEC)?;
            return Ok(Self { file: file.into(), place: None });
        };
        let temporary = format!("{:016x}.tmp", rand::random::<u64>());
        let path = cache.path(digest, &temporary);
        let file = std::fs::File::create_new(&path)?;
        Ok(Self { file, place: Some((cache.clone(), path, *digest)) })
    }

    /// The file, for the compiler to write.
    pub(crate) fn file(&self) -> &std::fs::File {
        &self.file
    }

    /// The same file for a worker that runs the code, and must not change it.
    pub(crate) fn read_only(&self) -> io::Result<std::fs::File> {
        use std::os::fd::AsRawFd as _;
        match &self.place {
            Some((_, path, _)) => std::fs::File::open(path),
            None => std::fs::File::open(format!("/proc/self/fd/{}", self.file.as_raw_fd())),
        }
    }

    /// Keeps the code and its documents, where there is a cache. Failing costs only time later.
    pub(crate) fn keep(mut self, documents: &Documents) -> io::Result<()> {
        let Some((cache, path, digest)) = self.place.take() else { return Ok(()) };
        std::fs::rename(path, cache.path(&digest, "cwasm"))?;
        cache.write(&cache.path(&digest, "documents"), &documents.write()?)
    }
}

#[cfg(target_os = "linux")]
impl Drop for NewCode {
    fn drop(&mut self) {
        if let Some((_, path, _)) = &self.place {
            // The component was refused; the file is of no use.
            drop(std::fs::remove_file(path));
        }
    }
}

/// Makes a directory that is closed from the first moment.
fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}

/// Makes sure that a directory belongs to this user, and that nobody else can or could write it.
#[cfg(unix)]
fn close_to_others(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let metadata = std::fs::metadata(directory)?;
    let refuse = |problem: &str| {
        let place = directory.display();
        Err(io::Error::other(format!(
            "the cache {place} {problem}: remove it, or choose another \
                                      directory"
        )))
    };
    if metadata.mode() & 0o022 != 0 {
        return refuse("is writable by other users, who may have placed machine code there");
    }
    if metadata.mode() & 0o077 != 0 {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    }
    // A file that this process makes belongs to this user.
    let probe = directory.join(format!(".owner-{:016x}", rand::random::<u64>()));
    let own = std::fs::File::create(&probe)?.metadata()?.uid();
    std::fs::remove_file(&probe)?;
    if own == metadata.uid() { Ok(()) } else { refuse("belongs to another user") }
}

/// On other systems a directory below the user's profile is closed by the system.
#[cfg(not(unix))]
fn close_to_others(_directory: &Path) -> io::Result<()> {
    Ok(())
}
