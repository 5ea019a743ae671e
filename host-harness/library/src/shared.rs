//! State that all plugins of a host share, and the state of one call.

use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::approval::Approvals;
use crate::audit::AuditLog;
use crate::budget::ByteBudget;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::credential::CredentialSource;
use crate::egress::{EchoFilters, Handles, Pacing};
use crate::guest::MemoryLimit;
use crate::imports::metered::MeteredState;
use crate::imports::{WasiState, WorkflowNodeCtx, WorkflowNodeCtxView, WorkflowNodeView, Written};
#[cfg(target_os = "linux")]
use crate::isolation::Workers;
use crate::journal::Journals;
use crate::limits::{Limits, ProcessLimits, TriggerLimits};
use crate::metering::{Meter, MeterEvent};
use crate::offload::Offload;
use crate::transport::Transport;

/// State that all plugins of a host share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<CallState>,
    pub(crate) cache: Option<Cache>,
    pub(crate) limits: Limits,
    pub(crate) trigger_limits: TriggerLimits,
    pub(crate) process_limits: ProcessLimits,
    pub(crate) held: Arc<ByteBudget>,
    pub(crate) heavy: Offload,
    /// Permits to compute for longer than a tick; made when the first guest runs.
    pub(crate) computing: OnceLock<Arc<Semaphore>>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    pub(crate) approvals: Arc<dyn Approvals>,
    pub(crate) audit: AuditLog,
    pub(crate) journals: Option<Journals>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pacing: Arc<Pacing>,
    pub(crate) handles: Arc<Handles>,
    pub(crate) echoes: Arc<EchoFilters>,
    pub(crate) development: bool,
    /// Whether guests are metered.
    pub(crate) metered: bool,
    /// Whether components that are not approved are compiled and run in this process.
    pub(crate) loads_unapproved: bool,
    #[cfg(target_os = "linux")]
    pub(crate) workers: Option<Arc<Workers>>,
}

/// The state of a store for one call.
pub(crate) struct CallState {
    pub(crate) node: WorkflowNodeCtx,
    pub(crate) wasi: WasiState,
    pub(crate) written: Written,
    pub(crate) memory: MemoryLimit,
    /// Of the running call, if it is metered.
    pub(crate) meter: Option<Meter>,
}

impl MeteredState for CallState {
    type Imports<'a> = WorkflowNodeCtxView<'a>;

    fn imports(&mut self) -> WorkflowNodeCtxView<'_> {
        self.workflow_node()
    }

    fn meter(&mut self) -> (&mut Option<Meter>, usize) {
        (&mut self.meter, self.memory.total())
    }

    fn metered(&mut self, event: MeterEvent) -> wasmtime::Result<()> {
        self.node.metered(event)
    }
}

impl WorkflowNodeView for CallState {
    fn workflow_node(&mut self) -> WorkflowNodeCtxView<'_> {
        WorkflowNodeCtxView { ctx: &mut self.node }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view()
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.wasi.http_view()
    }
}

impl Shared {
    /// Permits to compute for longer than a tick: one fewer than the executor has threads, so that
    /// guests that compute leave one for everything else.
    pub(crate) fn computing(&self) -> Arc<Semaphore> {
        let permits = || {
            let threads = Handle::try_current().map_or(1, |handle| handle.metrics().num_workers());
            Arc::new(Semaphore::new(threads.saturating_sub(1).max(1)))
        };
        self.computing.get_or_init(permits).clone()
    }
}
