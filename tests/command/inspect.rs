use serde_json::json;

use crate::support::{World, assert_text};

#[test]
fn a_plugin_is_shown_in_words() {
    // This one grows slower than the real one, which would change the snapshot with each action.
    let world = World::with(component_build::guest("hostile"));
    let output = world.harness(&["inspect", world.plugin()]).expect(0);
    assert_text!(world, output.stdout);
}

#[test]
fn an_action_is_shown_in_full() {
    let world = World::new();
    let output = world.harness(&["inspect", world.plugin(), "incident_note.create"]).expect(0);
    assert_text!(world, output.stdout);
}

#[test]
fn the_real_plugin_is_shown_with_all_that_it_can_do() {
    let world = World::new();
    let output = world.harness(&["inspect", world.plugin()]).expect(0);
    for text in
        ["https://events.eu.pagerduty.com", "routing_key (string, secret)", "incident.create"]
    {
        output.shows(text);
    }
}

#[test]
fn the_json_says_what_the_words_say() {
    let world = World::new();
    let output = world.harness(&["inspect", world.plugin(), "--format", "json"]).expect(0);
    let document = output.json();
    assert_eq!(document["name"], "pagerduty");
    assert_eq!(document["approved"], false);
    assert_eq!(document["size"], std::fs::metadata(world.plugin()).unwrap().len());
    assert!(document["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(document["imports"].as_array().unwrap().contains(&json!("workflow:node/http@0.1.0")));
    assert!(document["origins"].as_array().unwrap().contains(&json!("https://api.pagerduty.com")));
    let types = document["credential_types"].as_array().unwrap();
    let token = types.iter().find(|one| one["name"] == "api-token").unwrap();
    assert_eq!(token["grant"], json!({ "kind": "fixed" }));
    assert_eq!(token["secret_fields"], json!(["api_token"]));
    assert!(token["placements"][0]["in_words"].as_str().unwrap().contains("header Authorization"));
    let actions = document["actions"].as_array().unwrap();
    let create = actions.iter().find(|one| one["name"] == "incident.create").unwrap();
    assert_eq!(create["effect"], "create");
    assert_eq!(create["idempotency"], "keyed");
    assert_eq!(create["slots"]["rest"]["required"], true);
}

#[test]
fn an_action_in_json_has_its_schemas_and_ready_commands() {
    let world = World::new();
    let args = ["inspect", world.plugin(), "incident.create", "--format", "json"];
    let document = world.harness(&args).expect(0).json();
    assert_eq!(document["parameters"]["type"], "object");
    assert!(document["output"]["main"].is_object());
    let command = document["examples"][0]["command"].as_str().unwrap();
    assert!(
        command.starts_with("harness run ") && command.contains(" incident.create "),
        "{command}"
    );
}

#[test]
fn an_examples_command_runs_as_it_is_printed() {
    let world = World::connected();
    let args = ["inspect", world.plugin(), "service.list", "--format", "json"];
    let document = world.harness(&args).expect(0).json();
    for example in document["examples"].as_array().unwrap() {
        let parameters = example["parameters"].to_string();
        world
            .run(&[
                "service.list",
                "--parameters",
                &parameters,
                "--credential",
                "work",
                "--dry-run",
            ])
            .expect(0);
    }
}

#[test]
fn triggers_are_listed() {
    let world = World::with(component_build::guest("trigger-node"));
    world.harness(&["inspect", world.plugin()]).expect(0).shows("Triggers");
    let document = world.harness(&["inspect", world.plugin(), "--format", "json"]).expect(0).json();
    assert!(!document["triggers"].as_array().unwrap().is_empty(), "{document}");
}

#[test]
fn an_unknown_action_is_bad_input_and_the_known_ones_are_named() {
    let world = World::new();
    let output = world.harness(&["inspect", world.plugin(), "incident.creat"]).expect(2);
    output.says("there is no action `incident.creat`").says("incident.create");
    let args = ["inspect", world.plugin(), "incident.creat", "--format", "json"];
    assert_eq!(world.harness(&args).expect(2).failure()["name"], "unknown");
}

#[test]
fn a_file_that_is_not_there_is_bad_input() {
    let world = World::new();
    world.harness(&["inspect", "nowhere.wasm"]).expect(2).says("nowhere.wasm").says("next:");
}

#[test]
fn a_file_that_is_no_component_is_refused() {
    let world = World::new();
    let empty = world.file("empty.wasm", "");
    let text = world.file("text.wasm", "(module)");
    let path = world.path("module.wasm");
    std::fs::write(&path, b"\0asm\x01\0\0\0").unwrap();
    world.harness(&["inspect", &empty]).expect(4).says("empty");
    world.harness(&["inspect", &text]).expect(4).says("no WebAssembly");
    world.harness(&["inspect", path.to_str().unwrap()]).expect(4).says("core module");
    let output = world.harness(&["inspect", &text, "--format", "json"]).expect(4);
    assert_eq!(output.failure()["name"], "plugin-refused");
}
