//! Lists from which an engine builds its forms.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, World};

/// All entries of a list, page by page.
fn all(client: &Client, path: &str, member: &str, limit: usize) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}limit={limit}{cursor}")).expect(200);
        let list = page[member].as_array().unwrap();
        assert!(list.len() <= limit);
        entries.extend(list.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return entries,
        }
    }
}

#[test]
fn an_engine_finds_plugins_resources_actions_triggers_and_forms() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());

    let health = client.get("/v1/health").expect(200);
    assert_eq!((&health["api"], &health["token"]["name"]), (&json!("v1"), &json!("full")));
    assert_eq!(health["token"]["plugins"], json!(["pagerduty"]));

    let plugins = client.get("/v1/plugins").expect(200);
    assert_eq!(plugins["plugins"][0]["name"], "pagerduty");
    assert_eq!(plugins["plugins"][0]["approved"], true);
    assert!(plugins["plugins"][0]["digest"].as_str().unwrap().starts_with("sha256:"));

    let names = |list: &[Value]| -> Vec<String> {
        list.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    let path = "/v1/plugins/pagerduty/actions?";
    let actions = names(&all(&client, path, "actions", 100));
    assert_eq!(actions.iter().collect::<BTreeSet<_>>().len(), actions.len(), "each action once");
    assert!(actions.len() > 200 && actions.contains(&"incident.create".to_owned()));
    assert_eq!(actions, names(&all(&client, path, "actions", 500)), "whatever the pages are");

    let resources = names(&all(&client, "/v1/plugins/pagerduty/resources?", "resources", 10));
    assert!(resources.contains(&"incident".to_owned()));
    let of_resource = "/v1/plugins/pagerduty/actions?resource=incident&";
    for action in all(&client, of_resource, "actions", 50) {
        assert_eq!(action["resource"], "incident");
    }
    let found = client.get("/v1/plugins/pagerduty/actions?search=SNOOZE").expect(200);
    assert!(names(found["actions"].as_array().unwrap()).contains(&"incident.snooze".to_owned()));

    let action = client.get("/v1/plugins/pagerduty/actions/incident.create").expect(200);
    assert_eq!((&action["effect"], &action["idempotency"]), (&json!("create"), &json!("keyed")));
    assert_eq!(action["slots"]["rest"]["required"], true);
    assert!(action["form"]["properties"]["title"].is_object());
    jsonschema::draft202012::meta::validate(&action["form"]).expect("the form is a schema");
    let references = action["form"].to_string().contains("\"$ref\":\"#/$defs/");
    assert!(!references, "references are inlined");

    let triggers = client.get("/v1/plugins/pagerduty/triggers").expect(200);
    let trigger = triggers["triggers"][0]["name"].as_str().unwrap();
    let trigger = client.get(&format!("/v1/plugins/pagerduty/triggers/{trigger}")).expect(200);
    assert!(trigger["form"].is_object() && trigger["delivery"].is_string());

    for missing in [
        "/v1/plugins/other/actions",
        "/v1/plugins/pagerduty/actions/incident.explode",
        "/v1/plugins/pagerduty/triggers/explosion",
        "/v1/other",
    ] {
        assert_eq!(client.get(missing).error(404), "not-found", "{missing}");
    }
    for wrong in ["limit=0", "limit=x", "limit=-1", "cursor=!", "cursor=AAAA"] {
        let answer = client.get(&format!("/v1/plugins/pagerduty/actions?{wrong}"));
        assert_eq!(answer.error(400), "invalid-request", "{wrong}");
    }
    assert_eq!(client.delete("/v1/plugins").error(405), "method-not-allowed");
}

#[test]
fn choices_and_tests_of_credentials_come_from_the_service() {
    let world = World::new();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let options = "/v1/plugins/pagerduty/actions/incident.create/options";
    let query = json!({"parameter": "service_id", "credentials": {"rest": "work"}, "limit": 2});
    let choices = client.post(options, &query).expect(200);
    assert!(choices["choices"][0]["label"].is_string(), "{choices}");
    let services = world.simulator.us().services();
    assert!(services.iter().any(|service| choices["choices"][0]["value"] == service.id.as_str()));
    let missing = json!({"parameter": "service_id", "credentials": {"rest": "none"}});
    assert_eq!(client.post(options, &missing).error(422), "credential-not-found");
    let no_field = json!({"parameter": "colour", "credentials": {"rest": "work"}});
    assert_eq!(client.post(options, &no_field).error(404), "not-found");

    let credentials = client.get("/v1/credentials?plugin=pagerduty&slot=rest").expect(200);
    assert_eq!(credentials["credentials"][0]["name"], "work");
    assert_eq!(credentials["credentials"][0]["status"], "connected");
    let of_events = client.get("/v1/credentials?plugin=pagerduty&slot=events").expect(200);
    assert_eq!(of_events["credentials"], json!([]), "an API token does not fit the slot");
    let tested = client.send("POST", "/v1/credentials/work/test", &[], b"").expect(200);
    assert_eq!(tested["name"], "work");
    let key = world.simulator.us().keys().account;
    assert!(!credentials.to_string().contains(&key) && !tested.to_string().contains(&key));
    assert!(world.simulator.us().revoke(&key));
    let refused = client.send("POST", "/v1/credentials/work/test", &[], b"");
    assert_eq!(refused.error(422), "unauthenticated");
}

#[test]
fn a_component_is_approved_by_its_digest() {
    let world = World::new();
    std::fs::remove_file(world.path("data/approvals.json")).unwrap();
    let server = world.serve(&[]);
    let client = server.client(&world.full_token());
    let path = "/v1/plugins/pagerduty/approval";
    let approval = client.get(path).expect(200);
    assert_eq!(approval["approved"], false);
    assert!(approval["request"]["origins"].to_string().contains("https://api.pagerduty.com"));
    let call = world.incidents("run-1", 1);
    assert_eq!(client.post(crate::support::EXECUTE, &call).error(403), "not-approved");
    let order = |digest: &Value| json!({ "digest": digest }).to_string();
    let json = [("content-type", "application/json")];
    let other = order(&json!(format!("sha256:{}", "0".repeat(64))));
    let refused = client.send("PUT", path, &json, other.as_bytes());
    assert_eq!(refused.error(409), "digest-conflict");
    let approve = order(&approval["digest"]);
    for _ in 0..2 {
        let approved = client.send("PUT", path, &json, approve.as_bytes()).expect(200);
        assert_eq!(approved["approved"], true);
    }
    let recorded = std::fs::read_to_string(world.path("data/approvals.json")).unwrap();
    assert!(recorded.contains("token full"), "who approved it is recorded: {recorded}");
    assert_eq!(client.post(crate::support::EXECUTE, &call).expect(200)["status"], "finished");
}
