//! Executions from their journals: continued after a restart, or replayed without a network.

use std::sync::Arc;

use futures_util::Stream;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::Plugin;
use super::execute::{End, Finished, Run, report};
use super::stream::{ExecutionStream, WAITING, drive};
use crate::deadline::Deadline;
use crate::egress::SendGate;
use crate::error::{Cause, Error};
use crate::execution::{Execution, ExecutionEvent, FormOf, ItemOutcome, Outcome};
use crate::item::ItemError;
use crate::journal::record::Kind;
use crate::journal::{JournalError, JournalName, Journals, Recorder, Recording};
use crate::observer::{Observer, Silent};

/// How an execution is resumed.
#[derive(Clone)]
#[non_exhaustive]
pub struct Resume {
    /// Receives events of the execution. Earlier activity is reported again: output is emitted
    /// again from the first item on.
    pub observer: Arc<dyn Observer>,
    /// Ends it from outside.
    pub cancellation: CancellationToken,
    /// Holds back its requests before the host ends.
    pub gate: SendGate,
    /// The items that the execution was run with. Required if the journal keeps only digests;
    /// otherwise they are compared with the journal.
    pub items: Option<Vec<Value>>,
    /// Sends only requests that change nothing (`GET`, `HEAD`, `OPTIONS`): for a journal that comes
    /// from a backup, after which the execution may have gone on. Any other request whose answer is
    /// not in the journal fails as one that may have been received, which a node reports as
    /// `outcome-unknown`. Idempotency keys do not help here: services forget them. Default: false.
    pub reads_only: bool,
}

impl Default for Resume {
    fn default() -> Self {
        let (observer, cancellation) = (Arc::new(Silent), CancellationToken::new());
        Self { observer, cancellation, gate: SendGate::new(), items: None, reads_only: false }
    }
}

/// Result of a replay.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replay {
    /// Result of the execution, as far as the journal contains it.
    pub outcome: Outcome,
    /// Whether the journal holds the execution up to its end.
    pub is_complete: bool,
}

impl Plugin {
    /// Runs an execution at most once under its ID, however often this is called, and over restarts.
    /// If it has a journal, the execution is resumed from it, and one that has ended yields its
    /// outcome again without sending anything.
    ///
    /// # Errors
    ///
    /// If the execution has no ID or no journal, as [`Plugin::execute_observed`] and
    /// [`Plugin::resume`], and [`JournalError::OtherExecution`] if the ID was used for another
    /// execution.
    pub async fn execute_once(
        &self,
        execution: Execution,
        observer: Arc<dyn Observer>,
    ) -> Result<Outcome, Error> {
        let lacks = |what: &str| {
            Error::from(Cause::Items(format!("to run an execution once, it needs {what}")))
        };
        let journals = execution.context.journal.clone().or_else(|| self.shared.journals.clone());
        let journals = journals.ok_or_else(|| lacks("a journal"))?;
        let id = execution.id.as_ref().ok_or_else(|| lacks("an ID"))?;
        let name = JournalName::of(&execution.context.actor.tenant, id);
        match journals.read(&name).await {
            Ok(recording) => {
                recording.matches(&execution)?;
                let (cancellation, gate) = (execution.context.cancellation, execution.context.gate);
                let items = Some(execution.items);
                let resume = Resume { observer, cancellation, gate, items, reads_only: false };
                self.resume(&journals, &name, resume).await
            }
            Err(JournalError::Missing(_)) => self.execute_observed(execution, observer).await,
            Err(JournalError::NotBegun) => {
                journals.remove(&name).await?;
                self.execute_observed(execution, observer).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Continues an execution from its journal, also one that another process began. What the guest
    /// did before is done again and answered from the journal; then it goes on. A request that may
    /// have been sent and whose answer is not in the journal is sent again only if it is safe to
    /// repeat or has an idempotency key; otherwise it fails as one that may have been received, which
    /// a node reports as `outcome-unknown`.
    ///
    /// An execution that has ended yields its outcome again, and nothing is sent. It has its whole time
    /// again. Where the journal keeps digests only, items that had finished have no output, and items
    /// that were under way end as `outcome-unknown` if any of their requests was unsafe to repeat.
    ///
    /// # Errors
    ///
    /// [`Error::journal`] if the journal cannot be read, is of a stream, ends before the execution
    /// began, is incomplete, or the plugin does something else than before; and as
    /// [`Plugin::execute_observed`].
    pub async fn resume(
        &self,
        journals: &Journals,
        name: &JournalName,
        resume: Resume,
    ) -> Result<Outcome, Error> {
        let (recording, recorder) = self.reopen(journals, name).await?;
        if recording.start().kind == Kind::Stream {
            let message = "it ran over a stream: resume it with the items that follow";
            return Err(JournalError::OtherExecution(message.into()).into());
        }
        if let Some(items) = &resume.items {
            recording.matches_items(items)?;
        }
        let mut execution = recording.execution();
        execution.context.cancellation = resume.cancellation;
        execution.context.gate = resume.gate;
        execution.context.reads_only = resume.reads_only;
        let mut run = self.run_of(&recording, execution, resume.observer).await?;
        run.go_on_with(journals, recording.start().clone(), recorder);
        let outcomes = self.tell_again(&mut run, &recording).await?;
        if recording.is_ended() {
            return Ok(ended(run, &recording, outcomes).await);
        }
        let from = outcomes.len();
        let items: Vec<Value> = match (recording.texts(from, recording.items()), resume.items) {
            (Some(texts), _) => texts
                .iter()
                .map(|text| serde_json::from_str(text))
                .collect::<Result<_, _>>()
                .map_err(Error::internal)?,
            (None, Some(items)) => items.into_iter().skip(from).collect(),
            (None, None) => return Err(JournalError::NoContents.into()),
        };
        run.total = Some(recording.items());
        // They were validated before the first was run.
        run.is_valid = !run.execution.continue_on_fail || recording.start().kind == Kind::Choices;
        run.collect(outcomes, items).await
    }

    /// Continues an execution over a stream from its journal; see [`Plugin::resume`] and
    /// [`Plugin::stream`]. `items`: those that follow the first [`Recording::items`] of the execution.
    /// Events come again from the first item on.
    ///
    /// # Errors
    ///
    /// As [`Plugin::resume`] and [`Plugin::stream`].
    pub async fn resume_stream<S, E>(
        &self,
        journals: &Journals,
        name: &JournalName,
        items: S,
        resume: Resume,
    ) -> Result<ExecutionStream, Error>
    where
        S: Stream<Item = Result<Value, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let (recording, recorder) = self.reopen(journals, name).await?;
        if recording.start().kind != Kind::Stream {
            let message = "it ran over a list: resume it without further items";
            return Err(JournalError::OtherExecution(message.into()).into());
        }
        if !recording.keeps_contents() {
            return Err(JournalError::NoContents.into());
        }
        let mut execution = recording.execution();
        execution.context.cancellation = resume.cancellation;
        execution.context.gate = resume.gate;
        execution.context.reads_only = resume.reads_only;
        let journal = (journals.clone(), recording, recorder);
        let (sender, events) = mpsc::channel(WAITING);
        let plugin = self.clone();
        let driver = async move {
            let observer = resume.observer;
            let end = drive(&plugin, execution, items, observer, &sender, Some(journal)).await;
            // The send fails if the stream was dropped.
            drop(sender.send(ExecutionEvent::End(end)).await);
        };
        let driver = tokio::spawn(driver.in_current_span());
        Ok(ExecutionStream::new(events, driver))
    }

    /// Asks for choices, and records that.
    pub(super) async fn recorded_choices(
        &self,
        execution: Execution,
        of: FormOf,
        query: Value,
    ) -> Result<Result<String, ItemError>, Error> {
        let time = execution.context.limits.as_ref().unwrap_or(&self.shared.limits).total_time;
        let end = End::At(Deadline::after(self.shared.clock.clone(), time));
        let run = Run::new(self, execution, Arc::new(Silent), end, None, Some(of));
        let mut run = run.await?;
        run.total = Some(1);
        run.is_valid = true;
        let query = vec![query];
        run.begin_journal(Kind::Choices, &query).await?;
        let outcome = run.collect(Vec::new(), query).await?;
        let item = outcome.items.into_iter().next();
        match (outcome.stopped, item) {
            (Some(error), _) => Err(error),
            (None, Some(ItemOutcome { error: Some(error), .. })) => Ok(Err(error)),
            (None, item) => {
                let record = item.and_then(|item| item.output.into_iter().next());
                let record = record.ok_or_else(|| Error::internal("no choices"))?;
                Ok(Ok(record.json.get().to_owned()))
            }
        }
    }

    /// Replays an execution from its journal alone: nothing is sent, and no credential is used. The
    /// plugin need not be approved.
    ///
    /// # Errors
    ///
    /// [`JournalError::Diverged`] if the plugin does something else than it did, which names the first
    /// difference; [`JournalError::NoContents`] if the journal keeps digests only; other errors if the
    /// journal is of another plugin.
    pub async fn replay(
        &self,
        recording: &Recording,
        observer: Arc<dyn Observer>,
    ) -> Result<Replay, Error> {
        self.check_plugin(recording)?;
        if !recording.keeps_contents() {
            return Err(JournalError::NoContents.into());
        }
        let mut run = self.run_of(recording, recording.execution(), observer).await?;
        run.is_offline = true;
        let outcomes = self.tell_again(&mut run, recording).await?;
        let is_complete = recording.is_ended() && !run.is_cut;
        let outcome = ended(run, recording, outcomes).await;
        Ok(Replay { outcome, is_complete })
    }

    fn check_plugin(&self, recording: &Recording) -> Result<(), Error> {
        if recording.plugin() != self.digest {
            let message = format!("it was written with the plugin {}", recording.plugin());
            return Err(JournalError::OtherExecution(message).into());
        }
        Ok(())
    }

    /// Reads a journal to go on with it, and gives its handles their secrets back.
    async fn reopen(
        &self,
        journals: &Journals,
        name: &JournalName,
    ) -> Result<(Recording, Arc<Recorder>), Error> {
        let now = self.shared.clock.unix_milliseconds();
        let (recording, recorder) = journals.resume(name, now).await?;
        self.check_plugin(&recording)?;
        if let Some(reason) = recording.unjournaled() {
            return Err(JournalError::Incomplete(reason.to_owned()).into());
        }
        let holder = self.holder(&recording.start().actor);
        for (handle, name, secret) in recording.handles() {
            self.shared.handles.restore(&holder, handle, name, secret);
        }
        Ok((recording, recorder))
    }

    /// A run of a recording.
    async fn run_of(
        &self,
        recording: &Recording,
        execution: Execution,
        observer: Arc<dyn Observer>,
    ) -> Result<Run<'_>, Error> {
        let start = recording.start();
        let limits = &start.limits;
        let time = execution.context.timeout.unwrap_or(limits.total_time);
        let end = End::At(Deadline::after(self.shared.clock.clone(), time));
        let total = recording.items();
        let place = match start.kind {
            Kind::Stream => Some(None),
            _ => (total > limits.portion_items).then(|| u64::try_from(total).ok()),
        };
        let choices = (start.kind == Kind::Choices).then(|| match start.is_trigger {
            true => FormOf::Trigger(start.action.clone()),
            false => FormOf::Action(start.action.clone()),
        });
        Run::new(self, execution, observer, end, place, choices).await
    }

    /// Calls the guest with the recorded portions again, as far as the journal goes.
    async fn tell_again(
        &self,
        run: &mut Run<'_>,
        recording: &Recording,
    ) -> Result<Vec<ItemOutcome>, Error> {
        let mut outcomes = Vec::new();
        for recorded in recording.portions() {
            if recording.keeps_contents() {
                run.has_portions = true;
                let finished = run.recorded(recording, recorded).await?;
                let observer = run.observer();
                outcomes.extend(report(&*observer, recorded.portion.first, finished).await);
                continue;
            }
            let of_portion = match &recorded.end {
                Some(end) => {
                    let stopped = end.stopped.as_deref();
                    run.without_output(&recorded.portion, &end.items, stopped)
                }
                None if recording.has_unsafe_intent(recorded) => run.unknown(&recorded.portion)?,
                // Nothing was sent that must not be sent again: the portion is run again.
                None => continue,
            };
            run.has_portions = true;
            let finished = of_portion.into_iter().map(|outcome| Finished {
                outcome,
                reported: 0,
                is_reported: false,
            });
            let observer = run.observer();
            let first = recorded.portion.first;
            outcomes.extend(report(&*observer, first, finished.collect()).await);
        }
        Ok(outcomes)
    }
}

/// The outcome of an execution that has ended, or as far as its journal goes.
async fn ended(mut run: Run<'_>, recording: &Recording, mut outcomes: Vec<ItemOutcome>) -> Outcome {
    if let Some((stopped, not_begun)) = recording.end() {
        run.ended_before(stopped.as_deref());
        run.recorded_not_begun = Some(not_begun.clone());
    }
    let not_begun = ItemOutcome { output: Vec::new(), error: Some(run.not_begun()) };
    outcomes.resize(recording.items(), not_begun);
    run.leave_journal().await;
    run.outcome(outcomes)
}
