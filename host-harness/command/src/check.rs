//! `harness check`: runs the standard suite and prints its report.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use workflow_node_testing::case;
use workflow_node_testing::check::{self, CHECKS, CheckResult, Report, Status, Suite};

use crate::exit::{Exit, Failure};
use crate::flags::Format;
use crate::hosts::cache;
use crate::installed::Installed;
use crate::interrupt::Interrupt;
use crate::output::{self, count, wrapped};
use crate::progress::Progress;
use crate::setup::Setup;
use crate::values::duration;

/// How wide text for people is.
const WIDTH: usize = 100;
/// Findings, and reasons for what was not judged, that a person is shown of one check.
const SHOWN: usize = 10;

#[derive(Args)]
#[command(after_help = "Examples:
  harness check node.wasm
  harness check node.wasm --explain order         what the check `order` means, and how to pass it
  harness check node.wasm --only paging --all     one check, for every action
  harness check node.wasm --cases cases           the author's cases as well
  harness check node.wasm --format junit > check.xml

The plugin runs in the same sandbox as in production. Every origin leads to a service on the loopback
interface, whose answers are made from the output schemas of the plugin. Neither an approval nor a
credential is needed.

A check is `passed`, `failed`, or `skipped`. A skipped check judged nothing, which is not a pass.

Exit codes:
  0  no check failed      1  a check failed, including `load`      2  invalid arguments")]
pub(crate) struct CheckArgs {
    /// Component (.wasm file)
    #[arg(required_unless_present_any = ["explain", "list"])]
    plugin: Option<PathBuf>,
    /// Explain a check and exit
    #[arg(long, value_name = "ID", value_parser = id, conflicts_with_all = ["plugin", "list"])]
    explain: Option<String>,
    /// List the checks and exit
    #[arg(long, conflicts_with = "plugin")]
    list: bool,
    /// Run only this check. Repeatable
    #[arg(long, value_name = "ID", value_parser = id)]
    only: Vec<String>,
    /// Number of actions for each check that runs an action many times. Actions that differ in what
    /// they do are chosen first
    #[arg(long, value_name = "ACTIONS", default_value_t = check::SAMPLE, conflicts_with = "all")]
    sample: usize,
    /// Run every check for every action
    #[arg(long)]
    all: bool,
    /// Also run the cases of this directory, as `harness test` does
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Maximum duration. What is not judged by then is reported
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    time: Duration,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: CheckFormat,
}

/// How a report of checks is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// JUnit XML, for CI systems
    Junit,
}

impl From<CheckFormat> for Format {
    fn from(format: CheckFormat) -> Self {
        match format {
            CheckFormat::Text => Self::Text,
            CheckFormat::Json | CheckFormat::Junit => Self::Json,
        }
    }
}

/// The ID of a check.
fn id(text: &str) -> Result<String, String> {
    match check::find(text) {
        Some(check) => Ok(check.id.to_owned()),
        None => {
            let ids: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
            Err(format!("no check has this ID. The checks are {}", ids.join(", ")))
        }
    }
}

pub(crate) async fn run(setup: &Setup, args: CheckArgs) -> Result<Exit, Failure> {
    if let Some(check) = args.explain.as_deref().and_then(check::find) {
        output::stdout(&format!("{}\n\n{}\n\n{}", check.id, check.sentence, check.page))?;
        return Ok(Exit::Success);
    }
    let Some(plugin) = args.plugin else {
        let rows: Vec<Vec<String>> = CHECKS
            .iter()
            .map(|check| vec![check.id.to_owned(), check.sentence.to_owned()])
            .collect();
        output::stdout(&output::wide_table(&["check", "what must be true"], &rows))?;
        return Ok(Exit::Success);
    };
    let component = Installed::new(&setup.data).file(&plugin)?;
    if !component.is_file() {
        let message = format!("Cannot read `{}`: it is not a file", plugin.display());
        return Err(Failure::input("unreadable", message)
            .next("pass the path of the component's .wasm file"));
    }
    let cases = args.cases.as_deref().map(|directory| {
        let bench = case::Bench {
            component: component.clone(),
            isolation: setup.isolation.clone(),
            cache: cache(),
        };
        case::Suite::read(bench, directory, case::Options::default())
    });
    let mut suite = Suite::new(setup.bare_host(), component);
    suite.cases = cases.transpose().map_err(|error| Failure::file(&error))?;
    suite.only = args.only;
    suite.sample = (!args.all).then_some(args.sample);
    suite.time = args.time;
    let report = shown(suite).await?;
    print(&report, args.format)?;
    Ok(if report.is_ok() { Exit::Success } else { Exit::Failed })
}

/// Runs a suite. Shows how far it is, and ends when the user interrupts it.
pub(crate) async fn shown(mut suite: Suite) -> Result<Report, Failure> {
    let progress = Arc::new(Shown(Progress::steps()));
    suite.progress = progress.clone();
    let interrupt = Interrupt::listen();
    let report = tokio::select! {
        report = suite.run() => Some(report),
        () = async { interrupt.token().cancelled().await } => None,
    };
    progress.0.end();
    report.ok_or_else(|| {
        Failure::new(Exit::Failed, "interrupted", "Interrupted. Nothing was reported or written")
    })
}

/// Shows on a terminal how far the suite is.
struct Shown(Progress);

impl check::Progress for Shown {
    fn step(&self, done: usize, total: usize, next: &str) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.0.tell(number(done), Some(number(total)), next);
    }
}

fn print(report: &Report, format: CheckFormat) -> Result<(), Failure> {
    match format {
        CheckFormat::Json => output::stdout_report(report),
        CheckFormat::Junit => output::stdout(&report.to_junit().map_err(Failure::internal)?),
        CheckFormat::Text => output::stdout(&text(report)),
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for check in &report.checks {
        text.push_str(&of_check(check));
    }
    let numbers: Vec<String> = [Status::Passed, Status::Failed, Status::Skipped]
        .into_iter()
        .map(|status| format!("{} {}", report.count(status), status.as_str()))
        .collect();
    text.push_str(&format!("\n{}\n", numbers.join(", ")));
    if let Some(failed) = report.checks.iter().find(|check| check.status == Status::Failed) {
        text.push_str(&format!("To read about a check: harness check --explain {}\n", failed.id));
    }
    text
}

fn of_check(check: &CheckResult) -> String {
    let judged = match (check.judged, check.not_judged.len()) {
        (0, _) => String::new(),
        (judged, 0) => format!("{judged} judged"),
        (judged, not_judged) => format!("{judged} judged, {not_judged} not"),
    };
    let line = format!("{:<7}  {:<21}  {judged}", check.status.as_str(), check.id);
    let mut text = format!("{}\n", line.trim_end());
    let mut list = |lines: Vec<String>| {
        let more = lines.len().saturating_sub(SHOWN);
        for line in lines.into_iter().take(SHOWN) {
            for (place, part) in wrapped(&line, WIDTH - 11).iter().enumerate() {
                let indent = if place == 0 { "       - " } else { "         " };
                text.push_str(&format!("{indent}{part}\n"));
            }
        }
        if more > 0 {
            text.push_str(&format!(
                "         … and {} (see --format json)\n",
                count(more, "other")
            ));
        }
    };
    match check.status {
        Status::Passed => {}
        Status::Failed => list(
            check.findings.iter().map(|one| format!("{}: {}", one.subject, one.message)).collect(),
        ),
        Status::Skipped => list(
            check.not_judged.iter().map(|one| format!("{}: {}", one.subject, one.reason)).collect(),
        ),
    }
    text
}
