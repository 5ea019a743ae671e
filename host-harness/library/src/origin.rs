//! Origins and allow-lists of origins.
//!
//! | written | allows |
//! | --- | --- |
//! | `https://api.example.com` | that host, port 443 |
//! | `api.example.com` | the same: the scheme is https unless written |
//! | `https://api.example.com:8443` | that host, that port |
//! | `https://*.example.com` | every host below example.com, not example.com itself |
//! | `http://127.0.0.1:8080` | plain http; the host still refuses it unless the operator maps it |
//!
//! Nothing else: no path, no wildcard elsewhere, no wildcard port, no `*` alone. `*foo.com` is
//! refused because it would match `evilfoo.com`. Matching is by scheme, whole host and port.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Scheme, host and port of a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no origin: {reason}. Write it as https://host or https://host:port")]
pub struct OriginError {
    text: String,
    reason: &'static str,
}

impl Origin {
    /// The origin of a URL; `None` for other schemes than http and https.
    pub fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let host = url.host_str()?.to_owned();
        Some(Self { scheme, host, port: url.port_or_known_default()? })
    }

    /// Whether it is https.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Host, IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, also where it is the scheme's own.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme.name(), self.host)?;
        if self.port != self.scheme.default_port() {
            write!(formatter, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        match text.parse()? {
            OriginPattern { below: false, origin } => Ok(origin),
            OriginPattern { .. } => {
                Err(OriginError { text: text.into(), reason: "a wildcard stands in it" })
            }
        }
    }
}

/// One entry of an allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OriginPattern {
    /// Any host below `origin.host`, not that host itself.
    below: bool,
    origin: Origin,
}

impl OriginPattern {
    /// Whether it allows this origin.
    pub fn matches(&self, origin: &Origin) -> bool {
        if self.origin.scheme != origin.scheme || self.origin.port != origin.port {
            return false;
        }
        if !self.below {
            return self.origin.host == origin.host;
        }
        origin
            .host
            .strip_suffix(&self.origin.host)
            .is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
    }

    /// Whether it stands for many hosts.
    pub fn is_wildcard(&self) -> bool {
        self.below
    }

    /// Whether everything that `other` allows is allowed by this one.
    pub fn covers(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        if !other.below {
            return self.matches(&other.origin);
        }
        // `*.a.b` lies within `*.b`.
        self.below && self.matches(&other.origin)
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.origin.to_string();
        match (self.below, origin.split_once("://")) {
            (true, Some((scheme, rest))) => write!(formatter, "{scheme}://*.{rest}"),
            _ => formatter.write_str(&origin),
        }
    }
}

impl FromStr for OriginPattern {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let wrong = |reason| OriginError { text: text.into(), reason };
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(_) => return Err(wrong("only https and http are known")),
        };
        let (below, authority) = match rest.strip_prefix("*.") {
            Some(authority) => (true, authority),
            None => (false, rest),
        };
        if authority.contains('*') {
            return Err(wrong("only a leading `*.` is a wildcard"));
        }
        if authority.contains(['/', '?', '#', '@', '\\'])
            || authority.chars().any(char::is_whitespace)
        {
            return Err(wrong("only scheme, host and port may stand in it"));
        }
        let url = Url::parse(&format!("{}://{authority}/", scheme.name()))
            .map_err(|_| wrong("the host or the port is malformed"))?;
        let origin = Origin::of(&url).ok_or_else(|| wrong("there is no host"))?;
        if below && !matches!(url.host(), Some(Host::Domain(_))) {
            return Err(wrong("a wildcard needs a host name after it"));
        }
        if below && !origin.host.contains('.') {
            return Err(wrong("a wildcard over a whole top-level domain allows too much"));
        }
        Ok(Self { below, origin })
    }
}

impl From<Origin> for OriginPattern {
    fn from(origin: Origin) -> Self {
        Self { below: false, origin }
    }
}

macro_rules! text_form {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_form;
text_form!(Origin);
text_form!(OriginPattern);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(&Url::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn an_entry_allows_what_the_table_says() {
        let cases = [
            ("https://api.example.com", "https://api.example.com/x", true),
            ("api.example.com", "https://api.example.com", true),
            ("api.example.com", "http://api.example.com", false),
            ("https://api.example.com", "https://api.example.com:8443", false),
            ("https://API.example.com:8443", "https://api.example.com:8443", true),
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://evilexample.com", false),
            ("https://example.com", "https://example.com.evil.test", false),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", true),
            ("https://[::1]:9", "https://[::1]:9", true),
        ];
        for (pattern, url, allowed) in cases {
            let pattern: OriginPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&origin(url)), allowed, "{pattern} {url}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "*",
            "https://*",
            "*foo.com",
            "https://a.*.com",
            "https://*.com",
            "ftp://a.b",
            "https://a.b/path",
            "https://u@a.b",
            "https://a.b:x",
            "https://a b",
            "https://*.1.2.3.4",
            "https://a.b?x",
            "javascript:alert(1)",
        ] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn text_and_value_agree() {
        for text in ["https://api.example.com", "https://*.example.com:8443", "http://[::1]:8080"] {
            assert_eq!(text.parse::<OriginPattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_pattern_covers_what_lies_within_it() {
        let pattern = |text: &str| text.parse::<OriginPattern>().unwrap();
        assert!(pattern("https://*.a.test").covers(&pattern("https://*.b.a.test")));
        assert!(pattern("https://*.a.test").covers(&pattern("https://x.a.test")));
        assert!(!pattern("https://x.a.test").covers(&pattern("https://*.a.test")));
        assert!(!pattern("https://*.b.a.test").covers(&pattern("https://*.a.test")));
    }

    proptest! {
        #[test]
        fn any_text_is_an_entry_or_an_error_and_an_entry_reads_back_as_itself(
            text in "(https?://)?(\\*\\.)?[a-zA-Z0-9.*:/@\\[\\]-]{0,30}"
        ) {
            if let Ok(pattern) = text.parse::<OriginPattern>() {
                prop_assert_eq!(pattern.to_string().parse::<OriginPattern>(), Ok(pattern));
            }
        }
    }
}
