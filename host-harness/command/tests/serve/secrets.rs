//! Secrets that a call brings or names: inline credentials, which live as long as an execution, and
//! stored secrets, which parameters take by name.

use pagerduty_simulator::{Fault, Hold};
use serde_json::{Value, json};

use crate::support::{EXECUTE, World, is_on_the_disk, plugin, until};

/// A call that brings its credential.
fn inline(world: &World, id: &str, key: &str, count: usize) -> Value {
    let mut call = world.incidents(id, count);
    call["credentials"] = json!({});
    call["inline_credentials"] = json!({"rest": {
        "type": "api-token",
        "fields": {"from_email": "ada@example.com"},
        "secrets": {"api_token": key},
    }});
    call
}

#[test]
fn an_inline_credential_lives_for_its_execution_and_is_kept_nowhere() {
    let world = World::new();
    let key = world.simulator.us().keys().user;
    let server = world.serve(&["-vv"]);
    let plain = server.client(&world.full_token());
    let refused = plain.post(EXECUTE, &inline(&world, "run-0", &key, 1));
    assert_eq!(refused.error(403), "not-permitted");
    let token = world.token("inline", &["--role", "run", "--inline-credentials"]);
    let client = server.client(&token);

    // While it runs, nothing of it is in a file.
    let hold = Hold::new();
    world
        .simulator
        .fault(Fault::hold_before_apply(&hold).method("POST").path("/incidents").always());
    let detached = client.post(&format!("{EXECUTE}?detach"), &inline(&world, "run-1", &key, 3));
    assert!(!detached.body.contains(&key));
    assert_eq!(detached.expect(202)["item_count"], 3);
    until("a request at the service", || hold.arrived() > 0);
    assert!(!is_on_the_disk(&world, &key), "the credential is in a file");
    assert!(journals(&world).is_empty(), "{:?}", journals(&world));
    world.simulator.clear_faults();
    hold.release();
    until("the end", || client.get("/v1/executions/run-1").expect(200)["status"] == "finished");
    for path in ["/v1/executions/run-1", "/v1/executions/run-1/items", "/v1/executions"] {
        assert!(!client.get(path).body.contains(&key), "{path}");
    }
    let sent = |header: &str| {
        let requests = world.simulator.requests();
        requests.iter().filter(|one| format!("{one:?}").contains(header)).count()
    };
    assert!(sent(&key) >= 3, "the service has received it");

    // The same call with another secret is the same call: secrets are not part of it.
    let count = world.simulator.us().incident_count();
    let other = inline(&world, "run-1", &world.simulator.us().keys().account, 3);
    assert_eq!(client.post(EXECUTE, &other).expect(200)["finished"], 3);
    assert_eq!(world.simulator.us().incident_count(), count);
    assert!(!is_on_the_disk(&world, &key));
    assert!(!server.log().contains(&key), "the credential is in the log");
}

fn journals(world: &World) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(world.path("data/executions")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn an_inline_credential_that_cannot_be_used_is_refused_and_not_quoted() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.token("inline", &["--role", "run", "--inline-credentials"]));
    let good = inline(&world, "run-1", "sesame-open-1234", 1);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut call = good.clone();
        change(&mut call["inline_credentials"]);
        client.post(EXECUTE, &call)
    };
    world.simulator.clear_requests();
    for (answer, status) in [
        (with(&|all| all["rest"]["type"] = json!("none")), 404),
        (with(&|all| all["rest"]["type"] = json!("oauth2")), 422),
        (with(&|all| all["rest"]["secrets"] = json!({"api_token": "short"})), 422),
        (with(&|all| all["rest"]["secrets"] = json!("sesame-open-1234")), 400),
        (with(&|all| all["rest"]["secrets"] = json!({"api_token": ["sesame-open-1234"]})), 400),
        (with(&|all| *all = json!("sesame-open-1234")), 400),
        (with(&|all| all["rest"]["fields"] = json!({"region": "sesame-open-1234"})), 422),
        (with(&|all| all["rest"]["secrets"] = json!({"other": "sesame-open-1234"})), 422),
        (with(&|all| all["nothing"] = all["rest"].clone()), 404),
    ] {
        assert_eq!(answer.status, status, "{answer:?}");
        let is_field = answer.body.contains("region");
        assert!(is_field || !answer.body.contains("sesame-open"), "{answer:?}");
    }
    let mut twice = good.clone();
    twice["credentials"] = json!({"rest": "work"});
    assert_eq!(client.post(EXECUTE, &twice).error(400), "invalid-request");
    assert!(world.simulator.requests().is_empty());
}

/// An action that takes a secret as a parameter, and an item with a value at the place of the secret.
fn secret_action(world: &World, value: &str) -> (String, Value) {
    let inspected = world.harness(&["inspect", plugin(), "--format", "json"]);
    assert!(inspected.contains("webhook_subscription.create"), "{inspected:.200}");
    let item = json!({
        "url": "https://engine.example.com/hook",
        "events": ["incident.triggered"],
        "filter_type": "account_reference",
        "custom_headers": [{"name": "X-Key", "value": value}],
    });
    ("webhook_subscription.create".to_owned(), item)
}

#[test]
fn a_parameter_takes_the_name_of_a_stored_secret() {
    let world = World::new();
    let (action, item) = secret_action(&world, "secret:hook-key");
    let path = format!("/v1/plugins/pagerduty/actions/{action}/execute");
    let call = |id: &str, item: &Value| json!({"execution_id": id, "credentials": {"rest": "work"}, "items": [item]});
    let server = world.serve(&["-vv"]);
    let client = server.client(&world.token("engine", &["--role", "run", "--role", "connect"]));
    let unknown = client.post(&path, &call("run-1", &item));
    assert_eq!(unknown.error(422), "invalid-input");
    assert!(unknown.body.contains("/items/0/custom_headers/0/value"), "{unknown:?}");

    // The command and a token that may send secrets store them.
    let file = world.file("hook", "sesame-open-hook\n");
    world.harness(&["secret", "set", "hook-key", "--from", &file]);
    assert!(world.harness(&["secret", "list"]).contains("hook-key"));
    let put = |client: &crate::support::Client, name: &str, value: Value| {
        client.put(&format!("/v1/secrets/{name}"), &json!({ "value": value }))
    };
    assert_eq!(put(&client, "other", json!("sesame-open-too")).error(403), "raw-secret");
    let roles = ["--role", "run", "--role", "connect", "--raw-secrets"];
    let raw = server.client(&world.token("raw", &roles));
    let stored = put(&raw, "other", json!("sesame-open-too"));
    assert!(!stored.body.contains("sesame-open"), "{stored:?}");
    stored.expect(200);
    for value in [json!(["sesame-open"]), json!({"a": "sesame-open"}), json!("")] {
        let refused = put(&raw, "third", value);
        assert!(matches!(refused.status, 400 | 422), "{refused:?}");
        assert!(!refused.body.contains("sesame-open"), "{refused:?}");
    }
    let listed = client.get("/v1/secrets").expect(200);
    let names: Vec<&str> = listed["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["hook-key", "other"]);

    world.simulator.clear_requests();
    let result = client.post(&path, &call("run-2", &item));
    assert!(!result.body.contains("sesame-open"), "{result:?}");
    assert_eq!(result.expect(200)["failed"], 0, "{result:?}");
    let sent = world.simulator.requests();
    let bodies: Vec<String> =
        sent.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect();
    assert!(bodies.iter().any(|body| body.contains("sesame-open-hook")), "{bodies:?}");
    assert!(bodies.iter().all(|body| !body.contains("secret:hook-key")), "{bodies:?}");
    // A repeated call is the same call.
    assert_eq!(client.post(&path, &call("run-2", &item)).expect(200)["failed"], 0);
    let changed = secret_action(&world, "secret:other").1;
    assert_eq!(client.post(&path, &call("run-2", &changed)).error(409), "execution-conflict");

    // Other users, other tenants, and policies that do not list it do not find it.
    world.connect(&["--tenant", "other", "--as", "eve"], "work");
    for options in [
        &["--tenant", "other", "--as", "eve", "--role", "run"][..],
        &["--role", "run", "--secret", "another"],
    ] {
        let name = format!("stranger-{}", options.len());
        let stranger = server.client(&world.token(&name, options));
        assert_eq!(stranger.post(&path, &call("run-3", &item)).error(422), "invalid-input");
        assert!(!stranger.get("/v1/secrets").body.contains("hook-key"));
    }
    assert_eq!(client.delete("/v1/secrets/hook-key").expect(200)["status"], "removed");
    assert_eq!(client.delete("/v1/secrets/hook-key").error(404), "not-found");
    assert_eq!(client.post(&path, &call("run-4", &item)).error(422), "invalid-input");
    for text in ["sesame-open-hook", "sesame-open-too"] {
        assert!(!is_on_the_disk(&world, text) && !server.log().contains(text), "{text}");
    }
}
