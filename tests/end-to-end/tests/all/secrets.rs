//! The central guarantee: no credential is ever in a guest's memory, in its output, or in
//! anything the host writes about it. The scanner is proved on planted secrets first.

use std::sync::Arc;

use end_to_end::scan::{NOWHERE, encodings, found};
use end_to_end::spy::Spy;
use end_to_end::{World, values};
use pagerduty_simulator::{Fault, FaultAction, Simulator};
use serde_json::json;
use workflow_node_host::CallContext;

use crate::support::{Everything, Hostile};

#[test]
fn the_scanner_finds_a_planted_secret_in_each_encoding() {
    let secret = "canary+/ABC_def-1234567890";
    for (name, bytes) in encodings(secret) {
        let haystack = [b"before ".as_slice(), &bytes, b" after"].concat();
        assert!(found(secret, &haystack).contains(&name), "{name}");
    }
    assert!(found(secret, b"nothing of the kind").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scanner_finds_secrets_in_a_guests_memory() {
    let spy = Arc::new(Spy::default());
    let hostile = Hostile::with(|transport| transport, |host| spy.watch(host)).await;
    spy.attach(&hostile.host);
    let planted = "planted-canary-0123456789";
    let item = json!({"case": "hoard-secret", "text": planted});
    let outcome = hostile.execute("hostile.misbehave", item).await;
    assert!(outcome.stopped.is_none(), "{:?}", outcome.stopped);
    assert!(spy.memories().iter().any(|memory| !found(planted, memory).is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_is_in_guest_memory_or_in_any_output() {
    let spy = Arc::new(Spy::default());
    let world = World::with(Simulator::builder(), |host| spy.watch(host)).await;
    spy.attach(&world.host);
    let everything = Arc::new(Everything::default());
    let incident = json!({"title": "t", "service_id": world.us().services()[0].id});
    let faults = [
        None,
        Some(FaultAction::EchoRequest),
        Some(FaultAction::Status { code: 401, headers: Vec::new(), body: Vec::new() }),
        Some(FaultAction::Status { code: 500, headers: Vec::new(), body: Vec::new() }),
        Some(FaultAction::ResetBeforeResponse),
        Some(FaultAction::TruncatedBody),
        Some(FaultAction::Garbage),
    ];
    let mut told = String::new();
    for fault in faults {
        for (credential, action, item) in [
            ("user", "service.list", json!({})),
            ("account", "incident.create", incident.clone()),
            ("user", "api.request", json!({"method": "GET", "path": "/abilities"})),
            (
                "user",
                "api.request",
                json!({"method": "PUT", "path": "/incidents", "body": {"a": 1}}),
            ),
            ("events", "event.trigger", json!({"summary": "s", "source": "s", "severity": "info"})),
            ("events", "event.change", json!({"summary": "s"})),
        ] {
            if let Some(action) = &fault {
                world.simulator.fault(Fault::new(action.clone()).always());
            }
            let mut execution = world.execution(credential, action, &[item]);
            if let Some(limits) = &mut execution.context.limits {
                limits.attempts = 1;
            }
            let outcome = world.plugin.execute_observed(execution, everything.clone()).await;
            world.simulator.clear_faults();
            told.push_str(&format!("{outcome:?}"));
        }
        for credential in ["user", "account", "read-only", "events"] {
            let tested = world.plugin.test_credential(credential, CallContext::default()).await;
            told.push_str(&format!("{tested:?}"));
        }
    }
    told.push_str(&everything.text());
    told.push_str(&serde_json::to_string(&world.audit.events()).unwrap());
    told.push_str(&world.journal.text().await);
    assert!(told.contains("[credential removed]"), "the echo fault has given credentials back");

    let keys = world.us().keys();
    let memories = spy.memories();
    let least = if end_to_end::is_isolated() { 1 } else { 40 };
    assert!(memories.len() >= least && memories.iter().all(|memory| memory.len() > 1_000));
    for secret in [&keys.user, &keys.account, &keys.account_read_only, &keys.routing] {
        assert_eq!(found(secret, told.as_bytes()), NOWHERE, "in what was told");
        for memory in &memories {
            assert_eq!(found(secret, memory), NOWHERE, "in a guest's memory");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_service_issues_is_a_handle_for_the_guest() {
    let hostile = Hostile::new().await;
    let service = hostile.simulator.us().services()[0].id.clone();
    let key = hostile.simulator.us().keys().routing;
    let url = format!("https://api.pagerduty.com/services/{service}?include%5B%5D=integrations");
    let accept = ["Accept", "application/vnd.pagerduty+json;version=2"];
    let record =
        hostile.request(json!({"url": url, "credential": "rest", "headers": [accept]})).await;
    let body: serde_json::Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
    let handle = body["service"]["integrations"][0]["integration_key"].as_str().unwrap();
    assert!(handle.starts_with("secret:"), "{handle}");
    assert_eq!(found(&key, record.to_string().as_bytes()), NOWHERE);
    // Where the description says, the host fills it in; elsewhere, nothing is sent.
    let send = async |path: &str| {
        let event = json!({"routing_key": handle, "event_action": "trigger", "payload":
            {"summary": "s", "source": "s", "severity": "info"}});
        let url = format!("https://events.pagerduty.com{path}");
        hostile
            .request(json!({"method": "POST", "url": url, "body": event.to_string(),
            "headers": [["content-type", "application/json"]]}))
            .await
    };
    assert_eq!(send("/v2/enqueue").await["status"], 202);
    assert_eq!(send("/v2/change/enqueue").await["error"], "SendErrorKind::InvalidRequest");
    let guessed = json!({"routing_key": "secret:00000000000000000000000000000000", "event_action": "resolve", "dedup_key": "k"});
    let record = hostile
        .request(json!({"method": "POST", "url": "https://events.pagerduty.com/v2/enqueue",
        "body": guessed.to_string(), "headers": [["content-type", "application/json"]]}))
        .await;
    assert_eq!(record["error"], "SendErrorKind::InvalidRequest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_sees_the_fields_of_a_credential_without_its_secrets() {
    let hostile = Hostile::new().await;
    let outcome = hostile.misbehave("credential").await;
    assert_eq!(values(&outcome, 0), [json!({"fields": {}})]);
}
