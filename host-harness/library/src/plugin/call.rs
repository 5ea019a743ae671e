//! Calls into a guest: a store of its own for each, bounded in memory and time, dropped afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use crate::bindings::exports::workflow::node::node::Call;
use crate::bindings::triggers::Triggers;
use crate::bindings::workflow::node::types::{Error as GuestError, OutputItem};
use crate::bindings::{Plugin as Bindings, PluginPre};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crate::execution::{Silent, depth_of};
use crate::host::{CallState, Shared};
use crate::imports::{Emitted, WasiState, WorkflowNodeCtx};
use crate::inspection::Surface;
use crate::journal::{Journal, NoJournal};

/// After the deadline or a cancellation a guest has so long to return what it has.
const GRACE: Duration = Duration::from_secs(2);

/// A context that can send nothing, for `describe` and `configure`.
pub(super) fn pure(shared: &Shared) -> WorkflowNodeCtx {
    let limits = shared.limits.clone();
    let total = limits.total_time.min(Duration::from_secs(30));
    let journal: Arc<dyn Journal> = Arc::new(NoJournal);
    WorkflowNodeCtx::new(crate::imports::Parts {
        session: None,
        clock: shared.clock.clone(),
        observer: Arc::new(Silent),
        journal,
        cancellation: CancellationToken::new(),
        deadline: Deadline::after(shared.clock.clone(), total),
        limits,
        credentials: BTreeMap::new(),
        execution: String::new(),
        seed: 0,
        positions: Vec::new(),
        ports: BTreeSet::new(),
        place: None,
    })
}

/// Asks a plugin to describe itself.
pub(crate) async fn describe(
    shared: &Arc<Shared>,
    pre: &PluginPre<CallState>,
    surface: &Surface,
) -> Result<(String, String, Option<String>), Error> {
    let (node, _) = call(shared, pre, pure(shared), async |bindings, store| {
        bindings.workflow_node_node().call_describe(store).await
    })
    .await?;
    let (credential_types, _) = call(shared, pre, pure(shared), async |bindings, store| {
        bindings.workflow_node_credential_type().call_describe(store).await
    })
    .await?;
    let triggers = if surface.exports("trigger") {
        let (triggers, _) = call_triggers(shared, pre, pure(shared), async |bindings, store| {
            bindings.workflow_node_trigger().call_describe(store).await
        })
        .await?;
        Some(triggers)
    } else {
        None
    };
    for document in [Some(&node), Some(&credential_types), triggers.as_ref()].into_iter().flatten()
    {
        if depth_of(document) > shared.limits.json_depth {
            return Err(Error::refused("its description is nested too deeply"));
        }
    }
    Ok((node, credential_types, triggers))
}

/// Bounds the linear memory of a call.
pub(crate) struct MemoryLimit {
    most: usize,
    total: usize,
    refused: bool,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // All memories of the component together; memory never shrinks.
        let total = self.total.saturating_add(desired.saturating_sub(current));
        let allowed = total <= self.most;
        if allowed {
            self.total = total;
        } else {
            self.refused = true;
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= 20_000)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

fn new_store(shared: &Shared, context: WorkflowNodeCtx) -> Store<CallState> {
    let (memory, host_call) = (context.limits().memory, context.limits().host_call);
    let state = CallState {
        node: context,
        wasi: WasiState::new(),
        memory: MemoryLimit { most: memory, total: 0, refused: false },
        started: Instant::now(),
    };
    let mut store = Store::new(&shared.engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(host_call);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |store| {
        let CallState { node, started, .. } = store.data();
        let guest_time = node.limits().guest_time;
        if started.elapsed().saturating_sub(node.waited()) > guest_time {
            wasmtime::bail!("it computed for longer than {guest_time:?}");
        }
        // Other work of the executor gets its turn while a guest computes.
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// A call that ended.
pub(super) struct Ended {
    pub(super) emitted: Emitted,
    /// Linear memory of the instance, in bytes.
    pub(super) memory: usize,
    pub(super) output_bytes: usize,
}

/// A call that was stopped.
pub(super) struct Stopped {
    pub(super) error: Error,
    pub(super) emitted: Emitted,
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        stopped.error
    }
}

/// Runs one call of a node in an instance of its own.
pub(super) async fn call<T>(
    shared: &Shared,
    pre: &PluginPre<CallState>,
    context: WorkflowNodeCtx,
    invoke: impl AsyncFnOnce(&Bindings, &mut Store<CallState>) -> wasmtime::Result<T>,
) -> Result<(T, Ended), Stopped> {
    run(&mut new_store(shared, context), async |store| {
        let bindings = pre.instantiate_async(&mut *store).await?;
        invoke(&bindings, store).await
    })
    .await
}

/// Runs one call of the optional interface `trigger` in an instance of its own.
pub(super) async fn call_triggers<T>(
    shared: &Shared,
    pre: &PluginPre<CallState>,
    context: WorkflowNodeCtx,
    invoke: impl AsyncFnOnce(&Triggers, &mut Store<CallState>) -> wasmtime::Result<T>,
) -> Result<(T, Ended), Stopped> {
    run(&mut new_store(shared, context), async |store| {
        let instance = pre.instance_pre().instantiate_async(&mut *store).await?;
        let bindings = Triggers::new(&mut *store, &instance)?;
        invoke(&bindings, store).await
    })
    .await
}

/// What `execute` returns.
pub(super) type GuestResults = Result<Vec<Result<Vec<OutputItem>, GuestError>>, GuestError>;

/// An instance that serves the portions of one execution, one after the other. It is never used
/// for another execution, and never again after a call was stopped.
pub(super) struct Instance {
    store: Store<CallState>,
    bindings: Bindings,
    /// Linear memory after instantiation, in bytes.
    initial: usize,
}

impl Instance {
    /// Makes an instance and runs its first call. The instance comes back only from a call that
    /// ended.
    pub(super) async fn begin(
        shared: &Shared,
        pre: &PluginPre<CallState>,
        context: WorkflowNodeCtx,
        portion: &Call,
    ) -> Result<(GuestResults, Ended, Self), Stopped> {
        let mut store = new_store(shared, context);
        let ((results, bindings, initial), ended) = run(&mut store, async |store| {
            let bindings = pre.instantiate_async(&mut *store).await?;
            let initial = store.data().memory.total;
            let results = bindings.workflow_node_node().call_execute(store, portion).await?;
            Ok((results, bindings, initial))
        })
        .await?;
        Ok((results, ended, Self { store, bindings, initial }))
    }

    /// Runs a further call.
    pub(super) async fn go_on(
        mut self,
        context: WorkflowNodeCtx,
        portion: &Call,
    ) -> Result<(GuestResults, Ended, Self), Stopped> {
        let Self { store, bindings, .. } = &mut self;
        let host_call = context.limits().host_call;
        let state = store.data_mut();
        state.node = context;
        state.started = Instant::now();
        store.set_hostcall_fuel(host_call);
        let (results, ended) = run(store, async |store| {
            bindings.workflow_node_node().call_execute(store, portion).await
        })
        .await?;
        Ok((results, ended, self))
    }

    /// Linear memory above what the instance began with, in bytes.
    pub(super) fn memory_growth(&self) -> usize {
        self.store.data().memory.total - self.initial
    }
}

/// Runs one call in a store. A store whose call was stopped is dropped with it: an instance that
/// trapped or was abandoned is never used again.
async fn run<T>(
    store: &mut Store<CallState>,
    invoke: impl AsyncFnOnce(&mut Store<CallState>) -> wasmtime::Result<T>,
) -> Result<(T, Ended), Stopped> {
    let context = &store.data().node;
    let (clock, deadline) = (context.clock.clone(), context.ends().clone());
    let cancellation = context.cancellation().clone();
    let session = context.session().cloned();
    let ended = async {
        match &session {
            Some(session) => session.ended().await,
            None => std::future::pending().await,
        }
    };
    let over = async {
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
    let result = tokio::select! {
        result = invoke(store) => result.map_err(|error| trap_text(&error)),
        reason = ended => Err(reason),
        () = over => Err(format!("it did not return within {GRACE:?} after its time was over")),
    };
    // A guest may return before anybody has looked.
    let result = match session.as_ref().and_then(|session| session.ending.reason()) {
        Some(reason) => Err(reason.to_owned()),
        None => result,
    };
    let state = store.data_mut();
    state.node.abandon_open_tickets().await;
    let ended = Ended {
        emitted: state.node.take_emitted(),
        memory: state.memory.total,
        output_bytes: state.node.output_bytes(),
    };
    match result {
        Ok(value) => Ok((value, ended)),
        Err(mut message) => {
            if state.memory.refused {
                let most = state.memory.most / (1024 * 1024);
                message = format!("it wanted more than {most} MiB of memory ({message})");
            }
            Err(Stopped { error: ErrorKind::Stopped(message).into(), emitted: ended.emitted })
        }
    }
}

/// The cause of a trap, without the frames.
fn trap_text(error: &wasmtime::Error) -> String {
    let mut causes: Vec<String> = error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| !cause.starts_with("error while executing"))
        .collect();
    causes.dedup();
    let text = causes.join(": ");
    tracing::debug!(error = ?error, "a guest was stopped");
    text.chars().take(1_000).collect()
}
