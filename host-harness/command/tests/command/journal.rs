//! `run --journal`, `run --resume`, and `replay`.

use std::time::{Duration, Instant};

use pagerduty_simulator::{Fault, NewIncident};
use serde_json::{Value, json};

use crate::support::{World, assert_valid, make_private};

fn arrived(world: &World, requests: usize) {
    let until = Instant::now() + Duration::from_secs(60);
    while world.simulator.requests().len() < requests {
        assert!(Instant::now() < until, "fewer than {requests} requests have arrived");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Items that each write a note to a different incident, and the incidents.
fn notes(world: &World, count: usize) -> (Vec<String>, Vec<Value>) {
    let incidents: Vec<String> =
        (0..count).map(|_| world.simulator.us().add_incident(NewIncident::default())).collect();
    let items = incidents
        .iter()
        .map(|incident| json!({ "incident_id": incident, "content": "checked" }))
        .collect();
    (incidents, items)
}

fn replay(world: &World, journal: &str, more: &[&str]) -> crate::support::Harness {
    let mut args = vec!["replay", journal, "--plugin", world.plugin()];
    args.extend(more);
    world.harness(&args)
}

#[test]
fn a_recorded_run_replays_byte_for_byte_without_a_network() {
    let world = World::connected();
    let (incidents, _) = notes(&world, 3);
    let items: Vec<Value> = incidents
        .iter()
        .map(|id| json!({ "incident_id": id }))
        .chain([json!({ "incident_id": "QNOWHERE" })])
        .collect();
    for (format, items) in [
        ("json", Value::Array(items.clone()).to_string()),
        ("jsonl", items.iter().map(|item| format!("{item}\n")).collect()),
    ] {
        let journal = format!("{format}.journal");
        let args = ["incident.get", "--credential", "work", "--items", "-", "--continue-on-fail"];
        let recording = ["--format", format, "--journal", &journal];
        let ran = world.run(&[&args[..], &recording].concat()).stdin(&items).expect(1);
        world.simulator.clear_requests();
        let replayed = replay(&world, &journal, &["--format", format]).expect(1);
        assert_eq!(replayed.stdout, ran.stdout);
        assert!(ran.stdout.contains("not-found"), "{ran}");
        assert!(world.simulator.requests().is_empty());
    }
    let told = replay(&world, "json.journal", &[]).expect(1);
    told.says("Replayed 4 items of pagerduty offline");
    let shown = world.harness(&["replay", "json.journal", "--show"]).expect(0);
    let shown = shown.json();
    assert_eq!(shown["call"]["action"], "incident.get");
    let key = world.simulator.us().keys().account;
    assert!(!shown.to_string().contains(&key));
    let requests = shown["entries"].as_array().unwrap().iter();
    assert_eq!(requests.filter(|entry| entry["method"] == "GET").count(), 4);
}

#[test]
fn a_replay_finds_the_installed_build_and_refuses_another_one() {
    let world = World::connected();
    let args = ["ability.list", "--credential", "work", "--journal", "run.journal"];
    world.run(&args).expect(0);
    let lost = world.harness(&["replay", "run.journal"]).expect(2);
    lost.says("is not installed").says("next: add --plugin");
    world.harness(&["plugin", "upgrade", world.plugin(), "--yes"]).expect(0);
    world.harness(&["replay", "run.journal"]).expect(0);
    let other = component_build::guest("minimal-node");
    let other = other.to_str().unwrap();
    let refused = world.harness(&["replay", "run.journal", "--plugin", other]).expect(2);
    refused.says("it was written with the plugin sha256:");
}

/// Kills a run while its sixth note is in flight, and resumes it.
fn killed_and_resumed(streamed: bool) {
    let world = World::connected();
    let (incidents, items) = notes(&world, 12);
    let text = match streamed {
        true => items.iter().map(|item| format!("{item}\n")).collect(),
        false => Value::Array(items).to_string(),
    };
    let file = format!("@{}", world.file("items", &text));
    world.simulator.fault(Fault::delay(Duration::from_secs(3600)).method("POST").after(5).always());
    let format = if streamed { "jsonl" } else { "json" };
    let args = [
        "incident_note.create",
        "--credential",
        "work",
        "--items",
        &file,
        "--concurrency",
        "1",
        "--continue-on-fail",
        "--format",
        format,
        "--journal",
        "journals/",
        "--execution-id",
        "night-7",
    ];
    let mut running = world.run(&args).start();
    arrived(&world, 6);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    world.simulator.clear_faults();

    // Without --resume, nobody begins an execution twice.
    world.run(&args).expect(2).failure()["next"].as_str().unwrap().find("--resume").unwrap();
    assert_eq!(world.simulator.requests().len(), 6);
    let resume = [&args[..], &["--resume"]].concat();
    let output = world.run(&resume).expect(1);
    let errors: Vec<Value> = match streamed {
        true => output.lines(),
        false => output.json().as_array().unwrap().clone(),
    };
    let errors: Vec<(Value, Value)> = errors
        .iter()
        .filter(|one| one["status"] == "error")
        .map(|one| (one["item"].clone(), one["error"]["kind"].clone()))
        .collect();
    assert_eq!(errors, [(json!(5), json!("outcome-unknown"))]);
    // Each note was sent once. The sixth was never answered, and is not sent again.
    let posts: Vec<String> =
        world.simulator.requests().into_iter().map(|request| request.path.clone()).collect();
    assert_eq!(posts.len(), 12, "{posts:?}");
    for incident in &incidents {
        assert_eq!(posts.iter().filter(|path| path.contains(incident)).count(), 1, "{posts:?}");
    }
    // It has ended: the same result comes again, and nothing is sent.
    let again = world.run(&resume).expect(1);
    assert_eq!(again.stdout, output.stdout);
    assert_eq!(world.simulator.requests().len(), 12);
    let named = ["--format", format, "--execution-id", "night-7"];
    let replayed = replay(&world, "journals", &named).expect(1);
    assert_eq!(replayed.stdout, output.stdout);
}

#[test]
fn a_killed_run_is_resumed_and_repeats_no_request() {
    killed_and_resumed(false);
}

#[test]
fn a_killed_stream_is_resumed_and_repeats_no_request() {
    killed_and_resumed(true);
}

#[test]
fn a_journal_is_resumed_only_with_what_it_was_recorded_with() {
    let world = World::connected();
    let run = |action: &'static str, more: &[&str]| {
        let args = [action, "--credential", "work", "--journal", "run.journal", "--resume"];
        world.run(&[&args[..], more].concat())
    };
    // Without a journal, the execution begins.
    run("service.list", &[]).expect(0);
    world.simulator.clear_requests();
    run("service.list", &[]).expect(0);
    run("ability.list", &[]).expect(2).says("was run with the action `service.list`");
    run("service.list", &["--parameters", "{\"query\":\"x\"}"]).expect(2).says("another item 0");
    run("service.list", &["--format", "jsonl"]).expect(2).says("without --format jsonl");
    assert!(world.simulator.requests().is_empty());
    let directory = ["service.list", "--credential", "work", "--journal", "all/", "--resume"];
    world.run(&directory).expect(2).says("next: add --execution-id ID");
    let nowhere = ["service.list", "--credential", "work", "--journal", "nowhere/run.journal"];
    world.run(&nowhere).expect(2).says("its directory does not exist");
}

#[test]
fn a_journal_with_a_separate_key_can_be_shared() {
    let world = World::connected();
    let key = world.file("journal.key", &format!("{}\n", "a5".repeat(32)));
    make_private(&world.path("journal.key"));
    let args = ["ability.list", "--credential", "work", "--journal", "run.journal"];
    let args = [&args[..], &["--journal-key", &key, "--format", "json"]].concat();
    let ran = world.run(&args).expect(0);
    let bytes = std::fs::read(world.path("run.journal")).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("ability"), "the journal is sealed");
    let denied = replay(&world, "run.journal", &["--format", "json"]).expect(2);
    assert_valid(Some("failure"), &serde_json::from_str(&denied.stderr).unwrap());
    assert!(denied.failure()["next"].as_str().unwrap().contains("--journal-key"), "{denied}");
    let elsewhere = World::new();
    std::fs::copy(world.path("run.journal"), elsewhere.path("run.journal")).unwrap();
    let replayed = replay(&elsewhere, "run.journal", &["--format", "json", "--journal-key", &key]);
    assert_eq!(replayed.expect(0).stdout, ran.stdout);
    // It has no credential store, so the key has to be named.
    let unnamed = replay(&elsewhere, "run.journal", &[]).expect(3);
    unnamed.says("next: add --journal-key FILE");
}

#[test]
fn damaged_and_invalid_journals_are_reported() {
    let world = World::connected();
    world.file("text.journal", "this is a text, and it is longer than the header of a journal: ….");
    replay(&world, "text.journal", &[]).expect(2).says("not a journal");
    replay(&world, "missing.journal", &[]).expect(2).says("missing.journal not found");
    world.file("empty.journal", "");
    replay(&world, "empty.journal", &[]).expect(2).says("nothing to replay");
    let args = ["incident_note.create", "--credential", "work", "--journal", "run.journal"];
    let (_, items) = notes(&world, 1);
    world.run(&[&args[..], &["--parameters", &items[0].to_string()]].concat()).expect(0);
    let mut bytes = std::fs::read(world.path("run.journal")).unwrap();
    let whole = bytes.len();
    bytes.truncate(whole - 40);
    std::fs::write(world.path("cut.journal"), &bytes).unwrap();
    replay(&world, "cut.journal", &[]).expect(0).says("ends before the execution did");
}
