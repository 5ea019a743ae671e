//! The format of text fields.

use std::net::Ipv4Addr;

use url::Url;

use crate::clock;

/// The problem of text with this format; unknown formats accept everything.
pub(crate) fn objection(format: Option<&str>, text: &str) -> Option<&'static str> {
    let good = match format? {
        "date-time" => {
            return (clock::read(text).is_none()).then_some("must be an ISO 8601 date and time");
        }
        "utc-date-time" => {
            let good = clock::read(text).is_some() && text.ends_with('Z');
            return (!good).then_some("must be in UTC and end in Z");
        }
        "url" | "uri" => Url::parse(text).is_ok(),
        "email" => is_address(text),
        "time" | "partial-time" => is_time(text),
        "uuid" => is_uuid(text),
        "ipv4-network" => is_network(text),
        "tzinfo" | "activesupport-time-zone" => !text.is_empty(),
        _ => true,
    };
    match format? {
        _ if good => None,
        "url" | "uri" => Some("must be a URL"),
        "email" => Some("must be an e-mail address"),
        "time" | "partial-time" => Some("must be a time such as 09:30:00"),
        "uuid" => Some("must be a UUID"),
        "ipv4-network" => Some("must be an IPv4 network such as 192.0.2.0/24"),
        _ => Some("must be a time zone"),
    }
}

/// Whether text looks like an email address.
pub(crate) fn is_address(text: &str) -> bool {
    !text.contains(char::is_whitespace)
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && !domain.contains('@')
        })
}

fn is_time(text: &str) -> bool {
    text.parse::<jiff::civil::Time>().is_ok()
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

fn is_network(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, prefix)| {
        address.parse::<Ipv4Addr>().is_ok()
            && prefix.parse::<u8>().is_ok_and(|bits| (1..=32).contains(&bits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_accept_only_their_values() {
        for (format, good, bad) in [
            ("date-time", "2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05 02:00"),
            ("utc-date-time", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
            ("url", "https://example.com/a", "example.com/a"),
            ("email", "ada@example.com", "ada at example.com"),
            ("time", "09:30:00", "25:00:00"),
            ("uuid", "00000000-0000-4000-8000-000000000001", "00000000-0000"),
            ("ipv4-network", "192.0.2.0/24", "192.0.2.0/0"),
            ("tzinfo", "Europe/Berlin", ""),
        ] {
            assert_eq!(objection(Some(format), good), None, "{format}");
            assert!(objection(Some(format), bad).is_some(), "{format}");
        }
        assert_eq!(objection(Some("binary"), "\0"), None);
        assert_eq!(objection(None, ""), None);
    }
}
