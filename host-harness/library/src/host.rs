//! A host: one engine, its services, and the plugins that it loads.

mod builder;

use std::path::Path;
use std::sync::Arc;

use wasmtime::component::Component;

use crate::approval::GrantRequest;
use crate::cache::Documents;
use crate::description::Description;
use crate::digest::Digest;
use crate::error::{Cause, Error};
use crate::guest::Linked;
use crate::inspection::{Surface, inspect};
#[cfg(target_os = "linux")]
use crate::isolation::Workers;
use crate::limits::{Limits, ProcessLimits};
use crate::oauth::CredentialManager;
use crate::offload::Stop;
#[cfg(target_os = "linux")]
use crate::plugin::Program;
use crate::plugin::{Guest, Plugin};
use crate::shared::{CallState, Shared};
use crate::trigger::Triggers;

pub use builder::HostBuilder;
#[cfg(feature = "memory-hook")]
pub use builder::MemoryCreator;

/// Loads plugins. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
    manager: Option<CredentialManager>,
    triggers: Option<Triggers>,
}

/// A component that was compiled before, with its description. Takes time.
fn cached(shared: &Shared, digest: &Digest) -> Option<(Component, Surface, Description)> {
    let (component, documents) = shared.cache.as_ref()?.load(&shared.engine, digest)?;
    let description = read_cached(digest, &documents)?;
    Some((component, documents.surface, description))
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
        self.manager.as_ref().ok_or_else(|| {
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
        self.triggers.as_ref().ok_or_else(|| {
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
                heavy.run(move |_| cached(&shared, &digest)).await?
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
