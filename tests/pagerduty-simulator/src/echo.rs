//! A response that echoes the request, for tests that no credential leaks into results.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::recording::RecordedRequest;
use crate::reply::Reply;

/// The whole request, and the `Authorization` value and the bare token in several encodings.
pub(crate) fn echoed(request: &RecordedRequest) -> Reply {
    let authorization = request.header("authorization").unwrap_or_default();
    let token = bare_token(authorization);
    let headers: Vec<Value> =
        request.headers.iter().map(|(name, value)| json!([name, value])).collect();
    let mut named = Map::new();
    for (name, value) in &request.headers {
        named.insert(name.clone(), json!(value));
    }
    Reply::json(
        200,
        &json!({
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": named,
            "header_list": headers,
            "body": String::from_utf8_lossy(&request.body),
            "json": request.json(),
            "authorization": variants(authorization),
            "token": variants(token),
        }),
    )
}

fn bare_token(authorization: &str) -> &str {
    ["Token token=", "Bearer "]
        .iter()
        .find_map(|scheme| authorization.strip_prefix(scheme))
        .unwrap_or(authorization)
}

fn variants(secret: &str) -> Value {
    let hex = |upper: bool| -> String {
        secret
            .bytes()
            .map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") })
            .collect()
    };
    let escaped: String =
        secret.chars().map(|letter| format!("\\u{:04x}", letter as u32)).collect();
    json!({
        "raw": secret,
        "base64": STANDARD.encode(secret),
        "base64_unpadded": STANDARD_NO_PAD.encode(secret),
        "base64url": URL_SAFE.encode(secret),
        "base64url_unpadded": URL_SAFE_NO_PAD.encode(secret),
        "hex": hex(false),
        "hex_upper": hex(true),
        "percent": utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        "form": url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>(),
        "json": Value::from(secret).to_string(),
        "json_escaped": escaped,
    })
}
