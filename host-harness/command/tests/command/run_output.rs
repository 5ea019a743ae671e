use pagerduty_simulator::{Fault, NewIncident};
use serde_json::{Value, json};

use crate::support::{World, assert_text, assert_valid};

#[test]
fn a_crash_is_explained_below_the_error() {
    let world = World::with(component_build::guest("hostile"));
    world.harness(&["approve", world.plugin(), "--yes"]).expect(0);
    let parameters = r#"{"case":"abort"}"#;
    let run = ["run", world.plugin(), "hostile.misbehave", "--parameters", parameters];
    world
        .harness(&run)
        .expect(4)
        .says(r"error: the plugin was stopped: no way on with \u{1b}[31mthis\u{202e} (wasm trap")
        .says("output of the plugin:\n  | no way on with")
        .says("functions that were running, the innermost first:\n  | ");
    let output = world.harness(&[&run[..], &["--format", "json"]].concat()).expect(4);
    let failure: Value = serde_json::from_str(output.stderr.lines().last().unwrap()).unwrap();
    assert_valid(Some("failure"), &failure);
    let crash = &failure["error"]["crash"];
    assert!(crash["output"].as_str().unwrap().starts_with("no way on with"), "{crash}");
    assert!(!crash["functions"].as_array().unwrap().is_empty(), "{crash}");
}

#[test]
fn json_is_an_array_with_an_element_per_item_in_order() {
    let world = World::connected();
    let services = world.simulator.us().services();
    let items = json!([
        { "service_id": services[1].id },
        { "service_id": "PN0THER" },
        { "service_id": services[0].id },
    ]);
    let args = [
        "service.get",
        "--credential",
        "work",
        "--items",
        "-",
        "--continue-on-fail",
        "--format",
        "json",
    ];
    let output = world.run(&args).stdin(&items.to_string()).expect(1);
    let results = output.json();
    assert_valid(None, &results);
    assert_eq!(results[0]["output"][0]["id"], services[1].id.as_str());
    assert_eq!(results[1]["status"], "error");
    assert_eq!(results[1]["error"]["kind"], "not-found");
    assert_eq!(results[1]["error"]["http_status"], 404);
    assert_eq!(results[2]["output"][0]["id"], services[0].id.as_str());
    assert_eq!(output.failure()["name"], "items-failed");
}

/// One item succeeds, one fails, with answers that are the same in every run.
fn one_of_two_fails(world: &World, format: &str) -> crate::support::Output {
    let json = [("content-type", "application/json")];
    let service = r#"{"service":{"id":"P1","type":"service","name":"Checkout","limit":1.50}}"#;
    let refusal = r#"{"error":{"message":"Not Found","code":2100}}"#;
    world.simulator.fault(Fault::response(200, &json, service).path("/services/PSERVICE000001"));
    world.simulator.fault(Fault::response(404, &json, refusal).path("/services/PSERVICE000002"));
    let args = [
        "service.get",
        "--credential",
        "work",
        "--items",
        "-",
        "--continue-on-fail",
        // One after the other, so that they end in their order.
        "--concurrency",
        "1",
        "--format",
        format,
    ];
    let items = "{\"service_id\":\"PSERVICE000001\"}\n{\"service_id\":\"PSERVICE000002\"}\n";
    world.run(&args).stdin(items).expect(1)
}

#[test]
fn the_json_stays_as_it_is() {
    let world = World::connected();
    let output = one_of_two_fails(&world, "json");
    assert_text!(world, format!("{}--- standard error\n{}", output.stdout, output.stderr));
}

#[test]
fn the_lines_stay_as_they_are() {
    let world = World::connected();
    let output = one_of_two_fails(&world, "jsonl");
    assert_text!(world, format!("{}--- standard error\n{}", output.stdout, output.stderr));
}

#[test]
fn a_success_says_nothing_on_standard_error() {
    let world = World::connected();
    for format in ["json", "jsonl"] {
        let output =
            world.run(&["service.list", "--credential", "work", "--format", format]).expect(0);
        assert_eq!(output.stderr, "", "{output}");
    }
}

#[test]
fn lines_are_records_as_they_come_and_a_status_after_those_of_each_item() {
    let world = World::connected();
    world.simulator.us().add_services(250);
    let all = world.simulator.us().services().len();
    let args = ["service.list", "--credential", "work", "--items", "-", "--format", "jsonl"];
    let output = world.run(&args).stdin("[{\"limit\":1000},{\"limit\":2}]").expect(0);
    let lines = output.lines();
    lines.iter().for_each(|line| assert_valid(Some("line"), line));
    let records = |item: u64| {
        let of_item = |line: &&Value| line["item"] == item && line.get("output").is_some();
        lines.iter().filter(of_item).map(|line| line["output"]["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(records(0).len(), all);
    assert_eq!(records(1), records(0)[..2]);
    for (item, count) in [(0, all), (1, 2)] {
        let end = json!({ "item": item, "status": "ok", "records": count });
        let last = lines.iter().rposition(|line| line["item"] == item).unwrap();
        assert_eq!(lines[last], end);
    }
}

#[test]
fn streamed_records_belong_to_the_item_that_they_came_from() {
    let world = World::connected();
    world.simulator.us().add_services(150);
    let args = [
        "service.list",
        "--credential",
        "work",
        "--items",
        "-",
        "--continue-on-fail",
        "--format",
        "jsonl",
    ];
    let output = world.run(&args).stdin("[{\"limit\":\"many\"},{\"limit\":120}]").expect(1);
    let lines = output.lines();
    lines.iter().for_each(|line| assert_valid(Some("line"), line));
    let of = |item: u64| {
        let of_item = |line: &&Value| line["item"] == item && line.get("output").is_some();
        lines.iter().filter(of_item).count()
    };
    assert_eq!((of(0), of(1)), (0, 120));
    let wrong = lines.iter().find(|line| line["item"] == 0).unwrap();
    assert_eq!(wrong["error"]["kind"], "invalid-input");
}

#[test]
fn every_format_contains_the_records_of_a_failed_item() {
    let world = World::connected();
    world.simulator.us().add_services(250);
    let failing = || Fault::status(400).path("/services").after(2);
    let args = |format| {
        [
            "service.list",
            "--credential",
            "work",
            "--parameters",
            "{\"limit\":1000}",
            "--format",
            format,
        ]
    };
    world.simulator.fault(failing());
    let results = world.run(&args("json")).expect(1).json();
    assert_valid(None, &results);
    assert_eq!(results[0]["status"], "error");
    let partial = results[0]["output"].as_array().unwrap().len();
    assert!(partial > 0, "{results}");
    world.simulator.fault(failing());
    let lines = world.run(&args("jsonl")).expect(1).lines();
    assert_eq!(lines.len(), partial + 1);
    assert_eq!(lines[partial]["records"], partial);
    world.simulator.fault(failing());
    world.run(&args("text")).expect(1).says(&format!("its first {partial} records were returned"));
}

#[test]
fn numbers_come_out_as_the_service_wrote_them() {
    let world = World::connected();
    let body =
        r#"{"service":{"id":"P1","type":"service","big":12345678901234567890123,"exact":1.10}}"#;
    world.simulator.fault(Fault::response(200, &[("content-type", "application/json")], body));
    let args = [
        "service.get",
        "--credential",
        "work",
        "--parameters",
        "{\"service_id\":\"PSERVICE000001\"}",
        "--format",
        "json",
    ];
    world.run(&args).expect(0).shows("12345678901234567890123").shows("1.10");
}

#[test]
fn a_list_is_a_table() {
    let world = World::connected();
    let output = world.run(&["service.list", "--credential", "work"]).expect(0);
    assert_text!(world, format!("{}--- standard error\n{}", output.stdout, output.stderr));
}

#[test]
fn one_record_is_keys_and_values() {
    let world = World::connected();
    let output =
        world.run(&["user.get", "--credential", "work", "--parameters", &user(&world)]).expect(0);
    assert_text!(world, format!("{}--- standard error\n{}", output.stdout, output.stderr));
}

fn user(world: &World) -> String {
    json!({ "user_id": world.simulator.us().users()[0].id }).to_string()
}

#[test]
fn failed_items_are_reported_with_kind_and_reason() {
    let world = World::connected();
    let items = "{\"service_id\":\"PN0THER\"}\n{\"service_id\":\"PN0RHER\"}";
    let args = ["service.get", "--credential", "work", "--items", "-", "--continue-on-fail"];
    let output = world.run(&args).stdin(items).expect(1);
    assert_text!(world, format!("{}--- standard error\n{}", output.stdout, output.stderr));
}

#[test]
fn an_item_that_was_not_begun_is_cancelled() {
    let world = World::connected();
    let items = "{\"service_id\":\"PN0THER\"}\n{\"service_id\":\"PN0RHER\"}";
    let args = [
        "service.get",
        "--credential",
        "work",
        "--items",
        "-",
        "--concurrency",
        "1",
        "--format",
        "json",
    ];
    let results = world.run(&args).stdin(items).expect(1).json();
    assert_eq!(results[0]["error"]["kind"], "not-found");
    assert_eq!(results[1]["error"]["kind"], "cancelled");
    assert_eq!(world.simulator.requests().len(), 1);
}

#[test]
fn text_of_the_service_cannot_act_on_a_terminal() {
    let world = World::connected();
    world.simulator.us().add_incident(NewIncident {
        title: "clear \u{1b}[2J and \u{9b}31m and \u{202e}reversed".to_owned(),
        ..NewIncident::default()
    });
    for format in ["text", "json", "jsonl"] {
        let args = ["incident.list", "--credential", "work", "--format", format];
        let output = world.run(&args).expect(0);
        let harmful = |character: char| {
            (character.is_control() && character != '\n') || character == '\u{202e}'
        };
        assert!(!output.stdout.chars().any(harmful), "{output}");
    }
    let results =
        world.run(&["incident.list", "--credential", "work", "--format", "json"]).expect(0).json();
    let titles: Vec<&str> = results[0]["output"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|incident| incident["title"].as_str())
        .collect();
    assert!(titles.contains(&"clear \u{1b}[2J and \u{9b}31m and \u{202e}reversed"), "{titles:?}");
}
