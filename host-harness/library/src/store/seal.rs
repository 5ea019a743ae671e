//! The envelope: secrets are sealed with the store's data key, and the data key with the store's
//! key. XChaCha20-Poly1305 throughout, with random nonces, each seal bound to what it belongs to.
//! Knows neither SQL nor files.

use std::collections::BTreeMap;

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::StoreError;
use crate::secret::Secret;

const NONCE: usize = 24;
const TAG: usize = 16;

/// Purpose of a seal. A seal is bound to its purpose first, so that data sealed for one purpose
/// does not open for another, now or in a later format.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// The store's data key, under a key.
    DataKeyUnderKey,
    /// The store's data key, under a passphrase.
    DataKeyUnderPassphrase,
    /// A credential's secrets, as format 1 had them. Read when a store is brought up to date.
    SecretsOfFormat1,
    /// The head of a credential: the data of its name.
    Head,
    /// The same, as format 2 had it. Read when a store is brought up to date.
    HeadOfFormat2,
    /// A connection's secrets.
    Connection,
    /// The same, as format 2 had them.
    ConnectionOfFormat2,
    /// The state of a connection that its use changes.
    UseState,
    /// A workflow that has named a credential.
    Dependant,
    /// A trigger's subscription: its parameters, and what signs its deliveries.
    Subscription,
    /// The same, as format 2 had it.
    SubscriptionOfFormat2,
    /// An exported file.
    Export,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::DataKeyUnderKey => "workflow-node store: data key under a key, 1",
            Self::DataKeyUnderPassphrase => "workflow-node store: data key under a passphrase, 1",
            Self::SecretsOfFormat1 => "workflow-node store: secrets of a credential, 1",
            Self::Head => "workflow-node store: head of a credential, 3",
            Self::HeadOfFormat2 => "workflow-node store: head of a credential, 2",
            Self::Connection => "workflow-node store: connection of a credential, 3",
            Self::ConnectionOfFormat2 => "workflow-node store: connection of a credential, 2",
            Self::UseState => "workflow-node store: course of a connection, 2",
            Self::Dependant => "workflow-node store: dependant of a credential, 2",
            Self::Subscription => "workflow-node store: subscription of a trigger, 3",
            Self::SubscriptionOfFormat2 => "workflow-node store: subscription of a trigger, 2",
            Self::Export => "workflow-node export of credentials, 1",
        }
    }
}

/// Data that a seal is bound to. Each part is preceded by its length, so that no two lists of parts
/// have the same encoding.
pub(super) struct Binding(Vec<u8>);

impl Binding {
    pub(super) fn new(purpose: Purpose) -> Self {
        Self(Vec::with_capacity(512)).with(purpose.label().as_bytes())
    }

    pub(super) fn with(mut self, part: &[u8]) -> Self {
        self.0.extend((part.len() as u64).to_le_bytes());
        self.0.extend(part);
        self
    }

    pub(super) fn with_optional(self, part: Option<&[u8]>) -> Self {
        match part {
            None => self.with(&[0]),
            Some(part) => self.with(&[1]).with(part),
        }
    }
}

/// A seal that does not open: another key, another binding, or other bytes.
#[derive(Debug)]
pub(super) struct Broken;

/// 32 bytes that seal.
pub(super) struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    pub(super) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(super) fn generate() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(&mut bytes[..])?;
        Ok(Self(bytes))
    }

    /// Seals another key.
    pub(super) fn wrap(&self, key: &Self, binding: &Binding) -> Result<Vec<u8>, StoreError> {
        self.seal(Zeroizing::new(key.0.to_vec()), binding)
    }

    /// Opens what [`wrap`](Self::wrap) has sealed.
    pub(super) fn unwrap(&self, sealed: &[u8], binding: &Binding) -> Result<Self, Broken> {
        let opened = self.open(sealed, binding)?;
        let mut bytes = Zeroizing::new([0; 32]);
        if opened.len() != bytes.len() {
            return Err(Broken);
        }
        bytes.copy_from_slice(&opened);
        Ok(Self(bytes))
    }

    /// Seals secrets by name.
    pub(super) fn seal_secrets(
        &self,
        secrets: &BTreeMap<String, Secret>,
        binding: &Binding,
    ) -> Result<Vec<u8>, StoreError> {
        let exposed: BTreeMap<&str, &str> =
            secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose())).collect();
        // JSON makes at most six bytes of one. With room for all, nothing is left behind in memory
        // by a buffer that grows.
        let room: usize =
            exposed.iter().map(|(name, secret)| 6 * (name.len() + secret.len()) + 6).sum();
        let mut json = Zeroizing::new(Vec::with_capacity(room + 2));
        serde_json::to_writer(&mut *json, &exposed).map_err(StoreError::unwritable)?;
        self.seal(json, binding)
    }

    /// Opens what [`seal_secrets`](Self::seal_secrets) has sealed.
    pub(super) fn open_secrets(
        &self,
        sealed: &[u8],
        binding: &Binding,
    ) -> Result<BTreeMap<String, Secret>, Broken> {
        let json = self.open(sealed, binding)?;
        let secrets: BTreeMap<String, String> =
            serde_json::from_slice(&json).map_err(|_| Broken)?;
        Ok(secrets.into_iter().map(|(name, secret)| (name, Secret::new(secret))).collect())
    }

    /// A seal without content, which proves that the data it is bound to was not changed.
    pub(super) fn seal_nothing(&self, binding: &Binding) -> Result<Vec<u8>, StoreError> {
        self.seal(Zeroizing::new(Vec::new()), binding)
    }

    /// Checks what [`seal_nothing`](Self::seal_nothing) has made.
    pub(super) fn check_nothing(&self, seal: &[u8], binding: &Binding) -> Result<(), Broken> {
        if self.open(seal, binding)?.is_empty() { Ok(()) } else { Err(Broken) }
    }

    /// Nonce, ciphertext, tag.
    pub(super) fn seal(
        &self,
        mut content: Zeroizing<Vec<u8>>,
        binding: &Binding,
    ) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE];
        fill_random(&mut nonce)?;
        let tag = self
            .cipher()
            .encrypt_in_place_detached(XNonce::from_slice(&nonce), &binding.0, &mut content)
            .map_err(|_| StoreError::unwritable("it cannot be sealed"))?;
        Ok([&nonce[..], &content[..], &tag[..]].concat())
    }

    /// Opens what [`seal`](Self::seal) has made.
    pub(super) fn open(
        &self,
        sealed: &[u8],
        binding: &Binding,
    ) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let (nonce, rest) = sealed.split_at_checked(NONCE).ok_or(Broken)?;
        let length = rest.len().checked_sub(TAG).ok_or(Broken)?;
        let (content, tag) = rest.split_at(length);
        let mut content = Zeroizing::new(content.to_vec());
        self.cipher()
            .decrypt_in_place_detached(
                XNonce::from_slice(nonce),
                &binding.0,
                &mut content,
                Tag::from_slice(tag),
            )
            .map_err(|_| Broken)?;
        Ok(content)
    }

    /// A key for another purpose, which does not reveal this one.
    pub(super) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&self.0[..]);
        let mut mac = mac.expect("any length will do");
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(&self.0[..]))
    }
}

/// Random bytes from the system.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), StoreError> {
    SysRng.try_fill_bytes(bytes).map_err(|error| StoreError::Random(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> BTreeMap<String, Secret> {
        let awkward = "a \"quoted\" \\ back\u{1}\u{1f600} secret";
        [("token", "t0ken-value"), ("other", awkward), ("empty", "")]
            .map(|(name, secret)| (name.to_owned(), Secret::new(secret)))
            .into()
    }

    fn binding(parts: &[&str]) -> Binding {
        let all = Binding::new(Purpose::Connection);
        parts.iter().fold(all, |binding, part| binding.with(part.as_bytes()))
    }

    #[test]
    fn sealed_secrets_open_again() {
        let key = SealingKey::generate().unwrap();
        let sealed = key.seal_secrets(&secrets(), &binding(&["a"])).unwrap();
        let opened = key.open_secrets(&sealed, &binding(&["a"])).unwrap();
        assert_eq!(opened.len(), 3);
        for (name, secret) in secrets() {
            assert_eq!(opened[&name].expose(), secret.expose());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_of_a_seal_is_noticed() {
        let key = SealingKey::generate().unwrap();
        let sealed = key.seal_secrets(&secrets(), &binding(&["a"])).unwrap();
        for index in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[index] ^= 1 << bit;
                assert!(key.open_secrets(&changed, &binding(&["a"])).is_err(), "byte {index}");
            }
            assert!(key.open_secrets(&sealed[..index], &binding(&["a"])).is_err());
        }
    }

    #[test]
    fn a_seal_opens_for_nothing_but_what_it_is_bound_to() {
        let key = SealingKey::generate().unwrap();
        let sealed = key.seal_secrets(&secrets(), &binding(&["ab", "c"])).unwrap();
        for other in [&["a", "bc"][..], &["abc"], &["ab", "c", ""], &["ab"], &[]] {
            assert!(key.open_secrets(&sealed, &binding(other)).is_err(), "{other:?}");
        }
        let other = SealingKey::generate().unwrap();
        assert!(other.open_secrets(&sealed, &binding(&["ab", "c"])).is_err());
        assert!(key.unwrap(&sealed, &binding(&["ab", "c"])).is_err());
    }

    #[test]
    fn the_same_secrets_never_look_the_same_sealed() {
        let key = SealingKey::generate().unwrap();
        let seal = || key.seal_secrets(&secrets(), &binding(&["a"])).unwrap();
        assert_ne!(seal()[..NONCE], seal()[..NONCE]);
        assert_ne!(seal()[NONCE..], seal()[NONCE..]);
    }
}
