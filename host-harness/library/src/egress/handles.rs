//! Secrets that a service returns, or that a user enters for an action. The guest sees
//! `secret:<handle>` at every declared position. The host fills in a handle only where the
//! description permits it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::form;
use super::judge::Judged;
use super::session::Policy;
use crate::bindings::workflow::node::http::{SendError, SendErrorKind};
use crate::description::InputSecret;
use crate::description::SecretPosition;
use crate::digest::Digest;
use crate::handle::{DIGITS, PREFIX, holds_handle, looks_like_handle};
use crate::json::{EditError, Places, replace_texts};
use crate::limits::exceeded;
use crate::offload::Stop;
use crate::principal::Principal;
use crate::request::refusal;
use crate::secret::Secret;

/// The secrets behind handles. A handle is unguessable, and means something only to the holder that
/// it was made for. It lives as long as the host, unless its holder has made too many since.
pub(crate) struct Handles {
    /// How many secrets are kept for one holder; its oldest go first.
    most: usize,
    held: Mutex<HashMap<Holder, Held>>,
}

/// Whom handles are for: a plugin that runs for a user. No other holder can use them, and none can
/// drive them out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Holder {
    pub(crate) plugin: Digest,
    pub(crate) principal: Principal,
}

#[derive(Default)]
struct Held {
    by_handle: HashMap<String, One>,
    /// The handle of a secret, by a digest of name and secret.
    by_secret: HashMap<[u8; 32], String>,
    oldest_first: VecDeque<String>,
}

struct One {
    name: String,
    secret: Secret,
    key: [u8; 32],
}

impl Held {
    /// Adds a handle. The oldest one goes where there would be more than `most`.
    fn insert(&mut self, handle: String, one: One, most: usize) {
        if self.oldest_first.len() >= most
            && let Some(oldest) = self.oldest_first.pop_front()
            && let Some(one) = self.by_handle.remove(&oldest)
            && self.by_secret.get(&one.key) == Some(&oldest)
        {
            self.by_secret.remove(&one.key);
        }
        self.by_secret.entry(one.key).or_insert_with(|| handle.clone());
        self.by_handle.insert(handle.clone(), one);
        self.oldest_first.push_back(handle);
    }
}

/// Names a secret without showing it.
fn key(name: &str, secret: &Secret) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(name.len().to_le_bytes());
    hash.update(name);
    hash.update(secret.expose());
    hash.finalize().into()
}

/// Replacement for a response that could not be searched for the secrets that it may contain.
const WITHHELD: &str = "[withheld: this response may contain a secret and is not JSON]";

/// A body in which secrets stand, and these.
pub(super) struct Placed {
    pub(super) body: Vec<u8>,
    pub(super) secrets: Vec<Secret>,
}

impl Handles {
    /// Keeps at most so many secrets for each holder.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), held: Mutex::default() }
    }

    /// Keeps a secret and names it. The same secret of the same holder has the same handle.
    pub(crate) fn keep(&self, holder: &Holder, name: &str, secret: Secret) -> String {
        let key = key(name, &secret);
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.entry(holder.clone()).or_default();
        if let Some(handle) = held.by_secret.get(&key) {
            return handle.clone();
        }
        let handle = format!("{PREFIX}{:0DIGITS$x}", rand::random::<u128>());
        let one = One { name: name.to_owned(), secret, key };
        held.insert(handle.clone(), one, self.most);
        handle
    }

    /// Puts back a secret that stood behind this handle in an earlier process.
    pub(crate) fn restore(&self, holder: &Holder, handle: &str, name: &str, secret: Secret) {
        let key = key(name, &secret);
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.entry(holder.clone()).or_default();
        if !held.by_handle.contains_key(handle) {
            let one = One { name: name.to_owned(), secret, key };
            held.insert(handle.to_owned(), one, self.most);
        }
    }

    /// Name and secret behind a handle.
    pub(crate) fn known(&self, holder: &Holder, handle: &str) -> Option<(String, Secret)> {
        let all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all.get(holder)?.by_handle.get(handle)?;
        Some((one.name.clone(), one.secret.clone()))
    }

    /// Replaces secrets that a user entered with handles before a guest sees them. A handle that an
    /// earlier call of the same holder received is kept, and so is an unknown handle (see
    /// [`Handles::unknown`]), which is not a secret and is not sent.
    pub(crate) fn hide(&self, holder: &Holder, positions: &[InputSecret], parameters: &mut Value) {
        for position in positions {
            let mut typed = Vec::new();
            look("", parameters, &position.segments, &mut |pointer, text| {
                if !looks_like_handle(text) {
                    typed.push((pointer.to_owned(), Secret::new(text)));
                }
            });
            for (pointer, secret) in typed {
                if let Some(place) = parameters.pointer_mut(&pointer) {
                    *place = Value::String(self.keep(holder, &position.name, secret));
                }
            }
        }
    }

    /// Names of the secrets for which a user has given a handle that is unknown.
    pub(crate) fn unknown<'a>(
        &self,
        holder: &Holder,
        positions: &'a [InputSecret],
        parameters: &Value,
    ) -> Vec<&'a InputSecret> {
        positions
            .iter()
            .filter(|position| {
                let mut unknown = false;
                look("", parameters, &position.segments, &mut |_, text| {
                    unknown |= looks_like_handle(text)
                        && self.open(holder, &position.name, text).is_none();
                });
                unknown
            })
            .collect()
    }

    /// The secret behind a text that is a handle of this name.
    pub(crate) fn open(&self, holder: &Holder, name: &str, text: &str) -> Option<Secret> {
        let all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all.get(holder)?.by_handle.get(text).filter(|one| one.name == name)?;
        Some(one.secret.clone())
    }

    /// Replaces the secrets of an answer by handles; `None` when there were none. `most`: bytes of
    /// the answer afterward, and of a secret. Takes time with the answer.
    #[allow(clippy::too_many_arguments)] // Each is independent of the others.
    pub(super) fn replace(
        &self,
        policy: &Policy,
        holder: &Holder,
        judged: &Judged,
        is_success: bool,
        body: &[u8],
        most: (usize, usize),
        stop: &Stop,
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
        let mut places = Places::default();
        let positions: Vec<&SecretPosition> = positions.collect();
        for (at, position) in positions.iter().enumerate() {
            places.add(position.pointer.as_deref().unwrap_or_default(), at);
        }
        let mut found = vec![false; positions.len()];
        let replaced = replace_texts(body, &places, most.0, stop, |here, text| {
            let Some(first) = here.first() else { return Ok(None) };
            let name = &positions[**first].name;
            if text.len() > most.1 {
                let what = format!("the secret `{name}` in the response");
                return Err(Unreplaced::Refused(exceeded(&what, "secret", most.1)));
            }
            here.iter().for_each(|at| found[**at] = true);
            Ok(Some(self.keep(holder, name, Secret::new(text))))
        });
        let replaced = match replaced {
            Ok(replaced) => replaced,
            // A body that cannot be parsed cannot be searched for secrets.
            Err(Unreplaced::Edit(EditError::NotJson)) if is_success => {
                return Err(wrong("the response may contain a secret, but is not JSON".into()));
            }
            // The status describes the failure; the text could hold the secret anywhere.
            Err(Unreplaced::Edit(EditError::NotJson)) => {
                return Ok(Some(WITHHELD.as_bytes().to_vec()));
            }
            Err(Unreplaced::Edit(EditError::TooLarge(most))) => {
                let what = "the response with its handles";
                return Err(wrong(exceeded(what, "response_body", most)));
            }
            Err(Unreplaced::Edit(error)) => return Err(wrong(error.to_string())),
            Err(Unreplaced::Refused(problem)) => return Err(wrong(problem)),
        };
        let lacking = positions.iter().zip(found).find(|(one, found)| one.required && !found);
        if is_success && let Some((position, _)) = lacking {
            let pointer = position.pointer.as_deref().unwrap_or_default();
            return Err(wrong(format!(
                "the response lacks the secret `{}` at {pointer}",
                position.name
            )));
        }
        Ok(replaced)
    }

    /// Fills in the handles at the declared positions. Returns `None` if there are none. `most`
    /// limits the bytes of the resulting body and of all different secrets in it. The time grows
    /// with the body.
    ///
    /// # Errors
    ///
    /// When a text there looks like a handle and is unknown, and when a handle stands anywhere else:
    /// the service would take the handle itself for the secret.
    pub(super) fn fill(
        &self,
        policy: &Policy,
        holder: &Holder,
        judged: &Judged,
        most: (usize, usize),
        stop: &Stop,
    ) -> Result<Option<Placed>, SendError> {
        let (filled, secrets) = match &judged.body {
            Some(body) => self.fill_body(policy, holder, judged, body, most, stop)?,
            None => (None, Vec::new()),
        };
        let body = filled.as_deref().or(judged.body.as_deref()).unwrap_or_default();
        let url = percent_encoding::percent_decode_str(judged.url.as_str()).collect::<Vec<u8>>();
        let is_form = form::is_form(&judged.headers);
        let stray = holds_handle(body)
            || (is_form
                && holds_handle(&percent_encoding::percent_decode(body).collect::<Vec<u8>>()))
            || holds_handle(&url)
            || judged.headers.values().any(|value| holds_handle(value.as_bytes()));
        if stray {
            return Err(refusal(
                SendErrorKind::InvalidRequest,
                "the request contains the handle of a secret at a position that the plugin does \
                 not declare. The service would receive the handle instead of the secret, so the \
                 request was not sent",
            ));
        }
        Ok(filled.map(|body| Placed { body, secrets }))
    }

    fn fill_body(
        &self,
        policy: &Policy,
        holder: &Holder,
        judged: &Judged,
        body: &[u8],
        most: (usize, usize),
        stop: &Stop,
    ) -> Result<(Option<Vec<u8>>, Vec<Secret>), SendError> {
        let nothing = Ok((None, Vec::new()));
        let placed: Vec<_> = policy
            .secrets
            .iter()
            .flat_map(|position| position.placements.iter().map(move |place| (position, place)))
            .filter(|(_, place)| {
                place.methods.iter().any(|one| one == judged.method.as_str())
                    && place.origins.iter().any(|origin| origin.matches(&judged.origin))
                    && place.path.matches(judged.url.path())
            })
            .collect();
        // The prefix of a handle needs no escapes in JSON, but in a form it does.
        let is_form = form::is_form(&judged.headers);
        let may_hold = is_form || memchr::memmem::find(body, PREFIX.as_bytes()).is_some();
        if placed.is_empty() || !may_hold {
            return nothing;
        }
        let mut places = Places::default();
        for (position, place) in &placed {
            places.add(&place.pointer, position.name.as_str());
        }
        let mut known: HashMap<String, Secret> = HashMap::new();
        let mut bytes = 0;
        let mut open = |here: &[&&str], text: &str| {
            if !looks_like_handle(text) {
                return Ok(None);
            }
            if let Some(secret) = known.get(text) {
                return Ok(Some(secret.expose().to_owned()));
            }
            let Some(secret) = here.iter().find_map(|name| self.open(holder, name, text)) else {
                let name = here.first().copied().copied().unwrap_or_default();
                return Err(Unreplaced::Refused(format!(
                    "the handle of the secret `{name}` is unknown. A handle is valid for the \
                     plugin and user for which it was created, until the host stops or {} newer \
                     handles were created. Read or enter the secret again. The request was not \
                     sent",
                    self.most
                )));
            };
            bytes += secret.len();
            if bytes > most.1 {
                let what = "the size of the secrets in the request";
                return Err(Unreplaced::Refused(exceeded(what, "request_secrets", most.1)));
            }
            let text = known.entry(text.to_owned()).or_insert(secret).expose().to_owned();
            Ok(Some(text))
        };
        let replaced = match is_form {
            false => replace_texts(body, &places, most.0, stop, open),
            true => form::replaced(body, most.0, |field, text| {
                let here: Vec<&str> = placed
                    .iter()
                    .filter(|(_, place)| form::field(&place.pointer).as_deref() == Some(field))
                    .map(|(position, _)| position.name.as_str())
                    .collect();
                match here.is_empty() {
                    true => Ok(None),
                    false => open(&here.iter().collect::<Vec<_>>(), text),
                }
            }),
        };
        match replaced {
            Ok(body) => Ok((body, known.into_values().collect())),
            Err(Unreplaced::Edit(EditError::NotJson)) => nothing,
            Err(Unreplaced::Edit(EditError::TooLarge(most))) => {
                let what = "the request body with its secrets";
                Err(refusal(SendErrorKind::OverBudget, exceeded(what, "request_body", most)))
            }
            Err(Unreplaced::Edit(error)) => {
                Err(refusal(SendErrorKind::Cancelled, error.to_string()))
            }
            Err(Unreplaced::Refused(problem)) => {
                Err(refusal(SendErrorKind::InvalidRequest, problem))
            }
        }
    }
}

/// Why secrets and handles were not replaced.
enum Unreplaced {
    Edit(EditError),
    Refused(String),
}

impl From<EditError> for Unreplaced {
    fn from(error: EditError) -> Self {
        Self::Edit(error)
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

/// Visits every non-empty text at a pointer in which `*` matches every element or member. `here` is
/// the pointer of the value; each text is passed with its own pointer.
fn look(here: &str, value: &Value, segments: &[String], found: &mut impl FnMut(&str, &str)) {
    let Some((first, rest)) = segments.split_first() else {
        if let Value::String(text) = value
            && !text.is_empty()
        {
            found(here, text);
        }
        return;
    };
    let mut go_on =
        |segment: &str, one: &Value| look(&format!("{here}/{segment}"), one, rest, found);
    match (value, first.as_str()) {
        (Value::Array(list), "*") => {
            list.iter().enumerate().for_each(|(index, one)| go_on(&index.to_string(), one));
        }
        (Value::Object(members), "*") => members
            .iter()
            .for_each(|(name, one)| go_on(&name.replace('~', "~0").replace('/', "~1"), one)),
        (Value::Array(list), index) => {
            if let Some(one) = index.parse().ok().and_then(|index: usize| list.get(index)) {
                go_on(index, one);
            }
        }
        (Value::Object(members), name) => {
            if let Some(one) = members.get(&unescaped(name)) {
                go_on(name, one);
            }
        }
        _ => {}
    }
}

/// A name of a pointer as it is written in a document.
fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle::handles_in;

    fn holder(plugin: &str, user: &str) -> Holder {
        Holder { plugin: Digest::of(plugin.as_bytes()), principal: Principal::user(user) }
    }

    #[test]
    fn no_plugin_and_no_user_drives_out_the_handles_of_another() {
        let handles = Handles::new(3);
        let ada = holder("a", "ada");
        let handle = handles.keep(&ada, "key", Secret::new("the-secret"));
        for other in [holder("b", "ada"), holder("a", "bob")] {
            for n in 0..10 {
                handles.keep(&other, "key", Secret::new(format!("another-secret-{n}").as_str()));
            }
            assert!(handles.open(&other, "key", &handle).is_none());
        }
        assert_eq!(handles.open(&ada, "key", &handle).unwrap().expose(), "the-secret");
        // Its own newer ones do.
        for n in 0..3 {
            handles.keep(&ada, "key", Secret::new(format!("newer-secret-{n}").as_str()));
        }
        assert!(handles.open(&ada, "key", &handle).is_none());
    }

    #[test]
    fn a_restored_handle_stands_for_its_secret_again_and_for_no_other_holder() {
        let (ada, bob) = (holder("a", "ada"), holder("a", "bob"));
        let before = Handles::new(3);
        let handle = before.keep(&ada, "key", Secret::new("the-secret"));
        let handles = Handles::new(3);
        // The service returned the same secret already.
        let newer = handles.keep(&ada, "key", Secret::new("the-secret"));
        let (name, secret) = before.known(&ada, &handle).unwrap();
        handles.restore(&ada, &handle, &name, secret);
        for known in [&handle, &newer] {
            assert_eq!(handles.open(&ada, "key", known).unwrap().expose(), "the-secret");
        }
        assert!(handles.open(&bob, "key", &handle).is_none());
        assert!(handles.open(&ada, "other", &handle).is_none());
        assert_eq!(handles.keep(&ada, "key", Secret::new("the-secret")), newer);
    }

    #[test]
    fn whole_handles_are_found_wherever_they_stand() {
        let handle = format!("{PREFIX}{}", "0a".repeat(16));
        let text = format!("x{handle}\"{handle} secret:0a secret:{}", "X".repeat(32));
        assert_eq!(handles_in(text.as_bytes()).collect::<Vec<_>>(), [&handle, &handle]);
    }

    #[test]
    fn tenants_have_separate_handles() {
        let handles = Handles::new(3);
        let of = |tenant: &str| Holder {
            plugin: Digest::of(b"a"),
            principal: Principal::of(tenant, "ada"),
        };
        let handle = handles.keep(&of("one"), "key", Secret::new("the-secret"));
        assert!(handles.open(&of("two"), "key", &handle).is_none());
        assert_ne!(handles.keep(&of("two"), "key", Secret::new("the-secret")), handle);
    }
}
