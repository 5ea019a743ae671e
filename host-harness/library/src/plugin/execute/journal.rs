//! How a run is recorded, and what it does again from a journal.

use std::sync::Arc;

use serde_json::Value;

use super::{Called, Finished, Run};
use crate::description::FieldProblem;
use crate::digest::Parts;
use crate::error::{Cause, Error};
use crate::execution::{FormOf, ItemOutcome};
use crate::item::{ItemError, ItemErrorKind};
use crate::journal::record::{ItemEnd, Kind, Portion as PortionRecord, Record, Start};
use crate::journal::{
    JournalError, JournalStatus, Journals, RecordedPortion, Recorder, Recording, item_digest,
};
use crate::observer::Observer;

/// The journal of a run.
pub(super) struct Journaled {
    pub(super) journals: Journals,
    pub(super) start: Start,
    pub(super) recorder: Arc<Recorder>,
    /// Whether it was begun with this run.
    pub(super) is_new: bool,
}

impl Run<'_> {
    /// Begins the journal of the execution, if it has one.
    pub(in crate::plugin) async fn begin_journal(
        &mut self,
        kind: Kind,
        items: &[Value],
    ) -> Result<(), Error> {
        // A later process would not have its credentials.
        if !self.execution.inline_credentials.is_empty() {
            return Ok(());
        }
        let own = self.execution.context.journal.clone();
        // Choices are asked for while somebody types: a host does not record them unasked.
        let hosts = || self.plugin.shared.journals.clone().filter(|_| kind != Kind::Choices);
        let Some(journals) = own.or_else(hosts) else { return Ok(()) };
        let execution = &self.execution;
        let start = Start {
            kind,
            is_trigger: matches!(self.target.choices, Some(FormOf::Trigger(_))),
            host: env!("CARGO_PKG_VERSION").to_owned(),
            plugin: self.plugin.digest,
            node: self.plugin.description.node.name.clone(),
            action: execution.action.clone(),
            id: self.id.clone(),
            actor: execution.context.actor.clone(),
            workflow: execution.context.workflow.clone(),
            credentials: execution.credentials.clone(),
            continue_on_fail: execution.continue_on_fail,
            concurrency: execution.concurrency,
            allow: execution
                .context
                .allow
                .as_ref()
                .map(|allow| allow.iter().map(ToString::to_string).collect()),
            timeout_ms: execution
                .context
                .timeout
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            limits: self.limits.clone(),
            dry_run: execution.dry_run,
            total: self.total.map(|total| total as u64),
            store_output: journals.options().store_output,
            started: self.plugin.shared.clock.unix_milliseconds(),
        };
        let recorder = journals.begin(&start).await?;
        self.journal = Some(Journaled { journals, start, recorder, is_new: true });
        match self.record_items(items).await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.leave_journal().await;
                Err(error)
            }
        }
    }

    /// Goes on with a journal that was read.
    pub(in crate::plugin) fn go_on_with(
        &mut self,
        journals: &Journals,
        start: Start,
        recorder: Arc<Recorder>,
    ) {
        let journals = journals.clone();
        self.journal = Some(Journaled { journals, start, recorder, is_new: false });
    }

    /// Nothing was run: a new journal is removed, and one that was read can be resumed later.
    pub(in crate::plugin) async fn leave_journal(&mut self) {
        match self.journal.take() {
            Some(journal) if journal.is_new => {
                journal.journals.discard(&journal.start, journal.recorder).await;
            }
            Some(journal) => journal.recorder.close().await,
            None => {}
        }
    }

    /// Records items before any of them is run.
    pub(super) async fn record_items(&mut self, items: &[Value]) -> Result<(), Error> {
        /// Items of one record.
        const RECORD: usize = 64;
        let Some(recorder) = self.recorder() else { return Ok(()) };
        let handles = self.plugin.shared.handles.clone();
        let holder = self.plugin.holder(&self.execution.context.actor);
        let lookup = |handle: &str| handles.known(&holder, handle);
        for items in items.chunks(RECORD) {
            let digests = items.iter().map(item_digest).collect();
            let texts: Vec<String> = match recorder.keeps_contents() {
                true => items.iter().map(|item| self.text(item)).collect(),
                false => Vec::new(),
            };
            texts
                .iter()
                .try_for_each(|text| recorder.handles(text.as_bytes(), &lookup))
                .and_then(|()| recorder.push(Record::Items { digests, texts }))
                .map_err(JournalError::from)?;
            recorder.relieve().await.map_err(JournalError::from)?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// An item as the guest is given it.
    pub(super) fn text(&self, item: &Value) -> String {
        match self.target.choices {
            None => {
                self.plugin.text_without_secrets(&self.form, &self.execution.context.actor, item)
            }
            // The secrets of a query were hidden when it was made.
            Some(_) => item.to_string(),
        }
    }

    /// Records that the execution has ended.
    pub(in crate::plugin) async fn end_journal(&mut self) {
        let Some(Journaled { recorder, .. }) = &self.journal else { return };
        if self.has_ended {
            return recorder.close().await;
        }
        let stopped = self.stopped.as_ref().map(Error::stop_reason);
        let not_begun = self.not_begun().message;
        // A reader of a journal without an end replays it, and gets the same result.
        drop(recorder.push(Record::Ended { stopped, not_begun }));
        recorder.close().await;
    }

    pub(in crate::plugin) fn observer(&self) -> Arc<dyn Observer> {
        self.observer.clone()
    }

    pub(super) fn recorder(&self) -> Option<Arc<Recorder>> {
        self.journal.as_ref().map(|journal| journal.recorder.clone())
    }

    pub(super) fn journal_status(&self) -> JournalStatus {
        self.journal.as_ref().map_or(JournalStatus::None, |journal| journal.recorder.status())
    }

    /// Calls the guest again with the recorded input. Returns one outcome for each item of the
    /// recorded portions.
    ///
    /// # Errors
    ///
    /// When the guest does not behave as recorded.
    pub(in crate::plugin) async fn recorded(
        &mut self,
        recording: &Recording,
        recorded: &RecordedPortion,
    ) -> Result<Vec<Finished>, Error> {
        let PortionRecord { first, called, fresh, .. } = recorded.portion;
        let end = recorded.portion.end();
        let texts = recording
            .texts(first as usize, end as usize)
            .ok_or(Error::from(JournalError::NoContents))?;
        let mut problems = vec![Vec::new(); texts.len()];
        for (position, of_item) in &recorded.portion.invalid {
            let Some(place) = problems.get_mut(position.wrapping_sub(first) as usize) else {
                continue;
            };
            *place = of_item
                .iter()
                .map(|(pointer, message)| FieldProblem {
                    pointer: pointer.clone(),
                    message: message.clone(),
                })
                .collect();
        }
        if fresh {
            self.instance = None;
        }
        let good = |problems: &&Vec<FieldProblem>| problems.is_empty();
        let (positions, texts) = (first..end)
            .zip(texts)
            .zip(&problems)
            .filter(|(_, problems)| good(problems))
            .map(|(item, _)| item)
            .unzip();
        let called = match called {
            true => self.call(texts, positions, Some((recording, recorded))).await?,
            false => Called::none(),
        };
        let (outcomes, ends) = self.put_together(first, problems, called);
        match &recorded.end {
            Some(recorded) => {
                self.compare(first, recorded.stopped.as_deref(), &recorded.items, &ends)?
            }
            None if self.is_offline => {}
            None => self.record_end(ends)?,
        }
        Ok(outcomes)
    }

    /// Items of a portion that was interrupted, and of which only digests are kept: whether they were
    /// run is unknown.
    pub(in crate::plugin) fn unknown(
        &mut self,
        recorded: &PortionRecord,
    ) -> Result<Vec<ItemOutcome>, Error> {
        let error = ItemError::new(
            ItemErrorKind::OutcomeUnknown,
            "the host ended while this item was under way, and the journal keeps no output: the \
             request may have been received. Check at the service before you run the item again",
        );
        let mut outcomes = Vec::new();
        for position in recorded.first..recorded.end() {
            let is_invalid = recorded.invalid.iter().any(|(invalid, _)| *invalid == position);
            let error = match is_invalid {
                true => {
                    ItemError::new(ItemErrorKind::InvalidInput, "the item did not fit the action")
                }
                false => error.clone(),
            };
            outcomes.push(ItemOutcome { output: Vec::new(), error: Some(error) });
        }
        self.note_failed(&outcomes);
        self.next = recorded.end();
        let ends =
            outcomes.iter().map(|outcome| item_end(Default::default(), outcome.error.as_ref()));
        self.record_end(ends.collect())?;
        Ok(outcomes)
    }

    /// Results of the items of a portion of which only digests are stored.
    pub(in crate::plugin) fn without_output(
        &mut self,
        recorded: &PortionRecord,
        ends: &[ItemEnd],
        stopped: Option<&str>,
    ) -> Vec<ItemOutcome> {
        let outcomes: Vec<ItemOutcome> = ends
            .iter()
            .map(|end| {
                let error = end.error.as_deref().map(|kind| {
                    let message = "the item failed; the journal does not keep why";
                    let mut error = ItemError::new(kind_of(kind), message);
                    error.http_status = end.http_status;
                    error
                });
                ItemOutcome { output: Vec::new(), error }
            })
            .collect();
        self.note_failed(&outcomes);
        self.next = recorded.end();
        if let Some(stopped) = stopped {
            self.stopped = Some(Cause::Stopped(stopped.to_owned()).into());
        }
        outcomes
    }

    /// The journal says that the execution has ended.
    pub(in crate::plugin) fn ended_before(&mut self, stopped: Option<&str>) {
        self.has_ended = true;
        if let Some(stopped) = stopped {
            self.stopped.get_or_insert_with(|| Cause::Stopped(stopped.to_owned()).into());
        }
    }

    pub(super) fn note_failed(&mut self, outcomes: &[ItemOutcome]) {
        self.failed += outcomes.iter().filter(|outcome| !outcome.is_ok()).count() as u64;
    }

    /// Whether a recorded portion has the same result as when it was recorded.
    pub(super) fn compare(
        &self,
        first: u32,
        stopped: Option<&str>,
        recorded: &[ItemEnd],
        now: &[ItemEnd],
    ) -> Result<(), Error> {
        // A guest that is stopped from outside is stopped anywhere.
        if stopped.is_some() || self.stopped.is_some() {
            return match stopped.is_some() == self.stopped.is_some() {
                true => Ok(()),
                false => Err(JournalError::Diverged(match &self.stopped {
                    Some(error) => format!("it was stopped ({error}), and had returned before"),
                    None => "it returned, and had been stopped before".to_owned(),
                })
                .into()),
            };
        }
        let differs = |(one, other): (&ItemEnd, &ItemEnd)| one != other;
        match recorded.iter().zip(now).position(differs) {
            Some(index) => {
                let (was, is) = (&recorded[index].error, &now[index].error);
                let item = u64::from(first) + index as u64;
                let name = |error: &Option<String>| error.clone().unwrap_or("no error".into());
                let what = match was == is {
                    true => format!("item {item} has another output or error text"),
                    false => format!("item {item} ended with {}, and had {}", name(is), name(was)),
                };
                Err(JournalError::Diverged(what).into())
            }
            None => Ok(()),
        }
    }

    /// Records the result of a portion.
    pub(super) fn record_end(&self, items: Vec<ItemEnd>) -> Result<(), Error> {
        let Some(journal) = self.recorder() else { return Ok(()) };
        let stopped = self.stopped.as_ref().map(Error::stop_reason);
        journal
            .push(Record::PortionEnded { items, stopped })
            .map_err(|error| Cause::Stopped(error.reason()).into())
    }
}

/// Record of items that do not fit the action.
pub(super) fn invalid(
    first: u32,
    problems: &[Vec<FieldProblem>],
    keeps_contents: bool,
) -> Vec<(u32, Vec<(String, String)>)> {
    let pairs = |problems: &Vec<FieldProblem>| match keeps_contents {
        true => problems.iter().map(|one| (one.pointer.clone(), one.message.clone())).collect(),
        false => Vec::new(),
    };
    (first..)
        .zip(problems)
        .filter(|(_, problems)| !problems.is_empty())
        .map(|(position, problems)| (position, pairs(problems)))
        .collect()
}

/// The kind of this name.
pub(super) fn kind_of(name: &str) -> ItemErrorKind {
    serde_json::from_value(Value::from(name)).unwrap_or(ItemErrorKind::Internal)
}

/// Record of an item.
pub(super) fn item_end(mut parts: Parts, error: Option<&ItemError>) -> ItemEnd {
    if let Some(error) = error {
        error.add_to(&mut parts);
    }
    ItemEnd {
        digest: parts.digest(),
        error: error.map(|error| error.kind.to_string()),
        http_status: error.and_then(|error| error.http_status),
    }
}
