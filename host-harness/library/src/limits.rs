//! What one call may use.

use std::time::Duration;

/// Limits of one call of a guest. Each default is a choice for a connector: far above what one
/// needs, far below what hurts a machine that runs hundreds.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Linear memory of the instance, in bytes.
    pub memory: usize,
    /// Time that the guest itself may compute, waiting not counted.
    pub guest_time: Duration,
    /// The whole execution, where its items are a list.
    pub total_time: Duration,
    /// Time in which an item must finish, where an execution's items are a stream.
    pub stall_time: Duration,
    /// Items that the guest is handed at once. It is called as often as there are portions.
    pub portion_items: usize,
    /// Bytes of parameters that the guest is handed at once, and bytes for the sake of keeping as
    /// many items under way as the execution asks for.
    pub portion_bytes: (usize, usize),
    /// Requests for a portion of items, repetitions by the host not counted.
    pub requests: u32,
    /// Requests under way at once; the others wait.
    pub concurrent_requests: usize,
    /// Body of a request, in bytes.
    pub request_body: usize,
    /// Body of an answer, in bytes after decompression.
    pub response_body: usize,
    /// Headers of a request: number, and bytes of names and values.
    pub request_headers: (usize, usize),
    /// All output that is kept for the outcome, in bytes of JSON. For a stream: of a portion.
    pub output: usize,
    /// Nesting of any JSON document that a guest hands over.
    pub json_depth: usize,
    /// Log lines, and bytes of them.
    pub log: (u32, usize),
    /// How often a request is sent at most, where it may be sent again.
    pub attempts: u32,
    /// Data that one host call may take from the guest, in bytes.
    pub host_call: usize,
    /// Secrets behind handles that are kept for one plugin and one user; the oldest go first. Far
    /// more than a workflow passes on. Holds for the host, not for an execution.
    pub handles: usize,
    /// Echoes of credentials that are taken out of the answers of one execution. What is taken out
    /// tells a plugin that its guess was right, so an execution does not go on guessing for ever. A
    /// service that names the credential in each answer stays far below it.
    pub echoes: u32,
}

/// Limits of the processes that run guests, for all executions of a host; see
/// [`Isolation`](crate::Isolation).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WorkerLimits {
    /// Workers that run executions at once. Further executions wait, within the time they have.
    /// Each costs some 10 MiB beside the guest's own memory.
    pub workers: usize,
    /// Workers that are kept for the next execution of the same plugin and user.
    pub idle: usize,
    /// How long an idle worker is kept.
    pub idle_time: Duration,
    /// Executions that a worker serves before another replaces it.
    pub executions: u32,
    /// Time to validate, compile, and check a component, for each started MiB of it.
    pub compile_time: Duration,
    /// Memory to validate and compile a component, in bytes: at least so much, and so much for
    /// each byte of it.
    pub compile_memory: (u64, u64),
    /// Memory of a worker beside [`Limits::memory`], in bytes: its code, and messages under way.
    pub memory: u64,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            workers: 128,
            idle: 16,
            idle_time: Duration::from_secs(30),
            executions: 1_000,
            // Optimized, a MiB takes about half a second; unoptimized builds and busy machines,
            // some ten times as long.
            compile_time: Duration::from_secs(20),
            // Cranelift takes about 40 bytes for each byte of a component.
            compile_memory: (512 * MIB, 128),
            memory: 256 * MIB,
        }
    }
}

impl WorkerLimits {
    pub(crate) fn compile_time_of(&self, size: usize) -> Duration {
        let started = size / (1024 * 1024) + 1;
        self.compile_time.saturating_mul(u32::try_from(started).unwrap_or(u32::MAX))
    }

    pub(crate) fn compile_memory_of(&self, size: usize) -> u64 {
        let (least, each) = self.compile_memory;
        least.max(each.saturating_mul(size as u64))
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            memory: 64 * MIB,
            guest_time: Duration::from_secs(10),
            total_time: Duration::from_secs(300),
            stall_time: Duration::from_secs(300),
            portion_items: 1_024,
            portion_bytes: (128 * 1024, 4 * MIB),
            requests: 10_000,
            concurrent_requests: 64,
            request_body: 8 * MIB,
            response_body: 16 * MIB,
            request_headers: (64, 32 * 1024),
            output: 64 * MIB,
            json_depth: 64,
            log: (1_000, 256 * 1024),
            attempts: 4,
            host_call: 64 * MIB,
            handles: 10_000,
            echoes: 1_000,
        }
    }
}
