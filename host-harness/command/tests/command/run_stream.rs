//! `run --format jsonl` over JSON Lines: any number of items, read one by one.

use std::io::{BufRead as _, BufReader, Write as _};

use serde_json::{Value, json};

use crate::support::World;

/// `incident.get` of one incident, so many times.
fn lines(world: &World, count: usize) -> String {
    let incident = world.simulator.us().incidents()[0].id.clone();
    format!("{}\n", json!({ "incident_id": incident })).repeat(count)
}

fn args<'a>(items: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let run = ["incident.get", "--credential", "work", "--format", "jsonl", "--items", items];
    [&run[..], &["--rate-limit", "none"], more].concat()
}

#[test]
fn each_item_of_many_is_finished_once() {
    let world = World::connected();
    let items = format!("@{}", world.file("items.jsonl", &lines(&world, 2_500)));
    let output = world.run(&args(&items, &[])).expect(0);
    let mut ends: Vec<Value> =
        output.lines().into_iter().filter(|line| line.get("status").is_some()).collect();
    assert_eq!(ends.len(), 2_500);
    ends.sort_by_key(|end| end["item"].as_u64());
    for (item, end) in ends.iter().enumerate() {
        assert_eq!(*end, json!({ "item": item, "status": "ok", "records": 1 }));
    }
    assert_eq!(world.simulator.requests().len(), 2_500);
}

#[test]
fn a_file_with_a_wrong_item_sends_nothing() {
    let world = World::connected();
    let before = world.simulator.requests().len();
    for (line, expected) in [
        ("{\"incident_id\":7}\n", "1 item does not match"),
        ("{\"incident_id\":\n", "line 1501: invalid JSON"),
        ("[]\n", "line 1501: expected an object"),
    ] {
        let items = format!("@{}", world.file("items.jsonl", &(lines(&world, 1_500) + line)));
        let output = world.run(&args(&items, &[])).expect(2);
        assert!(output.stderr.contains(expected), "{output}");
        assert_eq!(output.stdout, "");
    }
    assert_eq!(world.simulator.requests().len(), before);
}

#[test]
fn items_on_standard_input_run_until_one_cannot_be_read() {
    let world = World::connected();
    let input = lines(&world, 600) + "{\"incident_id\"\n" + &lines(&world, 5);
    let output = world.run(&args("-", &[])).stdin(&input).expect(2);
    assert!(output.stderr.contains("standard input, line 601: invalid JSON"), "{output}");
    let ends = output.lines().into_iter().filter(|line| line["status"] == "ok").count();
    assert_eq!(ends, 600);
}

#[test]
fn an_item_that_fails_ends_the_run_unless_it_may_continue() {
    let world = World::connected();
    let wrong = "{\"incident_id\":\"PNONE0000000000\"}\n";
    let input = lines(&world, 10) + wrong + &lines(&world, 5_000);
    let output = world.run(&args("-", &[])).stdin(&input).expect(1);
    let ended = output.lines().into_iter().filter(|line| line.get("status").is_some()).count();
    assert!((11..5_011).contains(&ended), "{ended}");
    let output = world.run(&args("-", &["--continue-on-fail"])).stdin(&input).expect(1);
    let ok = output.lines().into_iter().filter(|line| line["status"] == "ok").count();
    assert_eq!(ok, 5_010);
    assert!(output.stderr.contains("1 of 5011 items failed"), "{output}");
}

#[test]
fn the_time_that_a_run_may_take_holds_for_a_stream_too() {
    let world = World::connected();
    world.simulator.set_latency(std::time::Duration::from_millis(200));
    let input = lines(&world, 5_000);
    let output = world.run(&args("-", &["--timeout", "1s"])).stdin(&input).expect(1);
    assert!(output.stderr.contains("time"), "{output}");
}

#[test]
fn an_item_runs_as_soon_as_its_line_arrives() {
    let world = World::connected();
    let mut running = world.run(&args("-", &[])).start_with_input();
    let mut input = running.child.stdin.take().unwrap();
    let mut output = BufReader::new(running.child.stdout.take().unwrap());
    for item in 0..3 {
        input.write_all(lines(&world, 1).as_bytes()).unwrap();
        for key in ["output", "status"] {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            assert_eq!((&line["item"], line.get(key).is_some()), (&json!(item), true));
        }
    }
    drop(input);
    assert!(running.child.wait().unwrap().success());
}
