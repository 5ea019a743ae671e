//! Judges a request before anything is done for it.

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::headers::{canonical, is_hosts, overrides_method};
use super::session::{Policy, Session};
use super::slot::SlotCredential;
use crate::bindings::workflow::node::http::{Request, SendError, SendErrorKind};
use crate::description::PlacementKind;
use crate::limits;
use crate::origin::{Origin, OriginOfUrl as _, OriginPattern};

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

/// A request that got no answer and was not sent.
pub(super) fn refusal(kind: SendErrorKind, message: impl Into<String>) -> SendError {
    SendError { kind, message: message.into(), maybe_sent: false, retry_after: None }
}

/// Judges it.
pub(super) fn judge(
    request: Request,
    session: &Session,
    credential: Option<&SlotCredential>,
) -> Result<Judged, SendError> {
    let policy = &session.policy;
    let invalid = |message: String| refusal(SendErrorKind::InvalidRequest, message);
    let method = match request.method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => {
            Method::from_bytes(known.as_bytes()).map_err(|error| invalid(error.to_string()))?
        }
        other => {
            let known = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
            return Err(invalid(format!("the method `{}` is none of {known}", printable(other))));
        }
    };
    let url = parse_url(&request.url).map_err(invalid)?;
    let origin =
        Origin::of(&url).ok_or_else(|| invalid("the URL is neither https nor http".into()))?;
    judge_origin(&origin, session, credential)?;
    let headers = judge_headers(request.headers, policy).map_err(invalid)?;
    let body = request.body.map(Bytes::from);
    if body.is_some() && matches!(method, Method::GET | Method::HEAD) {
        return Err(invalid(format!("a {method} request has no body")));
    }
    let repeatable = matches!(method, Method::GET | Method::HEAD | Method::OPTIONS)
        || request.idempotency_key.as_ref().is_some_and(|key| !key.is_empty());
    Ok(Judged { method, url, origin, headers, body, repeatable })
}

fn judge_origin(
    origin: &Origin,
    session: &Session,
    credential: Option<&SlotCredential>,
) -> Result<(), SendError> {
    let denied = |message: String| Err(refusal(SendErrorKind::Denied, message));
    let allowed = |list: &[OriginPattern]| list.iter().any(|pattern| pattern.matches(origin));
    let names = |list: &[OriginPattern]| match list {
        [] => "none".to_owned(),
        list => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    if !origin.is_https() && !session.transport.is_mapped(origin) {
        return denied(format!(
            "{origin} is not https; plain http is only for a test origin that the operator maps: \
             --connect-to {origin}=ORIGIN"
        ));
    }
    let policy = &session.policy;
    if !allowed(&policy.origins) {
        return denied(format!(
            "{origin} is not among the origins that were approved for this plugin ({}). Only a \
             plugin whose description names it, approved anew, may reach it",
            names(&policy.origins)
        ));
    }
    if session.approval.withheld.holds_back(origin) {
        return denied(crate::approval::withheld(
            &format!("requests to {origin}"),
            &format!("--without-origin {origin}"),
        ));
    }
    if let Some(operator) = &session.operator
        && !allowed(operator)
    {
        return denied(format!(
            "{origin} is not on the operator's list ({}): --allow {origin} would allow it",
            names(operator)
        ));
    }
    if let Some(credential) = credential
        && !allowed(&credential.audiences)
    {
        return denied(format!(
            "the credential `{}` is for {}, not for {origin}; it is sent nowhere else",
            credential.name,
            names(&credential.audiences)
        ));
    }
    Ok(())
}

/// Parses a URL once, and only one that every parser reads the same way: what it names must stand
/// in it as it is.
fn parse_url(text: &str) -> Result<Url, String> {
    // Without the query: what is shown here stands in the audit, too.
    let shown = || printable(text.split('?').next().unwrap_or_default());
    if let Some(odd) = text.bytes().find(|byte| !byte.is_ascii_graphic() || *byte == b'\\') {
        return Err(format!("the URL `{}` holds the byte {odd:#04x}: percent-encode it", shown()));
    }
    let url = Url::parse(text).map_err(|error| format!("the URL `{}`: {error}", shown()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL holds user information; a credential goes through a slot".into());
    }
    if url.fragment().is_some() {
        return Err("the URL has a fragment, which is never sent".into());
    }
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| overrides_method(name)) {
        return Err(format!(
            "the query parameter `{}` replaces the method of the request. Send the request with \
             the method that is meant",
            printable(&name)
        ));
    }
    let authority = text
        .split_once("://")
        .map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default())
        .unwrap_or_default();
    let parsed = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(format!("the URL `{}` has no host", shown())),
    };
    let default_port = if url.scheme() == "https" { ":443" } else { ":80" };
    let written = authority.to_ascii_lowercase();
    if written != parsed && written.strip_suffix(default_port) != Some(&parsed) {
        return Err(format!(
            "the URL `{}` writes its host as `{authority}`, but means `{parsed}`: write it so",
            shown()
        ));
    }
    if url.host_str().is_some_and(|host| host.ends_with('.')) {
        return Err("the URL's host ends with a dot: leave it out".into());
    }
    Ok(url)
}

fn judge_headers(headers: Vec<(String, String)>, policy: &Policy) -> Result<HeaderMap, String> {
    let mut judged = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        if is_hosts(&name) {
            return Err(format!("the header `{}` belongs to the host", printable(&name)));
        }
        if let Some(owner) = placed_by(&name, policy) {
            return Err(format!(
                "the header `{}` belongs to credentials of type `{owner}`: name a slot instead",
                printable(&name)
            ));
        }
        let header = HeaderName::from_bytes(lower.as_bytes())
            .map_err(|_| format!("`{}` is no header name", printable(&name)))?;
        let value = HeaderValue::from_str(&value)
            .ok()
            .filter(|value| value.as_bytes().is_ascii())
            .ok_or_else(|| {
                format!("the value of the header `{lower}` holds forbidden characters")
            })?;
        judged.append(header, value);
    }
    judge_user_agent(&mut judged, policy)?;
    Ok(judged)
}

/// Sets the host's `User-Agent` where the plugin has none of its own.
fn judge_user_agent(headers: &mut HeaderMap, policy: &Policy) -> Result<(), String> {
    let mut given = headers.get_all(USER_AGENT).iter();
    match (given.next(), given.next()) {
        (Some(own), None) if own.is_empty() => Err("the header `user-agent` is empty".into()),
        (Some(own), None) if own.len() > limits::USER_AGENT => {
            let most = limits::USER_AGENT;
            Err(format!("the header `user-agent` is longer than {most} bytes"))
        }
        (Some(_), None) => Ok(()),
        (Some(_), Some(_)) => Err("the header `user-agent` is set twice".into()),
        (None, _) => {
            headers.insert(USER_AGENT, policy.user_agent.clone());
            Ok(())
        }
    }
}

/// The credential type of the plugin that writes this header, whatever the request and however the
/// header is spelled.
fn placed_by<'a>(name: &str, policy: &'a Policy) -> Option<&'a str> {
    let asked = canonical(name);
    policy.credential_types.iter().find_map(|(name, credential_type)| {
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

/// Foreign text as it may stand in a message.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse_url;

    #[test]
    fn a_url_that_parsers_could_read_differently_is_refused() {
        for url in [
            "https://api.example.com@evil.test/",
            "https://user@api.example.com/",
            "https://api.example.com\\@evil.test/",
            "https://api.example.com/\t",
            "https://api.example.com /",
            "https://api%2eexample.com/",
            "https://api.example.com./",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://api.example.com/#x",
            "https://exämple.com/",
            "https:///x",
            "//api.example.com/",
            "api.example.com",
            "",
            "https://a\nb/",
            "https:/api.example.com/",
            "https:api.example.com",
        ] {
            assert!(parse_url(url).is_err(), "{url}");
        }
        for url in [
            "https://api.example.com",
            "https://api.example.com:443/a?b=c",
            "https://API.example.com/",
            "http://127.0.0.1:8080/",
            "https://[::1]/",
            "https://xn--bcher-kva.example/",
        ] {
            assert!(parse_url(url).is_ok(), "{url}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn an_accepted_url_names_the_host_that_is_written_in_it(
            url in "https?:/{1,3}[a-eA-E0-9.@:/\\\\%\\[\\]#? \t\n\u{e4}\u{430}-]{0,40}"
        ) {
            if let Ok(parsed) = parse_url(&url) {
                let host = parsed.host_str().unwrap_or_default();
                let written = url.to_ascii_lowercase();
                let after = written.strip_prefix(&format!("{}://{host}", parsed.scheme()));
                prop_assert!(after.is_some(), "{url:?} means {host}");
                prop_assert!(after.is_none_or(|rest| {
                    rest.is_empty() || rest.starts_with(['/', '?', ':'])
                }), "{url:?} means {host}");
            }
        }
    }
}
