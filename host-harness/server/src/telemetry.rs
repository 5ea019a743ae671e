//! Traces for OpenTelemetry: `traceparent` is read from requests, and spans are sent over OTLP where the
//! standard environment variables (`OTEL_*`) name a collector. Nothing is sent otherwise, and no
//! service that a plugin calls learns of a trace.

use axum::http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::registry::LookupSpan;

/// Where traces are sent. The first is that of all signals.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// Crates whose spans are sent. They name plugins, actions, and executions, and hold no data.
const TARGETS: [&str; 2] = ["workflow_node_server", "workflow_node_host"];

/// Sends spans to a collector.
#[derive(Clone, Debug)]
pub struct Telemetry(SdkTracerProvider);

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("Cannot send traces as the variables OTEL_* of the environment say")]
pub struct TelemetryError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Telemetry {
    /// Reads the configuration from environment variables. `None` if they name no collector or disable
    /// traces.
    ///
    /// # Errors
    ///
    /// When a variable cannot be used.
    pub fn from_environment() -> Result<Option<Self>, TelemetryError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is = |name: &str, value: &str| {
            variable(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        let has_collector = ENDPOINTS.into_iter().any(|name| variable(name).is_some());
        if !has_collector || is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        // The exporter's client brings no provider. One that the program has installed stays.
        drop(rustls::crypto::ring::default_provider().install_default());
        let exporter = SpanExporter::builder().with_http().build();
        let exporter = exporter.map_err(|error| TelemetryError(error.into()))?;
        let mut resource = Resource::builder();
        if variable("OTEL_SERVICE_NAME").is_none()
            && !variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|all| {
                all.split(',').any(|one| one.trim().starts_with("service.name="))
            })
        {
            resource = resource.with_service_name("harness");
        }
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self(provider)))
    }

    /// Turns spans of the server and the host into spans of a trace. Events, which may hold text of
    /// plugins, are left out.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.0.tracer("workflow-node-server");
        let is_own = FilterFn::new(|metadata: &tracing::Metadata<'_>| {
            metadata.is_span()
                && TARGETS.into_iter().any(|target| metadata.target().starts_with(target))
        });
        // Neither source files nor threads: they say nothing to an operator.
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(is_own)
    }

    /// Sends what has not been sent, within a few seconds.
    pub async fn shut_down(self) {
        let ended = tokio::task::spawn_blocking(move || {
            self.0.shutdown_with_timeout(std::time::Duration::from_secs(5))
        });
        match ended.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "traces were not sent"),
            Err(error) => tracing::warn!(%error, "traces were not sent"),
        }
    }
}

/// The trace that a request belongs to.
pub(crate) fn parent(headers: &HeaderMap) -> Context {
    struct Headers<'a>(&'a HeaderMap);

    impl Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key)?.to_str().ok()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(axum::http::HeaderName::as_str).collect()
        }
    }

    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}
