//! Executions that end with their host, and go on in another.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use workflow_node_host::journal::{FileJournals, JournalError, JournalStore, Journals, Recording};
use workflow_node_host::{JournalLimits, Resume, Silent};

use crate::tap::{Bench, execution, modes, name, told};

/// Notes for one incident, and their texts.
fn notes(bench: &Bench, count: usize) -> (Vec<Value>, Vec<String>) {
    let incident = bench.world.us().add_incidents(1)[0].clone();
    let texts: Vec<String> = (0..count).map(|n| format!("note number {n}")).collect();
    let note = |text: &String| json!({"incident_id": incident, "content": text});
    (texts.iter().map(note).collect(), texts)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_was_dropped_goes_on_in_another_host_and_sends_no_note_twice() {
    for (mode, isolation) in modes() {
        let mut bench = Bench::new(isolation.clone()).await;
        let (items, texts) = notes(&bench, 12);
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(FileJournals::in_directory(directory.path()));
        let journals = Journals::new(store.clone(), bench.key.clone(), JournalLimits::default());
        *bench.tap.delay.lock().unwrap() = Duration::from_millis(80);
        let run = bench.plugin.execute(execution("incident_note.create", &items, &journals));
        assert!(tokio::time::timeout(Duration::from_millis(400), run).await.is_err());
        *bench.tap.delay.lock().unwrap() = Duration::ZERO;
        bench.restart(isolation).await;
        let outcome = loop {
            match bench.plugin.resume(&journals, &name(), Resume::default()).await {
                Ok(outcome) => break outcome,
                // The dropped execution is still finishing its last write.
                Err(error) if matches!(error.journal(), Some(JournalError::InUse(_))) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        let writes = bench.tap.writes();
        for (item, text) in texts.iter().enumerate() {
            let sent = writes.iter().filter(|sent| sent.body["note"]["content"] == **text).count();
            assert_eq!(sent, 1, "{mode}: {text}");
            if let Some(error) = &outcome.items[item].error {
                assert_eq!(error.kind, "outcome-unknown", "{mode}: {error}");
            }
        }
        let ok = outcome.items.iter().filter(|item| item.is_ok()).count();
        assert!((6..12).contains(&ok), "{mode}: {ok} of 12");
        // The file contains no clear text of it, and a repeated read returns the same.
        let bytes = store.read(&name()).await.unwrap();
        for hidden in ["note number", "PagerDuty", "content", "incident_note"] {
            assert!(!bytes.windows(hidden.len()).any(|part| part == hidden.as_bytes()), "{hidden}");
        }
        let again = bench.plugin.resume(&journals, &name(), Resume::default()).await.unwrap();
        assert_eq!(told(&again), told(&outcome), "{mode}");
        assert!(bench.tap.take().is_empty(), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_runs_once_under_its_id() {
    let (_, isolation) = modes().remove(0);
    let mut bench = Bench::new(isolation.clone()).await;
    let (items, _) = notes(&bench, 3);
    let (_, journals) = bench.journals();
    let run = || execution("incident_note.create", &items, &journals);
    let first = bench.plugin.execute_once(run(), Arc::new(Silent)).await.unwrap();
    assert_eq!(bench.tap.writes().len(), 3);
    bench.restart(isolation).await;
    let second = bench.plugin.execute_once(run(), Arc::new(Silent)).await.unwrap();
    assert_eq!(told(&first), told(&second));
    assert!(bench.tap.take().is_empty());
    // With other items, another action, or another credential it is another execution.
    let mut others = vec![run(), run(), run()];
    others[0].items[1]["content"] = json!("something else");
    others[1].action = "incident_note.list".into();
    others[2].credentials.insert("rest".into(), "account".into());
    for (other, word) in others.into_iter().zip(["item 1", "incident_note.create", "credentials"]) {
        let error = bench.plugin.execute_once(other, Arc::new(Silent)).await.unwrap_err();
        assert!(matches!(error.journal(), Some(JournalError::OtherExecution(_))), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    // A caller that does not request that is refused.
    let error = bench.plugin.execute(run()).await.unwrap_err();
    assert!(matches!(error.journal(), Some(JournalError::Exists(_))), "{error}");
    assert!(bench.tap.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_execution_is_not_run_again_beside_itself() {
    let (_, isolation) = modes().remove(0);
    let bench = Bench::new(isolation).await;
    let (items, _) = notes(&bench, 2);
    let (_, journals) = bench.journals();
    *bench.tap.delay.lock().unwrap() = Duration::from_millis(300);
    let run = || execution("incident_note.create", &items, &journals);
    let plugin = bench.plugin.clone();
    let first = run();
    let first = tokio::spawn(async move { plugin.execute(first).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let error = bench.plugin.execute_once(run(), Arc::new(Silent)).await.unwrap_err();
    assert!(matches!(error.journal(), Some(JournalError::InUse(_))), "{error}");
    assert!(first.await.unwrap().unwrap().items.iter().all(|item| item.is_ok()));
    assert_eq!(bench.tap.writes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_could_not_be_run_leaves_no_journal() {
    let (_, isolation) = modes().remove(0);
    let bench = Bench::new(isolation).await;
    let (memory, journals) = bench.journals();
    let mut wrong = execution("service.list", &[json!({})], &journals);
    wrong.credentials.insert("rest".into(), "nobody-knows-it".into());
    assert!(bench.plugin.execute(wrong).await.unwrap_err().is_credential());
    assert!(memory.list().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_stands_for_its_secret_again_after_a_restart() {
    let (_, isolation) = modes().remove(0);
    let mut bench = Bench::new(isolation.clone()).await;
    let service = bench.world.us().services()[0].id.clone();
    let secret = bench.world.us().keys().routing;
    let url = format!("https://api.pagerduty.com/services/{service}?include%5B%5D=integrations");
    let accept = ["Accept", "application/vnd.pagerduty+json;version=2"];
    let request = json!({"url": url, "credential": "rest", "headers": [accept]});
    let hostile = bench.hostile().await;
    let (memory, journals) = bench.journals();
    let mut run = execution("hostile.request", &[request], &journals);
    run.credentials = [("rest".to_owned(), "token".to_owned())].into();
    let outcome = hostile.execute(run).await.unwrap();
    let body = outcome.items[0].output[0].value()["body"].as_str().unwrap().to_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    let handle = body["service"]["integrations"][0]["integration_key"].as_str().unwrap().to_owned();
    assert!(handle.starts_with("secret:"), "{handle}");
    // A person who reads the journal sees the handle, and not the secret.
    let bytes = memory.read(&name()).await.unwrap();
    let text = Recording::open(&bytes, &bench.key).unwrap().to_json().to_string();
    assert!(text.contains(&handle) && !text.contains(&secret));
    bench.restart(isolation).await;
    let hostile = bench.hostile().await;
    let event = json!({"routing_key": handle, "event_action": "trigger", "payload":
        {"summary": "s", "source": "s", "severity": "info"}});
    let place = json!({
        "method": "POST", "url": "https://events.pagerduty.com/v2/enqueue",
        "headers": [["Content-Type", "application/json"]], "body": event.to_string(),
    });
    let placed = async |hostile: &workflow_node_host::Plugin| {
        let run = workflow_node_host::Execution::new("hostile.request").item(place.clone());
        bench.tap.take();
        let outcome = hostile.execute(run).await.unwrap();
        (outcome.items[0].output[0].value(), bench.tap.writes())
    };
    let (refused, sent) = placed(&hostile).await;
    assert!(
        refused["message"].as_str().unwrap().contains("handle") && sent.is_empty(),
        "{refused}"
    );
    let again = hostile.resume(&journals, &name(), Resume::default()).await.unwrap();
    assert_eq!(told(&again), told(&outcome));
    let (accepted, sent) = placed(&hostile).await;
    assert_eq!((accepted["status"].as_u64(), sent.len()), (Some(202), 1), "{accepted}");
    assert_eq!(sent[0].body["routing_key"], *secret);
}
