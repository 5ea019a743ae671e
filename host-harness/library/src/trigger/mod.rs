//! Triggers: events that start a workflow. The host sets up a subscription at the service, receives
//! its deliveries or polls, and passes events to the engine. The plugin only describes how.
//!
//! | step | where |
//! | --- | --- |
//! | 1. a subscription is set up, checked, repaired, removed | [`Triggers`] |
//! | 2. a delivery is received: method, size, signature, and duplicates are checked; it is stored and answered | [`Triggers::receive`] |
//! | 3. the guest turns stored deliveries into events, or polls | [`Triggers::work`], [`Triggers::poll`] |
//! | 4. events are stored, each once, and delivered in order | [`Triggers::run`] |
//!
//! The host responds to a delivery as soon as it is stored, so that a slow workflow does not make the
//! service give up. No code of the plugin has run by then, unless the trigger declares that the plugin
//! responds. The host captures the signing secret at setup; the guest has only a handle.
//!
//! Guarantees: a delivery that was answered with 202 and an event that a poll returned are stored
//! until the engine has accepted them, across restarts. Each event is delivered once, unless the
//! engine stops between accepting it and confirming that; then it is delivered again with the same
//! number and [`TriggerEvent::dedup_key`]. Events of a subscription are delivered in the order in
//! which they were received. One process at a time runs a subscription; any number of processes may
//! receive deliveries for it.
//!
//! An engine listens like this:
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use serde_json::json;
//! use workflow_node_host::store::{SqliteStore, StoreKey};
//! use workflow_node_host::trigger::{
//! EventSink, SubscriptionActivity, Listener, NewSubscription, RunOptions, SinkError, TriggerEvent,
//! };
//! use workflow_node_host::{CancellationToken, FileApprovals, Host, Principal};
//!
//! struct Workflows;
//!
//! #[async_trait]
//! impl EventSink for Workflows {
//! async fn event(&self, event: &TriggerEvent) -> Result<(), SinkError> {
//! // The same number is the same event: write both down in one transaction.
//! println!("{} {}: {}", event.subscription, event.number, event.event.get());
//! Ok(())
//! }
//!
//! fn activity(&self, subscription: &str, activity: &SubscriptionActivity) {
//! eprintln!("{subscription}: {activity:?}");
//! }
//! }
//!
//! async fn listen() -> Result<(), Box<dyn std::error::Error>> {
//! let key = StoreKey::from_key_file(Path::new("keys/store.key"))?;
//! let store = SqliteStore::open(Path::new("data/credentials.db"), key)?;
//! let host = Host::builder()
//! .approvals(Arc::new(FileApprovals::new("data/approvals.json")))
//! // One file stores credentials and subscriptions.
//! .credential_store(Arc::new(store.clone()))
//! .trigger_store(Arc::new(store))
//! .build()?;
//! let plugin = host.load_file("pagerduty.wasm").await?;
//! let triggers = host.triggers()?;
//! let end = CancellationToken::new();
//!
//! // Deliveries come through a proxy that ends TLS, and reach this socket in plain HTTP.
//! let listener = Listener::new(triggers.clone(), plugin.clone(), |subscription, answer| {
//! eprintln!("{subscription}: {} {:?}", answer.status, answer.reason);
//! });
//! listener.route("/hooks/7c1f09", "orders");
//! let socket = tokio::net::TcpListener::bind("127.0.0.1:8808").await?;
//! let serving = listener.clone();
//! let server = tokio::spawn(async move { serving.serve(socket).await });
//!
//! let new = NewSubscription {
//! name: "orders".into(),
//! trigger: "event".into(),
//! version: Some(1),
//! parameters: json!({ "events": ["incident.triggered"] }),
//! credentials: [("rest".to_owned(), "work".to_owned())].into(),
//! callback_url: Some("https://hooks.example.com/hooks/7c1f09".into()),
//! actor: Principal::default(),
//! workflow: Some("tell the shop".into()),
//! };
//! triggers.set_up(&plugin, new, &end).await?;
//!
//! // Until `end` is cancelled.
//! triggers.run(&plugin, "orders", Arc::new(Workflows), RunOptions::default(), &end).await?;
//! server.abort();
//! Ok(())
//! }
//! ```

mod listen;
mod manage;
mod memory;
mod receive;
mod run;
mod signature;

pub use listen::Listener;
pub use manage::Triggers;
pub use memory::MemoryTriggers;
pub use receive::{Answer, Incoming, Reason};
pub use run::{EventSink, RunOptions, SinkError, SubscriptionActivity};
pub use signature::{SignatureError, sign, verify};

pub use crate::subscription::{
    Acceptance, Delivered, NewEvent, NewSubscription, Pending, Status, StoredSubscription,
    Subscription, SubscriptionKey, TriggerEvent, TriggerStore, TriggerStoreError,
};
