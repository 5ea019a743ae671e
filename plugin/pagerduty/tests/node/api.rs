//! `api.request`.

use serde_json::json;
use workflow_node_sdk::ErrorKind;

use crate::support::{body, call, header, host, only_request};

#[test]
fn a_query_is_encoded_and_its_lists_are_repeated() {
    let host = host(&[(200, r#"{"ok":1}"#)]);
    let parameters = json!({
        "method": "GET", "path": "/oncalls",
        "query": {"include[]": ["users", "a&b"], "limit": 5, "earliest": true},
    });
    assert_eq!(call(&host, "api.request", &parameters).unwrap(), [json!({"ok": 1})]);
    let request = only_request(&host);
    // In any order, because it depends on the map implementation.
    let (path, query) = request.url.split_once('?').unwrap();
    assert_eq!(path, "https://api.pagerduty.com/oncalls");
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    assert_eq!(pairs, ["earliest=true", "include%5B%5D=a%26b", "include%5B%5D=users", "limit=5"]);
    assert_eq!((request.body, request.idempotency_key), (None, None));
}

#[test]
fn a_body_is_sent_unchanged() {
    let host = host(&[(200, "{}")]);
    let text =
        r#"{"method":"POST","path":"/x","body":{"n":12345678901234567890123},"from":"a@b.test"}"#;
    call(&host, "api.request", &serde_json::from_str(text).unwrap()).unwrap();
    let request = only_request(&host);
    assert_eq!(request.body.as_deref(), Some(&br#"{"n":12345678901234567890123}"#[..]));
    assert_eq!(header(&request, "from"), Some("a@b.test"));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    assert_eq!(body(&request)["n"].to_string(), "12345678901234567890123");
}

#[test]
fn a_response_without_a_body_returns_its_status() {
    let host = host(&[(204, "")]);
    let parameters = json!({"method": "DELETE", "path": "/services/P1"});
    assert_eq!(call(&host, "api.request", &parameters).unwrap(), [json!({"status": 204})]);
}

#[test]
fn a_path_stays_on_the_rest_api() {
    for path in [
        "incidents",
        "//evil.test/x",
        "/a/../b",
        "/a/./b",
        "/a/%2e%2E/b",
        "/a/.%2e",
        "/a?b=c",
        "/a#b",
        "/a\\b",
        "/a b",
        "/ä",
        "/a\n",
        "/",
        "/a/",
        "https://evil.test/",
        "@evil.test/",
    ] {
        let host = host(&[]);
        let error =
            call(&host, "api.request", &json!({"method": "GET", "path": path})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{path}");
        assert_eq!(host.requests().len(), 0);
    }
    for path in ["/incidents/P1", "/a%2Fb", "/...", "/a/..b/.c", "/x@y:z"] {
        let host = host(&[(200, "{}")]);
        call(&host, "api.request", &json!({"method": "GET", "path": path})).unwrap();
        assert_eq!(only_request(&host).url, format!("https://api.pagerduty.com{path}"));
    }
}

#[test]
fn an_invalid_request_is_refused() {
    for parameters in [
        json!({"method": "GET", "path": "/x", "body": {}}),
        json!({"method": "DELETE", "path": "/x", "body": {}}),
        json!({"method": "HEAD", "path": "/x"}),
        json!({"method": "get", "path": "/x"}),
        json!({"method": "GET", "path": "/x", "query": {"a": {"b": 1}}}),
        json!({"method": "GET", "path": "/x", "query": {"a": [null]}}),
        json!({"method": "GET", "path": "/x", "query": "a=b"}),
        json!({"path": "/x"}),
    ] {
        let error = call(&host(&[]), "api.request", &parameters).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{parameters}");
    }
}

#[test]
fn a_write_is_never_marked_as_repeatable() {
    let host = host(&[(503, "{}")]);
    let parameters = json!({"method": "POST", "path": "/x", "body": {}});
    let error = call(&host, "api.request", &parameters).unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
}
