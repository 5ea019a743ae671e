//! Builds, starts, and stops a server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::{Position, Url};
use workflow_node_host::transport::{HttpTransport, HttpTransportBuilder};
use workflow_node_host::{Host, Plugin, chain};

use crate::audit::Audit;
use crate::connection::PendingConnections;
use crate::database::{Database, DatabaseError, ServerLock, now};
use crate::drift::Applied;
use crate::error::ApiError;
use crate::execution::{Executions, Kept};
use crate::limits::ServerLimits;
use crate::listen::{Connections, Listener};
use crate::metrics::Metrics;
use crate::origins::Origins;
use crate::page::Runs;
use crate::seal::ServerKeys;
use crate::secrets::Secrets;
use crate::session::{ProxyIdentity, Sessions};
use crate::state::{Shared, State};
use crate::subscription::{
    MakeTransport, Parts as SubscriptionParts, SubscriptionStore, Subscriptions,
};
use crate::tls::{Tls, TlsError, TlsFiles};
use crate::token::{Policies, Policy, Tokens};

/// Why a server cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A socket.
    #[error("Cannot listen on {address}")]
    Listen {
        /// The address or path.
        address: String,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The settings are not safe, or contradict each other.
    #[error("{0}")]
    Refused(String),
    /// The description of the API cannot be written.
    #[error("Cannot describe the API")]
    Api(#[source] serde_json::Error),
    /// A client on standard input does not speak MCP.
    #[error("Cannot serve MCP on standard input")]
    Mcp(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Builds a [`Server`].
pub struct ServerBuilder {
    host: Host,
    database: Database,
    plugins: Vec<Plugin>,
    addresses: Vec<SocketAddr>,
    unix: Vec<PathBuf>,
    tls: Option<TlsFiles>,
    allow_plain_http: bool,
    hosts: Vec<String>,
    policies: Policies,
    limits: ServerLimits,
    keys: Option<ServerKeys>,
    store_output: bool,
    public_url: Option<Url>,
    deliveries: MakeTransport,
    page_proxy: Option<ProxyIdentity>,
}

impl ServerBuilder {
    /// Adds a plugin that the host has loaded. Its name is that of its node.
    #[must_use]
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Listens on an address. Port 0 chooses a free port.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Listens on a Unix socket that only its owner can connect to.
    #[must_use]
    pub fn listen_unix(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix.push(path.into());
        self
    }

    /// Serves TLS on all addresses.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Allows HTTP without TLS on addresses other than loopback, for a proxy that terminates TLS on
    /// a network that nobody else can read.
    #[must_use]
    pub fn allow_plain_http(mut self, on: bool) -> Self {
        self.allow_plain_http = on;
        self
    }

    /// Names under which clients reach the server, in addition to `localhost` and its addresses.
    #[must_use]
    pub fn hosts(mut self, hosts: impl IntoIterator<Item = String>) -> Self {
        self.hosts.extend(hosts);
        self
    }

    /// Policies that tokens may name.
    #[must_use]
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }

    /// Sets the limits. Default: [`ServerLimits::default`].
    #[must_use]
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the keys that seal stored data. Without them, the server stores outcomes of executions,
    /// but neither output nor journals.
    #[must_use]
    pub fn keys(mut self, keys: ServerKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Whether the output of executions is stored, with a journal of each while it runs. Default:
    /// true.
    #[must_use]
    pub fn store_output(mut self, on: bool) -> Self {
        self.store_output = on;
        self
    }

    /// Sets the address under which browsers and services reach the server, such as
    /// `https://harness.example.com`. Default: the first address, if it is a loopback address.
    #[must_use]
    pub fn public_url(mut self, url: Url) -> Self {
        self.public_url = Some(url);
        self
    }

    /// Sets the transport that sends events to engines. Called when events are sent to an origin
    /// for the first time. Default: a transport with the defaults of the library. It checks the
    /// address of every connection.
    #[must_use]
    pub fn delivery_transport(
        mut self,
        make: impl Fn() -> HttpTransportBuilder + Send + Sync + 'static,
    ) -> Self {
        self.deliveries = Arc::new(make);
        self
    }

    /// Sets a proxy that signs people in to the page. Default: they enter with links alone.
    #[must_use]
    pub fn page_proxy(mut self, proxy: ProxyIdentity) -> Self {
        self.page_proxy = Some(proxy);
        self
    }

    fn check(&self) -> Result<(), ServerError> {
        let refused = |message: String| Err(ServerError::Refused(message));
        if self.addresses.is_empty() && self.unix.is_empty() {
            return refused("Cannot start the server: it listens nowhere. Name an address.".into());
        }
        if let Some(open) = self.addresses.iter().find(|address| !address.ip().is_loopback())
            && self.tls.is_none()
            && !self.allow_plain_http
        {
            return refused(format!(
                "Cannot listen on {open} without TLS: others on the network could read tokens and \
                 data. Name a certificate and its key, or allow plain HTTP if a proxy in front of \
                 the server ends TLS."
            ));
        }
        if let Some(url) = &self.public_url
            && (!matches!(url.scheme(), "http" | "https") || &url[Position::BeforePath..] != "/")
        {
            return refused(format!(
                "Cannot use the public URL {url}: it must consist of http or https, a host, and a port."
            ));
        }
        for (name, policy) in &self.policies {
            if let Some(problem) = policy.problem() {
                return refused(format!("Cannot use the policy `{name}`: {problem}"));
            }
        }
        if let Some(proxy) = &self.page_proxy
            && let Some(problem) = proxy.problem(&self.policies)
        {
            return refused(format!("Cannot trust the proxy of the page: {problem}"));
        }
        Ok(())
    }

    /// Starts the server. It serves until it is [shut down](Server::shut_down).
    ///
    /// # Errors
    ///
    /// If it would listen on an address other than loopback without TLS, two plugins have the same
    /// name, another server uses the database, or a socket cannot be bound.
    pub async fn start(self) -> Result<Server, ServerError> {
        self.check()?;
        let mut plugins = BTreeMap::new();
        for plugin in self.plugins {
            let name = plugin.description().node.name.clone();
            if plugins.insert(name.clone(), plugin).is_some() {
                let message = format!("Cannot serve two plugins of the name `{name}`. Choose one.");
                return Err(ServerError::Refused(message));
            }
        }
        let tls = self.tls.map(TlsFiles::read).transpose()?;
        let acceptor = tls.as_ref().map(Tls::acceptor);
        let mut listeners = Vec::new();
        for address in self.addresses {
            let bound = Listener::tcp(address, acceptor.clone()).await;
            let failed = |source| ServerError::Listen { address: address.to_string(), source };
            listeners.push(bound.map_err(failed)?);
        }
        #[cfg(unix)]
        for path in self.unix {
            let bound = Listener::unix(&path).await;
            let failed =
                |source| ServerError::Listen { address: path.display().to_string(), source };
            listeners.push(bound.map_err(failed)?);
        }
        #[cfg(not(unix))]
        if !self.unix.is_empty() {
            return Err(ServerError::Refused("Unix sockets need Unix.".to_owned()));
        }
        let first = listeners.iter().find_map(Listener::address);
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let own = first.filter(|address| address.ip().is_loopback());
        let own = own.and_then(|address| Url::parse(&format!("{scheme}://{address}")).ok());
        let public_url = self.public_url.or(own);
        let lock = self.database.lock()?;
        let digests =
            plugins.iter().map(|(name, plugin)| (name.clone(), plugin.digest().to_string()));
        let applied = Applied { policies: self.policies.clone(), plugins: digests.collect() };
        let applied = serde_json::to_string(&applied).map_err(DatabaseError::unwritable)?;
        self.database.note_configuration(&applied)?;
        let metrics = Metrics::new();
        let limits = self.limits;
        let certificate = ServerLimits::time(limits.certificate_ms);
        let kept = match self.keys.as_ref().filter(|_| self.store_output) {
            Some(keys) => Kept::sealed(keys, &self.database, &limits),
            None => Kept::outcomes(),
        };
        let stop_audit = CancellationToken::new();
        let (audit, auditing) = Audit::new(self.database.clone(), stop_audit.clone());
        let (database, told) = (self.database.clone(), audit.clone());
        let executions = Executions::new(database, kept, limits.clone(), metrics.clone(), told)?;
        let executions = Arc::new(executions);
        let pending = self.keys.as_ref().map(|keys| {
            let (database, limits) = (self.database.clone(), limits.clone());
            PendingConnections::new(database, keys.sealer(), public_url.clone(), limits)
        });
        let subscriptions = match (&self.keys, self.host.triggers()) {
            (Some(keys), Ok(triggers)) => Some(Arc::new(Subscriptions::new(SubscriptionParts {
                store: SubscriptionStore::new(self.database.clone(), keys.sealer()),
                triggers: triggers.clone(),
                plugins: plugins.clone(),
                public_url: public_url.clone(),
                limits: limits.clone(),
                tokens: Tokens::new(self.database.clone()),
                policies: self.policies.clone(),
                metrics: metrics.clone(),
                make: self.deliveries,
            }))),
            _ => None,
        };
        if let Some(subscriptions) = &subscriptions {
            let failed = |error: ApiError| ServerError::Refused(error.detail.message);
            subscriptions.start().await.map_err(failed)?;
        }
        let sessions = Sessions::new(self.database.clone(), self.page_proxy, limits.clone());
        sessions.note_address(public_url.as_ref())?;
        let secrets = self.keys.as_ref().map(|keys| Secrets::new(self.database.clone(), keys));
        let (router, document) = crate::api::router();
        let document = document.to_json().map_err(ServerError::Api)?;
        let state = Arc::new(State {
            host: self.host.clone(),
            plugins,
            tokens: Tokens::new(self.database.clone()),
            policies: self.policies,
            sessions: sessions.clone(),
            executions: executions.clone(),
            connections: pending.clone(),
            subscriptions: subscriptions.clone(),
            secrets,
            limits: limits.clone(),
            metrics: metrics.clone(),
            audit,
            origins: Origins::new(self.hosts, public_url),
            document: Bytes::from(document),
        });
        let guard = axum::middleware::from_fn_with_state(state.clone(), crate::guard::guard);
        let stop = CancellationToken::new();
        let api = router.with_state(state.clone());
        let mcp = crate::mcp::router(&state, &stop).with_state(state.clone());
        let runs = Runs::default();
        let page = crate::page::router(state.clone(), api.clone(), runs.clone());
        let router = api.merge(mcp).merge(page).layer(guard);
        let open = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        let connections = Connections { router, limits, metrics, open, stop: stop.clone() };
        let graceful = Arc::new(GracefulShutdown::new());
        let addresses: Vec<SocketAddr> = listeners.iter().filter_map(Listener::address).collect();
        let accepting = listeners.into_iter().map(|listener| {
            let (connections, graceful) = (connections.clone(), graceful.clone());
            tokio::spawn(async move {
                connections.serve(listener, move || graceful.watcher()).await;
            })
        });
        let accepting = accepting.collect();
        let mut background = vec![
            tokio::spawn(crate::resume::resume(state.clone())),
            tokio::spawn(prune(
                executions.clone(),
                pending,
                subscriptions.clone(),
                (sessions, runs),
                (self.database, state.limits.clone()),
            )),
        ];
        background.extend(tls.map(|tls| tokio::spawn(tls.watch(certificate))));
        Ok(Server {
            host: self.host,
            state,
            addresses,
            executions,
            graceful,
            stop,
            accepting,
            background,
            auditing: (stop_audit, auditing),
            subscriptions,
            _lock: lock,
        })
    }
}

/// How often the server looks for expired data.
const PRUNING: Duration = Duration::from_secs(600);

/// Removes expired data.
async fn prune(
    executions: Arc<Executions>,
    connections: Option<PendingConnections>,
    subscriptions: Option<Arc<Subscriptions>>,
    (sessions, runs): (Sessions, Runs),
    (database, limits): (Database, ServerLimits),
) {
    loop {
        runs.prune(now().saturating_sub(limits.retention_ms));
        let (of_audit, limits) = (database.clone(), limits.clone());
        match tokio::task::spawn_blocking(move || crate::audit::prune(&of_audit, &limits)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "old entries of the audit record stay")
            }
            Err(error) => tracing::error!(%error, "old entries of the audit record stay"),
        }
        let of_page = sessions.clone();
        match tokio::task::spawn_blocking(move || of_page.prune()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "old sessions stay"),
            Err(error) => tracing::error!(%error, "old sessions stay"),
        }
        if let Some(subscriptions) = &subscriptions
            && let Err(error) = subscriptions.prune().await
        {
            tracing::warn!(reason = error.detail.message, "old events stay");
        }
        if let Some(connections) = &connections
            && let Err(error) = connections.prune().await
        {
            tracing::warn!(reason = error.detail.message, "old connections stay");
        }
        match executions.prune().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old executions were removed"),
            Err(error) => tracing::warn!(reason = error.detail.message, "old executions stay"),
        }
        tokio::time::sleep(PRUNING).await;
    }
}

/// A running server.
pub struct Server {
    host: Host,
    state: Shared,
    addresses: Vec<SocketAddr>,
    executions: Arc<Executions>,
    graceful: Arc<GracefulShutdown>,
    stop: CancellationToken,
    accepting: Vec<JoinHandle<()>>,
    /// Background tasks, which run until the server is shut down.
    background: Vec<JoinHandle<()>>,
    /// Stops and awaits the task that writes the audit record.
    auditing: (CancellationToken, JoinHandle<()>),
    subscriptions: Option<Arc<Subscriptions>>,
    _lock: ServerLock,
}

impl Server {
    /// Creates a builder of a server that runs what a host has loaded.
    pub fn builder(host: Host, database: Database) -> ServerBuilder {
        ServerBuilder {
            host,
            database,
            plugins: Vec::new(),
            addresses: Vec::new(),
            unix: Vec::new(),
            tls: None,
            allow_plain_http: false,
            hosts: Vec::new(),
            policies: Policies::new(),
            limits: ServerLimits::default(),
            keys: None,
            store_output: true,
            public_url: None,
            deliveries: Arc::new(HttpTransport::builder),
            page_proxy: None,
        }
    }

    /// The TCP addresses that the server listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves MCP to one local client over standard input and output, until the client closes them.
    /// Its calls act under a policy, and it needs no token.
    ///
    /// # Errors
    ///
    /// When the policy contradicts itself, or the client does not speak MCP.
    pub async fn serve_stdio(&self, policy: Policy) -> Result<(), ServerError> {
        if let Some(problem) = policy.problem() {
            return Err(ServerError::Refused(format!("Cannot use the policy: {problem}")));
        }
        let served = crate::mcp::serve_stdio(self.state.clone(), policy).await;
        served.map_err(|error| ServerError::Mcp(error.into()))
    }

    /// Shuts the server down: it takes no further executions, waits for those that run within
    /// [`ServerLimits::drain_ms`], interrupts the rest, and closes its connections. Detached executions with
    /// a journal are interrupted when their requests in flight are answered; they go on when the
    /// server starts again.
    pub async fn shut_down(self) {
        self.executions.drain().await;
        self.stop.cancel();
        for accepting in self.accepting {
            if let Err(error) = accepting.await {
                tracing::error!(%error, "a listener failed");
            }
        }
        self.background.iter().for_each(JoinHandle::abort);
        if let Some(subscriptions) = &self.subscriptions {
            subscriptions.stop().await;
        }
        if let Ok(credentials) = self.host.credentials() {
            credentials.settle().await;
        }
        if let Ok(graceful) = Arc::try_unwrap(self.graceful).map_err(drop) {
            let closed = tokio::time::timeout(Duration::from_secs(5), graceful.shutdown()).await;
            if closed.is_err() {
                tracing::warn!("connections are closed: clients did not read their responses");
            }
        }
        let (stop, written) = self.auditing;
        stop.cancel();
        if let Err(error) = written.await {
            tracing::error!(%error, "the audit record was not written to its end");
        }
    }
}

/// The OpenAPI document of the API, as JSON.
///
/// # Errors
///
/// If it cannot be written, which is a defect.
pub fn openapi() -> Result<String, serde_json::Error> {
    crate::api::router().1.to_pretty_json()
}
