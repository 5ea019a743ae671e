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
        }
    }
}

/// Limits of the connections of an [`HttpTransport`](crate::transport::HttpTransport), over all
/// executions. A plugin beyond its own limits waits for itself; others go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections open at once, of all plugins. 512: half of the 1,024 descriptors that a process
    /// usually may have.
    pub open: usize,
    /// Connections open at once, of one plugin. 256: enough for four executions with 64 requests in
    /// flight each over HTTP/1.1; over HTTP/2 one is enough for all of them.
    pub open_per_plugin: usize,
    /// Idle connections, of all plugins. 256: the other half of `open` can be opened without closing
    /// one first.
    pub idle: usize,
    /// Idle connections of one plugin. 64: as many as an execution has requests in flight.
    pub idle_per_plugin: usize,
    /// Origins to which a plugin has idle connections. 16: services have a few hosts; one that has
    /// hundreds gains nothing from keeping them all open.
    pub idle_origins_per_plugin: usize,
    /// How long a connection may be idle before it is closed. 30 s: most services close theirs
    /// after 60 s or more, so that the host is the one who closes.
    pub idle_time: Duration,
    /// Name look-ups under way at once, of all plugins. 64: each may hold a thread for as long as
    /// the system's resolver takes, up to half a minute where a name server does not answer.
    pub lookups: usize,
    /// Name look-ups under way at once, of one plugin. 16: a quarter, so that a plugin whose name
    /// servers do not answer leaves the others theirs.
    pub lookups_per_plugin: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            open: 512,
            open_per_plugin: 256,
            idle: 256,
            idle_per_plugin: 64,
            idle_origins_per_plugin: 16,
            idle_time: Duration::from_secs(30),
            lookups: 64,
            lookups_per_plugin: 16,
        }
    }
}
