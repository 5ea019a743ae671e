//! Output of `--verbose`, on standard error.

use std::fmt;
use std::io::{self, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer as _};

use workflow_node_host::chain;
use workflow_node_server::Telemetry;

use crate::exit::Failure;
use crate::flags::Format;
use crate::output::harmless;

/// Starts logging, unless the process logs already.
pub(crate) fn start(verbose: u8, format: Format) {
    let filter = match verbose {
        // Standard error is JSON then.
        0 if format != Format::Text => return,
        // A refused request is reported as the item's error.
        0 => "warn,workflow_node::audit=off",
        1 => "info",
        2 => "info,workflow_node=debug,workflow_node_host=debug,harness=debug",
        // Never the HTTP libraries' own: their frames hold what the host has filled in.
        _ => "info,workflow_node=trace,workflow_node_host=trace,harness=trace",
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(false)
        .with_writer(|| Harmless(io::stderr()))
        .finish();
    // Refused only where the program that calls us has its own.
    let _already = tracing::subscriber::set_global_default(subscriber).is_err();
}

/// How a server logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// Starts the log of a server on standard error, the audit log included, and sends traces where the
/// environment names a collector.
pub(crate) fn serve(verbose: u8, format: LogFormat) -> Result<Option<Telemetry>, Failure> {
    let filter = match verbose {
        0 => "info",
        1 => "info,workflow_node=debug,workflow_node_host=debug,workflow_node_server=debug",
        // Never the HTTP libraries' own, as above.
        _ => "info,workflow_node=trace,workflow_node_host=trace,workflow_node_server=trace",
    };
    let telemetry = Telemetry::from_environment()
        .map_err(|error| Failure::input("telemetry", chain(&error)))?;
    let layer = tracing_subscriber::fmt::layer().with_ansi(false);
    let log = match format {
        LogFormat::Text => layer.with_writer(|| Harmless(io::stderr())).boxed(),
        LogFormat::Json => layer.event_format(JsonLines).with_writer(io::stderr).boxed(),
    };
    let traces = telemetry.as_ref().map(Telemetry::layer);
    let subscriber =
        tracing_subscriber::registry().with(log.with_filter(EnvFilter::new(filter))).with(traces);
    let _already = tracing::subscriber::set_global_default(subscriber).is_err();
    Ok(telemetry)
}

/// An event as one JSON object, its fields beside time, level, and target.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = JsonFields(Map::new());
        fields.0.insert("timestamp".to_owned(), jiff::Timestamp::now().to_string().into());
        fields.0.insert("level".to_owned(), event.metadata().level().as_str().into());
        fields.0.insert("target".to_owned(), event.metadata().target().into());
        event.record(&mut fields);
        writeln!(writer, "{}", Value::Object(fields.0))
    }
}

struct JsonFields(Map<String, Value>);

impl Visit for JsonFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

/// Log lines hold text of plugins and services.
struct Harmless(io::Stderr);

impl Write for Harmless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(harmless(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
