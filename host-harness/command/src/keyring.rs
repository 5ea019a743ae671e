//! The key of the credential store in the operating system's keyring: the macOS keychain, the
//! Windows credential store, or the Secret Service of a Linux desktop. Where there is none, that is
//! said; nothing is ever kept in clear instead.

use std::path::Path;

use workflow_node_host::Secret;
use workflow_node_host::store::StoreKey;

use crate::exit::{Exit, Failure};

/// Under which the keyring shows it.
#[cfg(feature = "keyring")]
const SERVICE: &str = "workflow-node credential store";

/// The keys that the keyring holds for a store: its own, and one that was to replace it when
/// something came between.
pub(crate) fn find(store: &Path) -> Result<Vec<StoreKey>, Failure> {
    let mut keys = Vec::new();
    for name in [name_of(store), next_name(store)] {
        if let Some(text) = read(&name)? {
            keys.push(StoreKey::from_text(text.expose())?);
        }
    }
    Ok(keys)
}

/// Makes a new random key for a store and keeps it in the keyring.
pub(crate) fn make(store: &Path) -> Result<StoreKey, Failure> {
    let key = StoreKey::generate()?;
    keep(store, &key)?;
    Ok(key)
}

/// Keeps a key that is to replace the present one, beside it: whatever happens before the store is
/// sealed with it, one of the two opens the store.
pub(crate) fn make_next(store: &Path) -> Result<StoreKey, Failure> {
    let key = StoreKey::generate()?;
    put(&next_name(store), &key)?;
    Ok(key)
}

/// Keeps a key for a store, in the place of the one that is there.
pub(crate) fn keep(store: &Path, key: &StoreKey) -> Result<(), Failure> {
    put(&name_of(store), key)
}

fn put(name: &str, key: &StoreKey) -> Result<(), Failure> {
    let Some(text) = key.to_text() else {
        return Err(Failure::internal("a passphrase is not stored in a keyring"));
    };
    write(name, &text)?;
    // Read back before anything is sealed with it.
    match read(name)? {
        Some(kept) if kept.expose() == text.expose() => Ok(()),
        _ => Err(failed("it does not return the value that was stored")),
    }
}

/// The store's path: several stores of one user have a key each.
fn name_of(store: &Path) -> String {
    std::path::absolute(store).unwrap_or_else(|_| store.to_owned()).display().to_string()
}

fn next_name(store: &Path) -> String {
    format!("{} (next)", name_of(store))
}

fn failed(problem: &str) -> Failure {
    Failure::new(
        Exit::Credential,
        "no-keyring",
        format!("Cannot use the operating system's keyring: {problem}"),
    )
    .next("use a key file instead: harness credential key-file ~/.config/workflow-node.key")
}

#[cfg(feature = "keyring")]
fn entry(name: &str) -> Result<keyring::Entry, Failure> {
    // On Linux the keyring is asked over D-Bus by a client that blocks.
    if let Err(error) = keyring::Entry::store_status() {
        return Err(failed(&error.to_string()));
    }
    keyring::Entry::new(SERVICE, name).map_err(|error| failed(&error.to_string()))
}

#[cfg(feature = "keyring")]
fn read(name: &str) -> Result<Option<Secret>, Failure> {
    on_its_own_thread(name, |name| match entry(name)?.get_password() {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(error) => Err(failed(&error.to_string())),
    })
}

#[cfg(feature = "keyring")]
fn write(name: &str, text: &Secret) -> Result<(), Failure> {
    on_its_own_thread(name, |name| {
        let entry = entry(name)?;
        entry.set_password(text.expose()).map_err(|error| failed(&error.to_string()))
    })
}

/// The client runs a separate executor, which must not be started within ours.
#[cfg(feature = "keyring")]
fn on_its_own_thread<T: Send>(
    name: &str,
    work: impl FnOnce(&str) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    std::thread::scope(|scope| scope.spawn(|| work(name)).join())
        .unwrap_or_else(|_| Err(failed("its client failed")))
}

#[cfg(not(feature = "keyring"))]
fn read(_name: &str) -> Result<Option<Secret>, Failure> {
    Err(failed("this build does not support keyrings"))
}

#[cfg(not(feature = "keyring"))]
fn write(_name: &str, _text: &Secret) -> Result<(), Failure> {
    Err(failed("this build does not support keyrings"))
}
