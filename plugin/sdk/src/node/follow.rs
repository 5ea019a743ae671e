//! The URL of the next page, as the service returns it in the header `Link` (RFC 8288) or in the
//! body. This module resolves it, and refuses a URL of another origin. The host checks the request
//! in any case.

use crate::http::Response;
use crate::percent;

/// The text that the host inserts in place of a credential that a response echoes.
const REMOVED: &str = "[credential removed]";

/// The target of the link `rel="next"` in the headers of an answer.
pub(super) fn next_link(response: &Response) -> Option<String> {
    let links = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("link"));
    links.filter_map(|(_, value)| next_of(value)).next()
}

/// The target of `rel="next"` in one header.
fn next_of(mut value: &str) -> Option<String> {
    loop {
        let (_, rest) = value.split_once('<')?;
        let (target, parameters) = rest.split_once('>')?;
        let (is_next, rest) = parameters_of(parameters);
        if is_next {
            return Some(target.to_owned());
        }
        value = rest;
    }
}

/// Whether the parameters of a link make it the next page of this response, and the rest of the
/// header.
fn parameters_of(mut text: &str) -> (bool, &str) {
    let mut relation = None;
    let mut is_elsewhere = false;
    loop {
        text = text.trim_start();
        let Some(rest) = text.strip_prefix(';') else { break };
        let rest = rest.trim_start();
        let end = rest.find(['=', ';', ',']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let (value, rest) = match rest.strip_prefix('=') {
            Some(rest) => value_of(rest.trim_start()),
            None => (String::new(), rest),
        };
        let name = name.trim_end();
        // The first one counts; RFC 8288, section 3.3.
        if name.eq_ignore_ascii_case("rel") && relation.is_none() {
            relation = Some(value);
        } else if name.eq_ignore_ascii_case("anchor") {
            // The link belongs to another resource than this response.
            is_elsewhere = true;
        }
        text = rest;
    }
    let is_next = |relation: String| {
        relation.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case("next"))
    };
    (relation.is_some_and(is_next) && !is_elsewhere, text)
}

/// The value of a parameter, quoted or not, and the rest of the header.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        return (text[..end].trim_end().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut is_escaped = false;
    for (at, character) in quoted.char_indices() {
        match character {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => return (value, &quoted[at + 1..]),
            _ => {
                is_escaped = false;
                value.push(character);
            }
        }
    }
    (value, "")
}

/// Resolves a reference against the URL of a request.
///
/// # Errors
///
/// Returns the reason if it must not be followed.
pub(super) fn resolve(base: &str, reference: &str) -> Result<String, &'static str> {
    let reference = reference.trim();
    let reference = reference.split('#').next().unwrap_or_default();
    if reference.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\') {
        return Err("is not a URL");
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split('?').next().unwrap_or_default();
    let origin = [scheme, "://", authority].concat();
    let target = if let Some((their_scheme, rest)) = absolute(reference) {
        let rest = rest.strip_prefix("//").ok_or("is not at the origin of the request")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (their_authority, rest) = rest.split_at(end);
        let theirs = their_scheme.unwrap_or(scheme).to_ascii_lowercase();
        let is_same = theirs == scheme.to_ascii_lowercase()
            && host_and_port(&theirs, their_authority) == host_and_port(&theirs, authority);
        if !is_same {
            return Err("is not at the origin of the request");
        }
        [&origin, rest].concat()
    } else if reference.starts_with('/') {
        [&origin, reference].concat()
    } else if reference.starts_with('?') || reference.is_empty() {
        [&origin, path, reference].concat()
    } else {
        let directory = path.rfind('/').map_or("/", |at| &path[..=at]);
        [&origin, directory, reference].concat()
    };
    Ok(written(&target))
}

/// The scheme of a reference that has one or begins with `//`, and the rest.
fn absolute(reference: &str) -> Option<(Option<&str>, &str)> {
    if reference.starts_with("//") {
        return Some((None, reference));
    }
    let (scheme, rest) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((Some(scheme), rest))
}

/// An authority for comparison: in lower case, without the default port of the scheme.
fn host_and_port(scheme: &str, authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let port = if scheme == "http" { ":80" } else { ":443" };
    match authority.strip_suffix(port) {
        Some(host) => host.to_owned(),
        None => authority,
    }
}

/// The URL with all invalid bytes encoded, and without the query parameters that held a credential:
/// the host adds them again.
fn written(url: &str) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut target = String::with_capacity(url.len());
    encode(&mut target, path);
    let mut mark = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(REMOVED)) {
        target.push(mark);
        encode(&mut target, pair);
        mark = '&';
    }
    target
}

fn encode(target: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '!'..='~' => target.push(character),
            _ => percent::encode_into(target, character.encode_utf8(&mut [0; 4])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://api.test/v1/things?limit=2";

    #[test]
    fn a_reference_is_resolved_against_the_request() {
        for (reference, url) in [
            ("https://api.test/v1/things?page=2", "https://api.test/v1/things?page=2"),
            ("HTTPS://API.test:443/v1?a=b#part", "https://api.test/v1?a=b"),
            ("//api.test/v2", "https://api.test/v2"),
            ("/v2?x=1", "https://api.test/v2?x=1"),
            ("?page=2", "https://api.test/v1/things?page=2"),
            ("things?page=2", "https://api.test/v1/things?page=2"),
            (" /v1?q=a b&t=\u{e9} ", "https://api.test/v1?q=a%20b&t=%C3%A9"),
            ("/v1?key=[credential removed]&page=2", "https://api.test/v1?page=2"),
            ("/v1?at=12:30", "https://api.test/v1?at=12:30"),
            ("https://api.test?page=2", "https://api.test?page=2"),
        ] {
            assert_eq!(resolve(BASE, reference).as_deref(), Ok(url), "{reference}");
        }
        assert_eq!(resolve("https://api.test", "x").unwrap(), "https://api.test/x");
        let port = "https://api.test:8443/x";
        assert!(resolve(port, "https://api.test:8443/y").is_ok());
        assert!(resolve(port, "https://api.test/y").is_err());
    }

    #[test]
    fn a_reference_to_another_origin_is_refused() {
        for reference in [
            "https://evil.test/v1/things",
            "//evil.test/v1/things",
            "http://api.test/v1/things",
            "https://api.test:8443/v1/things",
            "https://api.test@evil.test/",
            "https://user@api.test/",
            "https://api.test.evil.test/",
            "https://api.test./",
            "https:api.test/v1",
            "javascript:alert(1)",
            "https://api.test\\@evil.test/",
            "/v1\r\nHost: evil.test",
        ] {
            assert!(resolve(BASE, reference).is_err(), "{reference}");
        }
    }

    #[test]
    fn the_next_page_is_found_in_any_form_of_a_link_header() {
        for (header, target) in [
            (r#"<https://a.test/2>; rel="next""#, Some("https://a.test/2")),
            (r#"</1>; rel=prev, </3>; rel=next"#, Some("/3")),
            (r#"</2>;REL="last Next""#, Some("/2")),
            (r#"</2> ; title="a, b; rel=\"next\"" ; rel="last", </3>;rel="next""#, Some("/3")),
            (r#"</a,b;c>; rel="next""#, Some("/a,b;c")),
            (r#"</2>; rel="prev"; rel="next""#, None),
            (r##"</2>; rel="next"; anchor="#other""##, None),
            (r#"</2>; rel="nextpage""#, None),
            (r#"</2>; next"#, None),
            ("</2", None),
            ("", None),
        ] {
            assert_eq!(next_of(header).as_deref(), target, "{header}");
        }
    }
}
