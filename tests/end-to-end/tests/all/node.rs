//! The PagerDuty node through the real component, host and sockets.

use end_to_end::{World, error, values};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn services_are_listed() {
    let world = World::new().await;
    let outcome = world.run("service.list", &[json!({})]).await;
    let services = values(&outcome, 0);
    assert_eq!(services.len(), world.us().services().len());
    assert_eq!(outcome.requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_incident_is_not_found() {
    let world = World::new().await;
    let outcome = world
        .run("incident.get", &[json!({"incident_id": "QNONE"})])
        .await;
    let error = error(&outcome, 0);
    assert_eq!(error.kind, "not-found");
    assert_eq!(error.http_status, Some(404));
}
