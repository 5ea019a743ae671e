//! ID tokens, and their signing key.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

/// ring generates no RSA keys, and generating 2,048 bits takes long, so the key is in the sources.
/// It is public, and signs only for this simulator.
const KEY: &[u8] = include_bytes!("signing-key.pk8");
const KEY_ID: &str = "simulator-1";

/// SHA-256 in the notation of content security policies.
pub(crate) fn sha256_base64(text: &str) -> String {
    STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

/// SHA-256 in the notation of PKCE challenges.
pub(crate) fn sha256_base64url(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// `at_hash` of an access token: the left half of its digest.
pub(crate) fn half_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, token.as_bytes()).as_ref()[..16])
}

/// Signs ID tokens with RS256.
pub(crate) struct Signer(KeyPair);

impl Signer {
    /// # Errors
    ///
    /// If the key in the sources is broken.
    pub(crate) fn new() -> std::io::Result<Self> {
        KeyPair::from_pkcs8(KEY).map(Self).map_err(|error| std::io::Error::other(error.to_string()))
    }

    /// A compact JWT.
    ///
    /// # Panics
    ///
    /// If the system returns no random bytes for blinding.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "RS256", "kid": KEY_ID});
        let [header, claims] =
            [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let mut token = format!("{header}.{claims}");
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .expect("the buffer fits the key, and the system has random bytes");
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        token
    }

    /// The public key set.
    pub(crate) fn key_set(&self) -> Value {
        let PublicKeyComponents::<Vec<u8>> { n, e } = self.0.public_key().into();
        json!({"keys": [{
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": KEY_ID,
            "n": URL_SAFE_NO_PAD.encode(n),
            "e": URL_SAFE_NO_PAD.encode(e),
        }]})
    }
}
