//! `harness diff`: what a release changes for existing workflows.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use workflow_node_testing::case::Bench;
use workflow_node_testing::diff::{self, Difference, Step};

use crate::exit::{Exit, Failure};
use crate::flags::Report;
use crate::hosts::cache;
use crate::installed::Installed;
use crate::output::{self, count};
use crate::setup::Setup;

#[derive(Args)]
#[command(after_help = "Examples:
  harness diff released.wasm new.wasm
  harness diff released.wasm new.wasm --most minor    in CI: fails if the release is a major one
  harness diff released.wasm new.wasm --replay cases  also compares what both builds do

Permissions that an operator has to approve again are listed first. Each change has a rule and the step of
semantic versioning that it needs: major (existing workflows may fail or do something else), minor
(something is new), or patch.

Parameters that workflows may have stored are made from the old schemas and validated by the new ones.

Exit codes:
  0  compared      1  a larger step than --most is needed      2  invalid arguments      4  a component was refused")]
pub(crate) struct DiffArgs {
    /// Component of the old release (.wasm file)
    old: PathBuf,
    /// Component of the new release (.wasm file)
    new: PathBuf,
    /// Also run the cases of this directory with both builds, against the same recordings and simulated
    /// services, and report what the new build does differently
    #[arg(long, value_name = "DIR")]
    replay: Option<PathBuf>,
    /// Fail if the release needs a larger step than this
    #[arg(long, value_name = "STEP", value_enum, default_value = "major")]
    most: StepKind,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Report,
}

/// Steps of semantic versioning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StepKind {
    /// Nothing that a workflow sees
    Patch,
    /// Something new
    Minor,
    /// Existing workflows may fail
    Major,
}

impl From<StepKind> for Step {
    fn from(kind: StepKind) -> Self {
        match kind {
            StepKind::Patch => Self::Patch,
            StepKind::Minor => Self::Minor,
            StepKind::Major => Self::Major,
        }
    }
}

pub(crate) async fn run(setup: &Setup, args: &DiffArgs) -> Result<Exit, Failure> {
    let old = setup.load(&args.old).await?;
    let new = setup.load(&args.new).await?;
    let mut difference = diff::compare(&old, &new);
    if let Some(directory) = &args.replay {
        let installed = Installed::new(&setup.data);
        let bench =
            |component| Bench { component, isolation: setup.isolation.clone(), cache: cache() };
        let (old, new) = (installed.file(&args.old)?, installed.file(&args.new)?);
        let replayed = difference.replay(&bench(old), &bench(new), directory).await;
        replayed.map_err(|error| Failure::file(&error))?;
    }
    match args.format {
        Report::Json => output::stdout_report(&difference)?,
        Report::Text => output::stdout(&text(&difference))?,
    }
    let is_allowed = difference.step <= Step::from(args.most);
    Ok(if is_allowed { Exit::Success } else { Exit::Failed })
}

fn text(difference: &Difference) -> String {
    let rows: Vec<Vec<String>> = difference
        .changes
        .iter()
        .map(|change| {
            let step = if change.needs_approval { "approve" } else { change.step.as_str() };
            let (rule, subject) = (change.rule.to_owned(), change.subject.clone());
            vec![step.to_owned(), rule, subject, change.message.clone()]
        })
        .collect();
    let mut text = match rows.as_slice() {
        [] => String::new(),
        rows => output::wide_table(&["step", "rule", "subject", "change"], rows) + "\n",
    };
    if let Some(replayed) = &difference.replayed {
        for one in &replayed.not_replayed {
            text.push_str(&format!("Case `{}` was not compared: {}\n", one.case, one.reason));
        }
        let cases = count(replayed.cases, "case");
        text.push_str(&format!("{cases} run with both builds, {} changed.\n", replayed.changed));
    }
    text.push_str(&format!(
        "{}. The release needs a {} version{}.\n",
        count(difference.changes.len(), "change"),
        difference.step.as_str(),
        match difference.needs_approval {
            true => ", and an operator has to approve new permissions",
            false => "",
        }
    ));
    text
}
