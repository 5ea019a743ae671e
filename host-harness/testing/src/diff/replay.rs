//! Runs the cases of an author with both builds, against the same recordings and simulated services.

use std::path::Path;

use serde::Serialize;
use workflow_node_host::chain;

use super::{Change, Difference, Step};
use crate::case::{Bench, Case, Ran, snapshot};
use crate::fault::Sent;
use crate::file::FileError;
use crate::recording::json_difference;

/// Result of running cases with both builds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Replayed {
    /// Cases that both builds ran.
    pub cases: usize,
    /// Of these, the cases that the new build runs in another way.
    pub changed: usize,
    /// Cases that say nothing about the new build.
    pub not_replayed: Vec<NotReplayed>,
}

/// A case that says nothing about the new build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NotReplayed {
    /// Name of the case.
    pub case: String,
    /// Why.
    pub reason: String,
}

impl Difference {
    /// Runs the cases of a directory with both builds, and adds what the new one does differently.
    ///
    /// # Errors
    ///
    /// If a file of a case is not as described, or there are no cases.
    pub async fn replay(
        &mut self,
        old: &Bench,
        new: &Bench,
        directory: &Path,
    ) -> Result<(), FileError> {
        let mut replayed = Replayed::default();
        let failed = |error: workflow_node_host::Error| {
            FileError::new(directory, "The cases cannot be run").because(error)
        };
        let (old_plugin, new_plugin) =
            (old.load().await.map_err(failed)?, new.load().await.map_err(failed)?);
        for case in Case::all(directory)? {
            let mut skip = |reason: String| {
                replayed.not_replayed.push(NotReplayed { case: case.name.clone(), reason });
            };
            let was = match old.replay(&old_plugin, &case, None).await {
                Err(error) => {
                    skip(format!("the old build does not run it: {}", chain(&error)));
                    continue;
                }
                Ok(was) if !was.mismatches.is_empty() || was.stopped.is_some() => {
                    skip("the old build does not run it as recorded. Record it again".to_owned());
                    continue;
                }
                Ok(was) => was,
            };
            let changes = match new.replay(&new_plugin, &case, None).await {
                Err(error) => {
                    let reason = format!("it cannot run: {}", chain(&error));
                    vec![("result-changed", Step::Major, reason)]
                }
                Ok(is) => changes(&was, &is),
            };
            replayed.cases += 1;
            replayed.changed += usize::from(!changes.is_empty());
            let subject = format!("{}, case `{}`", case.action, case.name);
            self.changes.extend(changes.into_iter().map(|(rule, step, message)| Change {
                rule,
                step,
                subject: subject.clone(),
                message,
                needs_approval: false,
            }));
        }
        self.replayed = Some(replayed);
        self.settle();
        Ok(())
    }
}

/// Changes in behavior between two builds in a case.
fn changes(was: &Ran, is: &Ran) -> Vec<(&'static str, Step, String)> {
    let mut changes = Vec::new();
    if let Some((step, message)) = request(&was.sent, &is.sent) {
        changes.push(("request-changed", step, message));
    }
    let difference = match (&was.stopped, &is.stopped) {
        (None, Some(stopped)) => Some(format!("the component is stopped: {stopped}")),
        _ => json_difference(&snapshot(was), &snapshot(is), "").map(|(pointer, was, is)| {
            format!("the result differs at {pointer}: {}, and was {}", short(is), short(was))
        }),
    };
    changes.extend(difference.map(|message| ("result-changed", Step::Major, message)));
    changes
}

/// The first request that differs. A write that differs changes what workflows do.
fn request(was: &[Sent], is: &[Sent]) -> Option<(Step, String)> {
    let line = |sent: &Sent| format!("{} {}", sent.request.method, sent.request.url);
    let same = |was: &Sent, is: &Sent| line(was) == line(is) && was.request.body == is.request.body;
    let step = |both: [Option<&Sent>; 2]| {
        let reads = |sent: &Sent| matches!(sent.request.method.as_str(), "GET" | "HEAD");
        match both.into_iter().flatten().all(reads) {
            true => Step::Patch,
            false => Step::Major,
        }
    };
    (0..was.len().max(is.len())).find_map(|at| {
        let both = [was.get(at), is.get(at)];
        let message = match both {
            [Some(was), Some(is)] if same(was, is) => return None,
            [Some(was), Some(is)] if line(was) == line(is) => {
                format!("request {at}, {}, has another body", line(is))
            }
            [Some(was), Some(is)] => format!("request {at} is {}, and was {}", line(is), line(was)),
            [Some(was), None] => format!("request {at}, {}, is not sent anymore", line(was)),
            [None, Some(is)] => format!("request {at}, {}, is new", line(is)),
            [None, None] => return None,
        };
        Some((step(both), message))
    })
}

fn short(text: String) -> String {
    match text.char_indices().nth(120) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
