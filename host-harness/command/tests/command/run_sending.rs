use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use pagerduty_simulator::Fault;
use serde_json::{Value, json};

use crate::support::{World, assert_text, assert_valid};

fn incident(world: &World) -> String {
    json!({ "service_id": world.service().id, "title": "Disk full" }).to_string()
}

#[test]
fn the_same_execution_id_opens_one_incident() {
    let world = World::connected();
    let before = world.simulator.us().incident_count();
    let parameters = incident(&world);
    let run = |id: &str| {
        let args = [
            "incident.create",
            "--credential",
            "work",
            "--parameters",
            &parameters,
            "--execution-id",
            id,
            "--format",
            "json",
        ];
        world.run(&args).expect(0).json()[0]["output"][0]["id"].clone()
    };
    let first = run("night-shift-7");
    assert_eq!(run("night-shift-7"), first);
    assert_eq!(world.simulator.us().incident_count(), before + 1);
    assert_ne!(run("night-shift-8"), first);
}

#[test]
fn without_an_execution_id_each_run_is_a_new_one() {
    let world = World::connected();
    let before = world.simulator.us().incident_count();
    let parameters = incident(&world);
    for _ in 0..2 {
        world
            .run(&["incident.create", "--credential", "work", "--parameters", &parameters])
            .expect(0);
    }
    assert_eq!(world.simulator.us().incident_count(), before + 2);
}

#[test]
fn a_dry_run_shows_every_request_and_sends_none() {
    let world = World::connected();
    let parameters = incident(&world);
    let args = [
        "incident.create",
        "--credential",
        "work",
        "--parameters",
        &parameters,
        "--dry-run",
        "--execution-id",
        "7",
    ];
    let output = world.run(&args).expect(0);
    assert_text!(world, format!("{}--- standard error\n{}", output.stdout, output.stderr));
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn a_dry_run_in_json_names_the_credential_where_the_secret_would_be() {
    let world = World::connected();
    let key = world.simulator.us().keys().routing;
    let plugin = world.plugin();
    world
        .harness(&[
            "credential",
            "add",
            "events",
            "--plugin",
            plugin,
            "--type",
            "events-integration",
            "--secret",
            "routing_key=-",
        ])
        .stdin(&key)
        .expect(0);
    let event = r#"{"summary":"Disk full","source":"db-1","severity":"error"}"#;
    let args = [
        "event.trigger",
        "--credential",
        "events",
        "--items",
        "-",
        "--dry-run",
        "--format",
        "json",
    ];
    let output = world.run(&args).stdin(&format!("{event}\n{event}")).expect(0);
    let document = output.json();
    assert_valid(Some("dry_run"), &document);
    assert_eq!(document.as_array().unwrap().len(), 2);
    let request = &document[1]["requests"][0];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["url"], "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(request["body"]["routing_key"], "[credential events]");
    assert_eq!(request["credential"], json!({ "slot": "events", "name": "events" }));
    assert!(!output.stdout.contains(&key));
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn a_dry_run_shows_what_the_run_then_sends() {
    let world = World::connected();
    let parameters = incident(&world);
    let args = [
        "incident.create",
        "--credential",
        "work",
        "--parameters",
        &parameters,
        "--items",
        "-",
        "--execution-id",
        "7",
        "--format",
        "json",
        "--concurrency",
        "1",
        "--continue-on-fail",
    ];
    let items = r#"[{"title":"one"},{"title":2},{"title":"three"}]"#;
    let dry = world.run(&[&args[..], &["--dry-run"]].concat()).stdin(items).expect(1).json();
    assert_valid(Some("dry_run"), &dry);
    world.run(&args).stdin(items).expect(1);
    let sent = world.simulator.requests();
    assert_eq!(sent.len(), 2);
    for (item, sent) in [(0, &sent[0]), (2, &sent[1])] {
        assert_eq!(dry[item]["requests"][0]["body"], sent.json(), "{dry}");
    }
    assert_eq!(dry[1]["error"]["kind"], "invalid-input");
}

#[test]
fn a_dry_run_without_a_credential_checks_the_parameters() {
    let world = World::approved();
    let parameters = incident(&world);
    let args = ["incident.create", "--parameters", &parameters, "--dry-run"];
    world.run(&args).expect(0).shows("item 0: parameters are valid").says("Add --credential");
    let document = world.run(&[&args[..], &["--format", "json"]].concat()).expect(0).json();
    assert_valid(Some("dry_run"), &document);
    assert_eq!(document, json!([{ "item": 0, "status": "ok" }]));
    world.run(&["incident.create", "--parameters", "{}", "--dry-run"]).expect(2).says("0");
}

#[test]
fn a_dry_run_finds_what_the_host_would_refuse() {
    let world = World::connected();
    let args = [
        "service.list",
        "--credential",
        "work",
        "--dry-run",
        "--format",
        "json",
        "--allow",
        "https://api.eu.pagerduty.com",
    ];
    let output = world.run(&args).expect(1);
    let document = output.json();
    assert_valid(Some("dry_run"), &document);
    assert_eq!(document[0]["error"]["kind"], "denied-by-host");
}

#[test]
fn allow_narrows_what_was_approved() {
    let world = World::connected();
    let run = |allow: &str, code| {
        let args = ["service.list", "--credential", "work", "--allow", allow, "--format", "json"];
        world.run(&args).expect(code)
    };
    let results = run("https://api.eu.pagerduty.com", 1).json();
    assert_eq!(results[0]["error"]["kind"], "denied-by-host");
    assert!(world.simulator.requests().is_empty());
    run("https://api.pagerduty.com", 0);
    run("*.pagerduty.com", 0);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let world = World::connected();
    let args = [
        "run",
        world.plugin(),
        "incident.create",
        "--credential",
        "work",
        "--parameters",
        &incident(&world),
        "--connect-to",
        "https://api.pagerduty.com=https://127.0.0.1:1",
        "--timeout",
        "1s",
        "--format",
        "json",
    ];
    let results = world.harness(&args).expect(1).json();
    assert_valid(None, &results);
    let message = results[0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("cannot reach https://127.0.0.1:1"), "{message}");
}

#[test]
fn a_certificate_of_nobody_is_not_trusted() {
    let world = World::connected();
    let mapping = world.simulator.connect_to();
    let args = [
        "run",
        world.plugin(),
        "service.list",
        "--credential",
        "work",
        "--connect-to",
        &mapping[0],
        "--timeout",
        "1s",
        "--format",
        "json",
    ];
    let results = world.harness(&args).expect(1).json();
    let message = results[0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("TLS failed"), "{message}");
    assert!(world.simulator.requests().is_empty());
}

/// An HTTP proxy that knows one server, whatever it is asked for. Gives its URL.
fn proxy_to(server: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut reader = BufReader::new(client.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or_default() == 0 {
                    return;
                }
            }
            assert!(head.starts_with("CONNECT api.pagerduty.com:443 "), "{head}");
            let server = TcpStream::connect(server).unwrap();
            (&client).write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
            let (mut to, mut from) = (server.try_clone().unwrap(), server);
            let mut back = client;
            std::thread::spawn(move || std::io::copy(&mut reader, &mut to));
            std::thread::spawn(move || std::io::copy(&mut from, &mut back));
        }
    });
    format!("http://{address}")
}

#[test]
fn requests_go_through_the_proxy_that_is_named() {
    let world = World::connected();
    let proxy = proxy_to(world.simulator.address(pagerduty_simulator::Origin::RestUs));
    let ca = world.simulator.ca_file().to_str().unwrap();
    let args = [
        "run",
        world.plugin(),
        "service.list",
        "--credential",
        "work",
        "--ca-file",
        ca,
        "--proxy",
        &proxy,
    ];
    world.harness(&args).expect(0);
    assert_eq!(world.simulator.requests().len(), 1);
}

#[test]
fn no_variable_sets_a_proxy() {
    let world = World::connected();
    let mut run = world.run(&["service.list", "--credential", "work"]);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"] {
        run = run.env(name, "http://127.0.0.1:1");
    }
    run.expect(0);
}

#[test]
fn a_refusal_of_the_service_fails_the_item() {
    let world = World::connected();
    world.connect("read-only", &world.simulator.us().keys().account_read_only);
    world.connect("bad", "not-a-real-token");
    let parameters = incident(&world);
    for (credential, kind) in [("read-only", "forbidden"), ("bad", "unauthenticated")] {
        let args = [
            "incident.create",
            "--credential",
            credential,
            "--parameters",
            &parameters,
            "--format",
            "json",
        ];
        let results = world.run(&args).expect(1).json();
        assert_valid(None, &results);
        assert_eq!(results[0]["error"]["kind"], kind);
    }
}

#[test]
fn requests_can_be_paced() {
    let world = World::connected();
    let run = |pace: &str, more: &[&str]| {
        let args = ["service.list", "--credential", "work", "--items", "-", "--rate-limit", pace];
        let more = [more, &["--timeout", "20s", "--format", "json"]].concat();
        world.run(&[&args[..], &more].concat()).stdin("{}\n{}\n{}")
    };
    let started = std::time::Instant::now();
    run("2/3", &[]).expect(0);
    assert!(started.elapsed() > std::time::Duration::from_secs(3));
    assert_eq!(world.simulator.requests().len(), 3);
    // A run that cannot finish within its timeout at this rate limit does not start.
    world.simulator.clear_requests();
    for more in [&[][..], &["--continue-on-fail"]] {
        let refused = run("2/3600", more).expect(1);
        for part in ["rate-limit", "3 items of `service.list`", "2 requests in 3600 s", "--timeout"]
        {
            assert!(refused.stderr.contains(part), "{part}: {refused}");
        }
    }
    assert_eq!(world.simulator.requests().len(), 0);
}

#[test]
fn a_run_that_is_paced_says_at_the_start_how_long_it_takes() {
    let world = World::connected();
    let args = ["service.list", "--credential", "work", "--items", "-", "--rate-limit", "2/5"];
    let run = world.run(&args).stdin("{}\n{}\n{}").expect(0);
    assert!(run.stderr.contains("3 requests take at least 5 s"), "{run}");
}

#[test]
fn the_archive_holds_what_was_sent_and_answered() {
    let world = World::connected();
    let trace = world.path("run.har");
    let args = [
        "service.list",
        "--credential",
        "work",
        "--parameters",
        "{\"query\":\"a b\"}",
        "--trace",
        trace.to_str().unwrap(),
    ];
    world.run(&args).expect(0);
    let text = std::fs::read_to_string(&trace).unwrap();
    let archive: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(archive["log"]["version"], "1.2");
    let log: har::v1_2::Log =
        serde_json::from_str(&archive["log"].to_string()).expect("it is HAR 1.2");
    assert_eq!(log.entries.len(), 1);
    let entry = &log.entries[0];
    assert_eq!(entry.request.method, "GET");
    assert!(
        entry.request.url.starts_with("https://api.pagerduty.com/services?"),
        "{}",
        entry.request.url
    );
    let query = entry.request.query_string.iter().find(|pair| pair.name == "query").unwrap();
    assert_eq!(query.value, "a b");
    assert_eq!(entry.response.status, 200);
    assert!(entry.response.content.text.as_ref().unwrap().contains("services"));
    let names = entry.request.headers.iter().map(|header| header.name.to_ascii_lowercase());
    assert!(!names.into_iter().any(|name| name == "authorization"));
    assert_private(&trace);
}

#[cfg(unix)]
fn assert_private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(not(unix))]
fn assert_private(_path: &std::path::Path) {}

#[test]
fn the_archive_is_written_after_failures_too_and_replaces_an_older_one() {
    let world = World::connected();
    let trace = world.file("run.har", "older");
    world.simulator.fault(Fault::status(404).path("/services"));
    world.run(&["service.list", "--credential", "work", "--trace", &trace]).expect(1);
    let archive: Value = serde_json::from_str(&std::fs::read_to_string(&trace).unwrap()).unwrap();
    assert_eq!(archive["log"]["entries"][0]["response"]["status"], 404);
    let left = std::fs::read_dir(world.directory()).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("tmp")), "{names:?}");
}

#[test]
fn an_archive_that_cannot_be_written_stops_the_run_before_it_begins() {
    let world = World::connected();
    let args = ["service.list", "--credential", "work", "--trace", "nowhere/run.har"];
    world.run(&args).expect(2).says("nowhere/run.har");
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn verbose_logs_to_standard_error_without_changing_the_output() {
    let world = World::connected();
    let args = ["service.list", "--credential", "work", "--format", "json", "-v"];
    let output = world.run(&args).expect(0);
    assert_valid(None, &output.json());
    output.says("/services");
}

#[test]
fn nothing_that_a_reviewer_would_object_to_is_sent() {
    let world = World::connected();
    let parameters = incident(&world);
    world.run(&["incident.create", "--credential", "work", "--parameters", &parameters]).expect(0);
    world.run(&["service.list", "--credential", "work"]).expect(0);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[test]
fn credentials_for_a_proxy_are_sent_to_it_and_shown_nowhere() {
    let world = World::connected();
    let file = world.file("proxy", "ada:hunter22-file\n");
    for (credentials, more, expected) in [
        ("ada:hunter22-url@", Vec::new(), "Basic YWRhOmh1bnRlcjIyLXVybA=="),
        (":hunter22-url@", Vec::new(), "Basic Omh1bnRlcjIyLXVybA=="),
        ("", vec![format!("--proxy-credentials=@{file}")], "Basic YWRhOmh1bnRlcjIyLWZpbGU="),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("http://{credentials}{}", listener.local_addr().unwrap());
        let proxied = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            for line in BufReader::new(client.try_clone().unwrap()).lines() {
                let line = line.unwrap();
                if line.is_empty() {
                    break;
                }
                head.push(line);
            }
            client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").unwrap();
            head
        });
        let mut args = vec!["run", world.plugin(), "ability.list", "--credential", "work", "-vvv"];
        args.extend(["--timeout", "3s", "--proxy", &proxy]);
        args.extend(more.iter().map(String::as_str));
        let run = world.harness(&args).expect(1);
        let head = proxied.join().unwrap();
        let given = head.iter().find_map(|line| line.strip_prefix("Proxy-Authorization: "));
        assert_eq!(given, Some(expected), "{head:?}");
        let shown = format!("{}{}", run.stdout, run.stderr);
        assert!(shown.contains("407"), "{shown}");
        assert!(!shown.contains("hunter22"), "{shown}");
        assert!(!shown.contains(expected), "{shown}");
    }
}

#[test]
fn an_invalid_proxy_credentials_file_is_not_quoted() {
    let world = World::connected();
    let args = ["run", world.plugin(), "ability.list", "--credential", "work"];
    let more = ["--proxy", "http://127.0.0.1:9", "--proxy-credentials", "ada:hunter22"];
    let run = world.harness(&[&args[..], &more[..]].concat()).expect(2);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("hunter22"), "{run}");
    assert!(run.stderr.contains("@FILE"), "{run}");
}
