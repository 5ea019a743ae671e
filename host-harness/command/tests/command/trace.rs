//! `run --trace` and `harness trace`.

use pagerduty_simulator::Fault;
use serde_json::{Value, json};

use crate::support::World;

fn traced(world: &World, args: &[&str], code: i32) -> Value {
    let trace = world.path("run.har");
    let trace = trace.to_str().unwrap();
    world.run(&[args, &["--credential", "work", "--trace", trace]].concat()).expect(code);
    serde_json::from_str(&std::fs::read_to_string(trace).unwrap()).unwrap()
}

#[test]
fn a_trace_holds_every_attempt_the_items_and_no_credential() {
    let world = World::connected();
    world.simulator.fault(Fault::status(503).method("GET").path("/abilities").times(2));
    let archive = traced(&world, &["ability.list"], 0);
    let entry = &archive["log"]["entries"][0];
    let attempts = entry["_attempts"].as_array().unwrap();
    let statuses: Vec<&Value> = attempts.iter().map(|attempt| &attempt["status"]).collect();
    assert_eq!(statuses, [&json!(503), &json!(503), &json!(200)]);
    let at: Vec<u64> = attempts.iter().map(|one| one["at_ms"].as_u64().unwrap()).collect();
    assert!(at.is_sorted() && at[2] > at[0], "{at:?}");
    let run = &archive["log"]["_workflowNode"];
    assert_eq!(run["action"], "ability.list");
    assert_eq!(run["items"], json!([{}]));
    assert_eq!(run["results"][0]["status"], "ok");
    assert!(run["memory"].as_u64().unwrap() > 100_000);
    assert!(run["duration_ms"].as_u64().unwrap() >= at[2]);
    let key = world.simulator.us().keys().account;
    assert!(!archive.to_string().contains(&key));
    // Readers of HAR 1.2 read it all the same.
    let log: har::v1_2::Log = serde_json::from_str(&archive["log"].to_string()).unwrap();
    assert_eq!(log.entries.len(), 1);
}

#[test]
fn a_trace_is_shown_as_a_page_that_loads_nothing() {
    let world = World::connected();
    world.simulator.fault(Fault::status(503).method("GET").path("/services").times(1));
    traced(&world, &["service.list", "--parameters", "{\"query\":\"<b>&\"}"], 0);
    world.harness(&["trace", "run.har"]).expect(0).shows("Open run.html in a browser");
    let page = std::fs::read_to_string(world.path("run.html")).unwrap();
    for shown in ["/services", "service.list", "retries", "waiting to send again", "Input"] {
        assert!(page.contains(shown), "{shown}");
    }
    // Text from the service or the user is escaped.
    assert!(page.contains("&lt;b&gt;&amp;") && !page.contains("<b>&"));
    for outside in ["<script", "<link", "<img", "url(http", "@import", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(world.path("run.html")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_trace_holds_the_calls_of_the_host_with_fuel_and_memory() {
    let world = World::connected();
    let archive = traced(&world, &["service.list", "--execution-id", "fuel"], 0);
    let host_calls = &archive["log"]["_hostCalls"];
    assert_eq!((&host_calls["limit"], &host_calls["dropped"]), (&json!(10_000), &json!(0)));
    let calls = host_calls["calls"].as_array().unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    assert!(calls.iter().all(|call| number(&call["fuel"]) > 0), "{host_calls:#}");
    assert!(number(&calls[0]["memory"]) > 100_000, "{host_calls:#}");
    let between: u64 = calls.iter().map(|call| number(&call["fuel"])).sum();
    assert!(between < number(&host_calls["fuel"]), "{host_calls:#}");
    let memory = &archive["log"]["_workflowNode"]["memory"];
    assert_eq!(&host_calls["peak_memory"], memory);
    let functions = host_calls["functions"].as_object().unwrap();
    let counted: u64 = functions.values().map(|of| number(&of["calls"])).sum();
    assert_eq!(counted, calls.len() as u64);
    let sent = functions.keys().any(|name| name == "http.submit" || name == "http.send");
    assert!(sent, "{host_calls:#}");
    // They are on the time axis of the requests.
    let started = number(&archive["log"]["_workflowNode"]["started"]) * 1_000;
    let end = started + 1_000 * (1 + number(&archive["log"]["_workflowNode"]["duration_ms"]));
    for call in calls {
        let at = number(&call["at_us"]);
        assert!((started..=end).contains(&at), "{started} {at} {end}");
    }
    let page = world.harness(&["trace", "run.har", "--out", "-"]).expect(0).stdout;
    for shown in ["Calls of the host", "units of fuel", "fuel between calls", "context.credential"]
    {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn replays_of_a_journal_use_the_same_fuel() {
    let world = World::connected();
    let journal = world.path("run.journal");
    let journal = journal.to_str().unwrap();
    let args = ["service.list", "--execution-id", "fuel", "--journal", journal];
    let used = |archive: &Value| {
        let host_calls = &archive["log"]["_hostCalls"];
        let calls = host_calls["calls"].as_array().unwrap().iter();
        let calls = calls.map(|call| (call["function"].clone(), call["fuel"].clone()));
        (host_calls["fuel"].clone(), calls.collect::<Vec<_>>())
    };
    let live = used(&traced(&world, &args, 0));
    for isolation in ["process", "none"] {
        let args = ["replay", journal, "--plugin", world.plugin(), "--trace", "replay.har"];
        world.harness(&[&args[..], &["--isolation", isolation]].concat()).expect(0);
        let replayed = std::fs::read_to_string(world.path("replay.har")).unwrap();
        assert_eq!(used(&serde_json::from_str(&replayed).unwrap()), live, "{isolation}");
    }
    world.harness(&["trace", "replay.har"]).expect(0);
}

#[test]
fn a_denied_request_is_shown_with_its_reason() {
    let world = World::connected();
    let archive = traced(&world, &["service.list", "--allow", "https://api.eu.pagerduty.com"], 1);
    let entry = &archive["log"]["entries"][0];
    assert_eq!(entry["_attempts"], json!([]));
    let page = world.harness(&["trace", "run.har", "--out", "-"]).expect(0).stdout;
    assert!(page.contains("denied") && page.contains(entry["_error"].as_str().unwrap()), "{entry}");
}

#[test]
fn any_archive_is_shown_and_other_files_are_refused() {
    let world = World::new();
    let archive = json!({ "log": { "version": "1.2", "entries": [{
        "startedDateTime": "2026-11-30T12:00:00.000+01:00", "time": 12.5,
        "request": { "method": "GET", "url": "https://a.example/x", "headers": [] },
        "response": { "status": 200, "headers": [], "content": { "text": "hello" } },
    }] } });
    let file = world.file("browser.har", &archive.to_string());
    let page = world.harness(&["trace", &file, "--out", "-"]).expect(0).stdout;
    assert!(page.contains("/x") && page.contains("hello"));
    let text = world.file("text.har", "no JSON");
    world.harness(&["trace", &text]).expect(2).says("next: name an HTTP Archive");
    let other = world.file("other.har", "{}");
    world.harness(&["trace", &other]).expect(2).says("it has no `log`");
    world.harness(&["trace", "missing.har"]).expect(2).says("next: write one with");
}
