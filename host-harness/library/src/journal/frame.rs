//! The file format: a header, then sealed records, each with its length, a checksum, and its number.
//!
//! | part | bytes |
//! | --- | --- |
//! | header: magic with the format's number | 8 |
//! | name of the journal | 32 |
//! | random ID | 16 |
//! | nonce, and the journal's own key, sealed with the key of all journals | 24 + 48 |
//! | CRC-32 of the above | 4 |
//! | record: length of the sealed content | 4 |
//! | CRC-32 of everything that follows in the record | 4 |
//! | number, counted from 0 | 8 |
//! | nonce, and the sealed content | 24 + length |
//!
//! Numbers are little-endian. Seals are XChaCha20-Poly1305. The seal of a record is bound to the
//! journal's ID and to the record's number, so that no record can be moved.

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use super::error::JournalError;
use super::name::JournalName;
use super::record::Record;

const MAGIC: &[u8; 8] = b"WFJRNL\0\x01";
const NONCE: usize = 24;
const TAG: usize = 16;
const KEY: usize = 32;
const ID: usize = 16;
const NAME: usize = 32;
/// Bytes of the header.
pub(super) const HEADER: usize = 8 + NAME + ID + NONCE + KEY + TAG + 4;
/// Bytes of a record before its sealed content.
const PREFIX: usize = 4 + 4 + 8 + NONCE;
/// Bytes of a record beside its content.
pub(super) const OVERHEAD: usize = PREFIX + TAG;
/// No record is numbered so far beyond its neighbor.
const FARTHEST: u64 = 1 << 32;

const KEY_LABEL: &[u8] = b"workflow-node journal: key of a journal, 1";
const RECORD_LABEL: &[u8] = b"workflow-node journal: record, 1";

/// The key that seals the keys of journals: 32 random bytes. Anyone with it and a journal can read
/// everything in it, including the secrets behind handles.
#[derive(Clone)]
pub struct JournalKey(Zeroizing<[u8; KEY]>);

impl std::fmt::Debug for JournalKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JournalKey([secret])")
    }
}

impl JournalKey {
    /// Takes 32 random bytes over.
    pub fn new(bytes: [u8; KEY]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Whether two keys are the same.
    pub fn is_same(&self, other: &Self) -> bool {
        let differs =
            self.0.iter().zip(other.0.iter()).fold(0, |all, (one, two)| all | (one ^ two));
        differs == 0
    }

    /// A new random key.
    ///
    /// # Errors
    ///
    /// If the system returns no random bytes.
    pub fn generate() -> Result<Self, JournalError> {
        let mut bytes = Zeroizing::new([0; KEY]);
        fill_random(&mut bytes[..])?;
        Ok(Self(bytes))
    }
}

fn fill_random(bytes: &mut [u8]) -> Result<(), JournalError> {
    SysRng.try_fill_bytes(bytes).map_err(|error| JournalError::Io(std::io::Error::other(error)))
}

fn cipher(key: &[u8; KEY]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(Key::from_slice(key))
}

/// Seals the records of one journal, from some number on.
pub(super) struct Sealer {
    cipher: XChaCha20Poly1305,
    id: [u8; ID],
    number: u64,
    /// Another each time that a journal is opened: numbers repeat after its end was cut off, and a
    /// nonce must not.
    nonce: [u8; NONCE - 8],
}

impl Sealer {
    fn new(key: &Zeroizing<[u8; KEY]>, id: [u8; ID], number: u64) -> Result<Self, JournalError> {
        let mut nonce = [0; NONCE - 8];
        fill_random(&mut nonce)?;
        Ok(Self { cipher: cipher(key), id, number, nonce })
    }

    /// A new journal, and its header.
    pub(super) fn create(
        name: &JournalName,
        key: &JournalKey,
    ) -> Result<(Self, Vec<u8>), JournalError> {
        let mut own = Zeroizing::new([0; KEY]);
        let (mut id, mut nonce) = ([0; ID], [0; NONCE]);
        fill_random(&mut own[..])?;
        fill_random(&mut id)?;
        fill_random(&mut nonce)?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(name.bytes());
        header.extend_from_slice(&id);
        let mut sealed = Zeroizing::new(own.to_vec());
        let binding = [KEY_LABEL, &header[..]].concat();
        let tag = cipher(&key.0)
            .encrypt_in_place_detached(XNonce::from_slice(&nonce), &binding, &mut sealed)
            .map_err(|_| JournalError::Io(std::io::Error::other("the key cannot be sealed")))?;
        header.extend_from_slice(&nonce);
        header.extend_from_slice(&sealed);
        header.extend_from_slice(&tag);
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        Ok((Self::new(&own, id, 0)?, header))
    }

    /// Appends a record to a buffer. Returns how many bytes it takes.
    pub(super) fn seal(
        &mut self,
        record: Record,
        buffer: &mut Vec<u8>,
    ) -> Result<usize, JournalError> {
        let broken = |what: &str| JournalError::Io(std::io::Error::other(what.to_owned()));
        let mut content =
            record.encode().map_err(|error| JournalError::Io(std::io::Error::other(error)))?;
        let length = u32::try_from(content.len() + TAG).map_err(|_| broken("too large"))?;
        let mut nonce = [0; NONCE];
        nonce[..NONCE - 8].copy_from_slice(&self.nonce);
        nonce[NONCE - 8..].copy_from_slice(&self.number.to_le_bytes());
        let binding = binding(&self.id, self.number);
        let tag = self
            .cipher
            .encrypt_in_place_detached(XNonce::from_slice(&nonce), &binding, &mut content)
            .map_err(|_| broken("a record cannot be sealed"))?;
        let start = buffer.len();
        buffer.reserve(PREFIX + content.len() + TAG);
        buffer.extend_from_slice(&length.to_le_bytes());
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&self.number.to_le_bytes());
        buffer.extend_from_slice(&nonce);
        buffer.extend_from_slice(&content);
        buffer.extend_from_slice(&tag);
        let checksum = crc32fast::hash(&buffer[start + 8..]).to_le_bytes();
        buffer[start + 4..start + 8].copy_from_slice(&checksum);
        self.number += 1;
        Ok(buffer.len() - start)
    }
}

fn binding(id: &[u8; ID], number: u64) -> Vec<u8> {
    [RECORD_LABEL, id, &number.to_le_bytes()].concat()
}

/// Contents of a journal.
pub(super) struct Contents {
    pub(super) name: JournalName,
    pub(super) records: Vec<Record>,
    /// Bytes up to the end of the last whole record.
    pub(super) length: u64,
    /// Seals what follows them.
    pub(super) sealer: Sealer,
}

/// Reads a journal up to its last whole record. What follows is torn: it was being written when the
/// host ended, so nothing that it announces has happened.
///
/// # Errors
///
/// If the bytes are not a journal, another key sealed it, or it was changed: a record in the middle is
/// damaged although one that was written after it, durably, is not.
pub(super) fn read(bytes: &[u8], key: &JournalKey) -> Result<Contents, JournalError> {
    if !MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
        let known = bytes.starts_with(&MAGIC[..MAGIC.len() - 1]);
        return Err(if known {
            JournalError::Version(bytes[MAGIC.len() - 1])
        } else {
            JournalError::NotAJournal
        });
    }
    let Some((header, _)) = bytes.split_at_checked(HEADER) else {
        return Err(JournalError::NotBegun);
    };
    let (rest, checksum) = header.split_at(HEADER - 4);
    if crc32fast::hash(rest).to_le_bytes() != checksum {
        return Err(JournalError::Damaged(0));
    }
    let (bound, sealed) = rest.split_at(8 + NAME + ID);
    let name = JournalName::from_bytes(array(&bound[8..8 + NAME]));
    let id: [u8; ID] = array(&bound[8 + NAME..]);
    let (nonce, sealed) = sealed.split_at(NONCE);
    let mut own = Zeroizing::new(array::<KEY>(&sealed[..KEY]));
    let binding = [KEY_LABEL, bound].concat();
    cipher(&key.0)
        .decrypt_in_place_detached(
            XNonce::from_slice(nonce),
            &binding,
            &mut own[..],
            Tag::from_slice(&sealed[KEY..]),
        )
        .map_err(|_| JournalError::Key)?;
    let mut sealer = Sealer::new(&own, id, 0)?;
    let (mut records, mut at) = (Vec::new(), HEADER);
    while let Some((content, end)) = frame(bytes, at, sealer.number..sealer.number + 1) {
        records
            .push(open(&sealer, sealer.number, content).ok_or(JournalError::Damaged(at as u64))?);
        sealer.number += 1;
        at = end;
    }
    if damaged(bytes, at, &sealer) {
        return Err(JournalError::Damaged(at as u64));
    }
    Ok(Contents { name, records, length: at as u64, sealer })
}

/// A nonce with what it seals, and where that ends, if a whole record with one of these numbers is at
/// this place.
fn frame(bytes: &[u8], at: usize, numbers: std::ops::Range<u64>) -> Option<(&[u8], usize)> {
    let prefix = bytes.get(at..at.checked_add(PREFIX)?)?;
    let number = u64::from_le_bytes(array(&prefix[8..16]));
    let length = u32::from_le_bytes(array(&prefix[..4])) as usize;
    let end = (at + PREFIX).checked_add(length)?;
    if !numbers.contains(&number) || length < TAG || end > bytes.len() {
        return None;
    }
    let checked = crc32fast::hash(&bytes[at + 8..end]).to_le_bytes() == prefix[4..8];
    checked.then(|| (&bytes[at + 16..end], end))
}

fn open(sealer: &Sealer, number: u64, content: &[u8]) -> Option<Record> {
    let (nonce, sealed) = content.split_at_checked(NONCE)?;
    let (sealed, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
    let mut opened = Zeroizing::new(sealed.to_vec());
    let binding = binding(&sealer.id, number);
    sealer
        .cipher
        .decrypt_in_place_detached(
            XNonce::from_slice(nonce),
            &binding,
            &mut opened,
            Tag::from_slice(tag),
        )
        .ok()?;
    Record::decode(&opened).ok()
}

/// Whether an intent, which is written durably with all before it, follows the first record that is
/// not whole. Then that one was whole once: it is not the torn end of a journal.
fn damaged(bytes: &[u8], from: usize, sealer: &Sealer) -> bool {
    let mut at = from;
    while at + PREFIX < bytes.len() {
        let numbers = sealer.number..sealer.number.saturating_add(FARTHEST);
        match frame(bytes, at, numbers) {
            Some((content, end)) => {
                let number = u64::from_le_bytes(array(&bytes[at + 8..at + 16]));
                if let Some(Record::Intent { repeatable: false, .. }) =
                    open(sealer, number, content)
                {
                    return true;
                }
                at = end;
            }
            None => at += 1,
        }
    }
    false
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name() -> JournalName {
        JournalName::of(&"default".into(), "execution")
    }

    /// A journal with these records, and where each begins.
    fn journal(records: &[Record], key: &JournalKey) -> (Vec<u8>, Vec<usize>) {
        let (mut sealer, mut bytes) = Sealer::create(&name(), key).unwrap();
        let mut starts = Vec::new();
        for record in records {
            starts.push(bytes.len());
            sealer.seal(record.clone(), &mut bytes).unwrap();
        }
        (bytes, starts)
    }

    fn records() -> Vec<Record> {
        let seen = crate::journal::record::Seen::default();
        vec![
            Record::Started("{}".into()),
            Record::Intent { ticket: 1, repeatable: false },
            Record::Named { ticket: Some(1), seen },
            Record::Intent { ticket: 2, repeatable: false },
            Record::Ended { stopped: None, not_begun: String::new() },
        ]
    }

    #[test]
    fn a_journal_cut_at_any_byte_holds_its_whole_records() {
        let key = JournalKey::generate().unwrap();
        let (bytes, starts) = journal(&records(), &key);
        let ends: Vec<usize> = starts[1..].iter().copied().chain([bytes.len()]).collect();
        for cut in 0..=bytes.len() {
            match read(&bytes[..cut], &key) {
                Ok(contents) => {
                    let whole = ends.iter().filter(|end| **end <= cut).count();
                    assert_eq!(contents.records, records()[..whole], "cut at {cut}");
                    let length = if whole == 0 { HEADER } else { ends[whole - 1] };
                    assert_eq!(contents.length, length as u64, "cut at {cut}");
                }
                Err(error) => {
                    assert!(cut < HEADER && matches!(error, JournalError::NotBegun), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_record_written_after_a_cut_is_read_and_never_reuses_a_nonce() {
        let key = JournalKey::generate().unwrap();
        let (bytes, starts) = journal(&records(), &key);
        let mut cut = bytes[..starts[3]].to_vec();
        let mut contents = read(&cut, &key).unwrap();
        contents.sealer.seal(records()[3].clone(), &mut cut).unwrap();
        let nonce = |bytes: &[u8]| bytes[starts[3] + 16..starts[3] + 16 + NONCE].to_vec();
        assert_ne!(nonce(&bytes), nonce(&cut));
        assert_eq!(read(&cut, &key).unwrap().records, records()[..4]);
    }

    #[test]
    fn every_flipped_bit_is_noticed_or_cuts_the_journal_after_its_last_durable_intent() {
        let key = JournalKey::generate().unwrap();
        let (bytes, starts) = journal(&records(), &key);
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << (index % 8);
            match read(&changed, &key) {
                Ok(contents) => {
                    assert!(index >= starts[3], "byte {index}");
                    assert_eq!(contents.records, records()[..contents.records.len()]);
                }
                Err(error) => assert!(!matches!(error, JournalError::NotBegun), "{error}"),
            }
        }
    }

    #[test]
    fn records_of_another_journal_or_in_another_order_are_refused() {
        let key = JournalKey::generate().unwrap();
        let (one, starts) = journal(&records(), &key);
        let (other, _) = journal(&records(), &key);
        let spliced = [&one[..starts[1]], &other[starts[1]..]].concat();
        assert!(matches!(read(&spliced, &key), Err(JournalError::Damaged(_))));
        let without = [&one[..starts[1]], &one[starts[2]..]].concat();
        assert!(matches!(read(&without, &key), Err(JournalError::Damaged(_))));
    }

    #[test]
    fn another_key_opens_nothing() {
        let (bytes, _) = journal(&records(), &JournalKey::generate().unwrap());
        let read = read(&bytes, &JournalKey::generate().unwrap());
        assert!(matches!(read, Err(JournalError::Key)));
    }

    #[test]
    fn sealed_records_are_unreadable() {
        let key = JournalKey::generate().unwrap();
        let secret = Record::Handle {
            handle: "secret:0".into(),
            name: "key".into(),
            secret: "correct-horse-battery".into(),
        };
        let (bytes, _) = journal(&[secret], &key);
        assert!(memchr::memmem::find(&bytes, b"correct-horse").is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_journal_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let key = JournalKey::new([1; KEY]);
            drop(read(&bytes, &key));
            // The same after a header and a record that are good.
            let (mut journal, _) = journal(&records()[..1], &key);
            journal.extend_from_slice(&bytes);
            prop_assert_eq!(read(&journal, &key).unwrap().records.len(), 1);
        }

        #[test]
        fn a_journal_that_was_changed_anywhere_never_shows_what_was_not_written(
            at in 0_usize..600, with in proptest::collection::vec(any::<u8>(), 1..32),
        ) {
            let key = JournalKey::new([1; KEY]);
            let (mut bytes, _) = journal(&records(), &key);
            let at = at % bytes.len();
            let end = (at + with.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&with[..end - at]);
            if let Ok(contents) = read(&bytes, &key) {
                prop_assert_eq!(&contents.records, &records()[..contents.records.len()]);
            }
        }
    }
}
