//! Keys that open a store: a random key, or a passphrase that a key is derived from.

use std::fmt;
use std::io::{Read, Write};
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use zeroize::Zeroizing;

use super::error::StoreError;
use super::{file, seal};
use crate::secret::Secret;

/// Opens a store.
///
/// The key encrypts nothing but the store's own random data key. Keep it away from the store: who
/// has both files has every secret.
#[derive(Clone)]
pub enum StoreKey {
    /// 32 random bytes.
    Key(Zeroizing<[u8; 32]>),
    /// Passphrase that a person types. A key is derived from it by Argon2id at a
    /// [`PassphraseCost`].
    Passphrase(Secret),
}

/// Which kind of key opens a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// 32 random bytes.
    Key,
    /// Passphrase that a person types.
    Passphrase,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key => "key",
            Self::Passphrase => "passphrase",
        })
    }
}

/// Cost of deriving a key from a passphrase, and so of guessing one. Chosen when a store is
/// created, and stored in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassphraseCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Default for PassphraseCost {
    /// 64 MiB and 3 passes: the second recommendation of RFC 9106 section 4, with one lane because
    /// lanes are computed one after the other here.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, iterations: 3, parallelism: 1 }
    }
}

impl PassphraseCost {
    /// The least that Argon2id takes. Makes tests fast and protects nothing.
    pub const fn for_tests() -> Self {
        Self { memory_kib: 8, iterations: 1, parallelism: 1 }
    }

    /// A store's header is foreign data until it is unsealed: it must not make us take all memory
    /// or time. 4 GiB and 64 passes are far above what anyone chooses.
    pub(super) fn is_sane(&self) -> bool {
        self.memory_kib <= 4 << 20
            && self.iterations <= 64
            && self.parallelism <= 64
            && self.parameters().is_some()
    }

    fn parameters(&self) -> Option<Params> {
        Params::new(self.memory_kib, self.iterations, self.parallelism, Some(32)).ok()
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(_) => formatter.write_str("Key([secret])"),
            Self::Passphrase(_) => formatter.write_str("Passphrase([secret])"),
        }
    }
}

const PADDED_OR_NOT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDED_OR_NOT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDED_OR_NOT);

/// No key file is longer; a larger file is a mistake and is not read further.
const LONGEST_KEY_FILE: u64 = 1024;

impl StoreKey {
    /// A new random key.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, StoreError> {
        random_key().map(Self::Key)
    }

    /// A key from a text, such as an environment variable's value: 64 hexadecimal digits, or 32
    /// bytes in base64 (either alphabet, padded or not). White space around it is ignored.
    ///
    /// # Errors
    ///
    /// When the text is neither. The error does not quote it.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        Self::read_text(text, || "the text".to_owned())
    }

    /// Reads a key from a file in the format of [`from_text`](Self::from_text).
    ///
    /// # Errors
    ///
    /// When the file cannot be read, holds no key, or (on Unix) can be read by others than its
    /// owner. The error names the file and never quotes its content.
    pub fn from_key_file(path: &Path) -> Result<Self, StoreError> {
        let read_error = |source| StoreError::io("read the key file", path, source);
        let file = std::fs::File::open(path).map_err(read_error)?;
        file::refuse_exposed(path, &file.metadata().map_err(read_error)?)?;
        let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_KEY_FILE as usize));
        file.take(LONGEST_KEY_FILE).read_to_end(&mut text).map_err(read_error)?;
        let origin = || format!("the key file {}", path.display());
        let text =
            std::str::from_utf8(&text).map_err(|_| StoreError::NoKey { origin: origin() })?;
        Self::read_text(text, origin)
    }

    /// Creates a new random key and a file that holds it, readable only by its owner. Missing
    /// directories are created. An existing file is left unchanged.
    ///
    /// # Errors
    ///
    /// When the file is there already or cannot be written.
    pub fn generate_key_file(path: &Path) -> Result<Self, StoreError> {
        let key = random_key()?;
        let mut text = hexadecimal_text(&key);
        text.push('\n');
        file::create_parent(path)?;
        let write_error = |source| StoreError::io("write the key file", path, source);
        let mut file = file::create_private(path)
            .map_err(|source| StoreError::io("create the key file", path, source))?;
        if let Err(source) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
            drop(file);
            // Half a key file is of no use; the first error is the one to tell.
            std::fs::remove_file(path).ok();
            return Err(write_error(source));
        }
        Ok(Self::Key(key))
    }

    /// The key as [`from_text`](Self::from_text) takes it, e.g. for a keyring; `None` for a
    /// passphrase.
    pub fn to_text(&self) -> Option<Secret> {
        match self {
            Self::Key(key) => Some(Secret::new(hexadecimal_text(key).as_str())),
            Self::Passphrase(_) => None,
        }
    }

    /// Which kind it is.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Key(_) => KeyKind::Key,
            Self::Passphrase(_) => KeyKind::Passphrase,
        }
    }

    fn read_text(text: &str, origin: impl Fn() -> String) -> Result<Self, StoreError> {
        let text = text.trim().as_bytes();
        let mut key = Zeroizing::new([0; 32]);
        let found = if text.len() == 64 {
            hexadecimal(text, &mut key)
        } else {
            let url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
            base64_text(if url_safe { &URL_SAFE } else { &STANDARD }, text, &mut key)
        };
        match found {
            Some(()) => Ok(Self::Key(key)),
            None => Err(StoreError::NoKey { origin: origin() }),
        }
    }
}

fn hexadecimal_text(key: &[u8; 32]) -> Zeroizing<String> {
    // With room for a line's end, so that no copy is left behind.
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in key {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    text
}

fn random_key() -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let mut key = Zeroizing::new([0; 32]);
    seal::fill_random(&mut key[..])?;
    Ok(key)
}

fn hexadecimal(text: &[u8], key: &mut [u8; 32]) -> Option<()> {
    for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(())
}

fn base64_text(engine: &GeneralPurpose, text: &[u8], key: &mut [u8; 32]) -> Option<()> {
    let mut decoded = Zeroizing::new([0; 48]);
    let length = engine.decode_slice(text, &mut decoded[..]).ok()?;
    key.copy_from_slice(decoded.get(..length).filter(|bytes| bytes.len() == 32)?);
    Some(())
}

/// The key that a passphrase stands for.
pub(super) fn derive(
    passphrase: &Secret,
    salt: &[u8],
    cost: PassphraseCost,
) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let PassphraseCost { memory_kib, iterations, parallelism } = cost;
    let refused = || StoreError::PassphraseCost { memory_kib, iterations, parallelism };
    let parameters = cost.parameters().ok_or_else(refused)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(passphrase.expose().as_bytes(), salt, &mut key[..])
        .map_err(|_| refused())?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(key: StoreKey) -> [u8; 32] {
        match key {
            StoreKey::Key(key) => *key,
            StoreKey::Passphrase(_) => panic!("a passphrase"),
        }
    }

    #[test]
    fn a_key_reads_the_same_in_every_way_it_may_be_written() {
        let key: [u8; 32] = std::array::from_fn(|index| 255 - index as u8);
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let padded = STANDARD.encode(key);
        let url_safe = URL_SAFE.encode(key);
        assert_ne!(padded, url_safe);
        let unpadded = padded.trim_end_matches('=').to_owned();
        for text in [hex.to_uppercase(), format!(" {hex}\r\n"), hex, padded, url_safe, unpadded] {
            assert_eq!(bytes(StoreKey::from_text(&text).unwrap()), key, "{text}");
        }
    }

    #[test]
    fn an_invalid_key_is_refused_and_not_quoted() {
        let long = "ab".repeat(4000);
        for text in ["", "correct horse", &"g".repeat(64), &"a".repeat(63), &"A".repeat(42), &long]
        {
            let error = StoreKey::from_text(text).unwrap_err();
            assert!(matches!(error, StoreError::NoKey { .. }), "{text}: {error}");
            assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn a_key_does_not_show_when_printed() {
        let key = StoreKey::from_text(&"41".repeat(32)).unwrap();
        assert_eq!(format!("{key:?}"), "Key([secret])");
        let passphrase = StoreKey::Passphrase(Secret::new("correct horse"));
        assert_eq!(format!("{passphrase:?}"), "Passphrase([secret])");
    }

    #[test]
    fn the_default_cost_is_at_least_64_mebibytes_and_3_passes() {
        let cost = PassphraseCost::default();
        assert!(cost.memory_kib >= 64 * 1024 && cost.iterations >= 3 && cost.is_sane());
    }
}
