//! The command line of `harness credential`. The help of a flag documents what it does.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use workflow_node_host::credential::Mode;

use crate::flags::{Network, Report};

#[derive(Subcommand)]
pub(crate) enum CredentialCommand {
    /// Connect an account by giving consent on a page of the service, as an app, or with a secret
    /// that you type
    Connect(Box<ConnectArgs>),
    /// Store a credential whose secrets you type, e.g. an API key
    Add(Box<AddArgs>),
    /// Connect a credential again under the same name. Workflows that use it keep working
    Reconnect(Box<AgainArgs>),
    /// Request more scopes from the service, e.g. for an action that lacks one
    Extend(Box<ExtendArgs>),
    /// List credentials with their status
    List {
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Show a credential, without its secrets
    Show {
        /// Name of the credential
        name: String,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Test a credential with real requests that change nothing
    Test(Box<TestArgs>),
    /// Set the description of a credential
    Describe {
        /// Name of the credential
        name: String,
        /// Purpose of the credential, shown to people
        text: String,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Allow others to use a credential. Nobody can read its secrets
    Share(ShareArgs),
    /// Restrict a credential to its owner
    Unshare {
        /// Name of the credential
        name: String,
        /// Do not prompt for confirmation
        #[arg(long, short)]
        yes: bool,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Set the actions and triggers for which a credential may be used
    #[command(after_help = "Examples:\n  harness credential allow-actions work incident.list \
                            incident.get\n  harness credential allow-actions work --all")]
    AllowActions {
        /// Name of the credential
        name: String,
        /// Names of actions and triggers
        #[arg(required_unless_present = "all")]
        actions: Vec<String>,
        /// Allow all actions and triggers
        #[arg(long, conflicts_with = "actions")]
        all: bool,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Disconnect an account: revoke its tokens if the service supports it, and wipe the stored
    /// secrets
    Disconnect(Box<DisconnectArgs>),
    /// Delete a credential and its name without revoking its tokens at the service
    Remove {
        /// Name of the credential
        name: String,
        /// Do not prompt for confirmation
        #[arg(long, short)]
        yes: bool,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Write credentials to a sealed file for another machine or for backup
    Export(ExportArgs),
    /// Store the credentials from a sealed file
    Import(ImportArgs),
    /// Create a random key for the credential store in a file that only you can read
    #[command(
        after_help = "Example:\n  harness credential key-file ~/.config/workflow-node.key\n  \
                            export WORKFLOW_NODE_KEY_FILE=~/.config/workflow-node.key"
    )]
    KeyFile {
        /// File to create. An existing file is not overwritten
        file: PathBuf,
    },
    /// Change the key of the credential store. The old key no longer opens it
    RotateKey(RotateKeyArgs),
}

impl CredentialCommand {
    pub(crate) fn format(&self) -> Report {
        match self {
            Self::Connect(args) => args.format,
            Self::Add(args) => args.format,
            Self::Reconnect(args) => args.format,
            Self::Extend(args) => args.format,
            Self::List { format }
            | Self::Show { format, .. }
            | Self::Describe { format, .. }
            | Self::Unshare { format, .. }
            | Self::AllowActions { format, .. }
            | Self::Remove { format, .. } => *format,
            Self::Test(args) => args.format,
            Self::Share(args) => args.format,
            Self::Disconnect(args) => args.format,
            Self::Export(args) => args.format,
            Self::Import(args) => args.format,
            Self::RotateKey(args) => args.format,
            Self::KeyFile { .. } => Report::Text,
        }
    }
}

/// Properties of a new credential name.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Name")]
pub(crate) struct Naming {
    /// Purpose of the credential, shown to people
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) description: String,
    /// Who may use it: private (its owner), shared (every workflow that names it), or per-user
    /// (each user connects a separate account under this name)
    #[arg(long, value_name = "MODE", default_value = "private")]
    pub(crate) mode: Mode,
    /// Action or trigger for which it may be used [default: all]. Repeatable
    #[arg(long = "allow-action", value_name = "ACTION")]
    pub(crate) allow_actions: Vec<String>,
}

/// Values for the form of a credential type.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Form")]
pub(crate) struct Form {
    /// Value of a field that is not secret. Write a list as a,b,c or JSON. Repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) field: Vec<String>,
    /// Source of a secret: a file, or `-` for standard input. The command prompts for other
    /// secrets. Repeatable
    #[arg(long, value_name = "NAME=-|@FILE")]
    pub(crate) secret: Vec<String>,
    /// Where the host reads a secret that is kept elsewhere, each time that it is used:
    /// file:/path, env:VARIABLE, or exec:["program","argument"]. Repeatable
    #[arg(long, value_name = "NAME=REFERENCE")]
    pub(crate) secret_reference: Vec<String>,
    /// Source of the app's client secret: a file, or `-` for standard input [env
    /// WORKFLOW_NODE_CLIENT_SECRET contains the secret itself]
    #[arg(long, value_name = "-|@FILE")]
    pub(crate) client_secret: Option<String>,
}

/// Scopes to request.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Scopes")]
pub(crate) struct Rights {
    /// Request read access, or read and write access
    #[arg(long, value_enum, conflicts_with_all = ["scope", "actions"])]
    pub(crate) access: Option<Access>,
    /// Request this scope, by the service's name for it. Repeatable
    #[arg(long, value_name = "SCOPE", conflicts_with = "actions")]
    pub(crate) scope: Vec<String>,
    /// Request only the scopes that these actions and triggers need, e.g.
    /// incident.list,incident.create
    #[arg(long = "for", value_name = "ACTION,…", value_delimiter = ',')]
    pub(crate) actions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Access {
    /// Read only
    Read,
    /// Read and write
    ReadWrite,
}

/// How the browser is opened and how the callback arrives.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Browser")]
pub(crate) struct Browser {
    /// Redirect URI, as registered with the app. Without it, the command listens on a port that it
    /// chooses. With http://127.0.0.1:PORT/PATH, it listens on that port. With any other URI, you
    /// paste the callback URL
    #[arg(long, value_name = "URL")]
    pub(crate) redirect_url: Option<String>,
    /// Do not open a browser; print the URL to open
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Read the callback URL, on which the browser ended, from standard input, e.g. if the browser
    /// is on another machine
    #[arg(long)]
    pub(crate) paste: bool,
    /// Allow a redirect URI with plain http that is not on this machine. Others on the network can
    /// read the authorization code
    #[arg(long)]
    pub(crate) insecure_redirect: bool,
    /// Do not prompt for confirmation before the browser opens
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Accept the connection even if the account or user differs from before
    #[arg(long)]
    pub(crate) other_account: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness credential connect work --plugin node.wasm --type oauth2 --field client_id=ID \\
      --client-secret @secret.txt --for incident.list,incident.create
  harness credential connect ci --plugin node.wasm --type oauth2-app …    an app, without a user
  harness credential connect work … --no-browser --paste                  no browser on this machine

Before the browser opens, the command shows which scopes it requests and for which actions. Secrets
are never read from the command line, because other users can see it and shells store it.")]
pub(crate) struct ConnectArgs {
    /// Permanent name of your choice; workflows refer to it
    pub(crate) name: String,
    /// Component (.wasm file) that uses the credential
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// Credential type; `harness inspect PLUGIN` lists them
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) credential_type: String,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) rights: Rights,
    #[command(flatten)]
    pub(crate) browser: Browser,
    #[command(flatten)]
    pub(crate) naming: Naming,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness credential add work --plugin node.wasm --type api-token --field region=eu
                                                       prompts for the secrets
  harness credential add work … --secret api_token=@token.txt
  pass show token | harness credential add work … --secret api_token=-
  harness credential add work … --secret-reference 'api_token=exec:[\"pass\",\"show\",\"token\"]'
                                                       reads it from there at each use

Secrets are never read from the command line, because other users can see it and shells store it.")]
pub(crate) struct AddArgs {
    /// Permanent name of your choice; workflows refer to it
    pub(crate) name: String,
    /// Component (.wasm file) that uses the credential
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// Credential type; `harness inspect PLUGIN` lists them
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) credential_type: String,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) naming: Naming,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness credential reconnect work --plugin node.wasm\n\nThe \
                        fields, the app's client ID and secret, and the requested scopes are kept \
                        unless you replace them here.")]
pub(crate) struct AgainArgs {
    /// Name of the credential
    pub(crate) name: String,
    /// Component (.wasm file) that uses the credential
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) rights: Rights,
    #[command(flatten)]
    pub(crate) browser: Browser,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness credential extend work --plugin node.wasm --for \
                        incident.create")]
pub(crate) struct ExtendArgs {
    /// Name of the credential
    pub(crate) name: String,
    /// Component (.wasm file) that uses the credential
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// Add the scopes that these actions need
    #[arg(
        long = "for",
        value_name = "ACTION,…",
        value_delimiter = ',',
        required_unless_present = "scope"
    )]
    pub(crate) actions: Vec<String>,
    /// Add this scope, by the service's name for it. Repeatable
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) browser: Browser,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness credential test work --plugin node.wasm")]
pub(crate) struct TestArgs {
    /// Name of the credential
    pub(crate) name: String,
    /// Component (.wasm file) that uses the credential
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness credential share work                every workflow that names it may use it
  harness credential share work --per-user     each user connects a separate account under this name

Consent for one user does not extend to others, so the credential must be connected again.")]
pub(crate) struct ShareArgs {
    /// Name of the credential
    pub(crate) name: String,
    /// Let each user connect a separate account under this name
    #[arg(long)]
    pub(crate) per_user: bool,
    /// Action or trigger for which it may be used [default: unchanged]. Repeatable
    #[arg(long = "allow-action", value_name = "ACTION")]
    pub(crate) allow_actions: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness credential disconnect work --plugin node.wasm\n\nThe \
                        name is kept, so `reconnect` restores everything that refers to it. \
                        `remove` also deletes the name.")]
pub(crate) struct DisconnectArgs {
    /// Name of the credential
    pub(crate) name: String,
    /// Component (.wasm file) that describes how the service revokes tokens
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: Option<PathBuf>,
    /// Do not prompt for confirmation
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// How an exported file is sealed.
#[derive(Args, Clone, Default)]
pub(crate) struct SealArgs {
    /// File with the passphrase of the exported file [default: prompt on a terminal]
    #[arg(long, value_name = "FILE", conflicts_with = "seal_key_file")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Key file, as created by `key-file`, instead of a passphrase
    #[arg(long, value_name = "FILE")]
    pub(crate) seal_key_file: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  harness credential export --to backup.sealed\n  harness \
                        credential export work --to work.sealed --seal-key-file other.key")]
pub(crate) struct ExportArgs {
    /// Names of credentials [default: all]
    pub(crate) names: Vec<String>,
    /// File to create. An existing file is not overwritten
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness credential import work.sealed")]
pub(crate) struct ImportArgs {
    /// File that `export` has written
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct NewKey {
    /// Create a random key in this new file
    #[arg(long, value_name = "FILE")]
    pub(crate) to_key_file: Option<PathBuf>,
    /// Create a random key in the operating system's keyring
    #[arg(long)]
    pub(crate) to_keyring: bool,
    /// Prompt for a passphrase on a terminal
    #[arg(long)]
    pub(crate) to_passphrase: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  harness credential rotate-key --to-key-file \
                        ~/.config/workflow-node-2.key\n  harness credential rotate-key \
                        --to-keyring\n\nEverything is resealed. Back up the new key, and delete \
                        the old one.")]
pub(crate) struct RotateKeyArgs {
    #[command(flatten)]
    pub(crate) new_key: NewKey,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}
