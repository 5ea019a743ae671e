use std::process::Command;
use std::time::{Duration, Instant};

use pagerduty_simulator::{Fault, NewIncident};
use serde_json::{Value, json};

use crate::support::{Running, World, assert_valid};

/// Ctrl-C, as a terminal sends it.
#[cfg(unix)]
fn interrupt(running: &Running) {
    let id = running.child.id().to_string();
    let status = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(status.success());
}

/// Waits for so many requests to arrive.
fn arrived(world: &World, requests: usize) {
    let until = Instant::now() + Duration::from_secs(60);
    while world.simulator.requests().len() < requests {
        assert!(Instant::now() < until, "fewer than {requests} requests have arrived");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Twenty notes, each of which would exist twice if it were sent twice; each for a different
/// incident, because notes on the same one are sent one after the other.
fn twenty(world: &World) -> String {
    let item = |index: usize| {
        let incident = world.simulator.us().add_incident(NewIncident::default());
        json!({ "incident_id": incident, "content": format!("note {index}") })
    };
    Value::Array((0..20).map(item).collect()).to_string()
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_run_and_says_what_was_sent() {
    let world = World::connected();
    // The first answer comes, the second does not.
    world.simulator.fault(Fault::delay(Duration::from_secs(3600)).method("POST").after(1).always());
    let args =
        ["incident_note.create", "--credential", "work", "--items", "-", "--concurrency", "1"];
    let running = world.run(&args).stdin(&twenty(&world)).start();
    arrived(&world, 2);
    interrupt(&running);
    let output = running.expect(1);
    output
        .says("Interrupted: 1 request answered, 1 possibly sent, 0 not sent")
        .says("1 item succeeded, 1 failed, 18 canceled")
        .says("item 1: outcome-unknown");
}

#[cfg(unix)]
#[test]
fn ctrl_c_with_json_still_gives_every_item() {
    let world = World::connected();
    world.simulator.fault(Fault::delay(Duration::from_secs(3600)).method("POST").always());
    let trace = world.path("run.har");
    let args = [
        "incident_note.create",
        "--credential",
        "work",
        "--items",
        "-",
        "--concurrency",
        "4",
        "--format",
        "json",
        "--trace",
        trace.to_str().unwrap(),
    ];
    let running = world.run(&args).stdin(&twenty(&world)).start();
    arrived(&world, 4);
    interrupt(&running);
    let output = running.expect(1);
    let results = output.json();
    assert_valid(None, &results);
    let kinds = |kind: &str| {
        results.as_array().unwrap().iter().filter(|one| one["error"]["kind"] == kind).count()
    };
    assert_eq!((kinds("outcome-unknown"), kinds("cancelled")), (4, 16), "{output}");
    assert_eq!(output.failure()["name"], "interrupted");
    assert!(trace.exists());
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_at_once() {
    let world = World::with(component_build::guest("hostile"));
    world.harness(&["approve", world.plugin(), "--yes"]).expect(0);
    // It computes, and does not listen.
    let args = ["hostile.misbehave", "--parameters", "{\"case\":\"loop\"}"];
    let mut running = world.run(&args).start();
    // Repeatedly, because nothing reports when the command has begun to listen.
    while running.child.try_wait().unwrap().is_none() {
        let id = running.child.id().to_string();
        let _ended = Command::new("kill").args(["-INT", &id]).output().is_ok();
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = running.child.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
}

#[test]
fn an_item_that_takes_too_long_fails_with_a_timeout() {
    let world = World::connected();
    world.simulator.fault(Fault::delay(Duration::from_secs(3600)).always());
    let args = ["service.list", "--credential", "work", "--timeout", "300ms", "--format", "json"];
    let results = world.run(&args).expect(1).json();
    assert_valid(None, &results);
    assert_eq!(results[0]["error"]["kind"], "timeout");
}

#[test]
fn a_stopped_plugin_has_its_own_exit_code_and_its_items_are_reported() {
    let world = World::with(component_build::guest("hostile"));
    world.harness(&["approve", world.plugin(), "--yes"]).expect(0);
    for case in ["panic", "no-result", "wrong-port", "no-json"] {
        let parameters = json!({ "case": case }).to_string();
        let args = ["hostile.misbehave", "--parameters", &parameters, "--format", "json"];
        let output = world.run(&args).expect(4);
        let results = output.json();
        assert_valid(None, &results);
        assert_eq!(results[0]["error"]["kind"], "internal", "{case}");
        assert_eq!(output.failure()["name"], "plugin-stopped", "{case}");
        let args = ["hostile.misbehave", "--parameters", &parameters];
        world.run(&args).expect(4).says("error: the plugin was stopped").says("item 0: internal");
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let world = World::connected();
    world.simulator.us().add_services(200);
    let args = [
        "service.list",
        "--credential",
        "work",
        "--parameters",
        "{\"limit\":1000}",
        "--format",
        "jsonl",
    ];
    let mut running = world.run(&args).start();
    drop(running.child.stdout.take());
    let output = running.child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
