//! The running simulator and its interface for tests.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::account::Account;
use crate::builder::Builder;
use crate::certificates::{Authority, CertificateKind, Certificates, IssuedCertificate};
use crate::clock::Clock;
use crate::faults::Fault;
use crate::http::exchange::{Shared, lock};
use crate::http::server::listen;
use crate::identity::{Identity, Service, TokenRequest};
use crate::ids::secret_hex;
use crate::keys::Region;
use crate::recording::{Origin, RecordedRequest};
use crate::state::State;
use crate::webhooks::Dispatcher;

/// Addresses of the servers, such as `https://127.0.0.1:39121`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origins {
    /// The REST API in the US.
    pub rest_us: String,
    /// The REST API in the EU.
    pub rest_eu: String,
    /// The Events API in the US.
    pub events_us: String,
    /// The Events API in the EU.
    pub events_eu: String,
    /// The identity service.
    pub identity: String,
}

/// The initial state of an account.
fn seeded(
    builder: &Builder,
    clock: &Arc<Clock>,
    dispatcher: &Arc<Dispatcher>,
    region: Region,
) -> State {
    let (limit, events) = (builder.rate_limit, builder.events_rate_limit);
    let mut state = State::seeded(region, Arc::clone(clock), limit, events);
    state.operation_limiter.set_limit(builder.operation_rate_limit);
    if builder.examples {
        state.seed_examples();
    }
    state.hooks = Some(Arc::clone(dispatcher));
    state.register_all();
    state
}

/// A running PagerDuty. It stops when it is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    settings: Builder,
    dispatcher: Arc<Dispatcher>,
    authority: Authority,
    clock: Arc<Clock>,
    addresses: [SocketAddr; Origin::ALL.len()],
    ca_pem: String,
    ca_der: Vec<u8>,
    ca_file: PathBuf,
    ca_file_is_ours: bool,
    stop: watch::Sender<bool>,
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Simulator")
            .field("origins", &self.origins())
            .finish_non_exhaustive()
    }
}

impl Simulator {
    /// A builder with defaults: PagerDuty's rate limits, no latency, a valid certificate.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts with the settings of [`Simulator::builder`].
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    pub(crate) fn start_with(builder: Builder) -> io::Result<Self> {
        let certificates = Certificates::new(builder.certificate, builder.http1_only)?;
        let clock = Arc::new(Clock::default());
        let mut webhooks = builder.webhooks.clone();
        webhooks.records = builder.records;
        for pem in &builder.webhook_cas {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                webhooks.trusted.push(certificate.map_err(io::Error::other)?.to_vec());
            }
        }
        let dispatcher = Dispatcher::new(Arc::clone(&clock), webhooks, &certificates.ca_der)?;
        let account = |region| Account::new(region, seeded(&builder, &clock, &dispatcher, region));
        let shared = Arc::new(Shared {
            us: account(Region::Us),
            eu: account(Region::Eu),
            identity: Service::new(Arc::clone(&clock))?,
            faults: Mutex::default(),
            requests: Mutex::default(),
            violations: Mutex::default(),
            records: AtomicBool::new(builder.records),
            sequence: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            latency_microseconds: AtomicU64::new(0),
            listener: builder.listener.clone(),
        });
        // A separate runtime keeps the servers responding while a test blocks its thread.
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("pagerduty-simulator")
            .enable_all()
            .build()?;
        dispatcher.start(runtime.handle().clone());
        let (stop, stopped) = watch::channel(false);
        let acceptor = TlsAcceptor::from(certificates.server);
        let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); Origin::ALL.len()];
        for (place, origin) in Origin::ALL.into_iter().enumerate() {
            let port = match builder.port_base {
                0 => 0,
                base => base.saturating_add(u16::try_from(place).unwrap_or_default()),
            };
            let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
            listener.set_nonblocking(true)?;
            addresses[place] = listener.local_addr()?;
            let _inside = runtime.enter();
            let listener = TcpListener::from_std(listener)?;
            let shared = Arc::clone(&shared);
            runtime.spawn(listen(listener, origin, shared, acceptor.clone(), stopped.clone()));
        }
        let ca_file_is_ours = builder.ca_file.is_none();
        let ca_file = builder.ca_file.clone().unwrap_or_else(|| {
            std::env::temp_dir().join(format!("pagerduty-simulator-{}.pem", secret_hex(16)))
        });
        fs::write(&ca_file, &certificates.ca_pem)?;
        let latency = builder.latency;
        let simulator = Self {
            shared,
            settings: builder,
            dispatcher,
            authority: certificates.authority,
            clock,
            addresses,
            ca_pem: certificates.ca_pem,
            ca_der: certificates.ca_der,
            ca_file,
            ca_file_is_ours,
            stop,
            runtime: Some(runtime),
        };
        simulator.set_latency(latency);
        Ok(simulator)
    }

    /// The certificate of the authority that signed the servers' certificate.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same certificate in DER.
    #[must_use]
    pub fn ca_der(&self) -> &[u8] {
        &self.ca_der
    }

    /// A file with [`Simulator::ca_pem`].
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The address of one server.
    #[must_use]
    pub fn address(&self, origin: Origin) -> SocketAddr {
        let place = Origin::ALL.iter().position(|one| *one == origin).unwrap_or_default();
        self.addresses[place]
    }

    /// Addresses of the servers.
    #[must_use]
    pub fn origins(&self) -> Origins {
        let url = |origin| format!("https://{}", self.address(origin));
        Origins {
            rest_us: url(Origin::RestUs),
            rest_eu: url(Origin::RestEu),
            events_us: url(Origin::EventsUs),
            events_eu: url(Origin::EventsEu),
            identity: url(Origin::Identity),
        }
    }

    /// PagerDuty's origins and their addresses here, as `--connect-to` of the harness takes them.
    #[must_use]
    pub fn connect_to(&self) -> Vec<String> {
        Origin::ALL
            .into_iter()
            .map(|origin| format!("https://{}=https://{}", origin.host(), self.address(origin)))
            .collect()
    }

    /// The account in the US.
    #[must_use]
    pub fn us(&self) -> &Account {
        &self.shared.us
    }

    /// The account in the EU.
    #[must_use]
    pub fn eu(&self) -> &Account {
        &self.shared.eu
    }

    /// The account of a region.
    #[must_use]
    pub fn account(&self, region: Region) -> &Account {
        match region {
            Region::Us => self.us(),
            Region::Eu => self.eu(),
        }
    }

    /// The identity service: its apps, settings and tokens.
    #[must_use]
    pub fn identity(&self) -> Identity<'_> {
        Identity::new(&self.shared.identity, self.shared.accounts())
    }

    /// The requests to the token endpoint, in order of arrival.
    #[must_use]
    pub fn token_requests(&self) -> Vec<TokenRequest> {
        self.requests().into_iter().filter_map(TokenRequest::of).collect()
    }

    /// Resets both accounts. Keys are new; requests and faults are kept.
    pub fn reset(&self) {
        for region in [Region::Us, Region::Eu] {
            self.dispatcher.forget_all(region);
            let state = seeded(&self.settings, &self.clock, &self.dispatcher, region);
            *self.account(region).state() = state;
        }
    }

    /// All requests, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.shared.requests).clone()
    }

    /// Clears the requests and the violations.
    pub fn clear_requests(&self) {
        lock(&self.shared.requests).clear();
        lock(&self.shared.violations).clear();
    }

    /// Problems that a careful reviewer would object to, even if PagerDuty would not: unknown query
    /// parameters and body fields, bodies on GET, wrong hosts, refused credentials, and the like.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        lock(&self.shared.violations).clone()
    }

    /// Adds a fault after the pending ones.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.faults).push(fault);
    }

    /// Removes the pending faults.
    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Sets the latency of every response.
    pub fn set_latency(&self, latency: Duration) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.shared.latency_microseconds.store(microseconds, Ordering::Relaxed);
    }

    /// Sets the REST requests per minute for each key; used budgets stay used.
    pub fn set_rate_limit(&self, per_minute: u32) {
        for region in [Region::Us, Region::Eu] {
            self.account(region).state().limiter.set_limit(Some(per_minute));
        }
    }

    /// Sets the events per minute for each routing key.
    pub fn set_events_rate_limit(&self, per_minute: u32) {
        for region in [Region::Us, Region::Eu] {
            self.account(region).state().events_limiter.set_limit(Some(per_minute));
        }
    }

    /// Advances the simulator's time: windows move, snoozes end, incidents age, webhooks are
    /// retried.
    pub fn advance_clock(&self, by: Duration) {
        self.clock.advance(by);
        for region in [Region::Us, Region::Eu] {
            self.account(region).state().tick();
        }
    }

    /// A certificate for these names and addresses, signed by the simulator's authority unless the
    /// kind states otherwise, for webhook receivers.
    ///
    /// # Errors
    ///
    /// If a certificate cannot contain a name.
    pub fn issue_certificate(
        &self,
        names: &[&str],
        kind: CertificateKind,
    ) -> io::Result<IssuedCertificate> {
        self.authority.issue(names, kind)
    }

    pub(crate) fn dispatcher(&self) -> &Arc<Dispatcher> {
        &self.dispatcher
    }

    /// Number of accepted TCP connections, with or without a TLS handshake.
    #[must_use]
    pub fn connections_opened(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Stops the servers and waits until their ports are free.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // Every listener and connection holds a receiver until it has ended.
        self.stop.closed().await;
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
            if self.ca_file_is_ours {
                // Already removed is fine.
                let _removed = fs::remove_file(&self.ca_file);
            }
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.end();
    }
}
