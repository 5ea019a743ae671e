//! Calls of triggers.

use serde_json::{Map, Value};

use super::{Host, schemas};
use crate::bindings::exports::workflow::node::trigger as contract;
use crate::error::Error;
use crate::json;
use crate::node::Plugin;
use crate::trigger::{self, Code, Delivery, Event, Health, Page, Polls, Received, Webhooks};

/// One workflow's subscription to a trigger, in a test.
///
/// ```
/// use serde_json::json;
/// use workflow_node_sdk::testing::Subscription;
///
/// let subscription = Subscription::new("pushed", json!({ "repository": "R1" }))
///     .callback_url("https://hooks.test/1")
///     .state(json!({ "id": "W1" }));
/// # let _ = subscription;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Subscription {
    trigger: String,
    version: Option<u32>,
    parameters: Value,
    callback_url: Option<String>,
    state: Option<Value>,
    options: Map<String, Value>,
}

impl Subscription {
    /// Creates a subscription to a trigger with these parameters.
    pub fn new(trigger: impl Into<String>, parameters: Value) -> Self {
        Self {
            trigger: trigger.into(),
            version: None,
            parameters,
            callback_url: None,
            state: None,
            options: Map::new(),
        }
    }

    /// Sets the URL that the service delivers to.
    pub fn callback_url(mut self, url: impl Into<String>) -> Self {
        self.callback_url = Some(url.into());
        self
    }

    /// Sets the state that the last [`Host::setup`] returned.
    pub fn state(mut self, state: Value) -> Self {
        self.state = Some(state);
        self
    }

    /// Sets about how many events a poll returns at most.
    pub fn limit(mut self, events: usize) -> Self {
        self.options.insert("limit".into(), events.into());
        self
    }

    /// Sets the version of the trigger that the workflow was built with; by default, the newest.
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    fn raw<P: Plugin>(&self) -> contract::Subscription {
        let newest = P::declaration().trigger(&self.trigger).map_or(1, |form| form.version);
        contract::Subscription {
            trigger: self.trigger.clone(),
            version: self.version.unwrap_or(newest),
            parameters: self.parameters.to_string(),
            callback_url: self.callback_url.clone(),
            state: self.state.as_ref().map(Value::to_string),
            options: Value::Object(self.options.clone()).to_string(),
        }
    }
}

impl Host {
    /// Creates or repairs the webhook, and returns the state of the subscription.
    ///
    /// ```
    /// # use workflow_node_sdk::{Value, declare::*, error::Error, http::{self, Request}};
    /// # use workflow_node_sdk::node::{Declares, Plugin};
    /// # use workflow_node_sdk::trigger::{Delivery, Event, Health, Received, Subscription as Sub, Webhooks};
    /// use serde_json::json;
    /// use workflow_node_sdk::testing::{Host, Subscription, answer};
    /// # struct Git;
    /// # static NODE: Node = Node::builder("git", "Git", "").origins(&["https://api.test"])
    /// #     .triggers(&[Trigger::webhook("pushed", "", "", Default::default)]).build();
    /// # impl Plugin for Git { fn declaration() -> &'static dyn Declares { &NODE } }
    /// # async fn send(method: &str, path: &str) -> Result<Value, Error> {
    /// #     let request = Request::new(method, ["https://api.test", path].concat());
    /// #     let response = http::send(&request).await.map_err(|error| Error::from_send(error, &request))?;
    /// #     Ok(response.object()?.into())
    /// # }
    /// # impl Webhooks for Git {
    /// #     async fn setup(_: Sub) -> Result<Value, Error> { send("POST", "/hooks").await }
    /// #     async fn check(sub: Sub) -> Result<Health, Error> {
    /// #         let hook = send("GET", &["/hooks/", sub.kept("id").unwrap()].concat()).await?;
    /// #         Ok(if hook["active"] == true { Health::Active } else { Health::Disabled })
    /// #     }
    /// #     async fn teardown(sub: Sub) -> Result<(), Error> {
    /// #         send("DELETE", &["/hooks/", sub.kept("id").unwrap()].concat()).await.map(drop)
    /// #     }
    /// #     async fn receive(_: Sub, delivery: Delivery) -> Result<Received, Error> {
    /// #         let json = String::from_utf8(delivery.body).unwrap();
    /// #         Ok(Received { events: vec![Event::new(json)], reply: None })
    /// #     }
    /// # }
    ///
    /// let host = Host::scripted([
    ///     answer(201, r#"{"id":"W1"}"#), answer(200, r#"{"active":false}"#), answer(200, "{}"),
    /// ]);
    /// let subscription = Subscription::new("pushed", json!({}));
    /// let state = host.setup::<Git>(&subscription).unwrap();
    /// assert_eq!(state, json!({ "id": "W1" }));
    ///
    /// let subscription = subscription.state(state);
    /// # use workflow_node_sdk::trigger;
    /// assert_eq!(host.check::<Git>(&subscription).unwrap(), trigger::Health::Disabled);
    /// host.teardown::<Git>(&subscription).unwrap();
    /// assert_eq!(host.sent()[2].path(), "/hooks/W1");
    ///
    /// let delivery = trigger::Delivery::post(r#"{"commits":1}"#);
    /// let received = host.receive::<Git>(&subscription, delivery).unwrap();
    /// assert_eq!(received.events[0].value(), json!({ "commits": 1 }));
    /// ```
    ///
    /// # Errors
    ///
    /// If it cannot be set up.
    pub fn setup<P: Webhooks + 'static>(
        &self,
        subscription: &Subscription,
    ) -> Result<Value, Error> {
        self.run(|| webhooks::<P>().run_setup(subscription.raw::<P>()))
    }

    /// Asks the service for the status of the webhook. See [`Host::setup`] for an example.
    ///
    /// # Errors
    ///
    /// If the service does not respond successfully.
    pub fn check<P: Webhooks + 'static>(
        &self,
        subscription: &Subscription,
    ) -> Result<Health, Error> {
        self.run(|| trigger::check(webhooks::<P>(), subscription.raw::<P>()))
    }

    /// Removes the webhook. See [`Host::setup`] for an example.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn teardown<P: Webhooks + 'static>(
        &self,
        subscription: &Subscription,
    ) -> Result<(), Error> {
        self.run(|| trigger::teardown(webhooks::<P>(), subscription.raw::<P>()))
    }

    /// Turns a delivery into events. See [`Host::setup`] for an example.
    ///
    /// # Errors
    ///
    /// If the delivery cannot be read.
    ///
    /// # Panics
    ///
    /// Panics if an event does not fit the output schema of the trigger.
    pub fn receive<P: Webhooks + 'static>(
        &self,
        subscription: &Subscription,
        delivery: Delivery,
    ) -> Result<Received, Error> {
        let received =
            self.run(|| webhooks::<P>().run_receive(subscription.raw::<P>(), delivery))?;
        self.assert_events::<P>(subscription, &received.events);
        Ok(received)
    }

    /// Polls for events since a cursor; `None` starts now.
    ///
    /// ```
    /// # use workflow_node_sdk::{Value, declare::*, error::Error, http::{self, Request}};
    /// # use workflow_node_sdk::node::{Declares, Plugin};
    /// # use workflow_node_sdk::trigger::{Event, Page, Polls, Subscription as Sub};
    /// use serde_json::json;
    /// use workflow_node_sdk::testing::{Host, Subscription, answer};
    /// # struct Git;
    /// # static NODE: Node = Node::builder("git", "Git", "").origins(&["https://api.test"])
    /// #     .triggers(&[Trigger::poll("released", "", "", 60)]).build();
    /// # impl Plugin for Git { fn declaration() -> &'static dyn Declares { &NODE } }
    /// # impl Polls for Git {
    /// #     async fn poll(_: Sub, cursor: Option<Value>) -> Result<Page, Error> {
    /// #         let since = cursor.and_then(|one| one.as_u64()).unwrap_or_default();
    /// #         let request = Request::new("GET", format!("https://api.test/releases?since={since}"));
    /// #         let response = http::send(&request).await.map_err(|error| Error::from_send(error, &request))?;
    /// #         let event = Event::new(response.text()?).dedup_key("R1");
    /// #         Ok(Page::new(vec![event], (since + 1).into()))
    /// #     }
    /// # }
    ///
    /// let host = Host::scripted([answer(200, r#"{"tag":"1.0"}"#)]);
    /// let subscription = Subscription::new("released", json!({}));
    /// let page = host.poll::<Git>(&subscription, Some(json!(7))).unwrap();
    /// assert_eq!(page.events[0].value(), json!({ "tag": "1.0" }));
    /// assert_eq!((page.cursor, page.more), (json!(8), false));
    /// assert_eq!(host.only_request().query("since").as_deref(), Some("7"));
    /// ```
    ///
    /// # Errors
    ///
    /// If the service does not respond successfully.
    ///
    /// # Panics
    ///
    /// Panics if an event does not fit the output schema of the trigger.
    pub fn poll<P: Polls + 'static>(
        &self,
        subscription: &Subscription,
        cursor: Option<Value>,
    ) -> Result<Page, Error> {
        let code = Code::of::<P>().polls::<P>();
        let page = self.run(|| code.run_poll(subscription.raw::<P>(), cursor))?;
        self.assert_events::<P>(subscription, &page.events);
        Ok(page)
    }

    fn assert_events<P: Plugin>(&self, subscription: &Subscription, events: &[Event]) {
        if !self.0.borrow().checks_output {
            return;
        }
        let name = &subscription.trigger;
        if let Some(validator) = schemas::outputs::<P>().get(name) {
            for event in events {
                let value = json::value(&event.json).expect("an event is JSON");
                schemas::assert_fits(validator, &value, &format!("an event of `{name}`"));
            }
        }
    }
}

fn webhooks<P: Webhooks + 'static>() -> Code {
    Code::of::<P>().webhooks::<P>()
}
