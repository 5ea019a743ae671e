//! Permissions of tokens, their expiration, and their revocation.

use serde_json::json;

use crate::support::{EXECUTE, World, until};

#[test]
fn a_request_without_a_valid_token_learns_nothing() {
    let world = World::new();
    let server = world.serve(&[]);
    let anybody = server.anybody();
    for path in ["/v1/health", "/v1/plugins", "/v1/credentials", "/v1/executions/x", "/metrics"] {
        let answer = anybody.get(path);
        assert_eq!(answer.error(401), "unauthenticated", "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let token = world.full_token();
    let mut wrong = token.clone();
    let last = if wrong.pop() == Some('A') { 'B' } else { 'A' };
    wrong.push(last);
    for wrong in [wrong.as_str(), "x", "wnt_0000000000000000_AAAA"] {
        assert_eq!(server.client(wrong).get("/v1/health").error(401), "unauthenticated");
    }
    for open in ["/healthz", "/readyz", "/v1/openapi.json"] {
        assert_eq!(anybody.get(open).status, 200, "{open}");
    }
    assert_eq!(server.client(&token).get("/v1/health").status, 200);
    assert!(!server.log().contains(&token), "a token is in the log");
}

#[test]
fn a_token_ends_when_it_expires_or_is_revoked_while_the_server_runs() {
    let world = World::new();
    let server = world.serve(&[]);
    let short = world.token("short", &["--role", "run", "--expires", "2s"]);
    assert_eq!(server.client(&short).get("/v1/health").status, 200);
    until("the end of the token", || server.client(&short).get("/v1/health").status == 401);
    let token = world.token("n8n", &["--role", "run"]);
    assert_eq!(server.client(&token).get("/v1/health").status, 200);
    world.harness(&["token", "revoke", "n8n"]);
    assert_eq!(server.client(&token).get("/v1/health").error(401), "unauthenticated");
    let listed = world.harness(&["token", "list", "--format", "json"]);
    assert!(listed.contains("n8n") && !listed.contains(&token), "{listed}");
}

#[test]
fn roles_are_apart() {
    let world = World::new();
    let server = world.serve(&[]);
    let call = world.incidents("run-1", 1);
    let approval = "/v1/plugins/pagerduty/approval";
    let status_of = |token: &str| {
        let client = server.client(token);
        [
            client.post(EXECUTE, &call).status,
            client.get("/v1/executions").status,
            client.send("POST", "/v1/credentials/work/test", &[], b"").status,
            client.get(approval).status,
            client.get("/metrics").status,
        ]
    };
    let token = |role: &str| world.token(role, &["--role", role]);
    assert_eq!(status_of(&token("run")), [200, 200, 403, 403, 403]);
    assert_eq!(status_of(&token("connect")), [403, 403, 200, 403, 403]);
    assert_eq!(status_of(&token("approve")), [403, 403, 403, 200, 403]);
    assert_eq!(status_of(&token("monitor")), [403, 403, 403, 403, 200]);
    let none = world.token("none", &[]);
    assert_eq!(status_of(&none), [403; 5]);
    assert_eq!(server.client(&none).get("/v1/plugins/pagerduty/actions").status, 200);
}

#[test]
fn a_policy_narrows_actions_effects_credentials_and_destinations() {
    let world = World::new();
    world.connect(&[], "other");
    let server = world.serve(&[]);
    let run = ["--role", "run"];
    let token = |name: &str, more: &[&str]| world.token(name, &[&run[..], more].concat());
    let call = |client: &crate::support::Client, action: &str, credential: &str| {
        let path = format!("/v1/plugins/pagerduty/actions/{action}/execute");
        client.post(&path, &json!({"credentials": {"rest": credential}, "items": [{}]}))
    };
    let services = server.client(&token("services", &["--action", "service.*"]));
    assert_eq!(call(&services, "service.list", "work").status, 200);
    assert_eq!(call(&services, "team.list", "work").error(403), "not-permitted");
    let listed = services.get("/v1/plugins/pagerduty/actions?limit=500").expect(200);
    let all = listed["actions"].as_array().unwrap();
    assert!(all.iter().all(|one| one["name"].as_str().unwrap().starts_with("service.")));

    let reads = server.client(&token("reads", &["--effect", "read"]));
    assert_eq!(call(&reads, "team.list", "work").status, 200);
    assert_eq!(reads.post(EXECUTE, &world.incidents("x", 1)).error(403), "not-permitted");

    let work = server.client(&token("work", &["--credential", "work"]));
    assert_eq!(call(&work, "team.list", "work").status, 200);
    let refused = call(&work, "team.list", "other");
    assert_eq!(refused.error(422), "credential-not-found");
    let unknown = call(&work, "team.list", "nosuch");
    assert_eq!(refused.body.replace("other", "nosuch"), unknown.body);
    let listed = work.get("/v1/credentials").expect(200);
    assert_eq!(listed["credentials"].as_array().unwrap().len(), 1);

    let nowhere = server.client(&token("nowhere", &["--destination", "https://example.com"]));
    world.simulator.clear_requests();
    let result = call(&nowhere, "team.list", "work");
    assert_eq!(result.expect(200)["items"][0]["error"]["kind"], "denied-by-host");
    assert!(world.simulator.requests().is_empty());

    let none = server.client(&token("none", &["--plugin", "other"]));
    assert_eq!(none.get("/v1/plugins").expect(200)["plugins"], json!([]));
    assert_eq!(none.get("/v1/plugins/pagerduty/actions").error(404), "not-found");
}

#[test]
fn a_policy_of_the_configuration_file_holds_as_it_is_when_the_server_starts() {
    let world = World::new();
    let config = |roles: &str| {
        let text = format!("listen = ['127.0.0.1:0']\n[policies.n8n]\nroles = [{roles}]\n");
        world.file("serve.toml", &text)
    };
    let path = config("'run'");
    let token = world.token("n8n", &["--policy", "n8n", "--config", &path]);
    let server = world.serve(&["--config", &path]);
    assert_eq!(server.client(&token).get("/v1/executions").status, 200);
    drop(server);
    let server = world.serve(&["--config", &config("'connect'")]);
    assert_eq!(server.client(&token).get("/v1/executions").error(403), "not-permitted");
    drop(server);
    let server = world.serve(&[]);
    assert_eq!(server.client(&token).get("/v1/executions").error(401), "unauthenticated");
    let unknown = world.command(&["token", "create", "x", "--policy", "y", "--config", &path]);
    assert_eq!({ unknown }.output().unwrap().status.code(), Some(2));
}

#[test]
fn secrets_in_parameters_are_refused_unless_the_policy_allows_them() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    // An action whose form has a secret.
    let approval = client.get("/v1/plugins/pagerduty/approval").expect(200);
    let hidden = approval["request"]["hidden"].as_object().unwrap();
    let (action, place) = hidden
        .iter()
        .filter(|(name, _)| {
            client.get(&format!("/v1/plugins/pagerduty/actions/{name}")).status == 200
        })
        .flat_map(|(name, places)| places.as_object().unwrap().keys().map(move |one| (name, one)))
        .find(|(_, place)| !place.contains('*'))
        .expect("an action has a secret as a parameter");
    let place = format!("/{}", place.trim_start_matches('/'));
    let inside = |item, name: &str| json!({ name: item });
    let item = place.split('/').skip(1).collect::<Vec<_>>().into_iter();
    let item = item.rev().fold(json!("a-secret-of-the-user"), inside);
    let path = format!("/v1/plugins/pagerduty/actions/{action}/execute");
    let call = json!({
        "credentials": {"rest": "work"},
        "items": [item],
        "options": {"continue_on_fail": true},
    });
    world.simulator.clear_requests();
    let refused = client.post(&path, &call);
    assert_eq!(refused.error(403), "raw-secret");
    assert!(refused.body.contains(&format!("/items/0{place}")), "{refused:?}");
    assert!(!refused.body.contains("a-secret-of-the-user"));
    assert!(world.simulator.requests().is_empty());
    let allowed = world.token("raw", &["--role", "run", "--raw-secrets"]);
    assert_ne!(server.client(&allowed).post(&path, &call).status, 403);
}
