//! Object IDs that look like PagerDuty's and are identical in every run.

use std::collections::{HashMap, VecDeque};

use crate::keys::Region;

const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Generates IDs; each kind has its own counter, so that adding services changes no incident's ID.
#[derive(Debug)]
pub(crate) struct Ids {
    region: Region,
    counters: HashMap<String, u64>,
    /// Reserved IDs; they are used before all others of their kind.
    wanted: HashMap<String, VecDeque<String>>,
}

impl Ids {
    pub(crate) fn new(region: Region) -> Self {
        Self { region, counters: HashMap::new(), wanted: HashMap::new() }
    }

    /// Reserves this ID for the next object of a kind.
    pub(crate) fn want(&mut self, kind: &str, id: &str) {
        self.wanted.entry(kind.to_owned()).or_default().push_back(id.to_owned());
    }

    /// The next ID of a kind: `prefix` and 13 alphanumerics.
    pub(crate) fn next(&mut self, prefix: char, kind: &str) -> String {
        if let Some(id) = self.wanted.get_mut(kind).and_then(VecDeque::pop_front) {
            return id;
        }
        let mut rest = self.draw(kind);
        let mut id = String::with_capacity(14);
        id.push(prefix);
        for _ in 0..13 {
            id.push(char::from(ALPHABET[(rest % 36) as usize]));
            rest /= 36;
        }
        id
    }

    /// The next ID of a collection. Enrichment schemas have UUIDs.
    pub(crate) fn of_collection(&mut self, path: &str) -> String {
        if path != "/enrichment/schemas" {
            return self.next('P', path);
        }
        let (one, other) = (self.draw(path), self.draw("second half of a UUID"));
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            one >> 32,
            (one >> 16) & 0xffff,
            one & 0xfff,
            other >> 52,
            other & 0xffff_ffff_ffff
        )
    }

    /// A unique number within its kind.
    fn draw(&mut self, kind: &str) -> u64 {
        let counter = self.counters.entry(kind.to_owned()).or_default();
        *counter += 1;
        let salt = match self.region {
            Region::Us => 0x51,
            Region::Eu => 0xE0,
        };
        let seed = kind
            .bytes()
            .fold(salt, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        mix(seed.wrapping_add(*counter))
    }
}

/// The finalizer of splitmix64: a bijection, so two counters never collide.
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// `length` random letters and digits.
pub(crate) fn secret(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..length).map(|_| char::from(LETTERS[(rand::random::<u64>() % 62) as usize])).collect()
}

/// `length` random lower-case hexadecimal digits.
pub(crate) fn secret_hex(length: usize) -> String {
    (0..length)
        .map(|_| char::from(b"0123456789abcdef"[(rand::random::<u64>() % 16) as usize]))
        .collect()
}

/// A random UUID (version 4).
pub(crate) fn uuid() -> String {
    let [a, b, c, d, e] = [8, 4, 3, 3, 12].map(secret_hex);
    format!("{a}-{b}-4{c}-a{d}-{e}")
}
