//! What tests may change about the identity service.

use std::time::Duration;

use serde_json::Value;

use super::app::AppKind;

/// Settings of the identity service. They start as PagerDuty's documents have it, and the stricter
/// way where the documents leave something open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IdentitySettings {
    /// How long access tokens live; by the kind of the app unless given.
    pub access_lifetime: Option<Duration>,
    /// How long refresh tokens live; by the kind of the app unless given.
    pub refresh_lifetime: Option<Duration>,
    /// How long a consent can be prolonged by refreshing; by the kind of the app unless given.
    pub window: Option<Duration>,
    /// How long a code lives: 30 seconds.
    pub code_lifetime: Duration,
    /// How long a spent refresh token may be spent again: not at all.
    pub grace: Duration,
    /// Whether every refresh gives a new refresh token and spends the old one.
    pub rotates: bool,
    /// Whether a spent refresh token that comes again ends its whole family.
    pub reuse_ends_family: bool,
    /// Whether apps may authenticate with HTTP Basic; PagerDuty documents the form only.
    pub accepts_basic: bool,
    /// Whether `/oauth/revoke` exists; PagerDuty does not document it.
    pub has_revocation: bool,
    /// Whether a port may differ from the registered one in the redirect URI of a loopback address.
    pub any_loopback_port: bool,
    /// Whether challenges are demanded and verifiers are checked. Without it, the service behaves
    /// like one that has never heard of PKCE.
    pub checks_pkce: bool,
    /// The issuer in the metadata and in ID tokens.
    pub issuer: String,
    /// What the metadata says in `code_challenge_methods_supported`; the member is left out when
    /// this is empty.
    pub code_challenge_methods: Vec<String>,
    /// What the metadata says in `authorization_response_iss_parameter_supported`.
    pub announces_iss: bool,
    /// The parameter `iss` of answers to the redirect URI (RFC 9207); none unless given.
    pub callback_iss: Option<String>,
    /// Scopes that nobody is granted, whatever the app is registered for.
    pub withheld_scopes: Vec<String>,
    /// Claims to put into ID tokens, or with none to leave out of them.
    pub claims: Vec<(String, Option<Value>)>,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            access_lifetime: None,
            refresh_lifetime: None,
            window: None,
            code_lifetime: Duration::from_secs(30),
            grace: Duration::ZERO,
            rotates: true,
            reuse_ends_family: true,
            accepts_basic: false,
            has_revocation: true,
            any_loopback_port: true,
            checks_pkce: true,
            issuer: "https://identity.pagerduty.com/global/oauth/anonymous".to_owned(),
            code_challenge_methods: vec!["S256".to_owned()],
            announces_iss: false,
            callback_iss: None,
            withheld_scopes: Vec::new(),
            claims: Vec::new(),
        }
    }
}

impl IdentitySettings {
    /// How long access tokens live. PagerDuty's text gives classic ones 30 days, its sample answer
    /// 10; a client that trusts `expires_in` does not care.
    pub(crate) fn access(&self, kind: AppKind) -> Duration {
        self.access_lifetime.unwrap_or(match kind {
            AppKind::Classic => days(10),
            AppKind::Scoped => days(1),
        })
    }

    pub(crate) fn refresh(&self, kind: AppKind) -> Duration {
        self.refresh_lifetime.unwrap_or(match kind {
            AppKind::Classic => days(210),
            AppKind::Scoped => days(30),
        })
    }

    pub(crate) fn window(&self, kind: AppKind) -> Duration {
        self.window.unwrap_or(match kind {
            AppKind::Classic => days(3 * 365),
            AppKind::Scoped => days(365),
        })
    }
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}
