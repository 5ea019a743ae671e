//! The standard suite: checks that any node must pass, on the shipped component, in the real host,
//! with a service on the loopback interface that responds according to the node's own schemas.

mod answer;
mod behavior;
mod bench;
mod catalog;
mod clock;
mod described;
mod kept;
mod report;
mod service;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use workflow_node_host::HostBuilder;

use bench::{Bench, Known};
pub use catalog::{CHECKS, Check, find, pages};
use report::Judgement;
pub use report::{CheckResult, Finding, NotJudged, Report, Status};

/// How many actions each check that runs an action many times judges, unless all are requested.
pub const SAMPLE: usize = 24;
/// Default time limit of the suite.
pub const TIME: Duration = Duration::from_secs(10 * 60);

/// The scope and the depth of the checks.
pub struct Suite {
    /// Builds the host: its cache and its isolation. The suite sets everything else.
    pub host: HostBuilder,
    /// The component.
    pub component: PathBuf,
    /// IDs of the checks to run; empty for all.
    pub only: Vec<String>,
    /// How many actions each check that runs an action many times judges; `None` for all. Different
    /// actions are chosen first. Default: [`SAMPLE`].
    pub sample: Option<usize>,
    /// Time limit of the suite. What is not judged by then is reported. Default: [`TIME`].
    pub time: Duration,
    /// The author's cases, if there are any.
    pub cases: Option<crate::case::Suite>,
    /// Receives how far the suite is.
    pub progress: Arc<dyn Progress>,
}

/// Receives the progress of the suite.
pub trait Progress: Send + Sync {
    /// This many of the total steps are done, and this is the next one.
    fn step(&self, done: usize, total: usize, next: &str);
}

/// Reports nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn step(&self, _done: usize, _total: usize, _next: &str) {}
}

impl Suite {
    /// The whole suite for a component.
    pub fn new(host: HostBuilder, component: impl Into<PathBuf>) -> Self {
        Self {
            host,
            component: component.into(),
            only: Vec::new(),
            sample: Some(SAMPLE),
            time: TIME,
            cases: None,
            progress: Arc::new(NoProgress),
        }
    }

    /// Runs the suite. It ends within its time limit, and sends nothing to the network.
    pub async fn run(self) -> Report {
        let started = Instant::now();
        let plan = Plan {
            only: self.only,
            sample: self.sample.unwrap_or(usize::MAX),
            ends: started + self.time,
            progress: self.progress,
        };
        let mut results = Results { plan: &plan, checks: Vec::new() };
        let bench = match Bench::new(self.host, &self.component).await {
            Ok(bench) => bench,
            Err(error) => {
                let mut judgement = Judgement::default();
                judgement.fail(self.component.display().to_string(), format!("{error:#}"));
                results.add("load", judgement, started.elapsed());
                for check in CHECKS.iter().skip(1) {
                    let mut judgement = Judgement::default();
                    judgement.skip("component", "it was not loaded");
                    results.add(check.id, judgement, Duration::ZERO);
                }
                return Report {
                    plugin: None,
                    node: None,
                    version: None,
                    checks: results.in_order(),
                };
            }
        };
        let mut judgement = Judgement::default();
        judgement.pass();
        results.add("load", judgement, started.elapsed());
        described::judge(&bench, &mut results).await;
        behavior::judge(&bench, &mut results).await;
        run_cases(self.cases, &mut results).await;
        let node = &bench.plugin.description().node;
        Report {
            plugin: Some(bench.plugin.digest().to_string()),
            node: Some(node.name.clone()),
            version: Some(node.version),
            checks: results.in_order(),
        }
    }
}

/// Runs the author's cases.
async fn run_cases(cases: Option<crate::case::Suite>, results: &mut Results<'_>) {
    const ID: &str = "cases";
    if !results.plan.wants(ID) {
        return;
    }
    let started = Instant::now();
    let mut judgement = Judgement::default();
    match cases {
        None => judgement.skip("node", "no cases were named. Name them with --cases DIR"),
        Some(_) if results.plan.is_over() => judgement.skip("node", behavior::OVER),
        Some(cases) => match cases.run(None, |_| {}).await {
            Err(error) => judgement.fail("node", format!("the cases cannot be run: {error:#}")),
            Ok(report) => {
                for case in report.cases {
                    let problems = case.problems.into_iter();
                    let problems: Vec<String> = problems.map(|one| one.message).collect();
                    let problem = (!problems.is_empty()).then(|| problems.join(". "));
                    judgement.judge(&case.name, problem);
                }
            }
        },
    }
    results.add(ID, judgement, started.elapsed());
}

/// The extent of a run of the suite.
struct Plan {
    only: Vec<String>,
    sample: usize,
    ends: Instant,
    progress: Arc<dyn Progress>,
}

impl Plan {
    fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == id)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// The actions that a check of behavior judges: a selection of different ones that suit it.
    fn sample<'a>(&self, known: &'a [Known], suits: impl Fn(&Known) -> bool) -> Vec<&'a Known> {
        let kind = |known: &Known| {
            let action = &known.action;
            (action.effect, action.idempotency, action.batches, action.emits, known.shape as u8)
        };
        let mut first = Vec::new();
        let mut others = Vec::new();
        for one in known.iter().filter(|one| suits(one)) {
            match first.iter().any(|other: &&Known| kind(other) == kind(one)) {
                false => first.push(one),
                true => others.push(one),
            }
        }
        // The rest is spread over all of them.
        let room = self.sample.saturating_sub(first.len());
        let step = others.len().div_ceil(room.max(1)).max(1);
        first.truncate(self.sample);
        if room > 0 {
            first.extend(others.into_iter().step_by(step).take(room));
        }
        first
    }
}

/// Results of the checks.
struct Results<'a> {
    plan: &'a Plan,
    checks: Vec<CheckResult>,
}

impl Results<'_> {
    fn add(&mut self, id: &'static str, judgement: Judgement, took: Duration) {
        if let (true, Some(check)) = (self.plan.wants(id), find(id)) {
            self.checks.push(judgement.end(check.id, check.sentence, took));
        }
    }

    fn in_order(mut self) -> Vec<CheckResult> {
        let place = |id: &str| CHECKS.iter().position(|check| check.id == id);
        self.checks.sort_by_key(|result| place(result.id));
        self.checks
    }
}
