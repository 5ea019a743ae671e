//! Webhooks: one subscription per callback URL.

use serde_json::{Map, Value};
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::trigger::{Delivery, Event, Health, Received, Subscription};
use workflow_node_sdk::{json, time};

use super::{id, shape};

/// The member of the state that holds the handle of the secret, as declared.
const SECRET: &str = "secret";

/// Creates or repairs the subscription. PagerDuty returns the secret only on creation, so a
/// subscription whose secret is lost is replaced.
pub(super) async fn setup(subscription: &Subscription) -> Result<Value, Error> {
    let callback = callback(subscription)?;
    let desired = Desired::of(subscription)?;
    let kept =
        subscription.kept(SECRET).filter(|_| subscription.kept("callback") == Some(callback));
    if let (Some(known), Some(secret)) = (subscription.kept("id"), kept)
        && let Some(found) = find(subscription, known).await?
        && address(&found) == Some(callback)
    {
        repair(subscription, known, &found, &desired).await?;
        return Ok(state(known, callback, secret));
    }
    let old = at_address(subscription, callback).await?;
    let made = create(subscription, callback, &desired).await?;
    let made_id = id(&made).unwrap_or_default();
    let secret = made.get("delivery_method").and_then(|method| method.get(SECRET)?.as_str());
    let mut removed = remove_all(subscription, &old, made_id).await;
    // A subscription for a previous URL. URLs cannot be changed.
    if let Some(known) = subscription.kept("id").filter(|known| *known != made_id) {
        removed = removed.and(remove(subscription, known).await);
    }
    let Some(secret) = secret else {
        // Deliveries without a secret could never be verified, so it is removed.
        remove(subscription, made_id).await?;
        return Err(Error::new(
            ErrorKind::Internal,
            "PagerDuty made the webhook but told no secret, so that its deliveries could not be \
             checked; it was removed again",
        ));
    };
    removed?;
    Ok(state(made_id, callback, secret))
}

pub(super) async fn check(subscription: &Subscription) -> Result<Health, Error> {
    let callback = callback(subscription)?;
    let Some(known) = subscription.kept("id") else { return Ok(Health::Missing) };
    let Some(found) = find(subscription, known).await? else { return Ok(Health::Missing) };
    if address(&found) != Some(callback) || subscription.kept(SECRET).is_none() {
        return Ok(Health::Missing);
    }
    Ok(if is_on(&found) { Health::Active } else { Health::Disabled })
}

pub(super) async fn teardown(subscription: &Subscription) -> Result<(), Error> {
    if let Some(known) = subscription.kept("id") {
        return remove(subscription, known).await;
    }
    // The state was lost, perhaps before it was stored: a subscription for this URL belongs to the
    // host.
    let found = at_address(subscription, callback(subscription)?).await?;
    remove_all(subscription, &found, "").await
}

/// One event per delivery; none for a ping and for changes made by the workflow itself.
pub(super) fn receive(subscription: &Subscription, delivery: &Delivery) -> Result<Received, Error> {
    let unexpected = |problem: &str| {
        let message = ["the delivery ", problem, ": it is not one of webhooks v3"].concat();
        Error::new(ErrorKind::InvalidInput, message)
    };
    let mut body =
        json::object(&delivery.body).ok_or_else(|| unexpected("is not a JSON object"))?;
    let Some(Value::Object(event)) = body.remove("event") else {
        return Err(unexpected("holds no `event`"));
    };
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let Some(event_type) = text("event_type") else {
        return Err(unexpected("has no `event_type`"));
    };
    let by = event.get("agent").and_then(id);
    if event_type == "pagey.ping"
        || by.is_some_and(|agent| subscription.texts("ignore_agents").contains(&agent))
    {
        return Ok(Received::default());
    }
    let dedup_key = text("id").map(str::to_owned);
    let occurred = text("occurred_at").and_then(time::parse);
    let json = match subscription.text("shape") {
        Some("rest") => json::text(&Value::Object(shape::rest(event))),
        // Exactly as PagerDuty wrote it, including numbers.
        _ => {
            let members = json::members(&delivery.body);
            let text = members.as_ref().and_then(|members| members.get("event"));
            text.ok_or_else(|| unexpected("holds no `event`"))?.to_owned()
        }
    };
    let event = Event { json, dedup_key, occurred };
    Ok(Received { events: vec![event], reply: None })
}

/// The desired subscription.
struct Desired {
    events: Value,
    filter_type: &'static str,
    filter_id: Option<String>,
    description: String,
}

impl Desired {
    fn of(subscription: &Subscription) -> Result<Self, Error> {
        let (filter_type, filter_id) =
            match (subscription.text("service_id"), subscription.text("team_id")) {
                (Some(_), Some(_)) => {
                    return Err(Error::invalid("/team_id", "give a service or a team, not both"));
                }
                (Some(service), None) => ("service_reference", Some(service.to_owned())),
                (None, Some(team)) => ("team_reference", Some(team.to_owned())),
                (None, None) => ("account_reference", None),
            };
        let mut events = subscription.texts("events");
        events.sort_unstable();
        events.dedup();
        Ok(Self {
            events: json::texts(&events),
            filter_type,
            filter_id,
            description: subscription.text("description").unwrap_or("Starts a workflow").to_owned(),
        })
    }

    fn parameters(&self) -> Map<String, Value> {
        let mut parameters = Map::new();
        parameters.insert("events".to_owned(), self.events.clone());
        parameters.insert("filter_type".to_owned(), self.filter_type.into());
        parameters.insert("description".to_owned(), self.description.as_str().into());
        if let Some(filter) = &self.filter_id {
            parameters.insert("filter_id".to_owned(), filter.as_str().into());
        }
        parameters
    }

    /// Whether a subscription matches the desired one, except that it may be disabled.
    fn is_met(&self, found: &Value) -> bool {
        let filter = found.get("filter");
        let filter_type = filter.and_then(|filter| filter.get("type")?.as_str());
        let mut events: Vec<&str> = match found.get("events") {
            Some(Value::Array(events)) => events.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        events.sort_unstable();
        json::texts(&events) == self.events
            && filter_type == Some(self.filter_type)
            // For the account, PagerDuty returns an ID that need not be given.
            && (self.filter_id.is_none() || filter.and_then(id) == self.filter_id.as_deref())
            && found.get("description").and_then(Value::as_str) == Some(&self.description)
    }
}

fn callback(subscription: &Subscription) -> Result<&str, Error> {
    subscription
        .callback_url
        .as_deref()
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "a webhook needs a callback URL"))
}

fn state(id: &str, callback: &str, secret: &str) -> Value {
    let mut state = json::Object::new();
    state.text("id", id);
    state.text("callback", callback);
    state.text(SECRET, secret);
    state.build()
}

fn address(found: &Value) -> Option<&str> {
    found.get("delivery_method")?.get("url")?.as_str()
}

fn is_disabled(found: &Value) -> bool {
    let disabled =
        found.get("delivery_method").and_then(|method| method.get("temporarily_disabled"));
    disabled == Some(&Value::Bool(true))
}

fn is_on(found: &Value) -> bool {
    found.get("active") != Some(&Value::Bool(false)) && !is_disabled(found)
}

fn of(id: &str) -> Map<String, Value> {
    let mut parameters = Map::new();
    parameters.insert("webhook_subscription_id".to_owned(), id.into());
    parameters
}

async fn find(subscription: &Subscription, id: &str) -> Result<Option<Value>, Error> {
    let mut found = match subscription.task("webhook_subscription.get", of(id))?.records().await {
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    Ok(found.pop())
}

/// All subscriptions that deliver to a URL.
async fn at_address(subscription: &Subscription, callback: &str) -> Result<Vec<Value>, Error> {
    let mut everything = Map::new();
    everything.insert("all".to_owned(), true.into());
    let mut found = subscription.task("webhook_subscription.list", everything)?.records().await?;
    found.retain(|one| address(one) == Some(callback));
    Ok(found)
}

async fn create(
    subscription: &Subscription,
    callback: &str,
    desired: &Desired,
) -> Result<Value, Error> {
    let mut parameters = desired.parameters();
    parameters.insert("url".to_owned(), callback.into());
    let made = subscription.task("webhook_subscription.create", parameters)?.records().await?;
    made.into_iter().next().filter(|made| id(made).is_some()).ok_or_else(|| {
        Error::new(
            ErrorKind::OutcomeUnknown,
            "PagerDuty answered without the webhook that it made: set the trigger up again, which \
             replaces what leads to its address",
        )
    })
}

async fn repair(
    subscription: &Subscription,
    known: &str,
    found: &Value,
    desired: &Desired,
) -> Result<(), Error> {
    if !desired.is_met(found) || found.get("active") == Some(&Value::Bool(false)) {
        let mut parameters = desired.parameters();
        parameters.extend(of(known));
        parameters.insert("active".to_owned(), true.into());
        subscription.task("webhook_subscription.update", parameters)?.run_declared().await?;
    }
    if is_disabled(found) {
        subscription.task("webhook_subscription.enable", of(known))?.run_declared().await?;
    }
    Ok(())
}

async fn remove(subscription: &Subscription, id: &str) -> Result<(), Error> {
    match subscription.task("webhook_subscription.delete", of(id))?.run_declared().await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        removed => removed.map(|_| ()),
    }
}

async fn remove_all(subscription: &Subscription, all: &[Value], but: &str) -> Result<(), Error> {
    for one in all.iter().filter_map(id).filter(|id| *id != but) {
        remove(subscription, one).await?;
    }
    Ok(())
}
