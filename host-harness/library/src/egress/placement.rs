//! Writes a credential into a request, last of all.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use super::judge::{Judged, refusal};
use super::slot::SlotCredential;
use crate::bindings::workflow::node::http::{SendError, SendErrorKind};
use crate::description::{Placement, PlacementKind};
use crate::json::{Added, EditError, add_member};
use crate::limits::exceeded;
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
        let value =
            render(placement, &credential.fields, &credential.secrets).ok_or_else(|| {
                unusable(credential, "it lacks a part that its type writes: connect it again")
            })?;
        write(placement, value, &mut filled, credential, most)?;
    }
    if any {
        return Ok(filled);
    }
    Err(refusal(
        SendErrorKind::Denied,
        format!(
            "the credential `{}` has no place in a {} request to {}{}: its type describes where it \
             goes",
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
                .map_err(|_| unusable(credential, "its header has no proper name"))?;
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| unusable(credential, "it holds characters that no header can"))?;
            value.set_sensitive(true);
            filled.headers.insert(name, value);
        }
        PlacementKind::Query { name } => {
            if filled.url.query_pairs().any(|(given, _)| given == *name) {
                return Err(taken(credential, &format!("the query parameter `{name}`")));
            }
            filled.url.query_pairs_mut().append_pair(name, &value);
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
                        "the credential goes to {pointer} of the body, where there is no object"
                    ));
                }
                Err(EditError::TooLarge(most)) => {
                    let what = "the request's body with the credential in it";
                    let message = exceeded(what, "request_body", most);
                    return Err(refusal(SendErrorKind::OverBudget, message));
                }
                Err(error) => {
                    return invalid(format!("the credential goes into the body, which is {error}"));
                }
            }
        }
        _ => return Err(unusable(credential, "this host does not know its kind of placement")),
    }
    Ok(())
}

/// The value of a placement, or `None` when a part of it is missing.
fn render(
    placement: &Placement,
    fields: &Map<String, Value>,
    secrets: &BTreeMap<String, Secret>,
) -> Option<Zeroizing<String>> {
    let mut value = Zeroizing::new(String::new());
    let mut parts = placement.value.split('{');
    value.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (name, literal) = part.split_once('}')?;
        match (secrets.get(name), fields.get(name)) {
            (Some(secret), _) => value.push_str(secret.expose()),
            (None, Some(Value::String(text))) => value.push_str(text),
            _ => return None,
        }
        value.push_str(literal);
    }
    Some(value)
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
        format!("{place} belongs to the credential `{}`: leave it out", credential.name),
    )
}
