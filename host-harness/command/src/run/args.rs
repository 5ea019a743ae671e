//! The options of `harness run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::journal::JournalArgs;
use crate::flags::{Format, Network};
use crate::values::duration;

#[derive(Args)]
#[command(after_help = "Examples:
  harness run node.wasm service.list --credential work
  harness run node.wasm incident.get --credential work --parameters '{\"incident_id\":\"Q1\"}'
  harness run node.wasm incident.create --credential work --parameters @shared.json --items @items.jsonl
  printf '[{\"id\":\"A\"},{\"id\":\"B\"}]' | harness run node.wasm user.get --items - --format jsonl
  harness run node.wasm incident.create … --dry-run           shows requests, sends nothing
  harness run node.wasm incident.create … --execution-id 42   safe to repeat with the same ID
  harness run node.wasm service.list … --trace run.har        records requests and responses
  harness run node.wasm service.list … --fault rate-limit     shows what a fault does
  harness run node.wasm incident.create … --journal run.journal            can be replayed
  harness run node.wasm incident.create … --journal run.journal --resume   continues after a crash")]
pub(crate) struct RunArgs {
    /// Component (.wasm file)
    pub(crate) plugin: PathBuf,
    /// Action to run; `harness inspect PLUGIN` lists them
    pub(crate) action: String,
    /// Version of the action that a workflow was built with. The run fails before anything is sent
    /// if the plugin has another version
    #[arg(long, value_name = "N")]
    pub(crate) action_version: Option<u32>,
    /// Parameters for every item: a JSON object, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) parameters: Option<String>,
    /// Items: a JSON array or JSON Lines, one item per element or line. The members of an item
    /// override --parameters. `-` reads standard input
    #[arg(long, value_name = "@FILE|-")]
    pub(crate) items: Option<String>,
    /// Name of a stored credential. Its type determines the slot unless you name one. Repeatable
    #[arg(long, value_name = "[SLOT=]NAME")]
    pub(crate) credential: Vec<String>,
    /// Continue with the other items if an item fails
    #[arg(long)]
    pub(crate) continue_on_fail: bool,
    /// Maximum number of items to process concurrently
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) concurrency: Option<u16>,
    /// Time limit for the whole run, e.g. 30s or 5m [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Execution ID. Repeating a run with the same ID and items has no further effect for actions
    /// that use an idempotency key
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) execution_id: Option<String>,
    /// Check everything and show the requests without sending them
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Write requests and responses, without credentials, to an HTTP Archive file, with each call of
    /// the host and the fuel and memory of the guest. The guest runs slower
    #[arg(long, value_name = "FILE.har")]
    pub(crate) trace: Option<PathBuf>,
    /// Spoil requests: the name of a fault, which spoils the first request, or a file. Repeatable
    #[arg(long, value_name = "NAME|FILE", help_heading = "Faults", conflicts_with = "dry_run")]
    pub(crate) fault: Vec<String>,
    /// Seed that chooses the requests which a plan with `chance` spoils
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Faults")]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    #[command(flatten)]
    pub(crate) network: Network,
}
