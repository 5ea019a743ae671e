//! From options to a host: where things are kept, how requests are sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum as _;
use url::Url;
use workflow_node_host::credential::{CredentialId, InvalidReference, SecretReference};
use workflow_node_host::oauth::Actor;
use workflow_node_host::transport::{HttpTransport, HttpTransportBuilder, Transport};
use workflow_node_host::trigger::SubscriptionKey;
use workflow_node_host::{
    CallContext, FileApprovals, Host, HostBuilder, Isolation, Plugin, Principal, Secret, Tenant,
    User, WorkerCommand,
};

use crate::cli::{Common, IsolationMode};
use crate::credential::ToldOnTerminal;
use crate::exit::{Exit, Failure};
use crate::flags::Network;
use crate::prompt::{ask, can_ask};
use crate::store::LateStore;
use crate::values::Credentials;

/// Chooses where plugins run.
const ISOLATION: &str = "WORKFLOW_NODE_ISOLATION";

/// What all commands share.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) data: PathBuf,
    pub(crate) approvals: PathBuf,
    pub(crate) key_file: Option<PathBuf>,
    /// Where the key of the store is read, if it is kept elsewhere.
    pub(crate) key_reference: Option<SecretReference>,
    pub(crate) keyring: bool,
    /// Who acts: the local user of the default tenant, unless another is named.
    pub(crate) principal: Principal,
    /// Whether a tenant was named.
    pub(crate) names_tenant: bool,
    /// Whether a user was named.
    pub(crate) is_named: bool,
    pub(crate) development: bool,
    pub(crate) isolation: Isolation,
}

impl Setup {
    /// `worker`: how a worker is started, where that is possible.
    pub(crate) fn new(common: Common, worker: Option<WorkerCommand>) -> Result<Self, Failure> {
        let data = common
            .data_dir
            .or_else(|| variable("WORKFLOW_NODE_DATA"))
            .or_else(|| Some(dirs::data_dir()?.join("workflow-node")))
            .ok_or_else(|| {
                Failure::input("no-data-directory", "Cannot determine the user's data directory")
                    .next("set it with --data-dir DIR")
            })?;
        let approvals = common
            .approvals
            .or_else(|| variable("WORKFLOW_NODE_APPROVALS"))
            .unwrap_or_else(|| data.join("approvals.json"));
        let (key_file, key_reference) = key(common.key_file, common.key_reference)?;
        let isolation = isolation(common.isolation, worker)?;
        let tenant = common
            .tenant
            .or_else(|| variable("WORKFLOW_NODE_TENANT")?.into_os_string().into_string().ok());
        let names_tenant = tenant.is_some();
        let principal = Principal {
            tenant: tenant.map(Tenant::from).unwrap_or_default(),
            user: common.acting.as_deref().map(User::from).unwrap_or_default(),
        };
        let is_named = common.acting.is_some();
        let (keyring, development) = (common.keyring, common.development);
        Ok(Self {
            data,
            approvals,
            key_file,
            key_reference,
            keyring,
            principal,
            names_tenant,
            is_named,
            development,
            isolation,
        })
    }

    /// Who asks: the user that was named, or the local one, who has the store's file and key and so
    /// may do everything.
    pub(crate) fn actor(&self) -> Actor {
        Actor { principal: self.principal.clone(), is_admin: !self.is_named }
    }

    /// The credential of a name in the tenant.
    pub(crate) fn credential(&self, name: &str) -> CredentialId {
        CredentialId::of(self.principal.tenant.clone(), name)
    }

    /// The subscription of a name: the acting user's, or one that is named in full.
    pub(crate) fn subscription(&self, name: &str) -> String {
        match name.contains('/') {
            true => name.to_owned(),
            false => {
                let (principal, name) = (self.principal.clone(), name.to_owned());
                SubscriptionKey { principal, name }.to_string()
            }
        }
    }

    /// The context of a call that is narrowed as `network` says.
    pub(crate) fn context(&self, network: &Network) -> CallContext {
        let context = CallContext::of(self.principal.clone());
        match network.allow.is_empty() {
            true => context,
            false => context.allow(network.allow.clone()),
        }
    }

    /// A host that runs plugins where the user wants them, with nothing of the user's.
    pub(crate) fn bare_host(&self) -> HostBuilder {
        let builder = Host::builder().isolation(self.isolation.clone());
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
    builder.build().map_err(|error| Failure::input("network", error.to_string()))
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

/// Where the key of the store is: an option goes before a variable of the environment.
fn key(
    file: Option<PathBuf>,
    reference: Option<String>,
) -> Result<(Option<PathBuf>, Option<SecretReference>), Failure> {
    const REFERENCE: &str = "WORKFLOW_NODE_KEY_REFERENCE";
    let parsed = |text: String| -> Result<SecretReference, Failure> {
        text.parse().map_err(|error: InvalidReference| Failure::input("usage", error.to_string()))
    };
    match (file, reference) {
        (Some(file), _) => Ok((Some(file), None)),
        (None, Some(reference)) => Ok((None, Some(parsed(reference)?))),
        (None, None) => match (variable("WORKFLOW_NODE_KEY_FILE"), variable(REFERENCE)) {
            (Some(file), _) => Ok((Some(file), None)),
            (None, Some(reference)) => {
                Ok((None, Some(parsed(reference.to_string_lossy().into_owned())?)))
            }
            (None, None) => Ok((None, None)),
        },
    }
}

/// Where plugins run, as the option or the environment says.
fn isolation(
    chosen: Option<IsolationMode>,
    worker: Option<WorkerCommand>,
) -> Result<Isolation, Failure> {
    let mode = match (chosen, variable(ISOLATION)) {
        (Some(mode), _) => Some(mode),
        (None, Some(value)) => {
            let value = value.display().to_string();
            let mode = IsolationMode::from_str(&value, false).map_err(|_| {
                Failure::input("usage", format!("Invalid value `{value}` for {ISOLATION}"))
                    .next("set it to `process` or `none`")
            })?;
            Some(mode)
        }
        (None, None) => None,
    };
    match (mode, worker) {
        (Some(IsolationMode::Process), None) => {
            Err(Failure::input("usage", "Worker processes require Linux")
                .next("use `--isolation none`"))
        }
        (Some(IsolationMode::None), _) | (None, None) => Ok(Isolation::InProcessUnapproved),
        (Some(IsolationMode::Process) | None, Some(worker)) => Ok(Isolation::Process(worker)),
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
