//! Replaces secrets in text that is stored for people, such as recordings.

use crate::egress::EchoFilter;
use crate::secret::Secret;

/// Replaces secrets in bytes by placeholders: their exact values, and the encodings that the host
/// takes out of responses (base64, hexadecimal, percent-encoding, JSON escapes, and others, nested up
/// to three deep). Secrets that were altered or split are not found.
#[derive(Default)]
pub struct Redaction {
    filters: Vec<(String, EchoFilter)>,
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Redaction([secrets])")
    }
}

impl Redaction {
    /// Replaces this secret from now on. One that is added first is replaced first. A secret shorter
    /// than [`Secret::MINIMUM_LENGTH`] is refused, and returns false: replacing it would tear texts
    /// apart.
    pub fn add(&mut self, secret: &Secret, placeholder: impl Into<String>) -> bool {
        let is_long = secret.len() >= Secret::MINIMUM_LENGTH;
        if is_long {
            self.filters.push((placeholder.into(), EchoFilter::new([secret])));
        }
        is_long
    }

    /// The bytes with placeholders in place of the secrets. Takes time with their size and with the
    /// number of secrets.
    pub fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        self.filters.iter().fold(bytes.to_vec(), |bytes, (placeholder, filter)| {
            filter.replaced(&bytes, placeholder).unwrap_or(bytes)
        })
    }

    /// The text with placeholders in place of the secrets.
    pub fn apply_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.apply(text.as_bytes())).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_replaced_by_its_own_placeholder_in_every_encoding() {
        let mut redaction = Redaction::default();
        assert!(redaction.add(&Secret::new("first/secret+1"), "ONE"));
        assert!(redaction.add(&Secret::new("second secret"), "TWO"));
        assert!(!redaction.add(&Secret::new("short"), "THREE"));
        let text = r#"a=first%2Fsecret%2B1&b=second+secret {"c":"first\/secret\u002b1"} short"#;
        let clean = redaction.apply_text(text);
        assert_eq!(
            clean,
            r#"a=ONE&b=second+secret {"c":"ONE"} short"#.replace("second+secret", "TWO")
        );
        let hex: String = "first/secret+1".bytes().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(redaction.apply_text(&hex), "ONE");
    }
}
