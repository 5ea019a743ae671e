//! Opens the credential store: which key, and where it comes from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use workflow_node_host::credential::SecretReference;
use workflow_node_host::store::{KeyKind, LazyStore, SqliteStore, StoreKey};
use workflow_node_host::trigger::{MemoryTriggers, TriggerStore};
use workflow_node_host::{ReferenceLimits, chain};

use crate::exit::{Exit, Failure};
use crate::keyring;
use crate::prompt::{ask, can_ask};
use crate::setup::Setup;

/// Stores subscriptions with the credentials, or in memory if the store does not exist yet and
/// nothing has to outlive the command.
pub(crate) fn subscriptions(setup: &Setup, late: &LateStore) -> Arc<dyn TriggerStore> {
    match late.get().is_ok() || path(setup).exists() {
        true => late.shared(),
        false => Arc::new(MemoryTriggers::default()),
    }
}

/// How often a passphrase may be mistyped.
const ATTEMPTS: u32 = 3;

/// Where the store is.
pub(crate) fn path(setup: &Setup) -> PathBuf {
    setup.data.join("credentials.db")
}

/// Opens the store that is there.
pub(crate) fn open(setup: &Setup) -> Result<SqliteStore, Failure> {
    let path = path(setup);
    if SqliteStore::key_kind(&path)?.is_none() {
        let message = format!("Credential store {} does not exist yet", path.display());
        return Err(Failure::new(Exit::Credential, "credential", message)
            .next("harness credential connect NAME --plugin PLUGIN --type TYPE"));
    }
    open_or_make(setup)
}

/// Opens the store, or makes it.
pub(crate) fn open_or_make(setup: &Setup) -> Result<SqliteStore, Failure> {
    let path = path(setup);
    let kind = SqliteStore::key_kind(&path)?;
    if let Some(file) = &setup.key_file {
        let key = StoreKey::from_key_file(file).map_err(|error| {
            let mut failure = Failure::from(error);
            if !file.exists() {
                let file = crate::exit::shell(&file.display().to_string());
                failure.next = Some(format!("harness credential key-file {file}"));
            }
            failure
        })?;
        return Ok(SqliteStore::open(&path, key)?);
    }
    if let Some(reference) = &setup.key_reference {
        return Ok(SqliteStore::open(&path, referred(reference)?)?);
    }
    if let Some(key) = std::env::var("WORKFLOW_NODE_KEY").ok().filter(|key| !key.is_empty()) {
        let key = StoreKey::from_text(&key).map_err(|error| {
            let message = error.to_string().replace("the text", "WORKFLOW_NODE_KEY");
            Failure::new(Exit::Credential, "credential", message)
        })?;
        return Ok(SqliteStore::open(&path, key)?);
    }
    if setup.keyring && kind.is_none() {
        // First into the keyring: a store whose key is nowhere would be lost.
        let key = keyring::make(&path)?;
        return Ok(SqliteStore::open(&path, key)?);
    }
    if setup.keyring || kind == Some(KeyKind::Key) {
        return match keyring::find(&path) {
            Ok(keys) if !keys.is_empty() => with_one_of(&path, keys),
            Err(failure) if setup.keyring => Err(failure),
            Ok(_) | Err(_) => Err(no_key(kind)),
        };
    }
    if !can_ask() {
        return Err(no_key(kind));
    }
    with_passphrase(&path, kind.is_none())
}

/// The key behind a reference. No message contains what was read.
fn referred(reference: &SecretReference) -> Result<StoreKey, Failure> {
    let failed = |message: String| Failure::new(Exit::Credential, "no-key", message);
    if let SecretReference::File(file) = reference {
        return Ok(StoreKey::from_key_file(file)?);
    }
    let read = reference
        .read(&ReferenceLimits::default())
        .map_err(|error| failed(format!("Cannot open the credential store: {}", chain(&error))))?;
    StoreKey::from_text(read.expose()).map_err(|error| {
        failed(error.to_string().replace("the text", "what --key-reference names"))
    })
}

/// Two keys where a change of the key was interrupted.
fn with_one_of(path: &Path, keys: Vec<StoreKey>) -> Result<SqliteStore, Failure> {
    let mut last = None;
    for key in keys {
        match SqliteStore::open(path, key) {
            Err(error) if error.is_wrong_key() => last = Some(error),
            result => return Ok(result?),
        }
    }
    Err(last.map_or_else(|| no_key(Some(KeyKind::Key)), Failure::from))
}

fn no_key(kind: Option<KeyKind>) -> Failure {
    let message = match kind {
        Some(KeyKind::Key) => {
            "Cannot open the credential store without its key, and the operating system's keyring \
             has no key for it. Name the key file with --key-file FILE or WORKFLOW_NODE_KEY_FILE, \
             set the key itself in WORKFLOW_NODE_KEY, or say where it is kept with --key-reference"
        }
        Some(KeyKind::Passphrase) => {
            "Cannot prompt for the passphrase of the credential store without a terminal. Run this \
             command in a terminal, or create a new store with a key file"
        }
        None => {
            "The credential store needs a key. Name a key file with --key-file FILE or \
             WORKFLOW_NODE_KEY_FILE, set the key itself in WORKFLOW_NODE_KEY, store one in the \
             operating system's keyring with --keyring, or run this command in a terminal to \
             choose a passphrase"
        }
    };
    let failure = Failure::new(Exit::Credential, "no-key", message);
    match kind {
        Some(KeyKind::Key) => failure,
        _ => failure.next(
            "harness credential key-file ~/.config/workflow-node.key && export \
             WORKFLOW_NODE_KEY_FILE=~/.config/workflow-node.key",
        ),
    }
}

fn with_passphrase(path: &Path, is_new: bool) -> Result<SqliteStore, Failure> {
    if is_new {
        let passphrase = new_passphrase("the new credential store")?;
        return Ok(SqliteStore::open(path, passphrase)?);
    }
    let mut attempt = 1;
    loop {
        let passphrase = ask("Passphrase of the credential store: ")?;
        match SqliteStore::open(path, StoreKey::Passphrase(passphrase)) {
            Err(error) if error.is_wrong_key() && attempt < ATTEMPTS => {
                crate::output::stderr("The passphrase is wrong.\n");
                attempt += 1;
            }
            result => return Ok(result?),
        }
    }
}

/// Asks for a passphrase twice.
pub(crate) fn new_passphrase(what: &str) -> Result<StoreKey, Failure> {
    let first = ask(&format!("Passphrase for {what}: "))?;
    let second = ask("Repeat the passphrase: ")?;
    if first.expose() != second.expose() {
        return Err(Failure::input("passphrase", "The passphrases do not match"));
    }
    Ok(StoreKey::Passphrase(first))
}

/// A store that is opened only once it is known that it is needed: everything else is checked
/// before anybody is asked for a passphrase.
#[derive(Default)]
pub(crate) struct LateStore(LazyStore);

impl LateStore {
    /// The store as the host uses it.
    pub(crate) fn shared(&self) -> Arc<LazyStore> {
        Arc::new(self.0.clone())
    }

    /// Opens it. Done at most once.
    pub(crate) fn open(&self, setup: &Setup) -> Result<&SqliteStore, Failure> {
        self.0.open_with(|| open(setup))
    }

    /// Opens it, or makes it. Done at most once.
    pub(crate) fn open_or_make(&self, setup: &Setup) -> Result<&SqliteStore, Failure> {
        self.0.open_with(|| open_or_make(setup))
    }

    /// The store that was opened.
    pub(crate) fn get(&self) -> Result<&SqliteStore, Failure> {
        self.0.opened().ok_or_else(|| Failure::internal("The credential store was not opened"))
    }
}
