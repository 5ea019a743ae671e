//! Name of a journal.

use std::fmt;
use std::str::FromStr;

use crate::digest::Parts;
use crate::digest::hex;
use crate::principal::Tenant;

/// Name of a journal: a digest of the tenant and the execution's ID, so that an ID may hold any
/// characters, and no tenant can name the journal of another. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JournalName([u8; 32]);

impl JournalName {
    /// The name of the journal of a tenant's execution.
    pub fn of(tenant: &Tenant, execution: &str) -> Self {
        Self(Parts::default().with("journal").with(tenant.as_str()).with(execution).digest())
    }

    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for JournalName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for JournalName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A text that is not the name of a journal.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the name of a journal: it has 64 hexadecimal digits")]
pub struct JournalNameError(String);

impl FromStr for JournalName {
    type Err = JournalNameError;

    fn from_str(text: &str) -> Result<Self, JournalNameError> {
        let wrong = || JournalNameError(text.to_owned());
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let digits = Some(text.as_bytes()).filter(|it| it.len() == 64 && it.iter().all(is_digit));
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.ok_or_else(wrong)?.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_is_written_and_differs_by_tenant_and_id() {
        let name = JournalName::of(&"a".into(), "bc");
        assert_eq!(name.to_string().parse::<JournalName>().unwrap(), name);
        assert_ne!(name, JournalName::of(&"ab".into(), "c"));
        assert_ne!(name, JournalName::of(&"a".into(), "bd"));
        for wrong in ["", "../../x", &"g".repeat(64), &"A".repeat(64), &"é".repeat(32)] {
            assert!(wrong.parse::<JournalName>().is_err(), "{wrong}");
        }
    }
}
