//! Packages in OCI registries.

use std::path::{Path, PathBuf};

use serde_json::json;
use workflow_node_host::chain;
use workflow_node_testing::package::registry::{Registry, RegistryError};

use super::args::{PullArgs, PushArgs, RegistryArgs};
use super::read;
use super::verify::contents;
use super::write::replace;
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::hosts::user_and_password;
use crate::output;

pub(super) async fn push(args: &PushArgs) -> Result<Exit, Failure> {
    let (archive, package) = read(&args.file)?;
    let stored = registry(&args.registry)?.push(&args.name, archive).await.map_err(failed)?;
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "name": stored.name,
            "digest": stored.digest,
            "package": contents(&package),
        }))?,
        Report::Text => output::stdout(&format!(
            "Stored as {}, which always means this package:\n\n  {}\n",
            args.name, stored.name
        ))?,
    }
    Ok(Exit::Success)
}

pub(super) async fn pull(args: PullArgs) -> Result<Exit, Failure> {
    let pulled = registry(&args.registry)?.pull(&args.name).await;
    let (archive, package, stored) = pulled.map_err(failed)?;
    let manifest = package.manifest();
    let name = format!("{}-{}.node.tar.gz", manifest.node, manifest.version);
    let out = args.out.unwrap_or_else(|| PathBuf::from(name));
    replace(Path::new(&out), &archive)?;
    let file = shell(&out.display().to_string());
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "file": out,
            "name": stored.name,
            "digest": stored.digest,
            "package": contents(&package),
        }))?,
        Report::Text => output::stdout(&format!(
            "Fetched {} to {file}: `{}`, version {}, signed with {}.\nTo see what is in it: harness verify \
             {file}\n",
            stored.name, manifest.node, manifest.version, manifest.key
        ))?,
    }
    Ok(Exit::Success)
}

fn registry(args: &RegistryArgs) -> Result<Registry, Failure> {
    let credentials = args.registry_credentials.as_deref();
    let credentials = credentials
        .map(|source| user_and_password("--registry-credentials", source))
        .transpose()?;
    let ca_pem = args.ca_file.as_ref().map(|file| {
        std::fs::read(file).map_err(|error| {
            let file = file.display();
            Failure::input("ca-file", format!("Cannot read CA file {file}: {error}"))
        })
    });
    Ok(Registry { credentials, ca_pem: ca_pem.transpose()?, plain_http: args.plain_http })
}

fn failed(error: RegistryError) -> Failure {
    let message = chain(&error);
    match error {
        RegistryError::Name(..) | RegistryError::Reference { .. } => {
            Failure::input("registry", message)
        }
        RegistryError::Certificates => Failure::input("ca-file", message),
        RegistryError::Other(..) | RegistryError::Package(_) => {
            Failure::new(Exit::Plugin, "package", message)
        }
        _ => Failure::new(Exit::Failed, "registry", message),
    }
}
