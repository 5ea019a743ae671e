//! A host: one engine, its services, and the plugins that it loads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::approval::{Approvals, GrantRequest, MemoryApprovals};
use crate::audit::{AuditSink, TracingAudit};
use crate::bindings::PluginPre;
use crate::cache::{Cache, Documents};
use crate::clock::{Clock, SystemClock};
use crate::credential::{CredentialSource, CredentialStore, MemoryCredentials};
use crate::description::{Description, RateWindow};
use crate::digest::Digest;
use crate::egress::{EchoFilters, Handles, Pacing};
use crate::error::{Error, ErrorKind};
use crate::imports::{
    WasiState, WorkflowNodeCtx, WorkflowNodeCtxView, WorkflowNodeView, add_to_linker,
    add_wasi_to_linker,
};
use crate::inspection::{Surface, inspect};
use crate::journal::{Journal, NoJournal};
use crate::limits::{Limits, TriggerLimits};
use crate::oauth::{CredentialEvents, CredentialManager, Services, Timing};
use crate::plugin::Plugin;
use crate::transport::{HttpTransport, Transport};

/// Stack of a guest, in bytes.
const WASM_STACK: usize = 512 * 1024;
/// Stack of a fiber: the guest's, and room for host functions at its edge.
const ASYNC_STACK: usize = WASM_STACK + 1024 * 1024;

/// Makes the memories of guests; see [`HostBuilder::memory_creator`].
pub use wasmtime::MemoryCreator;

/// Builds a [`Host`].
#[derive(Default)]
pub struct HostBuilder {
    cache: Option<PathBuf>,
    limits: Limits,
    trigger_limits: TriggerLimits,
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

    /// Allocates the linear memories of guests, so that a test can read all of them.
    #[must_use]
    pub fn memory_creator(mut self, creator: Arc<dyn MemoryCreator>) -> Self {
        self.memory_creator = Some(creator);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// When the engine or the transport cannot be made, when the thread that interrupts plugins
    /// cannot be started, or when the cache directory cannot be used.
    pub fn build(self) -> Result<Host, Error> {
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .epoch_interruption(true)
            .max_wasm_stack(WASM_STACK)
            .async_stack_size(ASYNC_STACK)
            // Frames tell an author where a guest trapped. Core dumps, which would hold its memory,
            // are not compiled in.
            .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
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
        let shared = Arc::new(Shared {
            engine,
            linker,
            cache,
            limits: self.limits,
            trigger_limits: self.trigger_limits,
            transport,
            credentials,
            manager,
            approvals,
            audit,
            journal: self.journal.unwrap_or_else(|| Arc::new(NoJournal)),
            clock,
            pacing: Pacing::new(self.rate_limit),
            handles: Arc::new(Handles::default()),
            echoes: Arc::new(EchoFilters::default()),
            development: self.development,
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
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    pub(crate) manager: Option<CredentialManager>,
    pub(crate) approvals: Arc<dyn Approvals>,
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pacing: Pacing,
    pub(crate) handles: Arc<Handles>,
    pub(crate) echoes: Arc<EchoFilters>,
    pub(crate) development: bool,
}

/// The state of a store for one call.
pub(crate) struct CallState {
    pub(crate) node: WorkflowNodeCtx,
    pub(crate) wasi: WasiState,
    pub(crate) memory: crate::plugin::MemoryLimit,
    /// When the call that runs was begun.
    pub(crate) started: Instant,
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

impl Host {
    /// Starts a builder.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Connects, renews and ends the credentials of the host's store; `None` where it was built
    /// without one.
    pub fn credentials(&self) -> Option<&CredentialManager> {
        self.shared.manager.as_ref()
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
    /// # Errors
    ///
    /// When the plugin is refused or stopped; see [`Error::is_refused`], [`Error::is_stopped`].
    pub async fn load(&self, bytes: Vec<u8>) -> Result<Plugin, Error> {
        let digest = Digest::of(&bytes);
        if let Some((component, documents)) =
            self.shared.cache.as_ref().and_then(|cache| cache.load(&self.shared.engine, &digest))
        {
            let description = Description::read_checked(
                &documents.node,
                &documents.credential_types,
                documents.triggers.as_deref(),
            );
            if let Ok(description) = description {
                let pre = self.prepare(&component)?;
                return Ok(self.plugin(digest, documents.surface, pre, description));
            }
            tracing::warn!(%digest, "the cached description cannot be read; compiling anew");
        }
        let shared = self.shared.clone();
        let compiled = tokio::task::spawn_blocking(move || {
            let surface = inspect(&bytes)?;
            let component = Component::from_binary(&shared.engine, &bytes)
                .map_err(|error| Error::refused(format!("it cannot be compiled: {error:#}")))?;
            Ok::<_, Error>((surface, component))
        });
        let (surface, component) = compiled.await.map_err(Error::internal)??;
        let pre = self.prepare(&component)?;
        let (node, credential_types, triggers) =
            crate::plugin::describe(&self.shared, &pre, &surface).await?;
        let again = crate::plugin::describe(&self.shared, &pre, &surface).await?;
        if (&node, &credential_types, &triggers) != (&again.0, &again.1, &again.2) {
            return Err(Error::refused(
                "it describes itself differently each time it is asked: what is approved would \
                 not be what runs",
            ));
        }
        let description = Description::read(&node, &credential_types, triggers.as_deref())
            .map_err(|error| Error::from(ErrorKind::Description(error)))?;
        if let Some(cache) = &self.shared.cache {
            let documents =
                Documents { surface: surface.clone(), node, credential_types, triggers };
            if let Err(error) = cache.store(&digest, &component, &documents) {
                tracing::warn!(%error, "the compiled component cannot be kept");
            }
        }
        Ok(self.plugin(digest, surface, pre, description))
    }

    fn prepare(&self, component: &Component) -> Result<PluginPre<CallState>, Error> {
        let pre = self
            .shared
            .linker
            .instantiate_pre(component)
            .map_err(|error| Error::refused(format!("it cannot be linked: {error:#}")))?;
        PluginPre::new(pre).map_err(|error| {
            Error::refused(format!("its exports are not the contract's: {error:#}"))
        })
    }

    fn plugin(
        &self,
        digest: Digest,
        surface: Surface,
        pre: PluginPre<CallState>,
        description: Description,
    ) -> Plugin {
        let request = GrantRequest::of(&description);
        Plugin::new(self.shared.clone(), digest, surface, pre, description, request)
    }
}
