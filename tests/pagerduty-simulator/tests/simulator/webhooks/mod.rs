//! Webhooks: recipients, content, order, and repetition.

mod controls;
mod deliveries;
mod failures;

use std::time::Duration;

use pagerduty_simulator::{Simulator, facts};
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::world::{World, reference};

pub(crate) const SOON: Duration = Duration::from_millis(5);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A simulator with examples that retries immediately.
pub(crate) async fn world() -> World {
    let builder = Simulator::builder()
        .without_rate_limits()
        .examples(true)
        .webhook_answer_limit(Duration::from_millis(300))
        .webhook_backoff(SOON, SOON);
    World::of(builder.start().await.unwrap()).await
}

pub(crate) fn every_event() -> Vec<&'static str> {
    let events = facts::webhook_events().iter().filter(|one| one.data_type != "ping");
    events.map(|one| one.event_type.as_str()).collect()
}

pub(crate) fn subscription(url: &str, events: &[&str], filter: Value) -> Value {
    json!({"webhook_subscription": {
        "type": "webhook_subscription", "events": events, "filter": filter,
        "delivery_method": {"type": "http_delivery_method", "url": url},
    }})
}

pub(crate) fn account() -> Value {
    json!({"type": "account_reference"})
}

/// Subscribes to all events of the account; returns the path and the secret.
pub(crate) async fn subscribe(world: &World, receiver: &Receiver) -> (String, String) {
    let body = subscription(&receiver.url("/hook"), &every_event(), account());
    let made = world.post("/webhook_subscriptions", body).await["webhook_subscription"].clone();
    let secret = made["delivery_method"]["secret"].as_str().unwrap().to_owned();
    (format!("/webhook_subscriptions/{}", made["id"].as_str().unwrap()), secret)
}

pub(crate) fn subscription_id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// Creates an incident on the example service and returns its path.
pub(crate) async fn incident(world: &World) -> String {
    let body = json!({"incident": {
        "type": "incident", "title": "It burns", "service": reference("service"),
    }});
    let made = world.post("/incidents", body).await["incident"]["id"].clone();
    format!("/incidents/{}", made.as_str().unwrap())
}

pub(crate) async fn change(world: &World, incident: &str, mut change: Value) {
    change["type"] = json!("incident");
    world.put(incident, json!({"incident": change})).await;
}
