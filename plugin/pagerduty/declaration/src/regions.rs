//! The service regions, and the endpoints of PagerDuty's OAuth.

/// A service region.
#[derive(Debug, PartialEq, Eq)]
pub struct Region {
    /// Title in a form.
    pub name: &'static str,
    /// Short name in text.
    pub words: &'static str,
    /// Origin of the REST API.
    pub rest: &'static str,
    /// Origin of the Events API.
    pub events: &'static str,
}

/// The regions; the first is the default.
pub const REGIONS: &[Region] = &[
    Region {
        name: "us",
        words: "US",
        rest: "https://api.pagerduty.com",
        events: "https://events.pagerduty.com",
    },
    Region {
        name: "eu",
        words: "EU",
        rest: "https://api.eu.pagerduty.com",
        events: "https://events.eu.pagerduty.com",
    },
];

/// Page on which a user consents.
pub const AUTHORIZE_URL: &str = "https://identity.pagerduty.com/oauth/authorize";
/// Token endpoint.
pub const TOKEN_URL: &str = "https://identity.pagerduty.com/oauth/token";
/// Revocation endpoint. Known from other programs; PagerDuty's documentation does not name it.
pub const REVOKE_URL: &str = "https://identity.pagerduty.com/oauth/revoke";
