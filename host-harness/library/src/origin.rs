//! The origin of a URL. Origins and patterns themselves are part of the contract's documents.

use url::Url;
use workflow_node_documents::Scheme;

pub use workflow_node_documents::{Origin, OriginError, OriginPattern};

/// Takes the origin of a URL.
pub trait OriginOfUrl: Sized {
    /// The origin of a URL; `None` for schemes other than http and https.
    fn of(url: &Url) -> Option<Self>;
}

impl OriginOfUrl for Origin {
    fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        Some(Self::of_parts(scheme, url.host_str()?, url.port_or_known_default()?))
    }
}

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
            ("https://127.0.0.1", "https://0x7f.1/", true),
            ("https://xn--bcher-kva.example", "https://b\u{fc}cher.example/", true),
            ("https://[::ffff:1.2.3.4]", "https://[::ffff:102:304]/", true),
        ];
        for (pattern, url, allowed) in cases {
            let pattern: OriginPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&origin(url)), allowed, "{pattern} {url}");
        }
    }

    /// Origin of an entry's text, according to a URL parser.
    fn as_url(text: &str) -> Option<Origin> {
        let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        Origin::of(&Url::parse(&text).ok()?)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        /// An entry that is accepted is the origin that a URL parser takes its text for, so no
        /// spelling of a host gets past the other parser.
        #[test]
        fn an_entry_is_read_as_a_url_parser_reads_it(
            text in prop_oneof![
                "(https?://)?[a-zA-Z0-9._-]{1,20}(:[0-9]{1,6})?",
                "(https?://)?(0x[0-9a-fA-F]{0,8}|[0-9]{1,12}|[a-z]{1,2})(\\.(0x[0-9a-f]{0,4}|[0-9]{1,4})){0,4}\\.?",
                "https://\\[[0-9a-fA-F:.]{1,40}\\](:[0-9]{1,6})?",
                "https://\\[(([0-9a-fA-F]{1,4}|0):){7}[0-9a-fA-F]{1,4}\\]",
                "https://\\[::([0-9a-f]{1,4}:){0,4}[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\]",
            ]
        ) {
            if let Ok(entry) = text.parse::<Origin>() {
                // Labels that begin with `xn--` are decoded by a URL parser, and may be refused.
                if !entry.host().contains("xn--") || as_url(&text).is_some() {
                    prop_assert_eq!(Some(entry), as_url(&text));
                }
            }
        }
    }
}
