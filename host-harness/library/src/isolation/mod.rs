//! Where guests run: in worker processes that hold no key, or in the host's own process.
//!
//! With workers, the host's process holds keys, stores, approvals, and the way to the network, and
//! runs no guest code. A worker runs one execution at a time of one plugin for one user. It has a
//! socket to the host and nothing else: no environment, no files, no network where the system can
//! deny them. Killing it is always safe.
//!
//! [`wire`] defines the messages, [`pool`] starts and keeps workers, [`serve`] answers one worker
//! during a call, [`prepare`] compiles and checks components, and [`worker`] is what runs in the
//! worker process. Imports are answered by the same functions in both modes.

#[cfg(target_os = "linux")]
mod confine;
#[cfg(target_os = "linux")]
mod pool;
#[cfg(target_os = "linux")]
mod prepare;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod wire;
#[cfg(target_os = "linux")]
pub mod worker;

use std::ffi::OsString;
use std::path::PathBuf;

#[cfg(target_os = "linux")]
pub(crate) use pool::{Lease, Owner, Workers};
#[cfg(target_os = "linux")]
pub(crate) use serve::Finished;

/// Where a host runs guests.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Isolation {
    /// In the host's own process, and only components that are approved: before approval nothing
    /// of a component is compiled or run. The default.
    #[default]
    InProcess,
    /// In the host's own process, whether or not a component is approved. For tests, and for
    /// embedders that trust every component they load.
    InProcessUnapproved,
    /// In worker processes. Available on Linux.
    Process(WorkerCommand),
}

/// The command that starts a worker: an executable that calls [`worker::run`] before it does
/// anything else.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

impl WorkerCommand {
    /// Starts workers with this executable.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new() }
    }

    /// Starts workers with the executable of this process. It must recognize the arguments that
    /// follow.
    ///
    /// # Errors
    ///
    /// If the system does not report the path of the executable.
    pub fn current() -> std::io::Result<Self> {
        // The executable stays reachable even if its file is replaced by an update.
        #[cfg(target_os = "linux")]
        return Ok(Self::new("/proc/self/exe"));
        #[cfg(not(target_os = "linux"))]
        std::env::current_exe().map(Self::new)
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}
