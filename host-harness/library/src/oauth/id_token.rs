//! The payload of an ID token, read for what a credential type names of it. It comes over TLS
//! straight from the token endpoint, so its signature adds nothing (OpenID Connect Core 1.0,
//! section 3.1.3.7, number 6), and nothing is decided by it but what is shown: whose account this
//! is, and whether it is the one from before. `configure` may narrow by it, never widen.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// No ID token is longer.
const LONGEST: usize = 64 * 1024;
/// How far clocks may be apart, in seconds.
const CLOCKS: u64 = 300;

/// Expected claims of an ID token.
pub(crate) struct Expected<'a> {
    /// Who may have issued it; empty for anybody.
    pub(crate) issuers: &'a [String],
    pub(crate) client_id: &'a str,
    /// Nonce that was sent. A `nonce` claim in the response must match it.
    pub(crate) nonce: Option<&'a str>,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

/// The named claims of an ID token.
///
/// # Errors
///
/// If it is not an ID token, was issued for somebody else, or has expired. The reason never quotes
/// it.
pub(crate) fn claims(
    token: &str,
    expected: &Expected<'_>,
    named: &[String],
) -> Result<Map<String, Value>, &'static str> {
    if token.len() > LONGEST {
        return Err("it is too long for an ID token");
    }
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("it is not a signed JWT");
    };
    let payload = URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .map_err(|_| "its payload is not base64url")?;
    let Ok(Value::Object(claims)) = serde_json::from_slice::<Value>(&payload) else {
        return Err("its payload is not a JSON object");
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if !expected.issuers.is_empty()
        && !text("iss").is_some_and(|issuer| expected.issuers.iter().any(|one| one == issuer))
    {
        return Err("it was issued by another issuer");
    }
    // PagerDuty puts its API's address there beside the client, so others may stand there, too.
    let is_for_us = match claims.get("aud") {
        None => true,
        Some(Value::String(audience)) => audience == expected.client_id,
        Some(Value::Array(audiences)) => {
            audiences.iter().any(|one| one.as_str() == Some(expected.client_id))
                || !audiences.iter().any(|one| one.as_str().is_some_and(is_client))
        }
        Some(_) => false,
    };
    if !is_for_us {
        return Err("its audience is another app");
    }
    if text("azp").is_some_and(|party| party != expected.client_id) {
        return Err("it was issued to another app");
    }
    if let (Some(sent), Some(nonce)) = (expected.nonce, claims.get("nonce"))
        && nonce.as_str() != Some(sent)
    {
        return Err("it belongs to another request");
    }
    let ends = claims.get("exp").and_then(Value::as_f64);
    if ends.is_some_and(|ends| ends + CLOCKS as f64 <= expected.now as f64) {
        return Err("it has expired");
    }
    Ok(named
        .iter()
        .filter_map(|name| Some((name.clone(), claims.get(name)?.clone())))
        .filter(|(_, value)| is_plain(value))
        .collect())
}

/// An audience that is a client's id, and not the address of an API.
fn is_client(audience: &str) -> bool {
    !audience.contains("://")
}

/// A text, a number, or a short list of them: what can be shown and compared.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= 1_000,
        Value::Number(_) | Value::Bool(_) => true,
        Value::Array(list) => {
            list.len() <= 20
                && list.iter().all(|one| !one.is_array() && !one.is_object() && is_plain(one))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn token(payload: &Value) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part("{\"alg\":\"RS256\"}"), part(&payload.to_string()), part("x"))
    }

    fn read(payload: &Value) -> Result<Map<String, Value>, &'static str> {
        let issuers = ["https://id.example/x".to_owned()];
        let expected =
            Expected { issuers: &issuers, client_id: "me", nonce: Some("n"), now: 1_000_000 };
        claims(&token(payload), &expected, &["account".to_owned(), "aud".to_owned()])
    }

    fn good() -> Value {
        json!({"iss": "https://id.example/x", "aud": ["me", "https://api.example"], "nonce": "n",
            "exp": 1_000_100, "account": "A1", "secret": "s"})
    }

    #[test]
    fn only_the_named_claims_come_out() {
        let claims = read(&good()).unwrap();
        assert_eq!(
            Value::Object(claims),
            json!({"account": "A1", "aud": ["me",
            "https://api.example"]})
        );
    }

    #[test]
    fn a_token_for_somebody_else_is_refused() {
        for (member, value, reason) in [
            ("iss", json!("https://evil.example"), "issued"),
            ("iss", json!(null), "issued"),
            ("aud", json!("you"), "another app"),
            ("aud", json!(["you", "https://api.example"]), "another app"),
            ("azp", json!("you"), "another app"),
            ("nonce", json!("m"), "another request"),
            ("exp", json!(999_700), "expired"),
        ] {
            let mut payload = good();
            payload[member] = value.clone();
            assert!(read(&payload).unwrap_err().contains(reason), "{member} {value}");
        }
        // The service's own address as the only audience, no nonce, clocks five minutes apart.
        for (member, value) in [
            ("aud", json!(["https://api.example"])),
            ("aud", json!("me")),
            ("azp", json!("me")),
            ("exp", json!(999_701)),
        ] {
            let mut payload = good();
            payload[member] = value.clone();
            assert!(read(&payload).is_ok(), "{member} {value}");
        }
    }

    #[test]
    fn nested_and_huge_claims_are_left_out() {
        let mut payload = good();
        payload["account"] = json!({"a": 1});
        assert!(!read(&payload).unwrap().contains_key("account"));
        payload["account"] = json!("x".repeat(1_001));
        assert!(!read(&payload).unwrap().contains_key("account"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let expected = Expected { issuers: &[], client_id: "me", nonce: None, now: 0 };
            let _read = claims(&text, &expected, &[]).is_ok();
        }

        #[test]
        fn any_payload_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let token = format!("a.{}.b", URL_SAFE_NO_PAD.encode(bytes));
            let expected = Expected { issuers: &[], client_id: "me", nonce: None, now: 0 };
            let _read = claims(&token, &expected, &["x".to_owned()]).is_ok();
        }
    }
}
