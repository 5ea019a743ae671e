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
