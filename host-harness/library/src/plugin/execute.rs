//! Runs an action: validates the items, passes the valid ones to the guest in portions, and combines
//! their results.

mod guest;
mod journal;
mod portion;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use self::guest::Called;
use self::journal::{Journaled, invalid, item_end};
pub(super) use self::portion::Portion;
use super::call::Instance;
use super::form::CompiledForm;
use super::session::execution_id;
use super::{Plugin, check_version};
use crate::deadline::Deadline;
use crate::description::{FieldProblem, SlotUse};
use crate::egress::Session;
use crate::error::{Cause, Error};
use crate::execution::{Execution, FormOf, ItemOutcome, Outcome};
use crate::item::{ItemError, ItemErrorKind};
use crate::journal::JournalError;
use crate::journal::record::{ItemEnd, Kind, Portion as PortionRecord, Record};
use crate::limits::Limits;
use crate::observer::{Observer, Silent};
use crate::offload::{Offload, Stop};

const ANOTHER_FAILED: &str = "not started, because another item failed";

impl Plugin {
    /// Runs an action.
    ///
    /// # Errors
    ///
    /// As [`Plugin::execute_observed`].
    pub async fn execute(&self, execution: Execution) -> Result<Outcome, Error> {
        self.execute_observed(execution, Arc::new(Silent)).await
    }

    /// Runs an action and collects its results, and reports its progress to an observer.
    /// Items are validated first: one that is wrong stops all, or with `continue_on_fail` fails
    /// alone. For more items than fit into memory see [`Plugin::stream`].
    ///
    /// # Errors
    ///
    /// When nothing was run: the plugin is not approved, an item is wrong, a credential is missing.
    /// A plugin that is stopped half-way is an [`Outcome`].
    pub async fn execute_observed(
        &self,
        mut execution: Execution,
        observer: Arc<dyn Observer>,
    ) -> Result<Outcome, Error> {
        let mut items = std::mem::take(&mut execution.items);
        let total = items.len();
        let limits = execution.context.limits.as_ref().unwrap_or(&self.shared.limits);
        let time = execution.context.timeout.unwrap_or(limits.total_time);
        let end = Deadline::after(self.shared.clock.clone(), time);
        let place = (total > limits.portion_items).then(|| u64::try_from(total).ok());
        let mut run = Run::new(self, execution, observer, End::At(end), place, None).await?;
        run.total = Some(total);
        if !run.execution.continue_on_fail {
            let of_items;
            (items, of_items) = run.problems(items).await?;
            let problems: Vec<FieldProblem> = of_items
                .into_iter()
                .enumerate()
                .flat_map(|(index, of_item)| {
                    of_item.into_iter().map(move |problem| FieldProblem {
                        pointer: format!("/{index}{}", problem.pointer),
                        message: problem.message,
                    })
                })
                .collect();
            if !problems.is_empty() {
                let what = "the items do not match the parameters of the action (item, parameter)"
                    .to_owned();
                return Err(Cause::Invalid { what, problems }.into());
            }
            run.is_valid = true;
        }
        run.begin_journal(Kind::List, &items).await?;
        run.collect(Vec::with_capacity(total), items).await
    }
}

/// When the calls of an execution end.
pub(super) enum End {
    /// All at this moment.
    At(Arc<Deadline>),
    /// Each when none of its items has finished for so long.
    Stalled(Duration),
}

/// One execution under way.
pub(super) struct Run<'a> {
    plugin: &'a Plugin,
    target: Target,
    form: Arc<CompiledForm>,
    heavy: Offload,
    pub(super) execution: Execution,
    observer: Arc<dyn Observer>,
    end: End,
    pub(super) limits: Limits,
    id: String,
    started: Duration,
    /// Whether the items have been validated already.
    pub(super) is_valid: bool,
    /// The execution's number of items, where it is known; `None` where one call has all of them.
    place: Option<Option<u64>>,
    /// How many items there are, where they are a list.
    pub(super) total: Option<usize>,
    /// Nothing is begun after this moment.
    latest: Option<Duration>,
    /// Position of the next item.
    next: u32,
    instance: Option<Instance>,
    session: Option<Arc<Session>>,
    pub(super) failed: u64,
    pub(super) stopped: Option<Error>,
    requests: u64,
    output_bytes: usize,
    memory: usize,
    memory_growth: usize,
    journal: Option<Journaled>,
    /// Whether it is answered from a journal alone.
    pub(super) is_offline: bool,
    /// Whether the journal that answers it ends before the execution does.
    pub(super) is_cut: bool,
    /// Why the remaining items were not begun, where a journal says so.
    pub(super) recorded_not_begun: Option<String>,
    /// Whether a journal holds portions of it.
    pub(super) has_portions: bool,
    /// So many of the next items are in the journal already.
    pub(super) recorded_items: usize,
    /// Whether its journal says that it has ended.
    has_ended: bool,
    /// Record of the next call, as far as it is known.
    portion_record: Option<PortionRecord>,
}

/// Target that a run calls.
struct Target {
    version: u32,
    ports: BTreeSet<String>,
    slots: BTreeMap<String, SlotUse>,
    batches: bool,
    /// Whose choices are asked for; `None` where an action is run.
    choices: Option<FormOf>,
}

impl<'a> Run<'a> {
    /// `choices` names the form if the run loads choices instead of running an action.
    pub(super) async fn new(
        plugin: &'a Plugin,
        execution: Execution,
        observer: Arc<dyn Observer>,
        end: End,
        place: Option<Option<u64>>,
        choices: Option<FormOf>,
    ) -> Result<Self, Error> {
        let form = choices.clone().unwrap_or_else(|| FormOf::Action(execution.action.clone()));
        let target = match &choices {
            None => {
                let action = plugin.action(&execution.action)?;
                check_version("action", &action.name, execution.version, action.version)?;
                Target {
                    version: action.version,
                    ports: action.output.keys().cloned().collect(),
                    slots: action.slots.clone(),
                    batches: action.batches,
                    choices,
                }
            }
            Some(of) => Target {
                version: 0,
                ports: BTreeSet::from(["main".to_owned()]),
                slots: match of {
                    FormOf::Action(name) => plugin.action(name)?.slots.clone(),
                    FormOf::Trigger(name) => plugin.trigger(name)?.slots.clone(),
                },
                batches: true,
                choices,
            },
        };
        Ok(Self {
            form: plugin.form_elsewhere(form).await?,
            heavy: plugin.shared.heavy.of_another(),
            plugin,
            target,
            limits: execution
                .context
                .limits
                .clone()
                .unwrap_or_else(|| plugin.shared.limits.clone()),
            id: execution_id(&execution),
            started: plugin.shared.clock.monotonic(),
            latest: execution.context.timeout.map(|time| plugin.shared.clock.monotonic() + time),
            execution,
            observer,
            end,
            is_valid: false,
            place,
            total: None,
            next: 0,
            instance: None,
            session: None,
            failed: 0,
            stopped: None,
            requests: 0,
            output_bytes: 0,
            memory: 0,
            memory_growth: 0,
            journal: None,
            is_offline: false,
            is_cut: false,
            recorded_not_begun: None,
            has_portions: false,
            recorded_items: 0,
            has_ended: false,
            portion_record: None,
        })
    }

    /// Runs items after those that have outcomes, and returns all outcomes.
    pub(super) async fn collect(
        mut self,
        mut outcomes: Vec<ItemOutcome>,
        items: Vec<Value>,
    ) -> Result<Outcome, Error> {
        let total = outcomes.len() + items.len();
        let mut items = items.into_iter().peekable();
        // An empty execution is run once, to find out whether it could.
        let mut is_first = outcomes.is_empty() && !self.has_portions;
        while is_first || (items.peek().is_some() && !self.is_over()) {
            is_first = false;
            let mut portion = Portion::default();
            while portion.has_room(self.limits.portion_items, self.concurrency(), &self.limits)
                && let Some(item) = items.next()
            {
                portion.push(item);
            }
            let first = self.next;
            match self.portion(portion.items).await {
                Ok(finished) => {
                    let observer = self.observer.clone();
                    outcomes.extend(report(&*observer, first, finished).await);
                }
                Err(error) if outcomes.is_empty() => {
                    self.leave_journal().await;
                    return Err(error);
                }
                Err(error) => self.stopped = Some(error),
            }
        }
        let not_begun = ItemOutcome { output: Vec::new(), error: Some(self.not_begun()) };
        outcomes.resize(total, not_begun);
        self.end_journal().await;
        Ok(self.outcome(outcomes))
    }

    /// How many items may be under way at once, as far as the host knows.
    pub(super) fn concurrency(&self) -> usize {
        self.execution.concurrency.unwrap_or(self.limits.concurrent_requests)
    }

    /// Position of the next item.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Whether nothing more is begun.
    pub(super) fn is_over(&self) -> bool {
        self.stopped.is_some()
            || self.has_ended
            || self.execution.context.cancellation.is_cancelled()
            || self.is_late()
            || (self.failed > 0 && !self.execution.continue_on_fail)
    }

    /// Whether the time that the engine gave has passed.
    pub(super) fn is_late(&self) -> bool {
        self.latest.is_some_and(|latest| self.plugin.shared.clock.monotonic() >= latest)
    }

    /// Why an item was not begun.
    pub(super) fn not_begun(&self) -> ItemError {
        if let Some(recorded) = &self.recorded_not_begun {
            return ItemError::cancelled(recorded.clone());
        }
        ItemError::cancelled(
            match (&self.stopped, self.execution.context.cancellation.is_cancelled()) {
                (Some(error), _) => format!("not started, because {error}"),
                (None, true) => "not started, because the run was canceled".to_owned(),
                (None, false) if self.is_late() => {
                    "not started, because the time limit was exceeded".to_owned()
                }
                (None, false) => ANOTHER_FAILED.to_owned(),
            },
        )
    }

    /// Runs the next items; one outcome each, in order.
    ///
    /// # Errors
    ///
    /// When none of them was begun: the plugin is not approved, a credential is missing.
    pub(super) async fn portion(&mut self, items: Vec<Value>) -> Result<Vec<Finished>, Error> {
        let first = self.next;
        let count = u32::try_from(items.len()).map_err(Error::internal)?;
        let Some(next) = first.checked_add(count) else {
            return Err(Error::internal("an execution has at most 4,294,967,295 items"));
        };
        let (items, problems) = match self.is_valid {
            true => {
                let problems = vec![Vec::new(); items.len()];
                (items, problems)
            }
            false => self.problems(items).await?,
        };
        if matches!(&self.journal, Some(journal) if journal.start.kind == Kind::Stream) {
            let known = self.recorded_items.min(items.len());
            self.recorded_items -= known;
            self.record_items(&items[known..]).await?;
        }
        let wrong = problems.iter().filter(|of_item| !of_item.is_empty()).count() as u64;
        let begins = wrong == 0 || self.execution.continue_on_fail;
        let mut positions = Vec::with_capacity(items.len());
        let mut texts = Vec::with_capacity(items.len());
        if begins {
            for (position, (item, problems)) in (first..next).zip(items.iter().zip(&problems)) {
                if problems.is_empty() {
                    positions.push(position);
                    texts.push(self.text(item));
                }
            }
        }
        // Without a good item there is nothing to call for, except that an empty execution finds
        // out whether it could run.
        let called = match begins && (!positions.is_empty() || items.is_empty()) {
            true => {
                self.portion_record = self.recorder().map(|journal| PortionRecord {
                    first,
                    count,
                    invalid: invalid(first, &problems, journal.keeps_contents()),
                    called: true,
                    fresh: self.instance.is_none(),
                    ..PortionRecord::default()
                });
                self.call(texts, positions, None).await?
            }
            false => {
                if let Some(journal) = self.recorder() {
                    let record = PortionRecord {
                        first,
                        count,
                        invalid: invalid(first, &problems, journal.keeps_contents()),
                        ..PortionRecord::default()
                    };
                    journal.push(Record::Portion(record)).map_err(JournalError::from)?;
                }
                Called::none()
            }
        };
        let (outcomes, ends) = self.put_together(first, problems, called);
        if let Err(error) = self.record_end(ends) {
            self.stopped.get_or_insert(error);
        }
        // These items are reported to the engine next.
        if let Some(journal) = self.recorder()
            && let Err(error) = journal.flush(false).await
        {
            self.stopped.get_or_insert(Cause::Stopped(error.reason()).into());
        }
        Ok(outcomes)
    }

    /// One outcome for each item of a portion, and its record.
    fn put_together(
        &mut self,
        first: u32,
        problems: Vec<Vec<FieldProblem>>,
        called: Called,
    ) -> (Vec<Finished>, Vec<ItemEnd>) {
        let Called { results, mut traces } = called;
        let good = problems.iter().filter(|problems| problems.is_empty()).count();
        let mut results = results.into_iter(good);
        let (mut outcomes, mut ends) = (Vec::with_capacity(problems.len()), Vec::new());
        let is_recorded = self.journal.is_some() || self.is_offline;
        let next = first.saturating_add(u32::try_from(problems.len()).unwrap_or(u32::MAX));
        for (position, problems) in (first..next).zip(problems) {
            let mut parts = traces.digests.remove(&position).unwrap_or_default();
            let mut reported = 0;
            let ended = traces.ended.remove(&position);
            let is_reported = ended.is_some();
            let outcome = match problems.is_empty() {
                false => invalid_item(&problems),
                true => {
                    let mut output = traces.emitted.remove(&position).unwrap_or_default();
                    reported = output.len();
                    let error = match (ended, results.next()) {
                        (Some(error), _) => error,
                        (None, Some(Ok(records))) => {
                            if is_recorded {
                                records.iter().for_each(|record| record.add_to(&mut parts));
                            }
                            output.extend(records);
                            None
                        }
                        (None, Some(Err(error))) => Some(error),
                        (None, None) => Some(ItemError::new(
                            ItemErrorKind::Internal,
                            "the plugin returned no result",
                        )),
                    };
                    ItemOutcome { output, error }
                }
            };
            if is_recorded {
                ends.push(item_end(parts, outcome.error.as_ref()));
            }
            outcomes.push(Finished { outcome, reported, is_reported });
        }
        self.next = next;
        self.failed += outcomes.iter().filter(|one| !one.outcome.is_ok()).count() as u64;
        (outcomes, ends)
    }

    /// Problems with each item. The time grows with the items and the form, but does not exceed the
    /// time that the call would have.
    fn problems(
        &self,
        items: Vec<Value>,
    ) -> impl Future<Output = Result<(Vec<Value>, Vec<Vec<FieldProblem>>), Error>> + Send + use<>
    {
        let (form, plugin) = (self.form.clone(), self.plugin.clone());
        let principal = self.execution.context.actor.clone();
        let brief = form.is_brief(&items);
        let check = move |stop: &Stop| {
            let mut problems = Vec::with_capacity(items.len());
            for item in &items {
                if stop.is_set() {
                    break;
                }
                problems.push(plugin.problems(&form, &principal, item));
            }
            (items, problems)
        };
        let deadline = match &self.end {
            End::At(deadline) => deadline.clone(),
            End::Stalled(time) => Deadline::after(self.plugin.shared.clock.clone(), *time),
        };
        // The instance cannot be shared, so nothing of the run is borrowed while this waits.
        let (heavy, next) = (self.heavy.clone(), self.next);
        let cancellation = self.execution.context.cancellation.clone();
        async move {
            if brief {
                return Ok(check(&Stop::default()));
            }
            tokio::select! {
                checked = heavy.run(check) => Ok(checked?),
                () = deadline.passed() => Err(Cause::TimeRanOut(next).into()),
                () = cancellation.cancelled() => Err(Cause::TimeRanOut(next).into()),
            }
        }
    }

    fn duration(&self) -> Duration {
        self.plugin.shared.clock.monotonic().saturating_sub(self.started)
    }

    pub(super) fn outcome(self, items: Vec<ItemOutcome>) -> Outcome {
        let journal = self.journal_status();
        Outcome {
            duration: self.duration(),
            id: self.id,
            items,
            stopped: self.stopped,
            requests: self.requests,
            memory: self.memory,
            memory_growth: self.memory_growth,
            journal,
        }
    }

    pub(super) fn end(self) -> crate::execution::ExecutionEnd {
        let journal = self.journal_status();
        crate::execution::ExecutionEnd {
            duration: self.duration(),
            id: self.id,
            items: u64::from(self.next),
            failed: self.failed,
            stopped: self.stopped,
            requests: self.requests,
            memory: self.memory,
            memory_growth: self.memory_growth,
            journal,
        }
    }
}

/// An item that has finished.
pub(super) struct Finished {
    pub(super) outcome: ItemOutcome,
    /// How many records of it the observer has received already.
    pub(super) reported: usize,
    /// Whether the observer has received its end already.
    pub(super) is_reported: bool,
}

/// Reports finished items to an observer. Returns what of them belongs into the outcome. The instance
/// cannot be shared, so nothing of the run is borrowed while this waits.
pub(super) async fn report(
    observer: &dyn Observer,
    first: u32,
    finished: Vec<Finished>,
) -> Vec<ItemOutcome> {
    let mut outcomes = Vec::with_capacity(finished.len());
    for (item, Finished { mut outcome, reported, is_reported }) in (first..).zip(finished) {
        let records = &outcome.output[reported..];
        if !records.is_empty() {
            observer.output(item, records).await;
        }
        if !is_reported {
            observer.item_finished(item, outcome.error.as_ref()).await;
        }
        if !observer.keeps_output() {
            outcome.output = Vec::new();
        }
        outcomes.push(outcome);
    }
    outcomes
}

fn invalid_item(problems: &[FieldProblem]) -> ItemOutcome {
    let message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let mut error = ItemError::new(ItemErrorKind::InvalidInput, message);
    error.detail = Some(serde_json::json!({ "errors": problems }));
    ItemOutcome { output: Vec::new(), error: Some(error) }
}
