//! The documents about one credential: `schemas/configuration.json`, `schemas/grant.json`, and
//! `schemas/identity.json`.

use serde_json::{Map, Value};

use crate::OriginPattern;
use crate::members::document;
use crate::text::names;

document! {
    /// Configuration derived from the fields of a credential: where the credential may be sent.
    closed struct Configuration {
        required {
            /// The origins that the credential is for.
            audiences: Vec<OriginPattern>,
        }
        optional {
            /// Endpoints and scopes of an OAuth grant.
            oauth: OauthConfiguration,
        }
        map {
            /// Base URLs, by names that the node's code uses.
            base_urls: String,
        }
        object {
            /// Other values that the node's code uses. They are not secret.
            values,
        }
    }
}

document! {
    /// Endpoints and scopes of an OAuth grant.
    closed struct OauthConfiguration {
        required {
            /// Token endpoint.
            token_url: String,
            /// Scopes to request.
            scopes: Vec<String>,
        }
        optional {
            /// Page on which the user consents.
            authorize_url: String,
            /// Endpoint that issues device codes.
            device_authorization_url: String,
            /// Revocation endpoint.
            revoke_url: String,
        }
        map {
            /// Additional parameters of the authorization request, each with one of the values that the
            /// credential type describes.
            parameters: String,
        }
    }
}

document! {
    /// Grant of a service, passed to `configure` once there is a token.
    #[derive(Default)]
    open struct TokenGrant {
        preset {
            /// The granted scopes.
            scopes: Vec<String> = Vec::new(),
            /// The claims of the ID token that the credential type names.
            claims: Map<String, Value> = Map::new(),
        }
    }
}

impl TokenGrant {
    /// Reads a grant that was parsed before. For components: serde's readers of typed members, with
    /// their messages, take 40 kB.
    pub fn from_value(value: Value) -> Option<Self> {
        let Value::Object(mut members) = value else { return None };
        let (Value::Array(list), Value::Object(claims)) =
            (members.remove("scopes")?, members.remove("claims")?)
        else {
            return None;
        };
        let mut grant = Self::default().claims(claims);
        for scope in list {
            let Value::String(scope) = scope else { return None };
            grant.scopes.push(scope);
        }
        for (name, value) in members {
            grant.extra.insert(name, value.into());
        }
        Some(grant)
    }
}

document! {
    /// Identity of a credential, as confirmed by real requests.
    open struct Identity {
        required {
            /// One sentence for people: what the test confirmed, and what it did not.
            summary: String,
        }
        optional {
            /// Account that the credential belongs to.
            account: Account,
            /// User that the credential acts as.
            user: User,
            /// Region of the service.
            region: String,
            /// Whether the credential allows changes.
            access: CredentialAccess,
        }
        list {
            /// Abilities of the account.
            abilities: String,
            /// Warnings for the person who connects the credential.
            warnings: String,
        }
    }
}

names! {
    /// Whether a credential allows changes.
    pub enum CredentialAccess {
        /// It can only read.
        Read = "read",
        /// It can read and change.
        ReadWrite = "read-write",
        /// The service does not say.
        Unknown = "unknown",
    }
}

document! {
    /// An account of a service.
    #[derive(Default)]
    open struct Account {
        optional {
            /// ID of the account.
            id: String,
            /// Name of the account.
            name: String,
            /// Subdomain of the account.
            subdomain: String,
        }
    }
}

document! {
    /// A user of a service.
    #[derive(Default)]
    open struct User {
        optional {
            /// ID of the user.
            id: String,
            /// Name of the user.
            name: String,
            /// Email address of the user.
            email: String,
            /// Role of the user.
            role: String,
        }
    }
}
