use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command};
use std::time::Duration;

use pagerduty_simulator::{Fault, NewIncident};
use serde_json::Value;

use crate::support::World;

const TRIGGERED: &str = r#"{"events":["incident.triggered"]}"#;

/// `harness trigger listen`, once it listens.
struct Listening {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Listening {
    fn start(world: &World, args: &[&str]) -> Self {
        let mut all = vec!["trigger", "listen", world.plugin()];
        all.extend(args);
        let mut child = world.sends(&all).start().child;
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("Press Ctrl-C") {
            let read = stderr.read_line(&mut said).unwrap();
            assert!(read > 0, "it does not listen: {said}");
        }
        Self { child, stderr, said }
    }

    fn url(&self) -> String {
        let (_, url) = self.said.split_once("delivers to ").expect("it tells where");
        url.split(". ").next().unwrap().to_owned()
    }

    /// Ctrl-C, as a terminal sends it.
    fn interrupt(&self) {
        self.signal("-INT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Returns its standard output and standard error after it exits with a code.
    fn end(mut self, code: i32) -> (Vec<Value>, String) {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stdout}{}", self.said);
        let lines = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines, self.said)
    }
}

/// How many webhooks PagerDuty knows.
fn webhooks(world: &World) -> usize {
    let args = ["webhook_subscription.list", "--credential", "work", "--format", "json"];
    world.run(&args).expect(0).json()[0]["output"].as_array().unwrap().len()
}

fn fixture(name: &str) -> String {
    let root = component_build::workspace_root();
    format!("@{}/plugin/pagerduty/fixtures/webhooks/{name}.json", root.display())
}

#[cfg(unix)]
#[test]
fn events_are_printed_as_lines_and_ctrl_c_takes_the_webhook_down() {
    let world = World::connected();
    let before = webhooks(&world);
    let args = ["event", "--credential", "work", "--parameters", TRIGGERED, "--format", "jsonl"];
    let listening = Listening::start(&world, &args);
    assert_eq!(webhooks(&world), before + 1);
    let title = r#"{"title":"The pipe leaks","service_id":"Checkout"}"#;
    world.run(&["incident.create", "--credential", "work", "--parameters", title]).expect(0);
    let sent = || world.simulator.webhook_deliveries();
    while sent().iter().all(|delivery| delivery.attempts.is_empty()) {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(500));
    listening.interrupt();
    let (lines, said) = listening.end(0);
    assert_eq!(lines.len(), 1, "{said}");
    assert_eq!(lines[0]["event"]["data"]["title"], "The pipe leaks");
    assert!(lines[0]["number"].is_number() && lines[0]["dedup_key"].is_string(), "{lines:?}");
    assert!(said.contains("Removing the subscription") && said.contains("1 event\n"), "{said}");
    assert_eq!(webhooks(&world), before);
    world.harness(&["trigger", "list"]).expect(0).says("0 subscriptions");
}

#[cfg(unix)]
#[test]
fn sigterm_takes_the_webhook_down_as_ctrl_c_does() {
    let world = World::connected();
    let before = webhooks(&world);
    let listening =
        Listening::start(&world, &["event", "--credential", "work", "--parameters", TRIGGERED]);
    assert_eq!(webhooks(&world), before + 1);
    listening.signal("-TERM");
    let (_, said) = listening.end(0);
    assert!(said.contains("Removing the subscription"), "{said}");
    assert_eq!(webhooks(&world), before);
}

#[test]
fn leftovers_are_reported_with_the_command_that_removes_them() {
    let world = World::connected();
    // It is made, and nobody hears of it; and it cannot be removed just now.
    world.simulator.fault(Fault::status(502).method("POST").after_apply());
    world.simulator.fault(Fault::status(403).method("DELETE").always());
    let plugin = world.plugin();
    let args = ["trigger", "listen", plugin, "event", "--credential", "work", "--name", "hook"];
    world
        .sends(&[&args[..], &["--parameters", TRIGGERED]].concat())
        .expect(1)
        .says("cannot set up the subscription")
        .says("`hook` may still exist")
        .says("harness trigger stop");
    world.harness(&["trigger", "list"]).expect(0).says("1 subscription");
    world.simulator.clear_faults();
    world.sends(&["trigger", "stop", plugin, "hook"]).expect(0);
    world.harness(&["trigger", "list"]).expect(0).says("0 subscriptions");
}

#[cfg(unix)]
#[test]
fn a_subscription_that_is_kept_goes_on_where_it_ended() {
    let world = World::connected();
    let args =
        ["event", "--credential", "work", "--parameters", TRIGGERED, "--name", "orders", "--keep"];
    let first = Listening::start(&world, &args);
    let url = first.url();
    let address = url.split('/').nth(2).unwrap().to_owned();
    first.interrupt();
    first.end(0);
    let list = world.harness(&["trigger", "list"]).expect(0);
    list.shows("orders").shows("pagerduty event").shows(&url);
    // Nobody listens; PagerDuty tries again until somebody does.
    let title = r#"{"title":"meanwhile","service_id":"Checkout"}"#;
    world.run(&["incident.create", "--credential", "work", "--parameters", title]).expect(0);
    let mut again = args.to_vec();
    again.extend(["--listen", &address, "--count", "1"]);
    let (lines, _) = Listening::start(&world, &again).end(0);
    assert_eq!(lines[0]["data"]["title"], "meanwhile");
    let plugin = world.plugin();
    world.sends(&["trigger", "check", plugin, "orders"]).expect(0).shows("orders: active");
    world.sends(&["trigger", "stop", plugin, "orders"]).expect(0).shows("orders: removed");
    world
        .sends(&["trigger", "stop", plugin, "orders"])
        .expect(2)
        .says("next: harness trigger list");
}

#[test]
fn a_trigger_that_polls_needs_no_address() {
    let world = World::connected();
    let args = [
        "incident.changed",
        "--credential",
        "work",
        "--interval",
        "1s",
        "--count",
        "2",
        "--parameters",
        r#"{"changes":"new","simplify":true}"#,
    ];
    let listening = Listening::start(&world, &args);
    // The first poll sends nothing: it begins now. The second one shows that it has happened.
    while world.simulator.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    for title in ["a", "b"] {
        world
            .simulator
            .us()
            .add_incident(NewIncident { title: title.into(), ..NewIncident::default() });
    }
    let (lines, said) = listening.end(0);
    let titles: Vec<&Value> = lines.iter().map(|line| &line["incident"]["title"]).collect();
    assert_eq!(titles, ["a", "b"], "{said}");
}

#[test]
fn invalid_options_are_refused_before_anything_is_sent() {
    let world = World::connected();
    let plugin = world.plugin();
    let listen = |args: &[&str]| {
        let mut all = vec!["trigger", "listen", plugin];
        all.extend(args);
        world.sends(&all).expect(2)
    };
    listen(&["nothing"]).says("trigger `nothing` not found").says("next: harness inspect");
    listen(&["event", "--parameters", "{}"]).says("do not match trigger `event`");
    listen(&["incident.changed", "--callback-url", "https://example.com/x"])
        .says("--callback-url has no effect");
    let webhook = ["event", "--parameters", TRIGGERED, "--interval", "1s"];
    listen(&webhook).says("--interval has no effect");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_address = taken.local_addr().unwrap().to_string();
    listen(&[
        "event",
        "--credential",
        "work",
        "--parameters",
        TRIGGERED,
        "--listen",
        &taken_address,
    ])
    .says("Cannot listen on")
    .says("--listen ADDRESS");
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn a_refusal_of_the_service_is_reported_with_its_reasons_and_leaves_nothing() {
    let world = World::connected();
    let parameters = r#"{"events":["incident.triggered","no.such.event"]}"#;
    let plugin = world.plugin();
    let args =
        ["trigger", "listen", plugin, "event", "--credential", "work", "--parameters", parameters];
    world.sends(&args).expect(1).says("cannot set up the subscription").says("no.such.event");
    world.harness(&["trigger", "list"]).expect(0).says("0 subscriptions");
}

#[cfg(unix)]
#[test]
fn a_receiver_is_tried_out_with_right_and_wrong_deliveries() {
    let world = World::connected();
    let plugin = world.plugin();
    let args = ["event", "--credential", "work", "--parameters", TRIGGERED, "--name", "hook"];
    let listening = Listening::start(&world, &args);
    let url = listening.url();
    let send = |args: &[&str]| {
        let mut all = vec!["webhook", "send", plugin, "event", "--url", &url];
        all.extend(args);
        all.extend(["--subscription", "hook", "--format", "json"]);
        world.harness(&all)
    };
    let triggered = fixture("incident.triggered");
    let sent = send(&["--body", &triggered, "--repeat", "3"]).expect(0).json();
    assert!(sent.as_array().unwrap().iter().all(|one| one["status"] == 202), "{sent}");
    send(&["--body", &fixture("unknown.type")]).expect(0);
    send(&["--body", &fixture("pagey.ping")]).expect(0);
    let sent = send(&["--body", &triggered, "--tamper", "all"]).expect(0).json();
    let statuses: Vec<u64> =
        sent.as_array().unwrap().iter().map(|one| one["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [403, 403, 403, 400, 400, 400, 400, 400, 405, 413], "{sent}");
    std::thread::sleep(Duration::from_millis(500));
    listening.interrupt();
    let (lines, said) = listening.end(0);
    // Three deliveries with one ID are one event; a ping is not an event.
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!(lines[0]["data"]["title"], "The pipe leaks");
    assert_eq!(lines[1]["event_type"], "incident.foretold");
}

#[test]
fn a_receiver_that_takes_everything_is_found_out() {
    let world = World::new();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", server.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in server.incoming() {
            use std::io::Write as _;
            let mut stream = stream.unwrap();
            let mut read = [0; 4096];
            // The head and a small body come in one piece.
            let _length = stream.read(&mut read).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _written = stream.write_all(answer).is_ok();
        }
    });
    let secret = format!("@{}", world.file("secret", "a secret of the receiver\n"));
    let plugin = world.plugin();
    let body = fixture("incident.triggered");
    let args =
        ["webhook", "send", plugin, "event", "--url", &url, "--body", &body, "--secret", &secret];
    world.harness(&args).expect(0).shows("signed");
    let mut tampered = args.to_vec();
    tampered.extend(["--tamper", "secret"]);
    world.harness(&tampered).expect(1).shows("NO").says("were not rejected with 4xx");
    // A secret on the command line would be seen by others.
    let mut shown = args.to_vec();
    *shown.last_mut().unwrap() = "in-clear";
    world.harness(&shown).expect(2).says("--secret expects a file or standard input");
    world.harness(&args[..args.len() - 2]).expect(2).says("--subscription NAME");
    let polled = ["webhook", "send", plugin, "incident.changed", "--url", &url, "--body", &body];
    world.harness(&polled).expect(2).says("polls and does not receive deliveries");
}
