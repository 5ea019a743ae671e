//! No credential stands anywhere but in the sealed store: not in what is printed, traced, logged or
//! kept.

use std::path::Path;

use pagerduty_simulator::{Fault, FaultAction};
use serde_json::json;

use crate::browser::Waiting;
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

/// A secret as it may be written somewhere.
fn encodings(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let escapes = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let reversed = secret.chars().rev().collect();
    let mut all =
        vec![secret.to_owned(), hex.to_uppercase(), hex, percent, form, escapes, reversed];
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for before in ["", "x", "xx"] {
            let encoded = engine.encode(format!("{before}{secret}"));
            all.push(encoded[4..encoded.len() - 2].to_owned());
        }
    }
    all
}

/// Everything that an OAuth credential of this world holds or has sent.
fn secrets_of(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for request in world.simulator.token_requests() {
        for field in ["client_secret", "code", "code_verifier", "refresh_token"] {
            all.extend(request.field(field).map(str::to_owned));
        }
    }
    for request in world.simulator.requests() {
        let authorization = request.header("authorization").unwrap_or_default();
        all.extend(authorization.strip_prefix("Bearer ").map(str::to_owned));
        if request.path == "/oauth/revoke" {
            let form = url::form_urlencoded::parse(&request.body);
            all.extend(form.filter(|(name, _)| name == "token").map(|(_, one)| one.into_owned()));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(unix)]
#[test]
fn no_token_is_printed_traced_stored_or_passed_to_other_programs() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::approved();
    let identity = world.simulator.identity();
    let app = identity.classic_app();
    let client_secret = app.client_secret.clone().unwrap();
    // The program that opens pages, as this machine has one: it writes down all that it gets.
    let bin = world.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let told = world.path("told-to-the-browser");
    let script = format!("#!/bin/sh\n{{ echo \"$@\"; env; }} > '{}'\n", told.display());
    for name in ["xdg-open", "open", "wslview", "gio"] {
        std::fs::write(bin.join(name), &script).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let id = format!("client_id={}", app.client_id);
    let connect = [
        "credential",
        "connect",
        "work",
        "--plugin",
        world.plugin(),
        "--type",
        "oauth2",
        "--field",
        &id,
        "--access",
        "read-write",
        "--yes",
        "--format",
        "json",
        "-vvv",
    ];
    let harness = world
        .sends(&connect)
        .env("PATH", &path)
        .env("WORKFLOW_NODE_CLIENT_SECRET", &client_secret)
        .env("WORKFLOW_NODE_KEY", "5a".repeat(32));
    let waiting = Waiting::start(harness);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", waiting.id())).unwrap_or_default();
    let page = waiting.agreed(&world, 0);
    let connected = waiting.expect(0);
    let browser = std::fs::read_to_string(&told).expect("a browser was opened");
    assert!(browser.starts_with("https://identity.pagerduty.com/oauth/authorize?"), "{browser}");
    assert!(browser.contains("PATH="), "its variables are seen: {browser}");
    let key = "5a".repeat(32);
    assert!(!browser.contains(&key), "the key of the store is not the browser's");
    let mut said = vec![connected.stdout, connected.stderr, page, browser];
    said.push(String::from_utf8_lossy(&arguments).into_owned());
    let trace = world.path("run.har");
    let trace = trace.to_str().unwrap().to_owned();
    for (action, fault) in [
        ("service.list", None),
        ("service.list", Some(FaultAction::EchoRequest)),
        ("user.me", Some(FaultAction::EchoRequest)),
        ("incident.list", Some(FaultAction::Garbage)),
    ] {
        if let Some(fault) = fault {
            world.simulator.fault(Fault::new(fault).times(1));
        }
        let args = [action, "--credential", "work", "--trace", &trace, "-vvv", "--format", "json"];
        let output = world.run(&args).start().child.wait_with_output().unwrap();
        said.push(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned());
        said.push(std::fs::read_to_string(&trace).unwrap());
    }
    for command in [
        &["credential", "show", "work", "--format", "json"][..],
        &["credential", "list"],
        &["credential", "test", "work", "--plugin", world.plugin(), "-vvv"],
        &["credential", "disconnect", "work", "--plugin", world.plugin(), "--yes", "-vvv"],
    ] {
        let is_local = ["show", "list"].contains(&command[1]);
        let harness = if is_local { world.harness(command) } else { world.sends(command) };
        let output = harness.expect(0);
        said.extend([output.stdout, output.stderr]);
    }
    let secrets = secrets_of(&world);
    assert!(secrets.contains(&client_secret) && secrets.len() >= 5, "{}", secrets.len());
    let said = said.join("\n");
    for secret in &secrets {
        for encoding in encodings(secret) {
            assert!(!said.contains(&encoding), "{encoding} was told:\n{said}");
        }
        assert_eq!(files_with(world.directory(), &[secret]), Vec::<String>::new());
    }
    // The search does find what is there.
    for encoding in encodings(&client_secret) {
        let planted = world.file("planted", &format!("before {encoding} after"));
        assert_eq!(files_with(world.directory(), &[&encoding]), [planted]);
    }
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
