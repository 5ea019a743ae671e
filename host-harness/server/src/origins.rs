//! The names under which browsers may reach the server, and how a request arrived.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use url::Url;

use crate::error::{ApiError, shown};

/// The names under which browsers may reach the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    hosts: BTreeSet<String>,
    /// The address under which browsers reach the server, if known.
    public: Option<Url>,
}

/// How a request arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Over a Unix socket, which a browser can reach through a proxy alone.
    pub(crate) is_unix: bool,
    pub(crate) is_tls: bool,
    /// Where from; `None` over a Unix socket.
    pub(crate) address: Option<IpAddr>,
}

impl Origins {
    /// `hosts`: names of the server in addition to `localhost` and its addresses.
    pub(crate) fn new(hosts: impl IntoIterator<Item = String>, public: Option<Url>) -> Self {
        let own = public.as_ref().and_then(|url| url.host_str().map(str::to_owned));
        let hosts = hosts.into_iter().chain(own);
        Self { hosts: hosts.map(|host| host.to_ascii_lowercase()).collect(), public }
    }

    /// Whether a Host header names this server. A page of another site whose name resolves to this
    /// server's address (DNS rebinding) sends its own name.
    pub(crate) fn is_own(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_address = match bracketed {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => name.parse::<Ipv4Addr>().is_ok(),
        };
        name == "localhost" || is_address || self.hosts.contains(&name)
    }

    /// As [`Origins::check`], for a page, whose requests a browser authenticates by itself: also a
    /// proxy on a Unix socket passes on a name of the server, and a change names its origin.
    pub(crate) fn check_page(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        peer: Peer,
    ) -> Result<(), ApiError> {
        let changes = !matches!(*method, Method::GET | Method::HEAD);
        if changes && !headers.contains_key(header::ORIGIN) {
            let message = "The request does not say which page it comes from (header Origin).";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "origin-refused", message));
        }
        self.check_from(uri, headers, peer, true)
    }

    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap, peer: Peer) -> Result<(), ApiError> {
        self.check_from(uri, headers, peer, !peer.is_unix)
    }

    pub(crate) fn check_from(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        peer: Peer,
        needs_name: bool,
    ) -> Result<(), ApiError> {
        let header = headers.get(header::HOST).map(HeaderValue::to_str);
        let host = match (uri.authority(), header) {
            (Some(authority), _) => Some(authority.as_str()),
            (None, Some(Ok(host))) => Some(host),
            _ => None,
        };
        let refused = |message: String| {
            Err(ApiError::new(StatusCode::FORBIDDEN, "host-refused", message)
                .next("List the names of the server in `hosts` of its configuration."))
        };
        if needs_name && !host.is_some_and(|host| self.is_own(host)) {
            let host = shown(host.unwrap_or_default());
            return refused(format!("The server does not answer to the name `{host}`."));
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or_default();
        let scheme = if peer.is_tls { "https" } else { "http" };
        let own = host.and_then(|host| Url::parse(&format!("{scheme}://{host}")).ok());
        // A proxy that terminates TLS passes the Host of the public address, but not its scheme. Behind
        // a socket, browsers know only the public address.
        let own = own.filter(|_| !peer.is_unix);
        let public = self.public.as_ref().filter(|public| {
            peer.is_unix || own.as_ref().is_some_and(|own| own.host() == public.host())
        });
        let is_same = Url::parse(origin).is_ok_and(|origin| {
            origin.origin().is_tuple()
                && own.iter().chain(public).any(|own| own.origin() == origin.origin())
        });
        match is_same {
            true => Ok(()),
            false => {
                let origin = shown(origin);
                let message = format!("Pages of the origin `{origin}` may not use the server.");
                Err(ApiError::new(StatusCode::FORBIDDEN, "origin-refused", message))
            }
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>, peer: Peer) -> Result<(), u16> {
        let public = Url::parse("https://Public.example.com:8443/").ok();
        let origins = Origins::new(["Harness.example.com".to_owned()], public);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let uri = Uri::from_static("/v1/health");
        origins.check(&uri, &headers, peer).map_err(|error| error.status.as_u16())
    }

    #[test]
    fn a_host_name_of_another_server_is_refused() {
        let peer = Peer { is_unix: false, is_tls: false, address: None };
        for own in [
            "localhost:7410",
            "127.0.0.1:7410",
            "[::1]:7410",
            "[::1]",
            "10.1.2.3",
            "harness.example.com",
            "HARNESS.example.com:8443",
        ] {
            assert_eq!(check(own, None, peer), Ok(()), "{own}");
        }
        for other in [
            "evil.example",
            "localhost.evil.example",
            "harness.example.com.evil.example",
            "127.0.0.1.evil.example",
            "evil.example:7410",
            // RFC 3986, section 3.2.2, requires brackets around an IPv6 address.
            "::1",
            "fe80::1:7410",
            "[127.0.0.1]",
            "[::1",
            "::1]",
            "",
        ] {
            assert_eq!(check(other, None, peer), Err(403), "{other}");
        }
        let unix = Peer { is_unix: true, is_tls: false, address: None };
        assert_eq!(check("anything", None, unix), Ok(()));
        assert_eq!(check("localhost", Some("http://localhost"), unix), Err(403));
        assert_eq!(check("localhost", Some("https://public.example.com:8443"), unix), Ok(()));
    }

    #[test]
    fn a_change_on_a_page_names_its_origin_and_the_server_also_over_a_socket() {
        let public = Url::parse("https://public.example.com").ok();
        let origins = Origins::new([], public);
        let check = |method: Method, host: &str, origin: Option<&str>, is_unix: bool| {
            let peer = Peer { is_unix, is_tls: false, address: None };
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            origins.check_page(&method, &Uri::from_static("/"), &headers, peer).is_ok()
        };
        let own = Some("https://public.example.com");
        for is_unix in [false, true] {
            let host = "public.example.com";
            assert!(check(Method::GET, host, None, is_unix));
            assert!(check(Method::POST, host, own, is_unix));
            assert!(!check(Method::POST, host, None, is_unix));
            assert!(!check(Method::POST, host, Some("https://evil.example"), is_unix));
            assert!(!check(Method::POST, host, Some("null"), is_unix));
            assert!(!check(Method::GET, "evil.example", None, is_unix));
        }
        assert!(check(Method::POST, "localhost", own, true), "a proxy has passed on its own name");
    }

    #[test]
    fn only_pages_of_the_server_may_send_requests() {
        let peer = Peer { is_unix: false, is_tls: true, address: None };
        let host = "harness.example.com";
        assert_eq!(check(host, Some("https://harness.example.com"), peer), Ok(()));
        assert_eq!(check("localhost:7410", Some("https://localhost:7410"), peer), Ok(()));
        for other in [
            "https://evil.example",
            "http://harness.example.com",
            "null",
            "",
            "https://harness.example.com:444",
            "https://public.example.com:8443",
            "file:///x",
        ] {
            assert_eq!(check(host, Some(other), peer), Err(403), "{other}");
        }
        // Behind a proxy that ends TLS.
        let plain = Peer { is_unix: false, is_tls: false, address: None };
        let public = "public.example.com";
        assert_eq!(check(public, Some("https://public.example.com:8443"), plain), Ok(()));
        assert_eq!(check(public, Some("https://public.example.com"), plain), Err(403));
    }
}
