//! The metadata of the service (OpenID Connect Discovery; RFC 8414; RFC 9207).

use serde_json::{Map, Value, json};

use super::desk::Desk;
use crate::reply::Reply;

const HOST: &str = "https://identity.pagerduty.com";

/// The metadata.
pub(crate) fn document(desk: &Desk<'_>) -> Reply {
    let settings = &desk.memory.settings;
    let mut scopes = vec!["openid"];
    for scope in desk.memory.apps.iter().flat_map(|app| &app.scopes) {
        if !scopes.contains(&scope.as_str()) {
            scopes.push(scope);
        }
    }
    let methods = if settings.accepts_basic {
        &["client_secret_post", "client_secret_basic", "none"][..]
    } else {
        &["client_secret_post", "none"][..]
    };
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| {
        document.insert(name.to_owned(), value);
    };
    put("issuer", json!(settings.issuer));
    put("authorization_endpoint", json!(format!("{HOST}/oauth/authorize")));
    put("token_endpoint", json!(format!("{HOST}/oauth/token")));
    put("jwks_uri", json!(format!("{HOST}/global/oauth/anonymous/jwks")));
    if settings.has_revocation {
        put("revocation_endpoint", json!(format!("{HOST}/oauth/revoke")));
    }
    put("scopes_supported", json!(scopes));
    put("response_types_supported", json!(["code"]));
    put("response_modes_supported", json!(["query"]));
    put(
        "grant_types_supported",
        json!(["authorization_code", "refresh_token", "client_credentials"]),
    );
    put("subject_types_supported", json!(["public"]));
    put("id_token_signing_alg_values_supported", json!(["RS256"]));
    put("token_endpoint_auth_methods_supported", json!(methods));
    if !settings.code_challenge_methods.is_empty() {
        put("code_challenge_methods_supported", json!(settings.code_challenge_methods));
    }
    put("authorization_response_iss_parameter_supported", json!(settings.announces_iss));
    Reply::json(200, &Value::Object(document))
}

/// The keys that verify ID tokens.
pub(crate) fn keys(desk: &Desk<'_>) -> Reply {
    Reply::json(200, &desk.memory.signer.key_set())
}
