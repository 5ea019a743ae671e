//! Calls into a guest: each in a separate instance, limited in memory and time, dropped afterward.

#[cfg(target_os = "linux")]
pub(crate) mod remote;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wasmtime::{Store, UpdateDeadline};

use crate::deadline::Deadline;
use crate::error::{Cause, Error};
use crate::guest::{
    Exports, GuestResults, Invocation, Linked, MemoryLimit, Returned, Stopping, held,
};
use crate::imports::{Traces, WasiState, WorkflowNodeCtx, Written, metered};
use crate::inspection::Surface;
use crate::json::Measure;
use crate::limits::{ProcessLimits, exceeded};
use crate::metering::Meter;
use crate::observer::Silent;
use crate::offload::Stop;
use crate::shared::{CallState, Shared};

/// Time for a guest to return its results after the deadline or a cancellation.
const GRACE: Duration = Duration::from_secs(2);

/// A context that can send nothing, for `describe` and `configure`. The guest may return so many
/// bytes.
pub(super) fn pure(shared: &Shared, returned: usize) -> WorkflowNodeCtx {
    let mut limits = shared.limits.clone();
    limits.host_call = limits.host_call.min(returned);
    let total = limits.total_time.min(Duration::from_secs(30));
    WorkflowNodeCtx::new(crate::imports::Parts {
        session: None,
        principal: None,
        clock: shared.clock.clone(),
        observer: Arc::new(Silent),
        journal: None,
        script: None,
        cancellation: CancellationToken::new(),
        deadline: Deadline::after(shared.clock.clone(), total),
        limits,
        credentials: BTreeMap::new(),
        execution: String::new(),
        seed: 0,
        positions: Vec::new(),
        ports: BTreeSet::new(),
        place: None,
        is_timeless: true,
        computing: shared.computing(),
    })
}

/// Asks a plugin to describe itself.
pub(crate) async fn describe(
    shared: &Arc<Shared>,
    guest: &Guest,
    surface: &Surface,
) -> Result<(String, String, Option<String>), Error> {
    let limits = &shared.process_limits;
    let ask = async |invocation| {
        let context = pure(shared, limits.description);
        let asked = call(shared, guest, context, &invocation, Returned::text).await;
        let (text, _) = asked.map_err(|stopped| match stopped.is_too_much {
            true => Error::refused(exceeded("its description", "description", limits.description)),
            false => stopped.error,
        })?;
        let (most, depth) = (limits.clone(), shared.limits.json_depth);
        let check = move |_: &Stop| check_description(&text, &most, depth).map(|()| text);
        shared.heavy.of_another().run(check).await?.map_err(Error::refused)
    };
    let node = ask(Invocation::DescribeNode).await?;
    let credential_types = ask(Invocation::DescribeCredentialTypes).await?;
    let triggers = match surface.exports("trigger") {
        true => Some(ask(Invocation::DescribeTriggers).await?),
        false => None,
    };
    Ok((node, credential_types, triggers))
}

fn new_store(shared: &Shared, context: WorkflowNodeCtx) -> Store<CallState> {
    let (memory, host_call) = (context.limits().memory, context.limits().host_call);
    let written = Written::new(held(context.limits()));
    let state = CallState {
        node: context,
        wasi: WasiState::new(&written),
        written,
        memory: MemoryLimit::new(memory),
        meter: shared.metered.then(Meter::new),
    };
    let mut store = Store::new(&shared.engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(host_call);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |store| {
        let node = &store.data().node;
        let guest_time = node.limits().guest_time;
        let (computed, turn) = node.time().tick();
        if computed > guest_time {
            wasmtime::bail!("it computed for longer than {guest_time:?} (limit `guest_time`)");
        }
        // Other work of the executor gets its turn while a guest computes.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(turn)))
    });
    store
}

/// A call that ended.
pub(super) struct Ended {
    pub(super) traces: Traces,
    /// Linear memory of the instance, in bytes.
    pub(super) memory: usize,
    pub(super) output_bytes: usize,
}

/// A call that was stopped.
pub(super) struct Stopped {
    pub(super) error: Error,
    pub(super) traces: Box<Traces>,
    /// Whether it passed more data to the host than one call may.
    pub(super) is_too_much: bool,
}

impl Stopped {
    /// Before anything was emitted.
    fn before(error: Error) -> Self {
        Self { error, traces: Box::default(), is_too_much: false }
    }

    /// With the error that explains it.
    async fn of(stopping: Stopping, context: &WorkflowNodeCtx, traces: Traces) -> Self {
        let (error, is_too_much) = stopping.into_error(context).await;
        Self { error, traces: Box::new(traces), is_too_much }
    }

    /// The result of another kind of call came back, which cannot happen to an honest worker.
    fn unexpected(traces: Traces) -> Self {
        let error = Cause::Stopped("it returned the result of another call".into());
        Self { error: error.into(), traces: Box::new(traces), is_too_much: false }
    }
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        stopped.error
    }
}

/// Where the code of a component runs.
#[derive(Clone)]
pub(crate) enum Guest {
    /// In this process.
    Local(Linked<CallState>),
    /// In workers.
    #[cfg(target_os = "linux")]
    Remote(Arc<remote::Program>),
}

/// Makes a call in a separate instance. `expect` takes the result of this kind of call.
pub(super) async fn call<T>(
    shared: &Shared,
    guest: &Guest,
    context: WorkflowNodeCtx,
    invocation: &Invocation,
    expect: impl FnOnce(Returned) -> Option<T>,
) -> Result<(T, Ended), Stopped> {
    let (returned, ended) = match guest {
        Guest::Local(linked) => {
            run(&mut new_store(shared, context), async |store| {
                let exports = linked.instantiate(store).await?;
                invocation.invoke(&exports, store).await
            })
            .await?
        }
        #[cfg(target_os = "linux")]
        Guest::Remote(program) => {
            let (returned, ended, _) =
                remote::Instance::begin(program, context, invocation).await?;
            (returned, ended)
        }
    };
    match expect(returned) {
        Some(value) => Ok((value, ended)),
        None => Err(Stopped::unexpected(ended.traces)),
    }
}

/// An instance that serves the portions of one execution, one after the other. It is never used
/// for another execution, and never again after a call was stopped.
pub(super) enum Instance {
    Local(Box<LocalInstance>),
    #[cfg(target_os = "linux")]
    Remote(remote::Instance),
}

pub(super) struct LocalInstance {
    store: Store<CallState>,
    exports: Exports,
    /// Linear memory after instantiation, in bytes.
    initial: usize,
}

impl Instance {
    /// Makes an instance and runs its first call. The instance comes back only from a call that
    /// ended.
    pub(super) async fn begin(
        shared: &Shared,
        guest: &Guest,
        context: WorkflowNodeCtx,
        portion: &Invocation,
    ) -> Result<(GuestResults, Ended, Self), Stopped> {
        let linked = match guest {
            Guest::Local(linked) => linked,
            #[cfg(target_os = "linux")]
            Guest::Remote(program) => {
                let begun = remote::Instance::begin(program, context, portion).await?;
                return Self::remote(begun);
            }
        };
        let mut store = new_store(shared, context);
        let ((returned, exports, initial), ended) = run(&mut store, async |store| {
            let exports = linked.instantiate(store).await?;
            let initial = store.data().memory.total();
            let returned = portion.invoke(&exports, store).await?;
            Ok((returned, exports, initial))
        })
        .await?;
        match returned.executed() {
            Some(results) => {
                let instance = LocalInstance { store, exports, initial };
                Ok((results, ended, Self::Local(Box::new(instance))))
            }
            None => Err(Stopped::unexpected(ended.traces)),
        }
    }

    /// Runs a further call.
    pub(super) async fn go_on(
        self,
        mut context: WorkflowNodeCtx,
        portion: &Invocation,
    ) -> Result<(GuestResults, Ended, Self), Stopped> {
        let mut local = match self {
            Self::Local(local) => local,
            #[cfg(target_os = "linux")]
            Self::Remote(instance) => {
                return Self::remote(instance.go_on(context, portion).await?);
            }
        };
        let LocalInstance { store, exports, .. } = &mut *local;
        let host_call = context.limits().host_call;
        let state = store.data_mut();
        context.number_tickets_after(state.node.last_ticket());
        state.node = context;
        // Output of the last call does not explain a failure of this one.
        drop(state.written.take());
        store.set_hostcall_fuel(host_call);
        let (returned, ended) =
            run(store, async |store| portion.invoke(exports, store).await).await?;
        match returned.executed() {
            Some(results) => Ok((results, ended, Self::Local(local))),
            None => Err(Stopped::unexpected(ended.traces)),
        }
    }

    /// Growth of linear memory since the instance was created, in bytes.
    pub(super) fn memory_growth(&self) -> usize {
        match self {
            Self::Local(local) => local.store.data().memory.total() - local.initial,
            #[cfg(target_os = "linux")]
            Self::Remote(instance) => instance.memory_growth(),
        }
    }

    #[cfg(target_os = "linux")]
    fn remote(
        (returned, ended, instance): (Returned, Ended, remote::Instance),
    ) -> Result<(GuestResults, Ended, Self), Stopped> {
        match returned.executed() {
            Some(results) => Ok((results, ended, Self::Remote(instance))),
            None => Err(Stopped::unexpected(ended.traces)),
        }
    }
}

/// Waits until a call must have returned, and says why: its plugin was disabled, or its time is
/// over.
fn over(context: &WorkflowNodeCtx) -> impl Future<Output = String> + use<> {
    let (clock, deadline) = (context.clock.clone(), context.ends().clone());
    let cancellation = context.cancellation().clone();
    let session = context.session().cloned();
    async move {
        let disabled = async {
            match &session {
                Some(session) => session.ended().await,
                None => std::future::pending().await,
            }
        };
        let late = async {
            loop {
                tokio::select! {
                    () = deadline.passed() => {}
                    () = cancellation.cancelled() => {}
                }
                clock.sleep(GRACE).await;
                // An item that finished meanwhile may have postponed the deadline.
                if cancellation.is_cancelled() || deadline.left().is_zero() {
                    return;
                }
            }
        };
        tokio::select! {
            reason = disabled => reason,
            () = late => format!("it did not return within {GRACE:?} after its time limit"),
        }
    }
}

/// The result of a call, unless its plugin was disabled meanwhile: a guest may return before
/// anybody has checked.
fn unless_disabled<T>(
    context: &WorkflowNodeCtx,
    result: Result<T, Stopping>,
) -> Result<T, Stopping> {
    match context.session().and_then(|session| session.ending.reason()) {
        Some(reason) => Err(reason.to_owned().into()),
        None => result,
    }
}

/// The result of a call, unless the guest has left something undone that its journal says.
fn unless_broken<T>(
    context: &mut WorkflowNodeCtx,
    result: Result<T, Stopping>,
) -> Result<T, Stopping> {
    let value = result?;
    context.returned()?;
    Ok(value)
}

/// Runs one call in a store. A store whose call was stopped is dropped with it: an instance that
/// trapped or was abandoned is never used again.
async fn run<T>(
    store: &mut Store<CallState>,
    invoke: impl AsyncFnOnce(&mut Store<CallState>) -> wasmtime::Result<T>,
) -> Result<(T, Ended), Stopped> {
    let over = over(&store.data().node);
    let time = store.data().node.time().clone();
    let computes = async {
        if metered::begin(store)? {
            store.data_mut().node.begin_metering();
        }
        time.resume();
        let result = invoke(store).await;
        drop(time.waits());
        result
    };
    let result = tokio::select! {
        result = computes => result.map_err(Stopping::from),
        reason = over => Err(reason.into()),
    };
    let metered = metered::end(store);
    let result = result.and_then(|value| metered.map(|()| value).map_err(Stopping::from));
    let result = unless_disabled(&store.data().node, result);
    let result = unless_broken(&mut store.data_mut().node, result);
    let state = store.data_mut();
    state.node.abandon_open_tickets().await;
    state.node.end_metering();
    let ended = Ended {
        traces: state.node.take_traces(),
        memory: state.memory.total(),
        output_bytes: state.node.output_bytes(),
    };
    match result {
        Ok(value) => Ok((value, ended)),
        Err(stopping) => {
            let stopping = stopping.explained(&state.memory, &state.written);
            Err(Stopped::of(stopping, &state.node, ended.traces).await)
        }
    }
}

/// Checks the size of a description, before it is read.
fn check_description(text: &str, limits: &ProcessLimits, depth: usize) -> Result<(), String> {
    if text.len() > limits.description {
        return Err(exceeded("its description", "description", limits.description));
    }
    let measure = Measure::of(text);
    if measure.values > limits.description_values {
        let what = "the number of values in its description";
        return Err(exceeded(what, "description_values", limits.description_values));
    }
    match measure.depth > depth {
        true => Err("its description is nested too deeply".into()),
        false => Ok(()),
    }
}
