//! Counters for Prometheus. No label names a tenant, a user, or a credential.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The media type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u32,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ExecutionLabels {
    plugin: String,
    status: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EventLabels {
    plugin: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DeliveryLabels {
    plugin: String,
    outcome: String,
}

/// Counts what the server does.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Family<RequestLabels, Counter>,
    request_time: Histogram,
    executions: Family<ExecutionLabels, Counter>,
    items: Family<ExecutionLabels, Counter>,
    execution_time: Histogram,
    received: Family<DeliveryLabels, Counter>,
    events: Family<EventLabels, Counter>,
    deliveries: Family<DeliveryLabels, Counter>,
    pub(crate) events_waiting: Gauge,
    pub(crate) events_set_aside: Gauge,
    pub(crate) queued: Gauge,
    pub(crate) running: Gauge,
    pub(crate) connections: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("harness");
        let metrics = Self {
            registry: Arc::default(),
            requests: Family::default(),
            request_time: Histogram::new(exponential_buckets(0.001, 4.0, 10)),
            executions: Family::default(),
            items: Family::default(),
            execution_time: Histogram::new(exponential_buckets(0.01, 4.0, 10)),
            received: Family::default(),
            events: Family::default(),
            deliveries: Family::default(),
            events_waiting: Gauge::default(),
            events_set_aside: Gauge::default(),
            queued: Gauge::default(),
            running: Gauge::default(),
            connections: Gauge::default(),
        };
        registry.register("http_requests", "Requests of clients", metrics.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time until the headers of the response",
            Unit::Seconds,
            metrics.request_time.clone(),
        );
        registry.register("executions", "Executions that have ended", metrics.executions.clone());
        registry.register("items", "Items that have a result", metrics.items.clone());
        registry.register_with_unit(
            "execution_duration",
            "Time from an execution's turn to its end",
            Unit::Seconds,
            metrics.execution_time.clone(),
        );
        registry.register(
            "deliveries_received",
            "Deliveries of services, by what became of them",
            metrics.received.clone(),
        );
        registry.register("events", "Events stored for subscriptions", metrics.events.clone());
        registry.register(
            "event_deliveries",
            "Attempts to send events to engines",
            metrics.deliveries.clone(),
        );
        registry.register(
            "events_waiting",
            "Events that no engine has accepted yet",
            metrics.events_waiting.clone(),
        );
        registry.register(
            "events_set_aside",
            "Events that were set aside",
            metrics.events_set_aside.clone(),
        );
        registry.register("executions_queued", "Executions that wait", metrics.queued.clone());
        registry.register("executions_running", "Executions that run", metrics.running.clone());
        registry.register(
            "http_connections",
            "Connections of clients that are open",
            metrics.connections.clone(),
        );
        *metrics.registry.lock().unwrap_or_else(PoisonError::into_inner) = registry;
        metrics
    }

    pub(crate) fn request(&self, method: &str, route: &str, status: u16, time: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        let labels = RequestLabels { method, route, status: status.into() };
        self.requests.get_or_create(&labels).inc();
        self.request_time.observe(time.as_secs_f64());
    }

    pub(crate) fn execution(&self, plugin: &str, status: &str, time: Duration) {
        let labels = ExecutionLabels { plugin: plugin.to_owned(), status: status.to_owned() };
        self.executions.get_or_create(&labels).inc();
        self.execution_time.observe(time.as_secs_f64());
    }

    pub(crate) fn item(&self, plugin: &str, failed: bool) {
        let status = if failed { "error" } else { "ok" }.to_owned();
        self.items.get_or_create(&ExecutionLabels { plugin: plugin.to_owned(), status }).inc();
    }

    /// A service has delivered something.
    pub(crate) fn received(&self, plugin: &str, outcome: &str) {
        let labels = DeliveryLabels { plugin: plugin.to_owned(), outcome: outcome.to_owned() };
        self.received.get_or_create(&labels).inc();
    }

    /// An event was stored for a subscription.
    pub(crate) fn event(&self, plugin: &str) {
        self.events.get_or_create(&EventLabels { plugin: plugin.to_owned() }).inc();
    }

    /// An event was sent to an engine, or was not.
    pub(crate) fn delivery(&self, plugin: &str, outcome: &str) {
        let labels = DeliveryLabels { plugin: plugin.to_owned(), outcome: outcome.to_owned() };
        self.deliveries.get_or_create(&labels).inc();
    }

    /// All of it, as OpenMetrics text.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}
