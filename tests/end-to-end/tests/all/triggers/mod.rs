//! Triggers through the real component, host, sockets and the simulator's deliveries.

mod polling;
mod webhooks;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use end_to_end::World;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use workflow_node_host::CancellationToken;
use workflow_node_host::trigger::{
    Answer, EventSink, Happening, Listener, MemoryTriggers, NewSubscription, RunOptions, SinkError,
    Subscription, TriggerEvent, TriggerStore, Triggers,
};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine: it receives, runs subscriptions, and keeps what it is handed.
pub(super) struct Engine<'a> {
    pub(super) world: &'a World,
    pub(super) triggers: Triggers,
    listener: Listener,
    base: String,
    pub(super) inbox: Arc<Inbox>,
    pub(super) answers: Arc<Mutex<Vec<(String, Answer)>>>,
    pub(super) cancellation: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// What the engine was handed.
#[derive(Default)]
pub(super) struct Inbox {
    events: Mutex<Vec<TriggerEvent>>,
    happenings: Mutex<Vec<Happening>>,
    /// Milliseconds that the workflow takes for each event.
    pub(super) takes: AtomicU64,
    /// The workflow refuses.
    pub(super) refuses: AtomicBool,
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

    fn happened(&self, _subscription: &str, happening: &Happening) {
        let mut happenings = self.happenings.lock().unwrap_or_else(PoisonError::into_inner);
        happenings.push(happening.clone());
    }
}

impl Inbox {
    pub(super) fn events(&self) -> Vec<TriggerEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn happenings(&self) -> Vec<Happening> {
        self.happenings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The events as JSON, once there are so many.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually(
            || self.events().len() >= count,
            || format!("{} of {count} events, {:?}", self.events().len(), self.happenings()),
        )
        .await;
        self.json()
    }

    pub(super) fn json(&self) -> Vec<Value> {
        let events = self.events();
        events.iter().map(|event| serde_json::from_str(event.event.get()).unwrap()).collect()
    }
}

/// Waits until something holds.
pub(super) async fn eventually(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < until, "it never came to that: {}", otherwise());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl<'a> Engine<'a> {
    pub(super) async fn new(world: &'a World) -> Self {
        Self::with(world, Arc::new(MemoryTriggers::default())).await
    }

    pub(super) async fn with(world: &'a World, store: Arc<dyn TriggerStore>) -> Self {
        let triggers = world.host.triggers(store);
        let answers = Arc::new(Mutex::new(Vec::new()));
        let heard = answers.clone();
        let listener =
            Listener::new(triggers.clone(), world.plugin.clone(), move |name, answer| {
                heard.lock().unwrap().push((name.to_owned(), answer.clone()));
            });
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", socket.local_addr().unwrap());
        let serving = listener.clone();
        let task = tokio::spawn(async move { serving.serve(socket).await.unwrap() });
        Self {
            world,
            triggers,
            listener,
            base,
            inbox: Arc::default(),
            answers,
            cancellation: CancellationToken::new(),
            tasks: vec![task],
        }
    }

    /// Where the deliveries of a subscription go.
    pub(super) fn callback(&self, name: &str) -> String {
        let path = format!("/hooks/{name}");
        self.listener.route(&path, name);
        format!("{}{path}", self.base)
    }

    pub(super) fn webhook(&self, name: &str, parameters: Value) -> NewSubscription {
        NewSubscription {
            name: name.into(),
            trigger: "event".into(),
            parameters,
            credentials: [("rest".to_owned(), "user".to_owned())].into(),
            callback_url: Some(self.callback(name)),
            actor: None,
            workflow: Some("a workflow".into()),
        }
    }

    pub(super) fn poller(&self, name: &str, trigger: &str, parameters: Value) -> NewSubscription {
        NewSubscription {
            trigger: trigger.into(),
            callback_url: None,
            ..self.webhook(name, parameters)
        }
    }

    pub(super) async fn set_up(&self, new: NewSubscription) -> Subscription {
        self.triggers.set_up(&self.world.plugin, new, &self.cancellation).await.unwrap()
    }

    /// Runs a subscription in the background.
    pub(super) fn run(&mut self, name: &str, options: RunOptions) {
        let (triggers, plugin) = (self.triggers.clone(), self.world.plugin.clone());
        let (name, inbox, token) = (name.to_owned(), self.inbox.clone(), self.cancellation.clone());
        self.tasks.push(tokio::spawn(async move {
            triggers.run(&plugin, &name, inbox, options, &token).await.unwrap();
        }));
    }

    /// Polls until there is no more at once, and takes what came.
    pub(super) async fn poll(&self, name: &str) -> usize {
        let mut all = 0;
        loop {
            let polled = self.triggers.poll(&self.world.plugin, name, &self.cancellation).await;
            let (new, more) = polled.unwrap();
            all += new;
            if !more {
                return all;
            }
        }
    }

    /// Sets up a webhook for these events, and runs it.
    pub(super) async fn hears(world: &'a World, events: &[&str]) -> Self {
        let mut engine = Self::new(world).await;
        engine.set_up(engine.webhook("hook", json!({ "events": events }))).await;
        engine.run("hook", RunOptions::default());
        engine
    }

    /// The statuses that deliveries were answered with.
    pub(super) fn statuses(&self) -> Vec<u16> {
        self.answers.lock().unwrap().iter().map(|(_, answer)| answer.status.as_u16()).collect()
    }
}

impl Drop for Engine<'_> {
    fn drop(&mut self) {
        self.cancellation.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}
