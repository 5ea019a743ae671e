//! The triggers: a signed webhook whose secret the service issues, and a poll. Without the SDK's help.

use workflow_node_sdk::bindings::exports::workflow::node::trigger::{
    Delivery, Event, Guest, Health, Page, Received, Subscription,
};
use workflow_node_sdk::bindings::workflow::node::http;
use workflow_node_sdk::bindings::workflow::node::types::{Error, ErrorKind};
use workflow_node_sdk::{Map, Value, json};

use crate::run::{API, error, refused, unanswered, unreadable};
use crate::{Judged, breaks};

/// The document.
fn described() -> String {
    let output = r#"{"type":"object","properties":{"id":{"type":"string","title":"ID","description":"ID of the change."},"name":{"type":"string","title":"Name","description":"Name of the thing."}},"required":["id","name"]}"#;
    let form = r#"{"type":"object","properties":{"name":{"type":"string","minLength":1,"title":"Name","description":"Name of the things to hear of."}}}"#;
    let trigger = |name: &str, title: &str, about: &str, delivery: &str| {
        format!(
            r#"{{"name":"{name}","version":1,"title":"{title}","description":"{about}","slots":{{"main":{{"required":true}}}},"parameters":{form},"output":{output},"delivery":{delivery},"examples":[{{"title":"Lamps","parameters":{{"name":"Lamp"}}}}]}}"#
        )
    };
    let webhook = r#"{"kind":"webhook","signature":{"scheme":"hmac-sha256","header":"X-Signature","encoding":"hex","secret":"hook-secret","pointer":"/secret"}}"#;
    let poll = r#"{"kind":"poll","interval_ms":60000}"#;
    format!(
        r#"{{"triggers":[{},{}]}}"#,
        trigger(
            "thing.changed",
            "When a thing changes",
            "Starts a workflow for every change.",
            webhook
        ),
        trigger(
            "thing.added",
            "When a thing is added",
            "Starts a workflow for every new thing.",
            poll
        )
    )
}

fn send(method: &str, path: &str, body: Option<String>) -> Result<http::Response, Error> {
    let is_write = method != "GET";
    let response = http::send(&http::Request {
        method: method.into(),
        url: [API, path].concat(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.map(String::into_bytes),
        credential: Some("main".into()),
        timeout: None,
        idempotency_key: None,
    });
    let response = response.map_err(|error| unanswered(&error, is_write))?;
    if response.status < 300 { Ok(response) } else { Err(refused(&response, is_write)) }
}

fn object(response: &http::Response) -> Result<Map<String, Value>, Error> {
    json::object(&response.body).ok_or_else(|| unreadable(false))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member of the state of a subscription.
fn kept(subscription: &Subscription, name: &str) -> String {
    let state = subscription.state.as_deref().and_then(json::object);
    state.map(|state| text(&state, name).to_owned()).unwrap_or_default()
}

fn state(hook: &Map<String, Value>) -> String {
    let mut state = Map::new();
    state.insert("id".into(), text(hook, "id").into());
    state.insert("secret".into(), text(hook, "secret").into());
    Value::Object(state).to_string()
}

fn event(record: &Map<String, Value>, has_key: bool) -> Event {
    let mut event = Map::new();
    for name in ["id", "name"] {
        event.insert(name.into(), text(record, name).into());
    }
    Event {
        json: Value::Object(event).to_string(),
        dedup_key: has_key.then(|| text(record, "id").to_owned()),
        occurred: None,
    }
}

impl Guest for Judged {
    fn describe() -> String {
        described()
    }

    fn setup(subscription: Subscription) -> Result<String, Error> {
        let url = subscription.callback_url.clone().unwrap_or_default();
        if url.is_empty() {
            return Ok("{}".to_owned());
        }
        let all = object(&send("GET", "/hooks", None)?)?;
        let Some(Value::Array(hooks)) = all.get("hooks") else { return Err(unreadable(false)) };
        let known = hooks.iter().filter_map(Value::as_object).find(|hook| text(hook, "url") == url);
        let mut hook = Map::new();
        hook.insert("url".into(), url.into());
        let body = Some(Value::Object(hook).to_string());
        let response = match known.filter(|_| !breaks("trigger-setup")) {
            Some(hook) => send("PUT", &["/hooks/", text(hook, "id")].concat(), body)?,
            None => send("POST", "/hooks", body)?,
        };
        Ok(state(&object(&response)?))
    }

    fn check(subscription: Subscription) -> Result<Health, Error> {
        match send("GET", &["/hooks/", &kept(&subscription, "id")].concat(), None) {
            Ok(_) => Ok(Health::Active),
            Err(error) if error.http_status == Some(404) => Ok(Health::Missing),
            Err(error) => Err(error),
        }
    }

    fn teardown(subscription: Subscription) -> Result<(), Error> {
        match send("DELETE", &["/hooks/", &kept(&subscription, "id")].concat(), None) {
            Ok(_) => Ok(()),
            Err(error) if error.http_status == Some(404) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn receive(_: Subscription, delivery: Delivery) -> Result<Received, Error> {
        let record = json::object(&delivery.body).filter(|record| record.contains_key("id"));
        let Some(record) = record else {
            return Err(error(ErrorKind::InvalidInput, "The delivery has no change."));
        };
        let events = vec![event(&record, !breaks("trigger-deliveries"))];
        Ok(Received { events, reply: None })
    }

    fn poll(_: Subscription, cursor: Option<String>) -> Result<Page, Error> {
        let now = r#""polled""#.to_owned();
        if cursor.is_none() {
            return Ok(Page { events: Vec::new(), cursor: now, more: false });
        }
        let all = object(&send("GET", "/things?sort=new", None)?)?;
        let Some(Value::Array(things)) = all.get("things") else { return Err(unreadable(false)) };
        let things = things.iter().filter_map(Value::as_object);
        let events = things.map(|thing| event(thing, !breaks("trigger-polling"))).collect();
        Ok(Page { events, cursor: now, more: false })
    }
}
