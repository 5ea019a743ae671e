//! Triggers: the webhook subscription, and polling.

mod changes;
mod event;
mod log;
mod shape;
mod shifts;

use serde_json::{Map, Value};
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::json;
use workflow_node_sdk::trigger::{Delivery, Health, Page, Polls, Received, Subscription, Webhooks};

use crate::PagerDuty;

impl Webhooks for PagerDuty {
    async fn setup(subscription: Subscription) -> Result<Value, Error> {
        event::setup(&subscription).await
    }

    async fn check(subscription: Subscription) -> Result<Health, Error> {
        event::check(&subscription).await
    }

    async fn teardown(subscription: Subscription) -> Result<(), Error> {
        event::teardown(&subscription).await
    }

    async fn receive(subscription: Subscription, delivery: Delivery) -> Result<Received, Error> {
        event::receive(&subscription, &delivery)
    }
}

impl Polls for PagerDuty {
    async fn poll(subscription: Subscription, cursor: Option<Value>) -> Result<Page, Error> {
        match subscription.form.name {
            "incident.changed" => changes::poll(&subscription, cursor).await,
            "log_entry.created" => log::poll(&subscription, cursor).await,
            "on_call.changed" => shifts::poll(&subscription, cursor).await,
            name => {
                let message = ["`", name, "` is not polled"].concat();
                Err(Error::new(ErrorKind::Unsupported, message))
            }
        }
    }
}

/// A record as an action returns it: in full, or flat if the subscription asks for it.
fn shown(subscription: &Subscription, action: &str, record: &Value) -> Result<Value, Error> {
    if !subscription.flag("simplify") {
        return Ok(record.clone());
    }
    let mut parameters = Map::new();
    parameters.insert("simplify".to_owned(), true.into());
    let output = subscription.task(action, parameters)?.output(&json::text(record));
    Ok(json::value(&output.json).unwrap_or_default())
}

/// The id in a reference.
fn id(reference: &Value) -> Option<&str> {
    reference.get("id")?.as_str()
}

/// Whether one of the IDs is selected; an empty selection means all.
fn is_wanted<'a>(wanted: &[&str], mut ids: impl Iterator<Item = &'a str>) -> bool {
    wanted.is_empty() || ids.any(|id| wanted.contains(&id))
}
