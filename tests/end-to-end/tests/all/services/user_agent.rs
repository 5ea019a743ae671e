//! Who a request says that it is from.

use end_to_end::service::Reply;
use end_to_end::{error, values};
use serde_json::json;

use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_the_host_and_the_node_unless_the_node_says_otherwise() {
    let world = World::new(|_| Reply::json(200, json!({}))).await;
    values(&world.run("token", "thing.get", json!({})).await, 0);
    values(
        &world.run("token", "thing.get", json!({"user_agent": "Mine/1.0 (me@a.test)"})).await,
        0,
    );
    let sent = world.service.requests();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        sent[0].header("user-agent"),
        Some(&*format!("workflow-node-host/{version} service/3"))
    );
    assert_eq!(sent[1].header("user-agent"), Some("Mine/1.0 (me@a.test)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_agent_that_is_too_long_or_holds_more_than_a_header_is_refused() {
    let world = World::new(|_| Reply::json(200, json!({}))).await;
    for item in [
        json!({"user_agent": "x".repeat(257)}),
        json!({"user_agent": "a\r\nX-Injected: 1"}),
        json!({"user_agent": "a\u{7f}"}),
        json!({"user_agent": "sn\u{f6}w"}),
        json!({"user_agent": "a", "again": "b"}),
    ] {
        let outcome = world.run("token", "thing.get", item.clone()).await;
        assert_eq!(error(&outcome, 0).kind, "invalid-input", "{item}: {outcome:?}");
    }
    assert_eq!(world.service.requests().len(), 0);
}
