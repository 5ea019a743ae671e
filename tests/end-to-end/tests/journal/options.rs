//! Options of journals: size limit, stored output, and retention.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use workflow_node_host::journal::{
    AtLimit, JournalError, JournalOptions, JournalStatus, JournalStore as _, Journals, Recording,
};
use workflow_node_host::{JournalLimits, Resume, Silent};

use crate::tap::{Bench, cuts, execution, modes, name, told};

fn without_output() -> JournalOptions {
    let mut options = JournalOptions::default();
    options.store_output = false;
    options
}

async fn bench() -> Bench {
    Bench::new(modes().remove(0).1).await
}

fn notes(bench: &Bench, count: usize) -> Vec<Value> {
    let incident = bench.world.us().add_incidents(1)[0].clone();
    (0..count)
        .map(|n| json!({"incident_id": incident, "content": format!("note number {n}")}))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_its_limit_a_journal_stops_the_execution_and_nothing_more_is_sent() {
    let bench = bench().await;
    let items = notes(&bench, 40);
    let (memory, _) = bench.journals();
    let limits = JournalLimits { bytes: 20_000, ..JournalLimits::default() };
    let journals = Journals::new(Arc::new(memory.clone()), bench.key.clone(), limits);
    let run = execution("incident_note.create", &items, &journals);
    let outcome = bench.plugin.execute(run).await.unwrap();
    let stopped = outcome.stopped.as_ref().expect("it is stopped").to_string();
    assert!(stopped.contains("`journal_bytes` (20000)"), "{stopped}");
    assert_eq!(outcome.journal, JournalStatus::Complete);
    let writes = bench.tap.writes().len();
    assert!((1..40).contains(&writes), "{writes}");
    // It says the same again.
    let again = bench.plugin.resume(&journals, &name(), Resume::default()).await.unwrap();
    assert!(again.stopped.unwrap().to_string().contains("journal_bytes"));
    assert!(bench.tap.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_goes_on_without_its_journal_says_so_and_is_not_resumed() {
    let bench = bench().await;
    let items = notes(&bench, 40);
    let (memory, _) = bench.journals();
    let limits = JournalLimits { bytes: 20_000, ..JournalLimits::default() };
    let journals = Journals::new(Arc::new(memory.clone()), bench.key.clone(), limits);
    let mut options = JournalOptions::default();
    options.at_limit = AtLimit::Continue;
    let run = execution("incident_note.create", &items, &journals.with(options));
    let outcome = bench.plugin.execute(run).await.unwrap();
    assert!(outcome.items.iter().all(|item| item.is_ok()));
    assert_eq!(outcome.journal, JournalStatus::Incomplete);
    assert_eq!(bench.tap.writes().len(), 40);
    assert!(memory.list().await.unwrap()[0].bytes < 25_000);
    let error = bench.plugin.resume(&journals, &name(), Resume::default()).await.unwrap_err();
    assert!(matches!(error.journal(), Some(JournalError::Incomplete(_))), "{error}");
    assert!(bench.tap.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_output_a_journal_keeps_outcomes_and_digests_only() {
    let bench = bench().await;
    let mut items = notes(&bench, 3);
    items.push(json!({"incident_id": "PNOSUCHINCIDENT", "content": "note number 3"}));
    let (memory, journals) = bench.journals();
    let run = execution("incident_note.create", &items, &journals.with(without_output()));
    let outcome = bench.plugin.execute(run).await.unwrap();
    let bytes = memory.read(&name()).await.unwrap();
    let recording = Recording::open(&bytes, &bench.key).unwrap();
    let text = recording.to_json().to_string();
    for hidden in ["note number", "PNOSUCHINCIDENT", "https://", "application/json"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let error = bench.plugin.replay(&recording, Arc::new(Silent)).await.unwrap_err();
    assert!(matches!(error.journal(), Some(JournalError::NoContents)), "{error}");
    bench.tap.take();
    let again = bench.plugin.resume(&journals, &name(), Resume::default()).await.unwrap();
    let kinds = |outcome: &workflow_node_host::Outcome| {
        let kind = |item: &workflow_node_host::ItemOutcome| {
            item.error.as_ref().map(|error| (error.kind, error.http_status))
        };
        outcome.items.iter().map(kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&again), kinds(&outcome));
    assert!(again.items.iter().all(|item| item.output.is_empty()));
    assert!(bench.tap.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_output_notes_are_sent_once_or_unknown_wherever_the_journal_was_cut() {
    let bench = bench().await;
    let items = notes(&bench, 5);
    let (memory, journals) = bench.journals();
    let run = execution("incident_note.create", &items, &journals.with(without_output()));
    bench.plugin.execute(run).await.unwrap();
    let sent = bench.tap.writes();
    let bytes = memory.read(&name()).await.unwrap();
    for cut in cuts(&bytes) {
        if Recording::open(&bytes[..cut], &bench.key).is_err() {
            continue;
        }
        let (_, journals) = bench.cut(&name(), &bytes[..cut]);
        let mut resume = Resume::default();
        resume.items = Some(items.clone());
        let outcome = bench.plugin.resume(&journals, &name(), resume).await.unwrap();
        let after = bench.tap.writes();
        for (item, one) in items.iter().enumerate() {
            let is_it = |sent: &&crate::tap::Sent| sent.body["note"]["content"] == one["content"];
            let before =
                sent.iter().filter(is_it).filter(|sent| sent.journal <= cut as u64).count();
            let after = after.iter().filter(is_it).count();
            match &outcome.items[item].error {
                None => assert_eq!(before + after, 1, "item {item}, cut at {cut}"),
                Some(error) => {
                    assert_eq!(error.kind, "outcome-unknown", "cut at {cut}: {error}");
                    assert_eq!(after, 0, "item {item}, cut at {cut}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn journals_are_removed_when_their_retention_has_passed() {
    let bench = bench().await;
    let (memory, _) = bench.journals();
    let limits = JournalLimits { retention: Duration::from_millis(50), ..JournalLimits::default() };
    let journals = Journals::new(Arc::new(memory.clone()), bench.key.clone(), limits);
    let run = execution("service.list", &[json!({"limit": 1})], &journals);
    let outcome = bench.plugin.execute(run).await.unwrap();
    assert_eq!(journals.remove_expired().await.unwrap(), 0);
    tokio::time::sleep(Duration::from_millis(80)).await;
    assert_eq!(journals.remove_expired().await.unwrap(), 1);
    let error = bench.plugin.resume(&journals, &name(), Resume::default()).await.unwrap_err();
    assert!(matches!(error.journal(), Some(JournalError::Missing(_))), "{error}");
    assert!(told(&outcome)["stopped"].is_null());
}
