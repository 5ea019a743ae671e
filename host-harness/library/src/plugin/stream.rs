//! Executions as streams: items arrive one by one, and their results are returned as they arrive.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use super::Plugin;
use super::execute::{End, Finished, Portion, Run};
use crate::error::{Cause, Error};
use crate::execution::{Execution, ExecutionEnd, ExecutionEvent};
use crate::item::{ItemError, OutputRecord};
use crate::journal::record::Kind;
use crate::journal::{Journals, Recorder, Recording};
use crate::metering::{GuestCall, HostCall};
use crate::observer::{Exchange, LogLevel, Observer, Silent};

/// Events that wait to be taken before the guest is held up.
pub(super) const WAITING: usize = 64;

/// How long a portion of a stream should take: so often an engine hears which items are finished.
const PORTION_TIME: Duration = Duration::from_secs(1);

impl Plugin {
    /// Runs an action over the items of an execution, and returns a stream of its events: each
    /// record, the end of each item, and the end of the execution. See [`Plugin::stream_items`].
    ///
    /// # Errors
    ///
    /// As [`Plugin::stream_items`].
    pub async fn stream(&self, execution: Execution) -> Result<ExecutionStream, Error> {
        let no_more = futures_util::stream::empty::<Result<Value, Infallible>>();
        self.stream_items(execution, no_more, Arc::new(Silent)).await
    }

    /// Runs an action over the items of an execution, and then over a stream of items. Events arrive
    /// while it runs. An engine that reads them slowly slows the plugin, and dropping the stream ends
    /// the execution. Memory does not grow with the number of items: the guest receives portions of
    /// them, at most [`Limits::portion_items`](crate::Limits::portion_items) at once.
    ///
    /// Each portion of items is validated before it runs, and an invalid item fails like any other.
    /// [`Limits::stall_time`](crate::Limits::stall_time) applies instead of
    /// [`Limits::total_time`](crate::Limits::total_time), requests are counted per portion, and
    /// output that the engine has taken does not count against the limit of output. The observer
    /// receives progress, log lines, and exchanges; results arrive in the stream alone.
    ///
    /// # Errors
    ///
    /// If nothing was run: the action is unknown, or the plugin is not approved.
    /// [`ExecutionEvent::End`] reports what ends the execution later.
    pub async fn stream_items<S, E>(
        &self,
        mut execution: Execution,
        items: S,
        observer: Arc<dyn Observer>,
    ) -> Result<ExecutionStream, Error>
    where
        S: Stream<Item = Result<Value, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.action(&execution.action)?;
        self.check_approval().await?;
        let own = std::mem::take(&mut execution.items);
        let items = futures_util::stream::iter(own).map(Ok).chain(items);
        let (sender, events) = mpsc::channel(WAITING);
        let plugin = self.clone();
        let driver = async move {
            let end = drive(&plugin, execution, items, observer, &sender, None).await;
            // The send fails if the stream was dropped.
            drop(sender.send(ExecutionEvent::End(end)).await);
        };
        let driver = tokio::spawn(driver.in_current_span());
        Ok(ExecutionStream::new(events, driver))
    }
}

/// The events of an execution; see [`Plugin::stream`] and [`Plugin::stream_items`]. Ends after [`ExecutionEvent::End`], which
/// always comes. Dropping it ends the execution.
#[derive(Debug)]
pub struct ExecutionStream {
    events: mpsc::Receiver<ExecutionEvent>,
    driver: JoinHandle<()>,
    has_ended: bool,
}

impl ExecutionStream {
    pub(super) fn new(events: mpsc::Receiver<ExecutionEvent>, driver: JoinHandle<()>) -> Self {
        Self { events, driver, has_ended: false }
    }
}

impl Stream for ExecutionStream {
    type Item = ExecutionEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = std::task::ready!(self.events.poll_recv(context));
        if let Some(ExecutionEvent::End(_)) = &event {
            self.has_ended = true;
        }
        if event.is_none() && !self.has_ended {
            self.has_ended = true;
            let error = Error::internal("the execution ended without a result");
            return Poll::Ready(Some(ExecutionEvent::End(ExecutionEnd::broken(error))));
        }
        Poll::Ready(event)
    }
}

impl Drop for ExecutionStream {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Runs a stream. `journal`: what was recorded of it before.
pub(super) async fn drive<E: std::error::Error + Send + Sync + 'static>(
    plugin: &Plugin,
    execution: Execution,
    items: impl Stream<Item = Result<Value, E>> + Send,
    observer: Arc<dyn Observer>,
    events: &mpsc::Sender<ExecutionEvent>,
    journal: Option<(Journals, Recording, Arc<Recorder>)>,
) -> ExecutionEnd {
    let handed =
        Arc::new(EventObserver { observer, events: events.clone(), emitted: Mutex::default() });
    let stall = execution.context.limits.as_ref().unwrap_or(&plugin.shared.limits).stall_time;
    let cancellation = execution.context.cancellation.clone();
    let end = End::Stalled(stall);
    let mut run = match Run::new(plugin, execution, handed.clone(), end, Some(None), None).await {
        Ok(run) => run,
        Err(error) => return ExecutionEnd::broken(error),
    };
    let begun = match journal {
        None => run.begin_journal(Kind::Stream, &[]).await.map(|()| Vec::new()),
        Some(journal) => again(&mut run, &handed, journal).await,
    };
    // Items that were recorded, and not run.
    let recorded = match begun {
        Ok(recorded) => recorded,
        Err(error) => {
            run.leave_journal().await;
            return ExecutionEnd::broken(error);
        }
    };
    run.recorded_items = recorded.len();
    let recorded = futures_util::stream::iter(recorded.into_iter().map(Ok));
    let mut items = std::pin::pin!(recorded.chain(items).fuse());
    let concurrency = run.concurrency();
    let mut size = (4 * concurrency).max(16).min(run.limits.portion_items);
    while !run.is_over() {
        let mut portion = Portion::default();
        let mut broken = None;
        while broken.is_none() && portion.has_room(size, concurrency, &run.limits) {
            // The first item is waited for; the others are taken if they are there.
            let next = if portion.items.is_empty() {
                tokio::select! {
                    biased;
                    () = cancellation.cancelled() => None,
                    next = items.next() => next,
                }
            } else {
                items.next().now_or_never().flatten()
            };
            match next {
                Some(Ok(item)) => portion.push(item),
                Some(Err(error)) => broken = Some(error),
                None => break,
            }
        }
        if portion.items.is_empty() && broken.is_none() {
            break;
        }
        let (first, begun) = (run.next(), plugin.shared.clock.monotonic());
        if !portion.items.is_empty() {
            match run.portion(portion.items).await {
                Ok(finished) => {
                    if !handed.finish(first, finished).await {
                        break;
                    }
                }
                Err(error) => {
                    if first == 0 {
                        run.leave_journal().await;
                    }
                    run.stopped = Some(error);
                }
            }
        }
        let took = plugin.shared.clock.monotonic().saturating_sub(begun);
        size = resized(size, took).clamp(concurrency, run.limits.portion_items.max(concurrency));
        if let Some(error) = broken {
            let message = format!("cannot read item {}: {error}", run.next());
            run.stopped.get_or_insert(Cause::Items(message).into());
        }
    }
    if run.is_late() && run.stopped.is_none() {
        run.stopped = Some(Cause::TimeRanOut(run.next()).into());
    }
    // A stream that was dropped has not ended: it can be resumed.
    if !events.is_closed() {
        run.end_journal().await;
    }
    run.end()
}

/// Calls the guest with the recorded portions again. Returns the items that were recorded, and not run.
async fn again(
    run: &mut Run<'_>,
    handed: &EventObserver,
    (journals, recording, recorder): (Journals, Recording, Arc<Recorder>),
) -> Result<Vec<Value>, Error> {
    run.go_on_with(&journals, recording.start().clone(), recorder);
    for recorded in recording.portions() {
        run.has_portions = true;
        let first = run.next();
        let outcomes = run.recorded(&recording, recorded).await?;
        if !handed.finish(first, outcomes).await {
            return Err(Error::internal("the stream was dropped"));
        }
    }
    if let Some((stopped, _)) = recording.end() {
        run.ended_before(stopped.as_deref());
        return Ok(Vec::new());
    }
    let texts = recording.texts(run.next() as usize, recording.items()).unwrap_or_default();
    texts.iter().map(|text| serde_json::from_str(text).map_err(Error::internal)).collect()
}

/// How many items the next portion should have, if `size` took so long: at most twice as many.
fn resized(size: usize, took: Duration) -> usize {
    let fits = PORTION_TIME.as_secs_f64() / took.as_secs_f64().max(1e-6);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is bounded.
    #[allow(clippy::cast_precision_loss)] // Thousands.
    let fitting = (size as f64 * fits.min(2.0)) as usize;
    fitting.max(1)
}

/// Sends emitted output as events and passes everything else to the engine's observer.
struct EventObserver {
    observer: Arc<dyn Observer>,
    events: mpsc::Sender<ExecutionEvent>,
    /// Number of records of each unfinished item that were sent.
    emitted: Mutex<BTreeMap<u32, u64>>,
}

impl EventObserver {
    /// Sends what the stream has not received of the items of a portion: the remaining records of
    /// each, and its end. Returns false if the stream was dropped.
    async fn finish(&self, first: u32, finished: Vec<Finished>) -> bool {
        for (item, Finished { outcome, is_reported, .. }) in (first..).zip(finished) {
            if is_reported {
                continue;
            }
            self.output(item, &outcome.output).await;
            self.item_finished(item, outcome.error.as_ref()).await;
        }
        !self.events.is_closed()
    }
}

#[async_trait]
impl Observer for EventObserver {
    async fn output(&self, item: u32, records: &[OutputRecord]) {
        for record in records {
            let event = ExecutionEvent::Record { item, record: record.clone() };
            // The send fails if the stream was dropped, which also ends the execution.
            drop(self.events.send(event).await);
        }
        let mut emitted = self.emitted.lock().unwrap_or_else(PoisonError::into_inner);
        *emitted.entry(item).or_default() += records.len() as u64;
    }

    async fn item_finished(&self, item: u32, error: Option<&ItemError>) {
        let records = {
            let mut emitted = self.emitted.lock().unwrap_or_else(PoisonError::into_inner);
            emitted.remove(&item).unwrap_or_default()
        };
        let event = ExecutionEvent::ItemFinished { item, records, error: error.cloned() };
        drop(self.events.send(event).await);
    }

    fn keeps_output(&self) -> bool {
        false
    }

    fn progress(&self, done: u64, total: Option<u64>, message: &str) {
        self.observer.progress(done, total, message);
    }

    fn log(&self, level: LogLevel, message: &str, fields: &str) {
        self.observer.log(level, message, fields);
    }

    fn exchange(&self, exchange: &Exchange) {
        self.observer.exchange(exchange);
    }

    fn host_call(&self, call: &HostCall) {
        self.observer.host_call(call);
    }

    fn guest_call(&self, call: &GuestCall) {
        self.observer.guest_call(call);
    }

    fn wants_bodies(&self) -> bool {
        self.observer.wants_bodies()
    }
}
