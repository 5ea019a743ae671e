//! A host: one engine, its services, and the plugins that it loads.

mod builder;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, WasmFeatures};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::approval::{Approvals, GrantRequest};
use crate::audit::AuditLog;
use crate::budget::ByteBudget;
use crate::cache::{Cache, Documents};
use crate::clock::Clock;
use crate::credential::CredentialSource;
use crate::description::Description;
use crate::digest::Digest;
use crate::egress::{EchoFilters, Handles, Pacing};
use crate::error::{Cause, Error};
use crate::imports::metered::MeteredState;
use crate::imports::{WasiState, WorkflowNodeCtx, WorkflowNodeCtxView, WorkflowNodeView, Written};
use crate::inspection::{FEATURES, Surface, inspect};
#[cfg(target_os = "linux")]
use crate::isolation::Workers;
use crate::journal::Journals;
use crate::limits::{Limits, ProcessLimits, TriggerLimits};
use crate::metering::{Meter, MeterEvent};
use crate::oauth::CredentialManager;
use crate::offload::{Offload, Stop};
#[cfg(target_os = "linux")]
use crate::plugin::Program;
use crate::plugin::{Guest, Linked, Plugin};
use crate::transport::Transport;
use crate::trigger::Triggers;

pub use builder::HostBuilder;
#[cfg(feature = "memory-hook")]
pub use builder::MemoryCreator;

/// Stack of a guest, in bytes.
const WASM_STACK: usize = 512 * 1024;
/// Stack of a fiber: the guest's, and room for host functions at its edge.
const ASYNC_STACK: usize = WASM_STACK + 1024 * 1024;

/// How components are compiled and run, in whichever process. `metered`: with code that counts fuel.
pub(crate) fn engine_config(metered: bool) -> Config {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(FEATURES, true)
        .epoch_interruption(true)
        .consume_fuel(metered)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        // Frames tell an author where a guest trapped. Core dumps, which would hold its memory,
        // are not compiled in.
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    config
}

/// Loads plugins. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    pub(crate) shared: Arc<Shared>,
}

/// State that all plugins of a host share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<CallState>,
    cache: Option<Cache>,
    pub(crate) limits: Limits,
    pub(crate) trigger_limits: TriggerLimits,
    pub(crate) process_limits: ProcessLimits,
    pub(crate) held: Arc<ByteBudget>,
    pub(crate) heavy: Offload,
    /// Permits to compute for longer than a tick; made when the first guest runs.
    computing: OnceLock<Arc<Semaphore>>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    manager: Option<CredentialManager>,
    triggers: Option<Triggers>,
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
    loads_unapproved: bool,
    #[cfg(target_os = "linux")]
    pub(crate) workers: Option<Arc<Workers>>,
}

/// The state of a store for one call.
pub(crate) struct CallState {
    pub(crate) node: WorkflowNodeCtx,
    pub(crate) wasi: WasiState,
    pub(crate) written: Written,
    pub(crate) memory: crate::plugin::MemoryLimit,
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

    /// A component that was compiled before, with its description. Takes time.
    fn cached(&self, digest: &Digest) -> Option<(Component, Surface, Description)> {
        let (component, documents) = self.cache.as_ref()?.load(&self.engine, digest)?;
        let description = read_cached(digest, &documents)?;
        Some((component, documents.surface, description))
    }
}

/// The description in the cache, if this version can read it.
fn read_cached(digest: &Digest, documents: &Documents) -> Option<Description> {
    let Documents { node, credential_types, triggers, .. } = documents;
    let description = Description::read_checked(node, credential_types, triggers.as_deref());
    if description.is_err() {
        tracing::warn!(%digest, "the cached description cannot be read; compiling again");
    }
    description.ok()
}

impl Host {
    /// Starts a builder.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Limits of one call, unless its execution sets others.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Combined limits of everything that this host runs and loads.
    pub fn process_limits(&self) -> &ProcessLimits {
        &self.shared.process_limits
    }

    /// Connects, renews, and ends the credentials in the host's store.
    ///
    /// # Errors
    ///
    /// When the host was built without a [credential store](HostBuilder::credential_store).
    pub fn credentials(&self) -> Result<&CredentialManager, Error> {
        self.shared.manager.as_ref().ok_or_else(|| {
            let problem = "Cannot manage credentials: this host was built without a credential \
                           store. Call `HostBuilder::credential_store`";
            Cause::Setup(problem.to_owned()).into()
        })
    }

    /// Sets up, receives for, and runs the trigger subscriptions in the host's store.
    ///
    /// # Errors
    ///
    /// When the host was built without a [trigger store](HostBuilder::trigger_store).
    pub fn triggers(&self) -> Result<&Triggers, Error> {
        self.shared.triggers.as_ref().ok_or_else(|| {
            let problem = "Cannot use triggers: this host was built without a trigger store. Call \
                           `HostBuilder::trigger_store`";
            Cause::Setup(problem.to_owned()).into()
        })
    }

    /// Process IDs of the workers, those that are idle included; empty without
    /// [`Isolation::Process`](crate::Isolation::Process).
    pub fn worker_processes(&self) -> Vec<u32> {
        #[cfg(target_os = "linux")]
        if let Some(workers) = &self.shared.workers {
            return workers.processes();
        }
        Vec::new()
    }

    /// Loads a plugin from a file.
    ///
    /// # Errors
    ///
    /// As [`Host::load`], or when the file cannot be read.
    pub async fn load_file(&self, path: impl AsRef<Path>) -> Result<Plugin, Error> {
        let path = path.as_ref();
        crate::inspection::check_size(
            tokio::fs::metadata(path).await.map_or(0, |file| file.len()),
        )?;
        let bytes = tokio::fs::read(path).await.map_err(|source| {
            Error::from(Cause::Read { path: path.display().to_string(), source })
        })?;
        self.load(bytes).await
    }

    /// Loads a plugin: inspects it, compiles it (or takes it from the cache), asks it twice to
    /// describe itself, and checks the description. Grants nothing.
    ///
    /// With [`Isolation::Process`](crate::Isolation::Process) all of this happens in worker processes; with
    /// [`Isolation::InProcess`](crate::Isolation::InProcess) only components that are approved are loaded.
    ///
    /// # Errors
    ///
    /// When the plugin is refused or stopped; see [`Error::is_refused`], [`Error::is_stopped`].
    pub async fn load(&self, bytes: Vec<u8>) -> Result<Plugin, Error> {
        let digest = Digest::of(&bytes);
        #[cfg(target_os = "linux")]
        if let Some(workers) = &self.shared.workers {
            return self.load_isolated(workers, digest, bytes).await;
        }
        if !self.shared.loads_unapproved {
            self.check_approved(&digest).await?;
        }
        let heavy = self.shared.heavy.of_another();
        if self.shared.cache.is_some() {
            let shared = self.shared.clone();
            if let Some((component, surface, description)) =
                heavy.run(move |_| shared.cached(&digest)).await?
            {
                let linked = self.link(&component, &surface)?;
                return Ok(self.plugin(digest, surface, Guest::Local(linked), description));
            }
        }
        let shared = self.shared.clone();
        let compiled = tokio::task::spawn_blocking(move || {
            let surface = inspect(&bytes)?;
            let component = Component::from_binary(&shared.engine, &bytes)
                .map_err(|error| Error::refused_by("it cannot be compiled", error))?;
            Ok::<_, Error>((surface, component))
        });
        let (surface, component) = compiled.await.map_err(Error::internal)??;
        let guest = Guest::Local(self.link(&component, &surface)?);
        let documents = self.describe(&guest, surface).await?;
        let limits = self.shared.process_limits.clone();
        let read = move |_: &Stop| {
            let (node, types) = (&documents.node, &documents.credential_types);
            let read = Description::read(node, types, documents.triggers.as_deref(), &limits);
            (documents, read)
        };
        let (documents, description) = heavy.run(read).await?;
        let description = description.map_err(|error| Error::from(Cause::Description(error)))?;
        if let Some(cache) = &self.shared.cache
            && let Err(error) = cache.store(&digest, &component, &documents)
        {
            tracing::warn!(%error, "the compiled component cannot be kept");
        }
        Ok(self.plugin(digest, documents.surface, guest, description))
    }

    /// Loads a plugin without compiling, running, or checking anything of it in this process.
    #[cfg(target_os = "linux")]
    async fn load_isolated(
        &self,
        workers: &Arc<Workers>,
        digest: Digest,
        bytes: Vec<u8>,
    ) -> Result<Plugin, Error> {
        let program = |code, surface: &Surface| {
            let has_triggers = surface.exports("trigger");
            Guest::Remote(Program::new(workers.clone(), digest, code, has_triggers))
        };
        let heavy = self.shared.heavy.of_another();
        let shared = self.shared.clone();
        let cached = move |_: &Stop| {
            let (code, documents) = shared.cache.as_ref()?.open_entry(&digest)?;
            let description = read_cached(&digest, &documents)?;
            Some((code, documents.surface, description))
        };
        if self.shared.cache.is_some()
            && let Some((code, surface, description)) = heavy.run(cached).await?
        {
            let guest = program(code, &surface);
            return Ok(self.plugin(digest, surface, guest, description));
        }
        crate::inspection::check_size(bytes.len() as u64)?;
        let output = crate::cache::NewCode::create(self.shared.cache.as_ref(), &digest)
            .map_err(Error::internal)?;
        let mut compiler = workers.compiler(bytes.len()).await?;
        let surface = compiler.compile(bytes, output.file()).await?;
        let guest = program(output.read_only().map_err(Error::internal)?, &surface);
        let documents = self.describe(&guest, surface).await?;
        let (node, types) = (&documents.node, &documents.credential_types);
        let limits = &self.shared.process_limits;
        compiler.check(node, types, documents.triggers.as_deref(), limits).await?;
        drop(compiler);
        let read = move |_: &Stop| {
            let (node, types) = (&documents.node, &documents.credential_types);
            let read = Description::read_checked(node, types, documents.triggers.as_deref());
            (documents, read)
        };
        let (documents, description) = heavy.run(read).await?;
        let description = description.map_err(|error| Error::from(Cause::Description(error)))?;
        if let Err(error) = output.keep(&documents) {
            tracing::warn!(%error, "the compiled component cannot be kept");
        }
        Ok(self.plugin(digest, documents.surface, guest, description))
    }

    /// Asks a component to describe itself, twice.
    async fn describe(&self, guest: &Guest, surface: Surface) -> Result<Documents, Error> {
        let (node, credential_types, triggers) =
            crate::plugin::describe(&self.shared, guest, &surface).await?;
        let again = crate::plugin::describe(&self.shared, guest, &surface).await?;
        if (&node, &credential_types, &triggers) != (&again.0, &again.1, &again.2) {
            return Err(Error::refused(
                "it describes itself differently each time it is asked: what is approved would \
                 not be what runs",
            ));
        }
        Ok(Documents { surface, node, credential_types, triggers })
    }

    /// Without workers, nothing of a component is compiled or run before it is approved.
    async fn check_approved(&self, digest: &Digest) -> Result<(), Error> {
        let approval = self.shared.approvals.approval(digest).await.map_err(Cause::from)?;
        match approval {
            Some(_) => Ok(()),
            None => Err(Error::refused(format!(
                "the component {digest} is not approved, and this host has no worker processes to \
                 compile and inspect it in. Give it a worker executable \
                 (`HostBuilder::isolation(Isolation::Process(…))`), or choose \
                 `Isolation::InProcessUnapproved` if you trust every component that is loaded"
            ))),
        }
    }

    fn link(&self, component: &Component, surface: &Surface) -> Result<Linked<CallState>, Error> {
        let pre = self
            .shared
            .linker
            .instantiate_pre(component)
            .map_err(|error| Error::refused_by("it cannot be linked", error))?;
        Linked::new(pre, surface.exports("trigger"))
            .map_err(|error| Error::refused_by("its exports are not the contract's", error))
    }

    fn plugin(
        &self,
        digest: Digest,
        surface: Surface,
        guest: Guest,
        description: Description,
    ) -> Plugin {
        let request = GrantRequest::of(&description);
        Plugin::new(self.shared.clone(), digest, surface, guest, description, request)
    }
}
