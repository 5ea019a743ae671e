//! A principal: a user of a tenant. Personal data is stored under both, so that no two people and
//! no two tenants ever share it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Defines a name that an engine gives.
macro_rules! name {
    ($(#[$attribute:meta])* $name:ident, $default:literal) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as the engine gave it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether this is the name that a host uses where its engine names none.
            pub fn is_default(&self) -> bool {
                self.0 == $default
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self($default.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == *other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == **other
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name)
            }
        }
    };
}

name! {
    /// A tenant of an engine: everything that its users share. Credentials, subscriptions, and data
    /// derived from them are never visible to another tenant. An engine without tenants uses the
    /// default one, `default`.
    Tenant, "default"
}

name! {
    /// A user within a tenant. A host that serves one person uses the default one, `local`.
    User, "local"
}

/// Who acts, in the engine's terms. The engine authenticates; the host believes it.
///
/// ```
/// use workflow_node_host::{Principal, Tenant};
///
/// let ada = Principal::user("ada");
/// assert_eq!(ada.tenant, Tenant::default());
/// assert_ne!(ada, Principal::of("acme", "ada"));
/// // A host that serves one person need not name them.
/// assert_eq!(Principal::default().to_string(), "local");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Principal {
    /// The tenant.
    pub tenant: Tenant,
    /// The user within the tenant.
    pub user: User,
}

impl Principal {
    /// A user of a tenant.
    pub fn of(tenant: impl Into<Tenant>, user: impl Into<User>) -> Self {
        Self { tenant: tenant.into(), user: user.into() }
    }

    /// A user of the default tenant.
    pub fn user(user: impl Into<User>) -> Self {
        Self { tenant: Tenant::default(), user: user.into() }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tenant.is_default() {
            true => self.user.fmt(formatter),
            false => write!(formatter, "{} of {}", self.user, self.tenant),
        }
    }
}

impl From<&str> for Principal {
    fn from(user: &str) -> Self {
        Self::user(user)
    }
}

impl From<String> for Principal {
    fn from(user: String) -> Self {
        Self::user(user)
    }
}
