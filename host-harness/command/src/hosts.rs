//! Hosts of commands: how requests are sent, which stores a host uses, and which plugin it loads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;
use workflow_node_host::transport::{HttpTransport, HttpTransportBuilder, Transport};
use workflow_node_host::{FileApprovals, Host, HostBuilder, Plugin, Secret, chain};

use crate::credential::ToldOnTerminal;
use crate::exit::{Exit, Failure};
use crate::flags::Network;
use crate::prompt::{ask, can_ask};
use crate::setup::Setup;
use crate::store::LateStore;
use crate::values::Credentials;

impl Setup {
    /// A host with the isolation that the user chose, without the user's data.
    pub(crate) fn bare_host(&self) -> HostBuilder {
        let builder = Host::builder().isolation(self.isolation.clone()).metering(self.metered);
        match cache() {
            Some(cache) => builder.cache_directory(cache),
            None => builder,
        }
    }

    /// A host that sends as `network` says.
    pub(crate) fn host(
        &self,
        network: &Network,
        credentials: Option<&LateStore>,
    ) -> Result<Host, Failure> {
        self.host_over(Arc::new(transport(network)?), network, credentials)
    }

    /// A host that sends with this transport, paced as `network` says.
    pub(crate) fn host_over(
        &self,
        transport: Arc<dyn Transport>,
        network: &Network,
        credentials: Option<&LateStore>,
    ) -> Result<Host, Failure> {
        // The last transport counts.
        let mut builder = self.builder(network)?.transport(transport);
        if let Some(late) = credentials {
            builder = builder
                .credential_store(late.shared())
                .credential_events(Arc::new(ToldOnTerminal))
                .trigger_store(crate::store::subscriptions(self, late));
        }
        builder.build().map_err(|error| Failure::of(&error, ""))
    }

    /// A builder of a host that sends as `network` says.
    pub(crate) fn builder(&self, network: &Network) -> Result<HostBuilder, Failure> {
        let mut builder = self
            .bare_host()
            .approvals(Arc::new(FileApprovals::new(&self.approvals)))
            .transport(Arc::new(transport(network)?))
            .development(self.development);
        if let Some(limit) = &network.rate_limit {
            builder = builder.rate_limit(limit.0.clone());
        }
        Ok(builder)
    }

    /// Loads a plugin without anything to send with.
    pub(crate) async fn load(&self, plugin: &Path) -> Result<Plugin, Failure> {
        self.load_with(&self.host(&Network::default(), None)?, plugin).await
    }

    /// Loads a plugin: a file, or an installed build.
    pub(crate) async fn load_with(&self, host: &Host, plugin: &Path) -> Result<Plugin, Failure> {
        let file = crate::installed::Installed::new(&self.data).file(plugin)?;
        load(host, plugin, &file).await
    }
}

async fn load(host: &Host, plugin: &Path, file: &Path) -> Result<Plugin, Failure> {
    host.load_file(file).await.map_err(|error| {
        let mut failure = Failure::of(&error, &plugin.display().to_string());
        if failure.exit == Exit::Input {
            failure.next = Some("pass the path of the component's .wasm file".to_owned());
        }
        failure
    })
}

/// A transport that reaches a URL that the user has named, wherever it leads.
pub(crate) fn transport_to(network: &Network, url: &Url) -> Result<HttpTransport, Failure> {
    let origin = url.origin().ascii_serialization();
    let own = format!("{origin}={origin}")
        .parse()
        .map_err(|_| Failure::input("usage", format!("`{url}` is not an http or https URL")))?;
    build(HttpTransport::builder().connect_to(own), network)
}

pub(crate) fn transport(network: &Network) -> Result<HttpTransport, Failure> {
    build(HttpTransport::builder(), network)
}

fn build(mut builder: HttpTransportBuilder, network: &Network) -> Result<HttpTransport, Failure> {
    if let Some(file) = &network.ca_file {
        let pem = std::fs::read(file).map_err(|error| {
            let file = file.display();
            Failure::input("ca-file", format!("Cannot read CA file {file}: {error}"))
        })?;
        builder = builder.ca_pem(pem);
    }
    for mapping in &network.connect_to {
        builder = builder.connect_to(mapping.clone());
    }
    if let Some(proxy) = &network.proxy {
        builder = builder.proxy(proxy);
        if let Some(source) = &network.proxy_credentials {
            let (user, password) = user_and_password("--proxy-credentials", source)?;
            builder = builder.proxy_credentials(user, password);
        }
    }
    builder.build().map_err(|error| Failure::input("network", chain(&error)))
}

/// User name and password for a proxy or a registry, as an option says. No message quotes any of it.
pub(crate) fn user_and_password(option: &str, source: &str) -> Result<(String, Secret), Failure> {
    let failed = |message: String| Failure::input(option.trim_start_matches('-'), message);
    let source = Credentials::read(source).ok_or_else(|| {
        failed(format!("{option} expects @FILE or `ask`"))
            .next("if you passed a password here, treat it as leaked and replace it")
    })?;
    match source {
        Credentials::File(path) => {
            let file = path.display();
            let text = std::fs::read_to_string(&path)
                .map(Secret::new)
                .map_err(|error| failed(format!("Cannot read file {file} of {option}: {error}")))?;
            let line = text.expose().lines().next().unwrap_or_default();
            let (user, password) = line.split_once(':').ok_or_else(|| {
                failed(format!(
                    "The first line of {file} is not USER:PASSWORD. The colon is required even if \
                     the user name is empty"
                ))
            })?;
            Ok((user.to_owned(), Secret::new(password)))
        }
        Credentials::Ask if can_ask() => {
            let user = ask("User name (not shown): ")?;
            Ok((user.expose().to_owned(), ask("Password: ")?))
        }
        Credentials::Ask => Err(failed(format!(
            "Cannot ask for a user name and a password without a terminal. Pass them with {option} @FILE"
        ))),
    }
}

/// Where compiled components are kept; without it they are compiled each time.
pub(crate) fn cache() -> Option<PathBuf> {
    let directory = dirs::cache_dir()?.join("workflow-node");
    match std::fs::create_dir_all(&directory) {
        Ok(()) => Some(directory),
        Err(error) => {
            tracing::debug!(%error, "compiled components are not cached");
            None
        }
    }
}
