//! The documents of `schemas/credential-type.json` and `schemas/configuration.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::origin::{Origin, OriginPattern};
use crate::path_template::PathTemplate;

/// A kind of credential: what is asked of the user, and where the host puts what it is given.
#[derive(Clone, Debug, Deserialize)]
pub struct CredentialType {
    /// Its name.
    pub name: String,
    /// Raised when a stored credential would no longer work.
    pub version: u32,
    /// As people write it.
    pub display_name: String,
    /// What it is.
    pub description: String,
    /// Where a person reads more.
    pub documentation_url: Option<String>,
    /// The form.
    pub fields: Value,
    /// How the secret comes to be.
    pub grant: Grant,
    /// Scopes that may be asked for.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// Every origin it may ever be sent to.
    pub origins: Vec<OriginPattern>,
    /// Where the host writes it.
    pub placements: Vec<Placement>,
    /// What the service allows one credential.
    pub rate_limit: Option<RateLimit>,
}

impl CredentialType {
    /// Names of the form's secret fields.
    pub fn secret_fields(&self) -> BTreeSet<String> {
        self.properties()
            .into_iter()
            .flatten()
            .filter(|(_, field)| field.get("writeOnly") == Some(&Value::Bool(true)))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn properties(&self) -> Option<&Map<String, Value>> {
        self.fields.get("properties")?.as_object()
    }

    /// Names of secrets that a grant of this type holds besides the form's.
    pub fn grant_secrets(&self) -> &'static [&'static str] {
        match self.grant {
            Grant::Fixed => &[],
            Grant::AuthorizationCode { .. } => &["access_token", "refresh_token", "id_token"],
            Grant::ClientCredentials { .. } => &["access_token"],
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let name = &self.name;
        let no_schemas = Map::new();
        super::schema::Validator::new(&no_schemas, &self.fields)
            .map_err(|error| format!("the fields of `{name}`: {error}"))?;
        let Some(properties) = self.properties() else {
            return Err(format!("the fields of `{name}` are no object schema with properties"));
        };
        let placed = self.secret_fields();
        let tokens = self.grant_secrets();
        for placement in &self.placements {
            for field in placement.fields() {
                if !properties.contains_key(field) && !tokens.contains(&field) {
                    return Err(format!(
                        "a placement of `{name}` writes `{{{field}}}`, which is no field"
                    ));
                }
            }
            if !placement
                .fields()
                .iter()
                .any(|field| placed.contains(*field) || tokens.contains(field))
            {
                return Err(format!("a placement of `{name}` writes no secret"));
            }
            for origin in &placement.origins {
                if !self.origins.iter().any(|own| own.covers(origin)) {
                    return Err(format!(
                        "a placement of `{name}` is for {origin}, which is no origin of it"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether a configuration stays inside what is described here.
    ///
    /// # Errors
    ///
    /// What does not.
    pub(crate) fn allows(&self, configuration: &Configuration) -> Result<(), String> {
        for audience in &configuration.audiences {
            if !self.origins.iter().any(|origin| origin.covers(audience)) {
                return Err(format!("the audience {audience} is not described"));
            }
        }
        for (base, url) in &configuration.base_urls {
            let origin = url::Url::parse(url).ok().and_then(|url| Origin::of(&url));
            let inside = origin.is_some_and(|origin| {
                configuration.audiences.iter().any(|audience| audience.matches(&origin))
            });
            if !inside {
                return Err(format!("the base URL `{base}` is outside the audiences"));
            }
        }
        let Some(oauth) = &configuration.oauth else {
            return Ok(());
        };
        let (authorize, token, revoke): (&[String], &[String], &[String]) = match &self.grant {
            Grant::Fixed => return Err("a fixed grant has no OAuth endpoints".into()),
            Grant::AuthorizationCode { authorize_urls, token_urls, revoke_urls, .. } => {
                (authorize_urls, token_urls, revoke_urls)
            }
            Grant::ClientCredentials { token_urls, revoke_urls, .. } => {
                (&[], token_urls, revoke_urls)
            }
        };
        let described = |url: &Option<String>, urls: &[String]| {
            url.as_ref().is_none_or(|url| urls.contains(url))
        };
        if !described(&oauth.authorize_url, authorize)
            || !token.contains(&oauth.token_url)
            || !described(&oauth.revoke_url, revoke)
        {
            return Err("an OAuth endpoint is not described".into());
        }
        const DEFINED: &[&str] = &[
            "response_type",
            "client_id",
            "client_secret",
            "redirect_uri",
            "scope",
            "state",
            "code_challenge",
            "code_challenge_method",
            "code_verifier",
            "grant_type",
            "code",
            "nonce",
            "response_mode",
            "request",
            "request_uri",
        ];
        if let Some(name) = oauth.parameters.keys().find(|name| DEFINED.contains(&name.as_str())) {
            return Err(format!("the OAuth parameter `{name}` belongs to the host"));
        }
        for scope in &oauth.scopes {
            if !self.scopes.iter().any(|described| described.allows(scope)) {
                return Err(format!("the scope `{scope}` is not described"));
            }
        }
        Ok(())
    }
}

/// How a secret comes to be.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Grant {
    /// The user types it in.
    Fixed,
    /// RFC 6749 section 4.1 with PKCE.
    AuthorizationCode {
        /// Where the user consents.
        authorize_urls: Vec<String>,
        /// Where a code becomes a token.
        token_urls: Vec<String>,
        /// Where a token is revoked.
        #[serde(default)]
        revoke_urls: Vec<String>,
        /// Always `S256`.
        pkce: String,
        /// How the client proves itself.
        client_authentication: ClientAuthentication,
        /// Field of the form.
        client_id_field: String,
        /// Field of the form.
        client_secret_field: Option<String>,
        /// How long a spent refresh token is still accepted.
        refresh_grace_ms: Option<u64>,
        /// Claims handed to `configure`. What they say tells one account from another.
        #[serde(default)]
        id_token_claims: Vec<String>,
        /// Who may have issued an ID token, and an authorization response; empty for anybody.
        #[serde(default)]
        issuers: Vec<String>,
        /// Whether every authorization response names its issuer: one that does not is refused.
        #[serde(default)]
        iss_in_response: bool,
        /// Field of the form that takes the scopes to ask for.
        scopes_field: Option<String>,
    },
    /// RFC 6749 section 4.4.
    ClientCredentials {
        /// Where a token is got.
        token_urls: Vec<String>,
        /// Where a token is revoked.
        #[serde(default)]
        revoke_urls: Vec<String>,
        /// How the client proves itself.
        client_authentication: ClientAuthentication,
        /// Field of the form.
        client_id_field: String,
        /// Field of the form.
        client_secret_field: String,
        /// Field of the form that takes the scopes to ask for.
        scopes_field: Option<String>,
    },
}

impl Grant {
    /// Every URL that the host talks to, or sends the user to, for this grant.
    pub fn endpoints(&self) -> Vec<&str> {
        let lists: &[&Vec<String>] = match self {
            Self::Fixed => &[],
            Self::AuthorizationCode { authorize_urls, token_urls, revoke_urls, .. } => {
                &[authorize_urls, token_urls, revoke_urls]
            }
            Self::ClientCredentials { token_urls, revoke_urls, .. } => &[token_urls, revoke_urls],
        };
        lists.iter().flat_map(|list| list.iter().map(String::as_str)).collect()
    }

    /// Field of the form that takes the scopes to ask for.
    pub fn scopes_field(&self) -> Option<&str> {
        match self {
            Self::Fixed => None,
            Self::AuthorizationCode { scopes_field, .. }
            | Self::ClientCredentials { scopes_field, .. } => scopes_field.as_deref(),
        }
    }

    /// In the words of the RFCs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fixed => "a secret that the user types in",
            Self::AuthorizationCode { .. } => "OAuth 2.0 authorization code with PKCE",
            Self::ClientCredentials { .. } => "OAuth 2.0 client credentials",
        }
    }
}

/// How an OAuth client proves itself (names of RFC 7591).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// In the form body.
    ClientSecretPost,
    /// By HTTP Basic.
    ClientSecretBasic,
    /// A public client.
    None,
}

/// A scope that may be asked for.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Scope {
    /// Its name, where `{field}` stands for a field of the form.
    pub name: String,
    /// What it allows.
    pub description: String,
    /// Whether it only reads.
    pub access: Option<Access>,
    /// It stands for every other scope of this access.
    pub covers: Option<Access>,
}

/// What a scope allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Reading.
    Read,
    /// Changing. A scope that covers this covers reading, too.
    Write,
}

impl Scope {
    /// Whether a scope is this one, or fits this pattern.
    pub(crate) fn allows(&self, scope: &str) -> bool {
        let mut rest = scope;
        let mut parts = self.name.split('{');
        let Some(after) = parts.next().and_then(|literal| rest.strip_prefix(literal)) else {
            return false;
        };
        rest = after;
        for part in parts {
            let Some((_, literal)) = part.split_once('}') else {
                return false;
            };
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            let word = rest.bytes().take_while(|byte| is_word(*byte)).count();
            if word == 0 {
                return false;
            }
            let Some(after) = rest[word..].strip_prefix(literal) else {
                return false;
            };
            rest = after;
        }
        rest.is_empty()
    }
}

/// Where the host writes a credential.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Placement {
    /// What is written to.
    #[serde(flatten)]
    pub kind: PlacementKind,
    /// What is written, with `{field}`.
    pub value: String,
    /// Of the request; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Of the request.
    pub origins: Vec<OriginPattern>,
    /// Of the request.
    pub path: PathTemplate,
}

/// What a placement writes to.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PlacementKind {
    /// A request header.
    Header {
        /// Its name.
        name: String,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: String,
    },
    /// A string in a JSON body.
    Body {
        /// RFC 6901; the parent exists.
        pointer: String,
    },
}

impl Placement {
    /// Whether it holds for a request.
    pub(crate) fn holds_for(&self, method: &str, origin: &Origin, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|one| one == method))
            && self.origins.iter().any(|pattern| pattern.matches(origin))
            && self.path.matches(path)
    }

    /// The names between braces.
    pub fn fields(&self) -> Vec<&str> {
        self.value
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}').map(|(name, _)| name))
            .collect()
    }

    /// In words, for a person who approves it.
    pub fn in_words(&self) -> String {
        let place = match &self.kind {
            PlacementKind::Header { name } => format!("in the header {name}"),
            PlacementKind::Query { name } => format!("in the query parameter {name}"),
            PlacementKind::Body { pointer } => format!("in the body at {pointer}"),
        };
        let methods = match self.methods.as_slice() {
            [] => "every".to_owned(),
            methods => format!("every {}", methods.join(" or ")),
        };
        let to = self
            .origins
            .iter()
            .map(|origin| {
                if self.path.is_everything() {
                    origin.to_string()
                } else {
                    format!("{origin}{}", self.path)
                }
            })
            .collect::<Vec<_>>()
            .join(" and ");
        format!("{place} of {methods} request to {to}, as `{}`", self.value)
    }
}

/// What a service allows one credential.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct RateLimit {
    /// All of them hold.
    pub windows: Vec<RateWindow>,
    /// Header that tells how many requests are left.
    pub remaining_header: Option<String>,
    /// Header that tells the seconds to wait, besides `Retry-After`.
    pub retry_after_header: Option<String>,
}

/// So many requests in so long a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RateWindow {
    /// How many.
    pub requests: u32,
    /// In how long.
    pub milliseconds: u64,
}

/// What `configure` returned for a credential.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Names that the node's own code uses.
    #[serde(default)]
    pub base_urls: BTreeMap<String, String>,
    /// The origins that this credential is for.
    pub audiences: Vec<OriginPattern>,
    /// Endpoints and scopes, for an OAuth grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OauthConfiguration>,
    /// Anything else.
    #[serde(default)]
    pub values: Map<String, Value>,
}

/// Endpoints and scopes of an OAuth grant.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OauthConfiguration {
    /// Where the user consents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorize_url: Option<String>,
    /// Where a token is got.
    pub token_url: String,
    /// Where a token is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_url: Option<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Extra parameters of the authorize request.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn a_scope_pattern_takes_words_only() {
        let scope = |name: &str| Scope {
            name: name.into(),
            description: String::new(),
            access: None,
            covers: None,
        };
        assert!(scope("as_account-{region}.{subdomain}").allows("as_account-us.acme-1"));
        assert!(!scope("as_account-{region}.{subdomain}").allows("as_account-us."));
        assert!(!scope("as_account-{region}.{subdomain}").allows("as_account-us.acme write"));
        assert!(scope("read").allows("read"));
        assert!(!scope("read").allows("reader"));
    }
}
