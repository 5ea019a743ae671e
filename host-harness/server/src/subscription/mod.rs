//! Subscriptions of engines to triggers. Equal subscriptions of a user share one source: one
//! webhook at the service, or one poll. The library receives and orders the deliveries of a source;
//! each subscription gets every event once, and its engine receives or pulls them.

mod deliver;
mod recent;
mod sample;
mod store;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use workflow_node_host::trigger::{
    EventSink, NewSubscription, RunOptions, SinkError, SubscriptionKey, TriggerEvent, Triggers,
};
use workflow_node_host::{OriginPattern, Plugin, Principal, Secret, chain};

pub(crate) use deliver::{Deliverer, MakeTransport};
pub(crate) use recent::RecentEvents;
pub(crate) use sample::SampleKind;
pub(crate) use store::{Key, Source, StoredEvent, StoredSubscription, SubscriptionStore, Which};

use crate::connection::random_text;
use crate::database::{DatabaseError, now};
use crate::error::ApiError;
use crate::execution::Fingerprint;
use crate::limits::ServerLimits;
use crate::metrics::Metrics;
use crate::token::{Policies, Policy, Role, Tokens};
use deliver::{Attempt, pause};

/// Wait before a source that cannot run is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// How often a subscription checks for events, in addition to notifications.
const LOOK: Duration = Duration::from_secs(60);

/// The request of an engine.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) key: Key,
    pub(crate) plugin: String,
    pub(crate) trigger: String,
    pub(crate) credentials: BTreeMap<String, String>,
    pub(crate) parameters: Map<String, Value>,
    /// The parameters as the engine has sent them: with the names of stored secrets.
    pub(crate) named: Map<String, Value>,
    pub(crate) workflow: Option<String>,
    pub(crate) deliver_to: Option<String>,
    pub(crate) is_private: bool,
    /// Where the service delivers, if the engine relays deliveries; otherwise to this server.
    pub(crate) callback_url: Option<String>,
    pub(crate) rotate_secret: bool,
    /// ID of the token that asks.
    pub(crate) token: String,
    /// Origins that the plugin may reach for it; `None` does not narrow.
    pub(crate) destinations: Option<Vec<OriginPattern>>,
    /// Whether it only shows what events look like.
    pub(crate) sample: bool,
}

/// A subscription that was made or changed.
pub(crate) struct Put {
    pub(crate) stored: StoredSubscription,
    /// Its secret, if that is new.
    pub(crate) secret: Option<Secret>,
    /// The events of a sample.
    pub(crate) sample: Option<SampleKind>,
}

impl Order {
    /// The name of its source: the same for the same user, trigger, credentials, parameters, and
    /// destinations.
    fn source(&self) -> String {
        let mut all = Fingerprint::new();
        let Principal { tenant, user } = &self.key.principal;
        for text in [tenant.as_str(), user.as_str(), &self.plugin, &self.trigger] {
            all.text(text);
        }
        all.text(self.callback_url.as_deref().unwrap_or_default());
        for (slot, name) in &self.credentials {
            all.text(slot);
            all.text(name);
        }
        all.object(&self.named);
        // An empty list allows nothing, and no list everything.
        if let Some(destinations) = sorted(self.destinations.as_deref()) {
            all.text("destinations");
            destinations.iter().for_each(|destination| all.text(destination));
        }
        all.end().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Destinations as text, in a fixed order.
fn sorted(destinations: Option<&[OriginPattern]>) -> Option<Vec<String>> {
    let mut all: Vec<String> = destinations?.iter().map(ToString::to_string).collect();
    all.sort();
    all.dedup();
    Some(all)
}

/// Parts of the server that its subscriptions use.
pub(crate) struct Parts {
    pub(crate) store: SubscriptionStore,
    pub(crate) triggers: Triggers,
    pub(crate) plugins: BTreeMap<String, Plugin>,
    pub(crate) public_url: Option<Url>,
    pub(crate) limits: ServerLimits,
    pub(crate) tokens: Tokens,
    pub(crate) policies: Policies,
    pub(crate) metrics: Metrics,
    /// Makes the transport of deliveries.
    pub(crate) make: MakeTransport,
}

/// The subscriptions of a server.
pub(crate) struct Subscriptions {
    store: SubscriptionStore,
    triggers: Triggers,
    plugins: BTreeMap<String, Plugin>,
    public_url: Option<Url>,
    limits: ServerLimits,
    tokens: Tokens,
    policies: Policies,
    metrics: Metrics,
    deliverer: Deliverer,
    pub(crate) recent: RecentEvents,
    /// The running task of each source.
    running: Mutex<HashMap<String, CancellationToken>>,
    /// The delivery task of each subscription.
    delivering: Mutex<HashMap<Key, CancellationToken>>,
    /// Wakes the clients that wait for events of a subscription.
    wakers: Mutex<HashMap<Key, Arc<Notify>>>,
    /// Sources of a user are set up and removed one after the other.
    turns: Mutex<HashMap<Principal, Arc<tokio::sync::Mutex<()>>>>,
    tasks: TaskTracker,
    end: CancellationToken,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The library's name of a source.
fn name_of(source: &Source) -> String {
    let key = SubscriptionKey { principal: source.principal.clone(), name: source.name.clone() };
    key.to_string()
}

impl Subscriptions {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { store, triggers, plugins, public_url, limits, tokens, policies, metrics, make } =
            parts;
        Self {
            store,
            triggers,
            plugins,
            public_url,
            recent: RecentEvents::new(&limits),
            limits,
            tokens,
            policies,
            metrics,
            deliverer: Deliverer::new(make),
            running: Mutex::default(),
            delivering: Mutex::default(),
            wakers: Mutex::default(),
            turns: Mutex::default(),
            tasks: TaskTracker::new(),
            end: CancellationToken::new(),
        }
    }

    /// Runs code with the store on a blocking thread.
    pub(crate) async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SubscriptionStore) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = self.store.clone();
        let worked = tokio::task::spawn_blocking(move || work(&store)).await;
        Ok(worked.map_err(|error| ApiError::internal(&error))??)
    }

    /// Continues the work of an earlier server: runs sources, delivers events, and removes sources
    /// without a subscription.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), ApiError> {
        self.review_sources().await?;
        for subscription in self.with_store(|store| store.pushed()).await? {
            self.deliver(subscription.key);
        }
        Ok(())
    }

    /// Runs the sources that a token still allows, stops the others, and removes those that no
    /// subscription uses.
    async fn review_sources(self: &Arc<Self>) -> Result<(), ApiError> {
        for source in self.with_store(|store| store.sources()).await? {
            if !source.is_used {
                self.spawn_removal(source);
                continue;
            }
            let name = source.name.clone();
            let mut refusals = Vec::new();
            let mut is_allowed = false;
            for subscription in self.with_store(move |store| store.of_source(&name)).await? {
                match self.refusal(&subscription).await? {
                    None => is_allowed = true,
                    Some(refusal) => refusals.push(refusal),
                }
            }
            match is_allowed {
                true => self.run(&source),
                false => {
                    if let Some(running) = locked(&self.running).remove(&source.name) {
                        running.cancel();
                    }
                    let reasons = refusals.join("; ");
                    tracing::warn!(
                        plugin = source.plugin, actor = %source.principal, reasons,
                        "a subscription is not run"
                    );
                }
            }
        }
        Ok(())
    }

    /// Why the current policy of its token no longer allows a subscription.
    async fn refusal(&self, of: &StoredSubscription) -> Result<Option<String>, ApiError> {
        let name = of.source.clone();
        let source = self.with_store(move |store| store.source_of(&name)).await?;
        let Some(source) = source else { return Ok(Some("its source was removed".to_owned())) };
        let opened = self.triggers.store().open(&name_of(&source)).await;
        let credentials = opened.map(|opened| opened.subscription.credentials).unwrap_or_default();
        let (tokens, policies, of) = (self.tokens.clone(), self.policies.clone(), of.clone());
        let judged = tokio::task::spawn_blocking(move || {
            judge(&tokens, &policies, &of, &source, &credentials)
        });
        Ok(judged.await.map_err(|error| ApiError::internal(&error))??)
    }

    /// Counts events that wait and that were set aside, for the metrics.
    pub(crate) async fn measure(&self) -> Result<(), ApiError> {
        let (waiting, set_aside) = self.with_store(|store| store.totals()).await?;
        self.metrics.events_waiting.set(waiting);
        self.metrics.events_set_aside.set(set_aside);
        Ok(())
    }

    /// Stops all tasks. Received events are stored.
    pub(crate) async fn stop(&self) {
        self.end.cancel();
        self.tasks.close();
        if tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await.is_err() {
            tracing::warn!("subscriptions did not end in time");
        }
    }

    fn turn(&self, principal: &Principal) -> Arc<tokio::sync::Mutex<()>> {
        locked(&self.turns).entry(principal.clone()).or_default().clone()
    }

    fn waker(&self, key: &Key) -> Arc<Notify> {
        locked(&self.wakers).entry(key.clone()).or_default().clone()
    }

    pub(crate) fn plugin(&self, name: &str) -> Option<&Plugin> {
        self.plugins.get(name)
    }

    /// The subscriptions of the library, narrowed to what a source may reach.
    pub(crate) fn triggers(&self, of: &Source) -> Triggers {
        self.triggers.narrowed(of.destinations.clone())
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The URL of a source on this server.
    pub(crate) fn hook_url(&self, source: &Source) -> Result<Url, ApiError> {
        let url = self.public_url.as_ref();
        let url = url.and_then(|url| url.join(&format!("hooks/{}", source.hook)).ok());
        url.ok_or_else(|| {
            let message = "The server does not know the address under which services reach it.";
            ApiError::new(axum::http::StatusCode::CONFLICT, "no-public-url", message)
                .next("Start the server with --public-url URL.")
        })
    }

    /// Status of a subscription's source at the service.
    pub(crate) async fn status(&self, of: &StoredSubscription) -> &'static str {
        if of.is_sample() {
            return "sample";
        }
        let key = SubscriptionKey { principal: of.key.principal.clone(), name: of.source.clone() };
        let found = self.triggers.store().open(&key.to_string()).await;
        found.map_or("missing", |found| found.subscription.status.as_str())
    }

    /// Creates a subscription, or changes the one with its key.
    pub(crate) async fn put(self: Arc<Self>, order: Order) -> Result<Put, ApiError> {
        let turn = self.turn(&order.key.principal);
        let _turn = turn.lock().await;
        let key = order.key.clone();
        let before = {
            let key = key.clone();
            self.with_store(move |store| store.get(&key)).await?
        };
        if before.is_none() {
            let tenant = key.principal.tenant.to_string();
            let count = self.with_store(move |store| store.count(&tenant)).await?;
            if count >= self.limits.subscriptions_per_tenant as u64 {
                let status = axum::http::StatusCode::TOO_MANY_REQUESTS;
                let message =
                    "The tenant has too many subscriptions (limit `subscriptions_per_tenant`).";
                return Err(ApiError::new(status, "queue-full", message)
                    .next("Remove subscriptions that no workflow uses.")
                    .retry_after(ServerLimits::time(self.limits.retry_after_ms)));
            }
        }
        let (source, sample, event) = match order.sample {
            true => {
                let before = before.as_ref().map(|before| before.source.as_str());
                let (source, kind, event) = self.sample(&order, before).await?;
                (source, Some(kind), event)
            }
            false => (self.set_up(&order).await?, None, None),
        };
        let is_new = before.as_ref().is_none_or(|_| order.rotate_secret);
        let secret = match &before {
            Some(before) if !is_new => before.secret.clone(),
            _ => Secret::new(format!("whs_{}", random_text())),
        };
        let kept = StoredSubscription {
            key: key.clone(),
            source: source.name.clone(),
            plugin: order.plugin,
            trigger: order.trigger,
            workflow: order.workflow,
            deliver_to: order.deliver_to,
            is_private: order.is_private,
            secret: secret.clone(),
            created_at: before.as_ref().map_or_else(now, |before| before.created_at),
            token: order.token,
            waiting: 0,
            set_aside: 0,
            problem: None,
        };
        self.with_store(move |store| {
            store.keep(&kept)?;
            event.map_or(Ok(()), |event| store.show(&kept.key, &event, sample))
        })
        .await?;
        self.run(&source);
        self.deliver(key.clone());
        if let Some(before) = before.filter(|before| before.source != source.name) {
            self.remove_source(&before.source).await;
        }
        let stored = self.with_store(move |store| store.get(&key)).await?;
        let stored = stored.ok_or_else(|| ApiError::internal(&"a subscription was not stored"))?;
        Ok(Put { stored, secret: is_new.then_some(secret), sample })
    }

    /// Sets up the source of an order, unless it exists.
    async fn set_up(self: &Arc<Self>, order: &Order) -> Result<Source, ApiError> {
        let plugin = self.plugin(&order.plugin);
        let plugin = plugin.ok_or_else(|| ApiError::not_found("plugin", &order.plugin))?.clone();
        let is_webhook = plugin
            .description()
            .trigger(&order.trigger)
            .is_some_and(|trigger| trigger.webhook().is_some());
        let (name, principal) = (order.source(), order.key.principal.clone());
        let (node, hook) = (order.plugin.clone(), random_text());
        let source = {
            let (principal, destinations) = (principal.clone(), order.destinations.clone());
            self.with_store(move |store| {
                store.source(&name, &principal, &node, &hook, destinations.as_deref())
            })
            .await?
        };
        if source.is_used {
            return Ok(source);
        }
        let callback_url = match (&order.callback_url, is_webhook) {
            (_, false) => None,
            (Some(url), true) => Some(url.clone()),
            (None, true) => match self.hook_url(&source) {
                Ok(url) => Some(url.into()),
                Err(error) => {
                    self.remove_source(&source.name).await;
                    return Err(error);
                }
            },
        };
        let new = NewSubscription {
            name: source.name.clone(),
            trigger: order.trigger.clone(),
            version: None,
            parameters: Value::Object(order.parameters.clone()),
            credentials: order.credentials.clone(),
            callback_url,
            actor: principal,
            workflow: order.workflow.clone(),
        };
        match self.triggers(&source).set_up(&plugin, new, &self.end).await {
            Ok(_) => Ok(source),
            Err(error) => {
                // Removes the webhook that the service may have created, now or later.
                self.remove_source(&source.name).await;
                Err(error.into())
            }
        }
    }

    /// Removes a subscription, and its source if no other subscription uses it.
    pub(crate) async fn remove(self: Arc<Self>, key: Key) -> Result<bool, ApiError> {
        let turn = self.turn(&key.principal);
        let _turn = turn.lock().await;
        let found = {
            let key = key.clone();
            self.with_store(move |store| store.get(&key)).await?
        };
        let Some(found) = found else { return Ok(false) };
        if let Some(delivering) = locked(&self.delivering).remove(&key) {
            delivering.cancel();
        }
        let of = key.clone();
        self.with_store(move |store| store.remove(&of)).await?;
        self.recent.forget(&key);
        if let Some(waker) = locked(&self.wakers).remove(&key) {
            waker.notify_waiters();
        }
        self.remove_source(&found.source).await;
        Ok(true)
    }

    fn spawn_removal(self: &Arc<Self>, source: Source) {
        let own = self.clone();
        self.tasks.spawn(async move {
            let turn = own.turn(&source.principal);
            let _turn = turn.lock().await;
            own.remove_source(&source.name).await;
        });
    }

    /// Removes a source at the service and here, unless a subscription uses it. If that fails, it
    /// is retried later. The caller holds the turn of its user.
    async fn remove_source(&self, name: &str) {
        let of = name.to_owned();
        let source = match self.with_store(move |store| store.source_of(&of)).await {
            Ok(Some(source)) if !source.is_used => source,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(reason = error.detail.message, "a subscription's source stays");
                return;
            }
        };
        if !source.is_sample() && !self.tear_down(&source).await {
            return;
        }
        let of = name.to_owned();
        if let Err(error) = self.with_store(move |store| store.remove_source(&of)).await {
            tracing::warn!(reason = error.detail.message, "a subscription's source stays");
        }
    }

    /// Removes a source at the service. Returns whether it is removed.
    async fn tear_down(&self, source: &Source) -> bool {
        if let Some(running) = locked(&self.running).remove(&source.name) {
            running.cancel();
        }
        let Some(plugin) = self.plugin(&source.plugin) else { return false };
        let removed = self.triggers(source).tear_down(plugin, &name_of(source), &self.end).await;
        if let Err(error) = &removed {
            tracing::warn!(
                error = chain(error),
                "a subscription cannot be removed at the service yet"
            );
        }
        removed.is_ok()
    }

    /// Runs a source, unless it is running.
    fn run(self: &Arc<Self>, source: &Source) {
        if source.is_sample() {
            return;
        }
        let cancellation = self.end.child_token();
        {
            let mut running = locked(&self.running);
            if running.contains_key(&source.name) {
                return;
            }
            running.insert(source.name.clone(), cancellation.clone());
        }
        let (own, source) = (self.clone(), source.clone());
        self.tasks.spawn(async move {
            let Some(plugin) = own.plugin(&source.plugin).cloned() else {
                tracing::warn!(plugin = source.plugin, "a subscription's plugin is not served");
                return;
            };
            let name = name_of(&source);
            let sink = Arc::new(FanOut {
                subscriptions: own.clone(),
                source: source.name.clone(),
                plugin: source.plugin.clone(),
            });
            let triggers = own.triggers(&source);
            loop {
                let options = RunOptions::default();
                let ran = triggers.run(&plugin, &name, sink.clone(), options, &cancellation);
                match ran.await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "a subscription cannot be run")
                    }
                }
                tokio::select! {
                    () = cancellation.cancelled() => return,
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
        });
    }

    /// Delivers the events of a subscription, replacing its previous delivery task.
    fn deliver(self: &Arc<Self>, key: Key) {
        let cancellation = self.end.child_token();
        if let Some(before) = locked(&self.delivering).insert(key.clone(), cancellation.clone()) {
            before.cancel();
        }
        let own = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = cancellation.cancelled() => {}
                ended = own.delivers(&key) => {
                    if let Err(error) = ended {
                        tracing::error!(reason = error.detail.message, "deliveries stopped");
                    }
                }
            }
        });
    }

    async fn delivers(&self, key: &Key) -> Result<(), ApiError> {
        let waker = self.waker(key);
        let mut refusals = 0;
        loop {
            let mut woken = std::pin::pin!(waker.notified());
            woken.as_mut().enable();
            let of = key.clone();
            let found = self.with_store(move |store| {
                let Some(subscription) = store.get(&of)? else { return Ok(None) };
                let event = store.events(&of, Which::Waiting, 0, 1)?.into_iter().next();
                Ok(Some((subscription, event)))
            });
            let Some((subscription, event)) = found.await? else { return Ok(()) };
            if subscription.deliver_to.is_none() {
                return Ok(());
            }
            let Some(event) = event else {
                tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
                continue;
            };
            let time = ServerLimits::time(self.limits.delivery_ms);
            let attempt = match self.refusal(&subscription).await? {
                Some(reason) => Attempt::Gone(format!("not sent: {reason}")),
                None => self.deliverer.send(&subscription, &event, time).await,
            };
            let (number, of) = (event.number, key.clone());
            let (reason, set_aside) = match attempt {
                Attempt::Accepted => {
                    refusals = 0;
                    self.metrics.delivery(&subscription.plugin, "accepted");
                    self.with_store(move |store| store.accepted(&of, number)).await?;
                    continue;
                }
                Attempt::Gone(reason) => (reason, true),
                Attempt::Refused(reason) => {
                    let since = event.refused_since.unwrap_or_else(now);
                    (reason, now().saturating_sub(since) >= self.limits.set_aside_ms)
                }
            };
            tracing::warn!(subscription = key.id, number, reason, set_aside, "delivery refused");
            let outcome = if set_aside { "set-aside" } else { "refused" };
            self.metrics.delivery(&subscription.plugin, outcome);
            self.with_store(move |store| store.refused(&of, number, &reason, set_aside)).await?;
            if set_aside {
                refusals = 0;
                continue;
            }
            tokio::time::sleep(pause(refusals, &self.limits)).await;
            refusals += 1;
        }
    }

    /// Events of a subscription after a number; waits for one if there is none. If the engine
    /// pulls, this accepts the earlier ones.
    pub(crate) async fn events(
        &self,
        key: &Key,
        which: Which,
        after: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<StoredEvent>, ApiError> {
        let waker = self.waker(key);
        let until = tokio::time::Instant::now() + wait;
        loop {
            let mut woken = std::pin::pin!(waker.notified());
            woken.as_mut().enable();
            let of = key.clone();
            let found =
                self.with_store(move |store| store.events(&of, which, after, limit)).await?;
            if !found.is_empty() || tokio::time::Instant::now() >= until {
                return Ok(found);
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(until) => {}
                () = self.end.cancelled() => return Ok(Vec::new()),
            }
        }
    }

    /// Offers events again that were set aside. Returns how many.
    pub(crate) async fn offer_again(&self, key: &Key, numbers: Vec<u64>) -> Result<u64, ApiError> {
        let of = key.clone();
        let offered = self.with_store(move |store| {
            let mut offered = 0;
            for number in numbers {
                offered += u64::from(store.offer_again(&of, number)?);
            }
            Ok(offered)
        });
        let offered = offered.await?;
        self.waker(key).notify_waiters();
        Ok(offered)
    }

    /// Removes events that were not accepted in time, and retries removing sources.
    pub(crate) async fn prune(self: &Arc<Self>) -> Result<(), ApiError> {
        let before = now().saturating_sub(self.limits.event_retention_ms);
        self.recent.prune(before);
        let removed = self.with_store(move |store| store.prune(before)).await?;
        if removed > 0 {
            tracing::warn!(removed, "events were removed that no engine had taken");
        }
        self.review_sources().await
    }
}

/// Why the current policy of its token no longer allows a subscription. Blocks.
fn judge(
    tokens: &Tokens,
    policies: &Policies,
    of: &StoredSubscription,
    source: &Source,
    credentials: &BTreeMap<String, String>,
) -> Result<Option<String>, DatabaseError> {
    let callers = match of.token.as_str() {
        // It was made before tokens were noted: any token of its user may have made it.
        "" => tokens.callers(policies)?,
        id => vec![match tokens.caller_of(id, policies)? {
            Ok(caller) => caller,
            Err(refusal) => {
                return Ok(Some(format!("the token of the subscription is refused: {refusal}")));
            }
        }],
    };
    let own = callers.into_iter().filter(|one| one.policy.principal() == of.key.principal);
    let mut refusal = "no token acts as the user of the subscription any more".to_owned();
    for caller in own {
        match problem(&caller.policy, of, source, credentials) {
            None => return Ok(None),
            Some(problem) => {
                refusal = format!("the policy of the token `{}` {problem}", caller.name)
            }
        }
    }
    Ok(Some(refusal))
}

/// Why a policy no longer allows a subscription. `None` if it does.
fn problem(
    policy: &Policy,
    of: &StoredSubscription,
    source: &Source,
    credentials: &BTreeMap<String, String>,
) -> Option<String> {
    if !policy.roles.contains(&Role::Run) {
        return Some("does not have the role `run` any more".to_owned());
    }
    if !policy.allows_plugin(&of.plugin) {
        return Some(format!("does not list the plugin `{}` any more", of.plugin));
    }
    if !policy.allows_name(&of.trigger) {
        return Some(format!("does not list the trigger `{}` any more", of.trigger));
    }
    if let Some(name) = credentials.values().find(|name| !policy.allows_credential(name)) {
        return Some(format!("does not list the credential `{name}` any more"));
    }
    if sorted(policy.destinations.as_deref()) != sorted(source.destinations.as_deref()) {
        return Some("lists other `destinations` now. Make the subscription again".to_owned());
    }
    let url = of.deliver_to.as_deref().and_then(|url| Url::parse(url).ok())?;
    let origin = url.origin().ascii_serialization();
    if !policy.deliver_to.contains(&origin) {
        return Some(format!("does not list the origin `{origin}` in `deliver_to` any more"));
    }
    (of.is_private && !policy.deliver_to_private).then(|| {
        "does not set `deliver_to_private` any more. Make the subscription again".to_owned()
    })
}

/// Distributes the events of a source to its subscriptions.
struct FanOut {
    subscriptions: Arc<Subscriptions>,
    source: String,
    plugin: String,
}

#[async_trait]
impl EventSink for FanOut {
    async fn event(&self, event: &TriggerEvent) -> Result<(), SinkError> {
        let limits = &self.subscriptions.limits;
        let most = (limits.waiting_events, limits.waiting_event_bytes);
        let (source, event) = (self.source.clone(), event.clone());
        let store = self.subscriptions.store.clone();
        let (received_at, text) = (event.received_at, event.event.to_string());
        let stored = tokio::task::spawn_blocking(move || store.fan_out(&source, &event, most));
        for (key, number) in stored.await?? {
            self.subscriptions.metrics.event(&self.plugin);
            self.subscriptions.recent.add(&key, number, received_at, &text);
            self.subscriptions.waker(&key).notify_waiters();
        }
        Ok(())
    }
}
