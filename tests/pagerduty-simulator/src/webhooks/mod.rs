//! Webhook deliveries: queues, attempts, retries, and the consequences of a receiver's failures.
//!
//! Each subscription has one queue per incident or service, processed in order; a delivery that is
//! retried delays those behind it. It must not depend on the meaning of events.

mod controls;
mod delivery;
mod send;
mod signature;
mod size;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;

pub use controls::WebhookSubject;
pub use delivery::{Attempt, DeliveryState, WebhookDelivery};

use crate::clock::Clock;
use crate::ids::{secret_hex, uuid};
use crate::keys::Region;
use send::Outcome;

/// How long a delivery is retried.
const PATIENCE: Duration = Duration::from_secs(48 * 3600);
/// Number of consecutive drops after which a subscription is disabled.
const MOST_DROPS: u32 = 3;
/// How long it is disabled.
const DISABLED: Duration = Duration::from_secs(24 * 3600);

/// The webhook settings of the builder.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Timeout of a receiver.
    pub(crate) answer_limit: Duration,
    /// The wait after the first failure; it doubles with every further one.
    pub(crate) first_wait: Duration,
    /// The longest wait.
    pub(crate) longest_wait: Duration,
    /// Whether bodies are kept after they were delivered or dropped.
    pub(crate) records: bool,
    /// Certificate authorities in addition to the simulator's own, in DER.
    pub(crate) trusted: Vec<Vec<u8>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            answer_limit: Duration::from_secs(5),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(3600),
            records: true,
            trusted: Vec::new(),
        }
    }
}

/// A subscription of an account.
type Key = (Region, String);
/// A queue: the subscription and the resource.
type Queue = (Key, String);

/// The part of a subscription that a delivery needs.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) secret: String,
    pub(crate) active: bool,
}

#[derive(Debug)]
struct Subscriber {
    target: Target,
    /// Every signing secret, the newest first.
    secrets: Vec<String>,
    drops: u32,
    disabled_until: Option<Instant>,
}

/// An event for one subscription.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) event_id: String,
    pub(crate) event_type: String,
    pub(crate) resource_id: String,
    pub(crate) payload: Value,
}

#[derive(Default)]
struct Inner {
    subscribers: HashMap<Key, Subscriber>,
    /// Every signing secret that a subscription has ever had.
    issued: Vec<String>,
    deliveries: Vec<WebhookDelivery>,
    queues: HashMap<Queue, VecDeque<usize>>,
    running: HashSet<Queue>,
    held: bool,
    /// Additional times that each delivery is sent.
    duplicates: usize,
    /// Whether signatures use an unknown secret.
    spoiled: bool,
}

/// All deliveries of one simulator.
pub(crate) struct Dispatcher {
    clock: Arc<Clock>,
    settings: Settings,
    tls: TlsConnector,
    runtime: OnceLock<Handle>,
    inner: Mutex<Inner>,
    /// Notified whenever a queue becomes empty.
    rested: Notify,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

impl Dispatcher {
    pub(crate) fn new(
        clock: Arc<Clock>,
        settings: Settings,
        ca_der: &[u8],
    ) -> io::Result<Arc<Self>> {
        let mut roots = RootCertStore::empty();
        for der in settings.trusted.iter().map(Vec::as_slice).chain([ca_der]) {
            roots.add(der.to_vec().into()).map_err(io::Error::other)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(Self {
            clock,
            settings,
            tls: TlsConnector::from(Arc::new(config)),
            runtime: OnceLock::new(),
            inner: Mutex::default(),
            rested: Notify::new(),
        }))
    }

    /// Starts to send deliveries on this runtime.
    pub(crate) fn start(&self, runtime: Handle) {
        self.runtime.get_or_init(|| runtime);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or updates a subscription.
    pub(crate) fn register(&self, region: Region, id: &str, target: Target) {
        let mut inner = self.inner();
        match inner.subscribers.get_mut(&(region, id.to_owned())) {
            Some(known) => known.target = target,
            None => {
                let secrets = vec![target.secret.clone()];
                inner.issued.push(target.secret.clone());
                let new = Subscriber { target, secrets, drops: 0, disabled_until: None };
                inner.subscribers.insert((region, id.to_owned()), new);
            }
        }
    }

    /// Removes a subscription. Its pending deliveries are dropped.
    pub(crate) fn forget(&self, region: Region, id: &str) {
        let mut inner = self.inner();
        let key = (region, id.to_owned());
        inner.subscribers.remove(&key);
        inner.discard(&key);
    }

    /// Removes all subscriptions of an account.
    pub(crate) fn forget_all(&self, region: Region) {
        let mut inner = self.inner();
        let keys: Vec<Key> =
            inner.subscribers.keys().filter(|(of, _)| *of == region).cloned().collect();
        for key in keys {
            inner.subscribers.remove(&key);
            inner.discard(&key);
        }
    }

    /// Enables a subscription that failures have disabled.
    pub(crate) fn enable(&self, region: Region, id: &str) {
        if let Some(known) = self.inner().subscribers.get_mut(&(region, id.to_owned())) {
            known.disabled_until = None;
            known.drops = 0;
        }
    }

    /// Whether failures have disabled a subscription.
    pub(crate) fn is_disabled(&self, region: Region, id: &str) -> bool {
        let now = self.clock.instant();
        let inner = self.inner();
        let known = inner.subscribers.get(&(region, id.to_owned()));
        known.is_some_and(|known| known.is_disabled(now))
    }

    /// Queues an event for a subscription.
    pub(crate) fn push(self: &Arc<Self>, region: Region, subscription: &str, event: Outgoing) {
        let key = (region, subscription.to_owned());
        let now = self.clock.instant();
        let mut inner = self.inner();
        let Some(known) = inner.subscribers.get(&key) else { return };
        if known.is_disabled(now) {
            return;
        }
        let text = size::text(event.payload);
        let fits = text.is_some();
        let delivery = WebhookDelivery {
            webhook_id: uuid(),
            event_id: event.event_id,
            event_type: event.event_type,
            region,
            subscription_id: subscription.to_owned(),
            resource_id: event.resource_id.clone(),
            url: known.target.url.clone(),
            body: Bytes::from(text.unwrap_or_default()),
            state: if fits { DeliveryState::Waiting } else { DeliveryState::TooLarge },
            attempts: Vec::new(),
        };
        let place = inner.deliveries.len();
        inner.deliveries.push(delivery);
        if fits {
            let copies = 1 + inner.duplicates;
            let queue = (key, event.resource_id);
            inner.queues.entry(queue.clone()).or_default().extend(vec![place; copies]);
            self.work_on(&mut inner, queue);
        }
    }

    /// Starts to process a queue, unless it is being processed.
    fn work_on(self: &Arc<Self>, inner: &mut Inner, queue: Queue) {
        if let Some(runtime) = self.runtime.get()
            && !inner.held
            && inner.running.insert(queue.clone())
        {
            runtime.spawn(work(Arc::clone(self), queue));
        }
    }

    /// Starts to process all queues.
    fn work_on_all(self: &Arc<Self>, inner: &mut Inner) {
        let queues: Vec<Queue> = inner.queues.keys().cloned().collect();
        for queue in queues {
            self.work_on(inner, queue);
        }
    }

    /// The next delivery of a queue; none if it is empty or must wait.
    fn next(&self, queue: &Queue) -> Option<usize> {
        let mut inner = self.inner();
        let next = match inner.held {
            true => None,
            false => inner.queues.get_mut(queue).and_then(VecDeque::pop_front),
        };
        if next.is_none() {
            inner.running.remove(queue);
            if inner.queues.get(queue).is_some_and(VecDeque::is_empty) {
                inner.queues.remove(queue);
            }
            self.rested.notify_waiters();
        }
        next
    }

    /// The next request to send; `None` if the subscription accepts no deliveries anymore.
    fn order(&self, place: usize) -> Option<(WebhookDelivery, Vec<(String, String)>)> {
        let now = self.clock.instant();
        let inner = self.inner();
        let delivery = inner.deliveries.get(place)?.clone();
        let known = inner.subscribers.get(&delivery.key())?;
        if !known.target.active && delivery.event_type != "pagey.ping" || known.is_disabled(now) {
            return None;
        }
        let signature = match inner.spoiled {
            true => signature::sign(&[secret_hex(64)], &delivery.body),
            false => signature::sign(&known.secrets, &delivery.body),
        };
        let mut headers = known.target.headers.clone();
        headers.extend([
            ("X-PagerDuty-Signature".to_owned(), signature),
            ("X-Webhook-Id".to_owned(), delivery.webhook_id.clone()),
            ("X-Webhook-Subscription".to_owned(), delivery.subscription_id.clone()),
        ]);
        Some((delivery, headers))
    }

    fn settle(&self, place: usize, state: DeliveryState) {
        let mut inner = self.inner();
        let forgets = !self.settings.records && inner.duplicates == 0;
        if let Some(delivery) = inner.deliveries.get_mut(place) {
            // A duplicate that fails does not change the result.
            if delivery.state != DeliveryState::Delivered {
                delivery.state = state;
            }
            if forgets {
                delivery.body = Bytes::new();
            }
        }
    }

    fn note(&self, place: usize, at: SystemTime, signature: String, outcome: &Outcome) {
        let (status, error) = match outcome {
            Outcome::Answer(status) => (Some(*status), None),
            Outcome::NoAnswer(error) | Outcome::Hopeless(error) => (None, Some(error.clone())),
        };
        if let Some(delivery) = self.inner().deliveries.get_mut(place) {
            delivery.attempts.push(Attempt { at, signature, status, error });
        }
    }

    fn delivered(&self, key: &Key, place: usize) {
        self.settle(place, DeliveryState::Delivered);
        if let Some(known) = self.inner().subscribers.get_mut(key) {
            known.drops = 0;
        }
    }

    /// After three consecutive drops, nothing is sent for a day.
    fn dropped(&self, key: &Key, place: usize) {
        self.settle(place, DeliveryState::Dropped);
        let now = self.clock.instant();
        let mut inner = self.inner();
        let Some(known) = inner.subscribers.get_mut(key) else { return };
        known.drops += 1;
        if known.drops >= MOST_DROPS {
            known.drops = 0;
            known.disabled_until = Some(now + DISABLED);
            inner.discard(key);
        }
    }
}

impl Subscriber {
    fn is_disabled(&self, now: Instant) -> bool {
        self.disabled_until.is_some_and(|until| now < until)
    }
}

impl WebhookDelivery {
    fn key(&self) -> Key {
        (self.region, self.subscription_id.clone())
    }
}

impl Inner {
    /// Drops what is pending for a subscription.
    fn discard(&mut self, key: &Key) {
        for (_, places) in self.queues.iter_mut().filter(|((of, _), _)| of == key) {
            for place in places.drain(..) {
                if self.deliveries[place].state == DeliveryState::Waiting {
                    self.deliveries[place].state = DeliveryState::Discarded;
                }
            }
        }
    }
}

/// Processes a queue until it is empty.
async fn work(dispatcher: Arc<Dispatcher>, queue: Queue) {
    while let Some(place) = dispatcher.next(&queue) {
        deliver(&dispatcher, &queue, place).await;
    }
}

/// Delivers one webhook, with as many attempts as needed.
async fn deliver(dispatcher: &Arc<Dispatcher>, queue: &Queue, place: usize) {
    let key = &queue.0;
    let began = dispatcher.clock.instant();
    let mut wait = dispatcher.settings.first_wait;
    loop {
        if dispatcher.inner().held {
            // It returns to its position, and is the first when they are released.
            let mut inner = dispatcher.inner();
            inner.queues.entry(queue.clone()).or_default().push_front(place);
            return;
        }
        let Some((delivery, headers)) = dispatcher.order(place) else {
            dispatcher.settle(place, DeliveryState::Discarded);
            return;
        };
        let at = SystemTime::now();
        let signed = headers.iter().find(|(name, _)| name == "X-PagerDuty-Signature");
        let signature = signed.map(|(_, value)| value.clone()).unwrap_or_default();
        let limit = dispatcher.settings.answer_limit;
        let outcome =
            send::send(&dispatcher.tls, &delivery.url, &headers, delivery.body, limit).await;
        dispatcher.note(place, at, signature, &outcome);
        match outcome {
            Outcome::Answer(200..=299) => return dispatcher.delivered(key, place),
            Outcome::Answer(429 | 500..) | Outcome::NoAnswer(_) => {}
            Outcome::Answer(_) | Outcome::Hopeless(_) => return dispatcher.dropped(key, place),
        }
        let spent = dispatcher.clock.instant().saturating_duration_since(began);
        if spent + wait > PATIENCE {
            return dispatcher.dropped(key, place);
        }
        dispatcher.clock.wait(wait).await;
        wait = (wait * 2).min(dispatcher.settings.longest_wait);
    }
}
