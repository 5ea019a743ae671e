//! Checks of a node's behavior: it is run, and its requests and results are judged.

mod choices;
mod errors;
mod many;
mod one;
mod triggers;

use std::time::{Duration, Instant};

use super::Results;
use super::answer::Shape;
use super::bench::{Bench, Known, Quality};
use super::report::Judgement;
use crate::sample::{Fill, fitting};

/// Factor by which waits of the host and of the node are shortened while retries are judged.
const FAST: u32 = 200;

/// Why something was not judged when the time is over.
pub(super) const OVER: &str = "the time of the suite was over. Allow more with --time";

/// A check of one action.
pub(super) struct Judging<'a> {
    pub(super) bench: &'a Bench,
    pub(super) known: &'a Known,
    pub(super) judgement: &'a mut Judgement,
}

impl Judging<'_> {
    fn subject(&self) -> &str {
        &self.known.action.name
    }

    fn judge(&mut self, problem: Option<String>) {
        let subject = self.subject().to_owned();
        self.judgement.judge(&subject, problem);
    }

    fn skip(&mut self, reason: impl Into<String>) {
        let subject = self.subject().to_owned();
        self.judgement.skip(subject, reason);
    }
}

/// A check that judges one action at a time.
#[derive(Clone, Copy)]
enum OneAction {
    Error(&'static errors::Case),
    Cancellation,
    Paging,
    Writes,
}

impl OneAction {
    fn id(self) -> &'static str {
        match self {
            Self::Error(case) => case.id,
            Self::Cancellation => "cancellation",
            Self::Paging => "paging",
            Self::Writes => "writes",
        }
    }

    /// Whether it applies to an action.
    fn suits(self, known: &Known) -> bool {
        match self {
            Self::Error(_) | Self::Cancellation => true,
            Self::Paging => known.reads() && known.records > 1,
            Self::Writes => !known.reads() && !known.may_repeat(),
        }
    }
}

pub(super) async fn judge(bench: &Bench, results: &mut Results<'_>) {
    let known = learn(bench, results).await;
    choices::judge(bench, results, &known).await;
    for case in errors::CASES {
        each(bench, results, OneAction::Error(case), &known).await;
    }
    each(bench, results, OneAction::Cancellation, &known).await;
    many::judge(bench, results, &known).await;
    each(bench, results, OneAction::Paging, &known).await;
    each(bench, results, OneAction::Writes, &known).await;
    triggers::judge(bench, results).await;
    origins(bench, results, &known);
}

/// Judges a check for a sample of the actions that ran.
async fn each(bench: &Bench, results: &mut Results<'_>, check: OneAction, known: &[Known]) {
    let id = check.id();
    if !results.plan.wants(id) {
        return;
    }
    let started = Instant::now();
    let mut judgement = Judgement::default();
    not_usable(known, |one| check.suits(one), &mut judgement);
    let sample = results.plan.sample(known, |one| one.is_usable() && check.suits(one));
    for (done, one) in sample.iter().enumerate() {
        results.plan.progress.step(done, sample.len(), &format!("{id}: {}", one.action.name));
        let mut judging = Judging { bench, known: one, judgement: &mut judgement };
        if results.plan.is_over() {
            judging.skip(OVER);
            continue;
        }
        match check {
            OneAction::Error(case) => errors::judge(&mut judging, case).await,
            OneAction::Cancellation => one::cancellation(&mut judging).await,
            OneAction::Paging => one::paging(&mut judging).await,
            OneAction::Writes => one::writes(&mut judging).await,
        }
    }
    if sample.is_empty() && known.iter().all(|one| !check.suits(one)) {
        judgement.skip("node", "no action is of the kind that the check judges");
    }
    results.add(id, judgement, started.elapsed());
}

/// Reports which actions cannot be judged because they did not run.
fn not_usable(known: &[Known], suits: impl Fn(&Known) -> bool, judgement: &mut Judgement) {
    for one in known.iter().filter(|one| suits(one) && !one.is_usable()) {
        let reason = match one.quality {
            Quality::Failed => format!("it did not run with generated answers: {}", one.problem),
            _ => "it sends no request".to_owned(),
        };
        judgement.skip(&one.action.name, reason);
    }
}

/// Runs every action, and judges its examples and its output.
async fn learn(bench: &Bench, results: &mut Results<'_>) -> Vec<Known> {
    let started = Instant::now();
    let (mut examples, mut output) = (Judgement::default(), Judgement::default());
    let mut known = Vec::new();
    let actions = &bench.plugin.description().node.actions;
    for (done, action) in actions.iter().enumerate() {
        results.plan.progress.step(done, actions.len(), &format!("examples: {}", action.name));
        if results.plan.is_over() {
            examples.skip(&action.name, OVER);
            output.skip(&action.name, OVER);
            continue;
        }
        if let Some(reason) = bench.unfilled(action) {
            examples.skip(&action.name, reason.clone());
            output.skip(&action.name, reason);
            continue;
        }
        let parameters = match action.examples.first() {
            Some(example) => Some(example.parameters.value().clone()),
            None => {
                examples.fail(&action.name, "the action has no example. Add one that runs");
                let fills = [Fill::Required, Fill::All, Fill::Chosen(1), Fill::Chosen(2)];
                let text = |name: &str| format!("check-{name}");
                fitting(&bench.shared, &action.parameters, &fills, &text)
            }
        };
        let Some(parameters) = parameters else {
            output.skip(&action.name, "no parameters could be made that fit its form");
            continue;
        };
        let one = bench.learn(action, parameters).await;
        if let Some(first) = action.examples.first() {
            one::example(bench, &one, &first.title, &mut examples).await;
        }
        for example in action.examples.iter().skip(1) {
            let parameters = example.parameters.value().clone();
            let another = bench.learn(action, parameters).await;
            one::example(bench, &another, &example.title, &mut examples).await;
        }
        match one.quality {
            Quality::Fits => output.pass(),
            Quality::Misfit => output.fail(
                &action.name,
                format!(
                    "the answer fits the output schema, and a record of the action does not. {}",
                    one.problem
                ),
            ),
            Quality::Silent if one.shape == Shape::Empty || one.records == 0 => {
                output.skip(&action.name, "it returned no record");
            }
            _ => output.skip(
                &action.name,
                format!("it did not run with generated answers: {}", one.problem),
            ),
        }
        known.push(one);
    }
    let took: Duration = started.elapsed();
    results.add("examples", examples, took);
    results.add("output", output, Duration::ZERO);
    known
}

/// Judges the requests of all checks.
fn origins(bench: &Bench, results: &mut Results<'_>, known: &[Known]) {
    let mut judgement = Judgement::default();
    let refused = bench.refused();
    for one in known.iter().filter(|one| one.requests > 0) {
        let of_action = refused.iter().find(|event| event.action == one.action.name);
        let problem = of_action.map(|event| {
            format!(
                "the host refused {} {}{}: {}",
                event.method,
                event.origin,
                event.path,
                event.reason.as_deref().unwrap_or_default()
            )
        });
        judgement.judge(&one.action.name, problem);
    }
    if known.iter().all(|one| one.requests == 0) {
        judgement.skip("node", "no action sent a request");
    }
    results.add("origins", judgement, Duration::ZERO);
}
