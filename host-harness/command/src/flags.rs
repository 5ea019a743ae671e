//! Options that several commands have: how they print, and how they send.

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
