//! No credential stands anywhere but in the sealed store: not in what is printed, traced, logged or
//! kept.

use std::path::Path;

use pagerduty_simulator::{Fault, FaultAction};
use serde_json::json;

use crate::support::World;

/// All files below a directory that hold one of these texts.
fn files_with(directory: &Path, secrets: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, secrets));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let holds = |secret: &&&str| bytes.windows(secret.len()).any(|at| at == secret.as_bytes());
        found.extend(secrets.iter().find(holds).map(|_| path.display().to_string()));
    }
    found
}

#[test]
fn no_secret_is_printed_traced_logged_or_stored_in_clear() {
    let world = World::connected();
    let token = world.simulator.us().keys().account;
    let key = "5a".repeat(32);
    let trace = world.path("run.har");
    let incident = json!({ "service_id": world.service().id, "title": "Disk full" }).to_string();
    let trace = trace.to_str().unwrap();
    let runs: &[&[&str]] = &[
        &["service.list", "--format", "json"],
        &["service.list", "--format", "jsonl"],
        &["service.list", "--format", "text"],
        &["incident.create", "--parameters", &incident],
        &["incident.create", "--parameters", &incident, "--dry-run"],
        &["incident.create", "--parameters", "{\"service_id\":\"PNO\",\"title\":\"x\"}"],
    ];
    for args in runs {
        // The service gives back what it got, in many encodings.
        world.simulator.fault(Fault::new(FaultAction::EchoRequest).path("/services"));
        let args = [args, &["--credential", "work", "--trace", trace, "-vvv"][..]].concat();
        let running = world.run(&args).start();
        let output = running.child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains(&token), "{args:?}\n{said}");
        assert!(!said.contains(&key), "{args:?}\n{said}");
        assert_eq!(files_with(world.directory(), &[&token]), Vec::<String>::new(), "{args:?}");
    }
    let holders = files_with(world.directory(), &[&key]);
    assert_eq!(holders, [world.path("key").display().to_string()]);
    world.harness(&["credential", "show", "work", "--format", "json"]).expect(0);
    world.sends(&["credential", "test", "work", "--plugin", world.plugin(), "-vvv"]).expect(0);
    assert!(files_with(world.directory(), &[&token]).is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn no_secret_stands_among_the_arguments_or_variables_of_the_process() {
    let world = World::connected();
    let token = world.simulator.us().keys().account;
    world.simulator.fault(Fault::delay(std::time::Duration::from_secs(3600)).always());
    let mut running = world.run(&["service.list", "--credential", "work"]).start();
    while world.simulator.requests().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{file}", running.child.id())).unwrap();
        assert!(!bytes.windows(token.len()).any(|at| at == token.as_bytes()), "{file}");
    }
    running.child.kill().unwrap();
    running.child.wait().unwrap();
}

#[test]
fn the_store_and_its_directory_are_for_the_owner() {
    let world = World::connected();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode =
            std::fs::metadata(world.path("data/credentials.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    assert!(world.path("data/credentials.db").exists());
}
