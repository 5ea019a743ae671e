//! Parameters of queries and form bodies, by the rules of OAuth for both.

use super::refusal::{Refusal, refuse};

/// Decoded parameters, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn read(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// A value. A parameter with an empty value counts as omitted (RFC 6749, 3.1 and 3.2).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| refuse("invalid_request", format!("{name} is missing")))
    }

    /// No parameter may be repeated.
    pub(crate) fn once_each(&self) -> Result<(), Refusal> {
        for (place, (name, _)) in self.0.iter().enumerate() {
            if self.0[..place].iter().any(|(other, _)| other == name) {
                return Err(refuse("invalid_request", "A parameter was sent more than once"));
            }
        }
        Ok(())
    }

    /// The names that are not in a list, for violations.
    pub(crate) fn strange<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(name, _)| name.as_str()).filter(|name| !known.contains(name))
    }
}
