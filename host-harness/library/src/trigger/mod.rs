//! Triggers: what starts a workflow. The host sets a subscription up at the service, receives its
//! deliveries or polls, and hands events on; the plugin only says how.
//!
//! | step | where |
//! | --- | --- |
//! | 1. a subscription is set up, checked, repaired, torn down | [`Triggers`] |
//! | 2. a delivery is received: method, size, signature, repetition; kept; answered | [`Triggers::receive`] |
//! | 3. the guest turns what is kept into events, or polls | [`Triggers::work`], [`Triggers::poll`] |
//! | 4. events are kept, each once, and handed on in order | [`Triggers::run`] |
//!
//! A delivery is answered as soon as it is kept, so that a slow workflow does not make the service
//! give up; no code of the plugin has run then, unless the trigger is described so. The secret that
//! signs is captured by the host when the subscription is set up: the guest has a handle.
//!
//! What is guaranteed: a delivery that was answered with 202 and an event that a poll has found are
//! kept until the engine has taken them, over restarts. Each event is handed on once, unless the
//! engine ends between taking it and saying so; then it comes again, with the same number and
//! [`TriggerEvent::dedup_key`]. Events of one subscription come in the order in which they were
//! received. One process at a time runs a subscription; any number may receive for it.

mod listen;
mod manage;
mod memory;
mod receive;
mod run;
mod signature;
mod store;
mod subscription;

pub use listen::Listener;
pub use manage::Triggers;
pub use memory::MemoryTriggers;
pub use receive::{Answer, Incoming, Reason};
pub use run::{EventSink, Happening, RunOptions, SinkError};
pub use signature::{SignatureError, sign, verify};
pub use store::{Acceptance, Pending, TriggerStore, TriggerStoreError};
pub use subscription::{
    Delivered, Keep, NewEvent, NewSubscription, Status, Subscription, TriggerEvent,
};
