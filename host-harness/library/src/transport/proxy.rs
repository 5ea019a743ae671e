//! An HTTP proxy, and the credentials for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::secret::Secret;

/// A proxy that is asked to connect (RFC 9110 section 9.3.6).
pub(super) struct Proxy {
    /// Without user name and password.
    pub(super) url: Url,
    /// The value of `Proxy-Authorization`.
    authorization: Option<Secret>,
}

impl Proxy {
    /// A proxy by its URL. Credentials that are given beside it count more than those in it.
    pub(super) fn new(
        url: &str,
        credentials: Option<(String, Secret)>,
    ) -> Result<Self, &'static str> {
        let mut url = Url::parse(url).map_err(|_| "it is not a URL")?;
        if url.scheme() != "http" {
            return Err("its scheme is not http");
        }
        if !url.has_host() {
            return Err("it has no host");
        }
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(|text| text.into_owned()).map_err(|_| "its user name or password is not UTF-8")
        };
        let credentials = match (credentials, url.username(), url.password()) {
            (Some(given), ..) => Some(given),
            (None, "", None) => None,
            (None, user, password) => {
                Some((decoded(user)?, Secret::new(decoded(password.unwrap_or_default())?)))
            }
        };
        // They are not part of the displayed URL.
        if url.set_password(None).is_err() || url.set_username("").is_err() {
            return Err("it cannot have a user name");
        }
        let authorization = match credentials {
            Some((user, _)) if user.contains(':') => return Err("its user name has a colon"),
            Some((user, password)) => {
                let pair = Secret::new([user.as_str(), ":", password.expose()].concat());
                Some(Secret::new(["Basic ", &STANDARD.encode(pair.expose())].concat()))
            }
            None => None,
        };
        Ok(Self { url, authorization })
    }

    /// The request to connect to an authority (`host:port`).
    pub(super) fn request(&self, authority: &str) -> Secret {
        let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(authorization) = &self.authorization {
            head.push_str("Proxy-Authorization: ");
            head.push_str(authorization.expose());
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        Secret::new(head)
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.authorization.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorization(url: &str) -> Option<String> {
        let proxy = Proxy::new(url, None).unwrap();
        assert_eq!(proxy.url.as_str(), "http://proxy.example.com:3128/", "nothing else is shown");
        let request = proxy.request("api.example.com:443");
        let line = request.expose().lines().find_map(|line| line.strip_prefix("Proxy-Auth"))?;
        let encoded = line.strip_prefix("orization: Basic ").unwrap();
        Some(String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap())
    }

    #[test]
    fn credentials_of_a_proxys_url_are_sent_to_it_whatever_they_hold() {
        for (url, expected) in [
            ("http://proxy.example.com:3128", None),
            ("http://user:secret@proxy.example.com:3128", Some("user:secret")),
            ("http://:secret@proxy.example.com:3128", Some(":secret")),
            ("http://user@proxy.example.com:3128", Some("user:")),
            ("http://us%20er:p%40ss%3Aword@proxy.example.com:3128", Some("us er:p@ss:word")),
            ("http://us%C3%A9r:p%2Bw@proxy.example.com:3128", Some("us\u{e9}r:p+w")),
        ] {
            assert_eq!(authorization(url).as_deref(), expected, "{url}");
        }
        let given = Some(("ada".to_owned(), Secret::new("typed")));
        let proxy = Proxy::new("http://user:secret@proxy.example.com:3128", given).unwrap();
        let request = proxy.request("x:443");
        assert!(request.expose().contains(&STANDARD.encode("ada:typed")));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused_without_quoting_it() {
        for url in
            ["socks5://u:secret@x", "https://u:secret@x", "u:secret@x", "http://a%3Ab:secret@x"]
        {
            let problem = Proxy::new(url, None).err().unwrap();
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
