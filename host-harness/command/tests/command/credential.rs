use serde_json::json;

use crate::support::{World, assert_text, make_private};

const TOKEN: &str = "y_sesame-open-1234";

fn add<'a>(world: &'a World, name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args =
        vec!["credential", "add", name, "--plugin", world.plugin(), "--type", "api-token"];
    args.extend(more);
    args
}

#[test]
fn a_secret_is_read_from_standard_input_without_its_line_end() {
    let world = World::approved();
    let key = world.simulator.us().keys().account;
    let run = world.harness(&add(&world, "work", &["--secret", "api_token=-"]));
    run.stdin(&format!("{key}\n")).expect(0).says("harness credential test work");
    world.run(&["service.list", "--credential", "work"]).expect(0);
}

#[test]
fn a_secret_is_read_from_a_file() {
    let world = World::approved();
    let key = world.simulator.us().keys().account;
    let file = world.file("token.txt", &format!("{key}\r\n"));
    make_private(&world.path("token.txt"));
    let secret = format!("api_token=@{file}");
    world.harness(&add(&world, "work", &["--secret", &secret])).expect(0);
    world.run(&["service.list", "--credential", "work"]).expect(0);
    world
        .harness(&add(&world, "other", &["--secret", "api_token=@nowhere"]))
        .expect(2)
        .says("nowhere");
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let world = World::approved();
    let secret = format!("api_token={TOKEN}");
    for args in [
        &["--secret", &secret][..],
        &["--field", &secret],
        &["--secret", TOKEN, "--secret", &secret],
    ] {
        let output = world.harness(&add(&world, "work", args)).expect(2);
        output.says("Treat it as leaked").says("--secret api_token=-");
        assert!(!format!("{}{}", output.stdout, output.stderr).contains(TOKEN), "{output}");
    }
    assert!(!world.path("data/credentials.db").exists());
}

#[test]
fn a_secret_that_is_missing_is_asked_for_only_on_a_terminal() {
    let world = World::approved();
    let output = world.harness(&add(&world, "work", &[])).expect(2);
    output.says("Secret `api_token` is missing").says("--secret api_token=-");
}

#[test]
fn standard_input_holds_one_secret() {
    let world = World::approved();
    let args = add(&world, "work", &["--secret", "a=-", "--secret", "b=-"]);
    world.harness(&args).expect(2).says("only one secret");
    let args = add(&world, "work", &["--secret", "a=-", "--secret", "a=-"]);
    world.harness(&args).expect(2).says("set twice");
    let args = add(&world, "work", &["--secret", "a=-"]);
    world.harness(&args).stdin(TOKEN).expect(2).says("use one of its secrets: api_token");
}

#[test]
fn the_form_is_checked_before_anything_is_stored() {
    let world = World::approved();
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--field", "region=mars"], TOKEN, "region"),
        (&["--field", "colour=red"], TOKEN, "use one of its fields: region, from_email"),
        (&["--field", "region"], TOKEN, "NAME=VALUE"),
        (&["--field", "region=us", "--field", "region=eu"], TOKEN, "set twice"),
        (&["--field", "from_email=nobody"], TOKEN, "from_email"),
        (&[], "short", "shorter than 8 bytes"),
        (&[], "two\nlines-of-text", "control character"),
        (&[], "", "api_token"),
    ];
    for (args, secret, text) in cases {
        let args = [&add(&world, "work", &["--secret", "api_token=-"])[..], args].concat();
        let output = world.harness(&args).stdin(secret).expect(2);
        output.says(text);
    }
    let args = add(&world, "no name", &["--secret", "api_token=-"]);
    world.harness(&args).stdin(TOKEN).expect(2).says("no name");
    world.harness(&["credential", "list", "--format", "json"]).expect(0).shows("[]");
}

#[test]
fn required_fields_take_their_default() {
    let world = World::connected();
    let shown = world.harness(&["credential", "show", "work", "--format", "json"]).expect(0).json();
    assert_eq!(shown["fields"]["region"], "us");
}

#[test]
fn a_type_that_does_not_exist_or_needs_oauth_is_bad_input() {
    let world = World::approved();
    let add = |kind: &str| {
        world
            .harness(&["credential", "add", "work", "--plugin", world.plugin(), "--type", kind])
            .expect(2)
    };
    add("api-tokn").says("Available: api-token");
    add("oauth2").says("harness credential connect work").says("--type oauth2");
    add("oauth2-app").says("OAuth 2.0 client credentials");
}

#[test]
fn nothing_is_connected_for_a_plugin_that_is_not_approved() {
    let world = World::new();
    let args = add(&world, "work", &["--secret", "api_token=-"]);
    world.harness(&args).stdin(TOKEN).expect(4).says("next: harness approve");
}

#[test]
fn a_name_is_taken_once() {
    let world = World::connected();
    let args = add(&world, "work", &["--secret", "api_token=-"]);
    world.harness(&args).stdin(TOKEN).expect(2).says("credential `work` already exists");
}

#[test]
fn credentials_are_listed_and_shown_without_secrets() {
    let world = World::connected();
    let list = world.harness(&["credential", "list"]).expect(0);
    let show = world.harness(&["credential", "show", "work"]).expect(0);
    assert_text!(world, format!("{}---\n{}", list.stdout, show.stdout));
    let list = world.harness(&["credential", "list", "--format", "json"]).expect(0).json();
    assert_eq!(list[0]["name"], "work");
    assert_eq!(list[0]["status"], "connected");
    world.harness(&["credential", "show", "play"]).expect(3).says("Available: work");
}

#[test]
fn an_empty_list_says_what_to_do() {
    let world = World::new();
    world.harness(&["credential", "list"]).expect(0).says("harness credential connect");
    // Nothing is made by looking.
    assert!(!world.path("data/credentials.db").exists());
}

#[test]
fn a_credential_is_tested_with_real_requests() {
    let world = World::connected();
    let test = ["credential", "test", "work", "--plugin", world.plugin()];
    world.sends(&test).expect(0).shows("Works").shows("PagerDuty US");
    assert!(!world.simulator.requests().is_empty());
    let document = world.sends(&[&test[..], &["--format", "json"]].concat()).expect(0).json();
    assert!(document["region"].as_str().unwrap().eq_ignore_ascii_case("us"), "{document}");
}

#[test]
fn a_credential_that_the_service_refuses_is_unusable() {
    let world = World::approved();
    world.connect("bad", TOKEN);
    let test = ["credential", "test", "bad", "--plugin", world.plugin(), "--format", "json"];
    let failure = world.sends(&test).expect(3).failure();
    assert_eq!(failure["cause"]["kind"], "unauthenticated");
    assert!(failure["message"].as_str().unwrap().contains("connect it with the region eu"));
    assert!(failure["next"].as_str().unwrap().starts_with("harness credential reconnect bad"));
    // It says so from now on, and is tried again all the same.
    world.harness(&["credential", "show", "bad"]).expect(0).shows("needs reconnect");
    world.sends(&["credential", "test", "play", "--plugin", world.plugin()]).expect(3);
}

#[test]
fn a_credential_is_removed_only_when_that_is_said() {
    let world = World::connected();
    world.harness(&["credential", "remove", "work"]).expect(2).says("--yes");
    world.harness(&["credential", "show", "work"]).expect(0);
    world.harness(&["credential", "remove", "work", "--yes"]).expect(0).shows("Removed work");
    world
        .harness(&["credential", "remove", "work", "--yes"])
        .expect(3)
        .says("credential `work` not found");
    world.run(&["service.list", "--credential", "work"]).expect(3);
}

#[test]
fn without_a_key_the_ways_to_give_one_are_named() {
    let world = World::approved();
    let args = add(&world, "work", &["--secret", "api_token=-"]);
    let run = world.harness(&args).without_env("WORKFLOW_NODE_KEY_FILE");
    let output = run.stdin(TOKEN).expect(3);
    output.says("--key-file").says("WORKFLOW_NODE_KEY").says("next: harness credential key-file");
    world.connect("work", TOKEN);
    let run = world.run(&["service.list", "--credential", "work", "--format", "json"]);
    let failure = run.without_env("WORKFLOW_NODE_KEY_FILE").expect(3).failure();
    assert_eq!(failure["name"], "no-key");
}

#[test]
fn the_key_can_be_in_a_variable() {
    let world = World::connected();
    let show =
        || world.harness(&["credential", "show", "work"]).without_env("WORKFLOW_NODE_KEY_FILE");
    show().env("WORKFLOW_NODE_KEY", "5a".repeat(32)).expect(0);
    show().env("WORKFLOW_NODE_KEY", "5b".repeat(32)).expect(3).says("the key does not match");
    let output = show().env("WORKFLOW_NODE_KEY", "no-key-at-all").expect(3);
    output.says("WORKFLOW_NODE_KEY does not contain a key");
    assert!(!output.stderr.contains("no-key-at-all"));
}

#[test]
fn a_key_file_is_made_once_and_for_its_owner() {
    let world = World::approved();
    let file = world.path("keys/new.key");
    let file = file.to_str().unwrap();
    world.harness(&["credential", "key-file", file]).expect(0).shows("WORKFLOW_NODE_KEY_FILE=");
    world.harness(&["credential", "key-file", file]).expect(2);
    let args = add(&world, "work", &["--secret", "api_token=-", "--key-file", file]);
    world.harness(&args).stdin(TOKEN).expect(0);
    world.harness(&["credential", "show", "work", "--key-file", file]).expect(0);
    world.harness(&["credential", "show", "work"]).expect(3).says("the key does not match");
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::connected();
    std::fs::set_permissions(world.path("key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    world.harness(&["credential", "show", "work"]).expect(3).says("chmod 600");
    let missing = world.harness(&["credential", "show", "work", "--key-file", "nowhere"]).expect(3);
    missing.says("next: harness credential key-file nowhere");
}

#[test]
fn the_added_credential_is_printed_in_json() {
    let world = World::approved();
    let args = add(&world, "work", &["--secret", "api_token=-", "--format", "json"]);
    let document = world.harness(&args).stdin(TOKEN).expect(0).json();
    assert_eq!(document["name"], "work");
    assert_eq!(document["configuration"]["audiences"], json!(["https://api.pagerduty.com"]));
    let removed = ["credential", "remove", "work", "--yes", "--format", "json"];
    assert_eq!(world.harness(&removed).expect(0).json(), json!({ "removed": "work" }));
}
