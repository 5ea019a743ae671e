//! A test engine for triggers: it receives deliveries, runs subscriptions, and stores the events that it
//! receives.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use workflow_node_host::trigger::{
    Answer, EventSink, Listener, MemoryTriggers, NewSubscription, RunOptions, SinkError,
    Subscription, SubscriptionActivity, TriggerEvent, TriggerStore, Triggers,
};
use workflow_node_host::{CancellationToken, Plugin, Principal, TriggerLimits};

use crate::World;

/// Maximum time that a test waits for an expected event.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine that receives deliveries, runs subscriptions, and stores the events that it receives.
pub struct Engine {
    plugin: Plugin,
    /// The host's triggers.
    pub triggers: Triggers,
    listener: Listener,
    base: String,
    /// Events and activities that were received.
    pub inbox: Arc<Inbox>,
    /// Responses to deliveries, by subscription.
    pub answers: Arc<Mutex<Vec<(String, Answer)>>>,
    /// Ends everything that runs.
    pub cancellation: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Events and activities that the engine received.
#[derive(Default)]
pub struct Inbox {
    events: Mutex<Vec<TriggerEvent>>,
    activities: Mutex<Vec<SubscriptionActivity>>,
    /// Milliseconds that the workflow takes for each event.
    pub takes: AtomicU64,
    /// The workflow refuses.
    pub refuses: AtomicBool,
}

#[async_trait]
impl EventSink for Inbox {
    async fn event(&self, event: &TriggerEvent) -> Result<(), SinkError> {
        tokio::time::sleep(Duration::from_millis(self.takes.load(Ordering::Relaxed))).await;
        if self.refuses.load(Ordering::Relaxed) {
            return Err("the workflow is switched off".into());
        }
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        Ok(())
    }

    fn activity(&self, _subscription: &str, activity: &SubscriptionActivity) {
        let mut activities = self.activities.lock().unwrap_or_else(PoisonError::into_inner);
        activities.push(activity.clone());
    }
}

impl Inbox {
    /// The events so far.
    pub fn events(&self) -> Vec<TriggerEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Activities of the subscription.
    pub fn activities(&self) -> Vec<SubscriptionActivity> {
        self.activities.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The events as JSON, once there are so many.
    pub async fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually(
            || self.events().len() >= count,
            || format!("{} of {count} events, {:?}", self.events().len(), self.activities()),
        )
        .await;
        self.json()
    }

    /// The events so far, as JSON.
    pub fn json(&self) -> Vec<Value> {
        let events = self.events();
        events
            .iter()
            .map(|event| serde_json::from_str(event.event.get()).expect("events are JSON"))
            .collect()
    }
}

/// Waits until a condition holds. Panics on timeout.
pub async fn eventually(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < until, "it never came to that: {}", otherwise());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Triggers of a host with this store. A host has one store, and a test of restarts needs several hosts.
pub fn triggers(store: Arc<dyn TriggerStore>, limits: TriggerLimits) -> Triggers {
    let host = crate::host().trigger_store(store).trigger_limits(limits);
    let host = host.build().expect("the host is built");
    host.triggers().expect("the host has a trigger store").clone()
}

impl Engine {
    /// An engine that stores everything in memory.
    pub async fn new(world: &World) -> Self {
        Self::with(world, Arc::new(MemoryTriggers::default())).await
    }

    /// An engine with a given store.
    pub async fn with(world: &World, store: Arc<dyn TriggerStore>) -> Self {
        Self::of(&world.plugin, store).await
    }

    /// An engine for any plugin.
    pub async fn of(plugin: &Plugin, store: Arc<dyn TriggerStore>) -> Self {
        Self::within(plugin, store, TriggerLimits::default()).await
    }

    /// An engine for any plugin, with separate limits.
    pub async fn within(
        plugin: &Plugin,
        store: Arc<dyn TriggerStore>,
        limits: TriggerLimits,
    ) -> Self {
        let triggers = triggers(store, limits);
        let answers = Arc::new(Mutex::new(Vec::new()));
        let heard = answers.clone();
        let listener = Listener::new(triggers.clone(), plugin.clone(), move |name, answer| {
            heard.lock().expect("no test has panicked").push((name.to_owned(), answer.clone()));
        });
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let base = format!("http://{}", socket.local_addr().expect("it is bound"));
        let serving = listener.clone();
        let task = tokio::spawn(async move { serving.serve(socket).await.expect("it serves") });
        Self {
            plugin: plugin.clone(),
            triggers,
            listener,
            base,
            inbox: Arc::default(),
            answers,
            cancellation: CancellationToken::new(),
            tasks: vec![task],
        }
    }

    /// Callback URL of a subscription.
    pub fn callback(&self, name: &str) -> String {
        let path = format!("/hooks/{name}");
        self.listener.route(&path, name);
        format!("{}{path}", self.base)
    }

    /// A new subscription with a webhook.
    pub fn webhook(&self, name: &str, parameters: Value) -> NewSubscription {
        NewSubscription {
            name: name.into(),
            trigger: "event".into(),
            version: None,
            parameters,
            credentials: [("rest".to_owned(), "user".to_owned())].into(),
            callback_url: Some(self.callback(name)),
            actor: Principal::default(),
            workflow: Some("a workflow".into()),
        }
    }

    /// A new subscription that polls.
    pub fn poller(&self, name: &str, trigger: &str, parameters: Value) -> NewSubscription {
        NewSubscription {
            trigger: trigger.into(),
            callback_url: None,
            ..self.webhook(name, parameters)
        }
    }

    /// Sets up a subscription.
    pub async fn set_up(&self, new: NewSubscription) -> Subscription {
        let set_up = self.triggers.set_up(&self.plugin, new, &self.cancellation).await;
        let subscription = set_up.expect("it is set up");
        let url = subscription.callback_url.as_deref().unwrap_or_default();
        if let Some(path) = url.strip_prefix(&self.base) {
            self.listener.route(path, subscription.key().to_string());
        }
        subscription
    }

    /// Runs a subscription in the background, into the inbox.
    pub fn run(&mut self, name: &str, options: RunOptions) {
        self.run_into(name, self.inbox.clone(), options);
    }

    /// Runs a subscription in the background.
    pub fn run_into(&mut self, name: &str, sink: Arc<dyn EventSink>, options: RunOptions) {
        let (triggers, plugin) = (self.triggers.clone(), self.plugin.clone());
        let (name, token) = (name.to_owned(), self.cancellation.clone());
        self.tasks.push(tokio::spawn(async move {
            triggers.run(&plugin, &name, sink, options, &token).await.expect("it can be run");
        }));
    }

    /// Polls until there is no more at once, and takes what came.
    pub async fn poll(&self, name: &str) -> usize {
        let mut all = 0;
        loop {
            let polled = self.triggers.poll(&self.plugin, name, &self.cancellation).await;
            let (new, more) = polled.expect("the poll succeeds");
            all += new;
            if !more {
                return all;
            }
        }
    }

    /// Sets up a webhook for these events, and runs it.
    pub async fn hears(world: &World, events: &[&str]) -> Self {
        let mut engine = Self::new(world).await;
        engine.set_up(engine.webhook("hook", json!({ "events": events }))).await;
        engine.run("hook", RunOptions::default());
        engine
    }

    /// The statuses that deliveries were answered with.
    pub fn statuses(&self) -> Vec<u16> {
        self.answers
            .lock()
            .expect("no test has panicked")
            .iter()
            .map(|(_, answer)| answer.status.as_u16())
            .collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.cancellation.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}
