use serde_json::{Value, json};

use crate::support::{World, assert_text};

fn inspected(world: &World, name: &str) -> String {
    world.harness(&["inspect", world.plugin(), name]).expect(0).stdout
}

fn document(world: &World, names: &[&str]) -> Value {
    let args = [&["inspect", world.plugin()][..], names, &["--format", "json"]].concat();
    world.harness(&args).expect(0).json()
}

#[test]
fn a_plugin_is_shown_in_words() {
    // This one grows slower than the real one, which would change the snapshot with each action.
    let world = World::with(component_build::guest("hostile"));
    let output = world.harness(&["inspect", world.plugin()]).expect(0);
    assert_text!(world, output.stdout);
}

#[test]
fn categories_and_aliases_are_shown_and_the_markup_of_an_icon_is_not() {
    let world = World::new();
    let shown = world.harness(&["inspect", world.plugin()]).expect(0).stdout;
    for text in ["Categories", "incident-management", "Aliases", "incident response", "SVG, "] {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
    let document = document(&world, &[]);
    assert_eq!(document["categories"][0], "incident-management");
    assert_eq!(document["aliases"][0], "PD");
    assert_eq!(document["icon"]["media_type"], "image/svg+xml");
    assert!(document["icon"]["bytes"].as_u64().unwrap() > 100);
    assert!(!shown.contains("<svg") && !document.to_string().contains("<svg"));
}

#[test]
fn an_action_is_shown_in_full() {
    let world = World::new();
    assert_text!(world, inspected(&world, "incident_note.create"));
}

#[test]
fn a_resource_is_a_table_of_its_actions() {
    let world = World::new();
    assert_text!(world, inspected(&world, "incident_note"));
}

#[test]
fn a_trigger_is_shown_in_full_with_how_it_is_signed() {
    let world = World::new();
    assert_text!(world, inspected(&world, "incident.changed"));
    let webhook = inspected(&world, "event");
    for text in [
        "HMAC-SHA256 over the raw body, in hex, in the header X-PagerDuty-Signature",
        "the secret webhook-secret",
        "recognized by the header X-Webhook-Id",
        "Known values: incident.acknowledged, incident.annotated",
        "bodies above 2 MiB are rejected",
    ] {
        let words = webhook.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(text), "{text}\n{webhook}");
    }
}

#[test]
fn a_credential_type_is_shown_with_its_scopes_in_words() {
    let world = World::new();
    let shown = inspected(&world, "oauth2");
    for text in [
        "https://identity.pagerduty.com/oauth/revoke",
        "960 requests in 1 min",
        "client_secret: string, secret",
        "See who is on call.",
        "credential connect NAME --plugin",
    ] {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
}

#[test]
fn a_name_of_two_things_shows_both() {
    let world = World::new();
    let shown = inspected(&world, "event");
    assert!(shown.contains("event.trigger") && shown.contains("When an event occurs"), "{shown}");
    let document = document(&world, &["event"]);
    assert_eq!(document["actions"][0]["name"], "event.trigger");
    assert_eq!(document["trigger"]["delivery"]["kind"], "webhook");
}

#[test]
fn forms_are_shown_with_all_that_is_inside_of_them() {
    let world = World::new();
    let shown = inspected(&world, "service.create");
    for text in [
        "escalation_policy_id: string (ID, name, or address), required, has choices",
        "  support_hours: object",
        "      time_zone: string",
        "type: constant or use_support_hours, default \"constant\"",
        "harness options",
    ] {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
    let hooks = inspected(&world, "webhook_oauth_client.create");
    assert!(hooks.contains("client_secret: string, required, secret"), "{hooks}");
}

#[test]
fn a_member_states_when_it_may_be_given_as_on_the_reference_pages() {
    let world = World::new();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let out = world.path("reference");
    world.harness(&["docs", world.plugin(), "--out", out.to_str().unwrap()]).expect(0);
    for (action, page) in [
        ("user_contact_method.create", "user.md"),
        ("event_orchestration_cache_variable.create", "event_orchestration.md"),
    ] {
        let shown = words(&inspected(&world, action));
        let page = std::fs::read_to_string(out.join(page)).unwrap();
        let (_, page) = page.split_once(&format!("\n`{action}`\n")).expect(action);
        let page = page.split("\n## ").next().unwrap_or_default().replace('`', "");
        let conditions: Vec<&str> =
            page.split("Only if ").skip(1).filter_map(|rest| rest.split(" |").next()).collect();
        assert!(conditions.len() > 1, "{page}");
        for condition in conditions {
            assert!(shown.contains(&format!("Only if {condition}")), "{condition}\n{shown}");
        }
    }
}

#[test]
fn the_real_plugin_is_shown_with_all_that_it_can_do() {
    let world = World::new();
    let output = world.harness(&["inspect", world.plugin()]).expect(0);
    for text in ["https://events.eu.pagerduty.com", "routing_key (string, secret)"] {
        output.shows(text);
    }
    // Every operation is listed below its resource, after its prefix.
    let words: Vec<&str> = output.stdout.split(|c: char| c.is_whitespace() || c == ',').collect();
    let document = document(&world, &[]);
    let actions = document["actions"].as_array().unwrap();
    assert!(actions.len() > 400);
    for action in actions {
        let (prefix, operation) = action["name"].as_str().unwrap().rsplit_once('.').unwrap();
        let prefix = format!("{prefix}:");
        let mut after = words.iter().skip_while(|word| **word != prefix).skip(1);
        let until_next = after.by_ref().take_while(|word| !word.ends_with(':'));
        assert!(until_next.collect::<Vec<_>>().contains(&&operation), "{action}{output}");
    }
    // On few pages, however many actions there are.
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines.len() < 400, "{} lines", lines.len());
    let groups = lines.iter().skip_while(|line| !line.contains(" actions in "));
    let long = groups.take_while(|line| **line != "Triggers").find(|line| line.len() > 100);
    assert!(long.is_none(), "{long:?}");
}

#[test]
fn the_json_groups_the_actions_as_the_words_do() {
    let world = World::new();
    let whole = document(&world, &[]);
    let resources = whole["resources"].as_array().unwrap();
    assert!(resources.len() > 40);
    for resource in [&resources[0], &resources[8]] {
        let name = resource["name"].as_str().unwrap();
        let alone = document(&world, &[name]);
        assert_eq!(alone["title"], resource["title"]);
        let of_resource = |action: &&Value| action["resource"] == name;
        let named = |action: &Value| action["name"].clone();
        let expected: Vec<Value> =
            whole["actions"].as_array().unwrap().iter().filter(of_resource).map(named).collect();
        let actual: Vec<Value> = alone["actions"].as_array().unwrap().iter().map(named).collect();
        assert_eq!(actual, expected);
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

#[cfg(unix)]
#[test]
fn an_examples_command_runs_as_it_is_printed() {
    let world = World::with_examples();
    // The name in the commands.
    let key = world.simulator.us().keys().account;
    world.connect("NAME", &key);
    for name in ["incident_note", "on_call", "incident.create", "team_member", "tag"] {
        let shown = document(&world, &[name]);
        let actions = shown["actions"].as_array().cloned().unwrap_or_else(|| vec![shown]);
        for action in actions {
            let name = action["name"].as_str().unwrap();
            if action["effect"] == "delete" {
                continue;
            }
            let shown = inspected(&world, name);
            let commands: Vec<&str> = shown
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("harness run "))
                .collect();
            assert!(!commands.is_empty(), "{name} shows how it is run");
            for command in commands {
                world.pasted(command).start().expect(0);
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn the_command_that_lists_choices_runs_as_it_is_printed() {
    let world = World::with_examples();
    let key = world.simulator.us().keys().account;
    world.connect("NAME", &key);
    for name in ["incident.create", "event"] {
        let shown = inspected(&world, name);
        let command = shown.lines().find(|line| line.trim().starts_with("harness options "));
        world.pasted(command.unwrap()).start().expect(0).shows("VALUE");
    }
}

#[test]
fn triggers_are_listed() {
    let world = World::with(component_build::guest("trigger-node"));
    world.harness(&["inspect", world.plugin()]).expect(0).shows("Triggers");
    let document = document(&world, &[]);
    assert!(!document["triggers"].as_array().unwrap().is_empty(), "{document}");
}

#[test]
fn an_unknown_name_is_bad_input_and_near_ones_are_named() {
    let world = World::new();
    for (given, near) in [
        ("incident.creat", "incident.create"),
        ("overrides", "schedule_override.list"),
        ("create_note", "incident_note.create"),
        ("shedule", "schedule"),
        ("oauth", "oauth2"),
    ] {
        let output = world.harness(&["inspect", world.plugin(), given]).expect(2);
        output.says(&format!("is named `{given}`. Similar names:")).says(near).says("next:");
    }
    world.harness(&["inspect", world.plugin(), "weather"]).expect(2).says("next: harness inspect");
    let args = ["inspect", world.plugin(), "incident.creat", "--format", "json"];
    assert_eq!(world.harness(&args).expect(2).failure()["name"], "unknown");
}

#[test]
fn an_unknown_action_is_not_answered_with_all_that_there_are() {
    let world = World::approved();
    let output = world.run(&["incident.creat", "--credential", "work"]).expect(2);
    output.says("action `incident.creat` not found. Similar names: incident.create");
    assert!(output.stderr.len() < 600, "{output}");
}

#[test]
fn a_file_that_is_not_there_is_bad_input() {
    let world = World::new();
    world.harness(&["inspect", "nowhere.wasm"]).expect(2).says("nowhere.wasm").says("next:");
}

#[test]
fn a_file_that_is_not_a_component_is_refused() {
    let world = World::new();
    let empty = world.file("empty.wasm", "");
    let text = world.file("text.wasm", "(module)");
    let path = world.path("module.wasm");
    std::fs::write(&path, b"\0asm\x01\0\0\0").unwrap();
    world.harness(&["inspect", &empty]).expect(4).says("empty");
    world.harness(&["inspect", &text]).expect(4).says("not a WebAssembly component");
    world.harness(&["inspect", path.to_str().unwrap()]).expect(4).says("core module");
    let output = world.harness(&["inspect", &text, "--format", "json"]).expect(4);
    assert_eq!(output.failure()["name"], "plugin-refused");
}

#[test]
fn every_limit_is_shown_with_its_unit_its_default_and_its_reason() {
    let world = World::new();
    let text = world.harness(&["inspect", "--limits"]).expect(0).stdout;
    assert!(text.contains("requests: 10000 requests"), "{text}");
    let document = world.harness(&["inspect", "--limits", "--format", "json"]).expect(0).json();
    let groups = document["limits"].as_array().unwrap();
    assert_eq!(groups.len(), 6);
    for limit in groups.iter().flat_map(|group| group["limits"].as_array().unwrap()) {
        for member in ["name", "unit", "what", "reason"] {
            assert!(!limit[member].as_str().unwrap().is_empty(), "{limit}");
        }
        assert!(!limit["default"].as_array().unwrap().is_empty(), "{limit}");
        assert!(text.contains(limit["reason"].as_str().unwrap()), "{limit}");
    }
    world.harness(&["inspect", "--limits", world.plugin()]).expect(2);
}
