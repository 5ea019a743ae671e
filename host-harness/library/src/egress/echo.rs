//! Takes a credential out of an answer that gives it back: its exact value and many encodings of it.
//!
//! Two methods are combined. Encodings in which every character depends on its neighbors (base64,
//! base32, hexadecimal, the reversed text) are separate patterns. Encodings of single characters
//! (JSON escapes, HTML character references, percent-encoding, quoted-printable) are decoded first,
//! so that it does not matter which characters a service escapes, in which case, or with how many
//! leading zeros: see [`super::unescape`]. Line breaks within an encoded text are ignored.
//!
//! Altered and partial echoes pass; SECURITY.md says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::unescape::{Escapes, unescaped, without_breaks};
use crate::secret::Secret;

/// Replacement for an echo.
pub(crate) const REMOVED: &str = "[credential removed]";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How often escapes within escapes are undone, e.g. JSON that is sent as text in JSON.
const LAYERS: usize = 3;

/// Bytes that are searched at once where escapes have to be undone, so that an answer of nothing but
/// escapes takes no more memory than another.
const WINDOW: usize = 64 * 1024;

/// No character of a secret takes more bytes in an encoding that is looked for.
const LONGEST_ESCAPE: usize = 40;

/// Characters that ECMAScript's `encodeURIComponent` does not encode.
const COMPONENT: &AsciiSet =
    &UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');

/// Filters of credentials that were used lately, so that an execution need not build its own.
pub(crate) struct EchoFilters {
    /// Keeps what is known of secrets here from being compared with anything outside.
    salt: [u8; 32],
    known: Mutex<Vec<Known>>,
}

struct Known {
    secrets: [u8; 32],
    /// Bytes of the secrets.
    size: usize,
    used: Instant,
    filter: Arc<EchoFilter>,
}

impl EchoFilters {
    /// How many filters are kept.
    const MOST: usize = 256;
    /// How many bytes of secrets have their filters kept.
    const MOST_BYTES: usize = 32 * 1024;
    /// How long one is kept after its last use: it holds the credential's secrets.
    const KEPT: Duration = Duration::from_secs(300);

    /// The filter for these secrets.
    pub(crate) fn of<'a>(
        &self,
        secrets: impl Iterator<Item = &'a Secret> + Clone,
    ) -> Arc<EchoFilter> {
        let mut hash = Sha256::new_with_prefix(self.salt);
        for secret in secrets.clone() {
            hash.update(secret.expose().len().to_le_bytes());
            hash.update(secret.expose());
        }
        let key: [u8; 32] = hash.finalize().into();
        let now = Instant::now();
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().iter_mut().find(|known| known.secrets == key) {
            known.used = now;
            return known.filter.clone();
        }
        let size = secrets.clone().map(Secret::len).sum();
        let filter = Arc::new(EchoFilter::new(secrets));
        let mut all = lock();
        all.retain(|known| now.duration_since(known.used) < Self::KEPT);
        all.sort_by_key(|known| known.used);
        let kept = |all: &Vec<Known>| all.iter().map(|known| known.size).sum::<usize>();
        while !all.is_empty() && (all.len() >= Self::MOST || kept(&all) + size > Self::MOST_BYTES) {
            all.remove(0);
        }
        all.push(Known { secrets: key, size, used: now, filter: filter.clone() });
        filter
    }
}

impl Default for EchoFilters {
    fn default() -> Self {
        Self { salt: rand::random(), known: Mutex::default() }
    }
}

/// Finds the secrets of one credential.
pub(crate) struct EchoFilter {
    /// `None` where there are no secrets.
    patterns: Option<AhoCorasick>,
    lower_case: Vec<Zeroizing<String>>,
    /// No shorter text can hold a secret, in bytes.
    shortest: usize,
    /// No encoded secret is longer, in bytes.
    longest: usize,
}

impl EchoFilter {
    /// A filter for these secrets.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let secrets: Vec<&Secret> = secrets.into_iter().collect();
        let patterns: BTreeSet<Vec<u8>> =
            secrets.iter().flat_map(|secret| encodings(secret.expose())).collect();
        let lower_case = secrets
            .iter()
            .map(|secret| Zeroizing::new(secret.expose().to_ascii_lowercase()))
            .collect();
        let shortest = patterns.iter().map(Vec::len).min().unwrap_or(usize::MAX);
        let longest = secrets.iter().map(|secret| secret.len()).max().unwrap_or_default();
        let longest = longest.saturating_mul(LONGEST_ESCAPE);
        if patterns.is_empty() {
            return Self { patterns: None, lower_case, shortest, longest };
        }
        // Building fails only for sizes far beyond what secrets have; without a filter nothing
        // may pass, so that would rather be a panic than a leak.
        let filter = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            // A DFA would run a little quicker, but takes many times as long to build, and memory.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(patterns)
            .expect("secrets are short");
        Self { patterns: Some(filter), lower_case, shortest, longest }
    }

    /// The bytes without the secrets, or `None` when there are none in them.
    pub(crate) fn clean(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.replaced(bytes, REMOVED)
    }

    /// The bytes with a text in place of the secrets, or `None` when there are none in them.
    pub(crate) fn replaced(&self, bytes: &[u8], with: &str) -> Option<Vec<u8>> {
        let found = self.find(bytes);
        if found.is_empty() {
            return None;
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for echo in found {
            clean.extend_from_slice(&bytes[from..echo.start]);
            clean.extend_from_slice(with.as_bytes());
            from = echo.end;
        }
        clean.extend_from_slice(&bytes[from..]);
        Some(clean)
    }

    /// Positions of secrets in bytes: in order, without overlaps.
    fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let Some(filter) = self.patterns.as_ref().filter(|_| bytes.len() >= self.shortest) else {
            return Vec::new();
        };
        let mut found: Vec<Range<usize>> =
            filter.find_iter(bytes).map(|echo| echo.range()).collect();
        if Escapes::any(bytes) {
            let overlap = self.longest.max(1_024);
            let step = WINDOW.max(3 * overlap);
            let mut start = 0;
            while start < bytes.len() {
                let end = bytes.len().min(start + step + overlap);
                self.find_escaped(filter, &bytes[start..end], start, &mut found);
                start += step;
            }
        }
        found.sort_by_key(|echo| echo.start);
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for echo in found {
            match apart.last_mut() {
                Some(last) if echo.start < last.end => last.end = last.end.max(echo.end),
                _ => apart.push(echo),
            }
        }
        apart
    }

    /// Finds secrets in which characters are escaped or lines are broken.
    fn find_escaped(
        &self,
        filter: &AhoCorasick,
        window: &[u8],
        at: usize,
        found: &mut Vec<Range<usize>>,
    ) {
        // Quoted-printable shares its mark with the `=` of queries: it is undone on its own.
        for first in [Escapes::Common, Escapes::QuotedPrintable] {
            let mut layers = Vec::new();
            let mut text = window.to_vec();
            for layer in 0..=LAYERS {
                if layer > 0 {
                    let escapes = if layer == 1 { first } else { Escapes::Common };
                    let Some((plain, map)) = unescaped(&text, escapes) else { break };
                    text = plain;
                    layers.push(map);
                    let echoes = filter.find_iter(&text).map(|echo| echo.range());
                    found.extend(echoes.map(|echo| shifted(back(echo, &layers), at)));
                }
                if let Some((joined, map)) = without_breaks(&text) {
                    layers.push(map);
                    let echoes = filter.find_iter(&joined).map(|echo| echo.range());
                    found.extend(echoes.map(|echo| shifted(back(echo, &layers), at)));
                    layers.pop();
                }
                if layer == 0 && !first.are_in(&text) {
                    break;
                }
            }
        }
    }

    /// Whether a text in which case means nothing (a header's name) is without the secrets.
    pub(crate) fn clean_any_case(&self, text: &str) -> bool {
        if text.len() < self.shortest {
            return true;
        }
        let Some(filter) = self.patterns.as_ref() else { return true };
        let lower = text.to_ascii_lowercase();
        !self.lower_case.iter().any(|secret| lower.contains(secret.as_str()))
            && !filter.is_match(text)
    }

    /// The text without the secrets.
    pub(crate) fn clean_text(&self, text: &str) -> String {
        match self.clean(text.as_bytes()) {
            Some(clean) => String::from_utf8_lossy(&clean).into_owned(),
            None => text.to_owned(),
        }
    }
}

/// A place of the innermost layer as a place of the text that was looked at.
fn back(echo: Range<usize>, layers: &[super::unescape::Map]) -> Range<usize> {
    layers.iter().rev().fold(echo, |echo, map| map.source(echo))
}

fn shifted(range: Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// The encodings of a secret that are searched for literally.
fn encodings(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let mut all: Vec<String> = vec![secret.to_owned(), secret.chars().rev().collect()];
    if let Ok(quoted) = serde_json::to_string(secret) {
        let inner = quoted[1..quoted.len() - 1].to_owned();
        let escaped = |dangerous: fn(char) -> bool| {
            inner.chars().fold(String::new(), |mut text, c| {
                let mut units = [0; 2];
                if dangerous(c) {
                    for unit in c.encode_utf16(&mut units) {
                        write!(text, "\\u{unit:04x}").expect("writing to a string does not fail");
                    }
                } else {
                    text.push(c);
                }
                text
            })
        };
        all.push(escaped(|c| "<>&'".contains(c)));
        all.push(escaped(|c| !c.is_ascii()));
        all.push(escaped(|c| !c.is_ascii() || "<>&'".contains(c)));
        all.push(inner.replace('/', "\\/"));
        all.push(inner);
    }
    let mut escaped = String::new();
    for unit in secret.encode_utf16() {
        write!(escaped, "\\u{unit:04x}").expect("writing to a string does not fail");
    }
    all.push(escaped);
    // JSON as text in JSON: a reader who parses the response once has the escapes, and with them the secret.
    for at in 0..all.len() {
        if all[at].contains('\\') {
            all.push(all[at].replace('\\', "\\\\").replace('"', "\\\""));
        }
    }
    for set in [UNRESERVED, COMPONENT, NON_ALPHANUMERIC] {
        let upper = utf8_percent_encode(secret, set).to_string();
        all.push(lower_hex(&upper));
        all.push(upper);
    }
    all.push(url::form_urlencoded::byte_serialize(bytes).collect());
    let hex = |upper: bool| {
        bytes.iter().fold(String::new(), |mut hex, byte| {
            let written = if upper { write!(hex, "{byte:02X}") } else { write!(hex, "{byte:02x}") };
            written.expect("writing to a string does not fail");
            hex
        })
    };
    for upper in [false, true] {
        let digits = hex(upper);
        for separator in [":", " ", "-"] {
            let pairs: Vec<&str> = (0..bytes.len()).map(|at| &digits[2 * at..2 * at + 2]).collect();
            all.push(pairs.join(separator));
        }
        all.push(digits);
    }
    // Five bytes are eight characters: the surrounding text affects the characters at the ends.
    for offset in 0..5_usize {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(bytes);
        let encoded = base32(&padded);
        let start = (offset * 8).div_ceil(5);
        let end = padded.len() * 8 / 5;
        all.push(encoded[start..end].to_ascii_lowercase());
        all.push(encoded[start..end].to_owned());
    }
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for offset in 0..3_usize {
            // Bytes encoded before and after the secret change the characters at its ends.
            let mut padded = vec![0; offset];
            padded.extend_from_slice(bytes);
            let encoded = engine.encode(&padded);
            let start = (offset * 8).div_ceil(6);
            let end = padded.len() * 8 / 6;
            all.push(encoded[start..end].to_owned());
        }
    }
    let html = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    for quote in ["'", "&#39;", "&#x27;", "&apos;"] {
        all.push(html.replace('\'', quote));
    }
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(bytes).collect();
    all.into_iter()
        .map(String::into_bytes)
        .chain([utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes)])
        .filter(|text: &Vec<u8>| text.len() >= Secret::MINIMUM_LENGTH - 1)
        .collect()
}

/// Base32 of RFC 4648, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

fn lower_hex(percent_encoded: &str) -> String {
    let mut lower = String::with_capacity(percent_encoded.len());
    let mut left = 0_u8;
    for c in percent_encoded.chars() {
        lower.push(if left > 0 { c.to_ascii_lowercase() } else { c });
        left = if c == '%' { 2 } else { left.saturating_sub(1) };
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn clean(secret: &str, text: &str) -> String {
        EchoFilter::new([&Secret::new(secret)]).clean_text(text)
    }

    fn escapes(text: &str) -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
    }

    fn wrapped(text: &str, width: usize, line_break: &str) -> String {
        let characters: Vec<char> = text.chars().collect();
        let lines: Vec<String> =
            characters.chunks(width).map(|line| line.iter().collect()).collect();
        lines.join(line_break)
    }

    #[test]
    fn an_echo_whose_characters_are_escaped_one_by_one_is_removed() {
        let secret = "Pass+word/1 \"\u{e9}\u{1f511}<&>";
        let by_character =
            |write: fn(char) -> String| secret.chars().map(write).collect::<String>();
        let by_unit =
            |write: fn(u16) -> String| secret.encode_utf16().map(write).collect::<String>();
        let by_byte = |write: fn(u8) -> String| secret.bytes().map(write).collect::<String>();
        for text in [
            by_unit(|unit| format!("\\u{unit:04X}")),
            by_unit(|unit| format!("\\u{unit:04x}")),
            by_character(|c| match c.is_ascii_alphanumeric() {
                true => c.to_string(),
                false => {
                    c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04X}")).collect()
                }
            }),
            by_unit(|unit| format!("\\\\u{unit:04X}")),
            by_character(|c| format!("\\u{{{:X}}}", c as u32)),
            by_character(|c| format!("&#{};", c as u32)),
            by_character(|c| format!("&#{:07};", c as u32)),
            by_character(|c| format!("&#x{:x};", c as u32)),
            by_character(|c| format!("&#X{:X};", c as u32)),
            by_character(|c| format!("&#x{:06X};", c as u32)),
            by_character(|c| format!("&amp;#{};", c as u32)),
            by_byte(|byte| format!("%{byte:02x}")),
            by_byte(|byte| format!("%{byte:02X}")),
            by_byte(|byte| format!("%25{byte:02X}")),
            by_byte(|byte| format!("\\x{byte:02x}")),
            by_byte(|byte| format!("={byte:02X}")),
            by_byte(|byte| format!("{byte:02X} ")),
            by_byte(|byte| format!("{byte:02x}:")),
        ] {
            let whole = format!("{{\"token\":\"{text}\",\"rest\":1}}");
            let cleaned = clean(secret, &whole);
            assert!(cleaned.contains(REMOVED), "{text}");
            let rest = cleaned.replace(REMOVED, "");
            assert!(rest.len() < 30, "{text}: {rest}");
            assert!(cleaned.starts_with("{\"token\":\"") && cleaned.ends_with(",\"rest\":1}"));
        }
    }

    #[test]
    fn an_encoded_echo_is_removed_however_its_lines_are_wrapped() {
        let secret = "canary-Q2FuYXJ5-secret+/0123456789-canary-Q2FuYXJ5";
        for around in ["", "a", "ab"] {
            let encoded = STANDARD.encode(format!("{around}{secret}{around}"));
            for width in [1, 4, 7, 19, 64, 76] {
                for line_break in ["\n", "\r\n", "\r\n ", "\\r\\n", "\\n", "&#10;", "%0D%0A"] {
                    let text = format!("before {} after", wrapped(&encoded, width, line_break));
                    let cleaned = clean(secret, &text);
                    assert!(cleaned.contains(REMOVED), "{width} {line_break:?}: {cleaned}");
                    let rest = cleaned.replace(REMOVED, "").replace(line_break, "");
                    assert!(rest.len() < 25, "{width} {line_break:?}: {cleaned}");
                }
            }
        }
    }

    #[test]
    fn an_echo_is_removed_at_every_position_of_a_long_response() {
        let secret = "canary-secret-0123456789";
        let escaped: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for before in [0, WINDOW - 100, WINDOW - 10, WINDOW, WINDOW + 30, 3 * WINDOW - 40] {
            let text = format!("{}{escaped}{}", "%41".repeat(before / 3), "%42".repeat(50_000));
            let cleaned = clean(secret, &text);
            let left = cleaned.replace("%41", "").replace("%42", "");
            assert_eq!(left, REMOVED, "{before}");
        }
    }

    #[test]
    fn an_echo_is_removed_in_each_listed_encoding() {
        let secret = "u+/k_3 \"<é>&";
        let texts = [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap(),
            serde_json::to_string(&serde_json::to_string(secret).unwrap()).unwrap(),
            serde_json::to_string(&escapes(secret)).unwrap(),
            utf8_percent_encode(secret, UNRESERVED).to_string(),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string().to_lowercase(),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            "752b2f6b5f33202".to_owned() + "23cc3a93e26",
            secret.chars().rev().collect(),
        ];
        for text in texts {
            let whole = format!("before {text} after");
            assert!(clean(secret, &whole).contains(REMOVED), "{text}");
        }
    }

    proptest! {
        #[test]
        fn base64_of_anything_around_the_secret_loses_it(
            before in proptest::collection::vec(any::<u8>(), 0..7),
            after in proptest::collection::vec(any::<u8>(), 0..7),
        ) {
            let secret = "canary-Q2FuYXJ5-secret";
            let whole = [before.as_slice(), secret.as_bytes(), after.as_slice()].concat();
            let cleaned = clean(secret, &STANDARD.encode(&whole));
            prop_assert!(cleaned.contains(REMOVED));
            // The rest at each end is less than one character of the secret.
            let core = STANDARD.encode(&whole);
            prop_assert!(cleaned.len() < core.len() + REMOVED.len());
        }

        #[test]
        fn other_text_is_left_alone(text in "[a-z ]{0,200}") {
            prop_assert_eq!(clean("SECRET-SECRET", &text), text);
        }
    }
}
