//! Keys of the store, and sealed files.

use crate::support::{World, make_private};

#[test]
fn another_key_opens_the_store_and_the_old_one_does_not() {
    let world = World::connected();
    let new = world.path("new.key");
    let new = new.to_str().unwrap();
    let output = world.harness(&["credential", "rotate-key", "--to-key-file", new]).expect(0);
    output.shows("only the key file");
    world.harness(&["credential", "show", "work"]).expect(3).says("the key does not match");
    world.harness(&["credential", "show", "work", "--key-file", new]).expect(0);
    world.run(&["service.list", "--credential", "work", "--key-file", new]).expect(0);
    world.harness(&["credential", "rotate-key"]).expect(2).says("--to-key-file");
}

#[test]
fn credentials_go_to_another_machine_in_a_sealed_file() {
    let world = World::connected();
    let passphrase = world.file("passphrase", "correct horse battery\n");
    make_private(&world.path("passphrase"));
    let sealed = world.path("work.sealed");
    let sealed = sealed.to_str().unwrap();
    let seal = ["--passphrase-file", &passphrase];
    let export = [&["credential", "export", "work", "--to", sealed][..], &seal].concat();
    world.harness(&export).expect(0).shows("Exported 1 credential to");
    world.harness(&export).expect(2).says("Cannot write");
    let token = world.simulator.us().keys().account;
    let text = std::fs::read_to_string(sealed).unwrap();
    assert!(!text.contains(&token) && !text.contains("pagerduty"));
    let import = [&["credential", "import", sealed, "--data-dir", "elsewhere"][..], &seal].concat();
    world.harness(&import).expect(0).shows("Stored 1 credential: work");
    world.harness(&import).expect(0).shows("name is already in use: work");
    let run = ["service.list", "--credential", "work", "--data-dir", "elsewhere", "--approvals"];
    let approvals = world.path("data/approvals.json");
    world.run(&[&run[..], &[approvals.to_str().unwrap()]].concat()).expect(0);
    let wrong = world.file("wrong", "incorrect horse battery\n");
    let import = ["credential", "import", sealed, "--passphrase-file", &wrong];
    world.harness(&import).expect(2).says("the key or passphrase does not match");
    world.harness(&["credential", "import", sealed]).expect(2).says("--passphrase-file");
}

#[test]
fn a_keyring_that_is_not_there_is_said_and_nothing_is_kept_in_clear() {
    let world = World::approved();
    let args = [
        "credential",
        "add",
        "work",
        "--plugin",
        world.plugin(),
        "--type",
        "api-token",
        "--secret",
        "api_token=-",
        "--keyring",
    ];
    // No session bus, so no keyring, wherever this runs.
    let output = world
        .harness(&args)
        .without_env("WORKFLOW_NODE_KEY_FILE")
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/at/all")
        .stdin("y_sesame-open-1234");
    if cfg!(target_os = "linux") {
        let output = output.expect(3);
        output
            .says("Cannot use the operating system's keyring")
            .says("harness credential key-file");
        assert!(!world.path("data/credentials.db").exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_keyring_of_a_desktop_holds_the_key() {
    use std::io::Write as _;
    use std::process::Command;

    let world = World::approved();
    let there = |name: &str| Command::new(name).arg("--version").output().is_ok();
    if !there("dbus-run-session") || !there("gnome-keyring-daemon") {
        // Past the test runner, which shows nothing of tests that pass.
        let text = "NOT RUN: no keyring was tried, because dbus-run-session and \
                    gnome-keyring-daemon are not there.";
        writeln!(std::io::stderr(), "{text}").unwrap();
        return;
    }
    let harness = format!("'{}'", env!("CARGO_BIN_EXE_harness"));
    let plugin = world.plugin();
    let script = format!(
        "set -e\n\
         printf test | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1\n\
         printf y_sesame-open-1234 | {harness} credential add work --plugin '{plugin}' \
         --type api-token --secret api_token=- --keyring\n\
         {harness} credential show work\n\
         {harness} credential rotate-key --to-keyring\n\
         {harness} credential show work\n\
         {harness} credential list\n"
    );
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", &script])
        .env("HOME", world.directory())
        .env("XDG_RUNTIME_DIR", world.directory())
        .env("WORKFLOW_NODE_DATA", world.path("data"))
        .env_remove("WORKFLOW_NODE_KEY")
        .env_remove("WORKFLOW_NODE_KEY_FILE")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("sealed; never shown").count(), 3, "{said}");
    // Outside of that session the key is nowhere.
    let outside = world.harness(&["credential", "show", "work"]);
    let outside = outside.without_env("WORKFLOW_NODE_KEY_FILE");
    outside.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/at/all").expect(3).says("keyring");
}
