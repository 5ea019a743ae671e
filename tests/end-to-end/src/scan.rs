//! Looks for secrets in anything, in a dozen encodings.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A secret in a dozen encodings, made here independently of the host's own list.
pub fn encodings(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    let mut all = vec![
        ("raw", secret.to_owned()),
        ("reversed", secret.chars().rev().collect()),
        ("hex", hex.clone()),
        ("upper-case hex", hex.to_uppercase()),
        ("percent", percent.clone()),
        ("lower-case percent", percent.to_lowercase()),
        ("json escapes", secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()),
    ];
    // Some writers of JSON escape only what means something in HTML.
    for (name, upper) in
        [("json escapes of marks", false), ("upper-case json escapes of marks", true)]
    {
        let escape = |unit: u16| match char::from_u32(unit.into()) {
            Some(c) if c.is_ascii_alphanumeric() => c.to_string(),
            _ if upper => format!("\\u{unit:04X}"),
            _ => format!("\\u{unit:04x}"),
        };
        all.push((name, secret.encode_utf16().map(escape).collect()));
    }
    let form = |set| percent_encoding::utf8_percent_encode(secret, set).to_string();
    all.push(("percent, of what is not alphanumeric", form(percent_encoding::NON_ALPHANUMERIC)));
    let html = |c: char| format!("&#{};", u32::from(c));
    all.push(("html references", secret.chars().map(html).collect()));
    for before in ["", "x", "xx"] {
        let whole = format!("{before}{secret}");
        // The characters that depend on the surrounding bytes are left out.
        let inner = |encoded: String| {
            let start = (before.len() * 8).div_ceil(6);
            encoded[start..whole.len() * 8 / 6].to_owned()
        };
        all.push(("base64", inner(STANDARD_NO_PAD.encode(&whole))));
        all.push(("base64url", inner(URL_SAFE_NO_PAD.encode(&whole))));
    }
    let utf16 = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut all: Vec<_> = all.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    all.push(("utf-16", utf16));
    all
}

/// The encodings in which some bytes contain a secret.
pub fn found(secret: &str, bytes: &[u8]) -> Vec<&'static str> {
    let secrets = [(String::new(), secret.to_owned())];
    leaks(&secrets, bytes).into_iter().map(|(_, encoding)| encoding).collect()
}

/// Where some bytes contain any of these secrets: which one, and its encoding.
pub fn leaks<'a>(secrets: &'a [(String, String)], bytes: &[u8]) -> Vec<(&'a str, &'static str)> {
    Scanner::new(secrets).leaks(bytes)
}

/// Looks for many secrets in many places.
pub struct Scanner<'a> {
    names: Vec<(&'a str, &'static str)>,
    automaton: AhoCorasick,
    longest: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner for these secrets, each with a name.
    pub fn new(secrets: &'a [(String, String)]) -> Self {
        let mut names = Vec::new();
        let mut needles = Vec::new();
        for (name, secret) in secrets {
            for (encoding, needle) in encodings(secret) {
                names.push((name.as_str(), encoding));
                needles.push(needle);
            }
        }
        let longest = needles.iter().map(Vec::len).max().unwrap_or_default();
        Self { names, automaton: AhoCorasick::new(needles).expect("secrets are short"), longest }
    }

    /// The size of the longest encoding of a secret, in bytes. What is searched in parts must overlap
    /// by as much.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Which of the secrets some bytes contain, and their encodings.
    pub fn leaks(&self, bytes: &[u8]) -> Vec<(&'a str, &'static str)> {
        let found = self.automaton.find_overlapping_iter(bytes);
        let mut all: Vec<_> = found.map(|one| self.names[one.pattern().as_usize()]).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Result of the scanner if the secret occurs nowhere.
pub const NOWHERE: [&str; 0] = [];
