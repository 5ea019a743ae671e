//! Where a request goes, and whether it may go there: for requests of guests, for the host's own
//! requests to OAuth endpoints, and so for all that sets up a webhook.

use std::collections::BTreeSet;

use url::Url;

use crate::approval::Withheld;
use crate::digest::Digest;
use crate::origin::{Origin, OriginOfUrl as _, OriginPattern};
use crate::reserved::overrides_method;
use crate::text::printable;
use crate::transport::Transport;

/// A URL that every parser reads the same way, and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) url: Url,
    pub(crate) origin: Origin,
    /// Whether the operator has approved private addresses for it.
    pub(crate) private: bool,
}

/// Destinations that an operator has approved for a plugin.
pub(crate) enum Approved<'a> {
    /// Origins, for the plugin's requests.
    Origins(&'a [OriginPattern]),
    /// Exact URLs of OAuth endpoints, for the host's.
    Endpoints(&'a BTreeSet<String>),
}

/// Rules for checking a destination.
pub(crate) struct Rules<'a> {
    pub(crate) plugin: &'a Digest,
    pub(crate) approved: Approved<'a>,
    /// Part of the approval that the operator withholds.
    pub(crate) withheld: &'a Withheld,
    /// The operator's list for this use; `None` does not narrow.
    pub(crate) operator: Option<&'a [OriginPattern]>,
    /// Name of the credential that is sent, and the origins that it is for.
    pub(crate) credential: Option<(&'a str, &'a [OriginPattern])>,
    /// Knows which plain http origins are mapped.
    pub(crate) transport: &'a dyn Transport,
}

impl Destination {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// When parsers could read it differently, or it is neither https nor http.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let url = parse_url(url)?;
        let origin = Origin::of(&url).ok_or("the URL is neither https nor http")?;
        Ok(Self { url, origin, private: false })
    }

    /// Whether a URL means the same.
    fn is(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| url == self.url)
    }

    /// Whether a request may go there.
    ///
    /// # Errors
    ///
    /// The rule that forbids it, and the setting that would allow it.
    pub(crate) fn judge(&self, rules: &Rules<'_>) -> Result<(), String> {
        let origin = &self.origin;
        let allowed = |list: &[OriginPattern]| list.iter().any(|pattern| pattern.matches(origin));
        let names = |list: &[OriginPattern]| match list {
            [] => "none".to_owned(),
            list => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        if !origin.is_https() && !rules.transport.is_mapped(origin) {
            return Err(format!(
                "{origin} is not https. Plain http is permitted only for a test origin that the \
                 operator maps: --connect-to {origin}=ORIGIN"
            ));
        }
        match rules.approved {
            Approved::Origins(origins) if !allowed(origins) => {
                return Err(format!(
                    "{origin} is not one of the origins that are approved for this plugin ({}). To \
                     reach it, the plugin must declare it and be approved again",
                    names(origins)
                ));
            }
            Approved::Endpoints(endpoints) if !endpoints.iter().any(|one| self.is(one)) => {
                return Err(format!(
                    "{} was not approved as an OAuth endpoint of the plugin {}",
                    self.url, rules.plugin
                ));
            }
            Approved::Origins(_) | Approved::Endpoints(_) => {}
        }
        if rules.withheld.holds_back(origin) {
            return Err(crate::approval::withheld(
                &format!("requests to {origin}"),
                &format!("--without-origin {origin}"),
            ));
        }
        if let Some(operator) = rules.operator
            && !allowed(operator)
        {
            return Err(format!(
                "{origin} is not on the operator's list ({}). To permit it, add --allow {origin}",
                names(operator)
            ));
        }
        if let Some((credential, audiences)) = rules.credential
            && !allowed(audiences)
        {
            return Err(format!(
                "the credential `{credential}` can be sent only to {}, not to {origin}",
                names(audiences)
            ));
        }
        Ok(())
    }
}

/// Parses a URL, and accepts only a URL that every parser reads in the same way: its parts must be
/// in canonical form.
fn parse_url(text: &str) -> Result<Url, String> {
    // Without the query, because the audit log contains this text.
    let shown = || printable(text.split('?').next().unwrap_or_default());
    if let Some(odd) = text.bytes().find(|byte| !byte.is_ascii_graphic() || *byte == b'\\') {
        return Err(format!(
            "the URL `{}` contains the byte {odd:#04x}. Percent-encode it",
            shown()
        ));
    }
    let url = Url::parse(text).map_err(|error| format!("the URL `{}`: {error}", shown()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL contains user information. Use a credential slot instead".into());
    }
    if url.fragment().is_some() {
        return Err("the URL has a fragment, which is never sent".into());
    }
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| overrides_method(name)) {
        return Err(format!(
            "the query parameter `{}` overrides the method of the request. Send the request with \
             the intended method instead",
            printable(&name)
        ));
    }
    let authority = text
        .split_once("://")
        .map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default())
        .unwrap_or_default();
    let parsed = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(format!("the URL `{}` has no host", shown())),
    };
    let default_port = if url.scheme() == "https" { ":443" } else { ":80" };
    let written = authority.to_ascii_lowercase();
    if written != parsed && written.strip_suffix(default_port) != Some(&parsed) {
        return Err(format!(
            "the URL `{}` contains the host `{authority}`, whose canonical form is `{parsed}`. Use \
             the canonical form",
            shown()
        ));
    }
    if url.host_str().is_some_and(|host| host.ends_with('.')) {
        return Err("the host of the URL ends with a dot. Remove the dot".into());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse_url;

    #[test]
    fn a_url_that_parsers_could_read_differently_is_refused() {
        for url in [
            "https://api.example.com@evil.test/",
            "https://user@api.example.com/",
            "https://api.example.com\\@evil.test/",
            "https://api.example.com/\t",
            "https://api.example.com /",
            "https://api%2eexample.com/",
            "https://api.example.com./",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://api.example.com/#x",
            "https://exämple.com/",
            "https:///x",
            "//api.example.com/",
            "api.example.com",
            "",
            "https://a\nb/",
            "https:/api.example.com/",
            "https:api.example.com",
        ] {
            assert!(parse_url(url).is_err(), "{url}");
        }
        for url in [
            "https://api.example.com",
            "https://api.example.com:443/a?b=c",
            "https://API.example.com/",
            "http://127.0.0.1:8080/",
            "https://[::1]/",
            "https://xn--bcher-kva.example/",
        ] {
            assert!(parse_url(url).is_ok(), "{url}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn an_accepted_url_names_the_host_that_is_written_in_it(
            url in "https?:/{1,3}[a-eA-E0-9.@:/\\\\%\\[\\]#? \t\n\u{e4}\u{430}-]{0,40}"
        ) {
            if let Ok(parsed) = parse_url(&url) {
                let host = parsed.host_str().unwrap_or_default();
                let written = url.to_ascii_lowercase();
                let after = written.strip_prefix(&format!("{}://{host}", parsed.scheme()));
                prop_assert!(after.is_some(), "{url:?} means {host}");
                prop_assert!(after.is_none_or(|rest| {
                    rest.is_empty() || rest.starts_with(['/', '?', ':'])
                }), "{url:?} means {host}");
            }
        }
    }
}
