//! A string that must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// A secret. It is wiped when dropped, prints as `[secret]`, and can be neither serialised nor
/// compared in a way that takes a time depending on its content.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The shortest secret that a credential may hold, in bytes. A shorter one could not be removed
    /// from answers without tearing them apart.
    pub const MINIMUM_LENGTH: usize = 8;

    /// Takes a secret over.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The secret itself. Every call is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_does_not_show_when_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter22")), "[secret]");
    }
}
