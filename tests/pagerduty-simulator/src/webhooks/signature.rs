//! The signature of a delivery: one HMAC of the bytes per valid secret.

use std::fmt::Write as _;

use ring::hmac;

/// The value of `X-PagerDuty-Signature`.
pub(super) fn sign(secrets: &[String], body: &[u8]) -> String {
    let one = |secret: &String| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let mut text = String::from("v1=");
        for byte in hmac::sign(&key, body).as_ref() {
            // Writing to a string does not fail.
            let _ok = write!(text, "{byte:02x}");
        }
        text
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_matches_the_published_test_vector() {
        // RFC 4231, test case 2.
        let signature = sign(&["Jefe".to_owned()], b"what do ya want for nothing?");
        let expected = "v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature, expected);
        let two = sign(&["Jefe".to_owned(), "other".to_owned()], b"what do ya want for nothing?");
        assert!(two.starts_with(&format!("{expected},v1=")));
    }
}
