//! A credential goes to its audience and nowhere else: a hundred thousand generated triples of
//! credential, URL and redirect, through the whole way that a plugin's request takes, with a
//! transport that only writes down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use workflow_node_host::credential::{Credential, MemoryCredentials};
use workflow_node_host::transport::{
    Transport, TransportError, TransportRequest, TransportResponse,
};
use workflow_node_host::{Execution, Host, Limits, Plugin, Secret};

/// How many triples.
const TRIPLES: usize = 100_000;
/// How many of them one execution sends.
const ITEMS: usize = 2_000;

const TOKEN: &str = "canary-token-for-the-header";
const KEY: &str = "canary-key-for-the-body";

/// A request that left this machine.
#[derive(Clone, Debug)]
struct Sent {
    url: String,
    method: String,
    has_token: bool,
    has_key: bool,
}

/// Answers everything with a redirect, and writes down what came.
#[derive(Default)]
struct Recording(Mutex<Vec<Sent>>);

#[async_trait]
impl Transport for Recording {
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError> {
        let contains = |secret: &str| {
            let in_header = request.headers.values().any(|value| {
                value.as_bytes().windows(secret.len()).any(|at| at == secret.as_bytes())
            });
            let body = request.body.clone().unwrap_or_default();
            let in_body = body.windows(secret.len()).any(|at| at == secret.as_bytes());
            in_header || in_body || request.url.as_str().contains(secret)
        };
        self.0.lock().unwrap().push(Sent {
            url: request.url.to_string(),
            method: request.method.to_string(),
            has_token: contains(TOKEN),
            has_key: contains(KEY),
        });
        let mut headers = HeaderMap::new();
        headers.insert("location", request.headers["x-redirect"].clone());
        Ok(TransportResponse {
            status: StatusCode::TEMPORARY_REDIRECT,
            headers,
            body: Vec::new(),
            version: "HTTP/2",
        })
    }
}

/// URLs near and far: the approved origins, similar origins, and URLs that only look like them.
fn url() -> impl Strategy<Value = String> {
    let scheme =
        prop_oneof![30 => Just("https"), 2 => Just("http"), 1 => Just("HTTPS"), 1 => Just("ftp")];
    let host = prop_oneof![
        20 => Just("api.pagerduty.com".to_owned()),
        12 => Just("api.eu.pagerduty.com".to_owned()),
        12 => Just("events.pagerduty.com".to_owned()),
        4 => Just("inside.example.com".to_owned()),
        2 => Just("events.eu.pagerduty.com".to_owned()),
        1 => Just("pagerduty.com".to_owned()),
        1 => Just("evil.api.pagerduty.com".to_owned()),
        1 => Just("api.pagerduty.com.evil.example".to_owned()),
        1 => Just("evilapi.pagerduty.com".to_owned()),
        1 => Just("API.PagerDuty.com".to_owned()),
        1 => Just("api.pagerduty.com.".to_owned()),
        1 => Just("api%2epagerduty.com".to_owned()),
        1 => Just("user@api.pagerduty.com".to_owned()),
        1 => Just("api.pagerduty.com@evil.example".to_owned()),
        1 => Just("evil.example#@api.pagerduty.com".to_owned()),
        1 => Just("evil.example\\@api.pagerduty.com".to_owned()),
        1 => Just("127.0.0.1".to_owned()),
        1 => Just("[::1]".to_owned()),
        1 => "[a-z.]{1,12}",
    ];
    let port = prop_oneof![20 => Just(""), 1 => Just(":443"), 1 => Just(":8443"), 1 => Just(":80")];
    let path = prop_oneof![
        6 => Just("/abilities".to_owned()),
        8 => Just("/v2/enqueue".to_owned()),
        1 => Just("/v2/change/enqueue".to_owned()),
        1 => Just("/V2/enqueue".to_owned()),
        1 => Just("/v2/enqueue/".to_owned()),
        1 => Just("//v2/enqueue".to_owned()),
        1 => Just("/v2/%65nqueue".to_owned()),
        1 => Just(String::new()),
        2 => "/[a-z?&=%./]{0,12}",
    ];
    (scheme, host, port, path)
        .prop_map(|(scheme, host, port, path)| format!("{scheme}://{host}{port}{path}"))
}

/// One triple: the slot that the request names, its method, its URL, and where it is redirected to.
fn triple() -> impl Strategy<Value = (Option<&'static str>, &'static str, String, String)> {
    let slot = prop_oneof![
        8 => Just(Some("rest")),
        6 => Just(Some("events")),
        3 => Just(None),
        1 => Just(Some("other")),
    ];
    let method = prop_oneof![3 => Just("GET"), 4 => Just("POST"), 1 => Just("PUT")];
    (slot, method, url(), url())
}

async fn hostile(transport: Arc<Recording>, audiences: &[&str]) -> Plugin {
    let credentials = Arc::new(MemoryCredentials::default());
    let host = end_to_end::host()
        .transport(transport)
        .credential_source(credentials.clone())
        .build()
        .unwrap();
    let host: Host = host;
    let plugin = host.load_file(component_build::guest("hostile")).await.unwrap();
    plugin.approve(None).await.unwrap();
    for (name, kind, field, secret, audiences) in [
        ("token", "token", "token", TOKEN, json!(audiences)),
        ("key", "key", "key", KEY, json!(["https://events.pagerduty.com"])),
    ] {
        credentials.insert(Credential {
            name: name.into(),
            node: "hostile".into(),
            credential_type: kind.into(),
            fields: Map::new(),
            secrets: BTreeMap::from([(field.to_owned(), Secret::new(secret))]),
            configuration: serde_json::from_value(json!({"audiences": audiences})).unwrap(),
            granted_scopes: None,
            revision: 1,
        });
    }
    plugin
}

/// The origin of a URL as this test reads it, without the library.
fn origin(url: &str) -> String {
    let url: url::Url = url.parse().unwrap();
    url.origin().ascii_serialization()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_attached_if_and_only_if_the_origin_is_in_its_audience() {
    let mut runner = TestRunner::deterministic();
    let strategy = triple();
    let (mut attached, mut bare, mut refused) = (0, 0, 0);
    let all_audiences: [&[&str]; 3] = [
        &["https://api.pagerduty.com"],
        &["https://api.eu.pagerduty.com"],
        &["https://api.pagerduty.com", "https://api.eu.pagerduty.com"],
    ];
    let mut round = 0;
    let mut left = TRIPLES;
    while left > 0 {
        let audiences = all_audiences[round % all_audiences.len()];
        round += 1;
        let transport = Arc::new(Recording::default());
        let plugin = hostile(transport.clone(), audiences).await;
        let count = ITEMS.min(left);
        left -= count;
        let triples: Vec<_> =
            (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
        let mut execution = Execution::new("hostile.request")
            .credential("rest", "token")
            .credential("events", "key");
        execution.items = triples
            .iter()
            .map(|(slot, method, url, redirect)| {
                let body = if *method == "GET" { Value::Null } else { json!("{\"a\":1}") };
                json!({"method": method, "url": url, "credential": slot, "body": body,
                    "headers": [["x-redirect", redirect.escape_default().to_string()]]})
            })
            .collect();
        execution.context.limits =
            Some(Limits { guest_time: std::time::Duration::from_secs(120), ..Limits::default() });
        let outcome = plugin.execute(execution).await.unwrap();
        assert!(outcome.stopped.is_none(), "{:?}", outcome.stopped);
        let mut sent = transport.0.lock().unwrap().clone().into_iter();
        for (index, (slot, method, url, _)) in triples.iter().enumerate() {
            let record = outcome.items[index].output[0].value();
            if record["status"].is_null() {
                refused += 1;
                assert_eq!(record["maybe_sent"], false, "{url}: {record}");
                // A request that its audience would have taken is not refused for its origin.
                let plain = [
                    "https://api.pagerduty.com/abilities",
                    "https://api.eu.pagerduty.com/abilities",
                ];
                let is_plain = plain.contains(&url.as_str()) && *slot == Some("rest");
                let is_meant = audiences.iter().any(|one| url.starts_with(one));
                assert!(!(is_plain && is_meant), "{url} {slot:?}: {record}");
                continue;
            }
            let request = sent.next().expect("what was answered was sent");
            assert_eq!(record["status"], 307, "{record}");
            assert_eq!(request.method, *method);
            let to = origin(&request.url);
            let token_is_due = *slot == Some("rest") && audiences.contains(&to.as_str());
            let key_is_due = *slot == Some("events")
                && to == "https://events.pagerduty.com"
                && *method == "POST";
            assert_eq!(request.has_token, token_is_due, "{slot:?} {method} {url}: {request:?}");
            assert_eq!(request.has_key, key_is_due, "{slot:?} {method} {url}: {request:?}");
            if request.has_token || request.has_key { attached += 1 } else { bare += 1 }
        }
        assert!(sent.next().is_none(), "no redirect is followed");
    }
    // All three happen, and often: the rule is tried from all sides.
    assert!(attached > 10_000 && bare > 3_000 && refused > 20_000, "{attached} {bare} {refused}");
}
