//! A host: one engine, its services, and the plugins that it loads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, WasmFeatures};
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::approval::{Approvals, GrantRequest, MemoryApprovals};
use crate::audit::{AuditSink, TracingAudit};
use crate::budget::ByteBudget;
use crate::cache::{Cache, Documents};
use crate::clock::{Clock, SystemClock};
use crate::credential::{CredentialSource, CredentialStore, MemoryCredentials};
use crate::description::{Description, RateWindow};
use crate::digest::Digest;
use crate::egress::{EchoFilters, Handles, Pacing};
use crate::error::{Error, ErrorKind};
use crate::imports::{
    WasiState, WorkflowNodeCtx, WorkflowNodeCtxView, WorkflowNodeView, Written, add_to_linker,
    add_wasi_to_linker,
};
use crate::inspection::{FEATURES, Surface, inspect};
use crate::isolation::Isolation;
#[cfg(target_os = "linux")]
use crate::isolation::Workers;
use crate::journal::{Journal, NoJournal};
use crate::limits::{Limits, ProcessLimits, TriggerLimits, WorkerLimits};
use crate::oauth::{CredentialEvents, CredentialManager, Services, Timing};
use crate::offload::{Offload, Stop};
#[cfg(target_os = "linux")]
use crate::plugin::Program;
use crate::plugin::{Guest, Linked, Plugin};
use crate::transport::{HttpTransport, Transport};

/// Stack of a guest, in bytes.
const WASM_STACK: usize = 512 * 1024;
/// Stack of a fiber: the guest's, and room for host functions at its edge.
const ASYNC_STACK: usize = WASM_STACK + 1024 * 1024;

/// Makes the memories of guests; see [`HostBuilder::memory_creator`].
pub use wasmtime::MemoryCreator;

/// How components are compiled and run, in whichever process.
pub(crate) fn engine_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(FEATURES, true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        // Frames tell an author where a guest trapped. Core dumps, which would hold its memory,
        // are not compiled in.
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    config
}

/// Builds a [`Host`].
#[derive(Default)]
pub struct HostBuilder {
    cache: Option<PathBuf>,
    limits: Limits,
    trigger_limits: TriggerLimits,
    process_limits: ProcessLimits,
    transport: Option<Arc<dyn Transport>>,
    credentials: Option<Arc<dyn CredentialSource>>,
    store: Option<Arc<dyn CredentialStore>>,
    events: Option<Arc<dyn CredentialEvents>>,
    timing: Timing,
    approvals: Option<Arc<dyn Approvals>>,
    audit: Option<Arc<dyn AuditSink>>,
    journal: Option<Arc<dyn Journal>>,
    clock: Option<Arc<dyn Clock>>,
    rate_limit: Option<Vec<RateWindow>>,
    development: bool,
    memory_creator: Option<Arc<dyn MemoryCreator>>,
    isolation: Isolation,
    worker_limits: WorkerLimits,
}

impl HostBuilder {
    /// Keeps compiled components below this directory, which must be the user's own. Without it
    /// every load compiles.
    #[must_use]
    pub fn cache_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache = Some(directory.into());
        self
    }

    /// What one call may use, unless the execution says otherwise.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Limits deliveries, events, and what is stored of them. Default: [`TriggerLimits::default`].
    #[must_use]
    pub fn trigger_limits(mut self, limits: TriggerLimits) -> Self {
        self.trigger_limits = limits;
        self
    }

    /// What all that this host runs and loads may use together. Default:
    /// [`ProcessLimits::default`].
    #[must_use]
    pub fn process_limits(mut self, limits: ProcessLimits) -> Self {
        self.process_limits = limits;
        self
    }

    /// Sends requests. Default: an [`HttpTransport`].
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Where credentials are kept. The host connects, renews and ends them there; see
    /// [`Host::credentials`]. Default: none.
    #[must_use]
    pub fn credential_store(mut self, store: Arc<dyn CredentialStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Hears what befalls the credentials of the store.
    #[must_use]
    pub fn credential_events(mut self, events: Arc<dyn CredentialEvents>) -> Self {
        self.events = Some(events);
        self
    }

    /// How long getting and renewing tokens may take.
    #[must_use]
    pub fn credential_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Where credentials come from, for an engine that does all of it itself: instead of a store.
    /// Default: none.
    #[must_use]
    pub fn credentials(mut self, credentials: Arc<dyn CredentialSource>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Where approvals are kept. Default: in memory, empty.
    #[must_use]
    pub fn approvals(mut self, approvals: Arc<dyn Approvals>) -> Self {
        self.approvals = Some(approvals);
        self
    }

    /// Takes audit events. Default: [`TracingAudit`].
    #[must_use]
    pub fn audit(mut self, audit: Arc<dyn AuditSink>) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Takes journal entries. Default: [`NoJournal`].
    #[must_use]
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Where time comes from. Default: [`SystemClock`].
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Paces every credential by these windows instead of those that its type describes; an empty
    /// list lifts the limit. For a service that allows this account something else, and for
    /// benchmarks.
    #[must_use]
    pub fn rate_limit(mut self, windows: Vec<RateWindow>) -> Self {
        self.rate_limit = Some(windows);
        self
    }

    /// Approves rebuilds of a plugin that was approved once, as long as they ask for nothing new.
    /// For authors; each such approval is a warning in the log.
    #[must_use]
    pub fn development(mut self, on: bool) -> Self {
        self.development = on;
        self
    }

    /// Allocates the linear memories of guests, so that a test can read all of them. Not for
    /// [`Isolation::Process`]: workers allocate their own.
    #[must_use]
    pub fn memory_creator(mut self, creator: Arc<dyn MemoryCreator>) -> Self {
        self.memory_creator = Some(creator);
        self
    }

    /// Where guests run. Default: [`Isolation::InProcess`].
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// Limits of the processes that run guests.
    #[must_use]
    pub fn worker_limits(mut self, limits: WorkerLimits) -> Self {
        self.worker_limits = limits;
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// When the engine or the transport cannot be made, when the thread that interrupts plugins
    /// cannot be started, or when the cache directory cannot be used.
    pub fn build(self) -> Result<Host, Error> {
        let mut config = engine_config();
        if self.memory_creator.is_some() && matches!(self.isolation, Isolation::Process(_)) {
            return Err(Error::internal("a memory creator cannot serve worker processes"));
        }
        if let Some(creator) = self.memory_creator {
            // A creator knows nothing of guard pages and copy-on-write images.
            config
                .with_host_memory(creator)
                .memory_init_cow(false)
                .memory_reservation(0)
                .memory_guard_size(0);
        }
        let engine = Engine::new(&config).map_err(Error::internal)?;
        crate::ticker::start(&engine)?;
        let cache = self
            .cache
            .map(|directory| {
                Cache::open(&directory, &engine).map_err(|source| {
                    let path = directory.display().to_string();
                    Error::from(ErrorKind::Read { path, source })
                })
            })
            .transpose()?;
        let mut linker = Linker::new(&engine);
        add_to_linker::<CallState>(&mut linker).map_err(Error::internal)?;
        add_wasi_to_linker::<CallState>(&mut linker).map_err(Error::internal)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(HttpTransport::builder().build().map_err(Error::internal)?),
        };
        let approvals = self.approvals.unwrap_or_else(|| Arc::new(MemoryApprovals::default()));
        let audit = self.audit.unwrap_or_else(|| Arc::new(TracingAudit));
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::default()));
        let manager = self.store.map(|store| {
            CredentialManager::new(Services {
                store,
                transport: transport.clone(),
                approvals: approvals.clone(),
                audit: audit.clone(),
                clock: clock.clone(),
                events: self.events,
                timing: self.timing,
            })
        });
        let credentials = match (self.credentials, &manager) {
            (Some(credentials), _) => credentials,
            (None, Some(manager)) => Arc::new(manager.clone()),
            (None, None) => Arc::new(MemoryCredentials::default()),
        };
        #[cfg(target_os = "linux")]
        let workers = match &self.isolation {
            Isolation::Process(command) => {
                Some(Workers::new(command.clone(), self.worker_limits).map_err(Error::internal)?)
            }
            _ => None,
        };
        #[cfg(not(target_os = "linux"))]
        if matches!(self.isolation, Isolation::Process(_)) {
            return Err(Error::internal("worker processes are available on Linux only"));
        }
        let shared = Arc::new(Shared {
            engine,
            linker,
            cache,
            handles: Arc::new(Handles::new(self.limits.handles)),
            limits: self.limits,
            trigger_limits: self.trigger_limits,
            held: ByteBudget::of_process(self.process_limits.held_bytes),
            heavy: Offload::new(self.process_limits.heavy_work),
            computing: OnceLock::new(),
            process_limits: self.process_limits,
            transport,
            credentials,
            manager,
            approvals,
            audit,
            journal: self.journal.unwrap_or_else(|| Arc::new(NoJournal)),
            clock,
            pacing: Arc::new(Pacing::new(self.rate_limit)),
            echoes: Arc::new(EchoFilters::default()),
            development: self.development,
            loads_unapproved: matches!(self.isolation, Isolation::InProcessUnapproved),
            #[cfg(target_os = "linux")]
            workers,
        });
        Ok(Host { shared })
    }
}

/// Loads plugins. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    pub(crate) shared: Arc<Shared>,
}

/// What all plugins of a host share.
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
    pub(crate) manager: Option<CredentialManager>,
    pub(crate) approvals: Arc<dyn Approvals>,
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pacing: Arc<Pacing>,
    pub(crate) handles: Arc<Handles>,
    pub(crate) echoes: Arc<EchoFilters>,
    pub(crate) development: bool,
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

    /// A component that was compiled before, with what it says about itself. Takes time.
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

    /// What one call may use, unless its execution says otherwise.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// What all that this host runs and loads may use together.
    pub fn process_limits(&self) -> &ProcessLimits {
        &self.shared.process_limits
    }

    /// Connects, renews and ends the credentials of the host's store; `None` where it was built
    /// without one.
    pub fn credentials(&self) -> Option<&CredentialManager> {
        self.shared.manager.as_ref()
    }

    /// Process IDs of the workers, those that are idle included; empty without
    /// [`Isolation::Process`].
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
            Error::from(ErrorKind::Read { path: path.display().to_string(), source })
        })?;
        self.load(bytes).await
    }

    /// Loads a plugin: inspects it, compiles it (or takes it from the cache), asks it twice to
    /// describe itself, and checks the description. Grants nothing.
    ///
    /// With [`Isolation::Process`] all of this happens in worker processes; with
    /// [`Isolation::InProcess`] only components that are approved are loaded.
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
            self.check_approved(&digest)?;
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
                .map_err(|error| Error::refused(format!("it cannot be compiled: {error:#}")))?;
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
        let description =
            description.map_err(|error| Error::from(ErrorKind::Description(error)))?;
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
        let description =
            description.map_err(|error| Error::from(ErrorKind::Description(error)))?;
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
    fn check_approved(&self, digest: &Digest) -> Result<(), Error> {
        let approval = self.shared.approvals.approval(digest).map_err(ErrorKind::from)?;
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
            .map_err(|error| Error::refused(format!("it cannot be linked: {error:#}")))?;
        Linked::new(pre, surface.exports("trigger")).map_err(|error| {
            Error::refused(format!("its exports are not the contract's: {error:#}"))
        })
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
