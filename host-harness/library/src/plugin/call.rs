//! Calls into a guest: a store of its own for each, bounded in memory and time, dropped afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use crate::bindings::triggers::Triggers;
use crate::bindings::{Plugin as Bindings, PluginPre};
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
    let mut limits = shared.limits.clone();
    limits.total_time = limits.total_time.min(Duration::from_secs(30));
    let journal: Arc<dyn Journal> = Arc::new(NoJournal);
    WorkflowNodeCtx::new(crate::imports::Parts {
        session: None,
        clock: shared.clock.clone(),
        observer: Arc::new(Silent),
        journal,
        cancellation: CancellationToken::new(),
        limits,
        credentials: BTreeMap::new(),
        execution: String::new(),
        seed: 0,
        positions: Vec::new(),
        ports: BTreeSet::new(),
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
    let (memory, guest_time, host_call) = {
        let limits = context.limits();
        (limits.memory, limits.guest_time, limits.host_call)
    };
    let state = CallState {
        node: context,
        wasi: WasiState::new(),
        memory: MemoryLimit { most: memory, total: 0, refused: false },
    };
    let mut store = Store::new(&shared.engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(host_call);
    store.set_epoch_deadline(1);
    let started = std::time::Instant::now();
    store.epoch_deadline_callback(move |store| {
        let waited = store.data().node.waited();
        if started.elapsed().saturating_sub(waited) > guest_time {
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
    run(shared, context, async |store| {
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
    run(shared, context, async |store| {
        let instance = pre.instance_pre().instantiate_async(&mut *store).await?;
        let bindings = Triggers::new(&mut *store, &instance)?;
        invoke(&bindings, store).await
    })
    .await
}

/// Runs one call. The store is dropped afterwards, whatever happened: an instance that trapped or
/// was abandoned is never used again.
async fn run<T>(
    shared: &Shared,
    context: WorkflowNodeCtx,
    invoke: impl AsyncFnOnce(&mut Store<CallState>) -> wasmtime::Result<T>,
) -> Result<(T, Ended), Stopped> {
    let total = context.limits().total_time;
    let cancellation = context.cancellation().clone();
    let mut store = new_store(shared, context);
    let clock = shared.clock.clone();
    let over = async {
        tokio::select! {
            () = clock.sleep(total) => {}
            () = cancellation.cancelled() => {}
        }
        clock.sleep(GRACE).await;
    };
    let result = tokio::select! {
        result = invoke(&mut store) => result.map_err(|error| trap_text(&error)),
        () = over => Err(format!("it did not return within {GRACE:?} after its time was over")),
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
