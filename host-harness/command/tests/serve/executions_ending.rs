//! Executions when a server ends, and after it has started again.

use std::time::Duration;

use pagerduty_simulator::{Fault, Hold};
use serde_json::{Value, json};

use crate::executions::{NOTES, hold, release, sent};
use crate::support::{EXECUTE, World, is_on_the_disk, read, until};

#[cfg(unix)]
#[test]
fn a_server_that_is_asked_to_end_finishes_what_runs() {
    let world = World::new();
    let token = world.full_token();
    let mut server = world.serve(&[]);
    let client = server.client(&token);
    let hold = hold(&world, "/incidents");
    let json = [("content-type", "application/json")];
    let body = world.incidents("run-1", 1).to_string();
    let mut stream = client.begin("POST", EXECUTE, &json, body.as_bytes());
    until("a request at the service", || hold.arrived() > 0);
    server.signal("TERM");
    until("that it is not ready", || server.anybody().get("/readyz").status == 503);
    let refused = client.post(EXECUTE, &world.incidents("run-2", 1));
    assert_eq!(refused.error(503), "shutting-down");
    assert!(refused.header("retry-after").is_some());
    release(&world, &hold);
    assert_eq!(read(&mut stream).expect(200)["status"], "finished");
    assert_eq!(server.ended(), Some(0), "{}", server.log());
}

#[cfg(unix)]
#[test]
fn ctrl_c_in_a_terminal_lets_a_server_finish_what_runs() {
    use std::os::unix::process::CommandExt as _;
    let world = World::new();
    let token = world.full_token();
    // A terminal sends the signal to the whole group of the server.
    let mut command = world.serving(&["serve", "--plugin", crate::support::plugin()]);
    command.process_group(0);
    let mut server = world.start(command);
    let hold = hold(&world, "/incidents");
    let header = [("content-type", "application/json")];
    let body = world.incidents("run-1", 2).to_string();
    let mut stream = server.client(&token).begin("POST", EXECUTE, &header, body.as_bytes());
    until("a request at the service", || hold.arrived() > 0);
    server.signal_group("INT");
    until("that it is not ready", || server.anybody().get("/readyz").status == 503);
    release(&world, &hold);
    let result = read(&mut stream).expect(200);
    assert_eq!((&result["status"], &result["failed"]), (&json!("finished"), &json!(0)), "{result}");
    assert_eq!(server.ended(), Some(0), "{}", server.log());
}

/// A call that adds notes, which have no idempotency key, to a new incident; and their path.
fn notes(world: &World, token: &str, count: usize) -> (Value, String) {
    let server = world.serve(&[]);
    let created = server.client(token).post(EXECUTE, &world.incidents("incident", 1)).expect(200);
    let incident = created["items"][0]["output"][0]["id"].as_str().unwrap();
    let note = |number| json!({"incident_id": incident, "content": format!("Note {number}")});
    let call = json!({
        "execution_id": "notes",
        "credentials": {"rest": "work"},
        "items": (0..count).map(note).collect::<Vec<_>>(),
        "options": {"concurrency": 2, "continue_on_fail": true},
    });
    (call, format!("/incidents/{incident}/notes"))
}

#[cfg(unix)]
#[test]
fn a_detached_execution_is_interrupted_when_the_server_ends_and_goes_on_at_the_next_start() {
    let world = World::new();
    let token = world.full_token();
    let (call, path) = notes(&world, &token, 40);
    let hold = Hold::new();
    let fault = Fault::hold_after_apply(&hold).method("POST").path(&path).after(4).always();
    world.simulator.fault(fault);
    let config = world.file("serve.toml", "listen = ['127.0.0.1:0']\n[limits]\nrunning = 1\n");
    let mut server = world.serve(&["--config", &config]);
    let client = server.client(&token);
    client.post(&format!("{NOTES}?detach"), &call).expect(202);
    until("a request at the service", || hold.arrived() > 0);
    // One that waits for its turn.
    client.post(&format!("{EXECUTE}?detach"), &world.incidents("queued", 2)).expect(202);
    server.signal("TERM");
    until("that it is not ready", || server.anybody().get("/readyz").status == 503);
    release(&world, &hold);
    assert_eq!(server.ended(), Some(0), "{}", server.log());
    let before = sent(&world, &path, "/note/content").len();
    assert!(
        (5..40).contains(&before),
        "it waits for requests in flight, and sends no others: {before}"
    );

    let server = world.serve(&[]);
    let client = server.client(&token);
    for id in ["notes", "queued"] {
        let status = || client.get(&format!("/v1/executions/{id}")).expect(200);
        until("the end", || status()["status"] == "finished");
        assert_eq!(status()["failed"], 0, "{}", client.get("/v1/executions/notes/items").body);
    }
    let sent = sent(&world, &path, "/note/content");
    assert_eq!(sent.len(), 40);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
}

#[cfg(unix)]
#[test]
fn a_request_that_is_not_answered_in_time_does_not_keep_a_server_from_ending() {
    let world = World::new();
    let token = world.full_token();
    let (call, path) = notes(&world, &token, 6);
    let hold = Hold::new();
    let fault = Fault::hold_after_apply(&hold).method("POST").path(&path).after(2).always();
    world.simulator.fault(fault);
    let config = world.file("serve.toml", "listen = ['127.0.0.1:0']\n[limits]\ndrain_ms = 200\n");
    let mut server = world.serve(&["--config", &config]);
    server.client(&token).post(&format!("{NOTES}?detach"), &call).expect(202);
    until("a request at the service", || hold.arrived() > 0);
    let in_flight = hold.arrived();
    server.signal("INT");
    assert_eq!(server.ended(), Some(0), "{}", server.log());
    release(&world, &hold);
    let server = world.serve(&[]);
    let client = server.client(&token);
    until("the end", || client.get("/v1/executions/notes").expect(200)["status"] == "finished");
    let items = client.get("/v1/executions/notes/items").expect(200);
    let items = items["items"].as_array().unwrap();
    let unknown = items.iter().filter(|item| item["error"]["kind"] == "outcome-unknown").count();
    let well = items.iter().filter(|item| item["status"] == "ok").count();
    assert_eq!((unknown, well), (in_flight, 6 - in_flight), "those in flight: {items:?}");
    let sent = sent(&world, &path, "/note/content");
    assert!(sent.len() == 6 && sent.values().all(|times| *times == 1), "{sent:?}");
}

#[cfg(unix)]
#[test]
fn a_waiting_client_receives_an_error_that_asks_to_repeat_its_call_when_the_server_ends() {
    let world = World::new();
    let config = world.file("serve.toml", "listen = ['127.0.0.1:0']\n[limits]\ndrain_ms = 200\n");
    let token = world.full_token();
    let before = world.simulator.us().incident_count();
    let mut server = world.serve(&["--config", &config]);
    let client = server.client(&token);
    let hold = hold(&world, "/incidents");
    let json = ("content-type", "application/json");
    let lines = [json, ("accept", "application/x-ndjson")];
    let (one, two) = (world.incidents("run-1", 3), world.incidents("run-2", 3));
    let mut collected = client.begin("POST", EXECUTE, &[json], one.to_string().as_bytes());
    let mut streamed = client.begin("POST", EXECUTE, &lines, two.to_string().as_bytes());
    until("requests at the service", || hold.arrived() >= 2);
    server.signal("TERM");
    let refused = read(&mut collected);
    assert_eq!(refused.error(503), "shutting-down");
    assert!(refused.header("retry-after").is_some());
    let last = read(&mut streamed).lines().pop().unwrap();
    assert_eq!(last["error"]["name"], "shutting-down", "{last}");
    assert!(last["error"]["next"].as_str().unwrap().contains("same execution ID"), "{last}");
    assert_eq!(server.ended(), Some(0), "{}", server.log());
    release(&world, &hold);
    let server = world.serve(&[]);
    let client = server.client(&token);
    for (id, call) in [("run-1", one), ("run-2", two)] {
        let status = client.get(&format!("/v1/executions/{id}")).expect(200);
        assert_eq!(status["status"], "interrupted", "only its client repeats it");
        let result = client.post(EXECUTE, &call).expect(200);
        assert_eq!((&result["status"], &result["failed"]), (&json!("finished"), &json!(0)));
    }
    assert_eq!(world.simulator.us().incident_count(), before + 6);
}

#[cfg(unix)]
#[test]
fn an_execution_without_a_journal_is_cancelled_when_the_server_ends() {
    let world = World::new();
    let config = world.file(
        "serve.toml",
        "listen = ['127.0.0.1:0']\nstore_output = false\n[limits]\ndrain_ms = 200\n",
    );
    let token = world.full_token();
    let mut server = world.serve(&["--config", &config]);
    let client = server.client(&token);
    let hold = hold(&world, "/incidents");
    client.post(&format!("{EXECUTE}?detach"), &world.incidents("run-1", 1)).expect(202);
    until("a request at the service", || hold.arrived() > 0);
    server.signal("INT");
    assert_eq!(server.ended(), Some(0), "{}", server.log());
    let server = world.serve(&["--config", &config]);
    let status = server.client(&token).get("/v1/executions/run-1").expect(200);
    assert_eq!(status["status"], "cancelled");
    assert_eq!(status["error"]["name"], "shutting-down");
}

#[test]
fn an_execution_that_waited_for_its_turn_begins_after_a_restart() {
    let world = World::new();
    let token = world.full_token();
    let config = world.file("serve.toml", "listen = ['127.0.0.1:0']\n[limits]\nrunning = 1\n");
    let hold = hold(&world, "/incidents");
    let server = world.serve(&["--config", &config]);
    let client = server.client(&token);
    let detach = format!("{EXECUTE}?detach");
    client.post(&detach, &world.incidents("first", 1)).expect(202);
    until("a request at the service", || hold.arrived() > 0);
    client.post(&detach, &world.incidents("second", 1)).expect(202);
    server.kill();
    release(&world, &hold);
    let server = world.serve(&["--config", &config]);
    let client = server.client(&token);
    for id in ["first", "second"] {
        until(id, || {
            client.get(&format!("/v1/executions/{id}")).expect(200)["status"] == "finished"
        });
    }
}

#[test]
fn a_detached_execution_goes_on_by_itself_after_a_restart() {
    let world = World::new();
    let token = world.token("engine", &["--role", "run"]);
    let gone = world.token("gone", &["--role", "run"]);
    let before = world.simulator.us().incident_count();
    let hold = hold(&world, "/incidents");
    let server = world.serve(&[]);
    let detach = format!("{EXECUTE}?detach");
    for (token, id) in [(&token, "run-1"), (&gone, "run-2")] {
        let mut call = world.incidents(id, 30);
        call["options"] = json!({"concurrency": 2});
        server.client(token).post(&detach, &call).expect(202);
    }
    until("requests at the service", || hold.arrived() >= 4);
    server.kill();
    assert!(!is_on_the_disk(&world, "Incident 1"), "the calls are sealed");
    release(&world, &hold);
    world.harness(&["token", "revoke", "gone"]);
    let mut server = world.serve(&[]);
    let client = server.client(&token);
    until("the end of the execution", || {
        client.get("/v1/executions/run-1").expect(200)["status"] == "finished"
    });
    // The server does not resume an execution of a revoked token.
    assert_eq!(client.get("/v1/executions/run-2").expect(200)["status"], "interrupted");
    let result = client.get("/v1/executions/run-1").expect(200);
    assert_eq!((&result["finished"], &result["failed"]), (&json!(30), &json!(0)));
    assert_eq!(world.simulator.us().incident_count(), before + 30);
    assert!(server.log().contains("execution is not resumed"), "{}", server.log());
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));

    // Without its journal, it waits for its client.
    let hold = self::hold(&world, "/incidents");
    let server = world.serve(&[]);
    let mut call = world.incidents("run-3", 4);
    call["options"] = json!({"concurrency": 1});
    server.client(&token).post(&detach, &call).expect(202);
    until("a request at the service", || hold.arrived() > 0);
    server.kill();
    release(&world, &hold);
    std::fs::remove_dir_all(world.path("data/executions")).unwrap();
    let server = world.serve(&[]);
    let client = server.client(&token);
    std::thread::sleep(Duration::from_secs(2));
    let status = client.get("/v1/executions/run-3").expect(200)["status"].clone();
    assert_eq!(status, "interrupted", "nothing says what was sent");
}
