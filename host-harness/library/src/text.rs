//! Untrusted text in messages.

/// Untrusted text, escaped for a message.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
