//! Triggers: the functions with which a host sets up deliveries, turns deliveries into events, and
//! polls for events. Requires the feature `triggers`.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::bindings::exports::workflow::node::trigger as contract;
use crate::declare::Action;
use crate::error::{Error, ErrorKind};
use crate::executor::block_on;
use crate::json;
use crate::node::execute::parsed;
use crate::node::filters::Filters;
use crate::node::resolve;
use crate::node::{Credential, Hooks, Plugin, Task, unwritten};

pub use contract::{Delivery, Health, Reply};

/// The code of triggers whose events the service sends. Exported with
/// `export_node!(MyNode, webhooks)`.
pub trait Webhooks: Plugin {
    /// Creates or repairs the webhook; running it twice leaves one webhook. The host stores the
    /// state that it returns.
    fn setup(subscription: Subscription) -> impl Future<Output = Result<Value, Error>>;

    /// Asks the service for the status of the webhook.
    fn check(subscription: Subscription) -> impl Future<Output = Result<Health, Error>>;

    /// Removes the webhook. Succeeds if it no longer exists.
    fn teardown(subscription: Subscription) -> impl Future<Output = Result<(), Error>>;

    /// Turns a delivery into events. The host has verified its signature. It may be called again for
    /// the same delivery.
    fn receive(
        subscription: Subscription,
        delivery: Delivery,
    ) -> impl Future<Output = Result<Received, Error>>;
}

/// The code of triggers for which the host polls. Exported with `export_node!(MyNode, polls)`.
pub trait Polls: Plugin {
    /// Polls for events since the cursor; `None` starts now.
    fn poll(
        subscription: Subscription,
        cursor: Option<Value>,
    ) -> impl Future<Output = Result<Page, Error>>;
}

/// The subscription of one workflow to a trigger.
pub struct Subscription {
    /// The trigger's form.
    pub form: &'static Action,
    /// Its parameters, validated. For `setup` and `poll`, IDs replace names and URLs.
    pub parameters: Map<String, Value>,
    /// The credential of its slot.
    pub credential: Rc<Credential>,
    /// The URL that the service must deliver to.
    pub callback_url: Option<String>,
    /// The state that the last `setup` returned.
    pub state: Option<Value>,
    /// About how many events a poll should return at most.
    pub limit: Option<usize>,
    /// Handle of the signing secret that the host has generated for this `setup`, for a trigger
    /// whose signature is `made_by_host`. Place it in the request that creates the webhook, and
    /// return it in the state.
    pub signing_secret: Option<String>,
    hooks: Hooks,
}

impl Subscription {
    /// A task with the subscription's credential.
    ///
    /// # Errors
    ///
    /// As [`Task::aside`].
    pub fn task(&self, action: &str, parameters: Map<String, Value>) -> Result<Task, Error> {
        Task::with_hooks(self.hooks, 0, action, &self.credential, parameters)
    }

    /// A text parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Value::as_str)
    }

    /// Whether a parameter is true.
    pub fn flag(&self, name: &str) -> bool {
        self.parameters.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The texts of a list parameter.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.parameters.get(name) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A text member of the state.
    pub fn kept(&self, name: &str) -> Option<&str> {
        self.state.as_ref()?.get(name)?.as_str()
    }

    fn read(hooks: Hooks, subscription: contract::Subscription) -> Result<Self, Error> {
        let name = &subscription.trigger;
        let unsupported = |message: String| Error::new(ErrorKind::Unsupported, message);
        let form = hooks
            .declaration
            .trigger(name)
            .ok_or_else(|| unsupported(["there is no trigger `", name, "`"].concat()))?;
        if subscription.version != form.version {
            return Err(unsupported(format!(
                "the trigger `{name}` is at version {}, the workflow asks for {}: reopen its form",
                form.version, subscription.version
            )));
        }
        let options = json::object(&subscription.options).unwrap_or_default();
        Ok(Self {
            form,
            parameters: parsed(form, &subscription.parameters)?,
            credential: Rc::new(Credential::in_slot(form.slot)?),
            callback_url: subscription.callback_url,
            state: subscription.state.and_then(json::value),
            limit: options.get("limit").and_then(Value::as_u64).map(|limit| limit as usize),
            signing_secret: options
                .get("signing_secret")
                .and_then(Value::as_str)
                .map(str::to_owned),
            // Most polls return nothing: the objects that the form names are looked up once, when
            // polling begins.
            hooks: Hooks { trusts_filters: true, ..hooks },
        })
    }

    /// Checks that the objects that the form names exist.
    async fn checked(self) -> Result<Self, Error> {
        let form = Task {
            item: 0,
            action: self.form,
            parameters: self.parameters.clone(),
            credential: self.credential.clone(),
            hooks: self.hooks,
        };
        Filters::of(&form).check(&form, true).await?;
        Ok(self)
    }

    async fn resolved(mut self) -> Result<Self, Error> {
        let mut items = [Ok(std::mem::take(&mut self.parameters))];
        resolve::names(self.hooks, self.form, &self.credential, &mut items).await;
        let [parameters] = items;
        self.parameters = parameters?;
        Ok(self)
    }
}

/// One event for the workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Any JSON value, as text.
    pub json: String,
    /// Identical each time the same event arrives.
    pub dedup_key: Option<String>,
    /// When it happened, in seconds since 1970.
    pub occurred: Option<i64>,
}

/// Content of a delivery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// Empty for a ping.
    pub events: Vec<Event>,
    /// The response to the service, if the trigger declares one.
    pub reply: Option<Reply>,
}

/// Result of a poll.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Passed to the next poll.
    pub cursor: Value,
    /// Whether to poll again at once.
    pub more: bool,
}

impl Event {
    /// Creates an event from JSON text, such as an unchanged record of the service.
    pub fn new(json: impl Into<String>) -> Self {
        Self { json: json.into(), dedup_key: None, occurred: None }
    }

    /// Sets a key that is identical each time the same event arrives.
    #[must_use]
    pub fn dedup_key(mut self, key: impl Into<String>) -> Self {
        self.dedup_key = Some(key.into());
        self
    }

    /// Sets when it happened, in seconds since 1970.
    #[must_use]
    pub fn occurred(mut self, seconds: i64) -> Self {
        self.occurred = Some(seconds);
        self
    }

    /// The event as a value. Text that is not JSON counts as null.
    pub fn value(&self) -> Value {
        json::value(&self.json).unwrap_or_default()
    }
}

impl Page {
    /// Creates a page from events, the oldest first, and the cursor of the next poll.
    pub fn new(events: Vec<Event>, cursor: Value) -> Self {
        Self { events, cursor, more: false }
    }

    /// Polls again at once.
    #[must_use]
    pub fn more(mut self) -> Self {
        self.more = true;
        self
    }
}

impl Delivery {
    /// A delivery by POST with this body, for tests.
    pub fn post(body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST".into(),
            url: String::new(),
            headers: Vec::new(),
            body: body.into(),
            received: 0,
        }
    }

    /// Adds a header, for tests. Hosts write names in lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }
}

impl From<Event> for contract::Event {
    fn from(event: Event) -> Self {
        Self {
            json: event.json,
            dedup_key: event.dedup_key,
            occurred: event
                .occurred
                .and_then(|seconds| u64::try_from(seconds).ok()?.checked_mul(1_000)),
        }
    }
}

/// The running code of a trigger.
type Work<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

/// The code of triggers that poll.
type Poll = fn(Subscription, Option<Value>) -> Work<Page>;

/// The code that a node exports for its triggers.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Code {
    hooks: Hooks,
    webhooks: Option<WebhookCode>,
    polls: Option<Poll>,
}

#[derive(Clone, Copy)]
struct WebhookCode {
    setup: fn(Subscription) -> Work<Value>,
    check: fn(Subscription) -> Work<Health>,
    teardown: fn(Subscription) -> Work<()>,
    receive: fn(Subscription, Delivery) -> Work<Received>,
}

#[doc(hidden)]
impl Code {
    pub fn of<P: Plugin>() -> Self {
        Self { hooks: Hooks::of::<P>(), webhooks: None, polls: None }
    }

    #[must_use]
    pub fn webhooks<P: Webhooks + 'static>(self) -> Self {
        let code = WebhookCode {
            setup: |subscription| Box::pin(P::setup(subscription)),
            check: |subscription| Box::pin(P::check(subscription)),
            teardown: |subscription| Box::pin(P::teardown(subscription)),
            receive: |subscription, delivery| Box::pin(P::receive(subscription, delivery)),
        };
        Self { webhooks: Some(code), ..self }
    }

    #[must_use]
    pub fn polls<P: Polls + 'static>(self) -> Self {
        Self { polls: Some(|subscription, cursor| Box::pin(P::poll(subscription, cursor))), ..self }
    }

    /// The problem with a trigger that is declared and whose code is not exported.
    pub(crate) fn missing(self) -> Option<String> {
        for (name, polls) in self.hooks.declaration.polls() {
            let (trait_name, word, is_there) = match polls {
                true => ("Polls", "polls", self.polls.is_some()),
                false => ("Webhooks", "webhooks", self.webhooks.is_some()),
            };
            if !is_there {
                let parts = [
                    "trigger `",
                    name,
                    "`: it has no code. Implement `trigger::",
                    trait_name,
                    "`, and export it with `export_node!(…, ",
                    word,
                    ")`.",
                ];
                return Some(parts.concat());
            }
        }
        None
    }

    fn of_webhooks(self, name: &str) -> Result<WebhookCode, Error> {
        self.webhooks.ok_or_else(|| unwritten(name))
    }

    pub(crate) fn run_setup(self, subscription: contract::Subscription) -> Result<Value, Error> {
        let code = self.of_webhooks(&subscription.trigger)?;
        let subscription = Subscription::read(self.hooks, subscription)?;
        block_on(async { (code.setup)(subscription.resolved().await?).await })
    }

    pub(crate) fn run_receive(
        self,
        subscription: contract::Subscription,
        delivery: Delivery,
    ) -> Result<Received, Error> {
        let code = self.of_webhooks(&subscription.trigger)?;
        block_on((code.receive)(Subscription::read(self.hooks, subscription)?, delivery))
    }

    pub(crate) fn run_poll(
        self,
        subscription: contract::Subscription,
        cursor: Option<Value>,
    ) -> Result<Page, Error> {
        let code = self.polls.ok_or_else(|| unwritten(&subscription.trigger))?;
        let subscription = Subscription::read(self.hooks, subscription)?;
        block_on(async {
            let mut subscription = subscription.resolved().await?;
            if cursor.is_none() {
                subscription = subscription.checked().await?;
            }
            code(subscription, cursor).await
        })
    }
}

#[doc(hidden)]
pub fn describe(code: Code) -> String {
    if let Some(problem) = code.missing() {
        panic!("{problem}");
    }
    code.hooks.declaration.describe_triggers()
}

#[doc(hidden)]
pub fn setup(code: Code, subscription: contract::Subscription) -> Result<String, Error> {
    code.run_setup(subscription).map(|state| json::text(&state))
}

#[doc(hidden)]
pub fn check(code: Code, subscription: contract::Subscription) -> Result<Health, Error> {
    let webhooks = code.of_webhooks(&subscription.trigger)?;
    block_on((webhooks.check)(Subscription::read(code.hooks, subscription)?))
}

#[doc(hidden)]
pub fn teardown(code: Code, subscription: contract::Subscription) -> Result<(), Error> {
    let webhooks = code.of_webhooks(&subscription.trigger)?;
    block_on((webhooks.teardown)(Subscription::read(code.hooks, subscription)?))
}

#[doc(hidden)]
pub fn receive(
    code: Code,
    subscription: contract::Subscription,
    delivery: Delivery,
) -> Result<contract::Received, Error> {
    let received = code.run_receive(subscription, delivery)?;
    Ok(contract::Received {
        events: received.events.into_iter().map(Into::into).collect(),
        reply: received.reply,
    })
}

#[doc(hidden)]
pub fn poll(
    code: Code,
    subscription: contract::Subscription,
    cursor: Option<String>,
) -> Result<contract::Page, Error> {
    let page = code.run_poll(subscription, cursor.and_then(json::value))?;
    Ok(contract::Page {
        events: page.events.into_iter().map(Into::into).collect(),
        cursor: json::text(&page.cursor),
        more: page.more,
    })
}
