//! The command line of packages.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use workflow_node_testing::package::PublicKey;

use crate::flags::Report;

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  harness package key new author.key                  once; keep the file secret
  harness package node.wasm --key author.key          writes NODE-VERSION.node.tar.gz
  harness verify NODE-VERSION.node.tar.gz             what operators do before they approve it
  harness package push NODE-VERSION.node.tar.gz registry.example.com/nodes/lamp:1
  harness package pull registry.example.com/nodes/lamp@sha256:…

A package is one file with the component, its description and schemas, reference pages, the report of
`harness check`, a bill of materials, and checksums, signed with the author's key. Operators who approve a
package of a node for the first time pin this key: later packages must be signed with the same key.
The same input gives the same bytes.

Exit codes:
  0  written      1  a check failed, nothing was written      2  invalid arguments
  4  a component or package was refused"
)]
pub(crate) struct PackageArgs {
    #[command(subcommand)]
    pub(super) command: Option<PackageCommand>,
    #[command(flatten)]
    pub(super) write: WriteArgs,
}

impl PackageArgs {
    pub(crate) fn format(&self) -> Report {
        match &self.command {
            None => self.write.format,
            Some(PackageCommand::Key(KeyCommand::New(args) | KeyCommand::Show(args))) => {
                args.format
            }
            Some(PackageCommand::Push(args)) => args.format,
            Some(PackageCommand::Pull(args)) => args.format,
        }
    }
}

#[derive(Args)]
pub(super) struct WriteArgs {
    /// Component (.wasm file)
    #[arg(required = true)]
    pub(super) plugin: Option<PathBuf>,
    /// File with the author's private key
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) key: Option<PathBuf>,
    /// File to write [default: NODE-VERSION.node.tar.gz]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Bill of materials (CycloneDX, JSON) that another tool has written, e.g. `npm sbom`
    #[arg(long, value_name = "FILE", conflicts_with = "manifest_path")]
    pub(super) sbom: Option<PathBuf>,
    /// Manifest of the Cargo project that builds the component, from which the bill of materials is
    /// made [default: the nearest Cargo.toml above the component]
    #[arg(long, value_name = "FILE")]
    pub(super) manifest_path: Option<PathBuf>,
    /// Package the component although checks fail. The package says so
    #[arg(long)]
    pub(super) allow_failed_checks: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Report,
}

#[derive(Subcommand)]
pub(super) enum PackageCommand {
    /// Create the key that signs your packages, and show its public key
    #[command(subcommand)]
    Key(KeyCommand),
    /// Store a package in an OCI registry, under a tag
    #[command(after_help = "Example:
  harness package push lamp-1.node.tar.gz registry.example.com/nodes/lamp:1 \\
    --registry-credentials ask

Prints the name with the digest, which always means the same package. A tag can be moved.")]
    Push(PushArgs),
    /// Fetch a package from an OCI registry, by its digest or by a tag, and verify it
    #[command(after_help = "Example:
  harness package pull registry.example.com/nodes/lamp@sha256:… --out lamp.node.tar.gz")]
    Pull(PullArgs),
}

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Create a key. An existing file is never overwritten
    #[command(after_help = "Example:\n  harness package key new author.key")]
    New(KeyArgs),
    /// Show the public key of a key, to publish it beside your packages
    #[command(after_help = "Example:\n  harness package key show author.key")]
    Show(KeyArgs),
}

#[derive(Args)]
pub(super) struct KeyArgs {
    /// File of the key (PKCS #8 in PEM, readable only by you)
    pub(super) file: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Report,
}

#[derive(Args)]
pub(super) struct PushArgs {
    /// Package
    pub(super) file: PathBuf,
    /// Where to store it: registry/repository:tag
    pub(super) name: String,
    #[command(flatten)]
    pub(super) registry: RegistryArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Report,
}

#[derive(Args)]
pub(super) struct PullArgs {
    /// What to fetch: registry/repository@sha256:…, or registry/repository:tag
    pub(super) name: String,
    /// File to write [default: NODE-VERSION.node.tar.gz]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) registry: RegistryArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Report,
}

#[derive(Args)]
#[command(next_help_heading = "Registry")]
pub(super) struct RegistryArgs {
    /// User name and password of the registry: a file that contains USER:PASSWORD, or `ask` for a
    /// prompt
    #[arg(long, value_name = "@FILE|ask")]
    pub(super) registry_credentials: Option<String>,
    /// Also trust the certificate authorities in this file (PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Connect without TLS. Only for a registry on this machine
    #[arg(long)]
    pub(super) plain_http: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  harness verify lamp-1.node.tar.gz
  harness verify lamp-1.node.tar.gz --signed-by ed25519:…     in CI, with the key that the author publishes

Nothing in the package was changed after it was signed, its documents are what the component describes, and
the key is the one that you have pinned for the node, if you have. The checks are as the author ran them; to
run them again: harness check PACKAGE

Exit codes:
  0  verified      2  invalid arguments      4  the package is refused")]
pub(crate) struct VerifyArgs {
    /// Package
    pub(super) file: PathBuf,
    /// Require that it is signed with this public key
    #[arg(long, value_name = "KEY")]
    pub(super) signed_by: Option<PublicKey>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

/// Whose package is approved.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Signatures")]
pub(crate) struct SignerArgs {
    /// Accept packages that are signed with this public key from now on, instead of the pinned one.
    /// Make sure that it is the author's, by another way than the one on which you got the package
    #[arg(long, value_name = "KEY", help_heading = "Signatures")]
    pub(crate) new_key: Option<PublicKey>,
    /// Approve a component that nobody has signed, although packages of its node are signed
    #[arg(long, conflicts_with = "new_key", help_heading = "Signatures")]
    pub(crate) unsigned: bool,
}
