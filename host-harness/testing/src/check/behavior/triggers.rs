//! Checks of triggers: setting webhooks up and removing them, deliveries, and polls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};
use workflow_node_documents::{Trigger, Webhook};
use workflow_node_host::trigger::{
    Incoming, NewSubscription, Reason, Status, SubscriptionActivity, Triggers, sign,
};
use workflow_node_host::{CancellationToken, Error, ErrorKind, ItemErrorKind as Kind, Secret};

use super::OVER;
use crate::check::Results;
use crate::check::answer::{Answering, Pages, Shape};
use crate::check::bench::Bench;
use crate::check::kept::Kept;
use crate::check::report::Judgement;
use crate::check::service::Behavior;
use crate::sample::{Fill, Fits, Sampler, fitting};

const SETUP: &str = "trigger-setup";
const DELIVERIES: &str = "trigger-deliveries";
const POLLING: &str = "trigger-polling";

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests after which a poll that repeats itself does not end.
const MOST_PAGES: usize = 60;
/// Records at the service when a trigger is polled for the first time, and later.
const FIRST: u64 = 2;
const LATER: u64 = 4;
const NO_PARAMETERS: &str = "no parameters could be made that fit its form";
/// Members in which services deliver an event.
const EVENT_MEMBERS: &[&str] =
    &["event", "data", "payload", "resource", "object", "message", "item", "record"];

pub(super) async fn judge(bench: &Bench, results: &mut Results<'_>) {
    let ids = [SETUP, DELIVERIES, POLLING];
    if !ids.iter().any(|id| results.plan.wants(id)) {
        return;
    }
    let started = Instant::now();
    let mut judgements = [Judgement::default(), Judgement::default(), Judgement::default()];
    let triggers = &bench.plugin.description().triggers;
    for (done, trigger) in triggers.iter().enumerate() {
        results.plan.progress.step(done, triggers.len(), &format!("triggers: {}", trigger.name));
        let [setup, deliveries, polling] = &mut judgements;
        match (results.plan.is_over(), trigger.webhook()) {
            (true, Some(_)) => {
                setup.skip(&trigger.name, OVER);
                deliveries.skip(&trigger.name, OVER);
            }
            (true, None) => polling.skip(&trigger.name, OVER),
            (false, Some(webhook)) => {
                let one = Judging { bench, trigger };
                one.webhook(webhook, setup, deliveries).await;
            }
            (false, None) => Judging { bench, trigger }.polling(polling).await,
        }
    }
    let has = |webhook: bool| triggers.iter().any(|one| one.webhook().is_some() == webhook);
    let [setup, deliveries, polling] = &mut judgements;
    if !has(true) {
        setup.skip("node", "it has no trigger with a webhook");
        deliveries.skip("node", "it has no trigger with a webhook");
    }
    if !has(false) {
        polling.skip("node", "it has no trigger that polls");
    }
    for (id, judgement) in ids.into_iter().zip(judgements) {
        let took = if id == SETUP { started.elapsed() } else { Duration::ZERO };
        results.add(id, judgement, took);
    }
}

/// A check of one trigger.
struct Judging<'a> {
    bench: &'a Bench,
    trigger: &'a Trigger,
}

/// A webhook that was set up, and the service that keeps it.
struct SetUp {
    new: NewSubscription,
    service: Arc<Kept>,
}

impl SetUp {
    fn url(&self) -> &str {
        self.new.callback_url.as_deref().unwrap_or_default()
    }
}

impl Judging<'_> {
    fn triggers(&self) -> Result<&Triggers, Error> {
        self.bench.host.triggers()
    }

    /// The parameters of the first example.
    fn example(&self) -> Option<Value> {
        Some(self.trigger.examples.first()?.parameters.value().clone())
    }

    /// The fewest parameters that fit the form.
    fn fewest(&self) -> Option<Value> {
        let text = |name: &str| format!("check-{name}");
        let fills = [Fill::Required, Fill::All, Fill::Chosen(1), Fill::Chosen(2)];
        fitting(&self.bench.shared, &self.trigger.parameters, &fills, &text)
    }

    fn subscription(
        &self,
        name: String,
        parameters: Value,
        callback_url: Option<String>,
    ) -> NewSubscription {
        let trigger = self.trigger;
        NewSubscription {
            name,
            trigger: trigger.name.clone(),
            parameters,
            credentials: self.bench.filled(trigger.slots.keys().cloned()),
            callback_url,
            ..NewSubscription::default()
        }
    }

    async fn webhook(&self, webhook: &Webhook, setup: &mut Judgement, deliveries: &mut Judgement) {
        let name = &self.trigger.name;
        match self.set_up().await {
            Ok(Ok(done)) => {
                let problem = self.delivered(webhook, &done, deliveries).await;
                if let Some(problem) = problem {
                    deliveries.judge(name, problem);
                }
                match self.life(&done).await {
                    Ok(problem) => setup.judge(name, problem),
                    Err(reason) => setup.skip(name, reason),
                }
            }
            Ok(Err(reason)) => {
                setup.skip(name, reason.clone());
                deliveries.skip(name, reason);
            }
            Err(problem) => {
                setup.fail(name, problem);
                deliveries.skip(name, "no webhook could be set up");
            }
        }
    }

    /// Sets a webhook up at services of every kind, until one is understood. `Err`: what is wrong,
    /// within: why it cannot be judged.
    async fn set_up(&self) -> Result<Result<SetUp, String>, String> {
        let triggers = match self.triggers() {
            Ok(triggers) => triggers,
            Err(error) => return Ok(Err(format!("{error:#}"))),
        };
        let Some(parameters) = self.example().or_else(|| self.fewest()) else {
            return Ok(Err(NO_PARAMETERS.to_owned()));
        };
        let mut reason = String::new();
        for (shape, numbered) in [
            (Shape::Wrapped, false),
            (Shape::Array, false),
            (Shape::Wrapped, true),
            (Shape::Array, true),
        ] {
            let name = format!("check-{}-{shape:?}-{numbered}", self.trigger.name);
            let url = format!("https://hooks.check.example/{}", name.to_lowercase());
            let new = self.subscription(name.clone(), parameters.clone(), Some(url.clone()));
            let secrets = self.bench.plugin.description().node.secrets.clone();
            let service = Arc::new(Kept::new(shape, numbered, secrets));
            self.begin(&service);
            let token = CancellationToken::new();
            let set_up = triggers.set_up(&self.bench.plugin, new.clone(), &token);
            let set_up = tokio::time::timeout(PATIENCE, set_up).await;
            let error = match set_up {
                Ok(Ok(_)) if service.with(&url) == 0 => {
                    reason = "it created nothing that contains the callback URL".to_owned();
                    continue;
                }
                Ok(Ok(_)) => {
                    let done = SetUp { new, service };
                    // It is understood if the node finds again what it has created.
                    match self.status(&done).await {
                        Ok(Status::Active) => return Ok(Ok(done)),
                        Ok(status) => reason = format!("it reports the webhook as {status}"),
                        Err(error) => reason = format!("{error:#}"),
                    }
                    continue;
                }
                Ok(Err(error)) => error,
                Err(_) => return Err("setting it up does not end".to_owned()),
            };
            match error.kind() {
                ErrorKind::Item(Kind::Unsupported | Kind::DeniedByHost)
                | ErrorKind::PluginStopped => {
                    return Err(format!("setting it up with its first example fails: {error:#}"));
                }
                _ => reason = format!("{error:#}"),
            }
        }
        Ok(Err(format!("the node does not understand the generated service ({reason})")))
    }

    fn begin(&self, service: &Arc<Kept>) {
        self.bench
            .service
            .begin(Behavior::Keeps(service.clone()), self.answering(Shape::Wrapped, None));
    }

    async fn status(&self, done: &SetUp) -> Result<Status, Error> {
        let triggers = self.triggers()?;
        triggers.check(&self.bench.plugin, &done.new.name, &CancellationToken::new()).await
    }

    /// Judges what happens to a webhook after it was set up. `Err`: why it cannot be judged.
    async fn life(&self, done: &SetUp) -> Result<Option<String>, String> {
        let (plugin, token) = (&self.bench.plugin, CancellationToken::new());
        let failed = |what: &str, error: &Error| Some(format!("{what} fails: {error:#}"));
        let triggers = self.triggers().map_err(|error| format!("{error:#}"))?;
        let count = || done.service.with(done.url());
        self.begin(&done.service);
        if let Err(error) = triggers.set_up(plugin, done.new.clone(), &token).await {
            return Ok(failed("setting it up again", &error));
        }
        if count() != 1 {
            return Ok(Some(format!(
                "setting it up twice leaves {} webhooks at the service. Look for the one with the \
                 callback URL first",
                count()
            )));
        }
        done.service.clear();
        match self.status(done).await {
            Ok(Status::Missing | Status::Disabled) => {}
            Ok(status) => {
                return Ok(Some(format!(
                    "it reports a webhook as {status} that the service no longer has"
                )));
            }
            Err(error) => {
                return Ok(failed("checking a webhook that the service no longer has", &error));
            }
        }
        if let Err(error) = triggers.repair(plugin, &done.new.name, &token).await {
            return Ok(failed("repairing a webhook that the service no longer has", &error));
        }
        if count() != 1 {
            return Ok(Some(format!("repairing it leaves {} webhooks at the service", count())));
        }
        if let Err(error) = triggers.tear_down(plugin, &done.new.name, &token).await {
            return Ok(failed("removing it", &error));
        }
        if count() != 0 {
            return Ok(Some("removing it leaves the webhook at the service".to_owned()));
        }
        // Somebody may have removed it already.
        let again = triggers.set_up(plugin, done.new.clone(), &token).await;
        if let Err(error) = again {
            return Ok(failed("setting it up after it was removed", &error));
        }
        done.service.clear();
        let removed = triggers.tear_down(plugin, &done.new.name, &token).await;
        Ok(removed
            .err()
            .and_then(|error| failed("removing a webhook that the service no longer has", &error)))
    }

    /// Judges deliveries. `None`: it was reported why they cannot be judged.
    async fn delivered(
        &self,
        webhook: &Webhook,
        done: &SetUp,
        judgement: &mut Judgement,
    ) -> Option<Option<String>> {
        let name = &self.trigger.name;
        let Ok(triggers) = self.triggers() else { return None };
        let secret = match triggers.store().open(&done.new.name).await {
            Ok(stored) => stored.secret,
            Err(error) => {
                judgement.skip(name, error.to_string());
                return None;
            }
        };
        let sender = Sender { judging: self, triggers, webhook, done, secret };
        let mut reason = "it makes no event of them".to_owned();
        for body in self.bodies() {
            let text = body.to_string();
            let answer = sender.send(&text, "one", Signing::Valid).await;
            if !answer.is_taken() {
                return Some(Some(format!(
                    "a delivery with a valid signature is refused: {answer}"
                )));
            }
            let events = match sender.events().await {
                Ok(events) if events.is_empty() => continue,
                Ok(events) => events,
                Err(Outcome::Unreadable(why)) => {
                    reason = why;
                    continue;
                }
                Err(Outcome::Failed(why)) => return Some(Some(why)),
            };
            return Some(self.judged(&sender, &text, &events).await);
        }
        judgement
            .skip(name, format!("the node does not understand generated deliveries ({reason})"));
        None
    }

    /// Judges the events of a delivery, and the results of sending it again, forged, or malformed.
    async fn judged(&self, sender: &Sender<'_>, text: &str, events: &[Value]) -> Option<String> {
        if let Some(problem) = self.misfit(events) {
            return Some(problem);
        }
        sender.send(text, "one", Signing::Valid).await;
        match sender.events().await {
            Ok(again) if !again.is_empty() => {
                return Some(
                    "a delivery that comes again starts the workflow again. Give each event a \
                     `dedup_key`, or declare the header with the ID of the delivery"
                        .to_owned(),
                );
            }
            Ok(_) | Err(Outcome::Unreadable(_)) => {}
            Err(Outcome::Failed(why)) => return Some(why),
        }
        if self.trigger.webhook().is_some_and(|webhook| webhook.signature.is_some()) {
            for signing in [Signing::Forged, Signing::None] {
                let answer = sender.send(text, "two", signing).await;
                if answer.is_taken() {
                    return Some(format!("a delivery {} is accepted", signing.in_words()));
                }
            }
        }
        let answer = sender.send("{\"not\": json", "three", Signing::Valid).await;
        if !answer.is_taken() {
            return None;
        }
        match sender.events().await {
            Err(Outcome::Failed(why)) => Some(format!("after a delivery that is not JSON, {why}")),
            _ => None,
        }
    }

    /// Deliveries of every usual form.
    fn bodies(&self) -> Vec<Value> {
        let record = self.event();
        let mut wrapped = match &record {
            Value::Object(members) => members.clone(),
            _ => Map::new(),
        };
        for name in EVENT_MEMBERS {
            wrapped.entry(*name).or_insert_with(|| record.clone());
        }
        let mut bodies = vec![Value::Object(wrapped), record.clone()];
        bodies.extend(EVENT_MEMBERS.iter().map(|name| json!({ *name: record })));
        bodies
    }

    /// An event that fits the output schema.
    fn event(&self) -> Value {
        let text = |name: &str| format!("check-{name}");
        let sampler = Sampler { shared: &self.bench.shared, fill: Fill::All, text: &text };
        sampler.value("", &self.trigger.output)
    }

    /// Why an event does not fit its schema.
    fn misfit(&self, events: &[Value]) -> Option<String> {
        match Fits::new(&self.bench.shared, &self.trigger.output) {
            Ok(fits) => events
                .iter()
                .find_map(|event| fits.problem(event))
                .map(|problem| format!("an event does not fit the output schema. {problem}")),
            Err(error) => Some(format!("its output schema is not valid: {error}")),
        }
    }

    /// How requests of a poll are answered. `record`: the schema of the records.
    fn answering(&self, shape: Shape, record: Option<&Value>) -> Answering {
        let words = self.trigger.name.split(['.', '_']).map(str::to_owned).collect();
        Answering {
            shape,
            record: record.unwrap_or_else(|| self.trigger.output.value()).clone(),
            shared: self.bench.shared.clone(),
            given: Vec::new(),
            words,
            named: Vec::new(),
            pages: Pages::Last,
            // Polls ask for other periods, in which the same things have happened.
            same: true,
            others: 2,
        }
    }

    async fn polling(&self, judgement: &mut Judgement) {
        let name = &self.trigger.name;
        // An event may be the record, or have it in a member.
        let output = self.trigger.output.value();
        let members = output.get("properties").and_then(Value::as_object).into_iter().flatten();
        let members = members
            .map(|(_, schema)| schema)
            .filter(|schema| schema.get("properties").is_some() || schema.get("$ref").is_some());
        let records: Vec<Option<&Value>> = std::iter::once(None).chain(members.map(Some)).collect();
        // An example may ask only for what generated records are not: the fewest parameters ask for
        // the most.
        let mut parameters: Vec<Value> = self.example().into_iter().chain(self.fewest()).collect();
        parameters.dedup();
        let mut reasons = Vec::new();
        if parameters.is_empty() {
            reasons.push(NO_PARAMETERS.to_owned());
        }
        let attempts: Vec<(&Value, Option<&Value>)> =
            parameters.iter().flat_map(|one| records.iter().map(move |of| (one, *of))).collect();
        for (attempt, (parameters, record)) in attempts.into_iter().enumerate() {
            for shape in [Shape::Wrapped, Shape::Array, Shape::WrappedOne] {
                let subscription = format!("check-{name}-{attempt}-{shape:?}");
                let new = self.subscription(subscription, parameters.clone(), None);
                match self.polled(new, shape, record).await {
                    Ok(Some(problem)) => return judgement.judge(name, problem),
                    Ok(None) => reasons.insert(0, "it finds no event in them".to_owned()),
                    Err(why) => reasons.push(why),
                }
            }
        }
        let reason = reasons.into_iter().next().unwrap_or_default();
        judgement.skip(name, format!("the node does not understand generated answers: {reason}"));
    }

    /// Judges polls with answers of one shape. `Ok(None)`: no event was found; `Err`: why it failed.
    async fn polled(
        &self,
        new: NewSubscription,
        shape: Shape,
        record: Option<&Value>,
    ) -> Result<Option<Option<String>>, String> {
        let told = |error: Error| format!("{error:#}");
        let (plugin, token) = (&self.bench.plugin, CancellationToken::new());
        let triggers = self.triggers().map_err(told)?;
        let name = new.name.clone();
        let answering = self.answering(shape, record);
        let begin = |pages: Pages, others: u64| {
            let answering = Answering { pages, others, ..answering.clone() };
            self.bench.service.begin(Behavior::Answers, answering);
        };
        begin(Pages::Last, FIRST);
        triggers.set_up(plugin, new, &token).await.map_err(told)?;
        let mut found = 0;
        let mut problem = None;
        let mut before = Vec::new();
        // The first begins at the present; what is new is found by the second. A node may ask for
        // what has happened, or compare what is there with what was there.
        for poll in 0..4 {
            begin(Pages::Last, if poll == 0 { FIRST } else { LATER });
            let polled = tokio::time::timeout(PATIENCE, triggers.poll(plugin, &name, &token)).await;
            let (new, _) = match polled {
                Err(_) => return Ok(Some(Some("a poll does not end".to_owned()))),
                Ok(Err(error)) if error.is_stopped() => {
                    return Ok(Some(Some(format!("a poll stops the component: {error:#}"))));
                }
                Ok(polled) => polled.map_err(told)?,
            };
            let (seen, _) = self.bench.service.end();
            let requests: Vec<String> = seen.into_iter().map(|one| one.fingerprint).collect();
            // To another request, a service would return other records.
            let is_same = requests == before;
            before = requests;
            if poll > 1 && found > 0 && new > 0 && is_same {
                problem = Some(format!(
                    "poll {} returns events again that an earlier poll has returned. Give each event \
                     a `dedup_key`",
                    poll + 1
                ));
                break;
            }
            found += new;
        }
        let events = drained(triggers, &name).await;
        if problem.is_none() && found > 0 {
            problem = self.misfit(&events);
        }
        if problem.is_none() && found > 0 {
            begin(Pages::Repeated, LATER);
            let service = self.bench.service.clone();
            let ended = tokio::select! {
                polled = triggers.poll(plugin, &name, &token) => {
                    polled.err().filter(Error::is_stopped).map(|error| format!("{error:#}"))
                }
                () = service.until(MOST_PAGES) => {
                    Some(format!("a poll sends more than {MOST_PAGES} requests, although the answer is \
                                  always the same"))
                }
            };
            problem = ended;
        }
        self.bench.service.end();
        triggers.tear_down(plugin, &name, &token).await.map_err(told)?;
        Ok((found > 0).then_some(problem))
    }
}

/// Takes all events of a subscription.
async fn drained(triggers: &Triggers, name: &str) -> Vec<Value> {
    let mut events = Vec::new();
    while let Ok(Some(event)) = triggers.store().event(name).await {
        events.push(serde_json::from_str(event.event.get()).unwrap_or_default());
        if triggers.store().taken(name, event.number).await.is_err() {
            break;
        }
    }
    events
}

/// How a delivery is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signing {
    Valid,
    Forged,
    None,
}

impl Signing {
    fn in_words(self) -> &'static str {
        match self {
            Self::Valid => "with a valid signature",
            Self::Forged => "with a forged signature",
            Self::None => "without a signature",
        }
    }
}

/// Failure to process a delivery, with the reason.
enum Outcome {
    /// The node cannot read it.
    Unreadable(String),
    /// Something is wrong with the node.
    Failed(String),
}

/// Why a delivery was answered in its way.
struct Answered(Reason);

impl Answered {
    fn is_taken(&self) -> bool {
        matches!(self.0, Reason::Kept | Reason::Repeated | Reason::Plugin)
    }
}

impl std::fmt::Display for Answered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Sends deliveries as the service does.
struct Sender<'a> {
    judging: &'a Judging<'a>,
    triggers: &'a Triggers,
    webhook: &'a Webhook,
    done: &'a SetUp,
    secret: Option<Secret>,
}

impl Sender<'_> {
    async fn send(&self, body: &str, id: &str, signing: Signing) -> Answered {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let mut add = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            {
                headers.insert(name, value);
            }
        };
        if let Some(header) = &self.webhook.id_header {
            add(header, &format!("check-{id}"));
        }
        let forged = Secret::new("another-secret-of-the-check-0123456789");
        let secret = match signing {
            Signing::Valid => self.secret.as_ref(),
            Signing::Forged => Some(&forged),
            Signing::None => None,
        };
        if let (Some(rule), Some(secret)) = (&self.webhook.signature, secret) {
            add(&rule.header, &sign(rule, body.as_bytes(), secret));
        }
        let method = self.webhook.methods.first().map_or("POST", String::as_str);
        let incoming = Incoming {
            method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST),
            url: self.done.url().to_owned(),
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        let plugin = &self.judging.bench.plugin;
        Answered(self.triggers.receive(plugin, &self.done.new.name, incoming).await.reason)
    }

    /// The events of what was delivered.
    async fn events(&self) -> Result<Vec<Value>, Outcome> {
        let plugin = &self.judging.bench.plugin;
        let name = &self.done.new.name;
        let token = CancellationToken::new();
        loop {
            let worked = self.triggers.work(plugin, name, &token);
            match tokio::time::timeout(PATIENCE, worked).await {
                Err(_) => return Err(Outcome::Failed("a delivery is not read in time".to_owned())),
                Ok(Ok(None)) => break,
                Ok(Ok(Some(SubscriptionActivity::PutAside { reason }))) => {
                    return Err(Outcome::Unreadable(reason));
                }
                Ok(Ok(Some(_))) => {}
                Ok(Err(error)) => {
                    self.drop_waiting().await;
                    let is_its = error.is_stopped()
                        || matches!(
                            error.kind(),
                            ErrorKind::Item(
                                Kind::Unsupported | Kind::DeniedByHost | Kind::Internal
                            )
                        );
                    let text = format!("{error:#}");
                    return Err(match is_its {
                        true => Outcome::Failed(format!("it cannot receive a delivery: {text}")),
                        false => Outcome::Unreadable(text),
                    });
                }
            }
        }
        Ok(drained(self.triggers, name).await)
    }

    /// Puts aside what the node could not read, so that it is not tried again.
    async fn drop_waiting(&self) {
        let (store, name) = (self.triggers.store(), &self.done.new.name);
        while let Ok(Some(pending)) = store.pending(name).await {
            let limits = Default::default();
            if store.fail(name, pending.number, "the check has ended", true, &limits).await.is_err()
            {
                break;
            }
        }
    }
}
