//! What `--verbose` shows, on standard error.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::flags::Format;
use crate::output::harmless;

/// Starts logging, unless the process logs already.
pub(crate) fn start(verbose: u8, format: Format) {
    let filter = match verbose {
        // Standard error is JSON then.
        0 if format != Format::Text => return,
        // A refused request is told as the item's error.
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
