//! `harness package`: packages a component, and moves packages to and from registries.

mod args;
mod keys;
mod registry;
mod signer;
pub(crate) mod verify;
mod write;

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use workflow_node_host::chain;
use workflow_node_testing::package::{LARGEST_ARCHIVE, Package, PackageError};

pub(crate) use args::{PackageArgs, SignerArgs, VerifyArgs};
pub(crate) use signer::Signer;

use crate::exit::{Exit, Failure, shell};
use crate::setup::Setup;
use args::PackageCommand;

pub(crate) async fn run(setup: &Setup, args: PackageArgs) -> Result<Exit, Failure> {
    match args.command {
        None => write::run(setup, args.write).await,
        Some(PackageCommand::Key(command)) => keys::run(&command),
        Some(PackageCommand::Push(args)) => registry::push(&args).await,
        Some(PackageCommand::Pull(args)) => registry::pull(args).await,
    }
}

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

/// A file that must be a package.
fn read(path: &Path) -> Result<(Bytes, Package), Failure> {
    let file = shell(&path.display().to_string());
    read_if_archive(path)?.ok_or_else(|| {
        let message = format!("{file} is a component and not a package, so nobody has signed it");
        Failure::new(Exit::Plugin, "unsigned", message)
            .next(format!("as its author, package and sign it: harness package {file} --key FILE"))
    })
}

/// A package that is not as it was signed.
fn refused(path: &Path, error: &PackageError) -> Failure {
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
