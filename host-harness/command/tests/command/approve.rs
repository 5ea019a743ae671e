use std::path::PathBuf;

use serde_json::Value;

use crate::support::{World, assert_text};

/// Another build of the same component: a section that changes nothing is added.
fn rebuilt(world: &World) -> PathBuf {
    let mut bytes = std::fs::read(world.plugin()).unwrap();
    bytes.extend([0, 6, 5]);
    bytes.extend(b"build");
    let path = world.path("rebuilt.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn approvals(world: &World) -> PathBuf {
    world.path("data/approvals.json")
}

/// Reduces the stored approval to less than the component requests.
fn narrow_the_approval(world: &World) {
    let text = std::fs::read_to_string(approvals(world)).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let grant = &mut file["approvals"][0]["grant"];
    grant["origins"].as_array_mut().unwrap().retain(|one| one != "https://events.pagerduty.com");
    grant["actions"]["create"].as_array_mut().unwrap().retain(|one| one != "incident.create");
    std::fs::write(approvals(world), file.to_string()).unwrap();
}

#[test]
fn without_a_terminal_nothing_is_approved_unasked() {
    let world = World::new();
    let output = world.harness(&["approve", world.plugin()]).expect(2);
    output.says("--yes").shows("Sends requests to");
    assert!(!approvals(&world).exists());
}

#[test]
fn requested_permissions_are_shown_in_words() {
    let world = World::with(component_build::guest("hostile"));
    let output = world.harness(&["approve", world.plugin(), "--yes"]).expect(0);
    assert_text!(world, output.stdout);
}

#[test]
fn many_actions_are_counted_by_what_they_do_and_named_when_asked() {
    let world = World::new();
    let counted = world.harness(&["approve", world.plugin()]).expect(2);
    counted.shows("by effect").shows("Incident notes").shows("approve").shows("--all");
    assert!(counted.stdout.lines().count() < 200, "{counted}");
    let named = world.harness(&["approve", world.plugin(), "--all"]).expect(2);
    let document = world.harness(&["inspect", world.plugin(), "--format", "json"]).expect(0).json();
    let actions = document["actions"].as_array().unwrap();
    for action in actions {
        named.shows(action["name"].as_str().unwrap());
    }
    // The last row counts all of them, effect by effect.
    let number = |effect: &str| {
        actions.iter().filter(|action| action["effect"] == effect).count().to_string()
    };
    let all = counted.stdout.lines().find(|line| line.trim().starts_with("All ")).unwrap();
    let counts: Vec<&str> = all.split_whitespace().skip(1).collect();
    let expected = ["read", "create", "update", "delete", "execute"].map(number);
    assert_eq!(counts, expected);
}

#[test]
fn many_new_actions_are_counted_and_new_addresses_are_named() {
    let world = World::approved();
    let text = std::fs::read_to_string(approvals(&world)).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let grant = &mut file["approvals"][0]["grant"];
    grant["origins"].as_array_mut().unwrap().retain(|one| one != "https://events.pagerduty.com");
    grant["actions"]["read"].as_array_mut().unwrap().truncate(3);
    std::fs::write(approvals(&world), file.to_string()).unwrap();
    let rebuilt = rebuilt(&world);
    let rebuilt = rebuilt.to_str().unwrap();
    let output = world.harness(&["approve", rebuilt]).expect(2);
    output.shows("+ requests to https://events.pagerduty.com").shows("new actions. To list them:");
    assert!(!output.stdout.contains("+ the action"), "{output}");
    world.harness(&["approve", rebuilt, "--all"]).expect(2).shows("+ the action user.list");
    let refused = world.sends(&["run", rebuilt, "service.list"]).expect(4);
    refused.says("requests new permissions").says("more");
    assert!(refused.stderr.len() < 1_500, "{refused}");
}

#[test]
fn approving_twice_says_so() {
    let world = World::approved();
    world.harness(&["approve", world.plugin(), "--yes"]).expect(0).shows("Already approved");
    // Nobody needs to be asked again.
    world.harness(&["approve", world.plugin()]).expect(0);
}

#[test]
fn the_json_has_the_grant() {
    let world = World::new();
    let args = ["approve", world.plugin(), "--yes", "--format", "json"];
    let document = world.harness(&args).expect(0).json();
    assert_eq!(document["approved"], true);
    assert_eq!(document["already"], false);
    assert_eq!(document["grant"]["node"], "pagerduty");
    assert_eq!(world.harness(&args).expect(0).json()["already"], true);
}

#[test]
fn nothing_runs_before_it_is_approved() {
    let world = World::new();
    let output = world.run(&["service.list", "--credential", "work"]).expect(4);
    output.says("not approved").says(&format!("next: harness approve {}", world.plugin()));
    let output = world.run(&["service.list", "--format", "json"]).expect(4);
    assert_eq!(output.failure()["name"], "not-approved");
    world.sends(&["options", world.plugin(), "incident.create", "service_id"]).expect(4);
    world
        .sends(&["credential", "test", "work", "--plugin", world.plugin()])
        .expect(4)
        .says("harness approve");
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn a_rebuild_asks_again_and_shows_that_nothing_more_is_asked_for() {
    let world = World::connected();
    let rebuilt = rebuilt(&world);
    let rebuilt = rebuilt.to_str().unwrap();
    world
        .sends(&["run", rebuilt, "service.list", "--credential", "work"])
        .expect(4)
        .says("changed");
    world.harness(&["approve", rebuilt, "--yes"]).expect(0).shows("requests no new permissions");
    world.sends(&["run", rebuilt, "service.list", "--credential", "work"]).expect(0);
}

#[test]
fn a_component_that_asks_for_more_shows_what() {
    let world = World::approved();
    narrow_the_approval(&world);
    let rebuilt = rebuilt(&world);
    let output = world.harness(&["approve", rebuilt.to_str().unwrap()]).expect(2);
    output
        .shows("This build requests new permissions:")
        .shows("+ requests to https://events.pagerduty.com")
        .shows("+ the action incident.create (effect: create)");
}

#[test]
fn an_approval_that_was_cut_down_grants_no_more_than_it_says() {
    let world = World::connected();
    narrow_the_approval(&world);
    world.run(&["service.list", "--credential", "work"]).expect(4).says("requests new permissions");
}

#[test]
fn approvals_can_be_checked_in() {
    let world = World::new();
    let file = world.path("ci/approvals.json");
    let file = file.to_str().unwrap();
    world.harness(&["approve", world.plugin(), "--yes", "--approvals", file]).expect(0);
    assert!(!approvals(&world).exists());
    let inspect = ["inspect", world.plugin(), "--format", "json"];
    assert_eq!(world.harness(&inspect).expect(0).json()["approved"], false);
    let checked_in = world.harness(&inspect).env("WORKFLOW_NODE_APPROVALS", file).expect(0);
    assert_eq!(checked_in.json()["approved"], true);
}

#[test]
fn damaged_approvals_approve_nothing() {
    let world = World::connected();
    std::fs::write(approvals(&world), "{").unwrap();
    world.run(&["service.list", "--credential", "work"]).expect(2).says("approvals");
    world.harness(&["approve", world.plugin(), "--yes"]).expect(2);
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn development_mode_approves_a_rebuild_that_asks_for_nothing_new_and_says_so() {
    let world = World::connected();
    let rebuilt = rebuilt(&world);
    let run = ["run", rebuilt.to_str().unwrap(), "service.list", "--credential", "work"];
    world.sends(&[&run[..], &["--development"]].concat()).expect(0).says("Development mode");
}

#[test]
fn development_mode_refuses_a_rebuild_that_asks_for_more() {
    let world = World::connected();
    narrow_the_approval(&world);
    let rebuilt = rebuilt(&world);
    let run = ["run", rebuilt.to_str().unwrap(), "service.list", "--credential", "work"];
    world
        .sends(&[&run[..], &["--development"]].concat())
        .expect(4)
        .says("requests new permissions");
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn withheld_permissions_are_recorded_shown_kept_and_named_in_refusals() {
    let world = World::with(component_build::guest("hostile"));
    let plugin = world.plugin();
    let withheld = ["--without-origin", "https://inside.example.com", "--without-scope", "read"];
    let output = world.harness(&[&["approve", plugin, "--yes"], &withheld[..]].concat()).expect(0);
    output.shows("Withheld").shows("requests to https://inside.example.com");
    output.shows("the scope read of account");
    let file: Value =
        serde_json::from_str(&std::fs::read_to_string(approvals(&world)).unwrap()).unwrap();
    let recorded = &file["approvals"][0]["withheld"];
    assert_eq!(recorded["origins"][0], "https://inside.example.com");
    assert_eq!(recorded["scopes"]["account"][0], "read");
    let shown = world.harness(&["inspect", plugin]).expect(0);
    shown.shows("yes, except requests to https://inside.example.com");
    let document = world.harness(&["inspect", plugin, "--format", "json"]).expect(0).json();
    assert_eq!(&document["withheld"], recorded);

    // Another approval withholds more, and grants nothing of what was withheld.
    let more = ["approve", plugin, "--yes", "--without-effect", "execute"];
    world.harness(&more).expect(0).shows("actions that execute").shows("inside.example.com");
    world.harness(&["approve", plugin]).expect(0).shows("Already approved");
    let run = world.harness(&["run", plugin, "hostile.request"]).expect(4);
    run.says("has withheld").says("--without-effect execute").says("--in-full");
    // A later build keeps what was withheld.
    let rebuilt = rebuilt(&world);
    let rebuilt = rebuilt.to_str().unwrap();
    world.harness(&["approve", rebuilt, "--yes"]).expect(0).shows("actions that execute");
    world.harness(&["run", rebuilt, "hostile.request"]).expect(4).says("--without-effect execute");
    // All of it, when somebody says so.
    let full = world.harness(&["approve", rebuilt, "--yes", "--in-full"]).expect(0);
    assert!(!full.stdout.contains("Withheld"), "{full}");
    world
        .harness(&["run", rebuilt, "hostile.misbehave", "--parameters", r#"{"case":"chance"}"#])
        .expect(0);
}

/// The hostile plugin in a file, as a build in which the action `hostile.misbehave` has version 2.
fn second_build(world: &World) -> String {
    let mut component = std::fs::read(component_build::guest("hostile")).unwrap();
    let name = br#""name":"hostile.misbehave","version":"#;
    let at = component.windows(name.len()).position(|text| text == name).unwrap() + name.len();
    component[at] = b'2';
    let file = world.path("second.wasm");
    std::fs::write(&file, component).unwrap();
    file.display().to_string()
}

#[test]
fn upgrading_and_rolling_back_are_one_command_each_and_both_builds_stay_installed() {
    let world = World::with(component_build::guest("hostile"));
    let second = second_build(&world);
    let parameters = r#"{"case":"wait-for-nothing"}"#;
    let run = |plugin: &str, version: &str| {
        let args = ["run", plugin, "hostile.misbehave", "--parameters", parameters];
        world.harness(&[&args[..], &["--action-version", version]].concat())
    };
    world.harness(&["plugin", "rollback", "hostile"]).expect(2).says("is not installed");
    world
        .harness(&["plugin", "upgrade", world.plugin(), "--yes"])
        .expect(0)
        .shows("is now sha256:");
    run("hostile", "1").expect(0);
    world.harness(&["plugin", "rollback", "hostile"]).expect(2).says("harness plugin list");
    let upgraded = world
        .harness(&["plugin", "upgrade", &second, "--yes", "--format", "json"])
        .expect(0)
        .json();
    let first = upgraded["was"].as_str().unwrap().to_owned();
    run("hostile", "2").expect(0);
    run("hostile", "1")
        .expect(2)
        .says("built with version 1 of the action `hostile.misbehave`")
        .says("has version 2");
    // The first build is there, beside it.
    run(&format!("hostile@{first}"), "1").expect(0);
    world.harness(&["plugin", "rollback", "hostile"]).expect(0).shows(&format!("is now {first}"));
    run("hostile", "1").expect(0);
    let listed = world.harness(&["plugin", "list", "--format", "json"]).expect(0).json();
    assert_eq!(listed["hostile"]["current"], first.as_str());
    assert_eq!(listed["hostile"]["builds"].as_array().unwrap().len(), 2);
    // Forward again, by its digest.
    let current = upgraded["current"].as_str().unwrap();
    world.harness(&["plugin", "rollback", "hostile", "--to", current]).expect(0);
    run("hostile", "2").expect(0);
}

#[test]
fn a_slip_of_the_pen_withholds_nothing_and_approves_nothing() {
    let world = World::with(component_build::guest("hostile"));
    for (option, value) in [
        ("--without-origin", "https://insid.example.com"),
        ("--without-scope", "raed"),
        ("--without-scope", "acount:read"),
        ("--without-action", "hostile.reqest"),
        ("--without-effect", "exceute"),
    ] {
        world.harness(&["approve", world.plugin(), "--yes", option, value]).expect(2);
        assert!(!approvals(&world).exists(), "{option} {value}");
    }
}

#[test]
fn a_plugin_is_disabled_by_name_or_digest_until_it_is_enabled() {
    let world = World::with(component_build::guest("hostile"));
    let plugin = world.plugin();
    world.harness(&["plugin", "disable", "hostile"]).expect(2).says("never approved");
    world.harness(&["approve", plugin, "--yes"]).expect(0);
    let file: Value =
        serde_json::from_str(&std::fs::read_to_string(approvals(&world)).unwrap()).unwrap();
    let digest = file["approvals"][0]["digest"].as_str().unwrap().to_owned();
    let parameters = r#"{"case":"chance"}"#;
    let run = ["run", plugin, "hostile.misbehave", "--parameters", parameters];
    for name in ["hostile", digest.as_str()] {
        world.harness(&run).expect(0);
        world.harness(&["plugin", "disable", name]).expect(0).shows("Disabled");
        world.harness(&run).expect(4).says(&format!("harness plugin enable {name}"));
        world.harness(&["inspect", plugin]).expect(0).shows("disabled by an operator");
        world.harness(&["approve", plugin, "--yes"]).expect(4).says("disabled");
        world.harness(&["plugin", "enable", name]).expect(0).shows("Enabled");
    }
    world.harness(&["plugin", "enable", "hostile"]).expect(0).shows("No plugin was disabled");
    world.harness(&run).expect(0);
}

#[test]
fn the_origin_of_a_server_is_chosen_with_the_approval_and_kept_for_later_builds() {
    let world = World::with(component_build::guest("service-node"));
    let plugin = world.plugin();
    let output = world.harness(&["approve", plugin, "--yes"]).expect(0);
    output.shows("{own} is a server that you choose within https://*:*");
    let text = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("own: not chosen") && text.contains("--server own=https://HOST"),
        "{text}"
    );
    world.harness(&["inspect", plugin]).expect(0).shows("none chosen");

    let choice = ["approve", plugin, "--yes", "--server", "own=https://git.corp.test/"];
    world.harness(&choice).expect(0).shows("own: https://git.corp.test");
    let file: Value =
        serde_json::from_str(&std::fs::read_to_string(approvals(&world)).unwrap()).unwrap();
    let approvals = file["approvals"].as_array().unwrap();
    let recorded = &approvals[approvals.len() - 1]["servers"];
    assert_eq!(recorded["own"][0]["origin"], "https://git.corp.test");
    world.harness(&["inspect", plugin]).expect(0).shows("https://git.corp.test");
    let document = world.harness(&["inspect", plugin, "--format", "json"]).expect(0).json();
    assert_eq!(&document["chosen_servers"], recorded);
    world.harness(&choice).expect(0).shows("Already approved");

    // A later build keeps the choice; another choice takes its place.
    let rebuilt = rebuilt(&world);
    let rebuilt = rebuilt.to_str().unwrap();
    world.harness(&["approve", rebuilt, "--yes"]).expect(0).shows("own: https://git.corp.test");
    let private = ["approve", rebuilt, "--yes", "--private-server", "own=https://10.0.0.1:8443"];
    let output = world.harness(&private).expect(0);
    output.shows("own: https://10.0.0.1:8443, also at private addresses");
    assert!(!output.stdout.contains("own: https://git.corp.test"), "{output}");
}

#[test]
fn an_origin_that_a_server_cannot_have_approves_nothing() {
    let world = World::with(component_build::guest("service-node"));
    for (option, choice, says) in [
        ("--server", "own=http://git.corp.test", "must be within https://*:*"),
        ("--server", "own=https://10.0.0.1", "--private-server own=https://10.0.0.1"),
        ("--private-server", "own=https://127.0.0.1", "a loopback address"),
        ("--server", "own=https://git.corp.test.", "ends with a dot"),
        ("--server", "other=https://git.corp.test", "no server `other`"),
        ("--server", "own=https://a@git.corp.test", "more than a scheme, a host, and a port"),
        ("--server", "https://git.corp.test", "NAME=ORIGIN"),
    ] {
        let args = ["approve", world.plugin(), "--yes", option, choice];
        world.harness(&args).expect(2).says(says);
    }
    assert!(!approvals(&world).exists());
}
