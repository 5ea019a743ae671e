//! `harness replay`: an execution from its journal, without a network.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use clap::Args;
use workflow_node_host::journal::Recording;
use workflow_node_host::{
    Exchange, GuestCall, HostCall, ItemError, LogLevel, Observer, OutputRecord, Plugin, Replay,
};

use workflow_node_testing::trace;

use crate::exit::{Exit, Failure};
use crate::flags::{Format, Network};
use crate::har::Archive;
use crate::installed::Installed;
use crate::output::{self, ItemLine, JsonLines, RecordLine};
use crate::run::journal::{JournalFile, KeyArgs, Recorded};
use crate::run::{print, verdict};
use crate::setup::Setup;
use crate::store::LateStore;

#[derive(Args)]
#[command(after_help = "Examples:
  harness run node.wasm incident.create --credential work … --journal run.journal
  harness replay run.journal --plugin node.wasm      prints the same result; sends nothing
  harness replay run.journal --show                  prints what the journal holds
  harness replay journals/ --execution-id night-7 --plugin node.wasm

Exit codes are those of `run`. If the plugin behaves differently than recorded, the error
`diverged` names the first difference.")]
pub(crate) struct ReplayArgs {
    /// Journal file, or a directory of journals
    #[arg(value_name = "JOURNAL")]
    journal: PathBuf,
    /// Component (.wasm file): the build that was recorded [default: that build, if it is installed]
    #[arg(long, value_name = "PLUGIN")]
    plugin: Option<PathBuf>,
    /// Execution ID, to choose a journal of a directory
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    execution_id: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
    /// Print the journal as JSON instead of running the plugin: the call, requests, responses, and
    /// their order, without the secrets behind handles
    #[arg(long, conflicts_with_all = ["plugin", "trace"])]
    show: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Write the recorded requests and responses to an HTTP Archive file
    #[arg(long, value_name = "FILE.har")]
    trace: Option<PathBuf>,
}

pub(crate) async fn run(setup: &Setup, args: ReplayArgs) -> Result<Exit, Failure> {
    let store = LateStore::default();
    if !args.journal.exists() {
        let message = format!("Journal {} not found", args.journal.display());
        return Err(
            Failure::input("journal", message).next("record one with harness run … --journal FILE")
        );
    }
    let journal = JournalFile::at(&args.journal, args.key.key(setup, &store)?);
    let recorded = journal.recorded(&setup.principal, args.execution_id.as_deref()).await?;
    let Some(Recorded { recording, .. }) = recorded else {
        let message = match &args.execution_id {
            Some(id) => format!("Execution `{id}` has no journal, or never began"),
            None => "The journal ends before the execution began, so there is nothing to replay"
                .to_owned(),
        };
        return Err(Failure::input("journal", message));
    };
    if args.show {
        output::stdout_report(&recording.to_json())?;
        return Ok(Exit::Success);
    }
    let path = match &args.plugin {
        Some(path) => path.clone(),
        None => installed(setup, &recording.plugin().to_string())?,
    };
    let plugin_name = path.display().to_string();
    // It has no store and sends nothing: all answers are in the journal.
    let metered = setup.metered(args.trace.is_some());
    let host = metered.host(&Network::default(), None)?;
    let plugin = setup.load_with(&host, &path).await?;
    let archive = args.trace.as_deref().map(Archive::create).transpose()?;
    let observer = Arc::new(Lines::default());
    let replayed = plugin.replay(&recording, observer.clone()).await;
    let archived =
        archive.map(|archive| archive.write(&traced(&plugin, &recording, &observer))).transpose();
    let mut replay = replayed.map_err(|error| Failure::of(&error, &plugin_name))?;
    match args.format {
        Format::Jsonl => observer.take()?.write()?,
        format => print(format, &plugin, &recording.execution().action, &replay.outcome)?,
    }
    archived?;
    if args.format == Format::Text {
        output::stderr(&summary(&plugin, &replay, recording.is_stream()));
    } else if !replay.is_complete {
        output::warning("incomplete", INCOMPLETE, args.format);
    }
    if let Some(error) = replay.outcome.stopped.take() {
        return Err(Failure::of(&error, &plugin_name));
    }
    verdict(args.format, &replay.outcome, None)
}

fn traced(plugin: &Plugin, recording: &Recording, observer: &Lines) -> serde_json::Value {
    let node = &plugin.description().node;
    let run = trace::Run {
        node: format!("{} {}", node.name, node.version),
        plugin: plugin.digest().to_string(),
        action: recording.execution().action,
        ..trace::Run::default()
    };
    trace::archive(&run, &observer.exchanges(), (&[], 0), &observer.host_calls())
}

const INCOMPLETE: &str = "The journal ends before the execution did. Items that had not finished are \
                          reported as canceled";

fn summary(plugin: &Plugin, replay: &Replay, streamed: bool) -> String {
    let items = output::count(replay.outcome.items.len(), "item");
    let mut text = format!(
        "Replayed {items} of {} offline; the plugin did exactly what was recorded.\n",
        plugin.description().node.name
    );
    if !replay.is_complete {
        text.push_str(&format!("{INCOMPLETE}.\n"));
        if !streamed {
            text.push_str("To continue it: repeat the run with --resume.\n");
        }
    }
    text
}

/// The installed build with this digest.
fn installed(setup: &Setup, digest: &str) -> Result<PathBuf, Failure> {
    let plugins = Installed::new(&setup.data).plugins()?;
    let of_name = plugins
        .iter()
        .find(|(_, builds)| builds.builds.iter().any(|build| build.digest.to_string() == digest));
    match of_name {
        Some((name, _)) => Ok(PathBuf::from(format!("{name}@{digest}"))),
        None => {
            let message = format!("The journal is of the build {digest}, which is not installed");
            Err(Failure::input("plugin", message)
                .next("add --plugin FILE; harness inspect FILE shows a file's digest"))
        }
    }
}

/// Keeps the lines of `--format jsonl` in the order in which the guest causes them, and exchanges.
#[derive(Default)]
struct Lines(Mutex<State>);

#[derive(Default)]
struct State {
    lines: JsonLines,
    records: std::collections::BTreeMap<u32, u64>,
    exchanges: Vec<Exchange>,
    host_calls: trace::HostCalls,
    failed: Option<Failure>,
}

impl Lines {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.state().exchanges)
    }

    fn host_calls(&self) -> trace::HostCalls {
        std::mem::take(&mut self.state().host_calls)
    }

    /// Takes the lines.
    fn take(&self) -> Result<JsonLines, Failure> {
        let mut state = self.state();
        match state.failed.take() {
            Some(failure) => Err(failure),
            None => Ok(std::mem::take(&mut state.lines)),
        }
    }
}

impl State {
    fn push(&mut self, line: &impl serde::Serialize) {
        if let Err(failure) = self.lines.push(line) {
            self.failed.get_or_insert(failure);
        }
    }
}

#[async_trait]
impl Observer for Lines {
    async fn output(&self, item: u32, records: &[OutputRecord]) {
        let mut state = self.state();
        *state.records.entry(item).or_default() += records.len() as u64;
        for record in records {
            state.push(&RecordLine::new(item, record));
        }
    }

    async fn item_finished(&self, item: u32, error: Option<&ItemError>) {
        let mut state = self.state();
        let records = state.records.remove(&item).unwrap_or_default();
        state.push(&ItemLine::new(item, error, records));
    }

    fn log(&self, _level: LogLevel, message: &str, fields: &str) {
        tracing::info!(target: "workflow_node::guest", fields, "{message}");
    }

    fn exchange(&self, exchange: &Exchange) {
        self.state().exchanges.push(exchange.clone());
    }

    fn host_call(&self, call: &HostCall) {
        self.state().host_calls.add(call);
    }

    fn guest_call(&self, call: &GuestCall) {
        self.state().host_calls.end(call);
    }
}
