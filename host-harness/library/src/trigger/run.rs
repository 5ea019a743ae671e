//! Processes deliveries of a subscription, polls, checks its health, and delivers events.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::manage::{Triggers, refused};
use crate::causes::chain;
use crate::error::{Cause, Error};
use crate::item::{ItemError, ItemErrorKind};
use crate::plugin::Plugin;
use crate::subscription::{Pending, Status, TriggerEvent, TriggerStoreError};

/// How often a plugin may crash at one delivery before that is put aside.
const MOST_CRASHES: u32 = 3;
/// The first pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How often is looked whether another process has received something.
const LOOK: Duration = Duration::from_secs(2);

/// Why an engine did not take an event. It is offered again.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Takes events. May take its time: deliveries are received meanwhile, and wait.
#[async_trait]
pub trait EventSink: Send + Sync + 'static {
    /// Accepts an event. After this has returned `Ok`, the event is not delivered again.
    ///
    /// # Errors
    ///
    /// When it was not taken: it is offered again after a pause, and those behind it wait.
    async fn event(&self, event: &TriggerEvent) -> Result<(), SinkError>;

    /// Receives other activity of the subscription.
    fn activity(&self, subscription: &str, activity: &SubscriptionActivity) {
        tracing::info!(subscription, ?activity, "trigger");
    }
}

/// Activity of a running subscription.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SubscriptionActivity {
    /// A poll has ended, with so many events that were new.
    Polled {
        /// How many.
        new: usize,
    },
    /// A delivery was turned into so many events that were new.
    Received {
        /// How many.
        new: usize,
    },
    /// A delivery is put aside: the plugin cannot read it.
    PutAside {
        /// Why.
        reason: String,
    },
    /// The service had switched the subscription off or lost it; it was repaired.
    Repaired {
        /// How it was.
        was: Status,
    },
    /// Something failed, and is tried again after a pause.
    Failed {
        /// Operation that failed.
        what: &'static str,
        /// Why it failed.
        reason: String,
        /// When it is tried again.
        pause: Duration,
    },
}

/// How a subscription is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How often to poll; `None`: as the trigger says.
    pub interval: Option<Duration>,
    /// How often to ask the service how the subscription is.
    pub check_every: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { interval: None, check_every: Duration::from_secs(15 * 60) }
    }
}

impl Triggers {
    /// Runs a subscription until it is canceled: processes deliveries or polls, checks its health,
    /// and delivers events in order. Failures are reported and retried after a pause.
    ///
    /// # Errors
    ///
    /// When there is no such subscription or trigger, or the plugin is not approved.
    pub async fn run(
        &self,
        plugin: &Plugin,
        name: &str,
        sink: Arc<dyn EventSink>,
        options: RunOptions,
        cancellation: &CancellationToken,
    ) -> Result<(), Error> {
        plugin.check_approval().await?;
        let keep = self.0.store.open(name).await?;
        let trigger = plugin.trigger(&keep.subscription.trigger)?;
        plugin.check_run(&trigger.name).await?;
        let run =
            Run { triggers: self, plugin, name, sink: &*sink, cancellation, events: Notify::new() };
        let interval = trigger.interval().map(|own| options.interval.unwrap_or(own));
        let source = async {
            match interval {
                Some(interval) => run.polls(interval).await,
                None => tokio::join!(run.works(), run.looks_after(options.check_every)).0,
            }
        };
        tokio::select! {
            () = cancellation.cancelled() => {}
            error = plugin.is_disabled() => return Err(error),
            // Operations in progress finish first. A call of the plugin sees the cancellation
            // itself.
            ((), ()) = async { tokio::join!(source, run.hands_on()) } => {}
        }
        Ok(())
    }

    /// Lets the plugin turn what was received into events. Returns whether there was something.
    ///
    /// # Errors
    ///
    /// When it has failed at a delivery; the delivery is kept, unless the plugin cannot read it or
    /// has crashed at it several times. When as many events wait for the engine as the limits allow
    /// ([`Error::is_full`]): the plugin is not called then.
    pub async fn work(
        &self,
        plugin: &Plugin,
        name: &str,
        cancellation: &CancellationToken,
    ) -> Result<Option<SubscriptionActivity>, Error> {
        let Some(pending) = self.0.store.pending(name).await? else { return Ok(None) };
        self.0.store.room(name, &self.0.limits).await?;
        let Pending { number, delivered, failures } = pending;
        let keep = self.0.store.open(name).await?;
        let trigger = plugin.trigger(&keep.subscription.trigger)?;
        Self::check_version(trigger, &keep.subscription)?;
        let call = self.call(trigger, &keep, cancellation);
        let received = plugin.hand_in(call, &delivered.into()).await;
        let events = match received {
            Ok(Ok(received)) => self.checked(received.events),
            Ok(Err(error)) => Err(refused("receive for", name, &error)),
            Err(error) => Err(error),
        };
        let error = match events {
            Ok(events) => {
                let new = self.0.store.settle(name, number, &events, &self.0.limits).await?;
                return Ok(Some(SubscriptionActivity::Received { new }));
            }
            Err(error) => error,
        };
        let is_unreadable =
            error.item().is_some_and(|item| item.kind == ItemErrorKind::InvalidInput);
        let crashes = error.is_stopped() && !cancellation.is_cancelled();
        let put_aside = is_unreadable || (crashes && failures + 1 >= MOST_CRASHES);
        let reason = chain(&error);
        if put_aside || crashes {
            self.0.store.fail(name, number, &reason, put_aside, &self.0.limits).await?;
        }
        if put_aside { Ok(Some(SubscriptionActivity::PutAside { reason })) } else { Err(error) }
    }

    /// Polls once. Returns how many events were new, and whether there is more at once: an engine
    /// that goes on at once pauses now and then, because the plugin may report more forever.
    ///
    /// # Errors
    ///
    /// When the plugin or the service fails; the cursor stays where it was. When as many events wait
    /// for the engine as the limits allow ([`Error::is_full`]): the plugin is not called then.
    pub async fn poll(
        &self,
        plugin: &Plugin,
        name: &str,
        cancellation: &CancellationToken,
    ) -> Result<(usize, bool), Error> {
        let keep = self.0.store.open(name).await?;
        let trigger = plugin.trigger(&keep.subscription.trigger)?;
        Self::check_version(trigger, &keep.subscription)?;
        let before = keep.subscription.cursor.as_ref();
        self.0.store.room(name, &self.0.limits).await?;
        let call = self.call(trigger, &keep, cancellation);
        let polled = plugin.ask_for_new(call, before).await?;
        let polled = polled.map_err(|error| refused("poll for", name, &error))?;
        let events = self.checked(polled.events)?;
        let limits = &self.0.limits;
        let new = self.0.store.advance(name, before, &polled.cursor, &events, limits).await?;
        // A cursor that does not move would be polled forever.
        let more = polled.more && (new > 0 || before != Some(&polled.cursor));
        Ok((new, more))
    }
}

/// One run of a subscription.
struct Run<'a> {
    triggers: &'a Triggers,
    plugin: &'a Plugin,
    name: &'a str,
    sink: &'a dyn EventSink,
    cancellation: &'a CancellationToken,
    /// Wakes the task that delivers events.
    events: Notify,
}

impl Run<'_> {
    async fn works(&self) {
        let waker = self.triggers.waker(self.name);
        let mut failures = 0;
        loop {
            match self.triggers.work(self.plugin, self.name, self.cancellation).await {
                Ok(Some(activity)) => {
                    failures = 0;
                    self.sink.activity(self.name, &activity);
                    self.events.notify_one();
                }
                Ok(None) => {
                    failures = 0;
                    let clock = &self.triggers.0.clock;
                    tokio::select! {
                        () = waker.notified() => {}
                        () = clock.sleep(LOOK) => {}
                    }
                    // A delivery that the plugin has answered has left its events at once.
                    self.events.notify_one();
                }
                Err(error) => self.pause("receive", &error, &mut failures).await,
            }
        }
    }

    async fn polls(&self, interval: Duration) {
        let clock = &self.triggers.0.clock;
        let limits = &self.triggers.0.limits;
        let (mut failures, mut in_a_row) = (0, 0);
        loop {
            match self.triggers.poll(self.plugin, self.name, self.cancellation).await {
                Ok((new, more)) => {
                    failures = 0;
                    self.sink.activity(self.name, &SubscriptionActivity::Polled { new });
                    if new > 0 {
                        self.events.notify_one();
                    }
                    in_a_row += 1;
                    if !more {
                        in_a_row = 0;
                        clock.sleep(interval).await;
                    } else if in_a_row >= limits.polls_in_a_row {
                        in_a_row = 0;
                        clock.sleep(limits.poll_pause.min(interval)).await;
                    }
                }
                Err(error) => {
                    in_a_row = 0;
                    self.pause("poll", &error, &mut failures).await;
                }
            }
        }
    }

    async fn looks_after(&self, every: Duration) {
        let mut failures = 0;
        loop {
            match self.look().await {
                Ok(Some(was)) => {
                    failures = 0;
                    self.sink.activity(self.name, &SubscriptionActivity::Repaired { was });
                }
                Ok(None) => {
                    failures = 0;
                    self.triggers.0.clock.sleep(every).await;
                }
                Err(error) => self.pause("check", &error, &mut failures).await,
            }
        }
    }

    /// How it was, where it had to be repaired.
    async fn look(&self) -> Result<Option<Status>, Error> {
        let status = self.triggers.check(self.plugin, self.name, self.cancellation).await?;
        if status == Status::Active {
            return Ok(None);
        }
        self.triggers.repair(self.plugin, self.name, self.cancellation).await?;
        Ok(Some(status))
    }

    async fn hands_on(&self) {
        let store = &self.triggers.0.store;
        let mut failures = 0;
        loop {
            let event = match store.event(self.name).await {
                Ok(Some(event)) => event,
                Ok(None) => {
                    self.events.notified().await;
                    continue;
                }
                Err(error) => {
                    self.pause("read events", &error.into(), &mut failures).await;
                    continue;
                }
            };
            if let Err(error) = self.sink.event(&event).await {
                let error = Cause::Sink(error).into();
                self.pause("deliver an event", &error, &mut failures).await;
                continue;
            }
            failures = 0;
            // Until this is written the event may come again; then it has the same number.
            while let Err(error) = store.taken(self.name, event.number).await {
                self.pause("record accepted events", &error.into(), &mut failures).await;
            }
        }
    }

    async fn pause(&self, what: &'static str, error: &Error, failures: &mut u32) {
        // Nothing has failed: the engine takes its time. Once it has taken some, this goes on soon.
        if error.is_full() {
            if *failures == 0 {
                let reason = chain(&error);
                self.sink.activity(
                    self.name,
                    &SubscriptionActivity::Failed { what, reason, pause: LOOK },
                );
            }
            *failures = 1;
            self.triggers.0.clock.sleep(LOOK).await;
            return;
        }
        let own = FIRST_PAUSE.saturating_mul(1 << (*failures).min(10)).min(LONGEST_PAUSE);
        let asked = error.item().and_then(|item: &ItemError| item.retry_after_ms);
        let pause = asked.map_or(own, |asked| own.max(Duration::from_millis(asked)));
        *failures += 1;
        let reason = chain(&error);
        self.sink.activity(self.name, &SubscriptionActivity::Failed { what, reason, pause });
        self.triggers.0.clock.sleep(pause).await;
    }
}

impl From<TriggerStoreError> for Error {
    fn from(error: TriggerStoreError) -> Self {
        Cause::TriggerStore(error).into()
    }
}
