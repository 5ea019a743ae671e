//! Running the simulator as a command.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A command that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn started(arguments: &[&str]) -> (Running, BufReader<ChildStdout>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pagerduty-simulator"))
        .args(arguments)
        .arg("--ca-file")
        .arg(directory.path().join("ca.pem"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (Running(child), output, directory)
}

#[test]
fn the_command_prints_one_line_of_json_for_programs() {
    let (_running, mut output, directory) = started(&["--print-json", "--latency", "1ms"]);
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let printed: Value = serde_json::from_str(&line).unwrap();
    let ca = printed["ca_file"].as_str().unwrap();
    assert_eq!(ca, directory.path().join("ca.pem").to_str().unwrap());
    assert!(std::fs::read_to_string(ca).unwrap().contains("BEGIN CERTIFICATE"));
    assert_eq!(printed["connect_to"].as_array().unwrap().len(), 5);
    let address = printed["origins"]["rest_us"].as_str().unwrap();
    let address = address.strip_prefix("https://").unwrap();
    assert!(std::net::TcpStream::connect(address).is_ok());
    let apps = printed["apps"].as_array().unwrap();
    assert_eq!(apps.iter().filter(|app| app["client_secret"].is_null()).count(), 1);
    assert!(apps.iter().all(|app| app["client_id"].as_str().unwrap().len() == 36));
    for region in ["us", "eu"] {
        assert!(printed[region]["keys"]["account"].as_str().unwrap().len() >= 20);
        assert!(printed[region]["services"][0]["id"].is_string());
        assert!(printed[region].to_string().contains("PSERVICE000001"));
    }
}

#[test]
fn the_command_prints_commands_to_paste_for_people() {
    let (_running, output, _directory) = started(&[]);
    let lines: Vec<String> = output
        .lines()
        .map(Result::unwrap)
        .take_while(|line| !line.ends_with("Requests:"))
        .collect();
    let text = lines.join("\n");
    for expected in [
        "harness approve pagerduty.wasm",
        "--type api-token --field region=us --field from_email=ada@example.com",
        "harness run pagerduty.wasm service.list --credential pd --ca-file ",
        "--connect-to https://api.pagerduty.com=https://127.0.0.1:",
        "harness run pagerduty.wasm incident.create --parameters '{\"",
        "\"service_id\":\"P",
        "read-only key",
        "Scoped app (EU)",
        "http://127.0.0.1/callback",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
}

#[test]
fn the_command_omits_examples_on_request() {
    let (_running, mut output, _directory) = started(&["--print-json", "--examples=false"]);
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.contains("ada@example.com") && !line.contains("PSERVICE000001"), "{line}");
}

#[test]
fn the_command_prints_the_secrets_that_it_has_issued_when_asked() {
    let (mut running, mut output, _directory) = started(&["--print-json"]);
    let mut input = running.0.stdin.take().unwrap();
    let mut next = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };
    next();
    for _ in 0..2 {
        writeln!(input, "something else\nsecrets").unwrap();
        // Those of its examples.
        let issued = next();
        let all = issued.as_array().unwrap();
        assert!(
            !all.is_empty() && all.iter().all(|one| one["kind"] == "webhook secret"),
            "{issued}"
        );
    }
    // It goes on without the input.
    drop(input);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(running.0.try_wait().unwrap().is_none());
}
