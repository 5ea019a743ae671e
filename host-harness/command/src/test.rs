//! `harness test`: runs the cases of a directory, offline unless they are recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use workflow_node_host::credential::{ConnectionKey, CredentialStore, Mode};
use workflow_node_host::{FileApprovals, Secret};
use workflow_node_testing::case::{
    self, Bench, Case, CaseResult, EXAMPLE, Live, Options, SCHEMA, Status, Suite,
};
use workflow_node_testing::fault::{self, Plan};

use crate::exit::{Exit, Failure, shell};
use crate::flags::{Format, Network};
use crate::hosts::{cache, transport};
use crate::installed::Installed;
use crate::output;
use crate::setup::Setup;
use crate::slots;
use crate::store::LateStore;

#[derive(Args)]
#[command(after_help = "Examples:
  harness test --example > cases/create.toml          a case to begin with
  harness test node.wasm cases --record --credential work
  harness test node.wasm cases                        offline, against the recordings
  harness test node.wasm cases --update               accepts changed results
  harness test node.wasm cases --report report.html --report junit.xml
  harness test node.wasm cases --fault all            each fault at each request
  harness test node.wasm cases --fault rate-limit --case incident/create

Exit codes: 0 all cases passed, 1 a case failed, 2 a file is wrong.")]
pub(crate) struct TestArgs {
    /// Component (.wasm file)
    #[arg(required_unless_present_any = ["schema", "fault_schema", "example"])]
    plugin: Option<PathBuf>,
    /// Directory with the cases
    #[arg(default_value = "cases")]
    directory: PathBuf,
    /// Run only cases whose name contains this text
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Run against the service and record its answers, without secrets. Only runs that meet their
    /// expectations and replay are recorded
    #[arg(long, conflicts_with_all = ["fault", "update"], help_heading = "Recording")]
    record: bool,
    /// Name of a stored credential, for --record. Its type determines the slot unless you name one.
    /// Repeatable
    #[arg(long, value_name = "[SLOT=]NAME", requires = "record", help_heading = "Recording")]
    credential: Vec<String>,
    /// Write snapshots that are missing or differ
    #[arg(long, conflicts_with = "fault")]
    update: bool,
    /// Inject faults into requests and judge the result: the name of a fault, `all`, or a file. Repeatable
    #[arg(long, value_name = "NAME|all|FILE", help_heading = "Faults")]
    fault: Vec<String>,
    /// Seed that chooses the requests which a plan with `chance` spoils
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Faults")]
    seed: u64,
    /// Spoil only this request of each case, counted from 0 [default: each of them, one after the
    /// other]
    #[arg(long, value_name = "N", requires = "fault", help_heading = "Faults")]
    at: Option<u64>,
    /// Also write a report to this file: .json, .xml (JUnit), or .html. Repeatable
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
    /// Print the JSON Schema of a case
    #[arg(long, exclusive = true)]
    schema: bool,
    /// Print the JSON Schema of a plan of faults
    #[arg(long, exclusive = true)]
    fault_schema: bool,
    /// Print a case that shows what a case can say
    #[arg(long, exclusive = true)]
    example: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: TestFormat,
    #[command(flatten)]
    network: Network,
}

/// How the results are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For CI systems
    Junit,
    /// One page for people
    Html,
}

impl TestArgs {
    pub(crate) fn format(&self) -> Format {
        match self.format {
            TestFormat::Text => Format::Text,
            _ => Format::Json,
        }
    }
}

pub(crate) async fn run(setup: &Setup, args: TestArgs) -> Result<Exit, Failure> {
    for (wanted, text) in
        [(args.schema, SCHEMA), (args.fault_schema, fault::SCHEMA), (args.example, EXAMPLE)]
    {
        if wanted {
            return output::stdout(text).map(|()| Exit::Success);
        }
    }
    let plugin = args.plugin.as_deref().unwrap_or(Path::new(""));
    let bench = Bench {
        component: Installed::new(&setup.data).file(plugin)?,
        isolation: setup.isolation.clone(),
        cache: cache(),
    };
    let reports = args.report.iter().map(|path| Ok((path, report_format(path)?)));
    let reports: Vec<_> = reports.collect::<Result<_, Failure>>()?;
    let options = Options {
        filter: args.case.clone(),
        update: args.update,
        faults: plans(&args)?,
        every_request: args.at.is_none() && args.fault.iter().all(|name| !is_file(name)),
    };
    let suite = Suite::read(bench, &args.directory, options);
    let suite = suite.map_err(|error| Failure::file(&error))?;
    let store = LateStore::default();
    let live = match args.record {
        true => Some(live(setup, &args, &suite, &store).await?),
        false => None,
    };
    let is_text = args.format == TestFormat::Text;
    let (mut printed, mut ran) = (Ok(()), 0);
    let report = suite.run(live.as_ref(), |result| {
        ran += 1;
        if is_text && printed.is_ok() {
            printed = output::stdout(&line(result, plugin, &args));
        }
    });
    let report =
        report.await.map_err(|error| Failure::of(&error, &plugin.display().to_string()))?;
    printed?;
    let render = |format| case::render(&report, format).map_err(Failure::internal);
    for (path, format) in reports {
        std::fs::write(path, render(format)?).map_err(|error| {
            Failure::internal(format!("Cannot write report {}: {error}", path.display()))
        })?;
    }
    match args.format {
        TestFormat::Text => {
            let word = if args.fault.is_empty() { "case" } else { "run" };
            let all = output::count(ran, word);
            let mut text = format!("\n{all}, {} failed", report.failed);
            text.push_str(&format!(" · covered: {}\n", report.coverage.in_words()));
            output::stdout(&text)?;
        }
        TestFormat::Json => output::stdout(&render(case::Format::Json)?)?,
        TestFormat::Junit => output::stdout(&render(case::Format::Junit)?)?,
        TestFormat::Html => output::stdout(&render(case::Format::Html)?)?,
    }
    Ok(if report.failed == 0 { Exit::Success } else { Exit::Failed })
}

fn report_format(path: &Path) -> Result<case::Format, Failure> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(case::Format::Json),
        Some("xml") => Ok(case::Format::Junit),
        Some("html") => Ok(case::Format::Html),
        _ => {
            let message = format!("{} has no suffix of a report", path.display());
            Err(Failure::input("report", message).next("use .json, .xml (JUnit), or .html"))
        }
    }
}

fn is_file(name: &str) -> bool {
    name.contains(['.', '/', '\\'])
}

/// The faults that are named on the command line.
fn plans(args: &TestArgs) -> Result<Vec<Plan>, Failure> {
    let after = args.at.unwrap_or(0);
    let mut plans = Vec::new();
    for name in &args.fault {
        plans.extend(plans_of(name, args.seed, after)?);
    }
    Ok(plans)
}

/// The faults behind a name: a file, `all`, or one fault.
pub(crate) fn plans_of(name: &str, seed: u64, after: u64) -> Result<Vec<Plan>, Failure> {
    if is_file(name) {
        let plan = Plan::read(Path::new(name), seed).map_err(|error| Failure::file(&error))?;
        return Ok(vec![plan]);
    }
    let known = fault::builtin();
    let named: Vec<Plan> = known
        .iter()
        .filter(|(one, _)| name == "all" || *one == name)
        .map(|(name, fault)| Plan::one(name, fault.clone(), after))
        .collect();
    if named.is_empty() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let message = format!("`{name}` is not a fault");
        return Err(Failure::input("fault", message)
            .next(format!("use one of {}, `all`, or a file", names.join(", "))));
    }
    Ok(named)
}

/// A case in a line, and below it what is wrong.
fn line(result: &CaseResult, plugin: &Path, args: &TestArgs) -> String {
    let word = match result.status {
        Status::Passed => "ok       ",
        Status::Failed => "FAILED   ",
        Status::Recorded => "recorded ",
        Status::Updated => "updated  ",
    };
    let requests = output::count(result.requests, "request");
    let mut text = format!("{word}{} ({}, {requests})\n", result.name, result.action);
    for problem in &result.problems {
        text.push_str(&format!("  {}\n", output::one_line(&problem.message)));
        if let Some(next) = &problem.next {
            text.push_str(&format!("  next: {}\n", output::one_line(next)));
        }
    }
    if result.status == Status::Failed {
        let word = |path: &Path| shell(&path.display().to_string());
        let mut command = format!("harness test {} {}", word(plugin), word(&args.directory));
        command.push_str(&format!(" --case {}", shell(&result.case)));
        if let Some((name, after)) = &result.fault {
            command.push_str(&format!(" --fault {}", shell(name)));
            command.push_str(&match is_file(name) {
                true => format!(" --seed {}", args.seed),
                false => format!(" --at {after}"),
            });
        }
        text.push_str(&format!("  again: {command}\n"));
    }
    text
}

/// Prepares `--record`: the service, and the stored credentials with their secrets.
async fn live(
    setup: &Setup,
    args: &TestArgs,
    suite: &Suite,
    store: &LateStore,
) -> Result<Live, Failure> {
    let plugin_name = args.plugin.as_deref().unwrap_or(Path::new(""));
    let plugin = setup.load(plugin_name).await?;
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for case in suite.cases() {
        if case.fake.is_none() {
            names.extend(of_case(setup, &plugin, case, args, store)?);
        }
    }
    let mut secrets: Vec<(String, String, Secret)> = Vec::new();
    for (slot, name) in &names {
        let store = store.open(setup)?;
        let id = setup.credential(name);
        let key = match store.head(&id)?.mode {
            Mode::PerUser => ConnectionKey::of_user(id, setup.principal.user.clone()),
            _ => ConnectionKey::of(id),
        };
        let stored = CredentialStore::open(store, &key)
            .await
            .map_err(|error| Failure::of_credential(&error, &plugin_name.display().to_string()))?;
        let of_slot = stored.secrets.into_iter();
        secrets.extend(of_slot.map(|(field, secret)| (slot.clone(), field, secret)));
    }
    Ok(Live {
        transport: Arc::new(transport(&args.network)?),
        store: store.shared(),
        approvals: Arc::new(FileApprovals::new(&setup.approvals)),
        names,
        secrets,
        principal: setup.principal.clone(),
    })
}

fn of_case(
    setup: &Setup,
    plugin: &workflow_node_host::Plugin,
    case: &Case,
    args: &TestArgs,
    store: &LateStore,
) -> Result<BTreeMap<String, String>, Failure> {
    let action = plugin.action(&case.action).map_err(|error| Failure::of(&error, ""))?;
    // A case fills only the slots that it names.
    let mut slots = action.slots.clone();
    slots.retain(|slot, _| case.credentials.contains_key(slot));
    let mut given = Vec::new();
    for text in &args.credential {
        let fits = match text.split_once('=') {
            Some((slot, _)) => slots.contains_key(slot),
            None => {
                let credential_type =
                    store.open(setup)?.summary(setup.credential(text))?.credential_type;
                case.credentials.values().any(|one| one.credential_type == credential_type)
            }
        };
        if fits {
            given.push(text.clone());
        }
    }
    slots::fill(setup, plugin, slots::Uses { name: &action.name, slots: &slots }, &given, store)
}
