//! How a handle looks that a guest is given in place of a secret.

/// Beginning of a handle.
pub(crate) const PREFIX: &str = "secret:";

/// How many hexadecimal digits follow the prefix.
pub(crate) const DIGITS: usize = 32;

/// Whether a text is or was meant as a handle. What it stood for cannot be told when it is unknown,
/// so it is never sent as it is.
pub(crate) fn looks_like_handle(text: &str) -> bool {
    text.starts_with(PREFIX) || holds_handle(text.as_bytes())
}

/// Whether bytes hold a whole handle, wherever it stands.
pub(crate) fn holds_handle(bytes: &[u8]) -> bool {
    memchr::memmem::find_iter(bytes, PREFIX).any(|at| {
        let digits = bytes[at + PREFIX.len()..].iter().take(DIGITS);
        digits.filter(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count() == DIGITS
    })
}

/// The whole handles in some bytes.
pub(crate) fn handles_in(bytes: &[u8]) -> impl Iterator<Item = &str> {
    memchr::memmem::find_iter(bytes, PREFIX).filter_map(|at| {
        let handle = bytes.get(at..at + PREFIX.len() + DIGITS)?;
        holds_handle(handle).then_some(handle).and_then(|handle| std::str::from_utf8(handle).ok())
    })
}
