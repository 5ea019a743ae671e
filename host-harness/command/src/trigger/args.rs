//! The command lines of `harness trigger` and `harness webhook`. The help of a flag documents what
//! it does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use url::Url;

use crate::flags::{Format, Network, Report};
use crate::values::duration;

#[derive(Subcommand)]
pub(crate) enum TriggerCommand {
    /// Set up a subscription, print its events as they arrive, and remove it on Ctrl-C
    Listen(Box<ListenArgs>),
    /// List the stored subscriptions with their status
    List {
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Check a subscription at the service; --repair repairs it
    Check(Box<CheckArgs>),
    /// Remove a subscription, at the service and from the store
    Stop(Box<StopArgs>),
}

impl TriggerCommand {
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Listen(args) => args.format.into(),
            Self::List { format } => (*format).into(),
            Self::Check(args) => args.format.into(),
            Self::Stop(args) => args.format.into(),
        }
    }
}

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lines {
    /// One line of JSON per event
    Text,
    /// One line of JSON per event, with its number, key, and times
    Jsonl,
}

impl From<Lines> for Format {
    fn from(lines: Lines) -> Self {
        match lines {
            Lines::Text => Self::Text,
            Lines::Jsonl => Self::Jsonl,
        }
    }
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness trigger listen node.wasm incident.changed --credential work --interval 10s
  harness trigger listen node.wasm event --credential work \\
      --parameters '{\"events\":[\"incident.triggered\"]}' \\
      --listen 127.0.0.1:8080 --callback-url https://hooks.example.com/one
  harness trigger listen node.wasm event … --format jsonl          adds number, key, and times
  harness trigger listen node.wasm event … --name orders --keep    continues where it stopped

Events are printed on standard output, one per line; everything else on standard error.

A service needs an address that it can reach. Pass the public URL that leads to --listen with
--callback-url, e.g. the URL of a tunnel or of a reverse proxy that terminates TLS. Without it, the
address is on this machine, which is sufficient for a simulator.")]
pub(crate) struct ListenArgs {
    /// Component (.wasm file)
    pub(crate) plugin: PathBuf,
    /// Trigger; `harness inspect PLUGIN` lists them
    pub(crate) trigger: String,
    /// Version of the trigger that a workflow was built with. The command fails before anything is
    /// sent if the plugin has another version
    #[arg(long, value_name = "N")]
    pub(crate) trigger_version: Option<u32>,
    /// Parameters of the trigger: a JSON object, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) parameters: Option<String>,
    /// Name of a stored credential. Its type determines the slot unless you name one. Repeatable
    #[arg(long, value_name = "[SLOT=]NAME")]
    pub(crate) credential: Vec<String>,
    /// Name of the subscription. A stored subscription with this name continues [default: a new
    /// name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Keep the subscription at the end, to continue later. For a webhook, use the same --listen
    /// again
    #[arg(long, requires = "name")]
    pub(crate) keep: bool,
    /// For a webhook: public URL that leads to --listen
    #[arg(long, value_name = "URL")]
    pub(crate) callback_url: Option<Url>,
    /// For a webhook: address on which to listen for plain HTTP. With port 0, the system chooses a
    /// port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// For a polling trigger: polling interval, e.g. 10s or 5m [default: declared by the trigger]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) interval: Option<Duration>,
    /// Stop after this number of events
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Output format of events
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Lines,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness trigger check node.wasm orders --repair")]
pub(crate) struct CheckArgs {
    /// Component (.wasm file)
    pub(crate) plugin: PathBuf,
    /// Name of the subscription
    pub(crate) name: String,
    /// Enable the subscription again, or create it again if the service no longer has it
    #[arg(long)]
    pub(crate) repair: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness trigger stop node.wasm orders")]
pub(crate) struct StopArgs {
    /// Component (.wasm file)
    pub(crate) plugin: PathBuf,
    /// Name of the subscription
    pub(crate) name: String,
    /// Remove the subscription only from the store, without contacting the service, e.g. if the
    /// account no longer exists
    #[arg(long)]
    pub(crate) forget: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Subcommand)]
pub(crate) enum WebhookCommand {
    /// Deliver a file to any URL, signed as the service would sign it, or deliberately invalid
    Send(Box<SendArgs>),
}

impl WebhookCommand {
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Send(args) => args.format.into(),
        }
    }
}

/// How a delivery is made invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tamper {
    /// One digit of the signature is wrong
    Signature,
    /// One byte of the body was changed after signing
    Body,
    /// Signed with another secret
    Secret,
    /// No signature
    Missing,
    /// An empty signature
    Empty,
    /// A signature version that the trigger does not declare
    Version,
    /// Half of the signature
    Truncated,
    /// Text that is not a signature
    Garbage,
    /// Another method
    Method,
    /// A body above the limit
    Size,
    /// All of these, one after another
    All,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness webhook send node.wasm event --url http://127.0.0.1:8080/hook \\
      --body @triggered.json --secret @secret
  harness webhook send node.wasm event … --subscription orders    signed with its secret
  harness webhook send node.wasm event … --repeat 3               the same delivery three times
  harness webhook send node.wasm event … --tamper all             invalid in each way

The exit code is 0 if the receiver accepted valid deliveries (2xx) and rejected (4xx) deliveries
that --tamper made invalid.")]
pub(crate) struct SendArgs {
    /// Component (.wasm file) that declares how deliveries are signed
    pub(crate) plugin: PathBuf,
    /// Webhook trigger
    pub(crate) trigger: String,
    /// URL of the receiver
    #[arg(long, value_name = "URL")]
    pub(crate) url: Url,
    /// Body, sent byte for byte
    #[arg(long, value_name = "@FILE|-")]
    pub(crate) body: String,
    /// Signing secret: in a file, or on standard input
    #[arg(long, value_name = "@FILE|-", conflicts_with = "subscription")]
    pub(crate) secret: Option<String>,
    /// Sign with the secret of this stored subscription
    #[arg(long, value_name = "NAME")]
    pub(crate) subscription: Option<String>,
    /// ID of the delivery [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Additional header. Repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Number of times to send the delivery, with the same ID
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) repeat: u32,
    /// Make the delivery invalid in this way
    #[arg(long, value_enum)]
    pub(crate) tamper: Option<Tamper>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}
