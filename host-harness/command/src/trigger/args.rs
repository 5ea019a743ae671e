//! The command lines of `harness trigger` and `harness webhook`. What a flag does stands in its
//! help, for the one who types it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use url::Url;

use crate::cli::{Format, Network, Report};
use crate::values::duration;

#[derive(Subcommand)]
pub(crate) enum TriggerCommand {
    /// Set a trigger up, print its events as they come, and take it down on Ctrl-C
    Listen(Box<ListenArgs>),
    /// List the subscriptions that are kept, and how they are
    List {
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Ask the service how a subscription is; with --repair put it right
    Check(Box<CheckArgs>),
    /// Take a subscription down, at the service and here
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
    /// Each event, a line of JSON
    Text,
    /// Each event with its number, its key and its times, a line of JSON
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
  harness trigger listen node.wasm event … --format jsonl          with number, key and times
  harness trigger listen node.wasm event … --name orders --keep    goes on where it ended

Events stand on standard output, a line each; everything else on standard error.

A service can call only what it reaches: with --callback-url name the public address that leads to
--listen, e.g. of a tunnel or a reverse proxy that ends TLS. Without it the address is on this
machine, which is good for a simulator.")]
pub(crate) struct ListenArgs {
    /// The component, a .wasm file
    pub(crate) plugin: PathBuf,
    /// The trigger; `harness inspect PLUGIN` lists them
    pub(crate) trigger: String,
    /// Its parameters: a JSON object, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) parameters: Option<String>,
    /// A stored credential; the slot is found by its type unless it is named. Repeatable
    #[arg(long, value_name = "[SLOT=]NAME")]
    pub(crate) credential: Vec<String>,
    /// Name of the subscription; one that is kept under this name goes on [default: a new name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Leave the subscription in place at the end, to go on later; give a webhook the same --listen
    /// again
    #[arg(long, requires = "name")]
    pub(crate) keep: bool,
    /// For a webhook: the public URL that leads to --listen
    #[arg(long, value_name = "URL")]
    pub(crate) callback_url: Option<Url>,
    /// For a webhook: where to listen, for plain HTTP; with port 0 the system chooses one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// For a trigger that polls: how often, e.g. 10s or 5m [default: as the trigger says]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) interval: Option<Duration>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// How to print events
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Lines,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness trigger check node.wasm orders --repair")]
pub(crate) struct CheckArgs {
    /// The component, a .wasm file
    pub(crate) plugin: PathBuf,
    /// Name of the subscription
    pub(crate) name: String,
    /// Switch it on again, or make it anew, where the service has switched it off or lost it
    #[arg(long)]
    pub(crate) repair: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness trigger stop node.wasm orders")]
pub(crate) struct StopArgs {
    /// The component, a .wasm file
    pub(crate) plugin: PathBuf,
    /// Name of the subscription
    pub(crate) name: String,
    /// Forget it here without telling the service, e.g. because the account is gone
    #[arg(long)]
    pub(crate) forget: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Subcommand)]
pub(crate) enum WebhookCommand {
    /// Deliver a file to any URL, signed as the service would sign it, or wrong on purpose
    Send(Box<SendArgs>),
}

impl WebhookCommand {
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Send(args) => args.format.into(),
        }
    }
}

/// What is made wrong with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tamper {
    /// One digit of the signature is wrong
    Signature,
    /// One byte of the body is another than was signed
    Body,
    /// Signed with another secret
    Secret,
    /// No signature at all
    Missing,
    /// An empty signature
    Empty,
    /// A signature of a version that is not described
    Version,
    /// Half of the signature
    Truncated,
    /// Something that is no signature
    Garbage,
    /// Another method
    Method,
    /// A body above the limit
    Size,
    /// All of these, one after the other
    All,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness webhook send node.wasm event --url http://127.0.0.1:8080/hook \\
      --body @triggered.json --secret @secret
  harness webhook send node.wasm event … --subscription orders    signed with its secret
  harness webhook send node.wasm event … --repeat 3               the same delivery three times
  harness webhook send node.wasm event … --tamper all             wrong in each way

Ends with 0 when the receiver did right: took what was signed (2xx), and refused (4xx) what was made
wrong with --tamper.")]
pub(crate) struct SendArgs {
    /// The component, a .wasm file; says how deliveries are signed
    pub(crate) plugin: PathBuf,
    /// The trigger, one that is a webhook
    pub(crate) trigger: String,
    /// Where to deliver
    #[arg(long, value_name = "URL")]
    pub(crate) url: Url,
    /// The body, byte for byte
    #[arg(long, value_name = "@FILE|-")]
    pub(crate) body: String,
    /// The secret that signs: in a file, or on standard input
    #[arg(long, value_name = "@FILE|-", conflicts_with = "subscription")]
    pub(crate) secret: Option<String>,
    /// Sign as the service signs for this subscription that is kept here
    #[arg(long, value_name = "NAME")]
    pub(crate) subscription: Option<String>,
    /// The delivery's id [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Another header. Repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Deliver it so many times, with the same id
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) repeat: u32,
    /// Make the delivery wrong, in this way
    #[arg(long, value_enum)]
    pub(crate) tamper: Option<Tamper>,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}
