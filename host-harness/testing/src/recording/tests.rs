use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use serde_json::json;
use workflow_node_host::transport::{
    SentMark, Transport, TransportError, TransportRequest, TransportResponse,
};
use workflow_node_host::{Secret, SystemClock};

use super::*;
use crate::clock::VirtualClock;
use crate::message::Response;

/// Echoes the request, and adds secrets that the service generates.
struct Echo;

#[async_trait]
impl Transport for Echo {
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError> {
        let seen = crate::message::Request::of(&request);
        let body = json!({
            "echo": String::from_utf8_lossy(&seen.body),
            "url": seen.url.as_str(),
            "headers": seen.headers,
            "webhook": { "signing_secret": "issued-Secret/9+", "token_type": "bearer" },
            "next_page_token": "page-2-of-9",
            "access_tokens": ["issued-token-in-list"],
        });
        let mut response = Response::json(200, &body);
        response.headers.push(("set-cookie".into(), "session=canary-cookie-value".into()));
        response.headers.push(("x-api-key".into(), "canary-header-value".into()));
        response.headers.push(("link".into(), format!("<{}>; rel=\"next\"", seen.url)));
        response.into_transport(1 << 20)
    }
}

const CANARY: &str = "Canary/pass+word=7 \"q\"";

/// A request that contains the canary in many encodings.
fn leaky(plugin: &str) -> TransportRequest {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD.encode(CANARY);
    let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("u:{CANARY}"));
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let reversed: String = CANARY.chars().rev().collect();
    let percent = percent_encoding::utf8_percent_encode(CANARY, percent_encoding::NON_ALPHANUMERIC);
    let body = json!({
        "plain": CANARY, "base64": base64, "basic": url_safe, "hex": hex, "reversed": reversed,
        "percent": percent.to_string(), "nested": json!({ "deep": CANARY }).to_string(),
    });
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Basic {base64}").parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    TransportRequest {
        plugin: plugin.to_owned(),
        pool: String::new(),
        method: http::Method::POST,
        url: format!("https://a.example/x?key={percent}&api_key=query-Canary-value")
            .parse()
            .unwrap(),
        headers,
        body: Some(body.to_string().into()),
        private_addresses: false,
        response_limit: 1 << 20,
        sent: SentMark::default(),
    }
}

/// All encodings of the canary.
fn encodings(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let mut all = vec![secret.to_owned(), secret.chars().rev().collect()];
    for offset in 0..3 {
        let padded = format!("{}{secret}", "x".repeat(offset));
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            // Without the characters that depend on the surrounding text.
            let (from, to) = (if offset == 0 { 0 } else { offset + 1 }, encoded.len() - 2);
            all.push(encoded[from..to].to_owned());
        }
    }
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    all.extend([hex.to_uppercase(), hex]);
    let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    all.push(percent.to_string());
    let json = serde_json::to_string(secret).unwrap();
    all.push(json[1..json.len() - 1].to_owned());
    all
}

#[tokio::test]
async fn no_secret_reaches_a_recording_in_any_encoding() {
    let redactor = Arc::new(Redactor::default());
    redactor.add(&Secret::new(CANARY), &placeholder("api", "password"));
    let recorder =
        Recorder::new(Arc::new(Echo), Arc::new(SystemClock::default()), redactor.clone());
    recorder.send(leaky("sha256:1")).await.unwrap();
    // The host's own requests are not stored, and the tokens in their responses are secrets.
    recorder.send(leaky("")).await.unwrap();
    let recording = recorder.recording("node 1".into());
    let text = recording.to_text();
    assert_eq!(recording.exchanges.len(), 1);
    for secret in [
        CANARY,
        "issued-Secret/9+",
        "issued-token-in-list",
        "query-Canary-value",
        "canary-cookie-value",
        "canary-header-value",
    ] {
        for encoded in encodings(secret) {
            assert!(!text.contains(&encoded), "{secret} as {encoded}\n{text}");
        }
    }
    assert!(text.contains("redacted-api-password"), "{text}");
    assert!(text.contains("redacted-signing-secret-1"), "{text}");
    // Other values are kept.
    assert!(text.contains("page-2-of-9") && text.contains("bearer"), "{text}");
}

#[tokio::test]
async fn a_redacted_recording_answers_requests_with_placeholders() {
    let redactor = Arc::new(Redactor::default());
    redactor.add(&Secret::new(CANARY), &placeholder("api", "password"));
    let recorder = Recorder::new(Arc::new(Echo), Arc::new(SystemClock::default()), redactor);
    let request = |secret: &str| {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("user:{secret}"));
        let mut request = leaky("sha256:1");
        request.url = "https://a.example/login".parse().unwrap();
        request.body = Some(json!({ "password": secret, "encoded": encoded }).to_string().into());
        request
    };
    let was = recorder.send(request(CANARY)).await.unwrap();
    let recording = recorder.recording("node 1".into());
    let secret = placeholder("api", "password");
    let replayer =
        Replayer::new(recording, VirtualClock::starting(0), std::slice::from_ref(&secret));
    let is = replayer.send(request(&secret)).await.unwrap();
    assert_eq!(is.status, was.status);
    assert!(replayer.unused().is_empty() && replayer.mismatches().is_empty());
    let error = replayer.send(request("another password")).await.unwrap_err();
    assert!(error.message.contains("No recorded response"), "{}", error.message);
    assert_eq!(replayer.mismatches().len(), 1);
}

#[test]
fn a_body_is_stored_in_its_most_readable_form() {
    for (body, content) in [
        (&b""[..], Content::Empty),
        (b"{\"a\":1.10,\"b\":12345678901234567890123}", Content::Json(json!(null))),
        (b"plain text", Content::Text("plain text".into())),
        (b"\xff\x00", Content::Base64("/wA=".into())),
    ] {
        let read = Content::of(body);
        assert_eq!(read.bytes(), body);
        if !matches!(content, Content::Json(_)) {
            assert_eq!(read, content);
        }
    }
}

#[test]
fn a_difference_is_reported_with_its_position() {
    let was = json!({ "a": [1, { "b": "x" }] });
    let is = json!({ "a": [1, { "b": "y" }] });
    let found = json_difference(&was, &is, "");
    assert_eq!(found, Some(("/a/1/b".into(), "\"x\"".into(), "\"y\"".into())));
    assert_eq!(json_difference(&was, &was, ""), None);
    let longer = json!({ "a": [1, { "b": "x" }], "c": 1 });
    assert_eq!(
        json_difference(&was, &longer, ""),
        Some(("/c".into(), "nothing".into(), "1".into()))
    );
}
