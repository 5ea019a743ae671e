//! Calls that cost little each, and leave something behind.

use std::time::Duration;

use end_to_end::journals::KeptJournals;
use serde_json::json;

use crate::evil::{Evil, alone};
use crate::server::silent;

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_budget_are_one_event_of_the_audit() {
    let _alone = alone().await;
    let evil = Evil::new(silent()).await;
    for item in [
        json!({"case": "refused-flood", "ms": 3_000}),
        json!({"case": "call-flood", "call": "no-slot", "n": 50_000}),
        json!({"case": "refused-submits", "n": 50_000}),
        json!({"case": "call-flood", "call": "submit", "n": 50_000}),
    ] {
        let mut execution = evil.execution(item.clone(), 20);
        if let Some(limits) = &mut execution.context.limits {
            limits.requests = 10;
            limits.guest_time = Duration::from_millis(300);
        }
        let before = evil.audit.events().len();
        let harm = evil.execute(execution).await;
        let events = evil.audit.events().split_off(before);
        assert!(events.len() <= 11, "{item}: {} events", events.len());
        assert!(harm.outcome.requests <= 10, "{item}: {}", harm.outcome.requests);
        let summary = events.last().unwrap().reason.clone().unwrap();
        assert!(
            summary.contains("further requests") && summary.contains("`requests` (10)"),
            "{summary}"
        );
    }
}

async fn with_journal() -> (Evil, KeptJournals) {
    let journal = KeptJournals::default();
    let evil = Evil::with("plain", silent(), |host| host.journals(journal.journals())).await;
    (evil, journal)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_import_counts_against_the_limit_of_host_calls() {
    let _alone = alone().await;
    let (evil, journal) = with_journal().await;
    for call in [
        "now",
        "cancelled",
        "deadline",
        "random",
        "idempotency-key",
        "credential",
        "log",
        "progress",
        "emit",
        "next",
        "cancel",
        "after",
        "timer",
        "submit",
        "send",
    ] {
        let item = json!({"case": "call-flood", "call": call, "n": 1_000_000});
        let mut execution = evil.execution(item, 30);
        if let Some(limits) = &mut execution.context.limits {
            limits.host_calls = 5_000;
        }
        let before = journal.count().await;
        let stopped = evil.execute(execution).await.stopped();
        assert!(stopped.contains("`host_calls` (5000)"), "{call}: {stopped}");
        // A request that is waited for leaves itself, its answer, and the time then.
        assert!(journal.count().await - before <= 3 * 5_000 + 10, "{call}");
    }
    evil.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_emits_do_not_flood_the_journal() {
    let _alone = alone().await;
    let (evil, journal) = with_journal().await;
    let stopped = evil.run(json!({"case": "emit-flood", "n": 1_000_000}), 60).await.stopped();
    assert!(stopped.contains("`host_calls`"), "{stopped}");
    let entries = journal.count().await;
    assert!(entries <= 250_002, "{entries} entries");
}
