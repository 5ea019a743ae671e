//! Client assertions: a client proves itself by a signature (`private_key_jwt`, RFC 7523 section 2.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::secret::Secret;

/// The value of `client_assertion_type`.
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Seconds for which an assertion is valid: one request, and a clock that is a little wrong.
const LIFETIME: u64 = 120;

/// Reads a private key in PEM.
type Reading = fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>;

/// RFC 7523 section 3.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: u64,
    exp: u64,
}

/// Signs an assertion of a client for a token endpoint. `key`: a private key in PEM: RSA (RS256), EC
/// on P-256 or P-384 (ES256, ES384), or Ed25519 (EdDSA). `now`: seconds since 1970.
///
/// # Errors
///
/// Description of the problem with the key, without any part of the key.
pub(super) fn assertion(
    key: &Secret,
    key_id: Option<&str>,
    client_id: &str,
    audience: &str,
    now: u64,
) -> Result<String, &'static str> {
    let jti = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    let claims = Claims {
        iss: client_id,
        sub: client_id,
        aud: audience,
        jti,
        iat: now,
        exp: now.saturating_add(LIFETIME),
    };
    // A key that came through an environment variable often has its line ends written out.
    let pem = key.expose().replace("\\n", "\n");
    let pem = pem.trim().as_bytes();
    let readings: [(Algorithm, Reading); 4] = [
        (Algorithm::RS256, EncodingKey::from_rsa_pem),
        (Algorithm::ES256, EncodingKey::from_ec_pem),
        (Algorithm::ES384, EncodingKey::from_ec_pem),
        (Algorithm::EdDSA, EncodingKey::from_ed_pem),
    ];
    let signed = readings.into_iter().find_map(|(algorithm, read)| {
        let header = Header { kid: key_id.map(str::to_owned), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, &claims, &read(pem).ok()?).ok()
    });
    signed.ok_or(
        "the private key cannot be read: it must be an unencrypted RSA, EC (P-256 or P-384, PKCS #8), \
         or Ed25519 key in PEM",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_private_key_is_refused_without_quoting_it() {
        for text in ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
        {
            let error = assertion(&Secret::new(text), None, "app", "https://id.test/token", 0);
            let error = error.unwrap_err();
            assert!(error.contains("in PEM") && !error.contains("hunter2"), "{error}");
        }
    }
}
