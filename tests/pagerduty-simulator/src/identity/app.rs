//! Apps registered with PagerDuty: their identity and redirect URIs.

use crate::ids::{secret, uuid};
use crate::keys::Region;

/// Which of PagerDuty's two kinds of OAuth an app uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppKind {
    /// Classic User OAuth: the scopes are `read` and `write`, and any account can be connected.
    Classic,
    /// Scoped OAuth: a scope for each kind of object; tokens of users and of the app itself.
    Scoped,
}

/// An app that is registered with the identity service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Name on the consent page.
    pub name: String,
    /// Its client ID.
    pub client_id: String,
    /// Its client secret; none for a public client, which must use PKCE instead.
    pub client_secret: Option<String>,
    /// Its kind of OAuth.
    pub kind: AppKind,
    /// Its redirect URIs.
    pub redirect_uris: Vec<String>,
    /// The scopes that it may request.
    pub scopes: Vec<String>,
    /// The account that registered it. App tokens are valid for this account only.
    pub home: Region,
    /// Whether users of other accounts may connect a scoped app; with a classic app they always
    /// may.
    pub published: bool,
}

impl App {
    fn new(name: &str, kind: AppKind, home: Region, scopes: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            client_id: uuid(),
            // An unescaped value in a form is detected by its `+`.
            client_secret: Some(format!("pd{home}+_{}-{}", secret(20), secret(20))),
            kind,
            redirect_uris: Vec::new(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            home,
            published: false,
        }
    }

    /// A classic app of the US account that may read and write, with a generated secret.
    #[must_use]
    pub fn classic(name: &str) -> Self {
        Self::new(name, AppKind::Classic, Region::Us, &["read", "write"])
    }

    /// A scoped app of an account, with a generated secret.
    #[must_use]
    pub fn scoped(name: &str, home: Region, scopes: &[&str]) -> Self {
        Self::new(name, AppKind::Scoped, home, scopes)
    }

    /// Adds a redirect URI.
    #[must_use]
    pub fn redirect_uri(mut self, uri: &str) -> Self {
        self.redirect_uris.push(uri.to_owned());
        self
    }

    /// Removes the secret: a public client.
    #[must_use]
    pub fn without_secret(mut self) -> Self {
        self.client_secret = None;
        self
    }

    /// Allows users of other accounts to connect a scoped app.
    #[must_use]
    pub fn published(mut self) -> Self {
        self.published = true;
        self
    }

    /// Whether users of this account may connect it.
    pub(crate) fn serves(&self, region: Region) -> bool {
        self.kind == AppKind::Classic || self.published || self.home == region
    }

    /// Whether a code challenge is required.
    pub(crate) fn needs_challenge(&self) -> bool {
        self.kind == AppKind::Scoped || self.client_secret.is_none()
    }

    /// Whether `uri` is a redirect URI of the app.
    pub(crate) fn may_redirect_to(&self, uri: &str, any_loopback_port: bool) -> bool {
        self.redirect_uris.iter().any(|registered| {
            registered == uri
                || any_loopback_port
                    && without_loopback_port(registered)
                        .is_some_and(|rest| without_loopback_port(uri) == Some(rest))
        })
    }

    /// Splits requested scopes into those that the app may have, in the requested order and with
    /// `openid` first, and the rest.
    pub(crate) fn sort_scopes(
        &self,
        asked: &str,
        withheld: &[String],
    ) -> (Vec<String>, Vec<String>) {
        let mut granted = vec!["openid".to_owned()];
        let mut dropped = Vec::new();
        for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
            let scope = scope.to_owned();
            if granted.contains(&scope) || dropped.contains(&scope) {
                continue;
            }
            let allowed = self.scopes.contains(&scope) && !withheld.contains(&scope);
            if allowed { granted.push(scope) } else { dropped.push(scope) }
        }
        (granted, dropped)
    }
}

/// Splits an `http` URI of a loopback address into its address and the part after the port; none
/// for any other URI. Compares text, because only the port may differ (RFC 8252, 7.3).
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let (address, rest) = ["127.0.0.1", "[::1]"]
        .into_iter()
        .find_map(|address| rest.strip_prefix(address).map(|rest| (address, rest)))?;
    let rest = match rest.strip_prefix(':') {
        Some(rest) => {
            let path = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
            let port = &rest[..rest.len() - path.len()];
            port.parse::<u16>().ok()?;
            path
        }
        None => rest,
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((address, rest))
}

/// The initial apps: classic with and without a secret, and scoped in either account.
pub(crate) fn at_start() -> Vec<App> {
    let scopes: Vec<&str> = crate::facts::scopes().into_iter().collect();
    let scoped = |home, place| App::scoped(&format!("Scoped app ({place})"), home, &scopes);
    let apps = [
        App::classic("Classic app"),
        App::classic("Classic app, no secret").without_secret(),
        scoped(Region::Us, "US"),
        scoped(Region::Eu, "EU"),
    ];
    apps.into_iter()
        .map(|app| {
            app.redirect_uri("http://127.0.0.1/callback")
                .redirect_uri("http://[::1]/callback")
                .redirect_uri("https://example.com/callback")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let app = App::classic("x")
            .redirect_uri("http://127.0.0.1/callback")
            .redirect_uri("http://[::1]:8080/callback?a=b")
            .redirect_uri("http://localhost:9000/callback")
            .redirect_uri("https://example.com/callback");
        for good in [
            "http://127.0.0.1/callback",
            "http://127.0.0.1:1/callback",
            "http://127.0.0.1:65535/callback",
            "http://[::1]:9/callback?a=b",
            "http://localhost:9000/callback",
            "https://example.com/callback",
        ] {
            assert!(app.may_redirect_to(good, true), "{good}");
        }
        for bad in [
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:80:90/callback",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://127.0.0.1:80/callback/",
            "http://127.0.0.1:80/callback#x",
            "http://127.0.0.1:80/callback?x",
            "http://127.0.0.2:80/callback",
            "https://127.0.0.1:80/callback",
            "HTTP://127.0.0.1:80/callback",
            "http://[::1]:9/callback",
            "http://localhost:9001/callback",
            "https://example.com:443/callback",
            "https://example.com/Callback",
            "https://example.com/callback?",
        ] {
            assert!(!app.may_redirect_to(bad, true), "{bad}");
        }
        assert!(!app.may_redirect_to("http://127.0.0.1:1/callback", false));
        assert!(app.may_redirect_to("http://127.0.0.1/callback", false));
    }
}
