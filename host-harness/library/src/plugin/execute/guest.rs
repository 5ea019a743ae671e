//! Calls the guest with a portion of items: in a new instance or the last one, within the limits, and
//! answered from a journal as far as that goes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tracing::Instrument as _;

use super::{ANOTHER_FAILED, End, Run};
use crate::bindings::exports::workflow::node::node::Call;
use crate::bindings::workflow::node::types::OutputItem;
use crate::deadline::Deadline;
use crate::error::{Cause, Error};
use crate::guest::{GuestResults, Invocation, Returned};
use crate::imports::{Place, Traces, WorkflowNodeCtx};
use crate::item::{ItemError, ItemErrorKind, OutputRecord};
use crate::journal::record::Record;
use crate::journal::script::Break;
use crate::journal::{JournalError, RecordedPortion, Recording};
use crate::plugin::call::{Ended, Instance, Stopped, call};
use crate::plugin::session::{Part, Prepared, Recorded, seed};
use crate::results::{checked_results, is_brief};

/// An instance whose memory has grown by more than this part of the limit serves no further
/// portion: what its author leaks ends with it.
const REUSED_MEMORY: usize = 4;

impl Run<'_> {
    /// Calls the guest with some items. `recorded`: the call was made before, and is answered from
    /// its journal as far as that goes.
    pub(super) async fn call(
        &mut self,
        items: Vec<String>,
        positions: Vec<u32>,
        recorded: Option<(&Recording, &RecordedPortion)>,
    ) -> Result<Called, Error> {
        let plugin = self.plugin;
        let shared = &plugin.shared;
        let count = items.len();
        let deadline = match &self.end {
            End::At(deadline) => deadline.clone(),
            End::Stalled(time) => Deadline::stalled_for(shared.clock.clone(), *time, self.latest),
        };
        let before = u64::from(self.next);
        let first = positions.first().copied().unwrap_or_default();
        // A call that is in the journal completely needs no network.
        let is_offline =
            self.is_offline || recorded.is_some_and(|(_, recorded)| recorded.end.is_some());
        let is_recorded = recorded.is_some();
        let recorded_stop =
            recorded.and_then(|(_, recorded)| recorded.end.as_ref()?.stopped.clone());
        let recorded = recorded.map(|(recording, recorded)| Recorded {
            portion: recorded.portion.clone(),
            script: recording.script(recorded, is_offline),
        });
        let part = Part {
            id: self.id.clone(),
            positions,
            place: self.place.map(|total| Place { before, total }),
            deadline,
            former: self.session.as_deref(),
            journal: self.recorder(),
            recorded: None,
        };
        let observer = self.observer.clone();
        let (session, mut context) = match recorded {
            Some(recorded) if is_offline => {
                (None, plugin.offline(&self.execution, observer, part, recorded))
            }
            recorded => {
                let part = Part { recorded, ..part };
                let slots = Some(&self.target.slots);
                let Prepared { session, context } =
                    plugin.session_for(&self.execution, slots, observer, part).await?;
                (Some(session), context)
            }
        };
        if let Some(session) = &session {
            self.session = Some(session.clone());
            if let Some(items) = self.total.filter(|_| before == 0 && !is_recorded)
                && !self.target.batches
                && !session.dry_run
            {
                let paced = session.time_for(items);
                self.check_pace(items, paced)?;
            }
        }
        if let Some(mut record) = self.portion_record.take()
            && let Some(journal) = self.recorder()
        {
            record.seen = context.seen();
            record.seed = seed(&self.id, first);
            if journal.keeps_contents() {
                let credentials = context.known().2;
                record.credentials =
                    credentials.iter().map(|(slot, view)| (slot.clone(), view.clone())).collect();
            }
            journal.push(Record::Portion(record)).map_err(JournalError::from)?;
        }
        context.count_output(self.output_bytes);
        let span = tracing::info_span!(
            "execute", node = %plugin.description.node.name, action = %self.execution.action,
            execution = %self.id, items = count
        );
        let called = self.invoke(context, items).instrument(span).await;
        let sent = session.map_or(0, |session| session.requests.load(Ordering::Relaxed));
        let (results, traces) = match called {
            Ok((results, ended)) => {
                self.memory = self.memory.max(ended.memory);
                let mut results = self.checked(results, count, ended.output_bytes).await;
                // A guest that was stopped from outside may return when it is called again.
                if let Some(reason) = recorded_stop.filter(|_| self.stopped.is_none()) {
                    let error = Error::from(Cause::Stopped(reason));
                    results = Results::Whole(stopped_item(&error));
                    self.stopped = Some(error);
                }
                (results, ended.traces)
            }
            Err(Stopped { error, mut traces, .. }) => {
                let error = match traces.broken.take() {
                    None => error,
                    Some(Break::Diverged(what)) => return Err(JournalError::Diverged(what).into()),
                    Some(Break::Ends(Some(reason))) => Cause::Stopped(reason).into(),
                    Some(Break::Ends(None)) => {
                        self.is_cut = true;
                        error
                    }
                };
                let whole = stopped_item(&error);
                self.stopped = Some(error);
                (Results::Whole(whole), *traces)
            }
        };
        self.requests += u64::from(sent.max(traces.requests));
        Ok(Called { results, traces })
    }

    /// Calls the guest, in the instance of the last call where that serves this one.
    async fn invoke(
        &mut self,
        context: WorkflowNodeCtx,
        items: Vec<String>,
    ) -> Result<(GuestResults, Ended), Stopped> {
        let (plugin, shared) = (self.plugin, &self.plugin.shared);
        if self.target.choices.is_some() {
            let query = items.into_iter().next().unwrap_or_default();
            let query = Invocation::LoadOptions { query };
            let (document, ended) =
                call(shared, &plugin.guest, context, &query, Returned::document).await?;
            let item = |json| vec![OutputItem { port: "main".to_owned(), json }];
            return Ok((Ok(vec![document.map(item)]), ended));
        }
        let call = Invocation::Execute(Call {
            node: plugin.description.node.name.clone(),
            version: self.target.version,
            action: self.execution.action.clone(),
            items,
            options: without_nulls(serde_json::json!({
                "continue_on_fail": self.execution.continue_on_fail,
                "concurrency": self.execution.concurrency,
                // A stream is read item by item.
                "finish_items": matches!(self.place, Some(None)).then_some(true),
            }))
            .to_string(),
        });
        let (results, ended, instance) = match self.instance.take() {
            Some(instance) => instance.go_on(context, &call).await?,
            None => Instance::begin(shared, &plugin.guest, context, &call).await?,
        };
        self.memory_growth = self.memory_growth.max(instance.memory_growth());
        if instance.memory_growth() <= self.limits.memory / REUSED_MEMORY {
            self.instance = Some(instance);
        }
        Ok((results, ended))
    }

    async fn checked(&mut self, results: GuestResults, items: usize, emitted: usize) -> Results {
        let results = match results {
            Ok(results) => results,
            Err(error) => return Results::Whole(ItemError::of_guest(error, &self.limits)),
        };
        let (ports, limits) = (self.target.ports.clone(), self.limits.clone());
        let is_brief = is_brief(&results);
        let check = move || checked_results(&ports, results, items, &limits, emitted);
        let checked = match self.session.as_ref().filter(|_| !is_brief) {
            Some(session) => session.heavy.run(move |_| check()).await,
            None => Ok(check()),
        };
        let stopped = |problem: String| Error::from(Cause::Stopped(problem));
        match checked.map_err(Error::from).and_then(|checked| checked.map_err(stopped)) {
            Ok((results, bytes)) => {
                // Output that the engine has taken no longer counts.
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

    /// Reports how long a list of items takes with the rate limit of the credential. Refuses the
    /// list if that exceeds the time limit even without other requests, because the run would end
    /// before it is complete.
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
            let action = self.execution.action.clone();
            return Err(Cause::Pace { action, items, time, allowed, limit }.into());
        }
        self.observer.paced(items, time);
        Ok(())
    }
}

/// Result of a call.
pub(super) struct Called {
    pub(super) results: Results,
    pub(super) traces: Traces,
}

impl Called {
    /// Of items that were not begun.
    pub(super) fn none() -> Self {
        let results = Results::Whole(ItemError::cancelled(ANOTHER_FAILED));
        Self { results, traces: Traces::default() }
    }
}

/// Why the items of a call that was stopped failed.
fn stopped_item(error: &Error) -> ItemError {
    let message = format!("{error}. Requests that it had sent may have taken effect");
    let mut whole = ItemError::new(ItemErrorKind::Internal, message);
    whole.detail = error.crash().map(|crash| serde_json::json!({ "crash": crash }));
    whole
}

/// Results of a call.
pub(super) enum Results {
    PerItem(Vec<Result<Vec<OutputRecord>, ItemError>>),
    /// The call as a whole failed: every item did.
    Whole(ItemError),
}

impl Results {
    pub(super) fn into_iter(
        self,
        items: usize,
    ) -> std::vec::IntoIter<Result<Vec<OutputRecord>, ItemError>> {
        match self {
            Self::PerItem(results) => results.into_iter(),
            Self::Whole(error) => vec![Err(error); items].into_iter(),
        }
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}
