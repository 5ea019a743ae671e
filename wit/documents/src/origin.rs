//! Origins and allow-lists of origins.
//!
//! | pattern | allows |
//! | --- | --- |
//! | `https://api.example.com` | that host, port 443 |
//! | `api.example.com` | the same: the scheme is https unless it is given |
//! | `https://api.example.com:8443` | that host, that port |
//! | `https://*.example.com` | every host below example.com, but not example.com itself |
//! | `https://{name}` | the origin that an operator has chosen for the server of this name; nothing before |
//! | `http://127.0.0.1:8080` | plain http; the host still refuses it unless the operator maps it |
//!
//! Nothing else is a pattern: no path, no wildcard elsewhere, no wildcard port, no `*` alone.
//! `*foo.com` is refused because it would match `evilfoo.com`. Scheme, whole host, and port have to
//! match.
//!
//! Hosts are compared as text, so a pattern must contain its host in the form in which a URL parser
//! prints it. A host that a URL parser would print differently is refused and never treated as a
//! different name: `0x7f.1` is 127.0.0.1 to a URL parser. Only uppercase letters are accepted and
//! converted to lowercase.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Scheme, host, and port of a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

/// A scheme that requests may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// The scheme as URLs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that is used when a URL names none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why a text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an origin: {reason}. Use https://host or https://host:port")]
pub struct OriginError {
    text: String,
    reason: &'static str,
}

impl OriginError {
    pub(crate) fn new(text: &str, reason: &'static str) -> Self {
        Self { text: text.into(), reason }
    }
}

impl Origin {
    /// The origin of a URL that a parser of the URL standard has taken apart. `host` is the host
    /// as the parser prints it: in lower case and in ASCII, an IPv6 address in brackets.
    pub fn of_parts(scheme: Scheme, host: impl Into<String>, port: u16) -> Self {
        Self { scheme, host: host.into(), port }
    }

    /// Whether it is https.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Host, with brackets around an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, even if it is the default of the scheme.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme.as_str(), self.host)?;
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
            OriginPattern { below: false, server: None, origin } => Ok(origin),
            OriginPattern { server: Some(_), .. } => {
                Err(OriginError { text: text.into(), reason: "it names a server" })
            }
            OriginPattern { .. } => {
                Err(OriginError { text: text.into(), reason: "it contains a wildcard" })
            }
        }
    }
}

/// One entry of an allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OriginPattern {
    /// Any host below `origin.host`, but not that host itself.
    below: bool,
    /// Name of the server whose origin an operator chooses. It replaces the host in `origin`, which
    /// does not match any URL.
    server: Option<String>,
    origin: Origin,
}

impl OriginPattern {
    /// Whether it allows this origin.
    pub fn matches(&self, origin: &Origin) -> bool {
        if self.server.is_some()
            || self.origin.scheme != origin.scheme
            || self.origin.port != origin.port
        {
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

    /// The origin that it allows; `None` if it allows many hosts, or one that an operator chooses.
    pub fn origin(&self) -> Option<&Origin> {
        (!self.below && self.server.is_none()).then_some(&self.origin)
    }

    /// The server whose origin an operator chooses.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    pub(crate) fn port(&self) -> u16 {
        self.origin.port
    }

    /// The same hosts at another port.
    pub(crate) fn at_port(mut self, port: u16) -> Self {
        self.origin.port = port;
        self
    }

    /// Whether it allows many hosts.
    pub fn is_wildcard(&self) -> bool {
        self.below
    }

    /// Whether it allows everything that `other` allows.
    pub fn covers(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        if self.server.is_some() || other.server.is_some() {
            return false;
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
        Self::parse(text).map_err(|reason| OriginError { text: text.into(), reason })
    }
}

impl OriginPattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(name) = text.strip_prefix("https://{").and_then(|rest| rest.strip_suffix('}')) {
            let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let words = || name.split(['-', '_']);
            if !name.starts_with(|first: char| first.is_ascii_lowercase())
                || words().any(|word| word.is_empty() || !word.bytes().all(is_name))
            {
                return Err("the name of a server has lower-case letters, digits, `-`, and `_`");
            }
            let origin = Origin::of_parts(Scheme::Https, ["{", name, "}"].concat(), 443);
            return Ok(Self { below: false, server: Some(name.to_owned()), origin });
        }
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(_) => return Err("the scheme is neither https nor http"),
        };
        let (below, authority) = match rest.strip_prefix("*.") {
            Some(authority) => (true, authority),
            None => (false, rest),
        };
        if authority.contains('*') {
            return Err("only a leading `*.` is a wildcard");
        }
        if authority.contains(['/', '?', '#', '@', '\\'])
            || authority.chars().any(char::is_whitespace)
        {
            return Err("it has more than a scheme, a host, and a port");
        }
        let (host, port) = parts(authority)?;
        let port = match port {
            Some(digits) => read_port(digits).ok_or("the port is not a number")?,
            None => scheme.default_port(),
        };
        let host = Host::parse(host)?;
        let host = match host {
            Host::Name(name) => {
                // A trailing dot is the DNS root, not a separate label.
                if below && !name.trim_end_matches('.').contains('.') {
                    return Err("a wildcard for a whole top-level domain allows too much");
                }
                name
            }
            Host::Address(_) if below => {
                return Err("a wildcard needs a host name after it");
            }
            Host::Address(address) => address,
        };
        Ok(Self { below, server: None, origin: Origin { scheme, host, port } })
    }
}

impl From<Origin> for OriginPattern {
    fn from(origin: Origin) -> Self {
        Self { below: false, server: None, origin }
    }
}

/// Host and port of an authority. The colons of an IPv6 address are inside brackets.
fn parts(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err("the host is malformed"),
    }
}

/// `parse` would accept a sign.
fn read_port(digits: &str) -> Option<u16> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// A host, as a URL parser prints it.
enum Host {
    Name(String),
    Address(String),
}

impl Host {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("it has no host");
        }
        if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address: Ipv6Addr = inside.parse().map_err(|_| "the IPv6 address is malformed")?;
            return Ok(Self::Address(ipv6(address)));
        }
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !text.is_ascii() {
            return Err("an international name has to be in its ASCII form (xn--…)");
        }
        if !text.bytes().all(is_known) {
            return Err("the host is malformed");
        }
        let name = text.to_ascii_lowercase();
        let labels = name.strip_suffix('.').unwrap_or(&name);
        if labels.split('.').any(str::is_empty) {
            return Err("a label of the host is empty");
        }
        // The rule by which a URL parser takes a host for an IPv4 address, whatever its spelling:
        // `127.1`, `0x7f.1`, `2130706433`.
        let last = labels.rsplit('.').next().unwrap_or_default();
        let is_decimal = last.bytes().all(|byte| byte.is_ascii_digit());
        let is_hexadecimal = last
            .strip_prefix("0x")
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if is_decimal || is_hexadecimal {
            let address: Ipv4Addr = name.parse().map_err(
                |_| "an IPv4 address has to be four decimal numbers without leading zeros",
            )?;
            return Ok(Self::Address(address.to_string()));
        }
        Ok(Self::Name(name))
    }
}

/// An IPv6 address as the URL standard prints it: the longest run of zeros compressed, the first of
/// several. (The standard library prints some as IPv4 addresses.)
fn ipv6(address: Ipv6Addr) -> String {
    let pieces = address.segments();
    let mut run = 0..0;
    let mut start = 0;
    while start < pieces.len() {
        let length = pieces[start..].iter().take_while(|piece| **piece == 0).count();
        if length > 1 && length > run.len() {
            run = start..start + length;
        }
        start += length.max(1);
    }
    let hexadecimal = |pieces: &[u16]| {
        pieces.iter().map(|piece| format!("{piece:x}")).collect::<Vec<_>>().join(":")
    };
    if run.is_empty() {
        return format!("[{}]", hexadecimal(&pieces));
    }
    format!("[{}::{}]", hexadecimal(&pieces[..run.start]), hexadecimal(&pieces[run.end..]))
}

crate::text::text_form!(Origin);
crate::text::text_form!(OriginPattern);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_allows_what_the_table_says() {
        let cases = [
            ("https://api.example.com", "https://api.example.com", true),
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
        for (pattern, origin, allowed) in cases {
            let pattern: OriginPattern = pattern.parse().unwrap();
            let origin: Origin = origin.parse().unwrap();
            assert_eq!(pattern.matches(&origin), allowed, "{pattern} {origin}");
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
            "https://*.com.",
            "ftp://a.b",
            "https://a.b/path",
            "https://u@a.b",
            "https://a.b:x",
            "https://a.b:",
            "https://a.b:+1",
            "https://a.b:65536",
            "https://a b",
            "https://*.1.2.3.4",
            "https://*.[::1]",
            "https://a.b?x",
            "javascript:alert(1)",
            "https://a..b",
            "https://.a.b",
            "https://b\u{fc}cher.example",
            "https://ex%61mple.com",
            "https://[::1",
            "https://[::1]x",
            "https://[1.2.3.4]",
            "https://[fe80::1%eth0]",
        ] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
    }

    /// To a URL parser, all of these are 127.0.0.1, or nothing.
    #[test]
    fn an_ipv4_address_has_one_spelling() {
        for host in [
            "0x7f.1",
            "0X7F.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "017700000001",
            "127.0.0.01",
            "0177.0.0.1",
            "127.0.0.0x1",
            "127.0.0.1.",
            "a.0x",
            "a.1",
            "256.0.0.1",
            "1.2.3.4.5",
        ] {
            assert!(host.parse::<OriginPattern>().is_err(), "{host}");
        }
        assert_eq!("127.0.0.1".parse::<OriginPattern>().unwrap().to_string(), "https://127.0.0.1");
        // Digits elsewhere in a name are only digits.
        for host in ["1.a", "0x7f.a", "a1", "7f", "a.0xg"] {
            assert!(host.parse::<OriginPattern>().is_ok(), "{host}");
        }
    }

    #[test]
    fn an_ipv6_address_is_written_as_urls_write_it() {
        for (text, written) in [
            ("0:0:0:0:0:0:0:1", "[::1]"),
            ("::ffff:1.2.3.4", "[::ffff:102:304]"),
            ("::1.2.3.4", "[::102:304]"),
            ("2001:DB8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]"),
            ("1:0:2:3:4:5:6:7", "[1:0:2:3:4:5:6:7]"),
            ("1::", "[1::]"),
            ("::", "[::]"),
        ] {
            let origin: Origin = format!("https://[{text}]").parse().unwrap();
            assert_eq!(origin.host(), written);
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
