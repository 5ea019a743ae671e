//! The command line. What a flag does stands in its help, for the one who types it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use workflow_node_host::description::Effect;
use workflow_node_host::transport::ConnectTo;
use workflow_node_host::{OriginPattern, PluginName};

use crate::credential::args::CredentialCommand;
use crate::trigger::args::{TriggerCommand, WebhookCommand};
use crate::values::{RateLimit, duration, effect};

#[derive(Parser)]
#[command(
    name = "harness",
    version,
    about = "Inspect, approve, run and test workflow nodes",
    long_about = "Inspects, approves, runs and tests workflow nodes: WebAssembly components that \
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
Begin here:
  harness inspect node.wasm                     what it is, and what it asks for
  harness approve node.wasm                     allow it that; no action runs before
  harness credential key-file ~/.config/workflow-node.key
  harness credential connect work --plugin node.wasm --type api-token
  harness run node.wasm service.list --credential work
  harness trigger listen node.wasm incident.changed --credential work

Exit codes:
  0  success                       3  a credential is missing or cannot be used
  1  an item failed                4  the plugin was refused or stopped
  2  bad input, nothing was sent   5  anything else";

/// Options of all commands.
#[derive(Args)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Common {
    /// Where approvals, credentials and subscriptions are kept [default: the user's data directory;
    /// env WORKFLOW_NODE_DATA]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// The file of approvals, e.g. one that is checked in [default: approvals.json in the data
    /// directory; env WORKFLOW_NODE_APPROVALS]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) approvals: Option<PathBuf>,

    /// File with the key that opens the credential store [env WORKFLOW_NODE_KEY_FILE, or the key
    /// itself in WORKFLOW_NODE_KEY]; without one the operating system's keyring is looked into, and
    /// then a terminal is asked for a passphrase
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// Keep the key of a new credential store in the operating system's keyring
    #[arg(long, global = true, conflicts_with = "key_file")]
    pub(crate) keyring: bool,

    /// Act as this user of an engine: whose private credentials may be used, and whose connection is
    /// meant where each user has their own [default: the local user, who administers the store]
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) acting: Option<String>,

    /// Act in this tenant of an engine; nothing of another one is seen or used [default: the default
    /// tenant; env WORKFLOW_NODE_TENANT]
    #[arg(long, global = true, value_name = "TENANT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) tenant: Option<String>,

    /// For authors: take rebuilds of an approved plugin for approved, where they ask for nothing new
    #[arg(long, global = true)]
    pub(crate) development: bool,

    /// Where plugins run: in worker processes that hold no credential, or in this process, which
    /// protects less [default: process where the system has them; env WORKFLOW_NODE_ISOLATION]
    #[arg(long, global = true, value_name = "MODE", value_enum)]
    pub(crate) isolation: Option<IsolationMode>,

    /// Say more on standard error; -vv and -vvv say still more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// Where plugins run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationMode {
    /// In worker processes (Linux)
    Process,
    /// In the process of the command
    None,
}

/// Options of commands that send requests.
#[derive(Args, Default)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// Connect to the second origin wherever a request names the first, e.g.
    /// https://api.example.com=https://127.0.0.1:8443; URL, Host and certificate stay those of the
    /// first. Repeatable
    #[arg(long, value_name = "ORIGIN=ORIGIN")]
    pub(crate) connect_to: Vec<ConnectTo>,

    /// Trust the certificate authorities in this file (PEM), too
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Send through this HTTP proxy, e.g. http://proxy.example.com:3128; no environment variable sets
    /// one. The URL may hold a user name and a password, but other users of this machine can see them
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,

    /// User name and password for the proxy: a file that holds USER:PASSWORD, or `ask` for a prompt
    #[arg(long, value_name = "@FILE|ask", requires = "proxy")]
    pub(crate) proxy_credentials: Option<String>,

    /// Allow only these of the approved origins, e.g. https://*.example.com. Repeatable
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow: Vec<OriginPattern>,

    /// Pace requests by this instead of what the credential's type says, e.g. 100/60, or `none`
    #[arg(long, value_name = "REQUESTS/SECONDS")]
    pub(crate) rate_limit: Option<RateLimit>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what a plugin is, what it asks for and what it can do
    Inspect(InspectArgs),
    /// Write reference pages (Markdown) from what a plugin says about itself
    Docs(DocsArgs),
    /// Allow a plugin what it asks for; before that, none of its actions runs
    Approve(ApproveArgs),
    /// Stop plugins from running, and let them run again
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Run one action over one or many items
    Run(Box<RunArgs>),
    /// List what can be chosen for a parameter, e.g. the services that there are
    Options(Box<OptionsArgs>),
    /// Connect accounts, see whether they work, share them, and end them
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Listen for events that start workflows, and look after what was set up for them
    #[command(subcommand)]
    Trigger(TriggerCommand),
    /// Try a receiver of webhooks out, with right and wrong deliveries
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Print a shell's completion script
    #[command(after_help = "Example:\n  harness completions bash > \
                            ~/.local/share/bash-completion/completions/harness")]
    Completions {
        /// The shell
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
            Self::Run(args) => args.format,
            Self::Options(args) => args.format.into(),
            Self::Credential(command) => command.format().into(),
            Self::Trigger(command) => command.format(),
            Self::Webhook(command) => command.format(),
            Self::Completions { .. } => Format::Text,
        }
    }
}

/// How `run` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One array, an element per item
    Json,
    /// A line per record as it comes, then a status line per item
    Jsonl,
}

/// How the other commands print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// For people
    Text,
    /// For programs
    Json,
}

impl From<Report> for Format {
    fn from(report: Report) -> Self {
        match report {
            Report::Text => Self::Text,
            Report::Json => Self::Json,
        }
    }
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness inspect node.wasm                     all of it, in short
  harness inspect node.wasm incident            a resource: its actions, one by one
  harness inspect node.wasm incident.create     an action in full: parameters, output, examples
  harness inspect node.wasm incident.changed    a trigger in full: how its events come
  harness inspect node.wasm oauth2              a credential type, with its scopes
  harness inspect node.wasm --format json
  harness inspect --limits                      what plugins may use")]
pub(crate) struct InspectArgs {
    /// The component, a .wasm file
    #[arg(required_unless_present = "limits")]
    pub(crate) plugin: Option<PathBuf>,
    /// A resource, an action, a trigger or a credential type to show in full
    pub(crate) name: Option<String>,
    /// Print the limits of plugins and of the host, each with its unit, default, and reason
    #[arg(long, conflicts_with_all = ["plugin", "name"])]
    pub(crate) limits: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness docs node.wasm --out docs/reference
  harness docs node.wasm --out docs/reference --check     in CI: fails when they are not up to date")]
pub(crate) struct DocsArgs {
    /// The component, a .wasm file
    pub(crate) plugin: PathBuf,
    /// The directory of the pages; made where it is missing. Pages that were generated before and
    /// belong to nothing any more are removed, other files are left alone
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Write nothing; say which pages are not up to date, and fail if there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  harness approve node.wasm\n  harness approve node.wasm --yes \
                        --approvals ci/approvals.json    a file to check in\n  harness approve \
                        node.wasm --without-effect delete --without-origin https://eu.example.com\n\n\
                        What you withhold stays withheld, also from later builds, until you \
                        approve with --in-full. Effects and actions are the plugin's own words \
                        about itself: to withhold them binds an honest plugin. Origins and scopes \
                        bind any."
)]
pub(crate) struct ApproveArgs {
    /// The component, a .wasm file
    pub(crate) plugin: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Name every action, and every place of a secret, however many there are
    #[arg(long)]
    pub(crate) all: bool,
    /// Withhold requests to this origin, e.g. https://eu.example.com or https://*.example.com.
    /// Repeatable
    #[arg(long, value_name = "ORIGIN", help_heading = "What is not granted")]
    pub(crate) without_origin: Vec<OriginPattern>,
    /// Withhold all actions with this effect: read, create, update, delete, or execute. A trigger
    /// that sets up deliveries counts as create, another as read. Repeatable
    #[arg(long, value_name = "EFFECT", value_parser = effect, help_heading = "What is not granted")]
    pub(crate) without_effect: Vec<Effect>,
    /// Withhold this scope, of one credential type or of all that have it. Repeatable
    #[arg(long, value_name = "[TYPE:]SCOPE", help_heading = "What is not granted")]
    pub(crate) without_scope: Vec<String>,
    /// Withhold this action or trigger. Repeatable
    #[arg(long, value_name = "ACTION", help_heading = "What is not granted")]
    pub(crate) without_action: Vec<String>,
    /// Grant what was withheld before; without this it stays withheld
    #[arg(long, help_heading = "What is not granted")]
    pub(crate) in_full: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Subcommand)]
pub(crate) enum PluginCommand {
    /// End what a plugin runs, in every process that uses this file of approvals, and refuse to run
    /// more. Its approvals stay
    #[command(after_help = "Examples:\n  harness plugin disable pagerduty        every build\n  \
                            harness plugin disable sha256:…         one build")]
    Disable(PluginArgs),
    /// Let a plugin run again
    Enable(PluginArgs),
}

impl PluginCommand {
    fn format(&self) -> Report {
        match self {
            Self::Disable(args) | Self::Enable(args) => args.format,
        }
    }
}

#[derive(Args)]
pub(crate) struct PluginArgs {
    /// Name of the node, or digest of a component
    #[arg(value_name = "NAME|DIGEST")]
    pub(crate) plugin: PluginName,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness run node.wasm service.list --credential work
  harness run node.wasm incident.get --credential work --parameters '{\"incident_id\":\"Q1\"}'
  harness run node.wasm incident.create --credential work --parameters @shared.json --items @items.jsonl
  printf '[{\"id\":\"A\"},{\"id\":\"B\"}]' | harness run node.wasm user.get --items - --format jsonl
  harness run node.wasm incident.create … --dry-run           show the requests, send nothing
  harness run node.wasm incident.create … --execution-id 42   safe to repeat with the same id
  harness run node.wasm service.list … --trace run.har        what was sent and answered")]
pub(crate) struct RunArgs {
    /// The component, a .wasm file
    pub(crate) plugin: PathBuf,
    /// The action; `harness inspect PLUGIN` lists them
    pub(crate) action: String,
    /// Parameters of every item: a JSON object, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) parameters: Option<String>,
    /// One item per element of a JSON array or per line of JSON Lines; each is laid over
    /// --parameters. `-` reads standard input
    #[arg(long, value_name = "@FILE|-")]
    pub(crate) items: Option<String>,
    /// A stored credential; the slot is found by its type unless it is named. Repeatable
    #[arg(long, value_name = "[SLOT=]NAME")]
    pub(crate) credential: Vec<String>,
    /// An item that fails does not stop the others
    #[arg(long)]
    pub(crate) continue_on_fail: bool,
    /// How many items may be under way at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) concurrency: Option<u16>,
    /// How long all of it may take, e.g. 30s or 5m [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Names the execution: repeated with the same id and items, nothing that takes an idempotency
    /// key happens twice
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) execution_id: Option<String>,
    /// Check everything, show every request that would be sent, and send none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Write requests and answers, without credentials, to an HTTP archive
    #[arg(long, value_name = "FILE.har")]
    pub(crate) trace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness options node.wasm incident.create service_id \
                        --credential work --search pay")]
pub(crate) struct OptionsArgs {
    /// The component, a .wasm file
    pub(crate) plugin: PathBuf,
    /// The action or the trigger; `harness inspect PLUGIN` lists them
    #[arg(value_name = "ACTION|TRIGGER")]
    pub(crate) of: String,
    /// Its parameter; inside an object or a list of objects the way to it, joined by `/`
    pub(crate) parameter: String,
    /// Only choices that fit this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Continue a list, as the last answer says
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// What the form holds so far: a JSON object, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) parameters: Option<String>,
    /// A stored credential; the slot is found by its type unless it is named. Repeatable
    #[arg(long, value_name = "[SLOT=]NAME")]
    pub(crate) credential: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
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
