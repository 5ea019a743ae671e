//! The document of `schemas/credential-type.json`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::members::document;
use crate::text::names;
use crate::{FieldBuilder, FormBuilder, Grant, Origin, OriginPattern, PathTemplate, Schema};

document! {
    /// The credential types of a plugin.
    #[derive(Default)]
    open struct CredentialTypes {
        preset {
            /// The credential types, in the author's order.
            credential_types: Vec<CredentialType> = Vec::new(),
        }
    }
}

document! {
    /// A type of credential: the form that users fill in, and the places where the host writes the
    /// credential.
    open struct CredentialType {
        required {
            /// Name of the credential type, in lower case.
            name: String,
            /// Name of the credential type for people.
            display_name: String,
            /// Description of the credential.
            description: String,
            /// The form: the schema of an object whose secrets are strings marked `writeOnly`.
            fields: Schema,
            /// How the secret is obtained.
            grant: Grant,
            /// Every origin that the credential may ever be sent to.
            origins: Vec<OriginPattern>,
            /// Where the host writes the credential.
            placements: Vec<Placement>,
        }
        preset {
            /// Version of the credential type, raised when stored credentials no longer work.
            version: u32 = 1,
        }
        optional {
            /// Page with further information; https.
            documentation_url: String,
            /// Rate limit of the service for one credential.
            rate_limit: RateLimit,
        }
        list {
            /// Scopes that may be requested.
            scopes: Scope,
        }
    }
}

impl CredentialTypes {
    /// These credential types, in the order in which people choose from them.
    pub fn of(credential_types: impl Into<Vec<CredentialType>>) -> Self {
        Self::default().credential_types(credential_types.into())
    }
}

impl CredentialType {
    /// Creates a type whose credentials are one secret, such as an API key or a token. The form asks
    /// for the field `secret`, which placements write as `{secret}`.
    pub fn secret(
        name: impl Into<String>,
        display_name: impl Into<String>,
        description: impl Into<String>,
        origins: impl Into<Vec<OriginPattern>>,
        placements: impl Into<Vec<Placement>>,
    ) -> Self {
        let (display_name, description) = (display_name.into(), description.into());
        let field = FieldBuilder::text("secret", &display_name, &description).secret();
        let form = FormBuilder::new().required(field).build();
        Self::new(name, display_name, description, form, Grant::Fixed, origins, placements)
    }

    /// Names of the secret fields of the form.
    pub fn secret_fields(&self) -> BTreeSet<String> {
        self.properties()
            .into_iter()
            .flatten()
            .filter(|(_, field)| field.get("writeOnly") == Some(&Value::Bool(true)))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The fields of the form by name; `None` if the form is not an object schema with properties.
    pub fn properties(&self) -> Option<&Map<String, Value>> {
        self.fields.get("properties")?.as_object()
    }

    /// Names of the secrets that the grant yields in addition to those of the form.
    pub fn grant_secrets(&self) -> &'static [&'static str] {
        match self.grant {
            Grant::Fixed => &[],
            Grant::AuthorizationCode(_) => &["access_token", "refresh_token", "id_token"],
            Grant::ClientCredentials(_) => &["access_token"],
            Grant::DeviceAuthorization(_) => &["access_token", "refresh_token"],
        }
    }
}

document! {
    /// A scope that may be requested.
    closed struct Scope {
        required {
            /// Name of the scope, where `{field}` stands for a field of the form.
            name: String,
            /// Description of the access that the scope allows.
            description: String,
        }
        optional {
            /// Whether it allows changes.
            access: Access,
            /// Access of the other scopes that this one includes.
            covers: Access,
        }
    }
}

names! {
    /// Kind of access that a scope allows.
    pub enum Access {
        /// Reading.
        Read = "read",
        /// Changing. A scope that covers this covers reading as well.
        Write = "write",
    }
}

impl Scope {
    /// Whether a scope is this one or fits its pattern.
    pub fn allows(&self, scope: &str) -> bool {
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "AnyPlacement", into = "AnyPlacement")]
#[non_exhaustive]
pub struct Placement {
    /// Part of the request that the value is written to.
    pub kind: PlacementKind,
    /// Value to write, where `{field}` stands for a field of the form or a token.
    pub value: String,
    /// Encoding of the value; `None` writes it unencoded.
    pub encoding: Option<PlacementEncoding>,
    /// Text written before the encoded value; may be empty.
    pub prefix: String,
    /// Methods of the requests; empty for every method.
    pub methods: Vec<String>,
    /// Origins of the requests.
    pub origins: Vec<OriginPattern>,
    /// Path of the requests.
    pub path: PathTemplate,
}

names! {
    /// How a placement encodes its value.
    pub enum PlacementEncoding {
        /// Base64 with padding (RFC 4648 section 4).
        Base64 = "base64",
    }
}

/// Part of a request that a placement writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacementKind {
    /// A request header.
    Header {
        /// Name of the header.
        name: String,
    },
    /// A query parameter.
    Query {
        /// Name of the parameter.
        name: String,
    },
    /// A string in a JSON body.
    Body {
        /// Position of the string (RFC 6901). Its parent must exist.
        pointer: String,
    },
}

/// The members of a placement, whichever kind it is.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct AnyPlacement {
    kind: AnyKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<PlacementEncoding>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    prefix: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    methods: Vec<String>,
    origins: Vec<OriginPattern>,
    path: PathTemplate,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum AnyKind {
    Header,
    Query,
    Body,
}

impl TryFrom<AnyPlacement> for Placement {
    type Error = &'static str;

    fn try_from(any: AnyPlacement) -> Result<Self, &'static str> {
        let kind = match (any.kind, any.name, any.pointer) {
            (AnyKind::Header, Some(name), None) => PlacementKind::Header { name },
            (AnyKind::Query, Some(name), None) => PlacementKind::Query { name },
            (AnyKind::Body, None, Some(pointer)) => PlacementKind::Body { pointer },
            (AnyKind::Header | AnyKind::Query, ..) => {
                return Err("a placement in a header or a query has a `name` and no `pointer`");
            }
            (AnyKind::Body, ..) => {
                return Err("a placement in a body has a `pointer` and no `name`");
            }
        };
        let AnyPlacement { value, encoding, prefix, methods, origins, path, .. } = any;
        if encoding.is_none() && !prefix.is_empty() {
            return Err("a placement with a `prefix` has an `encoding`");
        }
        Ok(Self { kind, value, encoding, prefix, methods, origins, path })
    }
}

impl From<Placement> for AnyPlacement {
    fn from(placement: Placement) -> Self {
        let (kind, name, pointer) = match placement.kind {
            PlacementKind::Header { name } => (AnyKind::Header, Some(name), None),
            PlacementKind::Query { name } => (AnyKind::Query, Some(name), None),
            PlacementKind::Body { pointer } => (AnyKind::Body, None, Some(pointer)),
        };
        let Placement { value, encoding, prefix, methods, origins, path, .. } = placement;
        Self { kind, name, pointer, value, encoding, prefix, methods, origins, path }
    }
}

impl Placement {
    fn new(kind: PlacementKind, value: impl Into<String>, origins: Vec<OriginPattern>) -> Self {
        Self {
            kind,
            value: value.into(),
            encoding: None,
            prefix: String::new(),
            methods: Vec::new(),
            origins,
            path: PathTemplate::everything(),
        }
    }

    /// In a header of every request to these origins.
    pub fn header(
        name: impl Into<String>,
        value: impl Into<String>,
        origins: impl Into<Vec<OriginPattern>>,
    ) -> Self {
        Self::new(PlacementKind::Header { name: name.into() }, value, origins.into())
    }

    /// As HTTP Basic (RFC 7617) in every request to these origins: `Authorization: Basic`, and the
    /// base64 of user and password. Both are templates: `{email}/token`, or empty.
    pub fn basic(user: &str, password: &str, origins: impl Into<Vec<OriginPattern>>) -> Self {
        let value = [user, ":", password].concat();
        Self::header("Authorization", value, origins).base64("Basic ")
    }

    /// In a query parameter of every request to these origins.
    pub fn query(
        name: impl Into<String>,
        value: impl Into<String>,
        origins: impl Into<Vec<OriginPattern>>,
    ) -> Self {
        Self::new(PlacementKind::Query { name: name.into() }, value, origins.into())
    }

    /// At a position (RFC 6901) in the JSON body of every request to these origins. Where the body is
    /// a form, `/name` is the field `name`.
    pub fn body(
        pointer: impl Into<String>,
        value: impl Into<String>,
        origins: impl Into<Vec<OriginPattern>>,
    ) -> Self {
        Self::new(PlacementKind::Body { pointer: pointer.into() }, value, origins.into())
    }

    /// Encodes the value as base64, after this prefix, which may be empty.
    #[must_use]
    pub fn base64(mut self, prefix: impl Into<String>) -> Self {
        self.encoding = Some(PlacementEncoding::Base64);
        self.prefix = prefix.into();
        self
    }

    /// Only in requests with these methods.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.methods = methods.into_iter().map(Into::into).collect();
        self
    }

    /// Only in requests whose path matches.
    #[must_use]
    pub fn path(mut self, path: PathTemplate) -> Self {
        self.path = path;
        self
    }

    /// Whether it applies to a request.
    pub fn holds_for(&self, method: &str, origin: &Origin, path: &str) -> bool {
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

    /// The placement in words, for a person who approves it.
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
        let written = match self.encoding {
            None => format!("`{}`", self.value),
            Some(encoding) if self.prefix.is_empty() => {
                format!("the {encoding} of `{}`", self.value)
            }
            Some(encoding) => format!("`{}` and the {encoding} of `{}`", self.prefix, self.value),
        };
        format!("{place} of {methods} request to {to}, as {written}")
    }
}

document! {
    /// Rate limit of a service for one credential.
    open struct RateLimit {
        required {
            /// All of them apply.
            windows: Vec<RateWindow>,
        }
        optional {
            /// Header with the number of requests that are left.
            remaining_header: String,
            /// Header with the number of seconds to wait, in addition to `Retry-After`.
            retry_after_header: String,
            /// Header with the time from which requests are allowed again.
            reset: RateReset,
        }
        number {
            /// How long to wait after a 429 that does not say how long, in milliseconds.
            default_wait_ms: u64,
        }
        list {
            /// Operations with a separate limit, which applies in addition.
            operations: OperationLimit,
        }
    }
}

document! {
    /// Header that contains the time at which requests are permitted again. Used only if no header
    /// states how long to wait, and not while `remaining_header` reports remaining requests.
    open struct RateReset {
        required {
            /// Name of the header.
            header: String,
            /// How the header writes the time.
            format: ResetFormat,
        }
    }
}

names! {
    /// How a header writes a time.
    pub enum ResetFormat {
        /// Seconds since 1970.
        UnixSeconds = "unix-seconds",
        /// Milliseconds since 1970.
        UnixMilliseconds = "unix-milliseconds",
        /// A date of HTTP (RFC 9110 section 5.6.7).
        HttpDate = "http-date",
        /// RFC 3339.
        Rfc3339 = "rfc3339",
    }
}

document! {
    /// Rate limit of some operations of a service for one credential.
    open struct OperationLimit {
        required {
            /// Path of the operations.
            path: PathTemplate,
            /// All of them apply.
            windows: Vec<RateWindow>,
        }
        list {
            /// Methods of the operations; empty for all.
            methods: String,
        }
    }
}

impl OperationLimit {
    /// Whether a request is one of these operations.
    pub fn covers(&self, method: &str, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|one| one == method))
            && self.path.matches(path)
    }
}

document! {
    /// How many requests are allowed in how long a time.
    open struct RateWindow {
        exact {
            /// Number of requests.
            requests: u32,
            /// Length of the window, in milliseconds.
            milliseconds: u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn a_scope_pattern_takes_words_only() {
        let scope = |name: &str| Scope::new(name, "");
        assert!(scope("as_account-{region}.{subdomain}").allows("as_account-us.acme-1"));
        assert!(!scope("as_account-{region}.{subdomain}").allows("as_account-us."));
        assert!(!scope("as_account-{region}.{subdomain}").allows("as_account-us.acme write"));
        assert!(scope("read").allows("read"));
        assert!(!scope("read").allows("reader"));
    }
}
