//! Takes a credential out of an answer that gives it back: its exact value, and these encodings of
//! it: JSON string escapes (as few as possible, `/` too, `<>&'` as `\u003c`, all but ASCII, every
//! character), each also inside another JSON string, percent-encoding (of all but unreserved
//! characters, as `encodeURIComponent`, of all but alphanumerics, as a form does), base64 and
//! base64url at each of the three alignments, hexadecimal in both cases, HTML character references,
//! and the value reversed. Altered or partial echoes pass; SECURITY.md says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// What stands in the place of an echo.
pub(crate) const REMOVED: &str = "[credential removed]";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What ECMAScript's `encodeURIComponent` leaves alone.
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
    used: Instant,
    filter: Arc<EchoFilter>,
}

impl EchoFilters {
    /// How many filters are kept.
    const MOST: usize = 256;
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
        let filter = Arc::new(EchoFilter::new(secrets));
        let mut all = lock();
        all.retain(|known| now.duration_since(known.used) < Self::KEPT);
        if all.len() >= Self::MOST {
            all.sort_by_key(|known| known.used);
            all.remove(0);
        }
        all.push(Known { secrets: key, used: now, filter: filter.clone() });
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
        if patterns.is_empty() {
            return Self { patterns: None, lower_case, shortest };
        }
        // Building fails only for sizes far beyond what secrets have; without a filter nothing
        // may pass, so that would rather be a panic than a leak.
        let filter = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            // A DFA would run a little quicker, but takes many times as long to build, and memory.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(patterns)
            .expect("secrets are short");
        Self { patterns: Some(filter), lower_case, shortest }
    }

    /// The bytes without the secrets, or `None` when there are none in them.
    pub(crate) fn clean(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if bytes.len() < self.shortest {
            return None;
        }
        let filter = self.patterns.as_ref()?;
        let mut found = filter.find_iter(bytes).peekable();
        found.peek()?;
        let mut clean = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for echo in found {
            clean.extend_from_slice(&bytes[from..echo.start()]);
            clean.extend_from_slice(REMOVED.as_bytes());
            from = echo.end();
        }
        clean.extend_from_slice(&bytes[from..]);
        Some(clean)
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
    // JSON as text in JSON: whoever reads the answer once has the escapes, and the secret with them.
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
    all.push(hex(false));
    all.push(hex(true));
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for offset in 0..3_usize {
            // What is encoded before and after the secret touches the characters at its ends.
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
    all.into_iter()
        .filter(|text| text.len() >= Secret::MINIMUM_LENGTH - 1)
        .map(String::into_bytes)
        .collect()
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
            // What is left at the ends is less than one character of the secret on each side.
            let core = STANDARD.encode(&whole);
            prop_assert!(cleaned.len() < core.len() + REMOVED.len());
        }

        #[test]
        fn other_text_is_left_alone(text in "[a-z ]{0,200}") {
            prop_assert_eq!(clean("SECRET-SECRET", &text), text);
        }
    }
}
