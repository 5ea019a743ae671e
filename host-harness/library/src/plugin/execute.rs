//! Runs an action: validates the items, hands the good ones to the guest in portions, and puts
//! together what comes of each.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tracing::Instrument as _;

use super::Plugin;
use super::call::{Instance, Stopped};
use super::form::Form;
use super::invocation::{GuestResults, Invocation};
use super::results::{checked_results, is_brief};
use super::session::{Part, Prepared, execution_id};
use crate::bindings::exports::workflow::node::node::Call;
use crate::deadline::Deadline;
use crate::description::{Action, FieldProblem};
use crate::egress::Session;
use crate::error::{Cause, Error};
use crate::execution::{
    Execution, FormOf, ItemError, ItemErrorKind, ItemOutcome, Observer, Outcome, OutputRecord,
    Silent,
};
use crate::imports::{Emitted, Place};
use crate::journal::JournalEntry;
use crate::limits::Limits;
use crate::offload::{Offload, Stop};

/// An instance whose memory has grown by more than this part of the limit serves no further
/// portion: what its author leaks ends with it.
const REUSED_MEMORY: usize = 4;

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

    /// Runs an action and collects what comes of it, telling an observer what happens meanwhile.
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
        let mut run = Run::new(self, execution, observer, End::At(end), place).await?;
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
        let mut outcomes = Vec::with_capacity(total);
        let mut items = items.into_iter().peekable();
        loop {
            let mut portion = Portion::default();
            while portion.has_room(run.limits.portion_items, run.concurrency(), &run.limits)
                && let Some(item) = items.next()
            {
                portion.push(item);
            }
            let first = run.next();
            match run.portion(portion.items).await {
                Ok(finished) => {
                    let observer = run.observer.clone();
                    outcomes.extend(report(&*observer, first, finished).await);
                }
                Err(error) if outcomes.is_empty() => return Err(error),
                Err(error) => run.stopped = Some(error),
            }
            if items.peek().is_none() || run.is_over() {
                break;
            }
        }
        let not_begun = ItemOutcome { output: Vec::new(), error: Some(run.not_begun()) };
        outcomes.resize(total, not_begun);
        Ok(run.outcome(outcomes))
    }
}

/// Items that the guest is handed at once.
#[derive(Default)]
pub(super) struct Portion {
    pub(super) items: Vec<Value>,
    bytes: usize,
}

impl Portion {
    /// Whether another item belongs into it: so many by number and bytes, but enough to keep
    /// `concurrency` items under way.
    pub(super) fn has_room(&self, most: usize, concurrency: usize, limits: &Limits) -> bool {
        let (soft, hard) = limits.portion_bytes;
        let count = self.items.len();
        count == 0
            || (count < most.max(concurrency)
                && self.bytes < if count < concurrency { hard } else { soft })
    }

    pub(super) fn push(&mut self, item: Value) {
        self.bytes += weight(&item);
        self.items.push(item);
    }
}

/// About how long a value is as JSON text.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(list) => 2 + list.iter().map(weight).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(name, value)| name.len() + 4 + weight(value)).sum::<usize>()
        }
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
    action: &'a Action,
    form: Arc<Form>,
    heavy: Offload,
    pub(super) execution: Execution,
    observer: Arc<dyn Observer>,
    end: End,
    pub(super) limits: Limits,
    id: String,
    started: Duration,
    /// Whether the items have been validated already.
    is_valid: bool,
    /// The execution's number of items, where it is known; `None` where one call has all of them.
    place: Option<Option<u64>>,
    /// How many items there are, where they are a list.
    total: Option<usize>,
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
}

impl<'a> Run<'a> {
    pub(super) async fn new(
        plugin: &'a Plugin,
        execution: Execution,
        observer: Arc<dyn Observer>,
        end: End,
        place: Option<Option<u64>>,
    ) -> Result<Self, Error> {
        let action = plugin.action(&execution.action)?;
        let form = FormOf::Action(action.name.clone());
        Ok(Self {
            form: plugin.form_elsewhere(form).await?,
            heavy: plugin.shared.heavy.of_another(),
            plugin,
            action,
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
        })
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
        ItemError::cancelled(
            match (&self.stopped, self.execution.context.cancellation.is_cancelled()) {
                (Some(error), _) => format!("not started, because {error}"),
                (None, true) => "not started, because the run was canceled".to_owned(),
                (None, false) if self.is_late() => "not started, because the time limit was \
                                                    exceeded"
                    .to_owned(),
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
        let wrong = problems.iter().filter(|of_item| !of_item.is_empty()).count() as u64;
        let begins = wrong == 0 || self.execution.continue_on_fail;
        let mut positions = Vec::with_capacity(items.len());
        let mut texts = Vec::with_capacity(items.len());
        let by = self.execution.context.actor.clone();
        if begins {
            for (position, (item, problems)) in (first..next).zip(items.iter().zip(&problems)) {
                if problems.is_empty() {
                    positions.push(position);
                    texts.push(self.plugin.text_without_secrets(&self.form, &by, item));
                }
            }
        }
        // Without a good item there is nothing to call for, except that an empty execution finds
        // out whether it could run.
        let mut called = match begins && (!positions.is_empty() || items.is_empty()) {
            true => self.call(texts, positions).await?,
            false => Called {
                results: Results::Whole(ItemError::cancelled(ANOTHER_FAILED)),
                emitted: Emitted::new(),
            },
        };
        self.next = next;
        let good = problems.iter().filter(|problems| problems.is_empty()).count();
        let mut results = called.results.into_iter(good);
        let mut outcomes = Vec::with_capacity(items.len());
        for (position, problems) in (first..next).zip(problems) {
            if !problems.is_empty() {
                outcomes.push(Finished { outcome: invalid_item(&problems), reported: 0 });
                continue;
            }
            let mut output = called.emitted.remove(&position).unwrap_or_default();
            let reported = output.len();
            let error = match results.next() {
                Some(Ok(records)) => {
                    output.extend(records);
                    None
                }
                Some(Err(error)) => Some(error),
                None => Some(ItemError::new(
                    ItemErrorKind::Internal,
                    "the plugin returned no \
                                                                      result",
                )),
            };
            outcomes.push(Finished { outcome: ItemOutcome { output, error }, reported });
        }
        self.failed += outcomes.iter().filter(|one| !one.outcome.is_ok()).count() as u64;
        Ok(outcomes)
    }

    /// Tells how long a list of items takes by the rate limit of the credential, and refuses it where
    /// that is longer than the time allowed even if nobody else sends anything: it would end half-way.
    fn check_pace(
        &self,
        items: usize,
        paced: Option<(Duration, Duration, String)>,
    ) -> Result<(), Error> {
        let End::At(deadline) = &self.end else { return Ok(()) };
        let Some((time, alone, limit)) = paced else { return Ok(()) };
        let allowed = deadline.left();
        if alone >= allowed {
            let time = alone;
            let action = self.action.name.clone();
            return Err(Cause::Pace { action, items, time, allowed, limit }.into());
        }
        self.observer.paced(items, time);
        Ok(())
    }

    /// What is wrong with each item. Takes time with items and form, but no longer than the call
    /// would have.
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
                checked = heavy.run(check) => checked,
                () = deadline.passed() => Err(Cause::TimeRanOut(next).into()),
                () = cancellation.cancelled() => Err(Cause::TimeRanOut(next).into()),
            }
        }
    }

    /// Calls the guest with some items.
    async fn call(&mut self, items: Vec<String>, positions: Vec<u32>) -> Result<Called, Error> {
        let plugin = self.plugin;
        let shared = &plugin.shared;
        let count = items.len();
        let deadline = match &self.end {
            End::At(deadline) => deadline.clone(),
            End::Stalled(time) => Deadline::stalled_for(shared.clock.clone(), *time, self.latest),
        };
        let before = u64::from(self.next);
        let part = Part {
            id: self.id.clone(),
            positions,
            place: self.place.map(|total| Place { before, total }),
            deadline,
            former: self.session.as_deref(),
        };
        let (slots, observer) = (Some(&self.action.slots), self.observer.clone());
        let Prepared { session, mut context } =
            plugin.session_for(&self.execution, slots, observer, part).await?;
        self.session = Some(session.clone());
        if let Some(items) = self.total.filter(|_| before == 0)
            && !self.action.batches
            && !session.dry_run
        {
            let paced = session.time_for(items);
            self.check_pace(items, paced)?;
        }
        context.count_output(self.output_bytes);
        let call = Call {
            node: plugin.description.node.name.clone(),
            version: self.action.version,
            action: self.action.name.clone(),
            items,
            options: without_nulls(serde_json::json!({
                "continue_on_fail": self.execution.continue_on_fail,
                "concurrency": self.execution.concurrency,
            }))
            .to_string(),
        };
        let span = tracing::info_span!(
            "execute", node = %call.node, action = %call.action, execution = %self.id,
            items = count
        );
        let call = Invocation::Execute(call);
        let called = match self.instance.take() {
            Some(instance) => instance.go_on(context, &call).instrument(span).await,
            None => Instance::begin(shared, &plugin.guest, context, &call).instrument(span).await,
        };
        self.requests += u64::from(session.requests.load(Ordering::Relaxed));
        let called = match called {
            Ok((results, ended, instance)) => {
                self.memory = self.memory.max(ended.memory);
                self.memory_growth = self.memory_growth.max(instance.memory_growth());
                if instance.memory_growth() <= self.limits.memory / REUSED_MEMORY {
                    self.instance = Some(instance);
                }
                let results = self.checked(results, count, ended.output_bytes).await;
                Called { results, emitted: ended.emitted }
            }
            Err(Stopped { error, emitted, .. }) => {
                let message = format!("{error}. Requests that it had sent may have taken effect");
                let mut whole = ItemError::new(ItemErrorKind::Internal, message);
                whole.detail = error.crash().map(|crash| serde_json::json!({ "crash": crash }));
                self.stopped = Some(error);
                Called { results: Results::Whole(whole), emitted }
            }
        };
        let ended = JournalEntry::Ended {
            items: called.results.succeeded(count),
            error: self.stopped.as_ref().map(|error| Value::String(error.to_string())),
        };
        if let Err(error) = shared.journal.append(ended).await {
            tracing::error!(%error, "the journal cannot be written");
        }
        Ok(called)
    }

    async fn checked(&mut self, results: GuestResults, items: usize, emitted: usize) -> Results {
        let results = match results {
            Ok(results) => results,
            Err(error) => return Results::Whole(ItemError::of_guest(error, &self.limits)),
        };
        let (action, limits) = (self.action.name.clone(), self.limits.clone());
        let ports = self.action.output.keys().cloned().collect();
        let is_brief = is_brief(&results);
        let check = move || checked_results(&action, &ports, results, items, &limits, emitted);
        let checked = match self.session.as_ref().filter(|_| !is_brief) {
            Some(session) => session.heavy.run(move |_| check()).await,
            None => Ok(check()),
        };
        let stopped = |problem: String| Error::from(Cause::Stopped(problem));
        match checked.and_then(|checked| checked.map_err(stopped)) {
            Ok((results, bytes)) => {
                // What an engine has taken counts no more.
                self.output_bytes = if self.observer.keeps_output() { bytes } else { 0 };
                Results::PerItem(results)
            }
            Err(error) => {
                let whole =
                    Results::Whole(ItemError::new(ItemErrorKind::Internal, error.to_string()));
                self.stopped = Some(error);
                whole
            }
        }
    }

    fn duration(&self) -> Duration {
        self.plugin.shared.clock.monotonic().saturating_sub(self.started)
    }

    fn outcome(self, items: Vec<ItemOutcome>) -> Outcome {
        Outcome {
            duration: self.duration(),
            id: self.id,
            items,
            stopped: self.stopped,
            requests: self.requests,
            memory: self.memory,
            memory_growth: self.memory_growth,
        }
    }

    pub(super) fn end(self) -> crate::execution::ExecutionEnd {
        crate::execution::ExecutionEnd {
            duration: self.duration(),
            id: self.id,
            items: u64::from(self.next),
            failed: self.failed,
            stopped: self.stopped,
            requests: self.requests,
            memory: self.memory,
            memory_growth: self.memory_growth,
        }
    }
}

/// An item that has finished.
pub(super) struct Finished {
    pub(super) outcome: ItemOutcome,
    /// How many records of it the observer has received already.
    reported: usize,
}

/// Reports finished items to an observer. Returns what of them belongs into the outcome. The instance
/// cannot be shared, so nothing of the run is borrowed while this waits.
async fn report(observer: &dyn Observer, first: u32, finished: Vec<Finished>) -> Vec<ItemOutcome> {
    let mut outcomes = Vec::with_capacity(finished.len());
    for (item, Finished { mut outcome, reported }) in (first..).zip(finished) {
        let records = &outcome.output[reported..];
        if !records.is_empty() {
            observer.output(item, records).await;
        }
        observer.item_finished(item, outcome.error.as_ref()).await;
        if !observer.keeps_output() {
            outcome.output = Vec::new();
        }
        outcomes.push(outcome);
    }
    outcomes
}

/// What came of a call.
struct Called {
    results: Results,
    emitted: Emitted,
}

/// Results of a call.
enum Results {
    PerItem(Vec<Result<Vec<OutputRecord>, ItemError>>),
    /// The call as a whole failed: every item did.
    Whole(ItemError),
}

impl Results {
    /// Whether each item succeeded. None did if the call as a whole failed.
    fn succeeded(&self, items: usize) -> Vec<bool> {
        match self {
            Self::PerItem(results) => results.iter().map(Result::is_ok).collect(),
            Self::Whole(_) => vec![false; items],
        }
    }

    fn into_iter(self, items: usize) -> std::vec::IntoIter<Result<Vec<OutputRecord>, ItemError>> {
        match self {
            Self::PerItem(results) => results.into_iter(),
            Self::Whole(error) => vec![Err(error); items].into_iter(),
        }
    }
}

fn invalid_item(problems: &[FieldProblem]) -> ItemOutcome {
    let message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let mut error = ItemError::new(ItemErrorKind::InvalidInput, message);
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
