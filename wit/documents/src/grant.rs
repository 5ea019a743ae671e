//! How the secret of a credential type is obtained: typed, or by a grant of OAuth 2.0.

use serde::{Deserialize, Serialize};

use crate::members::document;
use crate::text::names;

/// How the secret is obtained.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "AnyGrant", into = "AnyGrant")]
#[non_exhaustive]
pub enum Grant {
    /// The user enters it.
    Fixed,
    /// OAuth 2.0 authorization code with PKCE (RFC 6749 section 4.1, RFC 7636).
    AuthorizationCode(Box<AuthorizationCode>),
    /// OAuth 2.0 client credentials (RFC 6749 section 4.4).
    ClientCredentials(Box<ClientCredentials>),
    /// OAuth 2.0 device authorization grant (RFC 8628).
    DeviceAuthorization(Box<DeviceAuthorization>),
}

/// `Fixed` needs braces to refuse unknown members.
#[derive(Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum AnyGrant {
    Fixed {},
    AuthorizationCode(Box<AuthorizationCode>),
    ClientCredentials(Box<ClientCredentials>),
    DeviceAuthorization(Box<DeviceAuthorization>),
}

impl From<AnyGrant> for Grant {
    fn from(grant: AnyGrant) -> Self {
        match grant {
            AnyGrant::Fixed {} => Self::Fixed,
            AnyGrant::AuthorizationCode(grant) => Self::AuthorizationCode(grant),
            AnyGrant::ClientCredentials(grant) => Self::ClientCredentials(grant),
            AnyGrant::DeviceAuthorization(grant) => Self::DeviceAuthorization(grant),
        }
    }
}

impl From<Grant> for AnyGrant {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::Fixed => Self::Fixed {},
            Grant::AuthorizationCode(grant) => Self::AuthorizationCode(grant),
            Grant::ClientCredentials(grant) => Self::ClientCredentials(grant),
            Grant::DeviceAuthorization(grant) => Self::DeviceAuthorization(grant),
        }
    }
}

impl From<AuthorizationCode> for Grant {
    fn from(grant: AuthorizationCode) -> Self {
        Self::AuthorizationCode(Box::new(grant))
    }
}

impl From<ClientCredentials> for Grant {
    fn from(grant: ClientCredentials) -> Self {
        Self::ClientCredentials(Box::new(grant))
    }
}

impl From<DeviceAuthorization> for Grant {
    fn from(grant: DeviceAuthorization) -> Self {
        Self::DeviceAuthorization(Box::new(grant))
    }
}

document! {
    /// OAuth 2.0 authorization code with PKCE.
    closed struct AuthorizationCode {
        required {
            /// Pages on which the user consents.
            authorize_urls: Vec<String>,
            /// Token endpoints.
            token_urls: Vec<String>,
            /// How the client authenticates.
            client_authentication: ClientAuthentication,
            /// Field of the form that holds the client ID.
            client_id_field: String,
        }
        preset {
            /// Method of PKCE.
            pkce: PkceMethod = PkceMethod::S256,
        }
        optional {
            /// Field of the form that holds the client secret.
            client_secret_field: String,
            /// Field of the form that takes the scopes to request.
            scopes_field: String,
            /// Field of the form that holds the ID of the private key (`kid`), for
            /// `private_key_jwt`.
            key_id_field: String,
        }
        number {
            /// How long the service accepts a spent refresh token, in milliseconds.
            refresh_grace_ms: u64,
        }
        list {
            /// Revocation endpoints.
            revoke_urls: String,
            /// Claims of the ID token that are passed to `configure`. A change of their values
            /// means another account or user.
            id_token_claims: String,
            /// Accepted issuers of ID tokens and authorization responses; empty for any.
            issuers: String,
            /// Additional parameters that an authorization request may have.
            authorize_parameters: AuthorizeParameter,
        }
        default {
            /// Whether every authorization response names its issuer (RFC 9207). One that does not
            /// is refused.
            iss_in_response: bool,
        }
    }
}

document! {
    /// A parameter that an authorization request may have, in addition to those of the host.
    closed struct AuthorizeParameter {
        required {
            /// Name of the parameter.
            name: String,
            /// Effect of the parameter, for the person who approves it.
            description: String,
            /// The values that it may have.
            values: Vec<String>,
        }
    }
}

document! {
    /// OAuth 2.0 client credentials.
    closed struct ClientCredentials {
        required {
            /// Token endpoints.
            token_urls: Vec<String>,
            /// How the client authenticates.
            client_authentication: ClientAuthentication,
            /// Field of the form that holds the client ID.
            client_id_field: String,
            /// Field of the form that holds the client secret.
            client_secret_field: String,
        }
        optional {
            /// Field of the form that takes the scopes to request.
            scopes_field: String,
            /// Field of the form that holds the ID of the private key (`kid`), for
            /// `private_key_jwt`.
            key_id_field: String,
        }
        list {
            /// Revocation endpoints.
            revoke_urls: String,
        }
    }
}

document! {
    /// OAuth 2.0 device authorization grant: the user enters a code on a page of the service, on any
    /// device.
    closed struct DeviceAuthorization {
        required {
            /// Endpoints that issue device codes.
            device_authorization_urls: Vec<String>,
            /// Token endpoints.
            token_urls: Vec<String>,
            /// How the client authenticates; not by a private key.
            client_authentication: ClientAuthentication,
            /// Field of the form that holds the client ID.
            client_id_field: String,
        }
        optional {
            /// Field of the form that holds the client secret.
            client_secret_field: String,
            /// Field of the form that takes the scopes to request.
            scopes_field: String,
        }
        number {
            /// How long the service accepts a spent refresh token, in milliseconds.
            refresh_grace_ms: u64,
        }
        list {
            /// Revocation endpoints.
            revoke_urls: String,
        }
    }
}

names! {
    /// Method of PKCE.
    pub enum PkceMethod {
        /// SHA-256 (RFC 7636 section 4.2).
        S256 = "S256",
    }
}

names! {
    /// How an OAuth client authenticates (names of RFC 7591).
    pub enum ClientAuthentication {
        /// By its secret in the form body.
        ClientSecretPost = "client_secret_post",
        /// By its secret in HTTP Basic.
        ClientSecretBasic = "client_secret_basic",
        /// By a signature of its private key (RFC 7523). The field of the client secret holds the key
        /// in PEM: RSA, EC on P-256 or P-384, or Ed25519.
        PrivateKeyJwt = "private_key_jwt",
        /// Not at all: a public client.
        None = "none",
    }
}

impl Grant {
    /// Every URL that the host talks to, or sends the user to, for this grant.
    pub fn endpoints(&self) -> Vec<&str> {
        let lists: &[&Vec<String>] = match self {
            Self::Fixed => &[],
            Self::AuthorizationCode(grant) => {
                &[&grant.authorize_urls, &grant.token_urls, &grant.revoke_urls]
            }
            Self::ClientCredentials(grant) => &[&grant.token_urls, &grant.revoke_urls],
            Self::DeviceAuthorization(grant) => {
                &[&grant.device_authorization_urls, &grant.token_urls, &grant.revoke_urls]
            }
        };
        lists.iter().flat_map(|list| list.iter().map(String::as_str)).collect()
    }

    /// Field of the form that holds the client ID; `None` for a fixed secret.
    pub fn client_id_field(&self) -> Option<&str> {
        match self {
            Self::Fixed => None,
            Self::AuthorizationCode(grant) => Some(&grant.client_id_field),
            Self::ClientCredentials(grant) => Some(&grant.client_id_field),
            Self::DeviceAuthorization(grant) => Some(&grant.client_id_field),
        }
    }

    /// Field of the form that holds the client secret.
    pub fn client_secret_field(&self) -> Option<&str> {
        match self {
            Self::Fixed => None,
            Self::AuthorizationCode(grant) => grant.client_secret_field.as_deref(),
            Self::ClientCredentials(grant) => Some(&grant.client_secret_field),
            Self::DeviceAuthorization(grant) => grant.client_secret_field.as_deref(),
        }
    }

    /// Field of the form that holds the private key in PEM, for `private_key_jwt`.
    pub fn private_key_field(&self) -> Option<&str> {
        let signs = self.client_authentication() == Some(ClientAuthentication::PrivateKeyJwt);
        self.client_secret_field().filter(|_| signs)
    }

    /// Field of the form that holds the ID of the private key.
    pub fn key_id_field(&self) -> Option<&str> {
        match self {
            Self::Fixed | Self::DeviceAuthorization(_) => None,
            Self::AuthorizationCode(grant) => grant.key_id_field.as_deref(),
            Self::ClientCredentials(grant) => grant.key_id_field.as_deref(),
        }
    }

    /// How the client authenticates; `None` for a fixed secret.
    pub fn client_authentication(&self) -> Option<ClientAuthentication> {
        match self {
            Self::Fixed => None,
            Self::AuthorizationCode(grant) => Some(grant.client_authentication),
            Self::ClientCredentials(grant) => Some(grant.client_authentication),
            Self::DeviceAuthorization(grant) => Some(grant.client_authentication),
        }
    }

    /// How long the service accepts a spent refresh token, in milliseconds. `None` if it accepts none, or
    /// issues none.
    pub fn refresh_grace_ms(&self) -> Option<u64> {
        match self {
            Self::AuthorizationCode(grant) => grant.refresh_grace_ms,
            Self::DeviceAuthorization(grant) => grant.refresh_grace_ms,
            _ => None,
        }
    }

    /// Whether the service issues refresh tokens.
    pub fn has_refresh_tokens(&self) -> bool {
        matches!(self, Self::AuthorizationCode(_) | Self::DeviceAuthorization(_))
    }

    /// Field of the form that takes the scopes to request.
    pub fn scopes_field(&self) -> Option<&str> {
        match self {
            Self::Fixed => None,
            Self::AuthorizationCode(grant) => grant.scopes_field.as_deref(),
            Self::ClientCredentials(grant) => grant.scopes_field.as_deref(),
            Self::DeviceAuthorization(grant) => grant.scopes_field.as_deref(),
        }
    }

    /// The grant in the words of the RFCs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fixed => "a secret that the user types in",
            Self::AuthorizationCode(_) => "OAuth 2.0 authorization code with PKCE",
            Self::ClientCredentials(_) => "OAuth 2.0 client credentials",
            Self::DeviceAuthorization(_) => "OAuth 2.0 device authorization",
        }
    }
}
