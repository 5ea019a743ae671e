//! A simulator with examples and a connection to it, for tests of the behavior of operations.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pagerduty_simulator::{Origin, Simulator, examples};
use serde_json::{Value, json};

use crate::client::{Answer, Line, ask, line};

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    line: Line,
}

pub(crate) async fn world() -> World {
    let builder = Simulator::builder().without_rate_limits().examples(true);
    World::of(builder.start().await.unwrap()).await
}

/// The ID of the first example of a resource.
pub(crate) fn id(resource: &str) -> String {
    examples::id(resource, 1)
}

/// A reference to the first example of a resource.
pub(crate) fn reference(resource: &str) -> Value {
    json!({"id": id(resource), "type": format!("{resource}_reference")})
}

impl World {
    pub(crate) async fn of(simulator: Simulator) -> Self {
        let line = line(&simulator).await;
        Self { simulator, line }
    }

    pub(crate) async fn send(&self, method: &str, target: &str, body: Option<&Value>) -> Answer {
        let ask = ask(&self.simulator, method, target);
        let ask = if let Some(body) = body { ask.json(body) } else { ask };
        ask.send_on(&self.line).await
    }

    /// A successful response with a body.
    async fn done(&self, method: &str, target: &str, body: Option<&Value>) -> Value {
        let answer = self.send(method, target, body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!((200..300).contains(&answer.status), "{method} {target}: {} {text}", answer.status);
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    pub(crate) async fn get(&self, target: &str) -> Value {
        self.done("GET", target, None).await
    }

    pub(crate) async fn post(&self, target: &str, body: Value) -> Value {
        self.done("POST", target, Some(&body)).await
    }

    pub(crate) async fn put(&self, target: &str, body: Value) -> Value {
        self.done("PUT", target, Some(&body)).await
    }

    /// A verb without a body.
    pub(crate) async fn call(&self, method: &str, target: &str) -> Value {
        self.done(method, target, None).await
    }

    pub(crate) async fn delete(&self, target: &str) -> u16 {
        self.send("DELETE", target, None).await.status
    }

    /// The status and code of a refusal.
    pub(crate) async fn refused(&self, method: &str, target: &str, body: Value) -> (u16, i64) {
        let body = Some(body).filter(|body| !body.is_null());
        self.send(method, target, body.as_ref()).await.error()
    }

    pub(crate) fn nothing_noted(&self) {
        assert_eq!(self.simulator.violations(), Vec::<String>::new());
    }
}

/// The IDs of a list.
pub(crate) fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

/// A time this many minutes from now.
pub(crate) fn at(minutes: i64) -> String {
    Timestamp::now().checked_add(SignedDuration::from_mins(minutes)).unwrap().to_string()
}

/// This many minutes.
pub(crate) fn minutes(number: u64) -> Duration {
    Duration::from_secs(number * 60)
}

/// Sends an event to the Events API.
pub(crate) async fn event(world: &World, routing_key: &str, key: &str) -> u16 {
    let event = json!({
        "routing_key": routing_key, "event_action": "trigger", "dedup_key": key,
        "payload": {"summary": "Disk is full", "source": "db-1", "severity": "error"},
    });
    let ask = ask(&world.simulator, "POST", "/v2/enqueue").origin(Origin::EventsUs);
    ask.header("authorization", "").json(&event).send().await.status
}

/// The body of a service, with optional members.
pub(crate) fn service(more: Value) -> Value {
    let mut service = json!({
        "type": "service", "name": "Queue", "escalation_policy": reference("escalation_policy"),
    });
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"service": service})
}
