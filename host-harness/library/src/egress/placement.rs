//! Writes a credential into a request, last of all.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use super::form;
use super::judge::Judged;
use super::slot::SlotCredential;
use crate::bindings::workflow::node::http::{SendError, SendErrorKind};
use crate::description::{Placement, PlacementEncoding, PlacementKind};
use crate::json::{Added, EditError, add_member};
use crate::limits::exceeded;
use crate::request::refusal;
use crate::secret::Secret;

/// A request with its placements filled.
pub(super) struct Filled {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

fn holds(placement: &Placement, judged: &Judged) -> bool {
    placement.holds_for(judged.method.as_str(), &judged.origin, judged.url.path())
}

/// Whether the credential changes the body of the request.
pub(super) fn goes_into_body(judged: &Judged, credential: &SlotCredential) -> bool {
    let is_in_body = |one: &&Placement| matches!(one.kind, PlacementKind::Body { .. });
    credential.placements.iter().filter(is_in_body).any(|one| holds(one, judged))
}

/// Fills the placements that hold for the request, whose body may have so many bytes afterward.
pub(super) fn fill(
    judged: &Judged,
    credential: &SlotCredential,
    most: usize,
) -> Result<Filled, SendError> {
    let mut filled = Filled {
        url: judged.url.clone(),
        headers: judged.headers.clone(),
        body: judged.body.clone(),
    };
    let mut any = false;
    for placement in &credential.placements {
        if !holds(placement, judged) {
            continue;
        }
        any = true;
        let value = written(placement, &credential.fields, &credential.secrets)
            .map_err(|problem| unusable(credential, problem))?;
        write(placement, value, &mut filled, credential, most)?;
    }
    if any {
        return Ok(filled);
    }
    Err(refusal(
        SendErrorKind::Denied,
        format!(
            "the credential `{}` has no placement in a {} request to {}{}. Its type declares where \
             it is placed",
            credential.name,
            judged.method,
            judged.origin,
            judged.url.path()
        ),
    ))
}

fn write(
    placement: &Placement,
    value: Zeroizing<String>,
    filled: &mut Filled,
    credential: &SlotCredential,
    most: usize,
) -> Result<(), SendError> {
    match &placement.kind {
        PlacementKind::Header { name } => {
            let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes())
                .map_err(|_| unusable(credential, "the name of its header is invalid"))?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                unusable(credential, "it contains characters that are not permitted in a header")
            })?;
            value.set_sensitive(true);
            filled.headers.insert(name, value);
        }
        PlacementKind::Query { name } => {
            if filled.url.query_pairs().any(|(given, _)| given == *name) {
                return Err(taken(credential, &format!("the query parameter `{name}`")));
            }
            filled.url.query_pairs_mut().append_pair(name, &value);
        }
        PlacementKind::Body { pointer } if form::is_form(&filled.headers) => {
            let body = filled.body.take().unwrap_or_default();
            let Some(name) = form::field(pointer) else {
                let message = format!(
                    "the credential is placed at {pointer} of the body, which is a form without \
                     such a field"
                );
                return Err(refusal(SendErrorKind::InvalidRequest, message));
            };
            if form::has(&body, &name) {
                return Err(taken(credential, &format!("the field `{name}` of the form")));
            }
            let form = Zeroizing::new(form::with(&body, &name, &value));
            if form.len() > most {
                return Err(too_large(most));
            }
            filled.body = Some(Bytes::copy_from_slice(&form));
        }
        PlacementKind::Body { pointer } => {
            let body = filled.body.take().unwrap_or_default();
            let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
            let name = name.replace("~1", "/").replace("~0", "~");
            let invalid = |message: String| Err(refusal(SendErrorKind::InvalidRequest, message));
            match add_member(&body, parent, &name, &value, most) {
                Ok(Added::Text(body)) => filled.body = Some(Bytes::from(body)),
                Ok(Added::Taken) => {
                    return Err(taken(credential, &format!("{pointer} of the body")));
                }
                Ok(Added::NoObject) => {
                    return invalid(format!(
                        "the credential is placed at {pointer} of the body, but its parent is not \
                         an object"
                    ));
                }
                Err(EditError::TooLarge(most)) => return Err(too_large(most)),
                Err(error) => {
                    return invalid(format!(
                        "the credential is placed in the body, which is {error}"
                    ));
                }
            }
        }
        _ => return Err(unusable(credential, "this host does not support its kind of placement")),
    }
    Ok(())
}

/// Value that a placement writes, or the reason that it cannot.
fn written(
    placement: &Placement,
    fields: &Map<String, Value>,
    secrets: &BTreeMap<String, Secret>,
) -> Result<Zeroizing<String>, &'static str> {
    let value = rendered(placement, fields, secrets)?;
    match placement.encoding {
        None => Ok(value),
        Some(PlacementEncoding::Base64) => {
            let encoded = Zeroizing::new(STANDARD.encode(value.as_bytes()));
            Ok(Zeroizing::new([placement.prefix.as_str(), &encoded].concat()))
        }
        Some(_) => Err("this host does not support the encoding of its placement"),
    }
}

/// The value of a placement, before it is encoded.
fn rendered(
    placement: &Placement,
    fields: &Map<String, Value>,
    secrets: &BTreeMap<String, Secret>,
) -> Result<Zeroizing<String>, &'static str> {
    const MISSING: &str = "it lacks a value that a placement of its type needs. Reconnect it";
    let mut value = Zeroizing::new(String::new());
    let mut parts = placement.value.split('{');
    value.push_str(parts.next().unwrap_or_default());
    // The service takes what is before the first colon for the user (RFC 7617 section 2).
    let is_basic = placement.prefix.trim_end().eq_ignore_ascii_case("basic");
    let mut is_user = is_basic && !value.contains(':');
    for part in parts {
        let (name, literal) = part.split_once('}').ok_or(MISSING)?;
        let text = match (secrets.get(name), fields.get(name)) {
            (Some(secret), _) => secret.expose(),
            (None, Some(Value::String(text))) => text,
            _ => return Err(MISSING),
        };
        if is_user && text.contains(':') {
            return Err("its user name contains a colon, which HTTP Basic does not permit");
        }
        value.push_str(text);
        value.push_str(literal);
        is_user &= !literal.contains(':');
    }
    Ok(value)
}

/// The secrets of a credential as placements encode them, in each form in which a service could give
/// them back: `user:password` is another text than the password.
pub(crate) fn encoded_secrets(
    placements: &[Placement],
    fields: &Map<String, Value>,
    secrets: &BTreeMap<String, Secret>,
) -> Vec<Secret> {
    let mut encoded = Vec::new();
    for placement in placements.iter().filter(|placement| placement.encoding.is_some()) {
        let Ok(value) = rendered(placement, fields, secrets) else { continue };
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            encoded.push(Secret::new(engine.encode(value.as_bytes())));
        }
    }
    encoded
}

fn too_large(most: usize) -> SendError {
    let what = "the request body with the credential";
    refusal(SendErrorKind::OverBudget, exceeded(what, "request_body", most))
}

fn unusable(credential: &SlotCredential, problem: &str) -> SendError {
    refusal(
        SendErrorKind::Credential,
        format!("the credential `{}` cannot be used: {problem}", credential.name),
    )
}

fn taken(credential: &SlotCredential, place: &str) -> SendError {
    refusal(
        SendErrorKind::InvalidRequest,
        format!("{place} belongs to the credential `{}`. Do not set it", credential.name),
    )
}
