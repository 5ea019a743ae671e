//! `harness credential key-file`, `rotate-key`, `export` and `import`: keys, and sealed files.

use std::io::Write as _;
use std::path::Path;

use serde_json::json;
use workflow_node_host::chain;
use workflow_node_host::store::{PassphraseCost, StoreKey};

use super::args::{ExportArgs, ImportArgs, RotateKeyArgs, SealArgs};
use super::secrets;
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::keyring;
use crate::output::{self, count};
use crate::prompt::{ask, can_ask};
use crate::setup::Setup;
use crate::store;

pub(super) fn key_file(file: &Path) -> Result<Exit, Failure> {
    make_key_file(file)?;
    let file = shell(&file.display().to_string());
    output::stdout(&format!(
        "Created a key in {file}. Only you can read it. Store a copy separately from the \
         credential store: without the key, the store cannot be opened.\nTo use it: export \
         WORKFLOW_NODE_KEY_FILE={file}\n"
    ))?;
    Ok(Exit::Success)
}

fn make_key_file(file: &Path) -> Result<StoreKey, Failure> {
    StoreKey::generate_key_file(file).map_err(|error| Failure::input("key-file", chain(&error)))
}

pub(super) fn rotate(setup: &Setup, args: &RotateKeyArgs) -> Result<Exit, Failure> {
    let store = store::open(setup)?;
    let new = &args.new_key;
    // The new key is safe somewhere before anything is sealed with it.
    let (key, place) = if let Some(file) = &new.to_key_file {
        let key = make_key_file(file)?;
        (key, format!("the key file {}", shell(&file.display().to_string())))
    } else if new.to_keyring {
        let key = keyring::make_next(store.path())?;
        (key, "the key in the operating system's keyring".to_owned())
    } else if can_ask() {
        let key = store::new_passphrase("the credential store")?;
        (key, "the new passphrase".to_owned())
    } else {
        let message = "Cannot prompt for a passphrase without a terminal";
        return Err(Failure::input("passphrase", message));
    };
    store.change_key(&key, PassphraseCost::default())?;
    if new.to_keyring {
        keyring::keep(store.path(), &key)?;
    }
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "rotated": store.path(),
            "opens_with": key.kind(),
            "key_file": new.to_key_file,
        }))?,
        Report::Text => output::stdout(&format!(
            "Everything was resealed. From now on, only {place} opens {}. Restart programs that \
             have it open. Existing backups still open with the old key.\n",
            shell(&store.path().display().to_string())
        ))?,
    }
    Ok(Exit::Success)
}

pub(super) fn export(setup: &Setup, args: &ExportArgs) -> Result<Exit, Failure> {
    let store = store::open(setup)?;
    for name in &args.names {
        store.head(setup.credential(name))?;
    }
    let key = seal_key(&args.seal, true)?;
    let sealed = store.export_tenant(
        &setup.principal.tenant,
        &args.names,
        &key,
        PassphraseCost::default(),
    )?;
    let file = shell(&args.to.display().to_string());
    let unwritable =
        |error: std::io::Error| Failure::input("output", format!("Cannot write {file}: {error}"));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut target = options.open(&args.to).map_err(unwritable)?;
    target
        .write_all(sealed.as_bytes())
        .and_then(|()| target.write_all(b"\n"))
        .and_then(|()| target.sync_all())
        .map_err(unwritable)?;
    let listed = store.list()?;
    let names: Vec<&str> = listed
        .iter()
        .filter(|one| one.tenant == setup.principal.tenant)
        .map(|one| one.name.as_str())
        .filter(|name| args.names.is_empty() || args.names.iter().any(|one| one == name))
        .collect();
    match args.format {
        Report::Json => {
            output::stdout_report(&json!({ "exported": names, "file": args.to }))?;
        }
        Report::Text => output::stdout(&format!(
            "Exported {} to {file}, sealed. On the other machine: harness credential import \
             {file}\n",
            count(names.len(), "credential")
        ))?,
    }
    Ok(Exit::Success)
}

pub(super) fn import(setup: &Setup, args: &ImportArgs) -> Result<Exit, Failure> {
    let file = args.file.display().to_string();
    let sealed = std::fs::read_to_string(&args.file)
        .map_err(|error| Failure::input("unreadable", format!("Cannot read {file}: {error}")))?;
    let key = seal_key(&args.seal, false)?;
    let store = store::open_or_make(setup)?;
    let report = store.import(&sealed, &key)?;
    match args.format {
        Report::Json => output::stdout_report(&report)?,
        Report::Text => {
            let mut text = format!("Stored {}", count(report.imported.len(), "credential"));
            if !report.imported.is_empty() {
                text.push_str(&format!(": {}", report.imported.join(", ")));
            }
            text.push_str(".\n");
            if !report.skipped.is_empty() {
                text.push_str(&format!(
                    "Skipped, because the name is already in use: {}\n",
                    report.skipped.join(", ")
                ));
            }
            if !report.rotating.is_empty() {
                text.push_str(&format!(
                    "Use these on one machine only from now on, because each refresh invalidates \
                     the token of the other machine: {}\n",
                    report.rotating.join(", ")
                ));
            }
            output::stdout(&text)?;
        }
    }
    Ok(Exit::Success)
}

/// Key that seals or opens a file.
fn seal_key(args: &SealArgs, is_new: bool) -> Result<StoreKey, Failure> {
    if let Some(file) = &args.seal_key_file {
        return Ok(StoreKey::from_key_file(file)?);
    }
    if let Some(path) = &args.passphrase_file {
        let place = path.display().to_string();
        let file = std::fs::File::open(path).map_err(|error| {
            Failure::input("unreadable", format!("Cannot read {place}: {error}"))
        })?;
        return Ok(StoreKey::Passphrase(secrets::from(file, &place)?));
    }
    if !can_ask() {
        let message = "Cannot prompt for the passphrase of the sealed file without a terminal";
        return Err(Failure::input("passphrase", message)
            .next("pass --passphrase-file FILE or --seal-key-file FILE"));
    }
    if is_new {
        return store::new_passphrase("the sealed file");
    }
    Ok(StoreKey::Passphrase(ask("Passphrase of the sealed file: ")?))
}
