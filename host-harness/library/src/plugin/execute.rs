//! Runs an action: validates the items, hands the good ones to the guest, and puts together what
//! comes of each.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tracing::Instrument as _;

use super::Plugin;
use super::call::{Stopped, call};
use crate::bindings::exports::workflow::node::node::Call;
use crate::description::{Action, FieldProblem};
use crate::error::{Error, ErrorKind};
use crate::execution::{
    Execution, FormOf, ItemError, ItemOutcome, Observer, Outcome, OutputRecord, Silent,
};
use crate::journal::JournalEntry;
use crate::limits::Limits;

impl Plugin {
    /// Runs an action.
    ///
    /// # Errors
    ///
    /// As [`Plugin::execute_observed`].
    pub async fn execute(&self, execution: Execution) -> Result<Outcome, Error> {
        self.execute_observed(execution, Arc::new(Silent)).await
    }

    /// Runs an action, telling an observer what happens meanwhile. Items are validated first: one
    /// that is wrong stops all, or with `continue_on_fail` fails alone.
    ///
    /// # Errors
    ///
    /// When nothing was run: the plugin is not approved, an item is wrong, a credential is missing.
    /// A plugin that is stopped half-way is an [`Outcome`].
    pub async fn execute_observed(
        &self,
        execution: Execution,
        observer: Arc<dyn Observer>,
    ) -> Result<Outcome, Error> {
        let action = self.action(&execution.action)?;
        let problems = self.validate(&action.name, &execution.items)?;
        if !execution.continue_on_fail {
            let flat: Vec<FieldProblem> = problems
                .iter()
                .enumerate()
                .flat_map(|(index, problems)| {
                    problems.iter().map(move |problem| FieldProblem {
                        pointer: format!("/{index}{}", problem.pointer),
                        message: problem.message.clone(),
                    })
                })
                .collect();
            if !flat.is_empty() {
                let what = "the items do not fit the action (item, parameter)".to_owned();
                return Err(ErrorKind::Invalid { what, problems: flat }.into());
            }
        }
        // Items that are wrong are not handed to the guest; `positions` leads back.
        let positions: Vec<usize> =
            (0..execution.items.len()).filter(|index| problems[*index].is_empty()).collect();
        let form = self.form(&FormOf::Action(action.name.clone()).key(), &action.parameters)?;
        let session =
            self.session_for(&execution, Some(&action.slots), observer, &positions).await?;
        let started = self.shared.clock.monotonic();
        let id = session.id.clone();
        let requests = session.session.clone();
        let limits = requests.limits.clone();
        let options = serde_json::json!({
            "continue_on_fail": execution.continue_on_fail,
            "concurrency": execution.concurrency,
        });
        let guest_call = Call {
            node: self.description.node.name.clone(),
            version: action.version,
            action: action.name.clone(),
            items: positions
                .iter()
                .map(|index| self.without_secrets(&form, &execution.items[*index]).to_string())
                .collect(),
            options: without_nulls(options).to_string(),
        };
        let span = tracing::info_span!(
            "execute", node = %guest_call.node, action = %guest_call.action,
            execution = %id, items = guest_call.items.len()
        );
        let called = call(&self.shared, &self.pre, session.context, async |bindings, store| {
            bindings.workflow_node_node().call_execute(store, &guest_call).await
        })
        .instrument(span)
        .await;
        let mut outcome = Outcome {
            id,
            items: Vec::with_capacity(execution.items.len()),
            stopped: None,
            requests: requests.requests.load(Ordering::Relaxed),
            duration: self.shared.clock.monotonic().saturating_sub(started),
            memory: 0,
        };
        let (results, mut emitted) = match called {
            Ok((result, ended)) => {
                outcome.memory = ended.memory;
                let results = match result {
                    Ok(results) => {
                        let given = ended.output_bytes;
                        self.checked_results(action, results, positions.len(), &limits, given)
                    }
                    Err(error) => Ok(Results::Whole(error.into())),
                };
                match results {
                    Ok(results) => (results, ended.emitted),
                    Err(error) => {
                        let whole = Results::Whole(ItemError::new("internal", error.to_string()));
                        outcome.stopped = Some(error);
                        (whole, ended.emitted)
                    }
                }
            }
            Err(Stopped { error, emitted }) => {
                let message = format!("{error}; what it had sent may have happened");
                outcome.stopped = Some(error);
                (Results::Whole(ItemError::new("internal", message)), emitted)
            }
        };
        let mut results = results.into_iter(positions.len());
        for (index, problems) in problems.into_iter().enumerate() {
            if !problems.is_empty() {
                outcome.items.push(invalid_item(&problems));
                continue;
            }
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let mut output = emitted.remove(&index).unwrap_or_default();
            let error = match results.next() {
                Some(Ok(records)) => {
                    output.extend(records);
                    None
                }
                Some(Err(error)) => Some(error),
                None => Some(ItemError::new("internal", "the plugin gave no result")),
            };
            outcome.items.push(ItemOutcome { output, error });
        }
        let ended = JournalEntry::Ended {
            items: outcome.items.iter().map(ItemOutcome::is_ok).collect(),
            error: outcome.stopped.as_ref().map(|error| Value::String(error.to_string())),
        };
        if let Err(error) = self.shared.journal.append(ended).await {
            tracing::error!(%error, "the journal cannot be written");
        }
        Ok(outcome)
    }

    /// Results as the contract wants them: one per item, known ports, JSON.
    fn checked_results(
        &self,
        action: &Action,
        results: Vec<GuestResult>,
        items: usize,
        limits: &Limits,
        mut bytes: usize,
    ) -> Result<Results, Error> {
        let broken = |problem: String| Error::from(ErrorKind::Stopped(problem));
        if results.len() != items {
            return Err(broken(format!("it gave {} results for {items} items", results.len())));
        }
        let mut checked = Vec::with_capacity(items);
        for result in results {
            checked.push(match result {
                Err(error) => Err(error.into()),
                Ok(outputs) => {
                    let mut records = Vec::with_capacity(outputs.len());
                    for output in outputs {
                        bytes += output.json.len();
                        if bytes > limits.output {
                            let limit = limits.output;
                            return Err(broken(format!("its output is larger than {limit} bytes")));
                        }
                        if !action.output.contains_key(&output.port) {
                            let port = &output.port;
                            return Err(broken(format!(
                                "it gave output on the port `{port}`, which `{}` does not have",
                                action.name
                            )));
                        }
                        let record = OutputRecord::checked(output, limits.json_depth);
                        records.push(record.map_err(|error| broken(error.to_string()))?);
                    }
                    Ok(records)
                }
            });
        }
        Ok(Results::PerItem(checked))
    }
}

type GuestResult = Result<
    Vec<crate::bindings::workflow::node::types::OutputItem>,
    crate::bindings::workflow::node::types::Error,
>;

/// Results of a call.
enum Results {
    PerItem(Vec<Result<Vec<OutputRecord>, ItemError>>),
    /// The call as a whole failed: every item did.
    Whole(ItemError),
}

impl Results {
    fn into_iter(self, items: usize) -> std::vec::IntoIter<Result<Vec<OutputRecord>, ItemError>> {
        match self {
            Self::PerItem(results) => results.into_iter(),
            Self::Whole(error) => vec![Err(error); items].into_iter(),
        }
    }
}

fn invalid_item(problems: &[FieldProblem]) -> ItemOutcome {
    let message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let mut error = ItemError::new("invalid-input", message);
    error.detail = Some(serde_json::json!({ "errors": problems }));
    ItemOutcome { output: Vec::new(), error: Some(error) }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}
