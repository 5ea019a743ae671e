//! One tenant never sees, uses, names, or infers what belongs to another.

use serde_json::json;

use crate::support::{Answer, Client, EXECUTE, World};

/// Asserts that two answers differ in nothing but a name.
#[track_caller]
fn same(of_other: &Answer, of_none: &Answer, other: &str, none: &str) {
    assert_eq!(of_other.status, of_none.status, "{of_other:?} {of_none:?}");
    assert_eq!(of_other.body.replace(other, none), of_none.body);
    let names = |answer: &Answer| -> Vec<String> {
        let headers = answer.headers.iter().filter(|(name, _)| name != "date");
        headers
            .filter(|(name, _)| name != "content-length")
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    };
    assert_eq!(names(of_other), names(of_none));
}

fn client(world: &World, server: &crate::support::Served, tenant: &str, user: &str) -> Client {
    let roles = ["--role", "run", "--role", "connect"];
    let who = ["--tenant", tenant, "--as", user];
    server.client(&world.token(&format!("{tenant}-{user}"), &[&who[..], &roles].concat()))
}

#[test]
fn a_credential_of_another_tenant_or_user_looks_like_one_that_does_not_exist() {
    let world = World::new();
    world.connect(&["--tenant", "acme", "--as", "ada"], "acmes");
    world.connect(&["--tenant", "acme", "--as", "ada"], "both");
    world.connect(&["--tenant", "other", "--as", "eve"], "both");
    let server = world.serve(&[]);
    let ada = client(&world, &server, "acme", "ada");
    let ben = client(&world, &server, "acme", "ben");
    let eve = client(&world, &server, "other", "eve");
    let names = |client: &Client| {
        let list = client.get("/v1/credentials").expect(200);
        let list = list["credentials"].as_array().unwrap().clone();
        list.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&ada), ["acmes", "both"]);
    assert_eq!(names(&ben), [""; 0], "a private credential is its owner's");
    assert_eq!(names(&eve), ["both"]);
    let call = |credential: &str| json!({"credentials": {"rest": credential}, "items": [{}]});
    let execute = "/v1/plugins/pagerduty/actions/team.list/execute";
    let options = "/v1/plugins/pagerduty/actions/incident.create/options";
    let query = |name: &str| json!({"parameter": "service_id", "credentials": {"rest": name}});
    assert_eq!(ada.post(execute, &call("acmes")).status, 200);
    world.simulator.clear_requests();
    for stranger in [&ben, &eve] {
        for (other, none) in [("acmes", "nosuch"), ("work", "none")] {
            let run = |name: &str| stranger.post(execute, &call(name));
            assert_eq!(run(other).error(422), "credential-not-found");
            same(&run(other), &run(none), other, none);
            let load = |name: &str| stranger.post(options, &query(name));
            same(&load(other), &load(none), other, none);
            let test = |name: &str| {
                stranger.send("POST", &format!("/v1/credentials/{name}/test"), &[], b"")
            };
            assert_eq!(test(other).error(404), "not-found");
            same(&test(other), &test(none), other, none);
        }
    }
    assert!(world.simulator.requests().is_empty(), "nothing was sent for a stranger");
    assert_eq!(eve.post(execute, &call("both")).status, 200);
}

#[test]
fn an_execution_of_another_tenant_or_user_looks_like_one_that_does_not_exist() {
    let world = World::new();
    world.connect(&["--tenant", "acme", "--as", "ada"], "work");
    world.connect(&["--tenant", "other", "--as", "eve"], "work");
    let server = world.serve(&[]);
    let ada = client(&world, &server, "acme", "ada");
    let ben = client(&world, &server, "acme", "ben");
    let eve = client(&world, &server, "other", "eve");
    let call = world.incidents("run-1", 1);
    let of_ada = ada.post(EXECUTE, &call).expect(200);
    for stranger in [&ben, &eve] {
        for path in ["/v1/executions/ID", "/v1/executions/ID/items"] {
            let get = |id: &str| stranger.get(&path.replace("ID", id));
            assert_eq!(get("run-1").error(404), "not-found");
            same(&get("run-1"), &get("run-0"), "run-1", "run-0");
        }
        let delete = |id: &str| stranger.delete(&format!("/v1/executions/{id}"));
        same(&delete("run-1"), &delete("run-0"), "run-1", "run-0");
        assert_eq!(stranger.get("/v1/executions").expect(200)["executions"], json!([]));
    }
    // The same ID of another tenant is another execution, whatever its items are.
    let before = world.simulator.us().incident_count();
    let of_eve = eve.post(EXECUTE, &call).expect(200);
    assert_ne!(of_ada["items"], of_eve["items"]);
    assert_eq!(world.simulator.us().incident_count(), before + 1);
    assert_eq!(ada.post(EXECUTE, &call).expect(200), of_ada);
    assert_eq!(eve.get("/v1/executions").expect(200)["executions"].as_array().unwrap().len(), 1);
    // No metric names a tenant, a user, or a credential.
    let monitor = server.client(&world.token("monitor", &["--role", "monitor"]));
    let metrics = monitor.get("/metrics").body;
    assert!(metrics.contains("harness_items_total{plugin=\"pagerduty\",status=\"ok\"} 2"));
    let metrics = metrics.replace("event", "");
    for name in ["acme", "ada", "eve", "work", "run-1"] {
        assert!(!metrics.contains(name), "{name}");
    }
    let log = server.log();
    assert!(log.contains("token_name=\"acme-ada\""), "requests are audited: {log}");
}
