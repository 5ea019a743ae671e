//! Judges a request before anything is done for it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::destination::{Destination, Rules};
use crate::bindings::workflow::node::http::{Request, SendError, SendErrorKind};
use crate::description::{CredentialType, PlacementKind};
use crate::limits;
use crate::origin::Origin;
use crate::request::refusal;
use crate::reserved::{canonical, is_hosts};
use crate::text::printable;

/// A request that may be sent as far as it can be told without a network.
#[derive(Clone)]
pub(super) struct Judged {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) origin: Origin,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// Whether sending it twice has the effect of sending it once.
    pub(super) repeatable: bool,
}

/// The rules that headers are judged by.
pub(super) struct HeaderRules<'a> {
    /// The credential types whose placements write headers, which are not the guest's.
    pub(super) credential_types: &'a BTreeMap<String, CredentialType>,
    /// The host's `User-Agent`, for a guest that sets none.
    pub(super) user_agent: &'a HeaderValue,
}

/// Judges it.
pub(super) fn judge(
    request: Request,
    rules: &Rules<'_>,
    header_rules: &HeaderRules<'_>,
) -> Result<Judged, SendError> {
    let invalid = |message: String| refusal(SendErrorKind::InvalidRequest, message);
    let method = match request.method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => {
            Method::from_bytes(known.as_bytes()).map_err(|error| invalid(error.to_string()))?
        }
        other => {
            let known = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
            return Err(invalid(format!(
                "the method `{}` is not supported. Use one of {known}",
                printable(other)
            )));
        }
    };
    let destination = Destination::parse(&request.url).map_err(invalid)?;
    destination.judge(rules).map_err(|message| refusal(SendErrorKind::Denied, message))?;
    let Destination { url, origin, .. } = destination;
    let headers = judge_headers(request.headers, header_rules).map_err(invalid)?;
    let body = request.body.map(Bytes::from);
    if body.is_some() && matches!(method, Method::GET | Method::HEAD) {
        return Err(invalid(format!("a {method} request cannot have a body")));
    }
    let repeatable = matches!(method, Method::GET | Method::HEAD | Method::OPTIONS)
        || request.idempotency_key.as_ref().is_some_and(|key| !key.is_empty());
    Ok(Judged { method, url, origin, headers, body, repeatable })
}

fn judge_headers(
    headers: Vec<(String, String)>,
    rules: &HeaderRules<'_>,
) -> Result<HeaderMap, String> {
    let mut judged = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        if is_hosts(&name) {
            return Err(format!("the header `{}` belongs to the host", printable(&name)));
        }
        if let Some(owner) = placed_by(&name, rules.credential_types) {
            return Err(format!(
                "the header `{}` belongs to credentials of type `{owner}`. Name a slot instead",
                printable(&name)
            ));
        }
        let header = HeaderName::from_bytes(lower.as_bytes())
            .map_err(|_| format!("`{}` is not a valid header name", printable(&name)))?;
        let value = HeaderValue::from_str(&value)
            .ok()
            .filter(|value| value.as_bytes().is_ascii())
            .ok_or_else(|| {
                format!("the value of the header `{lower}` contains forbidden characters")
            })?;
        judged.append(header, value);
    }
    judge_user_agent(&mut judged, rules.user_agent)?;
    Ok(judged)
}

/// Sets the host's `User-Agent` if the plugin does not set one.
fn judge_user_agent(headers: &mut HeaderMap, own: &HeaderValue) -> Result<(), String> {
    let mut given = headers.get_all(USER_AGENT).iter();
    match (given.next(), given.next()) {
        (Some(given), None) if given.is_empty() => Err("the header `user-agent` is empty".into()),
        (Some(given), None) if given.len() > limits::USER_AGENT => {
            let most = limits::USER_AGENT;
            Err(format!("the header `user-agent` is longer than {most} bytes"))
        }
        (Some(_), None) => Ok(()),
        (Some(_), Some(_)) => Err("the header `user-agent` is set twice".into()),
        (None, _) => {
            headers.insert(USER_AGENT, own.clone());
            Ok(())
        }
    }
}

/// The credential type of the plugin that writes this header, for any request and any spelling of
/// the header.
fn placed_by<'a>(name: &str, placed: &'a BTreeMap<String, CredentialType>) -> Option<&'a str> {
    let asked = canonical(name);
    placed.iter().find_map(|(name, credential_type)| {
        credential_type
            .placements
            .iter()
            .any(|placement| match &placement.kind {
                PlacementKind::Header { name } => canonical(name) == asked,
                _ => false,
            })
            .then_some(name.as_str())
    })
}

/// The `User-Agent` of requests whose plugin sets none: this host, and the node with its version.
pub(crate) fn user_agent(node: &str, version: Option<u32>) -> HeaderValue {
    const HOST: &str = concat!("workflow-node-host/", env!("CARGO_PKG_VERSION"));
    let version = version.map_or_else(String::new, |version| format!("/{version}"));
    // A described name has nothing that a header cannot hold.
    HeaderValue::from_str(&format!("{HOST} {node}{version}"))
        .unwrap_or_else(|_| HeaderValue::from_static(HOST))
}
