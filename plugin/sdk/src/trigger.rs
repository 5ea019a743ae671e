//! Triggers: what a host calls to set deliveries up, to turn what came into events, and to ask for
//! what is new. With the feature `triggers`.

use std::future::Future;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::bindings::exports::workflow::node::trigger as contract;
use crate::declare::Action;
use crate::error::{Error, ErrorKind};
use crate::executor::block_on;
use crate::json;
use crate::node::execute::parsed;
use crate::node::{Credential, Hooks, Plugin, Task};
use crate::node::{filters, resolve};

pub use contract::{Delivery, Health, Reply};

/// The triggers of a node, as [`crate::export_node!`] exports them.
pub trait Triggers: Plugin {
    /// Creates or repairs what delivers; running it twice leaves one. The result is the state, kept
    /// by the host. Not called for a trigger that polls.
    fn setup(subscription: Subscription) -> impl Future<Output = Result<Value, Error>> {
        std::future::ready(Err(unwritten(&subscription)))
    }

    /// What has become of it at the service. Not called for a trigger that polls.
    fn check(subscription: Subscription) -> impl Future<Output = Result<Health, Error>> {
        std::future::ready(Err(unwritten(&subscription)))
    }

    /// Removes it; one that is gone already is a success. Not called for a trigger that polls.
    fn teardown(subscription: Subscription) -> impl Future<Output = Result<(), Error>> {
        std::future::ready(Err(unwritten(&subscription)))
    }

    /// Turns a delivery into events. The host has checked its signature. It may be asked again for
    /// the same delivery.
    fn receive(
        subscription: Subscription,
        delivery: Delivery,
    ) -> impl Future<Output = Result<Received, Error>> {
        let _ = delivery;
        std::future::ready(Err(unwritten(&subscription)))
    }

    /// Asks for what is new since the cursor; `None` starts now.
    fn poll(
        subscription: Subscription,
        cursor: Option<Value>,
    ) -> impl Future<Output = Result<Page, Error>> {
        let _ = cursor;
        std::future::ready(Err(unwritten(&subscription)))
    }
}

fn unwritten(subscription: &Subscription) -> Error {
    let name = subscription.form.name;
    Error::new(ErrorKind::Internal, ["`", name, "` is declared, but not written"].concat())
}

/// One workflow's interest in a trigger.
pub struct Subscription {
    /// The trigger's form.
    pub form: &'static Action,
    /// Its parameters, validated. For `setup` and `poll` names and addresses are replaced by ids.
    pub parameters: Map<String, Value>,
    /// The credential of its slot.
    pub credential: Rc<Credential>,
    /// Where the service shall deliver.
    pub callback_url: Option<String>,
    /// What the last `setup` returned.
    pub state: Option<Value>,
    /// About how many events one poll shall yield at most.
    pub limit: Option<usize>,
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
            // Most polls find nothing: what the form names is looked up once, when polling begins.
            hooks: Hooks { trusts_filters: true, ..hooks },
        })
    }

    /// Checks that what the form names exists.
    async fn checked(self) -> Result<Self, Error> {
        let form = Task {
            item: 0,
            action: self.form,
            parameters: self.parameters.clone(),
            credential: self.credential.clone(),
            hooks: self.hooks,
        };
        filters::check(&form).await?;
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
    /// The same each time that the same event comes.
    pub dedup_key: Option<String>,
    /// When it happened, in seconds since 1970.
    pub occurred: Option<i64>,
}

/// What a delivery holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// None for a ping.
    pub events: Vec<Event>,
    /// What the service is answered, where the trigger is declared so.
    pub reply: Option<Reply>,
}

/// What a poll found.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Given to the next poll.
    pub cursor: Value,
    /// Whether to poll again at once.
    pub more: bool,
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

#[doc(hidden)]
pub fn describe<P: Triggers>() -> String {
    P::declaration().describe_triggers()
}

#[doc(hidden)]
pub fn setup<P: Triggers>(subscription: contract::Subscription) -> Result<String, Error> {
    let subscription = Subscription::read(Hooks::of::<P>(), subscription)?;
    block_on(async { P::setup(subscription.resolved().await?).await })
        .map(|state| json::text(&state))
}

#[doc(hidden)]
pub fn check<P: Triggers>(subscription: contract::Subscription) -> Result<Health, Error> {
    let subscription = Subscription::read(Hooks::of::<P>(), subscription)?;
    block_on(P::check(subscription))
}

#[doc(hidden)]
pub fn teardown<P: Triggers>(subscription: contract::Subscription) -> Result<(), Error> {
    let subscription = Subscription::read(Hooks::of::<P>(), subscription)?;
    block_on(P::teardown(subscription))
}

#[doc(hidden)]
pub fn receive<P: Triggers>(
    subscription: contract::Subscription,
    delivery: Delivery,
) -> Result<contract::Received, Error> {
    let subscription = Subscription::read(Hooks::of::<P>(), subscription)?;
    let received = block_on(P::receive(subscription, delivery))?;
    Ok(contract::Received {
        events: received.events.into_iter().map(Into::into).collect(),
        reply: received.reply,
    })
}

#[doc(hidden)]
pub fn poll<P: Triggers>(
    subscription: contract::Subscription,
    cursor: Option<String>,
) -> Result<contract::Page, Error> {
    let subscription = Subscription::read(Hooks::of::<P>(), subscription)?;
    let cursor = cursor.and_then(json::value);
    let page = block_on(async {
        let mut subscription = subscription.resolved().await?;
        if cursor.is_none() {
            subscription = subscription.checked().await?;
        }
        P::poll(subscription, cursor).await
    })?;
    Ok(contract::Page {
        events: page.events.into_iter().map(Into::into).collect(),
        cursor: json::text(&page.cursor),
        more: page.more,
    })
}
