//! Tests the central claim of the product with unique secrets: one in every secret field and every
//! token of every credential type. Every action and every failure is run, including a service that
//! echoes all that it receives in many encodings. Then everything that was stored or passed on is
//! searched for each secret, in every encoding of the scanner. The scanner itself is tested first, by
//! a leak planted in each of these places.

mod world;

use std::sync::Arc;

use end_to_end::scan::{Scanner, encodings, leaks};
use end_to_end::spy::Spy;
use end_to_end::{host, transport};
use futures_util::stream::{self, StreamExt as _};
use pagerduty_simulator::{Fault, FaultAction, Simulator};
use serde_json::{Value, json};
use workflow_node_host::credential::ConnectionKey;
use workflow_node_host::oauth::{Actor, Page};
use workflow_node_host::{CallContext, Execution, Limits, Secret};
use world::{Everything, World, listen, logs};

/// How a service may fail, and what it may give back.
fn ways_to_fail() -> Vec<Option<FaultAction>> {
    let status = |code| FaultAction::Status { code, headers: Vec::new(), body: Vec::new() };
    vec![
        None,
        Some(FaultAction::EchoRequest),
        Some(status(401)),
        Some(status(403)),
        Some(status(429)),
        Some(status(500)),
        Some(FaultAction::ResetBeforeResponse),
        Some(FaultAction::TruncatedBody),
        Some(FaultAction::Garbage),
    ]
}

/// A rate limit is waited for as long as there is time.
fn patience(fault: Option<&FaultAction>) -> std::time::Duration {
    let is_limited = matches!(fault, Some(FaultAction::Status { code: 429, .. }));
    std::time::Duration::from_secs(if is_limited { 1 } else { 20 })
}

/// In how many parts the actions are tried.
const PARTS: usize = 9;

/// Every action where the service gives back all it gets; otherwise a part of them, another one for
/// each credential and each way to fail, so that every action has met several.
fn some_of(
    actions: Vec<(String, Value)>,
    fault: Option<&FaultAction>,
    name: &str,
    combination: usize,
) -> Vec<(String, Value)> {
    if matches!(fault, Some(FaultAction::EchoRequest)) && matches!(name, "token" | "events") {
        return actions;
    }
    let is_small = actions.len() < PARTS;
    let ours = |place: usize| is_small || place % PARTS == combination % PARTS;
    actions.into_iter().enumerate().filter(|(at, _)| ours(*at)).map(|(_, one)| one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_anywhere_but_in_the_sealed_store() {
    let world = World::new().await;
    let mut told = String::new();
    let everything = Arc::new(Everything::default());
    let mut memories = 0;
    let mut secrets = world.secrets();
    assert!(secrets.len() >= 9, "every secret field and token: {}", secrets.len());
    let mut combination = 0;
    for fault in ways_to_fail() {
        for (name, credential_type) in world.connected() {
            if let Some(fault) = &fault {
                world.simulator.fault(Fault::new(fault.clone()).always());
            }
            let actions = world.actions_of(&credential_type);
            let outcomes = stream::iter(some_of(actions, fault.as_ref(), &name, combination))
                .map(|(action, parameters)| {
                    let slot = if name == "events" { "events" } else { "rest" };
                    let mut execution = Execution::new(&action).credential(slot, &name);
                    execution.items = vec![parameters];
                    execution.context.workflow = Some("nightly".into());
                    execution.context.limits = Some(Limits {
                        attempts: 1,
                        total_time: patience(fault.as_ref()),
                        ..Limits::default()
                    });
                    world.plugin.execute_observed(execution, everything.clone())
                })
                .buffer_unordered(4)
                .collect::<Vec<_>>()
                .await;
            combination += 1;
            world.simulator.clear_faults();
            for outcome in outcomes {
                if let Err(error) = &outcome {
                    told.push_str(&world::chain(error));
                }
                told.push_str(&format!("{outcome:?}"));
            }
            let test = CallContext::default().timeout(patience(fault.as_ref()));
            let tested = world.plugin.test_credential(&name, test).await;
            told.push_str(&format!("{tested:?}"));
            // Secrets that were renewed in the meantime must not leak either.
            for secret in world.secrets() {
                if !secrets.contains(&secret) {
                    secrets.push(secret);
                }
            }
            // Guests of before: all of their memory, while the secrets are fresh.
            let scanner = Scanner::new(&secrets);
            for memory in world.spy.take() {
                memories += 1;
                assert_eq!(scanner.leaks(&memory), [], "in a guest's memory, {name} {fault:?}");
            }
        }
        world.reconnect_what_is_dead().await;
    }
    // A worker serves many guests, one after the other.
    let least = if end_to_end::is_isolated() { 50 } else { 1_500 };
    assert!(memories > least, "{memories} memories");
    assert!(told.contains("[credential removed]"), "the echo has given credentials back");
    told.push_str(&everything.text());
    told.push_str(&format!("{:?}{:?}", world.audit.events(), world.audit.credential_events()));
    told.push_str(&world.journal.text().await);
    told.push_str(&serde_json::to_string(&world.store.list().unwrap()).unwrap());
    told.push_str(&format!("{:?}", world.store.read(&ConnectionKey::of("user")).unwrap()));
    // Renewing and ending, with every way to fail.
    for fault in ways_to_fail() {
        if let Some(fault) = fault {
            world.simulator.fault(Fault::new(fault).always());
        }
        for name in ["user", "app"] {
            let refreshed = world.refreshed(name).await;
            told.push_str(&format!("{refreshed:?}"));
            if let Err(error) = refreshed {
                told.push_str(&world::chain(&error));
            }
        }
        world.simulator.clear_faults();
        for secret in world.secrets() {
            if !secrets.contains(&secret) {
                secrets.push(secret);
            }
        }
        world.reconnect_what_is_dead().await;
    }
    for name in ["user", "app", "token", "events"] {
        let ended = world
            .manager()
            .disconnect(&ConnectionKey::of(name), &Actor::admin(), Some(&world.plugin))
            .await;
        told.push_str(&format!("{ended:?}"));
    }
    told.push_str(&world.pages());
    assert_eq!(leaks(&secrets, told.as_bytes()), [], "in what was told");
    let logs = logs();
    assert!(logs.len() > 100_000, "logs of every level: {} bytes", logs.len());
    assert_eq!(leaks(&secrets, logs.as_bytes()), [], "in the logs");
    for (file, bytes) in world.files_of_the_store() {
        assert_eq!(leaks(&secrets, &bytes), [], "in {file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scanner_finds_a_leak_planted_in_each_place() {
    listen();
    let planted = "planted+/canary_0123456789-abcdef";
    let secrets = vec![("planted".to_owned(), planted.to_owned())];
    let is_found = |place: &str, bytes: &[u8]| {
        assert!(!leaks(&secrets, bytes).is_empty(), "not found in {place}");
    };
    // In each encoding.
    for (name, encoded) in encodings(planted) {
        let text = [b"before ".as_slice(), &encoded, b" after"].concat();
        let found = leaks(&secrets, &text);
        assert!(found.contains(&("planted", name)), "{name}: {found:?}");
    }
    assert_eq!(leaks(&secrets, b"nothing of the kind"), []);

    // In a guest's memory, its output, its crash, and what observer, journal and audit hear.
    let spy = Arc::new(Spy::default());
    let simulator = Simulator::builder().start().await.unwrap();
    let transport = transport(&simulator).build().unwrap();
    let host = spy.watch(host()).transport(Arc::new(transport)).build().unwrap();
    spy.attach(&host);
    let hostile = host.load_file(component_build::guest("hostile")).await.unwrap();
    hostile.approve(None).await.unwrap();
    let everything = Arc::new(Everything::default());
    let run = async |case: &str| {
        let mut execution = Execution::new("hostile.misbehave");
        execution.items = vec![json!({"case": case, "text": planted})];
        hostile.execute_observed(execution, everything.clone()).await.unwrap()
    };
    run("hoard-secret").await;
    assert!(spy.take().iter().any(|memory| !leaks(&secrets, memory).is_empty()), "guest memory");
    let crash = run("panic-with").await;
    is_found("a guest's crash", format!("{crash:?}{}", everything.text()).as_bytes());
    // In logs, whatever their level.
    tracing::trace!(target: "some_crate", "a line with {planted} in it");
    is_found("the logs", logs().as_bytes());
    // In the store's file.
    let world = World::new().await;
    let mut leaky = world.leaky();
    leaky.parts.fields.insert("note".into(), Value::from(planted));
    world.store.add(leaky).unwrap();
    let files = world.files_of_the_store();
    is_found("the store", &files.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>());
    is_found("a summary", format!("{:?}", world.store.list().unwrap()).as_bytes());
    // On the page.
    is_found("the page", Page::connected(planted, "", &[]).html().as_bytes());
    // But not where a secret is printed.
    assert_eq!(leaks(&secrets, format!("{:?}", Secret::new(planted)).as_bytes()), []);
}
