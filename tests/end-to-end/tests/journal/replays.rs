//! A journal replays byte for byte, in either mode, whichever it was recorded in.

use std::sync::Arc;

use end_to_end::host;
use serde_json::{Value, json};
use workflow_node_host::journal::{
    JournalKey, JournalStore as _, Journals, MemoryJournals, Recording,
};
use workflow_node_host::{Execution, JournalLimits, Plugin, Silent};

use crate::tap::{Bench, execution, modes, name, told};

async fn hostile(isolation: workflow_node_host::Isolation) -> Plugin {
    let host = host().isolation(isolation).build().unwrap();
    let plugin = host.load_file(component_build::guest("hostile")).await.unwrap();
    plugin.approve(None).await.unwrap();
    plugin
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_asks_for_everything_does_the_same_again_in_either_mode() {
    let key = JournalKey::generate().unwrap();
    let mut plugins = Vec::new();
    for (mode, isolation) in modes() {
        plugins.push((mode, hostile(isolation).await));
    }
    for (recorded, plugin) in &plugins {
        for case in [
            json!({"case": "clock"}),
            json!({"case": "chance"}),
            json!({"case": "idempotency"}),
            json!({"case": "cancelled-ticket"}),
            json!({"case": "wait-for-nothing"}),
            json!({"case": "remember"}),
            json!({"case": "panic"}),
            json!({"case": "memory"}),
            json!({"case": "no-result"}),
            json!({"case": "wrong-port"}),
            json!({"case": "take-unknown"}),
            json!({"case": "abandon"}),
        ] {
            let memory = MemoryJournals::default();
            let limits = JournalLimits::default();
            let journals = Journals::new(Arc::new(memory.clone()), key.clone(), limits);
            let mut execution = Execution::new("hostile.misbehave").item(case.clone());
            execution.context.journal = Some(journals);
            let first = plugin.execute(execution).await.unwrap();
            let stored = memory.list().await.unwrap()[0].name;
            let bytes = memory.read(&stored).await.unwrap();
            let recording = Recording::open(&bytes, &key).unwrap();
            for (replayed, plugin) in &plugins {
                let what = format!("{case} recorded {recorded}, replayed {replayed}");
                let replay = plugin.replay(&recording, Arc::new(Silent)).await;
                let replay = replay.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(replay.is_complete, "{what}");
                let items = |told: Value| told["items"].clone();
                if first.stopped.is_some() {
                    assert!(replay.outcome.stopped.is_some(), "{what}");
                } else {
                    assert_eq!(items(told(&replay.outcome)), items(told(&first)), "{what}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_replayed_in_either_mode_without_a_credential_or_a_network() {
    let mut recordings = Vec::new();
    for (mode, isolation) in modes() {
        let bench = Bench::new(isolation).await;
        bench.world.us().add_services(103);
        let (memory, journals) = bench.journals();
        let items =
            [json!({"all": true, "simplify": true}), json!({"limit": 0}), json!({"limit": 5})];
        let outcome =
            bench.plugin.execute(execution("service.list", &items, &journals)).await.unwrap();
        assert!(outcome.items[0].is_ok() && !outcome.items[1].is_ok(), "{outcome:?}");
        let bytes = memory.read(&name()).await.unwrap();
        recordings.push((mode, Recording::open(&bytes, &bench.key).unwrap(), told(&outcome)));
    }
    for (mode, isolation) in modes() {
        // No credential, no way to the service, and nobody has approved the plugin.
        let host = host().isolation(match isolation {
            workflow_node_host::Isolation::InProcess => unreachable!("it would not load"),
            isolation => isolation,
        });
        let host = host.build().unwrap();
        let plugin = host.load_file(component_build::pagerduty()).await.unwrap();
        for (recorded, recording, first) in &recordings {
            let replay = plugin.replay(recording, Arc::new(Silent)).await.unwrap();
            assert_eq!(told(&replay.outcome), *first, "recorded {recorded}, replayed {mode}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_plugin_does_not_replay_a_journal() {
    let (_, isolation) = modes().remove(0);
    let bench = Bench::new(isolation.clone()).await;
    let (memory, journals) = bench.journals();
    let execution = execution("service.list", &[json!({"limit": 1})], &journals);
    bench.plugin.execute(execution).await.unwrap();
    let bytes = memory.read(&name()).await.unwrap();
    let recording = Recording::open(&bytes, &bench.key).unwrap();
    let error = hostile(isolation).await.replay(&recording, Arc::new(Silent)).await.unwrap_err();
    let digest = bench.plugin.digest().to_string();
    assert!(error.journal().is_some() && error.to_string().contains(&digest), "{error}");
}
