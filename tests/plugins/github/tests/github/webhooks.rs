use github::Github;
use workflow_node_sdk::json;
use workflow_node_sdk::testing::{Host, Subscription, answer};
use workflow_node_sdk::trigger::{Delivery, Health};

fn connected(host: Host) -> Host {
    host.connected::<Github>("main", "token", json!({}))
}

fn subscription() -> Subscription {
    let parameters = json!({ "owner": "o", "repository": "r", "events": ["issues"] });
    Subscription::new("repository.event", parameters).callback_url("https://hooks.test/1")
}

#[test]
fn a_webhook_is_created_once_and_repaired_after_that() {
    let host = connected(Host::scripted([answer(200, "[]"), answer(201, r#"{"id":12}"#)]));
    let state = host.setup::<Github>(&subscription()).unwrap();
    assert_eq!(state["id"], "12");
    let created = &host.sent()[1];
    assert_eq!((created.method.as_str(), created.path()), ("POST", "/repos/o/r/hooks"));
    let body = created.json();
    assert_eq!(body["events"], json!(["issues"]));
    assert_eq!(body["config"]["url"], "https://hooks.test/1");

    let hooks = r#"[{"id":12,"config":{"url":"https://hooks.test/1"}}]"#;
    let host = connected(Host::scripted([answer(200, hooks), answer(200, r#"{"id":12}"#)]));
    assert_eq!(host.setup::<Github>(&subscription()).unwrap()["id"], "12");
    assert_eq!(host.sent()[1].method, "PATCH");
    assert_eq!(host.sent()[1].path(), "/repos/o/r/hooks/12");
}

#[test]
fn a_deleted_webhook_is_reported_as_missing_and_can_be_removed() {
    let kept = subscription().state(json!({ "id": "12" }));
    let check = |response| connected(Host::scripted([response])).check::<Github>(&kept).unwrap();
    assert_eq!(check(answer(200, r#"{"active":true}"#)), Health::Active);
    assert_eq!(check(answer(200, r#"{"active":false}"#)), Health::Disabled);
    assert_eq!(check(answer(404, "{}")), Health::Missing);
    let host = connected(Host::scripted([answer(404, "{}")]));
    host.teardown::<Github>(&kept).unwrap();
    assert_eq!(host.only_request().method, "DELETE");
}

#[test]
fn a_delivery_becomes_an_event_with_its_payload_unchanged() {
    let host = connected(Host::scripted([]));
    let delivery = Delivery::post(r#"{"action":"opened","issue":{"number":1.0}}"#)
        .header("X-GitHub-Event", "issues")
        .header("X-GitHub-Delivery", "d-1");
    let received = host.receive::<Github>(&subscription(), delivery).unwrap();
    assert_eq!(received.events[0].dedup_key.as_deref(), Some("d-1"));
    assert!(
        received.events[0].json.contains(r#""payload":{"action":"opened","issue":{"number":1.0}}"#)
    );
    assert_eq!(received.events[0].value()["action"], "opened");

    let ping = Delivery::post(r#"{"zen":"Keep it simple."}"#).header("X-GitHub-Event", "ping");
    assert!(host.receive::<Github>(&subscription(), ping).unwrap().events.is_empty());
}
