//! Reads packages from files.

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use workflow_node_host::chain;
use workflow_node_testing::package::{LARGEST_ARCHIVE, Package, PackageError};

use crate::exit::{Exit, Failure, shell};

/// Reads and verifies a package; `None` if the file is a component.
pub(crate) fn read_if_archive(path: &Path) -> Result<Option<(Bytes, Package)>, Failure> {
    let name = path.display();
    let unreadable = |error: std::io::Error| {
        Failure::input("unreadable", format!("Cannot read `{name}`: {error}"))
            .next("pass the path of a component (.wasm) or of a package")
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.by_ref().take(2).read_to_end(&mut bytes).map_err(unreadable)?;
    if !Package::is_archive(&bytes) {
        return Ok(None);
    }
    // Read at most the limit: a larger archive is rejected without reading all of it.
    file.take(LARGEST_ARCHIVE).read_to_end(&mut bytes).map_err(unreadable)?;
    let package = Package::read(&bytes).map_err(|error| refused(path, &error))?;
    Ok(Some((bytes.into(), package)))
}

/// A package that is not as it was signed.
pub(crate) fn refused(path: &Path, error: &PackageError) -> Failure {
    let file = shell(&path.display().to_string());
    let name = match error {
        PackageError::Unsigned => "unsigned",
        PackageError::Signature(_) | PackageError::Changed(_) | PackageError::Files(..) => {
            "changed"
        }
        _ => "package",
    };
    let next = match error {
        PackageError::Format(_) => "use the version of harness that wrote it, or a newer one",
        PackageError::Unsigned => "ask its author for a package that `harness package` has signed",
        _ => "get it again from its author",
    };
    Failure::new(Exit::Plugin, name, format!("{file} is refused: {}", chain(error))).next(next)
}
