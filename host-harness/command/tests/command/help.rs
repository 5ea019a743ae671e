use crate::support::World;

#[test]
fn every_command_has_help() {
    let world = World::new();
    let commands: &[&[&str]] = &[
        &[],
        &["inspect"],
        &["docs"],
        &["approve"],
        &["run"],
        &["options"],
        &["credential"],
        &["credential", "connect"],
        &["credential", "add"],
        &["credential", "reconnect"],
        &["credential", "extend"],
        &["credential", "list"],
        &["credential", "show"],
        &["credential", "test"],
        &["credential", "describe"],
        &["credential", "share"],
        &["credential", "unshare"],
        &["credential", "allow-actions"],
        &["credential", "disconnect"],
        &["credential", "remove"],
        &["credential", "export"],
        &["credential", "import"],
        &["credential", "key-file"],
        &["credential", "rotate-key"],
        &["trigger"],
        &["trigger", "listen"],
        &["trigger", "list"],
        &["trigger", "check"],
        &["trigger", "stop"],
        &["webhook"],
        &["webhook", "send"],
        &["serve"],
        &["mcp"],
        &["token"],
        &["token", "create"],
        &["token", "page"],
        &["token", "list"],
        &["token", "revoke"],
        &["secret"],
        &["secret", "set"],
        &["secret", "list"],
        &["secret", "remove"],
        &["config"],
        &["config", "diff"],
        &["data"],
        &["data", "purge"],
        &["data", "audit"],
        &["data", "backup"],
        &["data", "restore"],
        &["completions"],
    ];
    for command in commands {
        let output = world.harness(&[command, &["--help"][..]].concat()).expect(0);
        output.shows("Usage: harness");
        assert!(output.stderr.is_empty(), "{output}");
    }
}

#[test]
fn commands_that_take_several_arguments_give_examples() {
    let world = World::new();
    for command in [
        &["run"][..],
        &["inspect"],
        &["docs"],
        &["approve"],
        &["options"],
        &["credential", "add"],
        &["trigger", "listen"],
        &["webhook", "send"],
        &["serve"],
        &["token", "create"],
        &["token", "page"],
        &["secret", "set"],
        &["config", "diff"],
        &["data", "purge"],
        &["data", "backup"],
        &["data", "restore"],
    ] {
        let output = world.harness(&[command, &["--help"][..]].concat()).expect(0);
        let examples = output.stdout.split_once("Example").map(|(_, rest)| rest).unwrap_or("");
        assert!(examples.contains(&format!("harness {}", command.join(" "))), "{output}");
    }
}

#[test]
fn the_help_names_the_exit_codes() {
    World::new().harness(&["--help"]).expect(0).shows("a credential is missing or unusable");
}

#[test]
fn the_command_prints_its_version() {
    World::new().harness(&["--version"]).expect(0).shows(env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_command_line_that_cannot_be_read_is_bad_input() {
    let world = World::new();
    world.harness(&["rum"]).expect(2).says("run");
    world.harness(&["run"]).expect(2).says("Usage: harness run");
    world.harness(&[]).expect(2).says("Usage: harness");
}

#[test]
fn with_json_even_usage_errors_are_json() {
    let world = World::new();
    for format in [&["--format", "json"][..], &["--format=jsonl"]] {
        let output = world.harness(&[&["run", "--conncet-to", "x"][..], format].concat()).expect(2);
        assert_eq!(output.failure()["name"], "usage");
    }
}

#[test]
fn completions_are_made_for_the_common_shells() {
    let world = World::new();
    for (shell, sign) in
        [("bash", "_harness()"), ("zsh", "#compdef harness"), ("fish", "complete -c harness")]
    {
        world.harness(&["completions", shell]).expect(0).shows(sign).shows("credential");
    }
    world.harness(&["completions", "cobol"]).expect(2).says("possible values");
}

#[tokio::test]
async fn a_program_can_call_the_command_without_starting_a_process() {
    let args = ["harness", "rum"];
    assert_eq!(harness::run(args.map(Into::into), None).await, 2);
}
