//! Setup that all commands share: data directory, acting user, and isolation of plugins.

use std::path::PathBuf;

use clap::ValueEnum as _;
use workflow_node_host::credential::{CredentialId, InvalidReference, SecretReference};
use workflow_node_host::oauth::Actor;
use workflow_node_host::trigger::SubscriptionKey;
use workflow_node_host::{CallContext, Isolation, Principal, Tenant, User, WorkerCommand};

use crate::exit::Failure;
use crate::flags::{Common, IsolationMode, Network};

/// Chooses where plugins run.
const ISOLATION: &str = "WORKFLOW_NODE_ISOLATION";

/// Setup that all commands share.
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
    /// Whether hosts meter guests.
    pub(crate) metered: bool,
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
            metered: false,
        })
    }

    /// Who asks: the user that was named, or the local one, who has the store's file and key and so
    /// may do everything.
    pub(crate) fn actor(&self) -> Actor {
        Actor { principal: self.principal.clone(), is_admin: !self.is_named }
    }

    /// The same setup, whose hosts meter guests if a trace is asked for.
    pub(crate) fn metered(&self, on: bool) -> Self {
        Self { metered: on, ..self.clone() }
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
