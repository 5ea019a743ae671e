//! Servers whose origin the operator chooses: the hosts of services that people run themselves.
//!
//! A node names a server and the hosts that it may have. Origins of the node and of its credential
//! types refer to it as `https://{name}`, which allows nothing until an operator has chosen.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::members::document;
use crate::origin::{OriginError, Scheme};
use crate::{CredentialType, Grant, Origin, OriginPattern};

document! {
    /// A server whose origin the operator chooses.
    closed struct Server {
        required {
            /// Name of the server, to which origins refer as `https://{name}`.
            name: String,
            /// Description of the server, for the person who chooses its origin.
            description: String,
            /// The origins that may be chosen.
            within: Vec<ServerPattern>,
        }
    }
}

/// Which origins an operator may choose for a server. All of them are https.
///
/// | pattern | allows |
/// | --- | --- |
/// | `https://*` | every host, port 443 |
/// | `https://*:*` | every host, every port |
/// | `https://*.example.com` | every host below example.com, port 443 |
/// | `https://*.example.com:*`, `https://git.example.com:*` | the same hosts, every port |
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerPattern {
    /// `None`: every host.
    hosts: Option<OriginPattern>,
    /// `None`: every port.
    port: Option<u16>,
}

impl ServerPattern {
    /// Every host, with the port of https.
    pub const ANY_HOST: Self = Self { hosts: None, port: Some(443) };

    /// Every host and every port.
    pub const ANY: Self = Self { hosts: None, port: None };

    /// Whether an origin may be chosen.
    pub fn allows(&self, origin: &Origin) -> bool {
        let is_allowed = |pattern: &OriginPattern| {
            // The pattern has a separate port, which is compared here.
            pattern.matches(&Origin::of_parts(Scheme::Https, origin.host(), 443))
        };
        origin.is_https()
            && self.port.is_none_or(|port| port == origin.port())
            && self.hosts.as_ref().is_none_or(is_allowed)
    }

    /// Whether it allows everything that `other` allows.
    pub fn covers(&self, other: &Self) -> bool {
        let hosts = match (&self.hosts, &other.hosts) {
            (None, _) => true,
            (Some(own), Some(others)) => own.covers(others),
            (Some(_), None) => false,
        };
        hosts && (self.port.is_none() || self.port == other.port)
    }
}

impl fmt::Display for ServerPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            None => formatter.write_str("https://*")?,
            Some(hosts) => hosts.fmt(formatter)?,
        }
        match self.port {
            None => formatter.write_str(":*"),
            Some(443) => Ok(()),
            Some(port) => write!(formatter, ":{port}"),
        }
    }
}

impl FromStr for ServerPattern {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let wrong = |reason| OriginError::new(text, reason);
        let rest = text.strip_prefix("https://").ok_or_else(|| wrong("it is not https"))?;
        let (host, any_port) = match rest.strip_suffix(":*") {
            Some(host) => (host, true),
            None => (rest, false),
        };
        // `*` or `*:8443`: any host, with the port of this one.
        let any = host.strip_prefix('*').filter(|rest| !rest.starts_with('.'));
        let named = match any {
            Some(port) => ["https://any", port].concat(),
            None => ["https://", host].concat(),
        };
        let pattern: OriginPattern = named.parse()?;
        if pattern.server().is_some() || any.is_some_and(|port| !is_port(port)) {
            return Err(wrong("only a whole host, or a leading `*.`, is a wildcard"));
        }
        if any_port && host.rsplit(']').next().unwrap_or_default().contains(':') {
            return Err(wrong("it has two ports"));
        }
        let port = (!any_port).then_some(pattern.port());
        Ok(Self { hosts: any.is_none().then(|| pattern.at_port(443)), port })
    }
}

/// Whether nothing but a port follows a host.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.starts_with(':')
}

crate::text::text_form!(ServerPattern);

impl CredentialType {
    /// Names of the servers that its origins, placements, and endpoints refer to.
    pub fn servers(&self) -> BTreeSet<&str> {
        let placed = self.placements.iter().flat_map(|placement| &placement.origins);
        let origins = self.origins.iter().chain(placed).filter_map(OriginPattern::server);
        let endpoints = self.grant.endpoints();
        let endpoints: Vec<&str> = endpoints.into_iter().filter_map(server_of_url).collect();
        origins.chain(endpoints).collect()
    }

    /// The origin that a credential has for a server: the field of the server's name holds it.
    ///
    /// # Errors
    ///
    /// When the field is missing or is not an https origin.
    pub fn chosen_server(
        &self,
        server: &str,
        fields: &Map<String, Value>,
    ) -> Result<Origin, String> {
        let Some(text) = fields.get(server).and_then(Value::as_str) else {
            return Err(format!("the field `{server}` does not name the origin of the server"));
        };
        let text = text.strip_suffix('/').unwrap_or(text);
        let origin: Origin =
            text.parse().map_err(|error: OriginError| format!("the field `{server}`: {error}"))?;
        match origin.is_https() {
            true => Ok(origin),
            false => Err(format!("the field `{server}`: {origin} is not https")),
        }
    }

    /// The credential type for a credential with these fields: each reference to a server is
    /// replaced by the origin that the fields name.
    ///
    /// # Errors
    ///
    /// As [`chosen_server`](Self::chosen_server).
    pub fn at(&self, fields: &Map<String, Value>) -> Result<Self, String> {
        let mut resolved = self.clone();
        for server in self.servers() {
            let origin = self.chosen_server(server, fields)?;
            let fill = |patterns: &mut Vec<OriginPattern>| {
                for pattern in patterns.iter_mut().filter(|one| one.server() == Some(server)) {
                    *pattern = origin.clone().into();
                }
            };
            fill(&mut resolved.origins);
            resolved.placements.iter_mut().for_each(|one| fill(&mut one.origins));
            let lists: [&mut Vec<String>; 3] = match &mut resolved.grant {
                Grant::AuthorizationCode(grant) => {
                    [&mut grant.authorize_urls, &mut grant.token_urls, &mut grant.revoke_urls]
                }
                Grant::ClientCredentials(grant) => {
                    [&mut grant.token_urls, &mut grant.revoke_urls, &mut Vec::new()]
                }
                Grant::DeviceAuthorization(grant) => [
                    &mut grant.device_authorization_urls,
                    &mut grant.token_urls,
                    &mut grant.revoke_urls,
                ],
                _ => continue,
            };
            for url in lists.into_iter().flatten() {
                *url = url_at(url, server, &origin);
            }
        }
        Ok(resolved)
    }
}

/// The server that a URL refers to: `https://{name}/oauth/token`.
pub fn server_of_url(url: &str) -> Option<&str> {
    let (name, rest) = url.strip_prefix("https://{")?.split_once('}')?;
    (rest.is_empty() || rest.starts_with('/')).then_some(name)
}

/// A URL at the origin of the server that it refers to.
pub fn url_at(url: &str, server: &str, origin: &Origin) -> String {
    match server_of_url(url) {
        Some(name) if name == server => {
            let path = url.split_once('}').map(|(_, path)| path).unwrap_or_default();
            format!("{origin}{path}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_allows_what_the_table_says() {
        for (pattern, origin, allowed) in [
            ("https://*", "https://git.corp.test", true),
            ("https://*", "https://git.corp.test:8443", false),
            ("https://*", "http://git.corp.test", false),
            ("https://*", "https://10.0.0.1", true),
            ("https://*:*", "https://git.corp.test:8443", true),
            ("https://*:8443", "https://git.corp.test:8443", true),
            ("https://*:8443", "https://git.corp.test", false),
            ("https://*.corp.test", "https://git.corp.test", true),
            ("https://*.corp.test", "https://corp.test", false),
            ("https://*.corp.test", "https://git.corp.test.evil.test", false),
            ("https://*.corp.test", "https://evilcorp.test", false),
            ("https://*.corp.test", "https://git.corp.test:8443", false),
            ("https://*.corp.test:*", "https://git.corp.test:8443", true),
            ("https://git.corp.test:*", "https://git.corp.test:8443", true),
            ("https://git.corp.test:*", "https://x.corp.test:8443", false),
            ("https://any.test:*", "https://any.test:1", true),
            ("https://any.test:*", "https://other.test", false),
            ("https://any", "https://any", true),
            ("https://any", "https://other", false),
        ] {
            let parsed: ServerPattern = pattern.parse().unwrap();
            assert_eq!(parsed.allows(&origin.parse().unwrap()), allowed, "{pattern} {origin}");
            assert_eq!(parsed.to_string(), pattern);
        }
        for wrong in [
            "*",
            "http://*",
            "https://*x.test",
            "https://a.*.test",
            "https://*:*:*",
            "https://{a}",
            "https://*/",
            "https://a@*",
            "https://*:8443:*",
            "https://*.com",
            "https://",
        ] {
            assert!(wrong.parse::<ServerPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        let covers = |one: &str, other: &str| {
            one.parse::<ServerPattern>().unwrap().covers(&other.parse().unwrap())
        };
        assert!(covers("https://*:*", "https://*.corp.test"));
        assert!(covers("https://*.corp.test:*", "https://git.corp.test"));
        assert!(!covers("https://*.corp.test", "https://*"));
        assert!(!covers("https://*", "https://*:*"));
    }
}
