//! `harness serve`: a server for engines, from options and a configuration file to its end.

mod credentials;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use clap::Args;
use url::Url;
use workflow_node_host::oauth::{CredentialEnded, CredentialEvents};
use workflow_node_host::transport::HttpTransport;
use workflow_node_host::{Digest, Host, Plugin, chain};
use workflow_node_server::{
    ApprovalConfig, Config, ConfigError, CredentialConfig, Database, DatabaseError, PluginConfig,
    Server, ServerBuilder, ServerError, ServerKeys, TlsFiles,
};

use crate::exit::{Exit, Failure};
use crate::flags::Network;
use crate::logging::LogFormat;
use crate::output;
use crate::setup::Setup;
use crate::store::LateStore;

/// Where the server listens, if nothing else is said.
const DEFAULT_ADDRESS: &str = "127.0.0.1:7410";

#[derive(Args)]
#[command(after_help = "Examples:
  harness serve --plugin pagerduty.wasm
  harness serve --config serve.toml
  harness serve --config serve.toml --listen 0.0.0.0:8443 --tls-certificate cert.pem --tls-key key.pem

A variable of the environment sets a member of the configuration file: WORKFLOW_NODE_SERVE_PUBLIC_URL,
WORKFLOW_NODE_SERVE_LIMITS__RUNNING. Options come before variables, and variables before the file.

The server prints its addresses on standard output and logs on standard error. SIGTERM and Ctrl-C
shut it down: it waits for running executions. Create a token for each engine: harness token create.
People use the page at the server's address. Make a link that lets one in: harness token page")]
pub(crate) struct ServeArgs {
    /// Configuration file (TOML): plugins by digest, approvals, policies of tokens, limits
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Component (.wasm file) to serve, beside those in the configuration file. Repeatable
    #[arg(long = "plugin", value_name = "FILE")]
    pub(crate) plugins: Vec<PathBuf>,
    /// Address to listen on, instead of those in the configuration file. An address other than
    /// loopback needs TLS or --allow-plain-http. Repeatable [default: 127.0.0.1:7410]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Unix socket to listen on
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: Option<PathBuf>,
    /// PEM file with the certificate and its chain
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// PEM file with the private key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Listen on addresses other than loopback without TLS. Only for a proxy in front of the server
    /// that ends TLS
    #[arg(long)]
    pub(crate) allow_plain_http: bool,
    /// Name under which clients reach the server, e.g. harness.example.com. Requests with another
    /// Host header are refused; localhost and IP addresses are always accepted. Repeatable
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    /// Address under which browsers and services reach the server, e.g. https://harness.example.com.
    /// Links that connect accounts, redirect URIs of apps (URL/v1/oauth/callback), and webhooks begin
    /// with it [default: the first address to listen on, if it is loopback]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<Url>,
    /// Format of the log
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
    #[command(flatten)]
    pub(crate) network: Network,
}

pub(crate) async fn run(setup: &Setup, args: ServeArgs) -> Result<Exit, Failure> {
    if !args.network.allow.is_empty() {
        let message = "Cannot combine `serve` with --allow: each token has its own destinations";
        return Err(
            Failure::input("usage", message).next("set `destinations` in the token's policy")
        );
    }
    // Heard from the beginning, so that a signal during the start is not lost.
    let signals = Signals::listen()?;
    let mut config = Config::read_with(args.config.as_ref(), std::env::vars_os())?;
    if !args.listen.is_empty() {
        config.listen = args.listen;
    }
    config.unix = args.unix.or(config.unix);
    if config.listen.is_empty() && config.unix.is_none() {
        config.listen = vec![DEFAULT_ADDRESS.parse().map_err(Failure::internal)?];
    }
    if let (Some(certificate), Some(key)) = (args.tls_certificate, args.tls_key) {
        config.tls = Some(TlsFiles::new(certificate, key));
    }
    let log_format = args.log_format;
    let is_tls = config.tls.is_some();
    let mut setup = setup.clone();
    if setup.key_file.is_none() && setup.key_reference.is_none() {
        setup.key_reference = config.key;
    }
    let setup = &setup;
    let database = Database::open(&setup.data)?;
    let (host, keys) = host(setup, &args.network)?;
    let mut builder = Server::builder(host.clone(), database)
        .hosts(config.hosts.into_iter().chain(args.hosts))
        .policies(config.policies)
        .limits(config.limits)
        .store_output(config.store_output.unwrap_or(true))
        .allow_plain_http(config.allow_plain_http || args.allow_plain_http);
    if let Some(keys) = keys {
        builder = builder.keys(keys);
    }
    if let Some(file) = &args.network.ca_file {
        let pem = std::fs::read(file).map_err(|error| {
            let file = file.display();
            Failure::input("ca-file", format!("Cannot read CA file {file}: {error}"))
        })?;
        builder = builder.delivery_transport(move || HttpTransport::builder().ca_pem(pem.clone()));
    }
    if let Some(proxy) = config.page.proxy {
        builder = builder.page_proxy(proxy);
    }
    if let Some(url) = args.public_url.or(config.public_url) {
        builder = builder.public_url(url);
    }
    builder =
        add_plugins(setup, &host, builder, &config.plugins, &args.plugins, &config.credentials)
            .await?;
    builder = config.listen.into_iter().fold(builder, |builder, address| builder.listen(address));
    if let Some(path) = &config.unix {
        builder = builder.listen_unix(path);
    }
    if let Some(files) = config.tls {
        builder = builder.tls(files);
    }
    let server = builder.start().await?;
    let scheme = if is_tls { "https" } else { "http" };
    for address in server.addresses() {
        output::stdout(&format!("Listening on {scheme}://{address}\n"))?;
    }
    if let Some(path) = &config.unix {
        output::stdout(&format!("Listening on {}\n", path.display()))?;
    }
    if log_format == LogFormat::Text {
        output::stderr(
            "People use the page at this address. Let one in: harness token page NAME --role run\n",
        );
    }
    signals.first().await;
    tracing::info!("shutting down; another signal ends the server at once");
    tokio::select! {
        () = server.shut_down() => Ok(Exit::Success),
        () = signals.first() => {
            Err(Failure::new(Exit::Failed, "interrupted", "The server was ended at once"))
        }
    }
}

/// Adds the plugins of the configuration file and of the options, and connects the credentials that the
/// file declares.
pub(crate) async fn add_plugins(
    setup: &Setup,
    host: &Host,
    builder: ServerBuilder,
    configured: &[PluginConfig],
    files: &[PathBuf],
    declared: &[CredentialConfig],
) -> Result<ServerBuilder, Failure> {
    if configured.is_empty() && files.is_empty() {
        return Err(Failure::input("usage", "Cannot start the server: it has no plugin")
            .next("add --plugin FILE, or list plugins in the configuration file"));
    }
    let mut plugins = Vec::new();
    for plugin in configured {
        let loaded = load_exact(host, &plugin.file, &plugin.digest).await?;
        if let Some(approval) = &plugin.approval {
            approve(&loaded, &plugin.file, approval).await?;
        }
        plugins.push(loaded);
    }
    for plugin in files {
        plugins.push(setup.load_with(host, plugin).await?);
    }
    credentials::connect(host, &plugins, declared).await?;
    Ok(plugins.into_iter().fold(builder, |builder, plugin| builder.plugin(plugin)))
}

/// A host with the credential store, where there is one or a key for one, and the keys that follow from
/// it.
pub(crate) fn host(
    setup: &Setup,
    network: &Network,
) -> Result<(Host, Option<ServerKeys>), Failure> {
    let store = LateStore::default();
    let mut builder = setup.builder(network)?;
    let mut keys = None;
    match store.open_or_make(setup) {
        Ok(opened) => {
            keys = Some(ServerKeys::of(opened));
            builder =
                builder.credential_store(store.shared()).credential_events(Arc::new(LoggedEvents));
            builder = builder.trigger_store(store.shared());
        }
        Err(failure) if failure.name == "no-key" && !crate::store::path(setup).exists() => {
            tracing::warn!(
                "a key for the credential store is missing: the server runs without credentials, and \
                 discards the output of executions"
            );
        }
        Err(failure) => return Err(failure),
    }
    let host = builder.build().map_err(|error| Failure::of(&error, ""))?;
    Ok((host, keys))
}

/// Loads a component of exactly this content.
async fn load_exact(host: &Host, file: &Path, digest: &Digest) -> Result<Plugin, Failure> {
    let bytes = tokio::fs::read(file).await.map_err(|error| {
        Failure::input("unreadable", format!("Cannot read plugin {}: {error}", file.display()))
    })?;
    let found = Digest::of(&bytes);
    if found != *digest {
        let message = format!(
            "Cannot serve plugin {}: its digest is {found}, and the configuration declares {digest}",
            file.display()
        );
        return Err(Failure::new(Exit::Plugin, "plugin-refused", message)
            .next("review the component, and declare its digest"));
    }
    host.load(bytes).await.map_err(|error| Failure::of(&error, &file.display().to_string()))
}

/// Records the approval of a configuration file, unless it is recorded.
async fn approve(plugin: &Plugin, file: &Path, approval: &ApprovalConfig) -> Result<(), Failure> {
    let failed = |error| Failure::of(&error, &file.display().to_string());
    if let Ok(known) = plugin.approval().await
        && known.withheld == approval.withheld
    {
        return Ok(());
    }
    let by = approval.by.clone().unwrap_or_else(|| "the configuration file".to_owned());
    plugin.approve_without(approval.withheld.clone(), Some(by)).await.map_err(failed)
}

/// Credentials that end are in the log.
struct LoggedEvents;

#[async_trait]
impl CredentialEvents for LoggedEvents {
    async fn disconnected(&self, event: &CredentialEnded) {
        let CredentialEnded { tenant, credential, reason, .. } = event;
        tracing::warn!(%tenant, credential, reason, "credential disconnected");
    }

    async fn needs_reconnect(&self, event: &CredentialEnded) {
        let CredentialEnded { tenant, credential, reason, .. } = event;
        tracing::warn!(%tenant, credential, reason, "credential must be connected again");
    }
}

/// The signals that end a server.
pub(crate) struct Signals(tokio::sync::Mutex<crate::interrupt::Signals>);

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let signals = crate::interrupt::Signals::listen().map_err(Failure::internal)?;
        Ok(Self(tokio::sync::Mutex::new(signals)))
    }

    /// Waits for the next signal.
    pub(crate) async fn first(&self) {
        self.0.lock().await.next().await;
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::input("configuration", chain(&error))
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        let exit = match &error {
            DatabaseError::Refused(_)
            | DatabaseError::Backup { .. }
            | DatabaseError::InUse { .. } => Exit::Input,
            _ => Exit::Internal,
        };
        Self::new(exit, "server-database", chain(&error))
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Database(error) => error.into(),
            error => Self::input("server", chain(&error)),
        }
    }
}
