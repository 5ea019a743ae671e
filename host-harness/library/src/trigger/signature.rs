//! Signatures of deliveries, checked over the raw body before a plugin sees anything of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use http::HeaderMap;
use sha2::Sha256;

use crate::description::{Signature, SignatureEncoding, SignatureScheme};
use crate::secret::Secret;

/// Signatures that are looked at in one delivery; each costs a hash of the body.
const MOST: usize = 16;

/// Why a delivery is not from where it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// It is not signed, or not in the way that is described.
    #[error("it has no signature in `{header}`")]
    Missing {
        /// Where one should stand.
        header: String,
    },
    /// It is signed with another secret, or altered.
    #[error("none of its signatures is valid: it was signed with another secret, or changed")]
    Wrong,
}

/// Checks a delivery's signature against any of some secrets. The time that it takes does not
/// depend on how much of a signature is right.
///
/// # Errors
///
/// If the signature is missing or invalid.
pub fn verify(
    rule: &Signature,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[&Secret],
) -> Result<(), SignatureError> {
    let values = headers.get_all(&rule.header).into_iter().filter_map(|value| value.to_str().ok());
    let mut found = Vec::new();
    for value in values {
        let parts: Vec<&str> = match rule.separator.as_deref() {
            Some(separator) => value.split(separator).collect(),
            None => vec![value],
        };
        for part in parts {
            let prefix = rule.prefix.as_deref().unwrap_or_default();
            if let Some(signature) =
                part.trim().strip_prefix(prefix).and_then(|text| decoded(rule, text))
            {
                found.push(signature);
            }
        }
    }
    if found.is_empty() {
        return Err(SignatureError::Missing { header: rule.header.clone() });
    }
    found.truncate(MOST);
    // A scheme that is not checked here is not satisfied.
    if rule.scheme != SignatureScheme::HmacSha256 {
        return Err(SignatureError::Wrong);
    }
    for secret in secrets {
        let mac = hmac_sha256(secret, body);
        if found.iter().any(|signature| mac.clone().verify_slice(signature).is_ok()) {
            return Ok(());
        }
    }
    Err(SignatureError::Wrong)
}

/// The value of the signature's header for a body: what a service would send.
pub fn sign(rule: &Signature, body: &[u8], secret: &Secret) -> String {
    let bytes = hmac_sha256(secret, body).finalize().into_bytes();
    let text = match rule.encoding {
        SignatureEncoding::Base64 => STANDARD.encode(bytes),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    format!("{}{text}", rule.prefix.as_deref().unwrap_or_default())
}

fn hmac_sha256(secret: &Secret, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(body);
    mac
}

fn decoded(rule: &Signature, text: &str) -> Option<Vec<u8>> {
    let bytes = match rule.encoding {
        SignatureEncoding::Base64 => STANDARD.decode(text).ok()?,
        SignatureEncoding::Hex => {
            if !text.is_ascii() || !text.len().is_multiple_of(2) {
                return None;
            }
            let digits = (0..text.len()).step_by(2);
            digits
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
                .collect::<Option<_>>()?
        }
        _ => return None,
    };
    // A shorter one would be compared in part only.
    (bytes.len() == 32).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn rule() -> Signature {
        Signature::new(
            SignatureScheme::HmacSha256,
            "X-PagerDuty-Signature",
            SignatureEncoding::Hex,
            "webhook-secret",
            "/secret",
        )
        .prefix("v1=")
        .separator(",")
    }

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-pagerduty-signature", HeaderValue::from_str(value).unwrap());
        headers
    }

    fn check(value: &str, body: &[u8], secrets: &[&str]) -> Result<(), SignatureError> {
        let secrets: Vec<Secret> = secrets.iter().map(|one| Secret::new(*one)).collect();
        verify(&rule(), &headers(value), body, &secrets.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_test_vectors_of_rfc_4231_hold() {
        let signature = sign(&rule(), b"what do ya want for nothing?", &Secret::new("Jefe"));
        assert_eq!(
            signature,
            "v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn one_valid_signature_of_several_suffices() {
        let body = br#"{"event":{}}"#;
        let right = sign(&rule(), body, &Secret::new("the secret"));
        let wrong = sign(&rule(), body, &Secret::new("another one"));
        for value in [
            right.clone(),
            format!("{wrong},{right}"),
            format!(" {right} , {wrong}"),
            format!("v2=00,{right},v1=zz"),
            right.to_uppercase().replace("V1=", "v1="),
        ] {
            assert_eq!(check(&value, body, &["old secret", "the secret"]), Ok(()), "{value}");
        }
        assert_eq!(check(&wrong, body, &["the secret"]), Err(SignatureError::Wrong));
        assert_eq!(check(&right, b"{}", &["the secret"]), Err(SignatureError::Wrong));
        assert_eq!(check(&right, body, &[]), Err(SignatureError::Wrong));
    }

    #[test]
    fn a_missing_signature_is_distinguished_from_a_wrong_one() {
        let digits = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        for value in
            ["", "v1=", "v2=00", digits, "v1=5bdc", "v1=é", "v1=+1", &format!("v1={digits}00")]
        {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.insert("x-pagerduty-signature", value);
            let error = verify(&rule(), &headers, b"", &[&Secret::new("the secret")]);
            assert!(matches!(error, Err(SignatureError::Missing { .. })), "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_crash(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut headers = HeaderMap::new();
                headers.insert("x-pagerduty-signature", value);
                prop_assert!(verify(&rule(), &headers, b"body", &[&Secret::new("the secret")]).is_err());
            }
        }

        #[test]
        fn every_flipped_bit_of_a_body_is_noticed(
            body in proptest::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let right = sign(&rule(), &body, &Secret::new("the secret"));
            prop_assert_eq!(check(&right, &body, &["the secret"]), Ok(()));
            let mut altered = body.clone();
            altered[at.index(body.len())] ^= 1 << bit;
            prop_assert_eq!(check(&right, &altered, &["the secret"]), Err(SignatureError::Wrong));
        }
    }
}
