//! Runs all cases of a directory.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use workflow_node_host::{Error, Plugin, chain};

use super::coverage::Coverage;
use super::file::Case;
use super::run::{Bench, Live, Ran, RunError};
use super::verdict;
use super::{expect, html};
use crate::fault::Plan;
use crate::file::FileError;
use crate::recording::Recording;

/// How cases are run.
#[derive(Clone, Default)]
pub struct Options {
    /// Only cases whose name contains this.
    pub filter: Option<String>,
    /// Write snapshots that are missing or differ.
    pub update: bool,
    /// Injects faults into requests, and judges the result by the rules for faults instead of the
    /// expectations.
    pub faults: Vec<Plan>,
    /// Run each case once per request, so that a plan with one fault affects each of them.
    pub every_request: bool,
}

/// Result of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As expected.
    Passed,
    /// Not as expected, or it could not be run.
    Failed,
    /// It was recorded.
    Recorded,
    /// Its snapshot was written.
    Updated,
}

/// A problem with a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    /// Description of the difference.
    pub message: String,
    /// Action to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Result of a case.
#[derive(Clone, Serialize)]
pub struct CaseResult {
    /// Name of the case; with a fault, followed by it.
    pub name: String,
    /// Name of the case.
    pub case: String,
    /// Name of the fault, and how many requests passed before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<(String, u64)>,
    /// The file.
    pub path: PathBuf,
    /// Title of the case.
    pub title: Option<String>,
    /// Action.
    pub action: String,
    /// Its result.
    pub status: Status,
    /// Its problems.
    pub problems: Vec<Problem>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How long it would have taken with the skipped waits, in milliseconds.
    pub virtual_ms: u64,
    /// How many requests were sent, counting each attempt.
    pub requests: usize,
    /// Largest linear memory of the guest, in bytes.
    pub memory: usize,
    /// Results of the items, as in a snapshot.
    pub result: Value,
    /// Coverage data of the run, for the report.
    #[serde(skip)]
    pub(super) ran: Option<Ran>,
    #[serde(skip)]
    pub(super) items: Vec<Value>,
}

/// Results of all cases.
#[derive(Clone, Serialize)]
pub struct Report {
    /// Version of the format.
    pub format: u32,
    /// Name of the node.
    pub node: String,
    /// Version of the node.
    pub version: u32,
    /// Digest of the component.
    pub digest: String,
    /// Cases that passed, were recorded, or updated.
    pub passed: usize,
    /// Cases that failed.
    pub failed: usize,
    /// Results.
    pub cases: Vec<CaseResult>,
    /// Coverage of the node.
    pub coverage: Coverage,
}

/// All cases of a directory.
pub struct Suite {
    bench: Bench,
    cases: Vec<Case>,
    options: Options,
}

impl Suite {
    /// Reads the cases of a directory.
    ///
    /// # Errors
    ///
    /// If a file is invalid, or no case remains.
    pub fn read(bench: Bench, directory: &Path, options: Options) -> Result<Self, FileError> {
        let mut cases = Case::all(directory)?;
        if let Some(filter) = &options.filter {
            cases.retain(|case| case.name.contains(filter.as_str()));
            if cases.is_empty() {
                let message = format!("No case has `{filter}` in its name");
                return Err(FileError::new(directory, message).next("use another --case"));
            }
        }
        Ok(Self { bench, cases, options })
    }

    /// The cases.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Runs all cases, or records them. `told` receives each result as soon as it is available.
    ///
    /// # Errors
    ///
    /// If the component cannot be loaded.
    pub async fn run(
        &self,
        live: Option<&Live>,
        mut told: impl FnMut(&CaseResult),
    ) -> Result<Report, Error> {
        let plugin = self.bench.load().await?;
        let mut results = Vec::new();
        for case in &self.cases {
            let of_case = match live {
                Some(live) if case.fake.is_none() => vec![self.record(&plugin, case, live).await],
                _ if self.options.faults.is_empty() => vec![self.check(&plugin, case).await],
                _ => self.check_faults(&plugin, case).await,
            };
            of_case.iter().for_each(&mut told);
            results.extend(of_case);
        }
        self.report(&plugin, results)
    }

    fn report(&self, plugin: &Plugin, results: Vec<CaseResult>) -> Result<Report, Error> {
        let of_case = |case: &Case| {
            let result = results.iter().find(|result| result.case == case.name);
            result.and_then(|result| result.ran.as_ref())
        };
        let ran: Vec<(&Case, Option<&Ran>)> =
            self.cases.iter().map(|case| (case, of_case(case))).collect();
        let coverage = Coverage::of(plugin, &ran)?;
        let node = &plugin.description().node;
        let failed = results.iter().filter(|result| result.status == Status::Failed).count();
        Ok(Report {
            format: 1,
            node: node.name.clone(),
            version: node.version,
            digest: plugin.digest().to_string(),
            passed: results.len() - failed,
            failed,
            cases: results,
            coverage,
        })
    }

    /// Runs a case and compares it with its expectations.
    async fn check(&self, plugin: &Plugin, case: &Case) -> CaseResult {
        let began = Instant::now();
        match self.bench.replay(plugin, case, None).await {
            Err(error) => failed(case, began, &error),
            Ok(ran) => self.judged(case, ran, began, Status::Passed),
        }
    }

    /// Compares a run with the expectations and the snapshot of its case.
    fn judged(&self, case: &Case, ran: Ran, began: Instant, right: Status) -> CaseResult {
        let mut problems: Vec<Problem> = expect::problems(case, &ran)
            .into_iter()
            .map(|message| Problem { message, next: None })
            .collect();
        if !(ran.mismatches.is_empty() && ran.unused.is_empty())
            && let Some(last) = problems.last_mut()
        {
            last.next = Some("If the node is right, record the case again with --record".into());
        }
        let mut status = right;
        if case.expect.snapshot && problems.is_empty() {
            let is = expect::snapshot(&ran);
            match self.compare_snapshot(case, &is, right == Status::Recorded) {
                Ok(true) if right == Status::Passed => status = Status::Updated,
                Ok(_) => {}
                Err(problem) => problems.push(problem),
            }
        }
        result(case, began, ran, status, problems)
    }

    /// Compares a result with its snapshot. Returns whether the snapshot was written.
    fn compare_snapshot(&self, case: &Case, is: &Value, records: bool) -> Result<bool, Problem> {
        let path = case.snapshot();
        let text = std::fs::read_to_string(&path).ok();
        let was = text.as_ref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let difference = match &was {
            Some(was) => expect::snapshot_problem(was, is),
            None => Some(format!("There is no snapshot {}", path.display())),
        };
        let Some(difference) = difference else { return Ok(false) };
        if self.options.update || records {
            write(&path, &pretty(is)).map_err(|message| Problem { message, next: None })?;
            return Ok(true);
        }
        let next = Some("If the result is right, write the snapshot with --update".to_owned());
        Err(Problem { message: difference, next })
    }

    /// Records a case: runs it against the service, and then against the recording. Writes the
    /// recording only if both match the expectations and each other.
    async fn record(&self, plugin: &Plugin, case: &Case, live: &Live) -> CaseResult {
        let began = Instant::now();
        let (ran, recording, redactor) = match self.bench.record(case, live).await {
            Ok(recorded) => recorded,
            Err(error) => return failed(case, began, &error),
        };
        let problems = expect::problems(case, &ran);
        if !problems.is_empty() {
            // The requests contain the credential.
            let problems = problems.into_iter().map(|message| Problem {
                message: redactor.text(&message),
                next: Some("Nothing was recorded".into()),
            });
            let mut result = result(case, began, ran, Status::Failed, problems.collect());
            let text = redactor.body(result.result.to_string().as_bytes());
            result.result = serde_json::from_slice(&text).unwrap_or_default();
            result.ran = None;
            return result;
        }
        let replayed = match self.bench.replay_recording(plugin, case, recording.clone()).await {
            Ok(replayed) => replayed,
            Err(error) => return failed(case, began, &error),
        };
        let next = "Nothing was recorded. The node depends on something that is not in its requests \
                    and responses";
        let differs = expect::problems(case, &replayed);
        if let Some(problem) = differs.into_iter().next() {
            let message = format!("The recording does not replay: {problem}");
            let problem = Problem { message, next: Some(next.into()) };
            return result(case, began, ran, Status::Failed, vec![problem]);
        }
        let written = write_recording(case, &recording);
        let mut result = self.judged(case, replayed, began, Status::Recorded);
        if let Err(message) = written {
            result.status = Status::Failed;
            result.problems.push(Problem { message, next: None });
        }
        result
    }

    /// Runs a case with each plan, and judges the results.
    async fn check_faults(&self, plugin: &Plugin, case: &Case) -> Vec<CaseResult> {
        let began = Instant::now();
        let calm = match self.bench.replay(plugin, case, None).await {
            Ok(calm) => calm,
            Err(error) => return vec![failed(case, began, &error)],
        };
        let mut results = Vec::new();
        for plan in &self.options.faults {
            let positions = match self.options.every_request {
                true => (0..calm.sent.len() as u64).collect(),
                false => vec![plan.rules.first().map_or(0, |rule| rule.after)],
            };
            for after in positions {
                let mut plan = plan.clone();
                if self.options.every_request {
                    plan.rules.iter_mut().for_each(|rule| rule.after = after);
                }
                let began = Instant::now();
                let name = plan.name.clone();
                let mut result = match self.bench.replay(plugin, case, Some(plan)).await {
                    Err(error) => failed(case, began, &error),
                    Ok(ran) => {
                        let problems = verdict::problems(&calm, &ran, ran.idempotency);
                        let problems = problems
                            .into_iter()
                            .map(|message| Problem { message, next: None })
                            .collect();
                        result(case, began, ran, Status::Passed, problems)
                    }
                };
                result.name = format!("{} [{name} at request {after}]", case.name);
                result.fault = Some((name, after));
                results.push(result);
            }
        }
        results
    }
}

fn result(
    case: &Case,
    began: Instant,
    ran: Ran,
    status: Status,
    problems: Vec<Problem>,
) -> CaseResult {
    let status = if problems.is_empty() { status } else { Status::Failed };
    CaseResult {
        name: case.name.clone(),
        case: case.name.clone(),
        fault: None,
        path: case.path.clone(),
        title: case.title.clone(),
        action: case.action.clone(),
        status,
        problems,
        duration_ms: milliseconds(began.elapsed()),
        virtual_ms: milliseconds(ran.duration),
        requests: ran.sent.len(),
        memory: ran.memory,
        result: expect::snapshot(&ran),
        ran: Some(ran),
        items: case.items.clone(),
    }
}

fn failed(case: &Case, began: Instant, error: &RunError) -> CaseResult {
    let next = match error {
        RunError::File(error) => error.next.clone(),
        RunError::Host(_) => None,
    };
    CaseResult {
        name: case.name.clone(),
        case: case.name.clone(),
        fault: None,
        path: case.path.clone(),
        title: case.title.clone(),
        action: case.action.clone(),
        status: Status::Failed,
        problems: vec![Problem { message: chain(error), next }],
        duration_ms: milliseconds(began.elapsed()),
        virtual_ms: 0,
        requests: 0,
        memory: 0,
        result: Value::Null,
        ran: None,
        items: case.items.clone(),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn write_recording(case: &Case, recording: &Recording) -> Result<(), String> {
    write(&case.recording(), &recording.to_text())
}

/// Writes a temporary file first, so that an interruption leaves the old one.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    std::fs::write(&temporary, text)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|error| format!("Cannot write {}: {error}", path.display()))
}

impl Report {
    /// The report as a standalone HTML page.
    pub fn html(&self) -> String {
        html::page(self)
    }
}
