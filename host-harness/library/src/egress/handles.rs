//! Secrets that a service hands out, or that a user gives to an action. The guest sees
//! `secret:<handle>` at every declared position; the host fills a handle where, and only where, the
//! description says.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::input_secrets::InputSecret;
use super::judge::{Judged, refusal};
use super::session::Policy;
use crate::bindings::workflow::node::http::{SendError, SendErrorKind};
use crate::description::SecretPosition;
use crate::digest::Digest;
use crate::secret::Secret;

const PREFIX: &str = "secret:";

/// How many secrets are remembered; the oldest go first.
const MOST: usize = 10_000;

/// The secrets behind handles. A handle is unguessable, and means something only to the plugin
/// that it was made for; it lives as long as the host.
#[derive(Default)]
pub(crate) struct Handles(Mutex<Held>);

#[derive(Default)]
struct Held {
    by_handle: HashMap<String, One>,
    /// The handle of a secret, by a digest of plugin, name and secret.
    by_secret: HashMap<[u8; 32], String>,
    oldest_first: VecDeque<String>,
}

struct One {
    plugin: Digest,
    name: String,
    secret: Secret,
    key: [u8; 32],
}

/// A body in which secrets stand, and these.
pub(super) struct Placed {
    pub(super) body: Vec<u8>,
    pub(super) secrets: Vec<Secret>,
}

impl Handles {
    /// Keeps a secret and names it. The same secret of the same plugin has the same handle.
    pub(crate) fn keep(&self, plugin: Digest, name: &str, secret: Secret) -> String {
        let key = {
            let mut hash = Sha256::new();
            hash.update(plugin.hex());
            hash.update(name.len().to_le_bytes());
            hash.update(name);
            hash.update(secret.expose());
            hash.finalize().into()
        };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = held.by_secret.get(&key) {
            return handle.clone();
        }
        if held.oldest_first.len() >= MOST
            && let Some(oldest) = held.oldest_first.pop_front()
            && let Some(one) = held.by_handle.remove(&oldest)
        {
            held.by_secret.remove(&one.key);
        }
        let handle = format!("{PREFIX}{:032x}", rand::random::<u128>());
        let one = One { plugin, name: name.to_owned(), secret, key };
        held.by_handle.insert(handle.clone(), one);
        held.by_secret.insert(key, handle.clone());
        held.oldest_first.push_back(handle.clone());
        handle
    }

    /// Replaces secrets that a user has given by handles, before a guest sees them. A handle that
    /// an earlier call of the same plugin has given out stays as it is.
    pub(crate) fn hide(&self, plugin: Digest, positions: &[InputSecret], parameters: &mut Value) {
        for position in positions {
            let segments: Vec<&str> = position.segments.iter().map(String::as_str).collect();
            visit(parameters, &segments, &mut |text| {
                if self.open(plugin, &position.name, text).is_none() {
                    *text = self.keep(plugin, &position.name, Secret::new(text.as_str()));
                }
            });
        }
    }

    /// The secret behind a text that is a handle of this name.
    pub(crate) fn open(&self, plugin: Digest, name: &str, text: &str) -> Option<Secret> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one =
            held.by_handle.get(text).filter(|one| one.plugin == plugin && one.name == name)?;
        Some(one.secret.clone())
    }

    /// Replaces the secrets of an answer by handles; `None` when there were none.
    pub(super) fn replace(
        &self,
        policy: &Policy,
        judged: &Judged,
        is_success: bool,
        body: &[u8],
    ) -> Result<Option<Vec<u8>>, SendError> {
        // However the path is written, a lenient server may take it for the same.
        let path = plain_path(judged.url.path());
        let holds = |position: &&SecretPosition| {
            (position.methods.is_empty()
                || position.methods.iter().any(|method| method == judged.method.as_str()))
                && position.origins.iter().any(|origin| origin.matches(&judged.origin))
                && position.path.as_ref().is_some_and(|own| own.matches(&path))
        };
        let mut positions = policy.secrets.iter().filter(holds).peekable();
        if positions.peek().is_none() || body.is_empty() {
            return Ok(None);
        }
        let wrong = |message: String| SendError {
            maybe_sent: true,
            ..refusal(SendErrorKind::InvalidResponse, message)
        };
        let mut document: Value = match serde_json::from_slice(body) {
            Ok(document) => document,
            // What cannot be read cannot be searched for secrets.
            Err(_) if is_success => {
                return Err(wrong("the answer may hold a secret, but is no JSON".into()));
            }
            Err(_) => return Ok(None),
        };
        let mut any = false;
        for position in positions {
            let pointer = position.pointer.as_deref().unwrap_or_default();
            let segments: Vec<&str> = pointer.split('/').skip(1).collect();
            let mut found = false;
            visit(&mut document, &segments, &mut |text| {
                found = true;
                *text = self.keep(policy.plugin, &position.name, Secret::new(text.as_str()));
            });
            any |= found;
            if is_success && position.required && !found {
                return Err(wrong(format!(
                    "the answer has no secret `{}` at {pointer}",
                    position.name
                )));
            }
        }
        Ok(any.then(|| document.to_string().into_bytes()))
    }

    /// Fills the handles that stand where the description says; `None` when there are none.
    pub(super) fn fill(&self, policy: &Policy, judged: &Judged) -> Option<Placed> {
        let body = judged.body.as_ref()?;
        let mut document: Option<Value> = None;
        let mut secrets = Vec::new();
        for position in &policy.secrets {
            for placement in &position.placements {
                let holds = placement.methods.iter().any(|one| one == judged.method.as_str())
                    && placement.origins.iter().any(|origin| origin.matches(&judged.origin))
                    && placement.path.matches(judged.url.path());
                if !holds {
                    continue;
                }
                if document.is_none() {
                    document = serde_json::from_slice(body).ok();
                }
                let segments: Vec<&str> = placement.pointer.split('/').skip(1).collect();
                visit(document.as_mut()?, &segments, &mut |text| {
                    if let Some(secret) = self.open(policy.plugin, &position.name, text) {
                        *text = secret.expose().to_owned();
                        secrets.push(secret);
                    }
                });
            }
        }
        let body = document.filter(|_| !secrets.is_empty())?.to_string().into_bytes();
        Some(Placed { body, secrets })
    }
}

/// A path without doubled and trailing slashes.
fn plain_path(path: &str) -> String {
    path.split('/').filter(|segment| !segment.is_empty()).fold(
        String::new(),
        |mut plain, segment| {
            plain.push('/');
            plain.push_str(segment);
            plain
        },
    )
}

/// Visits every non-empty text at a pointer in which `*` stands for every element or member.
fn visit(value: &mut Value, segments: &[&str], found: &mut impl FnMut(&mut String)) {
    let Some((first, rest)) = segments.split_first() else {
        if let Value::String(text) = value
            && !text.is_empty()
        {
            found(text);
        }
        return;
    };
    match (value, *first) {
        (Value::Array(list), "*") => list.iter_mut().for_each(|one| visit(one, rest, found)),
        (Value::Object(members), "*") => {
            members.values_mut().for_each(|one| visit(one, rest, found));
        }
        (Value::Array(list), index) => {
            if let Some(one) = index.parse().ok().and_then(|index: usize| list.get_mut(index)) {
                visit(one, rest, found);
            }
        }
        (Value::Object(members), name) => {
            let name = name.replace("~1", "/").replace("~0", "~");
            if let Some(one) = members.get_mut(&name) {
                visit(one, rest, found);
            }
        }
        _ => {}
    }
}
