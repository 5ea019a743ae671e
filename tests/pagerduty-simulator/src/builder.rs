//! How a simulator is set up.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::certificates::CertificateKind;
use crate::http::exchange::Listener;
use crate::recording::RecordedRequest;
use crate::simulator::Simulator;
use crate::webhooks::Settings;

/// Settings of a simulator.
#[derive(Clone)]
pub struct Builder {
    pub(crate) rate_limit: Option<u32>,
    pub(crate) events_rate_limit: Option<u32>,
    pub(crate) operation_rate_limit: Option<u32>,
    pub(crate) latency: Duration,
    pub(crate) certificate: CertificateKind,
    pub(crate) http1_only: bool,
    pub(crate) port_base: u16,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) records: bool,
    pub(crate) examples: bool,
    pub(crate) webhooks: Settings,
    pub(crate) webhook_cas: Vec<String>,
    pub(crate) listener: Option<Listener>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("rate_limit", &self.rate_limit)
            .field("latency", &self.latency)
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            rate_limit: Some(960),
            events_rate_limit: Some(120),
            operation_rate_limit: None,
            latency: Duration::ZERO,
            certificate: CertificateKind::Good,
            http1_only: false,
            port_base: 0,
            ca_file: None,
            records: true,
            examples: false,
            webhooks: Settings::default(),
            webhook_cas: Vec::new(),
            listener: None,
        }
    }
}

impl Builder {
    /// REST requests per minute for each key. Default: 960, as at PagerDuty.
    #[must_use]
    pub fn rate_limit(mut self, per_minute: u32) -> Self {
        self.rate_limit = Some(per_minute);
        self
    }

    /// Events per minute for each routing key. Default: 120.
    #[must_use]
    pub fn events_rate_limit(mut self, per_minute: u32) -> Self {
        self.events_rate_limit = Some(per_minute);
        self
    }

    /// Requests per minute for each key and each operation with a separate limit: creating and
    /// managing incidents, and listing on-calls. PagerDuty does not publish the numbers. Default:
    /// no such limit.
    #[must_use]
    pub fn operation_rate_limit(mut self, per_minute: u32) -> Self {
        self.operation_rate_limit = Some(per_minute);
        self
    }

    /// Removes the rate limits and their headers, for benchmarks.
    #[must_use]
    pub fn without_rate_limits(mut self) -> Self {
        self.rate_limit = None;
        self.operation_rate_limit = None;
        self.events_rate_limit = None;
        self
    }

    /// Latency of every response.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Which certificate the servers present.
    #[must_use]
    pub fn certificate(mut self, kind: CertificateKind) -> Self {
        self.certificate = kind;
        self
    }

    /// Disables HTTP/2.
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        self.http1_only = true;
        self
    }

    /// Uses this port and the four after it, in the order of [`crate::Origin::ALL`]. Without it,
    /// and with 0, the system chooses free ports.
    #[must_use]
    pub fn port_base(mut self, port: u16) -> Self {
        self.port_base = port;
        self
    }

    /// Writes the authority's certificate to this file and keeps it. Default: a file with a random
    /// name in the system's temporary directory, which is removed with the simulator.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Adds at least one object of each kind under a documented ID to every account; see
    /// [`crate::examples`].
    #[must_use]
    pub fn examples(mut self, examples: bool) -> Self {
        self.examples = examples;
        self
    }

    /// Timeout of webhook receivers. Default: 5 seconds.
    #[must_use]
    pub fn webhook_answer_limit(mut self, limit: Duration) -> Self {
        self.webhooks.answer_limit = limit;
        self
    }

    /// Backoff of webhooks after a failure: the first wait, which doubles with every further
    /// failure, and the longest wait. Default: 1 second and 1 hour on the simulator's clock.
    #[must_use]
    pub fn webhook_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.webhooks.first_wait = first;
        self.webhooks.longest_wait = longest;
        self
    }

    /// Trusts webhook receivers whose certificates one of these authorities has signed, in addition
    /// to the simulator's own. Takes PEM.
    #[must_use]
    pub fn webhook_ca(mut self, pem: impl Into<String>) -> Self {
        self.webhook_cas.push(pem.into());
        self
    }

    /// Does not record requests, so that long benchmarks do not fill the memory.
    #[must_use]
    pub fn without_recording(mut self) -> Self {
        self.records = false;
        self
    }

    /// Calls this for every request when its status is known.
    #[must_use]
    pub fn on_request(mut self, call: impl Fn(&RecordedRequest) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(call));
        self
    }

    /// Starts the servers on separate threads, so that the caller may block.
    ///
    /// # Errors
    ///
    /// If a port is in use, the CA file cannot be written, or a certificate cannot be generated.
    pub async fn start(self) -> io::Result<Simulator> {
        Simulator::start_with(self)
    }

    /// As [`Builder::start`], for callers without an asynchronous runtime.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub fn start_blocking(self) -> io::Result<Simulator> {
        Simulator::start_with(self)
    }
}
