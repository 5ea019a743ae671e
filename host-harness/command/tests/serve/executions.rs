//! Running actions: collected, streamed, detached, repeated, and canceled, across restarts and kills.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use pagerduty_simulator::{Fault, Hold};
use serde_json::{Value, json};

use crate::support::{EXECUTE, World, is_on_the_disk, until};

pub(super) const NOTES: &str = "/v1/plugins/pagerduty/actions/incident_note.create/execute";

/// Holds every POST to a path before the service applies it.
pub(super) fn hold(world: &World, path: &str) -> Hold {
    let hold = Hold::new();
    world.simulator.fault(Fault::hold_before_apply(&hold).method("POST").path(path).always());
    hold
}

pub(super) fn release(world: &World, hold: &Hold) {
    world.simulator.clear_faults();
    hold.release();
}

#[test]
fn items_are_run_and_their_results_returned_in_order() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let before = world.simulator.us().incident_count();
    let result = client.post(EXECUTE, &world.incidents("run-1", 3)).expect(200);
    assert_eq!((&result["status"], &result["finished"]), (&json!("finished"), &json!(3)));
    for (position, item) in result["items"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&item["item"], &item["status"]), (&json!(position), &json!("ok")));
        assert_eq!(item["output"][0]["title"], format!("Incident {position}"));
    }
    assert_eq!(world.simulator.us().incident_count(), before + 3);

    let mut mixed = world.incidents("run-2", 2);
    mixed["items"][0]["service_id"] = json!("PNOSUCH");
    mixed["options"] = json!({"continue_on_fail": true});
    let result = client.post(EXECUTE, &mixed).expect(200);
    assert_eq!((&result["failed"], &result["items"][1]["status"]), (&json!(1), &json!("ok")));
    assert_eq!(result["items"][0]["status"], "error");
    assert!(result["items"][0]["error"]["kind"].is_string());

    let page = client.get("/v1/executions/run-1/items?limit=2").expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let next = page["next_cursor"].as_str().unwrap();
    let page = client.get(&format!("/v1/executions/run-1/items?cursor={next}")).expect(200);
    assert_eq!((&page["items"][0]["item"], page.get("next_cursor")), (&json!(2), None));
    let listed = client.get("/v1/executions?search=run-2").expect(200);
    assert_eq!(listed["executions"].as_array().unwrap().len(), 1);
    assert_eq!(client.delete("/v1/executions/run-1").expect(200)["status"], "finished");
}

#[test]
fn an_invalid_call_is_refused_as_a_whole_and_sends_nothing() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    world.simulator.clear_requests();
    let mut invalid = world.incidents("run-1", 2);
    invalid["items"][1] = json!({"title": 7});
    let answer = client.post(EXECUTE, &invalid);
    assert_eq!(answer.error(422), "invalid-input");
    let problems = answer.json()["error"]["problems"].to_string();
    assert!(problems.contains("/items/1/title"), "{problems}");
    let mut missing = world.incidents("run-1", 1);
    missing["credentials"] = json!({"rest": "none"});
    assert_eq!(client.post(EXECUTE, &missing).error(422), "credential-not-found");
    missing["credentials"] = json!({});
    assert_eq!(client.post(EXECUTE, &missing).status, 422);
    let json = ("content-type", "application/json");
    for (headers, body, status) in [
        (&[json][..], "{", 400),
        (&[json], "[]", 400),
        (&[json], r#"{"item": []}"#, 400),
        (&[json], r#"{"items": [1]}"#, 400),
        (&[json], r#"{"execution_id": "a b", "items": []}"#, 400),
        (&[json], r#"{"options": {"concurrency": 0}, "items": []}"#, 400),
        (&[json], r#"{"options": [true], "items": []}"#, 400),
        (&[("content-type", "text/plain")], "{}", 415),
        (&[], "{}", 415),
        (&[("content-type", "application/x-ndjson")], "", 400),
        (&[("content-type", "application/x-ndjson")], "{}\n1\n", 400),
        (&[("content-type", "application/x-ndjson")], "[]\n", 400),
        (&[("content-type", "application/x-ndjson")], "[]", 400),
        (&[("content-type", "application/x-ndjson")], "{\"items\": [{}]}\n", 400),
    ] {
        let answer = client.send("POST", EXECUTE, headers, body.as_bytes());
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    let detach = format!("{EXECUTE}?detach=perhaps");
    assert_eq!(client.post(&detach, &world.incidents("run-1", 1)).status, 400);
    assert!(world.simulator.requests().is_empty());
    // None of it has used the ID.
    assert_eq!(client.post(EXECUTE, &world.incidents("run-1", 1)).status, 200);
}

#[test]
fn records_arrive_as_lines() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let lines = client.post_for_lines(EXECUTE, &world.incidents("run-1", 2)).lines();
    assert_eq!(lines[0]["execution"]["execution_id"], "run-1");
    let end = &lines.last().unwrap()["execution"];
    assert_eq!((&end["status"], &end["finished"]), (&json!("finished"), &json!(2)));
    let records = lines.iter().filter(|line| line.get("output").is_some()).count();
    let ended = lines.iter().filter(|line| line["status"] == "ok").count();
    assert_eq!((records, ended), (2, 2));

    // The same call again has the same records, from the store.
    let count = world.simulator.us().incident_count();
    let again = client.post_for_lines(EXECUTE, &world.incidents("run-1", 2)).lines();
    let records = |lines: &[Value]| -> Vec<String> {
        let all = lines.iter().filter(|line| line.get("output").is_some());
        let mut all: Vec<String> = all.map(ToString::to_string).collect();
        all.sort();
        all
    };
    assert_eq!(records(&lines), records(&again));
    assert_eq!(world.simulator.us().incident_count(), count);
}

#[test]
fn an_item_arrives_before_the_service_has_answered_the_next_one() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let slow = Hold::new();
    let fault = Fault::hold_before_apply(&slow).method("POST").path("/incidents").after(1).always();
    world.simulator.fault(fault);
    let mut call = world.incidents("run-1", 2);
    call["options"] = json!({"concurrency": 1});
    let headers = [("content-type", "application/json"), ("accept", "application/x-ndjson")];
    // Reading fails if nothing arrives for a minute.
    let stream = client.begin("POST", EXECUTE, &headers, call.to_string().as_bytes());
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    while !text.contains("\"status\":\"ok\"") {
        assert!(reader.read_line(&mut text).expect("a line in time") > 0, "{text}");
    }
    assert!(text.contains("\"item\":0") && text.contains("Incident 0"), "{text}");
    until("the second request", || slow.arrived() == 1);
    release(&world, &slow);
    while reader.read_line(&mut text).expect("a line in time") > 0 {}
    assert!(text.contains("\"status\":\"finished\""), "{text}");
}

#[test]
fn items_may_be_sent_as_lines() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let call = world.incidents("run-1", 300);
    let mut body = json!({"execution_id": "run-1", "credentials": call["credentials"]}).to_string();
    for item in call["items"].as_array().unwrap() {
        body.push_str(&format!("\n{item}"));
    }
    let headers = [("content-type", "application/x-ndjson")];
    let before = world.simulator.us().incident_count();
    let result = client.send("POST", EXECUTE, &headers, body.as_bytes()).expect(200);
    assert_eq!((&result["finished"], &result["failed"]), (&json!(300), &json!(0)));
    assert_eq!(result["items"][299]["output"][0]["title"], "Incident 299");
    // As JSON it is the same call.
    let again = client.post(EXECUTE, &call).expect(200);
    assert_eq!(again["items"], result["items"]);
    assert_eq!(world.simulator.us().incident_count(), before + 300);
}

#[test]
fn a_call_that_is_repeated_runs_once_and_another_call_with_its_id_is_a_conflict() {
    let world = World::new();
    let token = world.full_token();
    let server = world.serve(&[]);
    let client = server.client(&token);
    let call = world.incidents("run-1", 2);
    let first = client.post(EXECUTE, &call).expect(200);
    let count = world.simulator.us().incident_count();
    assert_eq!(client.post(EXECUTE, &call).expect(200), first);
    let mut other = call.clone();
    other["items"][0]["title"] = json!("Another");
    assert_eq!(client.post(EXECUTE, &other).error(409), "execution-conflict");
    assert_eq!(client.post(NOTES, &json!({"execution_id": "run-1", "items": []})).status, 409);
    // Over a restart, too.
    drop(server);
    let server = world.serve(&[]);
    let client = server.client(&token);
    assert_eq!(client.post(EXECUTE, &call).expect(200), first);
    assert_eq!(client.post(EXECUTE, &other).error(409), "execution-conflict");
    assert_eq!(world.simulator.us().incident_count(), count);
}

#[test]
fn clients_that_repeat_a_call_while_it_runs_wait_for_the_same_execution() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let before = world.simulator.us().incident_count();
    let hold = hold(&world, "/incidents");
    let call = world.incidents("run-1", 1);
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..3).map(|_| scope.spawn(|| client.post(EXECUTE, &call).expect(200))).collect();
        until("a request at the service", || hold.arrived() > 0);
        std::thread::sleep(Duration::from_millis(300));
        release(&world, &hold);
        waiting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(world.simulator.us().incident_count(), before + 1);
}

#[test]
fn a_client_that_joins_an_execution_hears_of_it_at_once() {
    let world = World::new();
    let config =
        world.file("serve.toml", "listen = ['127.0.0.1:0']\n[limits]\nheartbeat_ms = 100\n");
    let server = world.serve(&["--config", &config]);
    let client = server.client(&world.full_token());
    let before = world.simulator.us().incident_count();
    let hold = hold(&world, "/incidents");
    let call = world.incidents("run-1", 1).to_string();
    let headers = [("content-type", "application/json"), ("accept", "application/x-ndjson")];
    let first = client.begin("POST", EXECUTE, &headers, call.as_bytes());
    until("a request at the service", || hold.arrived() > 0);
    let second = client.begin("POST", EXECUTE, &headers, call.as_bytes());
    let mut reader = BufReader::new(second);
    let mut text = String::new();
    while text.matches("\"status\":\"running\"").count() < 3 {
        assert!(reader.read_line(&mut text).expect("a line in time") > 0, "{text}");
    }
    // The execution goes on for the client that is left.
    drop(first);
    release(&world, &hold);
    while reader.read_line(&mut text).expect("a line in time") > 0 {}
    assert!(text.contains("\"output\"") && text.contains("\"status\":\"finished\""), "{text}");
    assert_eq!(world.simulator.us().incident_count(), before + 1);
}

#[test]
fn a_detached_execution_goes_on_and_is_asked_for_later() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let hold = hold(&world, "/incidents");
    let detach = format!("{EXECUTE}?detach");
    let answer = client.post(&detach, &world.incidents("run-1", 2));
    assert_eq!(answer.header("location"), Some("/v1/executions/run-1"));
    assert_eq!(answer.expect(202)["execution_id"], "run-1");
    until("a request at the service", || hold.arrived() > 0);
    assert_eq!(client.get("/v1/executions/run-1").expect(200)["status"], "running");
    let items = client.get("/v1/executions/run-1/items").expect(200);
    assert_eq!(items["items"][1], json!({"item": 1, "status": "pending"}));
    release(&world, &hold);
    let status = || client.get("/v1/executions/run-1").expect(200);
    until("the end", || status()["status"] == "finished");
    let items = client.get("/v1/executions/run-1/items").expect(200);
    assert_eq!(items["items"][1]["status"], "ok");
    // A call that cannot run fails with its response.
    let mut broken = world.incidents("run-2", 1);
    broken["credentials"] = json!({});
    assert_eq!(client.post(&detach, &broken).status, 202);
    let status = || client.get("/v1/executions/run-2").expect(200);
    until("the end", || status()["status"] == "stopped");
    assert!(status()["error"]["message"].is_string());
}

#[test]
fn an_execution_is_cancelled_by_its_id_or_when_its_client_is_gone() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let hold = hold(&world, "/incidents");
    let status = |id: &str| client.get(&format!("/v1/executions/{id}"));
    client.post(&format!("{EXECUTE}?detach"), &world.incidents("run-1", 1)).expect(202);
    until("a request at the service", || hold.arrived() == 1);
    assert_eq!(client.delete("/v1/executions/run-1").expect(200)["status"], "cancelled");

    let json = ("content-type", "application/json");
    for (id, headers) in
        [("collected", &[json][..]), ("streamed", &[json, ("accept", "application/x-ndjson")])]
    {
        let arrived = hold.arrived();
        let body = world.incidents(id, 1).to_string();
        let stream = client.begin("POST", EXECUTE, headers, body.as_bytes());
        until("a request at the service", || hold.arrived() > arrived);
        assert_eq!(status(id).expect(200)["status"], "running");
        drop(stream);
        until("the cancellation", || status(id).expect(200)["status"] == "cancelled");
    }
    // A keyed action may run again with its ID.
    release(&world, &hold);
    let again = client.post(EXECUTE, &world.incidents("collected", 1)).expect(200);
    assert_eq!((&again["status"], &again["failed"]), (&json!("finished"), &json!(0)));
}

/// Begins a call, and kills the server when a request of it waits at the service.
#[test]
fn a_call_that_is_repeated_after_a_lost_connection_runs_again() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let headers = [("content-type", "application/json"), ("accept", "application/x-ndjson")];
    for id in ["run-1", "run-2", "run-3", "run-4"] {
        let call = world.incidents(id, 1);
        let hold = hold(&world, "/incidents");
        let stream = client.begin("POST", EXECUTE, &headers, call.to_string().as_bytes());
        until("a request at the service", || hold.arrived() > 0);
        drop(stream);
        release(&world, &hold);
        let lines = client.post_for_lines(EXECUTE, &call).lines();
        let end = &lines.last().unwrap()["execution"];
        assert_eq!((&end["status"], &end["failed"]), (&json!("finished"), &json!(0)), "{lines:?}");
    }
}

fn kill_in_the_middle(world: &World, token: &str, path: &str, call: &Value, hold: &Hold) {
    let server = world.serve(&[]);
    let json = [("content-type", "application/json")];
    let client = server.client(token);
    let stream = client.begin("POST", path, &json, call.to_string().as_bytes());
    until("a request at the service", || hold.arrived() > 0);
    server.kill();
    drop(stream);
    release(world, hold);
}

/// Number of requests for each value of a member of the body.
pub(super) fn sent(world: &World, path: &str, member: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for request in world.simulator.requests() {
        if request.method == "POST" && request.path == path {
            // A request of a server that was killed may have lost its body.
            let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { continue };
            let text = body.pointer(member).and_then(Value::as_str).unwrap().to_owned();
            *all.entry(text).or_default() += 1;
        }
    }
    all
}

#[test]
fn a_killed_server_leaves_exactly_the_incidents_that_were_asked_for() {
    let world = World::new();
    let token = world.full_token();
    let before = world.simulator.us().incident_count();
    let call = world.incidents("run-1", 200);
    for (fault, after) in
        [(Fault::hold_after_apply as fn(&Hold) -> Fault, 60), (Fault::hold_before_apply, 30)]
    {
        let hold = Hold::new();
        world.simulator.fault(fault(&hold).method("POST").path("/incidents").after(after).always());
        kill_in_the_middle(&world, &token, EXECUTE, &call, &hold);
    }
    assert!(!is_on_the_disk(&world, "Incident 1"), "items and results are sealed");

    let server = world.serve(&[]);
    let client = server.client(&token);
    let interrupted = client.get("/v1/executions/run-1").expect(200);
    assert_eq!(interrupted["status"], "interrupted");
    let items = client.get("/v1/executions/run-1/items").expect(200);
    let ok = items["items"].as_array().unwrap().iter().filter(|item| item["status"] == "ok");
    assert_eq!(json!(ok.count()), interrupted["finished"]);
    let result = client.post(EXECUTE, &call).expect(200);
    assert_eq!((&result["finished"], &result["failed"]), (&json!(200), &json!(0)), "{result:.400}");
    assert_eq!(world.simulator.us().incident_count(), before + 200);
    // Requests that were answered before the crash are not repeated. Requests in flight are sent at most
    // twice.
    let sent = sent(&world, "/incidents", "/incident/title");
    assert_eq!(sent.len(), 200);
    let again = sent.values().filter(|times| **times > 1).count();
    assert!(again < 80, "{again} incidents were sent again");
    assert_eq!(client.post(EXECUTE, &call).expect(200), result);
    assert!(!is_on_the_disk(&world, "Incident 1"), "results are sealed");
}

#[test]
fn a_killed_server_sends_each_note_once_or_reports_its_outcome_as_unknown() {
    let world = World::new();
    let token = world.full_token();
    let server = world.serve(&[]);
    let created = server.client(&token).post(EXECUTE, &world.incidents("incident", 1)).expect(200);
    drop(server);
    let incident = created["items"][0]["output"][0]["id"].as_str().unwrap().to_owned();
    let hold = Hold::new();
    let path = format!("/incidents/{incident}/notes");
    let fault = Fault::hold_after_apply(&hold).method("POST").path(&path).after(3).always();
    world.simulator.fault(fault);
    let note = |number| json!({"incident_id": incident, "content": format!("Note {number}")});
    let call = json!({
        "execution_id": "notes",
        "credentials": {"rest": "work"},
        "items": (0..40).map(note).collect::<Vec<_>>(),
        "options": {"concurrency": 1, "continue_on_fail": true},
    });
    kill_in_the_middle(&world, &token, NOTES, &call, &hold);

    let server = world.serve(&[]);
    let client = server.client(&token);
    let result = client.post(NOTES, &call).expect(200);
    assert_eq!((&result["status"], &result["finished"]), (&json!("finished"), &json!(40)));
    let sent = sent(&world, &path, "/note/content");
    let mut unknown = 0;
    for (number, item) in result["items"].as_array().unwrap().iter().enumerate() {
        let is_unknown = item["error"]["kind"] == "outcome-unknown";
        assert!(is_unknown || item["status"] == "ok", "{item}");
        unknown += usize::from(is_unknown);
        let times = sent.get(&format!("Note {number}")).copied().unwrap_or_default();
        assert_eq!(times, 1, "note {number}: {item}");
    }
    assert_eq!(unknown, 1, "the one that was in flight: {result}");
    let requests = world.simulator.requests().len();
    assert_eq!(client.post(NOTES, &call).expect(200), result);
    assert_eq!(world.simulator.requests().len(), requests, "nothing was sent again");
}

#[test]
fn an_interrupted_execution_belongs_to_its_tenant_and_to_the_destinations_of_its_token() {
    let world = World::new();
    let config = |destinations: &str| {
        format!(
            "listen = ['127.0.0.1:0']\n[policies.run]\nroles = ['run']\n\
             destinations = [{destinations}]\n"
        )
    };
    let token = world.token("engine", &["--policy", "run"]);
    let all = world.file("all.toml", &config("'https://api.pagerduty.com', 'https://x.test'"));
    let hold = hold(&world, "/incidents");
    let server = world.serve(&["--config", &all]);
    let call = world.incidents("run-1", 3);
    let json = [("content-type", "application/json")];
    let client = server.client(&token);
    let stream = client.begin("POST", EXECUTE, &json, call.to_string().as_bytes());
    until("a request at the service", || hold.arrived() > 0);
    server.kill();
    drop(stream);
    release(&world, &hold);

    // Another tenant's execution of the same ID is another execution.
    world.connect(&["--tenant", "other", "--as", "eve"], "work");
    let eve = world.token("eve", &["--tenant", "other", "--as", "eve", "--role", "run"]);
    let none = world.file("none.toml", &config("'https://x.test'"));
    let server = world.serve(&["--config", &none]);
    let stranger = server.client(&eve);
    assert_eq!(stranger.get("/v1/executions/run-1").error(404), "not-found");
    assert_eq!(stranger.post(EXECUTE, &call).expect(200)["failed"], 0);
    // A journal grants no access that the token has lost.
    let count = world.simulator.us().incident_count();
    let refused = server.client(&token).post(EXECUTE, &call);
    assert!(refused.status != 200 || refused.json()["failed"] == 3, "{refused:?}");
    assert_eq!(world.simulator.us().incident_count(), count);
}

#[test]
fn a_server_that_keeps_no_output_keeps_outcomes() {
    let world = World::new();
    let token = world.full_token();
    let config = world.file("serve.toml", "listen = ['127.0.0.1:0']\nstore_output = false\n");
    let server = world.serve(&["--config", &config]);
    let client = server.client(&token);
    let mut call = world.incidents("run-1", 2);
    call["items"][1]["service_id"] = json!("PNOSUCH");
    call["options"] = json!({"continue_on_fail": true});
    let result = client.post(EXECUTE, &call).expect(200);
    assert_eq!(result["items"][0]["status"], "ok");
    assert_eq!(result["items"][0]["output_dropped"], true);
    assert_eq!(result["items"][1]["status"], "error");
    assert!(result["items"][1]["error"]["kind"].is_string());
    // Who streams the results receives them.
    let lines = client.post_for_lines(EXECUTE, &world.incidents("run-2", 1)).lines();
    assert!(lines.iter().any(|line| line["output"]["title"] == "Incident 0"), "{lines:?}");
    // A repeated call says that they are no longer there.
    let lines = client.post_for_lines(EXECUTE, &world.incidents("run-2", 1)).lines();
    assert_eq!(lines[0]["output_dropped"], true, "{lines:?}");
    let count = world.simulator.us().incident_count();
    assert_eq!(client.post(EXECUTE, &call).expect(200), result);
    assert_eq!(world.simulator.us().incident_count(), count);
    drop(server);
    assert!(!world.path("data/executions").exists(), "a journal was written");
    assert!(!is_on_the_disk(&world, "Incident 0"));
}

#[test]
fn a_full_queue_is_answered_with_the_time_to_wait() {
    let world = World::new();
    let config = world.file(
        "serve.toml",
        "listen = ['127.0.0.1:0']\n[limits]\nrunning = 1\nqueued = 1\nretry_after_ms = 2500\n",
    );
    let server = world.serve(&["--config", &config]);
    let client = server.client(&world.full_token());
    let hold = hold(&world, "/incidents");
    let detach = format!("{EXECUTE}?detach");
    client.post(&detach, &world.incidents("run-1", 1)).expect(202);
    until("a request at the service", || hold.arrived() == 1);
    client.post(&detach, &world.incidents("run-2", 1)).expect(202);
    assert_eq!(client.get("/v1/executions/run-2").expect(200)["status"], "queued");
    let refused = client.post(EXECUTE, &world.incidents("run-3", 1));
    assert_eq!(
        (refused.error(429), refused.header("retry-after")),
        ("queue-full".into(), Some("3"))
    );
    until("the metric", || client.get("/metrics").body.contains("harness_executions_queued 1"));
    // A queued execution is canceled before it sends anything, and may run later.
    assert_eq!(client.delete("/v1/executions/run-2").expect(200)["status"], "cancelled");
    release(&world, &hold);
    until("room", || client.post(EXECUTE, &world.incidents("run-3", 1)).status == 200);
    assert_eq!(
        client.post(EXECUTE, &world.incidents("run-2", 1)).expect(200)["status"],
        "finished"
    );
}
