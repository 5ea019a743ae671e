//! `harness mcp`: actions as tools for one local client of MCP, over standard input and output.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use workflow_node_host::description::Effect;
use workflow_node_server::{Config, Database, DatabaseError, Policy, Role, Server};

use crate::exit::{Exit, Failure};
use crate::flags::Network;
use crate::serve::{Signals, add_plugins, host};
use crate::setup::Setup;
use crate::values::effect;

/// Directory of what the server keeps, in the data directory, so that `harness serve` can run beside
/// it.
pub(crate) const DIRECTORY: &str = "mcp";

#[derive(Args)]
#[command(after_help = "Examples:
  harness mcp --plugin pagerduty.wasm
  harness mcp --plugin pagerduty.wasm --effect read --effect create --pin pagerduty/incident.create
  harness mcp --config serve.toml --policy assistant

A client starts this command, for example with the configuration
  {\"mcpServers\": {\"pagerduty\": {\"command\": \"harness\", \"args\": [\"mcp\", \"--plugin\", \"/path/to/pagerduty.wasm\"]}}}

Only actions that read are allowed, unless --effect or the policy lists effects. Clients that speak HTTP
use harness serve instead, at /mcp.")]
pub(crate) struct McpArgs {
    /// Component (.wasm file) whose actions are tools. Repeatable
    #[arg(long = "plugin", value_name = "FILE")]
    plugins: Vec<PathBuf>,
    /// Configuration file (TOML) of harness serve: plugins by digest, approvals, policies, limits
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use the policy of this name in the configuration file
    #[arg(long, value_name = "NAME", requires = "config",
        conflicts_with_all = ["actions", "effects", "credentials", "pins"])]
    policy: Option<String>,
    /// Allow only this action; `incident.*` stands for all that begin with `incident.`. Repeatable
    #[arg(long = "action", value_name = "NAME")]
    actions: Vec<String>,
    /// Allow actions with this effect: read, create, update, delete, or execute. Repeatable [default:
    /// read]
    #[arg(long = "effect", value_name = "EFFECT", value_parser = effect)]
    effects: Vec<Effect>,
    /// Allow only this credential. Repeatable
    #[arg(long = "credential", value_name = "NAME")]
    credentials: Vec<String>,
    /// Make this action a separate tool, e.g. pagerduty/incident.list. Repeatable
    #[arg(long = "pin", value_name = "PLUGIN/ACTION")]
    pins: Vec<String>,
    /// Address on which the pages that connect accounts are served
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pages: SocketAddr,
    #[command(flatten)]
    network: Network,
}

pub(crate) async fn run(setup: &Setup, args: McpArgs) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    let policy = match &args.policy {
        None => own(setup, &args),
        Some(name) => config.policies.get(name).cloned().ok_or_else(|| {
            let message = format!("The configuration file has no policy `{name}`");
            Failure::input("unknown", message).next("add it to `policies`")
        })?,
    };
    if !args.pages.ip().is_loopback() {
        let message = format!("Cannot serve pages on {}: it is not a loopback address", args.pages);
        return Err(Failure::input("usage", message).next("use an address such as 127.0.0.1:0"));
    }
    let database = Database::open(setup.data.join(DIRECTORY))?;
    let mut setup = setup.clone();
    if setup.key_file.is_none() && setup.key_reference.is_none() {
        setup.key_reference.clone_from(&config.key);
    }
    let setup = &setup;
    let (host, keys) = host(setup, &args.network)?;
    let mut builder = Server::builder(host.clone(), database)
        .limits(config.limits)
        .store_output(config.store_output.unwrap_or(true))
        .listen(args.pages);
    if let Some(keys) = keys {
        builder = builder.keys(keys);
    }
    builder =
        add_plugins(setup, &host, builder, &config.plugins, &args.plugins, &config.credentials)
            .await?;
    let server = builder.start().await.map_err(|error| match error {
        workflow_node_server::ServerError::Database(DatabaseError::InUse { path }) => {
            let message = format!("Another harness mcp uses {}", path.display());
            Failure::input("server-database", message)
                .next("let the clients use one harness serve over HTTP, or set --data-dir DIR")
        }
        error => error.into(),
    })?;
    let served = tokio::select! {
        served = server.serve_stdio(policy) => served,
        () = signals.first() => Ok(()),
    };
    tokio::select! {
        () = server.shut_down() => {}
        () = signals.first() => {
            return Err(Failure::new(Exit::Failed, "interrupted", "The server was ended at once"));
        }
    }
    served?;
    Ok(Exit::Success)
}

/// The policy that the options describe.
fn own(setup: &Setup, args: &McpArgs) -> Policy {
    let principal = &setup.principal;
    let mut policy = Policy::default();
    policy.tenant = (!principal.tenant.is_default()).then(|| principal.tenant.to_string());
    policy.actor = (!principal.user.is_default()).then(|| principal.user.to_string());
    policy.roles = [Role::Run, Role::Connect].into();
    policy.actions = (!args.actions.is_empty()).then(|| args.actions.iter().cloned().collect());
    policy.effects = (!args.effects.is_empty()).then(|| args.effects.iter().copied().collect());
    let credentials = &args.credentials;
    policy.credentials = (!credentials.is_empty()).then(|| credentials.iter().cloned().collect());
    policy.destinations = (!args.network.allow.is_empty()).then(|| args.network.allow.clone());
    policy.pinned = args.pins.iter().cloned().collect();
    policy
}
