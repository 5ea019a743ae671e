//! Options that several commands have: where data is, how they print, and how they send.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use workflow_node_host::OriginPattern;
use workflow_node_host::transport::ConnectTo;

use crate::values::RateLimit;

/// How `run` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One array with one element per item
    Json,
    /// One line per record as it arrives, and a status line per item
    Jsonl,
}

/// How the other commands print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// For people
    #[default]
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

/// Options of commands that send requests.
#[derive(Args, Default)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// Connect to the second origin when a request names the first, e.g.
    /// https://api.example.com=https://127.0.0.1:8443. The URL, the Host header, and the
    /// certificate stay those of the first. Repeatable
    #[arg(long, value_name = "ORIGIN=ORIGIN")]
    pub(crate) connect_to: Vec<ConnectTo>,

    /// Also trust the certificate authorities in this file (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Send requests through this HTTP proxy, e.g. http://proxy.example.com:3128. Environment
    /// variables do not set a proxy. The URL may contain a user name and a password, but other
    /// users of this machine can see them
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,

    /// User name and password for the proxy: a file that contains USER:PASSWORD, or `ask` for a
    /// prompt
    #[arg(long, value_name = "@FILE|ask", requires = "proxy")]
    pub(crate) proxy_credentials: Option<String>,

    /// Allow only these of the approved origins, e.g. https://*.example.com. Repeatable
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow: Vec<OriginPattern>,

    /// Rate limit for requests instead of the one that the credential type declares, e.g. 100/60,
    /// or `none`
    #[arg(long, value_name = "REQUESTS/SECONDS")]
    pub(crate) rate_limit: Option<RateLimit>,
}

/// Options of all commands.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Common {
    /// Directory for approvals, credentials, and subscriptions [default: the user's data directory;
    /// env WORKFLOW_NODE_DATA]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Approvals file, e.g. one under version control [default: approvals.json in the data
    /// directory; env WORKFLOW_NODE_APPROVALS]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) approvals: Option<PathBuf>,

    /// File with the key of the credential store [env WORKFLOW_NODE_KEY_FILE, or the key itself in
    /// WORKFLOW_NODE_KEY]. Without a key, the command looks in the operating system's keyring and
    /// then prompts for a passphrase
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// Where to read the key of the credential store, if it is kept elsewhere: file:/path,
    /// env:VARIABLE, or exec:["program","argument"] [env WORKFLOW_NODE_KEY_REFERENCE]
    #[arg(long, global = true, value_name = "REFERENCE", conflicts_with = "key_file")]
    pub(crate) key_reference: Option<String>,

    /// Store the key of a new credential store in the operating system's keyring
    #[arg(long, global = true, conflicts_with_all = ["key_file", "key_reference"])]
    pub(crate) keyring: bool,

    /// Act as this user of an engine, with the private credentials and the per-user connections of
    /// that user [default: the local user, who administers the store]
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) acting: Option<String>,

    /// Act in this tenant of an engine. Data of other tenants is neither visible nor used [default:
    /// the default tenant; env WORKFLOW_NODE_TENANT]
    #[arg(long, global = true, value_name = "TENANT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) tenant: Option<String>,

    /// For development: automatically approve rebuilds that request no new permissions
    #[arg(long, global = true)]
    pub(crate) development: bool,

    /// Where plugins run: in worker processes that hold no credentials, or in this process, which
    /// is less secure [default: process where the system supports it; env WORKFLOW_NODE_ISOLATION]
    #[arg(long, global = true, value_name = "MODE", value_enum)]
    pub(crate) isolation: Option<IsolationMode>,

    /// Print more details on standard error; -vv and -vvv print even more
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
