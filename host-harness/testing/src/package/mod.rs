//! Packages: a component in one file with all that somebody needs to judge and to use it: documents,
//! reference pages, the report of the checks, a bill of materials, and checksums, signed by the author.
//!
//! The archive has `package.json`, which lists every other file with its size and SHA-256 digest,
//! `package.sig`, the ed25519 signature over `package.json`, and the files. Who reads it needs no trust
//! in where it was: nothing is returned before the signature and every checksum were verified.

mod archive;
mod documents;
mod key;
pub mod registry;
pub mod sbom;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use workflow_node_host::{Digest, Plugin};

pub use documents::documents;
pub use key::{AuthorKey, KeyError, PublicKey};

/// Version of the format.
const FORMAT: u32 = 1;
/// The file that lists all others.
const MANIFEST: &str = "package.json";
/// The signature over the manifest: 64 bytes.
const SIGNATURE: &str = "package.sig";
/// The component.
pub const COMPONENT: &str = "node.wasm";
/// The report of `harness check`, in JSON.
pub const CHECKS: &str = "check.json";
/// The bill of materials (CycloneDX, JSON).
pub const SBOM: &str = "sbom.cdx.json";
/// The directory of the documents that describe the node.
pub const DESCRIPTION: &str = "description";
/// The directory of the reference pages.
pub const REFERENCE: &str = "reference";

/// Largest archive that is read, in bytes: a component of the largest size that a host loads, and as
/// much again for documents.
pub const LARGEST_ARCHIVE: u64 = 64 << 20;
/// Largest content of an archive, in bytes. A small archive can unpack to any size, which is not read
/// beyond this.
pub const LARGEST_CONTENT: u64 = 128 << 20;
/// Most files of an archive. A node with a thousand actions has fewer.
pub const MOST_FILES: usize = 4_096;
/// Longest name of a file, in bytes: what a tar header has room for.
pub const LONGEST_NAME: usize = 100;

/// Why a package cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// Not an archive, or one that `harness package` does not write.
    #[error("The archive cannot be read: {0}")]
    Archive(String),
    /// Its compression or an entry is damaged.
    #[error("The archive cannot be unpacked")]
    Unpack(#[source] std::io::Error),
    /// Too large.
    #[error("{0} is larger than {1} bytes")]
    TooLarge(&'static str, u64),
    /// The format is unknown.
    #[error("The package has format {0}, which this version does not know")]
    Format(u64),
    /// The manifest is missing or malformed.
    #[error("The package has no valid {MANIFEST}: {0}")]
    Manifest(String),
    /// The manifest is not JSON of the expected form.
    #[error("{MANIFEST} of the package cannot be read")]
    ManifestForm(#[source] serde_json::Error),
    /// Nobody signed it.
    #[error("The package is not signed: it has no {SIGNATURE}")]
    Unsigned,
    /// The signature does not fit.
    #[error(
        "The signature of the package does not fit its {MANIFEST}: it was changed after {0} signed it, \
         or somebody else signed it"
    )]
    Signature(PublicKey),
    /// A file is not what was signed.
    #[error("`{0}` was changed after the package was signed")]
    Changed(String),
    /// A file is missing or was added.
    #[error("`{0}` was {1} after the package was signed")]
    Files(String, &'static str),
    /// The package's description of the node differs from the component's.
    #[error("`{0}` is not what the component describes")]
    Described(String),
    /// It cannot be written.
    #[error("The package cannot be written")]
    Write(#[source] std::io::Error),
}

/// Signed manifest of a package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format.
    pub format: u32,
    /// Name of the node.
    pub node: String,
    /// Version of the node.
    pub version: u32,
    /// Digest of the component, by which operators approve it.
    pub component: Digest,
    /// The author's key.
    pub key: PublicKey,
    /// Name and version of the program that wrote the package.
    pub written_by: String,
    /// All other files of the package, by name.
    pub files: BTreeMap<String, FileEntry>,
}

/// A file of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Size in bytes.
    pub size: u64,
    /// Digest of the content.
    pub sha256: Digest,
}

/// A package whose signature and checksums were verified.
#[derive(Clone, Debug)]
pub struct Package {
    manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

/// Signs a package: its node, and its files by name. One of them is the component. The same arguments
/// give the same bytes.
///
/// # Errors
///
/// If there is no component, a file has a name that no file of a package may have, or there are too many
/// or too large files.
pub fn sign(
    node: &str,
    version: u32,
    files: &BTreeMap<String, Vec<u8>>,
    key: &AuthorKey,
) -> Result<Vec<u8>, PackageError> {
    let missing = || PackageError::Files(COMPONENT.to_owned(), "removed");
    let component = Digest::of(files.get(COMPONENT).ok_or_else(missing)?);
    let entry = |(name, bytes): (&String, &Vec<u8>)| {
        archive::check_name(name)?;
        Ok((name.clone(), FileEntry { size: bytes.len() as u64, sha256: Digest::of(bytes) }))
    };
    let manifest = Manifest {
        format: FORMAT,
        node: node.to_owned(),
        version,
        component,
        key: key.public(),
        written_by: format!("harness {}", env!("CARGO_PKG_VERSION")),
        files: files.iter().map(entry).collect::<Result<_, PackageError>>()?,
    };
    let mut text = serde_json::to_vec_pretty(&manifest).map_err(PackageError::ManifestForm)?;
    text.push(b'\n');
    let signature = key.sign(&text);
    let own = [(MANIFEST, text.as_slice()), (SIGNATURE, signature.as_slice())];
    let others = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let archive = archive::write(own.into_iter().chain(others))?;
    // Never return an archive that cannot be read back.
    Package::read(&archive)?;
    Ok(archive)
}

impl Package {
    /// Whether bytes begin like an archive rather than a component.
    pub fn is_archive(bytes: &[u8]) -> bool {
        bytes.starts_with(&[0x1f, 0x8b])
    }

    /// Verifies and reads a package. It says nothing about whether the author is trusted: compare
    /// [`Manifest::key`].
    ///
    /// # Errors
    ///
    /// If the archive is malformed or too large, the package is not signed, or anything in it was
    /// changed after it was signed.
    pub fn read(archive: &[u8]) -> Result<Self, PackageError> {
        let mut files: BTreeMap<String, Vec<u8>> = archive::read(archive)?.into_iter().collect();
        let none = || PackageError::Manifest("the file is missing".to_owned());
        let text = files.remove(MANIFEST).ok_or_else(none)?;
        let malformed = PackageError::ManifestForm;
        let head: serde_json::Value = serde_json::from_slice(&text).map_err(malformed)?;
        match head.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => return Err(PackageError::Format(format)),
            None => return Err(PackageError::Manifest("it has no `format`".to_owned())),
        }
        let manifest: Manifest = serde_json::from_slice(&text).map_err(malformed)?;
        let signature = files.remove(SIGNATURE).ok_or(PackageError::Unsigned)?;
        if !manifest.key.has_signed(&text, &signature) {
            return Err(PackageError::Signature(manifest.key));
        }
        if let Some(name) = files.keys().find(|name| !manifest.files.contains_key(*name)) {
            return Err(PackageError::Files(name.clone(), "added"));
        }
        for (name, entry) in &manifest.files {
            let removed = || PackageError::Files(name.clone(), "removed");
            let bytes = files.get(name).ok_or_else(removed)?;
            if bytes.len() as u64 != entry.size || Digest::of(bytes) != entry.sha256 {
                return Err(PackageError::Changed(name.clone()));
            }
        }
        archive::check_name(&manifest.node)?;
        if manifest.node.contains('/') {
            return Err(PackageError::Manifest("`node` is not the name of a node".to_owned()));
        }
        let component = manifest.files.get(COMPONENT);
        if component.is_none_or(|entry| entry.sha256 != manifest.component) {
            let message = "its component is not its `node.wasm`".to_owned();
            return Err(PackageError::Manifest(message));
        }
        Ok(Self { manifest, files })
    }

    /// The signed manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes of a file.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The names of the files of a directory.
    pub fn files_of(&self, directory: &str) -> impl Iterator<Item = &str> {
        let of_it = move |name: &&str| {
            name.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
        };
        self.files.keys().map(String::as_str).filter(of_it)
    }

    /// The bytes of the component.
    pub fn component(&self) -> &[u8] {
        self.file(COMPONENT).unwrap_or_default()
    }

    /// Compares the documents with what the component says about itself.
    ///
    /// # Errors
    ///
    /// If the package describes another node, or a document differs.
    pub fn compare(&self, plugin: &Plugin) -> Result<(), PackageError> {
        let node = &plugin.description().node;
        let is_same = self.manifest.node == node.name
            && self.manifest.version == node.version
            && self.manifest.component == plugin.digest();
        if !is_same {
            return Err(PackageError::Described(MANIFEST.to_owned()));
        }
        let described = documents(plugin);
        let there = self.files_of(DESCRIPTION).chain(self.files_of(documents::SCHEMAS));
        for name in described.keys().map(String::as_str).chain(there) {
            if self.file(name) != described.get(name).map(Vec::as_slice) {
                return Err(PackageError::Described(name.to_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
