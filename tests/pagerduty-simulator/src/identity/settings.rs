//! Settings of the identity service for tests.

use std::time::Duration;

use serde_json::Value;

use super::app::AppKind;

/// Settings of the identity service. The defaults follow PagerDuty's documentation, and are strict
/// where it is ambiguous.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IdentitySettings {
    /// Lifetime of access tokens. Default: depends on the kind of app.
    pub access_lifetime: Option<Duration>,
    /// Lifetime of refresh tokens. Default: depends on the kind of app.
    pub refresh_lifetime: Option<Duration>,
    /// How long a consent can be prolonged by refreshing. Default: depends on the kind of app.
    pub window: Option<Duration>,
    /// Lifetime of a code. Default: 30 seconds.
    pub code_lifetime: Duration,
    /// Grace period of a used refresh token. Default: none.
    pub grace: Duration,
    /// Whether every refresh rotates the refresh token.
    pub rotates: bool,
    /// Whether the reuse of a refresh token ends its whole family.
    pub reuse_ends_family: bool,
    /// Whether apps may authenticate with HTTP Basic; PagerDuty documents only the form.
    pub accepts_basic: bool,
    /// Whether `/oauth/revoke` exists; PagerDuty does not document it.
    pub has_revocation: bool,
    /// Whether the port of a loopback redirect URI may differ from the registered one.
    pub any_loopback_port: bool,
    /// Whether challenges are required and verifiers are checked. Otherwise the service behaves as
    /// if it did not support PKCE.
    pub checks_pkce: bool,
    /// The issuer in the metadata and in ID tokens.
    pub issuer: String,
    /// `code_challenge_methods_supported` in the metadata; the member is omitted if it is empty.
    pub code_challenge_methods: Vec<String>,
    /// `authorization_response_iss_parameter_supported` in the metadata.
    pub announces_iss: bool,
    /// The parameter `iss` of authorization responses (RFC 9207). Default: none.
    pub callback_iss: Option<String>,
    /// Scopes that are never granted, whatever the app is registered for.
    pub withheld_scopes: Vec<String>,
    /// Claims to add to ID tokens, or to omit if there is no value.
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
    /// Lifetime of access tokens. PagerDuty's text gives classic ones 30 days, its sample response
    /// 10 days; a client that uses `expires_in` supports both.
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
