//! Seals data of tenants with XChaCha20-Poly1305, random nonces, and a key derived from the
//! credential store's key. Every seal is bound to its row, so that it cannot be moved to another
//! one.

use std::fmt;

use chacha20poly1305::aead::{AeadInPlace as _, KeyInit as _};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use workflow_node_host::journal::JournalKey;
use workflow_node_host::store::SqliteStore;
use zeroize::Zeroizing;

const NONCE: usize = 24;
const TAG: usize = 16;

/// The keys of stored data: results, journals, and pending connections.
#[derive(Clone)]
pub struct ServerKeys {
    sealing: Zeroizing<[u8; 32]>,
    journals: JournalKey,
}

impl fmt::Debug for ServerKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ServerKeys").finish_non_exhaustive()
    }
}

impl ServerKeys {
    /// The keys derived from a credential store. Data stored before [`SqliteStore::change_key`]
    /// cannot be opened after it.
    pub fn of(store: &SqliteStore) -> Self {
        Self { sealing: store.derived_key("harness serve"), journals: store.journal_key() }
    }

    pub(crate) fn journals(&self) -> JournalKey {
        self.journals.clone()
    }

    pub(crate) fn sealer(&self) -> Sealer {
        Sealer(XChaCha20Poly1305::new(Key::from_slice(&self.sealing[..])))
    }
}

/// Seals and opens.
#[derive(Clone)]
pub(crate) struct Sealer(XChaCha20Poly1305);

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sealer").finish_non_exhaustive()
    }
}

/// A seal that cannot be created or opened: another key, another binding, or other bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seal does not open with the key of the credential store")]
pub(crate) struct Broken;

/// The binding of a seal: each part with its length, so that different lists of parts never look
/// the same.
fn bound(parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

impl Sealer {
    /// `belongs`: the kind of content, and its row.
    pub(crate) fn seal(&self, belongs: &[&str], content: &[u8]) -> Result<Vec<u8>, Broken> {
        let nonce: [u8; NONCE] = rand::random();
        let mut sealed = Vec::with_capacity(NONCE + content.len() + TAG);
        sealed.extend(nonce);
        sealed.extend(content);
        let nonce = XNonce::from_slice(&nonce);
        let tag = self.0.encrypt_in_place_detached(nonce, &bound(belongs), &mut sealed[NONCE..]);
        sealed.extend(tag.map_err(|_| Broken)?);
        Ok(sealed)
    }

    pub(crate) fn open(
        &self,
        belongs: &[&str],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let content = sealed.len().checked_sub(NONCE + TAG).ok_or(Broken)?;
        let (nonce, rest) = sealed.split_at(NONCE);
        let (content, tag) = rest.split_at(content);
        let mut content = Zeroizing::new(content.to_vec());
        let nonce = XNonce::from_slice(nonce);
        self.0
            .decrypt_in_place_detached(nonce, &bound(belongs), &mut content, Tag::from_slice(tag))
            .map_err(|_| Broken)?;
        Ok(content)
    }
}

#[cfg(test)]
pub(crate) fn test_sealer() -> Sealer {
    Sealer(XChaCha20Poly1305::new(Key::from_slice(&[7; 32])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_only_with_its_binding() {
        let sealer = test_sealer();
        let sealed = sealer.seal(&["result", "acme", "run-1"], b"content").unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"content"));
        let open = |belongs: &[&str], sealed: &[u8]| sealer.open(belongs, sealed);
        let opened = open(&["result", "acme", "run-1"], &sealed).unwrap();
        assert_eq!(&opened[..], b"content");
        for other in [
            &["result", "acme", "run-2"][..],
            &["result", "acmerun-1", ""],
            &["other", "acme", "run-1"],
            &[],
        ] {
            assert_eq!(open(other, &sealed), Err(Broken), "{other:?}");
        }
        for length in 0..sealed.len() {
            assert_eq!(open(&["result", "acme", "run-1"], &sealed[..length]), Err(Broken));
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&["result", "acme", "run-1"], &changed), Err(Broken), "{at}");
        }
    }
}
