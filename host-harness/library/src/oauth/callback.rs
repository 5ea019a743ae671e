//! The response to an authorization request (RFC 6749 section 4.1.2, RFC 9207): untrusted text,
//! read once.

use url::Url;

use crate::secret::Secret;

/// No callback is longer.
pub(crate) const LONGEST: usize = 8 * 1024;

/// A callback, with the one thing known about it that counts at first: its state.
pub(crate) struct Callback {
    url: Url,
    state: Secret,
}

/// Result of a callback whose state is one that this host issued.
pub(crate) enum CallbackResult {
    Code(Secret),
    /// The service's error, by its name.
    Refused(String),
}

impl Callback {
    /// Reads the text of a callback URL. `base`: what a path alone is taken relative to.
    ///
    /// # Errors
    ///
    /// If it is not a URL, is too long, or does not have exactly one state. The reason never quotes
    /// it.
    pub(crate) fn read(text: &str, base: Option<&Url>) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err("it is too long for a callback URL");
        }
        let parsed = match base {
            Some(base) => base.join(text),
            None => Url::parse(text),
        };
        let url =
            parsed.map_err(|_| "it is not a URL. Paste the complete URL, beginning with http")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it contains user information");
        }
        let state = only(&url, "state")?.ok_or("it contains no state")?;
        Ok(Self { url, state: Secret::new(state) })
    }

    pub(crate) fn state(&self) -> &Secret {
        &self.state
    }

    /// Whether it came to this redirect URL: the same to the character, but for the query.
    pub(crate) fn is_at(&self, redirect: &Url) -> bool {
        let place = |url: &Url| {
            (
                url.scheme().to_owned(),
                url.host_str().map(str::to_owned),
                url.port_or_known_default(),
                url.path().to_owned(),
            )
        };
        place(&self.url) == place(redirect)
            // The callback also contains the query of the redirect URL.
            && redirect.query_pairs().all(|pair| self.url.query_pairs().any(|one| one == pair))
    }

    /// # Errors
    ///
    /// If it occurs twice.
    pub(crate) fn issuer(&self) -> Result<Option<String>, &'static str> {
        only(&self.url, "iss")
    }

    /// Result that the callback carries.
    ///
    /// # Errors
    ///
    /// When it says nothing, or two things.
    pub(crate) fn result(&self) -> Result<CallbackResult, &'static str> {
        match (only(&self.url, "code")?, only(&self.url, "error")?) {
            (Some(code), None) if !code.is_empty() => Ok(CallbackResult::Code(Secret::new(code))),
            (None, Some(error)) => Ok(CallbackResult::Refused(error)),
            (Some(_), Some(_)) => Err("it contains both a code and an error"),
            _ => Err("it contains no code"),
        }
    }
}

/// A parameter's value. A repeated parameter may be an attempt to make different readers see different values.
fn only(url: &Url, name: &str) -> Result<Option<String>, &'static str> {
    let mut values = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value);
    let first = values.next().map(|value| value.into_owned());
    if values.next().is_some() { Err("it contains a parameter twice") } else { Ok(first) }
}

/// The error codes of RFC 6749 section 4.1.2.1 and OpenID Connect in words.
pub(crate) fn in_words(error: &str) -> String {
    let words = match error {
        "access_denied" => "the request was declined by you or by the service",
        "invalid_scope" => {
            "a requested scope is unknown to the service or not permitted for the app"
        }
        "temporarily_unavailable" => "the service is temporarily unavailable. Try again later",
        "server_error" => "the service failed. Try again later",
        "unauthorized_client" => {
            "the app does not support this kind of connection. Check its registration"
        }
        "unsupported_response_type" => "the service does not issue authorization codes to this app",
        "invalid_request" => {
            "the service rejected the request as invalid. Check that the redirect URI is \
             registered exactly as sent"
        }
        "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => {
            "the service requires you to log in or to choose an account"
        }
        _ => "the service rejected the request",
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    if !error.is_empty() && error.len() <= 60 && error.chars().all(word) {
        format!("{words} ({error})")
    } else {
        format!("{words} (with an invalid error code)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redirect() -> Url {
        Url::parse("https://engine.example/callback?tenant=1").unwrap()
    }

    #[test]
    fn a_callback_has_one_state_and_one_answer() {
        let read = |query: &str| {
            let url = format!("https://engine.example/callback?tenant=1&{query}");
            Callback::read(&url, None).and_then(|callback| {
                callback.issuer()?;
                callback.result()
            })
        };
        assert!(matches!(read("state=s&code=c"), Ok(CallbackResult::Code(_))));
        assert!(matches!(read("state=s&error=access_denied"), Ok(CallbackResult::Refused(_))));
        for wrong in [
            "code=c",
            "state=s",
            "state=s&code=",
            "state=s&state=t&code=c",
            "state=s&state=s&code=c",
            "state=s&code=c&code=d",
            "state=s&code=c&error=access_denied",
            "state=s&code=c&iss=a&iss=b",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_callback_comes_to_the_redirect_url_and_to_no_other() {
        let at = |url: &str| Callback::read(url, None).unwrap().is_at(&redirect());
        assert!(at("https://engine.example/callback?tenant=1&state=s&code=c"));
        assert!(at("https://engine.example:443/callback?state=s&tenant=1"));
        for other in [
            "http://engine.example/callback?tenant=1&state=s",
            "https://engine.example:444/callback?tenant=1&state=s",
            "https://engine.example.evil.test/callback?tenant=1&state=s",
            "https://engine.example/callback/?tenant=1&state=s",
            "https://engine.example/Callback?tenant=1&state=s",
            "https://engine.example/callback?state=s",
            "https://engine.example/callback?tenant=2&state=s",
        ] {
            assert!(!at(other), "{other}");
        }
    }

    #[test]
    fn each_error_has_a_specific_message_without_foreign_text() {
        let known = [
            "access_denied",
            "invalid_scope",
            "temporarily_unavailable",
            "server_error",
            "unauthorized_client",
            "unsupported_response_type",
            "invalid_request",
            "something_new",
        ];
        let said: std::collections::BTreeSet<String> =
            known.iter().map(|error| in_words(error)).collect();
        assert_eq!(said.len(), known.len());
        for foreign in ["<script>alert(1)</script>", "a b", "", "x\u{1b}[31m", &"e".repeat(61)] {
            assert!(in_words(foreign).contains("invalid error code"), "{foreign}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_text_is_a_callback_or_none(text in ".{0,200}") {
            if let Ok(callback) = Callback::read(&text, None) {
                let _said = callback.result().is_ok();
                let _at = callback.is_at(&redirect());
            }
        }

        #[test]
        fn any_query_is_read_or_refused_and_a_code_comes_with_its_state(
            query in "(code|state|error|iss|%73tate|=|&|%|[a-z0-9+]){0,40}"
        ) {
            let url = format!("https://engine.example/callback?{query}");
            if let Ok(callback) = Callback::read(&url, None) {
                let states = callback.url.query_pairs().filter(|(name, _)| name == "state");
                prop_assert_eq!(states.count(), 1);
            }
        }
    }
}
