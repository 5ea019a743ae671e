//! Removes secrets from requests and responses: those of credentials, and those that a service
//! issues.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use workflow_node_host::{Redaction, Secret};

/// Parts of names whose values are secrets. Compared without case and separators.
const SECRET_NAMES: [&str; 14] = [
    "token",
    "secret",
    "password",
    "passwd",
    "apikey",
    "privatekey",
    "signingkey",
    "accesskey",
    "routingkey",
    "integrationkey",
    "authorization",
    "credential",
    "cookie",
    "sessionid",
];

/// Names that contain one of these parts and whose values are not secrets.
const PUBLIC_NAMES: [&str; 9] = [
    "tokentype",
    "tokenendpoint",
    "nextpagetoken",
    "pagetoken",
    "continuationtoken",
    "nexttoken",
    "nextcursor",
    "secretname",
    "tokencount",
];

/// Response headers that are stored, because a node or the host reads them. A part of the name is
/// enough.
const KEPT_HEADERS: [&str; 19] = [
    "content-type",
    "location",
    "link",
    "etag",
    "last-modified",
    "date",
    "retry-after",
    "page",
    "cursor",
    "next",
    "total",
    "count",
    "limit",
    "remaining",
    "reset",
    "request-id",
    "content-disposition",
    "version",
    "deprecation",
];

/// The placeholder of a credential's secret. It works for a replay like any secret, and no real
/// secret has this value.
pub fn placeholder(slot: &str, field: &str) -> String {
    format!("redacted-{}-{}", word(slot), word(field))
}

/// Letters, digits, and dashes, so that no encoding changes them.
fn word(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect()
}

/// Replaces secrets with placeholders, the same secret always with the same one.
#[derive(Default)]
pub struct Redactor(Mutex<State>);

#[derive(Default)]
struct State {
    redaction: Redaction,
    /// Placeholders by secret.
    known: BTreeMap<String, String>,
    /// How many secrets with a name were found.
    found: BTreeMap<String, usize>,
    short: Vec<String>,
}

impl Redactor {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces a secret of a credential.
    pub fn add(&self, secret: &Secret, placeholder: &str) {
        let mut state = self.state();
        if state.known.contains_key(secret.expose()) {
            return;
        }
        state.known.insert(secret.expose().to_owned(), placeholder.to_owned());
        if !state.redaction.add(secret, placeholder) {
            state.short.push(placeholder.to_owned());
        }
    }

    /// Placeholders of secrets that are too short to be found in text. They are still replaced in
    /// members whose name marks a secret.
    pub fn short(&self) -> Vec<String> {
        self.state().short.clone()
    }

    /// Finds secrets by the names of members and parameters, and replaces them from then on.
    pub fn learn(&self, body: &[u8], content_type: &str) {
        if let Ok(json) = serde_json::from_slice::<Value>(body) {
            self.learn_json(&json, false);
        } else if content_type.starts_with("application/x-www-form-urlencoded") {
            self.learn_pairs(url::form_urlencoded::parse(body));
        }
    }

    /// Finds secrets in the query of a URL.
    pub fn learn_url(&self, url: &url::Url) {
        self.learn_pairs(url.query_pairs());
    }

    fn learn_pairs<'a>(
        &self,
        pairs: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
    ) {
        for (name, value) in pairs {
            if is_secret_name(&name) {
                self.found(&name, &value);
            }
        }
    }

    fn learn_json(&self, value: &Value, is_secret: bool) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let is_secret = is_secret || is_secret_name(name);
                    match value {
                        Value::String(text) if is_secret => self.found(name, text),
                        Value::String(_) => {}
                        // Only the values themselves: an object with a secret name has other
                        // members.
                        Value::Array(list) if is_secret => {
                            for text in list.iter().filter_map(Value::as_str) {
                                self.found(name, text);
                            }
                        }
                        value => self.learn_json(value, false),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| self.learn_json(value, is_secret)),
            _ => {}
        }
    }

    /// A value whose member name marks it as a secret.
    fn found(&self, name: &str, value: &str) {
        if value.is_empty() || value.starts_with("redacted-") || value.starts_with("secret:") {
            return;
        }
        let mut state = self.state();
        if state.known.contains_key(value) {
            return;
        }
        let name = word(name);
        let number = state.found.entry(name.clone()).or_default();
        *number += 1;
        let placeholder = format!("redacted-{name}-{number}");
        state.known.insert(value.to_owned(), placeholder.clone());
        // A short one is replaced only in its member.
        state.redaction.add(&Secret::new(value), placeholder);
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        self.state().clean(text)
    }

    /// The body without secrets. JSON stays JSON.
    pub fn body(&self, body: &[u8]) -> Vec<u8> {
        let state = self.state();
        let Ok(mut json) = serde_json::from_slice::<Value>(body) else {
            return state.clean_bytes(body);
        };
        if !matches!(json, Value::Object(_) | Value::Array(_)) {
            return state.clean_bytes(body);
        }
        // First within the texts, so that no placeholder can break the document; then in the whole
        // document, for secrets that span its parts.
        replace(&mut json, &state, false);
        state.redaction.apply(json.to_string().as_bytes())
    }

    /// The stored headers of a response, without secrets.
    pub fn headers(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        headers
            .iter()
            .filter(|(name, _)| {
                let name = name.to_ascii_lowercase();
                KEPT_HEADERS.iter().any(|kept| name.contains(kept)) && !is_secret_name(&name)
            })
            .map(|(name, value)| (name.clone(), self.text(value)))
            .collect()
    }
}

impl State {
    fn clean(&self, text: &str) -> String {
        self.redaction.apply_text(&self.without_base64(text))
    }

    fn clean_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.clean(text).into_bytes(),
            Err(_) => self.redaction.apply(bytes),
        }
    }

    /// The text without base64 words that contain a secret. The whole word is replaced, because its
    /// other characters depend on the length of the secret, and a placeholder has another length.
    fn without_base64(&self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_part) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
            let end = end + from[end..].bytes().take(2).take_while(|byte| *byte == b'=').count();
            let (word, after) = from.split_at(end);
            clean.push_str(before);
            clean.push_str(self.secret_in(word).map_or(word, String::as_str));
            rest = after;
        }
        clean.push_str(rest);
        clean
    }

    /// The placeholder of a secret in a base64 word.
    fn secret_in(&self, word: &str) -> Option<&String> {
        // Shorter than the shortest secret.
        if word.len() < 11 {
            return None;
        }
        let standard: String = word
            .trim_end_matches('=')
            .chars()
            .map(|c| match c {
                '-' => '+',
                '_' => '/',
                other => other,
            })
            .collect();
        let bytes = LENIENT.decode(standard).ok()?;
        let holds = |secret: &str| {
            secret.len() >= Secret::MINIMUM_LENGTH
                && bytes.windows(secret.len()).any(|part| part == secret.as_bytes())
        };
        self.known.iter().find(|(secret, _)| holds(secret)).map(|(_, placeholder)| placeholder)
    }
}

/// Reads base64 with and without padding, whatever the last bits are.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn replace(value: &mut Value, state: &State, is_secret: bool) {
    match value {
        Value::String(text) => {
            let known = state.known.get(text.as_str()).filter(|_| is_secret);
            *text = known.cloned().unwrap_or_else(|| state.clean(text));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| replace(value, state, is_secret)),
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                replace(value, state, is_secret_name(name));
            }
        }
        _ => {}
    }
}

/// Whether a member, parameter, or header with this name contains a secret.
fn is_secret_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_NAMES.iter().any(|part| plain.contains(part))
        && !PUBLIC_NAMES.iter().any(|public| plain == *public)
}
