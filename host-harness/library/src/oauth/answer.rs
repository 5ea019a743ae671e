//! The answer of a token endpoint (RFC 6749 section 5), read leniently where services differ and
//! strictly where a mistake would cost a token. Nothing here is ever printed.

use std::fmt;
use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::secret::Secret;

/// No token is longer; what is longer is something else.
const LONGEST: usize = 16 * 1024;
/// No token lives longer than ten years, whatever is said.
const LONGEST_LIFE: u64 = 10 * 366 * 24 * 3_600;

/// A successful answer, or the error that some services send with status 200.
#[derive(Clone)]
pub(crate) struct TokenAnswer {
    access_token: AccessToken,
    token_type: BasicTokenType,
    expires_in: Option<Duration>,
    refresh_token: Option<RefreshToken>,
    scopes: Option<Vec<Scope>>,
    id_token: Option<Secret>,
    error: Option<String>,
}

impl TokenAnswer {
    pub(crate) fn id_token(&self) -> Option<&Secret> {
        self.id_token.as_ref()
    }

    /// Error of an invalid response.
    pub(crate) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[token response]")
    }
}

impl oauth2::TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

/// Required by the `oauth2` crate; contains no information.
impl Serialize for TokenAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for TokenAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = |problem: &str| <D::Error as serde::de::Error>::custom(problem);
        // By hand: what goes wrong must not quote what was there.
        let Value::Object(members) = Value::deserialize(deserializer)? else {
            return Err(wrong("it is not an object"));
        };
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let secret = |name: &str| -> Result<Option<String>, D::Error> {
            match members.get(name) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) if text.is_empty() => Ok(None),
                Some(Value::String(text)) if is_token(text) => Ok(Some(text.clone())),
                Some(_) => Err(wrong("it contains an invalid token")),
            }
        };
        let error = text("error").map(str::to_owned);
        let access_token = match secret("access_token")? {
            Some(token) if token.len() < Secret::MINIMUM_LENGTH => {
                return Err(wrong("its access token is too short"));
            }
            Some(token) => token,
            None if error.is_some() => String::new(),
            None => return Err(wrong("it contains no access token")),
        };
        let token_type = match text("token_type") {
            // Required, and left out by some; what else should it be.
            None => BasicTokenType::Bearer,
            Some(kind) if kind.eq_ignore_ascii_case("bearer") => BasicTokenType::Bearer,
            Some(_) if error.is_some() => BasicTokenType::Bearer,
            Some(_) => return Err(wrong("its token is not a bearer token")),
        };
        Ok(Self {
            access_token: AccessToken::new(access_token),
            token_type,
            expires_in: members.get("expires_in").and_then(lifetime),
            refresh_token: secret("refresh_token")?.map(RefreshToken::new),
            scopes: text("scope").map(|text| {
                text.split_whitespace().map(|one| Scope::new(one.to_owned())).collect()
            }),
            // Only read, never sent; one that is too long is as good as none.
            id_token: secret("id_token").ok().flatten().map(Secret::new),
            error,
        })
    }
}

/// Whether a token can be in a header. RFC 6750 section 2.1 permits less, but some services violate
/// it.
fn is_token(text: &str) -> bool {
    text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Seconds. What makes no sense counts as not said: zero, less, or words; too much is cut.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_f64().filter(|seconds| *seconds >= 1.0).map(|s| s as u64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }?;
    (seconds > 0).then(|| Duration::from_secs(seconds.min(LONGEST_LIFE)))
}

#[cfg(test)]
mod tests {
    use oauth2::TokenResponse as _;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(answer: Value) -> Result<TokenAnswer, String> {
        serde_json::from_str(&answer.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_lifetime_that_makes_no_sense_counts_as_not_said() {
        let seconds = |given: Value| {
            read(json!({"access_token": "t".repeat(20), "token_type": "bearer",
                "expires_in": given}))
            .unwrap()
            .expires_in()
            .map(|life| life.as_secs())
        };
        assert_eq!(seconds(json!(3600)), Some(3600));
        assert_eq!(seconds(json!("3600")), Some(3600));
        assert_eq!(seconds(json!(3600.9)), Some(3600));
        assert_eq!(seconds(json!(1)), Some(1));
        assert_eq!(seconds(json!(1_000_000_000_000_u64)), Some(LONGEST_LIFE));
        assert_eq!(seconds(json!(1e300)), Some(LONGEST_LIFE));
        for nonsense in [json!(0), json!(-1), json!("soon"), json!(""), json!(null), json!([1])] {
            assert_eq!(seconds(nonsense.clone()), None, "{nonsense}");
        }
    }

    #[test]
    fn an_invalid_token_response_is_refused_and_not_quoted() {
        let canary = "canary-token-0123456789";
        for answer in [
            json!({"access_token": format!("{canary}\n"), "token_type": "bearer"}),
            json!({"access_token": canary, "refresh_token": format!("{canary} x")}),
            json!({"access_token": canary, "token_type": "mac"}),
            json!({"refresh_token": canary, "token_type": "bearer"}),
            json!({"access_token": "short", "token_type": canary}),
            json!({"access_token": [canary]}),
            json!([canary]),
            json!(canary),
        ] {
            let error = read(answer.clone()).unwrap_err();
            assert!(!error.contains("canary"), "{answer}: {error}");
        }
        assert_eq!(
            format!("{:?}", read(json!({"access_token": canary})).unwrap()),
            "[token response]"
        );
    }

    #[test]
    fn an_error_with_status_200_is_an_error() {
        let answer = read(json!({"error": "invalid_grant"})).unwrap();
        assert_eq!(answer.error(), Some("invalid_grant"));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _read = serde_json::from_slice::<TokenAnswer>(&bytes).is_ok();
        }

        #[test]
        fn any_object_is_read_or_refused(
            token in ".{0,40}", kind in "\\PC{0,8}", scope in "\\PC{0,30}", life in any::<i64>()
        ) {
            let answer = json!({"access_token": token, "token_type": kind, "scope": scope,
                "expires_in": life, "refresh_token": token});
            if let Ok(read) = read(answer) {
                prop_assert_eq!(read.access_token().secret(), &token);
                prop_assert!(read.expires_in().is_none_or(|life| life.as_secs() <= LONGEST_LIFE));
            }
        }
    }
}
