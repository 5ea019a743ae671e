//! Answers the imports of a guest in a worker, for the time of one call. Each is answered by the
//! function that answers an in-process guest, so that both are checked the same way.

use std::borrow::Cow;
use std::io;
use std::os::fd::AsFd as _;

use super::Lease;
use super::wire::{self, Answer, FromWorker, Named, ToWorker};
use crate::bindings::workflow::node::{completions, context, http, timer};
use crate::guest::{Invocation, Returned, Stopping, held};
use crate::imports::{WorkflowNodeCtx, WorkflowNodeCtxView};

/// Answers that are sent to a worker at once, as far as it has not asked for them: their bytes, and
/// their number.
const AHEAD: (usize, usize) = (256 * 1024, 64);

/// A guest waits until the engine has taken its output when so many bytes are on their way.
const NOT_TAKEN: u64 = 256 * 1024;

/// After so many tickets, the tasks behind them get their turn, so that they do not pile up before
/// other work of the executor.
const TICKETS: u64 = 16;

/// Result of a finished call.
pub(crate) struct Finished {
    pub(crate) returned: Returned,
    /// Linear memory of the instance: now, and when it was made.
    pub(crate) memory: usize,
    pub(crate) initial: usize,
}

impl Lease {
    /// Gives the worker the code that it runs.
    ///
    /// # Errors
    ///
    /// The outer error is the worker's, the inner one the component's.
    pub(crate) async fn load(
        &mut self,
        code: &std::fs::File,
        has_triggers: bool,
        data: u64,
        metered: bool,
    ) -> io::Result<Result<(), String>> {
        let mut link = self.link()?;
        link.send(&ToWorker::Load { has_triggers, data, metered }).await?;
        link.send_files(&[code.as_fd()]).await?;
        match link.receive(wire::OVERHEAD).await? {
            FromWorker::Loaded(loaded) => Ok(loaded),
            _ => Err(unexpected()),
        }
    }

    /// Makes a call and answers what the guest asks meanwhile. `reuse`: the instance of the last call
    /// serves it. When this fails, or is dropped, the
    /// worker must not be used again.
    ///
    /// # Errors
    ///
    /// Why the call was stopped.
    pub(crate) async fn call(
        &mut self,
        invocation: &Invocation,
        reuse: bool,
        context: &mut WorkflowNodeCtx,
    ) -> Result<Finished, Stopping> {
        context.set_remote();
        let limits = context.limits();
        let most = limits.host_call.saturating_add(wire::OVERHEAD);
        let (seed, keys, credentials) = context.known();
        let call = wire::Call {
            invocation: Cow::Borrowed(invocation),
            reuse,
            memory: limits.memory as u64,
            guest_time_ms: u64::try_from(limits.guest_time.as_millis()).unwrap_or(u64::MAX),
            host_call: limits.host_call as u64,
            host_calls: limits.host_calls,
            written: held(limits) as u64,
            seed,
            keys,
            credentials: credentials
                .iter()
                .map(|(slot, view)| (slot.clone(), view.clone()))
                .collect(),
            seen: context.seen(),
            // When the call was recorded in this process, the guest saw the time after each emit.
            last_ticket: context.last_ticket(),
            not_taken: if context.is_scripted() { 0 } else { NOT_TAKEN },
        };
        let mut link = self.link()?;
        link.send(&ToWorker::Call(Box::new(call))).await?;
        let mut tickets = 0_u64;
        loop {
            // Small messages count as well; see also `TURN`.
            tokio::task::coop::consume_budget().await;
            let message = link.receive::<FromWorker>(most).await?;
            if matches!(message, FromWorker::Submit(_) | FromWorker::After(_)) {
                tickets += 1;
                if tickets.is_multiple_of(TICKETS) {
                    tokio::task::yield_now().await;
                }
            }
            let message = match message {
                FromWorker::Returned { returned, memory, initial } => {
                    let [memory, initial] =
                        [memory, initial].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
                    return Ok(Finished { returned, memory, initial: initial.min(memory) });
                }
                FromWorker::Stopped(stopping) => return Err(stopping),
                import => import,
            };
            match answer(message, context).await {
                Ok(Some((answer, bodies))) => {
                    link.send_with(&answer, &bodies).await?;
                }
                Ok(None) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the worker sent an unexpected message")
}

/// Carries out an import call, and returns the answer to the worker.
async fn answer(
    message: FromWorker,
    context: &mut WorkflowNodeCtx,
) -> wasmtime::Result<Option<(ToWorker<'static>, Vec<Vec<u8>>)>> {
    let mut view = WorkflowNodeCtxView { ctx: context };
    match message {
        FromWorker::Metered(event) => context.metered(event)?,
        FromWorker::Submit(request) => {
            http::Host::submit(&mut view, request.into()).await?;
        }
        FromWorker::After(duration) => {
            timer::Host::after(&mut view, duration).await?;
        }
        FromWorker::Cancel(ticket) => completions::Host::cancel(&mut view, ticket).await?,
        FromWorker::Log { level, message, fields } => {
            context::Host::log(&mut view, level, message, fields).await?;
        }
        FromWorker::Progress { done, total, message } => {
            context::Host::progress(&mut view, done, total, message).await?;
        }
        FromWorker::Next => {
            let (named, bodies) = named(context).await?;
            return Ok(Some((ToWorker::Named(named), bodies)));
        }
        FromWorker::Send(request) => {
            let answer = http::Host::send(&mut view, request.into()).await?;
            let (answer, body) = Answer::split(answer);
            return Ok(Some((ToWorker::Answer(answer, context.seen()), vec![body])));
        }
        FromWorker::Emit { item, outputs } => {
            context::Host::emit(&mut view, item, outputs).await?;
        }
        FromWorker::FinishItem { item, outcome } => {
            context::Host::finish_item(&mut view, item, outcome).await?;
        }
        FromWorker::Taken => {
            context.taken()?;
            return Ok(Some((ToWorker::Seen(context.seen()), Vec::new())));
        }
        FromWorker::Key(item) => {
            let key = context::Host::idempotency_key(&mut view, item).await?;
            return Ok(Some((ToWorker::Key(key), Vec::new())));
        }
        FromWorker::Compiled(_)
        | FromWorker::Checked(_)
        | FromWorker::Loaded(_)
        | FromWorker::Returned { .. }
        | FromWorker::Stopped(_) => {
            return Err(wasmtime::Error::from(unexpected()));
        }
    }
    Ok(None)
}

/// Waits for a ticket, and adds those that have finished by then.
async fn named(context: &mut WorkflowNodeCtx) -> wasmtime::Result<(Vec<Named>, Vec<Vec<u8>>)> {
    let (most_bytes, most) = AHEAD;
    let (mut named, mut bodies, mut bytes) = (Vec::new(), Vec::new(), 0);
    while named.is_empty() || (bytes < most_bytes && named.len() < most && context.has_finished()) {
        let mut view = WorkflowNodeCtxView { ctx: context };
        let Some(ticket) = completions::Host::next(&mut view).await? else { break };
        let (answer, body) = context.take(ticket).map(Answer::split).unzip();
        let body = body.unwrap_or_default();
        bytes += body.len() + 1_024;
        bodies.push(body);
        named.push(Named { ticket, answer, seen: context.seen() });
    }
    Ok((named, bodies))
}
