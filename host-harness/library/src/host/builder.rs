//! Builds a host: its runtime, and the services that it uses.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use wasmtime::Engine;
use wasmtime::component::Linker;

use super::Host;
use crate::approval::{Approvals, BoundedApprovals, MemoryApprovals};
use crate::audit::{AuditLog, AuditSink, TracingAudit};
use crate::budget::ByteBudget;
use crate::cache::Cache;
use crate::clock::{Clock, SystemClock};
use crate::credential::reference::References;
use crate::credential::{CredentialSource, CredentialStore, MemoryCredentials};
use crate::description::RateWindow;
use crate::egress::{EchoFilters, Endpoints, Handles, Pacing};
use crate::engine::engine_config;
use crate::error::{Cause, Error};
use crate::imports::metered::add_metered_to_linker;
use crate::imports::{add_to_linker, add_wasi_to_linker};
use crate::isolation::Isolation;
#[cfg(target_os = "linux")]
use crate::isolation::Workers;
use crate::journal::Journals;
use crate::limits::{Limits, ProcessLimits, ReferenceLimits, TriggerLimits, WorkerLimits};
use crate::oauth::{Backend, CredentialEvents, CredentialManager, NoEvents, Timing};
use crate::observer::{Observer, Silent};
use crate::offload::Offload;
use crate::shared::{CallState, Shared};
use crate::transport::{HttpTransport, Transport};
use crate::trigger::{TriggerStore, Triggers};

/// Makes the memories of guests; see [`HostBuilder::memory_creator`].
#[cfg(feature = "memory-hook")]
pub use wasmtime::MemoryCreator;

/// Builds a [`Host`].
#[derive(Default)]
pub struct HostBuilder {
    cache: Option<PathBuf>,
    limits: Limits,
    trigger_limits: TriggerLimits,
    process_limits: ProcessLimits,
    transport: Option<Arc<dyn Transport>>,
    credential_source: Option<Arc<dyn CredentialSource>>,
    credential_store: Option<Arc<dyn CredentialStore>>,
    credential_events: Option<Arc<dyn CredentialEvents>>,
    credential_timing: Option<Timing>,
    reference_limits: Option<ReferenceLimits>,
    trigger_store: Option<Arc<dyn TriggerStore>>,
    trigger_observer: Option<Arc<dyn Observer>>,
    approvals: Option<Arc<dyn Approvals>>,
    audit: Option<Arc<dyn AuditSink>>,
    journals: Option<Journals>,
    clock: Option<Arc<dyn Clock>>,
    rate_limit: Option<Vec<RateWindow>>,
    development: bool,
    metered: bool,
    #[cfg(feature = "memory-hook")]
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

    /// Limits of one call, unless the execution sets others.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Limits deliveries, events, and the data stored for them. Default:
    /// [`TriggerLimits::default`].
    #[must_use]
    pub fn trigger_limits(mut self, limits: TriggerLimits) -> Self {
        self.trigger_limits = limits;
        self
    }

    /// Combined limits of everything that this host runs and loads. Default:
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

    /// Stores the credentials that this host connects, renews, and ends; see
    /// [`Host::credentials`]. A host has a credential store or a
    /// [credential source](Self::credential_source), never both. Default: neither, so that no
    /// credential can be used.
    #[must_use]
    pub fn credential_store(mut self, store: Arc<dyn CredentialStore>) -> Self {
        self.credential_store = Some(store);
        self
    }

    /// Receives life-cycle events of the credentials in the
    /// [credential store](Self::credential_store).
    #[must_use]
    pub fn credential_events(mut self, events: Arc<dyn CredentialEvents>) -> Self {
        self.credential_events = Some(events);
        self
    }

    /// Sets how long requesting and renewing tokens for the
    /// [credential store](Self::credential_store) may take. Default: [`Timing::default`].
    #[must_use]
    pub fn credential_timing(mut self, timing: Timing) -> Self {
        self.credential_timing = Some(timing);
        self
    }

    /// Limits secrets that are read by
    /// [reference](crate::credential::SecretReference). Default: [`ReferenceLimits::default`].
    #[must_use]
    pub fn reference_limits(mut self, limits: ReferenceLimits) -> Self {
        self.reference_limits = Some(limits);
        self
    }

    /// Supplies credentials that the engine stores and renews itself. Excludes a
    /// [credential store](Self::credential_store).
    #[must_use]
    pub fn credential_source(mut self, source: Arc<dyn CredentialSource>) -> Self {
        self.credential_source = Some(source);
        self
    }

    /// Stores trigger subscriptions, their deliveries, and their events; see [`Host::triggers`].
    /// Default: none, so that no trigger can be used.
    #[must_use]
    pub fn trigger_store(mut self, store: Arc<dyn TriggerStore>) -> Self {
        self.trigger_store = Some(store);
        self
    }

    /// Receives log lines and exchanges of plugins that run for a trigger. Default: nothing does.
    #[must_use]
    pub fn trigger_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.trigger_observer = Some(observer);
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

    /// Records every execution in these journals, unless its context names others. Default: nothing is
    /// recorded. See [`crate::journal`].
    #[must_use]
    pub fn journals(mut self, journals: Journals) -> Self {
        self.journals = Some(journals);
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

    /// Meters guests: each of their calls of the host is reported to the
    /// [observer](Observer::host_call) with its time, the fuel that the guest has used since the last
    /// one, and its memory. Fuel is counted by the compiled code, which is slower, and which the
    /// [cache](Self::cache_directory) keeps apart from the code of other hosts. Default: off.
    #[must_use]
    pub fn metering(mut self, on: bool) -> Self {
        self.metered = on;
        self
    }

    /// Allocates the linear memories of guests, so that a test can read all of them. Not for
    /// [`Isolation::Process`]: workers allocate their own.
    #[cfg(feature = "memory-hook")]
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

    /// Refuses combinations of which one part would silently have no effect.
    fn check(&self) -> Result<(), Error> {
        let conflict = |problem: &str| Err(Error::from(Cause::Setup(problem.to_owned())));
        if self.credential_source.is_some() && self.credential_store.is_some() {
            return conflict(
                "Cannot build the host: it was given both a credential store and a credential \
                 source. Choose one: `credential_store` if the host renews credentials, or \
                 `credential_source` if the engine does",
            );
        }
        if self.credential_store.is_none()
            && (self.credential_events.is_some() || self.credential_timing.is_some())
        {
            return conflict(
                "Cannot build the host: `credential_events` and `credential_timing` need a \
                 credential store. Call `credential_store` as well",
            );
        }
        if self.trigger_store.is_none() && self.trigger_observer.is_some() {
            return conflict(
                "Cannot build the host: `trigger_observer` needs a trigger store. Call \
                 `trigger_store` as well",
            );
        }
        #[cfg(feature = "memory-hook")]
        if self.memory_creator.is_some() && matches!(self.isolation, Isolation::Process(_)) {
            return conflict(
                "Cannot build the host: a memory creator cannot serve worker processes. Run guests \
                 in this process",
            );
        }
        Ok(())
    }

    /// Builds the host.
    ///
    /// # Errors
    ///
    /// When it has both a credential store and a credential source, or an option whose counterpart
    /// is missing; when the engine or the transport cannot be made, when the thread that interrupts
    /// plugins cannot be started, or when the cache directory cannot be used.
    pub fn build(self) -> Result<Host, Error> {
        self.check()?;
        #[cfg_attr(not(feature = "memory-hook"), allow(unused_mut))]
        let mut config = engine_config(self.metered);
        #[cfg(feature = "memory-hook")]
        if let Some(creator) = self.memory_creator {
            // A creator knows nothing of guard pages and copy-on-write images.
            config
                .with_host_memory(creator)
                .memory_init_cow(false)
                .memory_reservation(0)
                .memory_guard_size(0);
        }
        let engine = Engine::new(&config).map_err(Error::internal)?;
        crate::ticker::start(&engine).map_err(Cause::Ticker)?;
        let cache = self
            .cache
            .map(|directory| {
                Cache::open(&directory, &engine).map_err(|source| {
                    let path = directory.display().to_string();
                    Error::from(Cause::Read { path, source })
                })
            })
            .transpose()?;
        let mut linker = Linker::new(&engine);
        match self.metered {
            true => add_metered_to_linker(&mut linker),
            false => add_to_linker::<CallState>(&mut linker),
        }
        .map_err(Error::internal)?;
        add_wasi_to_linker::<CallState>(&mut linker).map_err(Error::internal)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(HttpTransport::builder().build().map_err(Error::internal)?),
        };
        let approvals = self.approvals.unwrap_or_else(|| Arc::new(MemoryApprovals::default()));
        let wait = self.process_limits.approvals_wait;
        let approvals: Arc<dyn Approvals> = Arc::new(BoundedApprovals::new(approvals, wait));
        let audit = self.audit.unwrap_or_else(|| Arc::new(TracingAudit));
        let audit = AuditLog::new(audit, &self.process_limits);
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::default()));
        let manager = self.credential_store.map(|store| {
            CredentialManager::new(Backend {
                store,
                endpoints: Endpoints {
                    transport: transport.clone(),
                    approvals: approvals.clone(),
                    audit: audit.clone(),
                    clock: clock.clone(),
                },
                clock: clock.clone(),
                audit: audit.clone(),
                events: self.credential_events.unwrap_or_else(|| Arc::new(NoEvents)),
                timing: self.credential_timing.unwrap_or_default(),
                references: References::new(
                    self.reference_limits.unwrap_or_default(),
                    clock.clone(),
                ),
            })
        });
        let credentials: Arc<dyn CredentialSource> = match (self.credential_source, &manager) {
            (Some(source), _) => source,
            (None, Some(manager)) => Arc::new(manager.access()),
            (None, None) => Arc::new(MemoryCredentials::default()),
        };
        let triggers = self.trigger_store.map(|store| {
            Triggers::new(
                store,
                self.trigger_observer.unwrap_or_else(|| Arc::new(Silent)),
                clock.clone(),
                self.limits.clone(),
                self.trigger_limits.clone(),
            )
        });
        #[cfg(target_os = "linux")]
        let workers = match &self.isolation {
            Isolation::Process(command) => {
                let workers = Workers::new(command.clone(), self.worker_limits, self.metered);
                Some(workers.map_err(Error::internal)?)
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
            approvals,
            audit,
            journals: self.journals,
            clock,
            pacing: Arc::new(Pacing::new(self.rate_limit)),
            echoes: Arc::new(EchoFilters::default()),
            development: self.development,
            metered: self.metered,
            loads_unapproved: matches!(self.isolation, Isolation::InProcessUnapproved),
            #[cfg(target_os = "linux")]
            workers,
        });
        Ok(Host { shared, manager, triggers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::MemoryTriggers;

    struct NoCredentials;

    #[async_trait::async_trait]
    impl CredentialSource for NoCredentials {
        async fn credential(
            &self,
            request: &crate::credential::CredentialRequest,
        ) -> Result<crate::credential::Credential, crate::credential::CredentialError> {
            Err(crate::credential::CredentialError::Unknown(request.name.clone()))
        }
    }

    fn refused(builder: HostBuilder) -> String {
        builder.build().err().expect("the host is not built").to_string()
    }

    #[cfg(feature = "store")]
    #[test]
    fn a_host_with_both_a_credential_store_and_a_credential_source_is_not_built() {
        let store = || Arc::new(crate::store::LazyStore::default());
        let source = || Arc::new(NoCredentials);
        for builder in [
            Host::builder().credential_store(store()).credential_source(source()),
            Host::builder().credential_source(source()).credential_store(store()),
        ] {
            let error = refused(builder);
            assert!(error.contains("`credential_store`"), "{error}");
            assert!(error.contains("`credential_source`"), "{error}");
        }
        assert!(Host::builder().credential_store(store()).build().unwrap().credentials().is_ok());
        let host = Host::builder().credential_source(source()).build().unwrap();
        let error = host.credentials().err().expect("it has no store").to_string();
        assert!(error.contains("`HostBuilder::credential_store`"), "{error}");
    }

    #[test]
    fn an_option_without_the_store_that_it_is_about_is_refused() {
        let error = refused(Host::builder().credential_timing(Timing::default()));
        assert!(error.contains("`credential_store`"), "{error}");
        let error = refused(Host::builder().trigger_observer(Arc::new(Silent)));
        assert!(error.contains("`trigger_store`"), "{error}");
    }

    #[test]
    fn a_host_has_triggers_exactly_if_it_has_a_store_for_them() {
        let store = Arc::new(MemoryTriggers::default());
        assert!(Host::builder().trigger_store(store).build().unwrap().triggers().is_ok());
        let host = Host::builder().build().unwrap();
        let error = host.triggers().err().expect("it has no store").to_string();
        assert!(error.contains("`HostBuilder::trigger_store`"), "{error}");
    }
}
