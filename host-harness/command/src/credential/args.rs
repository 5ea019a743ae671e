//! The command line of `harness credential`. What a flag does stands in its help, for the one who
//! types it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use workflow_node_host::credential::Mode;

use crate::cli::{Network, Report};

#[derive(Subcommand)]
pub(crate) enum CredentialCommand {
    /// Connect an account: by a page of the service, or with a key that you type in
    Connect(Box<ConnectArgs>),
    /// Store a credential whose secrets you type in, e.g. an API key
    Add(Box<AddArgs>),
    /// Connect a credential again, under its name: workflows that name it go on
    Reconnect(Box<AgainArgs>),
    /// Ask the service for more rights, e.g. for an action that lacks one
    Extend(Box<ExtendArgs>),
    /// List the credentials, and whether they work
    List {
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Show a credential, without its secrets
    Show {
        /// The credential's name
        name: String,
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Prove a credential with real requests that change nothing
    Test(Box<TestArgs>),
    /// Change the description of a credential
    Describe {
        /// The credential's name
        name: String,
        /// What it is for; people read it
        text: String,
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Let others use a credential; nobody can read it
    Share(ShareArgs),
    /// Keep a credential for its owner alone
    Unshare {
        /// The credential's name
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Say for which actions and triggers a credential may be used
    #[command(after_help = "Examples:\n  harness credential allow-actions work incident.list \
                            incident.get\n  harness credential allow-actions work --all")]
    AllowActions {
        /// The credential's name
        name: String,
        /// Names of actions and triggers
        #[arg(required_unless_present = "all")]
        actions: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with = "actions")]
        all: bool,
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// End the access: at the service, where that can be done from here, and always here
    Disconnect(Box<DisconnectArgs>),
    /// Forget a credential and its name, without telling the service
    Remove {
        /// The credential's name
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Report,
    },
    /// Write credentials to a sealed file, for another machine or a safe place
    Export(ExportArgs),
    /// Store what a sealed file holds
    Import(ImportArgs),
    /// Make a new random key for the credential store, in a file for you alone
    #[command(
        after_help = "Example:\n  harness credential key-file ~/.config/workflow-node.key\n  \
                            export WORKFLOW_NODE_KEY_FILE=~/.config/workflow-node.key"
    )]
    KeyFile {
        /// The file; one that is there is left as it is
        file: PathBuf,
    },
    /// Give the credential store another key; the old one opens it no longer
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

/// What the name gets when it is made.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "The name")]
pub(crate) struct Naming {
    /// What it is for; people read it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) description: String,
    /// Who may use it: private (its owner), shared (every workflow that names it), or per-user
    /// (everybody connects their own under this name)
    #[arg(long, value_name = "MODE", default_value = "private")]
    pub(crate) mode: Mode,
    /// An action or a trigger that it may be used for [default: all]. Repeatable
    #[arg(long = "allow-action", value_name = "ACTION")]
    pub(crate) allow_actions: Vec<String>,
}

/// What is filled in.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "The form")]
pub(crate) struct Form {
    /// A field that is no secret; lists as a,b,c or JSON. Repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) field: Vec<String>,
    /// Where a secret is read from: `-` is standard input. What is not named is asked for.
    /// Repeatable
    #[arg(long, value_name = "NAME=-|@FILE")]
    pub(crate) secret: Vec<String>,
    /// Where the app's client secret is read from [env WORKFLOW_NODE_CLIENT_SECRET holds it itself]
    #[arg(long, value_name = "-|@FILE")]
    pub(crate) client_secret: Option<String>,
}

/// Which rights are asked for.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Rights")]
pub(crate) struct Rights {
    /// Ask to read, or to read and change
    #[arg(long, value_enum, conflicts_with_all = ["scope", "actions"])]
    pub(crate) access: Option<Access>,
    /// Ask for this right, by the service's name. Repeatable
    #[arg(long, value_name = "SCOPE", conflicts_with = "actions")]
    pub(crate) scope: Vec<String>,
    /// Ask for just what these actions and triggers need, e.g. incident.list,incident.create
    #[arg(long = "for", value_name = "ACTION,…", value_delimiter = ',')]
    pub(crate) actions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Access {
    /// Read only
    Read,
    /// Read and change
    ReadWrite,
}

/// How the browser is sent out and comes back.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "The browser")]
pub(crate) struct Browser {
    /// Where the service sends you back to, as registered with the app. Without it this machine
    /// listens at a port that it chooses; http://127.0.0.1:PORT/PATH listens at that one; anything
    /// else is pasted
    #[arg(long, value_name = "URL")]
    pub(crate) redirect_url: Option<String>,
    /// Do not open a browser; the address to open is shown
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Read the address that the browser ended on from standard input, e.g. from a machine that
    /// has a browser
    #[arg(long)]
    pub(crate) paste: bool,
    /// Allow a redirect URL of plain http that is not this machine's own: others on the way can
    /// read the code
    #[arg(long)]
    pub(crate) insecure_redirect: bool,
    /// Do not ask before the browser opens
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Keep it, even if it is another account or user than before
    #[arg(long)]
    pub(crate) other_account: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness credential connect work --plugin node.wasm --type oauth2 --field client_id=ID \\
      --client-secret @secret.txt --for incident.list,incident.create
  harness credential connect ci --plugin node.wasm --type oauth2-app …    an app, without a person
  harness credential connect work … --no-browser --paste                  no browser on this machine

Before the browser opens you see which rights are asked for, and for which actions. A secret never
stands on the command line: other users see it there, and shells keep it.")]
pub(crate) struct ConnectArgs {
    /// A name of your choice, for good; workflows use it
    pub(crate) name: String,
    /// The component that it is for, a .wasm file
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// The credential type; `harness inspect PLUGIN` lists them
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) credential_type: String,
    /// How to print
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
                                                       asks for the secrets
  harness credential add work … --secret api_token=@token.txt
  pass show token | harness credential add work … --secret api_token=-

A secret never stands on the command line: other users see it there, and shells keep it.")]
pub(crate) struct AddArgs {
    /// A name of your choice, for good; workflows use it
    pub(crate) name: String,
    /// The component that it is for, a .wasm file
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// The credential type; `harness inspect PLUGIN` lists them
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) credential_type: String,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) naming: Naming,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness credential reconnect work --plugin node.wasm\n\n\
                        Its fields, the app's client id and secret, and what was asked for stay; \
                        what you give here replaces them.")]
pub(crate) struct AgainArgs {
    /// The credential's name
    pub(crate) name: String,
    /// The component that it is for, a .wasm file
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// How to print
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
    /// The credential's name
    pub(crate) name: String,
    /// The component that it is for, a .wasm file
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// Add what these actions need
    #[arg(
        long = "for",
        value_name = "ACTION,…",
        value_delimiter = ',',
        required_unless_present = "scope"
    )]
    pub(crate) actions: Vec<String>,
    /// Add this right, by the service's name. Repeatable
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,
    /// How to print
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
    /// The credential's name
    pub(crate) name: String,
    /// The component that it is for, a .wasm file
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness credential share work                every workflow that names it may use it
  harness credential share work --per-user     everybody connects their own account under this name

What was agreed to for one does not hold for many: the credential has to be connected again.")]
pub(crate) struct ShareArgs {
    /// The credential's name
    pub(crate) name: String,
    /// Everybody connects their own under this name
    #[arg(long)]
    pub(crate) per_user: bool,
    /// An action or a trigger that it may be used for [default: as before]. Repeatable
    #[arg(long = "allow-action", value_name = "ACTION")]
    pub(crate) allow_actions: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness credential disconnect work --plugin node.wasm\n\nThe \
                        name stays, so that `reconnect` revives what refers to it; `remove` \
                        forgets the name, too.")]
pub(crate) struct DisconnectArgs {
    /// The credential's name
    pub(crate) name: String,
    /// The component that it is for: it describes how the service takes tokens back
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: Option<PathBuf>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// What seals an exported file.
#[derive(Args, Clone, Default)]
pub(crate) struct SealArgs {
    /// The exported file's passphrase is read from this file [default: a terminal is asked]
    #[arg(long, value_name = "FILE", conflicts_with = "seal_key_file")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// A key instead of a passphrase, in a file as `key-file` makes them
    #[arg(long, value_name = "FILE")]
    pub(crate) seal_key_file: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  harness credential export --to backup.sealed\n  harness \
                        credential export work --to work.sealed --seal-key-file other.key")]
pub(crate) struct ExportArgs {
    /// Which ones [default: all]
    pub(crate) names: Vec<String>,
    /// The file to write; one that is there is left as it is
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[command(after_help = "Example:\n  harness credential import work.sealed")]
pub(crate) struct ImportArgs {
    /// The file that `export` has written
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct NewKey {
    /// A new random key, in this new file
    #[arg(long, value_name = "FILE")]
    pub(crate) to_key_file: Option<PathBuf>,
    /// A new random key, in the operating system's keyring
    #[arg(long)]
    pub(crate) to_keyring: bool,
    /// A passphrase that a terminal is asked for
    #[arg(long)]
    pub(crate) to_passphrase: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  harness credential rotate-key --to-key-file \
                        ~/.config/workflow-node-2.key\n  harness credential rotate-key \
                        --to-keyring\n\nEverything is sealed anew. Back up the new key, and throw \
                        the old one away.")]
pub(crate) struct RotateKeyArgs {
    #[command(flatten)]
    pub(crate) new_key: NewKey,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}
