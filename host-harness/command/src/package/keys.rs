//! Keys of authors, in files that only their owner can read.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde_json::json;
use workflow_node_host::Secret;
use workflow_node_testing::package::AuthorKey;

use super::args::KeyCommand;
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::output;

/// Longest file that is read as a key, in bytes.
const LONGEST: u64 = 16 << 10;

pub(super) fn run(command: &KeyCommand) -> Result<Exit, Failure> {
    let (args, key) = match command {
        KeyCommand::New(args) => {
            let pem = AuthorKey::generate().map_err(Failure::internal)?;
            create(&args.file, &pem)?;
            (args, AuthorKey::from_pem(&pem).map_err(Failure::internal)?)
        }
        KeyCommand::Show(args) => (args, read(&args.file)?),
    };
    let is_new = matches!(command, KeyCommand::New(_));
    let public = key.public();
    match args.format {
        Report::Json => {
            output::stdout_report(&json!({ "file": args.file, "public_key": public }))?;
        }
        Report::Text if is_new => output::stdout(&format!(
            "Created {}. Keep it secret, and keep a copy: operators who have pinned the key of a node \
             accept no other.\nPublic key, for operators:\n\n  {public}\n",
            args.file.display()
        ))?,
        Report::Text => output::stdout(&format!("{public}\n"))?,
    }
    Ok(Exit::Success)
}

/// Writes a key to a new file.
fn create(path: &Path, pem: &Secret) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let name = shell(&path.display().to_string());
    let mut file = options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::input("key", format!("{name} exists already, and was not changed"))
                .next(format!("to show its public key: harness package key show {name}"))
        }
        _ => Failure::input("key", format!("Cannot create key {name}: {error}")),
    })?;
    let written = file.write_all(pem.expose().as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        Failure::input("key", format!("Cannot write key {name}: {error}"))
            .next(format!("rm {name}"))
    })
}

/// Reads a key.
pub(super) fn read(path: &Path) -> Result<AuthorKey, Failure> {
    let name = shell(&path.display().to_string());
    let failed =
        |message: String| Failure::input("key", format!("Cannot use key {name}: {message}"));
    let file = File::open(path).map_err(|error| {
        failed(error.to_string()).next(format!("to create a key: harness package key new {name}"))
    })?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().map_err(|error| failed(error.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(failed("other users of this machine can read it".to_owned())
                .next(format!("chmod 600 {name}")));
        }
    }
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map_err(|error| failed(error.to_string()))?;
    AuthorKey::from_pem(&text).map_err(|error| {
        failed(error.to_string()).next(format!("to create a key: harness package key new {name}"))
    })
}
