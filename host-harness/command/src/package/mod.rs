//! `harness package`: packages a component, and moves packages to and from registries.

mod args;
mod keys;
mod registry;
mod signer;
pub(crate) mod verify;
mod write;

use std::path::Path;

use bytes::Bytes;
use workflow_node_testing::package::Package;

pub(crate) use args::{PackageArgs, SignerArgs, VerifyArgs};
pub(crate) use signer::Signer;

use crate::archive::read_if_archive;
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

/// A file that must be a package.
fn read(path: &Path) -> Result<(Bytes, Package), Failure> {
    let file = shell(&path.display().to_string());
    read_if_archive(path)?.ok_or_else(|| {
        let message = format!("{file} is a component and not a package, so nobody has signed it");
        Failure::new(Exit::Plugin, "unsigned", message)
            .next(format!("as its author, package and sign it: harness package {file} --key FILE"))
    })
}
