//! Responsiveness of the executor while guests misbehave: a task that runs every 5 ms on a runtime with
//! two threads, and honest guests next to busy ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use end_to_end::engine::triggers;
use serde_json::{Value, json};
use workflow_node_host::trigger::{MemoryTriggers, NewSubscription};
use workflow_node_host::{CancellationToken, Execution, Limits, Plugin, Principal, TriggerLimits};

use crate::evil::{Evil, alone, component};
use crate::server::{answer, serve, silent};

const MIB: usize = 1 << 20;
/// The task never waits longer.
const BOUND: Duration = Duration::from_millis(50);
/// Bound while wasmtime copies an argument of a guest, up to `Limits::host_call`, in one step on the
/// executor's thread. In an unoptimized build, copying megabytes takes longer.
const COPIED: Duration = Duration::from_millis(300);
/// On a shared machine, a thread may wait for a processor. A guest that stalls the executor does so in
/// every attempt.
const ATTEMPTS: usize = 5;

/// The longest time between two beats while `work` runs.
async fn longest_gap(work: impl Future<Output = ()>) -> Duration {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let beats = tokio::spawn(async move {
        let (mut longest, mut last) = (Duration::ZERO, Instant::now());
        while !over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        longest
    });
    work.await;
    is_over.store(true, Ordering::Relaxed);
    beats.await.unwrap()
}

/// Runs `work` until the executor has not been stalled by it.
async fn stalls_nobody<W: Future<Output = ()>>(
    what: &str,
    bound: Duration,
    mut work: impl FnMut() -> W,
) {
    let mut gaps = Vec::new();
    for _ in 0..ATTEMPTS {
        gaps.push(longest_gap(work()).await);
        if gaps.last().is_some_and(|gap| *gap < bound) {
            return;
        }
    }
    panic!("{what}: the longest gaps were {gaps:?}");
}

async fn evil() -> Evil {
    let large = answer(
        "",
        format!("{{\"k\":\"12345678\",\"x\":[{}0]}}", "[0],".repeat(2 * MIB)).as_bytes(),
    );
    let small = answer("", b"{}");
    let transport = serve(move |asked| match asked.path() {
        "/big" => large.clone(),
        _ => small.clone(),
    });
    Evil::with("plain", transport, |host| host).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hostile_guest_stalls_the_executor() {
    let _alone = alone().await;
    let evil = Arc::new(evil().await);
    // A server that reads megabytes would compete for the processors.
    let unread = Arc::new(Evil::new(silent()).await);
    let cases: Vec<Value> = vec![
        json!({"case": "spin"}),
        json!({"case": "fat-detail", "size": 8 * MIB}),
        json!({"case": "fat-message", "size": 8 * MIB}),
        json!({"case": "fat-port", "size": 8 * MIB}),
        json!({"case": "one-record", "size": 12 * MIB}),
        json!({"case": "many-records", "size": 100_000, "n": 4}),
        json!({"case": "returned-records", "size": 200_000}),
        json!({"case": "hoard-requests", "n": 100, "size": 512 << 10, "ms": 300}),
        json!({"case": "hoard-answers", "n": 20, "url": "http://plain.example.com/big"}),
        json!({"case": "gets", "n": 1, "url": "http://plain.example.com/big"}),
        json!({"case": "refused-flood", "ms": 300}),
        json!({"case": "emit-flood", "n": 1_000_000}),
        json!({"case": "progress-flood", "n": 20_000, "size": 4_000}),
        json!({"case": "call-flood", "call": "timer", "n": 5_000}),
        json!({"case": "call-flood", "call": "after", "n": 50_000}),
        json!({"case": "call-flood", "call": "random", "n": 1_000_000}),
    ];
    for item in cases {
        let what = item.to_string();
        let copies = ["fat-", "record", "hoard-requests"].iter().any(|case| what.contains(case));
        let bound = if copies { COPIED } else { BOUND };
        let evil = if what.contains("hoard-requests") { &unread } else { &evil };
        stalls_nobody(&what, bound, || {
            let (evil, item) = (evil.clone(), item.clone());
            async move {
                let runs = (0..3).map(|_| {
                    let mut execution = evil.execution(item.clone(), 4);
                    if let Some(limits) = &mut execution.context.limits {
                        limits.guest_time = Duration::from_millis(300);
                    }
                    let plugin = evil.plugin.clone();
                    tokio::spawn(async move { drop(plugin.execute(execution).await) })
                });
                for run in runs.collect::<Vec<_>>() {
                    run.await.unwrap();
                }
            }
        })
        .await;
    }
}

/// A guest, approved, in a host without credentials.
async fn guest(name: &str) -> Plugin {
    let host = end_to_end::host().build().unwrap();
    let plugin = host.load_file(component_build::guest(name)).await.unwrap();
    plugin.approve(None).await.unwrap();
    plugin
}

/// The names of the cases that the guest `hostile` knows, from its source.
fn hostile_cases() -> Vec<&'static str> {
    let source = include_str!("../../../guests/hostile/src/lib.rs");
    let (_, misbehave) = source.split_once("fn misbehave(").expect("the guest has cases");
    let arms = misbehave.lines().filter_map(|line| line.strip_prefix("        \""));
    let cases: Vec<_> = arms.filter_map(|arm| Some(arm.split_once("\" =>")?.0)).collect();
    assert!(cases.contains(&"loop") && cases.contains(&"hoard-secret"), "{cases:?}");
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_guest_that_breaks_the_contract_stalls_the_executor() {
    let _alone = alone().await;
    let plugin = guest("hostile").await;
    for case in hostile_cases() {
        let bound = if ["large-output", "finish-large"].contains(&case) { COPIED } else { BOUND };
        let item = json!({"case": case, "text": "x".repeat(1_000)});
        stalls_nobody(case, bound, || {
            let (plugin, item) = (plugin.clone(), item.clone());
            async move {
                let runs = (0..3).map(|_| {
                    let mut execution = Execution::new("hostile.misbehave").item(item.clone());
                    execution.context.limits = Some(Limits {
                        total_time: Duration::from_secs(1),
                        guest_time: Duration::from_millis(300),
                        ..Limits::default()
                    });
                    let plugin = plugin.clone();
                    tokio::spawn(async move { drop(plugin.execute(execution).await) })
                });
                for run in runs.collect::<Vec<_>>() {
                    run.await.unwrap();
                }
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_trigger_stalls_the_executor() {
    let _alone = alone().await;
    let plugin = guest("hostile-trigger").await;
    let token = CancellationToken::new();
    for (parameters, bound) in [
        (json!({"n": 10_001, "size": 1}), BOUND),
        (json!({"n": 100, "size": 1, "key": 513}), BOUND),
        (json!({"n": 15, "size": 1 << 20}), COPIED),
        (json!({"n": 17, "size": 1 << 20}), COPIED),
        (json!({"cursor": 8 << 20}), COPIED),
        (json!({"state": 8 << 20}), COPIED),
    ] {
        let what = parameters.to_string();
        stalls_nobody(&what, bound, || {
            let (plugin, token, parameters) = (plugin.clone(), token.clone(), parameters.clone());
            async move {
                let calls = tokio::spawn(async move {
                    let store = Arc::new(MemoryTriggers::default());
                    let triggers = triggers(store, TriggerLimits::default());
                    let subscription = NewSubscription {
                        version: None,
                        name: "s".into(),
                        trigger: "tick".into(),
                        parameters,
                        credentials: BTreeMap::new(),
                        callback_url: None,
                        actor: Principal::default(),
                        workflow: None,
                    };
                    if triggers.set_up(&plugin, subscription, &token).await.is_ok() {
                        drop(triggers.poll(&plugin, "s", &token).await);
                    }
                });
                calls.await.unwrap();
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_description_stalls_the_executor() {
    let _alone = alone().await;
    for mode in [
        "fat:7",
        "bomb:40",
        "hidden:40",
        "chain:5000",
        "recursion:50",
        "quadratic:300:512",
        "placements",
    ] {
        let host = end_to_end::host().build().unwrap();
        stalls_nobody(mode, BOUND, || {
            let (host, bytes) = (host.clone(), component(mode));
            async move {
                let load = tokio::spawn(async move { drop(host.load(bytes).await) });
                load.await.unwrap();
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_guests_do_not_use_up_the_time_of_an_honest_one() {
    let _alone = alone().await;
    let evil = Arc::new(evil().await);
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let mut execution = evil.execution(json!({"case": "spin"}), 20);
            if let Some(limits) = &mut execution.context.limits {
                limits.guest_time = Duration::from_secs(2);
            }
            let plugin = evil.plugin.clone();
            tokio::spawn(async move { plugin.execute(execution).await.unwrap() })
        })
        .collect();
    // Some tens of milliseconds on its own; among five that take turns, five times as long.
    let mut honest = evil.execution(json!({"case": "compute", "n": 20_000_000}), 20);
    if let Some(limits) = &mut honest.context.limits {
        limits.guest_time = Duration::from_millis(400);
    }
    let outcome = evil.plugin.execute(honest).await.unwrap();
    assert!(outcome.stopped.is_none(), "{:?}", outcome.stopped);
    for run in busy {
        let stopped = run.await.unwrap().stopped.expect("it is stopped").to_string();
        assert!(stopped.contains("it computed for longer than 2s"), "{stopped}");
    }
}
