//! `harness new`: writes the project of a new node.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use workflow_node_host::chain;
use workflow_node_testing::scaffold::{Auth, NewNode, ScaffoldError};

use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::output;

#[derive(Args)]
#[command(after_help = "Examples:
  harness new issue-tracker --auth api-token
  harness new code-host --auth oauth2 --webhook --out nodes/code-host

The project builds on its own: the SDK is in its directory `vendor`. `cargo test` runs native tests, and
then `harness check` and `harness test` on the component.")]
pub(crate) struct NewArgs {
    /// Name of the node: lower-case words joined by `-`
    name: String,
    /// How the credential is obtained
    #[arg(long, value_enum)]
    auth: AuthKind,
    /// Add a trigger whose events the service sends to a signed webhook
    #[arg(long)]
    webhook: bool,
    /// Directory of the project, which must not exist or be empty [default: the name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

/// Kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AuthKind {
    /// A token or key that the user enters
    ApiToken,
    /// OAuth 2.0 with the consent of a user
    Oauth2,
    /// OAuth 2.0 client credentials: an app without a user
    ClientCredentials,
    /// No credential
    None,
}

impl From<AuthKind> for Auth {
    fn from(kind: AuthKind) -> Self {
        match kind {
            AuthKind::ApiToken => Self::ApiToken,
            AuthKind::Oauth2 => Self::Oauth2,
            AuthKind::ClientCredentials => Self::ClientCredentials,
            AuthKind::None => Self::None,
        }
    }
}

pub(crate) fn run(args: &NewArgs) -> Result<Exit, Failure> {
    let failed = |error: ScaffoldError| Failure::input("new", chain(&error));
    let node = NewNode::new(&args.name, args.auth.into(), args.webhook).map_err(failed)?;
    let directory = args.out.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    node.write(&directory).map_err(failed)?;
    match args.format {
        Report::Json => output::stdout_report(&json!({
            "node": node.name,
            "directory": directory,
            "auth": node.auth.as_str(),
            "webhook": node.webhook,
        }))?,
        Report::Text => output::stdout(&format!(
            "Created the node `{}`. Next:\n\n  cd {}\n  rustup target add wasm32-wasip2\n  cargo test\n",
            node.name,
            shell(&directory.display().to_string())
        ))?,
    }
    Ok(Exit::Success)
}
