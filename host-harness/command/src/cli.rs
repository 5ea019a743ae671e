//! The command line. The help of a flag documents what it does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use workflow_node_host::description::Effect;
use workflow_node_host::{Digest, Origin, OriginError, OriginPattern, PluginName};

use crate::check::CheckArgs;
use crate::config::ConfigCommand;
use crate::credential::args::CredentialCommand;
use crate::data::DataCommand;
use crate::diff::DiffArgs;
use crate::docs::DocsArgs;
use crate::fake::FakeArgs;
use crate::flags::{Common, Format, Network, Report};
use crate::mcp::McpArgs;
use crate::new::NewArgs;
use crate::package::{PackageArgs, SignerArgs, VerifyArgs};
use crate::replay::ReplayArgs;
use crate::run::args::RunArgs;
use crate::secret::SecretCommand;
use crate::serve::ServeArgs;
use crate::test::TestArgs;
use crate::token::TokenCommand;
use crate::trace::TraceArgs;
use crate::trigger::args::{TriggerCommand, WebhookCommand};
use crate::values::effect;

#[derive(Parser)]
#[command(
    name = "harness",
    version,
    about = "Inspect, approve, run, and test workflow nodes",
    long_about = "Inspects, approves, runs, and tests workflow nodes: WebAssembly components that \
                  call a service. A node runs in a sandbox, reaches only the hosts that you have \
                  approved, and never sees a credential.",
    after_help = EXAMPLES,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Getting started:
  harness inspect node.wasm                     shows the plugin and its permissions
  harness approve node.wasm                     approves them; required before any action runs
  harness credential key-file ~/.config/workflow-node.key
  harness credential connect work --plugin node.wasm --type api-token
  harness run node.wasm service.list --credential work
  harness trigger listen node.wasm incident.changed --credential work

Exit codes:
  0  success                            3  a credential is missing or unusable
  1  an item failed                     4  the plugin was refused or stopped
  2  invalid input, nothing was sent    5  any other error";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show a plugin: its permissions, actions, triggers, and credential types
    Inspect(InspectArgs),
    /// Generate reference pages (Markdown) from the description of a plugin
    Docs(DocsArgs),
    /// Review and approve the permissions a plugin requests. Required before any action can run
    Approve(ApproveArgs),
    /// Disable and enable plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Create the project of a new node
    New(NewArgs),
    /// Show what a release of a plugin changes for existing workflows
    Diff(DiffArgs),
    /// Judge a plugin by the standard suite of checks. Sends nothing to the network
    Check(CheckArgs),
    /// Package and sign a component for operators
    Package(Box<PackageArgs>),
    /// Verify a package: signature, checksums, documents, and the pinned key of its author
    Verify(VerifyArgs),
    /// Run an action for one or many items
    Run(Box<RunArgs>),
    /// Replay a recorded execution offline, and report where the plugin behaves differently
    Replay(Box<ReplayArgs>),
    /// List the choices for a parameter, e.g. the services of the account
    Options(Box<OptionsArgs>),
    /// Connect, test, share, and disconnect accounts
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Listen for events that start workflows, and manage subscriptions
    #[command(subcommand)]
    Trigger(TriggerCommand),
    /// Send signed test deliveries (valid or deliberately invalid) to a webhook receiver
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Serve plugins to engines over HTTP
    Serve(Box<ServeArgs>),
    /// Offer actions as tools to a local client of MCP, over standard input and output
    Mcp(Box<McpArgs>),
    /// Create, list, and revoke the tokens of engines
    #[command(subcommand)]
    Token(TokenCommand),
    /// Store secrets that parameters take by name
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Compare a configuration file of the server with what is stored
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Remove, back up, and restore the data of the server
    #[command(subcommand)]
    Data(DataCommand),
    /// Run the cases of a directory: offline against recordings, or with faults
    Test(Box<TestArgs>),
    /// Show a trace as a page: requests, retries, waits, and what was denied
    Trace(TraceArgs),
    /// Simulate a service, from a small file: routes, paging, webhooks, faults
    Fake(Box<FakeArgs>),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  harness completions bash > \
                            ~/.local/share/bash-completion/completions/harness")]
    Completions {
        /// Shell
        shell: Shell,
    },
}

impl Command {
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Inspect(args) => args.format.into(),
            Self::Docs(args) => args.format.into(),
            Self::Approve(args) => args.format.into(),
            Self::Plugin(command) => command.format().into(),
            Self::New(args) => args.format.into(),
            Self::Diff(args) => args.format.into(),
            Self::Check(args) => args.format.into(),
            Self::Package(args) => args.format().into(),
            Self::Verify(args) => args.format.into(),
            Self::Run(args) => args.format,
            Self::Replay(args) => args.format,
            Self::Options(args) => args.format.into(),
            Self::Credential(command) => command.format().into(),
            Self::Trigger(command) => command.format(),
            Self::Webhook(command) => command.format(),
            Self::Serve(_) | Self::Mcp(_) => Format::Text,
            Self::Token(command) => command.format().into(),
            Self::Secret(command) => command.format().into(),
            Self::Config(command) => command.format().into(),
            Self::Data(command) => command.format().into(),
            Self::Test(args) => args.format(),
            Self::Fake(args) => args.format,
            Self::Trace(_) | Self::Completions { .. } => Format::Text,
        }
    }
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness inspect node.wasm                     an overview
  harness inspect node.wasm incident            a resource with its actions
  harness inspect node.wasm incident.create     an action: parameters, output, examples
  harness inspect node.wasm incident.changed    a trigger: delivery, parameters, events
  harness inspect node.wasm oauth2              a credential type, with its scopes
  harness inspect node.wasm --format json
  harness inspect --limits                      limits of plugins and of the host")]
pub(crate) struct InspectArgs {
    /// Component (.wasm file)
    #[arg(required_unless_present = "limits")]
    pub(crate) plugin: Option<PathBuf>,
    /// Resource, action, trigger, or credential type to show in full
    pub(crate) name: Option<String>,
    /// Print the limits of plugins and of the host with unit, default, and reason
    #[arg(long, conflicts_with_all = ["plugin", "name"])]
    pub(crate) limits: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args, Default)]
#[command(
    after_help = "Examples:\n  harness approve node.wasm\n  harness approve lamp-1.node.tar.gz    a package, \
                        whose key is pinned\n  harness approve node.wasm --yes \
                        --approvals ci/approvals.json    a file for version control\n  harness approve \
                        node.wasm --without-effect delete --without-origin https://eu.example.com\n\n\
                        Withheld permissions stay withheld from later builds until you \
                        approve with --in-full. Effects and actions are declared by the plugin, so \
                        withholding them restricts only an honest plugin. Withholding origins and \
                        scopes restricts every plugin."
)]
pub(crate) struct ApproveArgs {
    /// Component (.wasm file), or package
    pub(crate) plugin: PathBuf,
    /// Do not prompt for confirmation
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// List every action and every position of a secret
    #[arg(long)]
    pub(crate) all: bool,
    /// Origin of a server that you run, for a plugin that lets you choose it, e.g.
    /// gitlab=https://git.example.com. Credentials for the server are sent only there. Repeatable
    #[arg(long, value_name = "NAME=ORIGIN", value_parser = server, help_heading = "Servers")]
    pub(crate) server: Vec<(String, Origin)>,
    /// The same for a server with an address in a private network. Loopback and link-local addresses
    /// are refused all the same
    #[arg(long, value_name = "NAME=ORIGIN", value_parser = server, help_heading = "Servers")]
    pub(crate) private_server: Vec<(String, Origin)>,
    /// Withhold requests to this origin, e.g. https://eu.example.com or https://*.example.com.
    /// Repeatable
    #[arg(long, value_name = "ORIGIN", help_heading = "Withheld permissions")]
    pub(crate) without_origin: Vec<OriginPattern>,
    /// Withhold all actions with this effect: read, create, update, delete, or execute. A trigger
    /// that creates a webhook counts as create, any other trigger as read. Repeatable
    #[arg(long, value_name = "EFFECT", value_parser = effect, help_heading = "Withheld permissions")]
    pub(crate) without_effect: Vec<Effect>,
    /// Withhold this scope, for one credential type or for all that have it. Repeatable
    #[arg(long, value_name = "[TYPE:]SCOPE", help_heading = "Withheld permissions")]
    pub(crate) without_scope: Vec<String>,
    /// Withhold this action or trigger. Repeatable
    #[arg(long, value_name = "ACTION", help_heading = "Withheld permissions")]
    pub(crate) without_action: Vec<String>,
    /// Grant everything that was withheld before. Without this option, it stays withheld
    #[arg(long, help_heading = "Withheld permissions")]
    pub(crate) in_full: bool,
    #[command(flatten)]
    pub(crate) signer: SignerArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    /// Whether another command reports it.
    #[arg(skip)]
    pub(crate) quiet: bool,
}

#[derive(Subcommand)]
pub(crate) enum PluginCommand {
    /// Stop everything that a plugin is running, in every process that uses this approvals file,
    /// and prevent new executions. Its approvals are kept
    #[command(after_help = "Examples:\n  harness plugin disable pagerduty        every build\n  \
                            harness plugin disable sha256:…         one build")]
    Disable(PluginArgs),
    /// Allow a disabled plugin to run again
    Enable(PluginArgs),
    /// Install a component, or a newer build of an installed one: approve it and make it the current
    /// build. Other builds stay installed
    #[command(
        visible_alias = "install",
        after_help = "Examples:
  harness plugin install pagerduty.wasm      from then on, PLUGIN can be `pagerduty`
  harness run pagerduty service.list         runs the current build
  harness run pagerduty@sha256:… service.list  runs another installed build
  harness plugin rollback pagerduty          makes the build before the current one"
    )]
    Upgrade(UpgradeArgs),
    /// Make the build that was current before the current build of an installed plugin, or another
    /// installed build
    Rollback(RollbackArgs),
    /// List the installed builds of plugins
    List {
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
}

impl PluginCommand {
    fn format(&self) -> Report {
        match self {
            Self::Disable(args) | Self::Enable(args) => args.format,
            Self::Upgrade(args) => args.format,
            Self::Rollback(args) => args.format,
            Self::List { format } => *format,
        }
    }
}

#[derive(Args)]
pub(crate) struct UpgradeArgs {
    /// Component (.wasm file), or package
    pub(crate) plugin: PathBuf,
    /// Do not prompt for confirmation
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) signer: SignerArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
pub(crate) struct RollbackArgs {
    /// Name of an installed plugin
    pub(crate) name: String,
    /// Digest of the build [default: the build that was current before]
    #[arg(long, value_name = "DIGEST")]
    pub(crate) to: Option<Digest>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
pub(crate) struct PluginArgs {
    /// Name of a node, or digest of a component
    #[arg(value_name = "NAME|DIGEST")]
    pub(crate) plugin: PluginName,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness options node.wasm incident.create service_id \
                        --credential work --search pay")]
pub(crate) struct OptionsArgs {
    /// Component (.wasm file)
    pub(crate) plugin: PathBuf,
    /// Action or trigger; `harness inspect PLUGIN` lists them
    #[arg(value_name = "ACTION|TRIGGER")]
    pub(crate) of: String,
    /// Parameter. For a member of an object or a list of objects, the path to it, joined by `/`
    pub(crate) parameter: String,
    /// List only choices that match this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Cursor for the next page, from the previous output
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// Current values of the form: a JSON object, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) parameters: Option<String>,
    /// Name of a stored credential. Its type determines the slot unless you name one. Repeatable
    #[arg(long, value_name = "[SLOT=]NAME")]
    pub(crate) credential: Vec<String>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// `NAME=ORIGIN`.
fn server(text: &str) -> Result<(String, Origin), String> {
    let (name, origin) = text.split_once('=').ok_or("write it as NAME=ORIGIN")?;
    let origin = origin.strip_suffix('/').unwrap_or(origin);
    Ok((name.to_owned(), origin.parse().map_err(|error: OriginError| error.to_string())?))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
