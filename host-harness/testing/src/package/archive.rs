//! The archive of a package: tar in gzip, in the one form that [`write`] gives it. The same files give
//! the same bytes, and [`read`] refuses any other form, so that nothing is in an archive that its
//! manifest does not list.

use std::io::Read as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Archive, Builder, EntryType, Header};

use super::{LARGEST_ARCHIVE, LARGEST_CONTENT, LONGEST_NAME, MOST_FILES, PackageError};

/// Writes files in this order.
pub(super) fn write<'a>(
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<u8>, PackageError> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut packed, &tar(files)?).map_err(PackageError::Write)?;
    packed.finish().map_err(PackageError::Write)
}

fn tar<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Vec<u8>, PackageError> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_path(name).map_err(PackageError::Write)?;
        header.set_size(bytes.len() as u64);
        // No owner and no time: the same files give the same bytes.
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        builder.append(&header, bytes).map_err(PackageError::Write)?;
    }
    builder.into_inner().map_err(PackageError::Write)
}

/// Reads the files of an archive, in their order. Needs as much memory as
/// [`LARGEST_CONTENT`] twice, whatever the archive says.
pub(super) fn read(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>, PackageError> {
    if archive.len() as u64 > LARGEST_ARCHIVE {
        return Err(PackageError::TooLarge("The archive", LARGEST_ARCHIVE));
    }
    let malformed = PackageError::Unpack;
    let mut unpacker = flate2::bufread::GzDecoder::new(archive);
    let mut content = Vec::new();
    let limited = &mut unpacker;
    limited.take(LARGEST_CONTENT + 1).read_to_end(&mut content).map_err(malformed)?;
    if content.len() as u64 > LARGEST_CONTENT {
        return Err(PackageError::TooLarge("The unpacked archive", LARGEST_CONTENT));
    }
    if !unpacker.into_inner().is_empty() {
        return Err(PackageError::Archive("there are more bytes after its end".to_owned()));
    }
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    // Raw: entries for long names and the like are refused instead of followed.
    for entry in Archive::new(&content[..]).entries().map_err(malformed)?.raw(true) {
        let mut entry = entry.map_err(malformed)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != EntryType::Regular {
            return Err(PackageError::Archive(format!("`{}` is not a file", shown(&name))));
        }
        check_name(&name)?;
        if files.len() == MOST_FILES {
            let message = format!("it has more than {MOST_FILES} files");
            return Err(PackageError::Archive(message));
        }
        if files.iter().any(|(known, _)| *known == name) {
            return Err(PackageError::Archive(format!("it has `{name}` twice")));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(malformed)?;
        files.push((name, bytes));
    }
    let same = tar(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))?;
    if same != content {
        let message = "it is not in the form that `harness package` writes".to_owned();
        return Err(PackageError::Archive(message));
    }
    Ok(files)
}

/// Whether a file may have this name: no absolute path, no `..`, nothing that a file system or a
/// terminal could take for something else.
pub(super) fn check_name(name: &str) -> Result<(), PackageError> {
    let plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-');
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && part.chars().all(plain)
    };
    match name.len() <= LONGEST_NAME && name.split('/').all(is_plain) {
        true => Ok(()),
        false => {
            Err(PackageError::Archive(format!("`{}` cannot be the name of a file", shown(name))))
        }
    }
}

/// A name in a message.
fn shown(name: &str) -> String {
    name.chars().take(LONGEST_NAME).flat_map(char::escape_default).collect()
}
