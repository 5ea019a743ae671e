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
            idle: 64,
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

/// Limits of triggers: of what a service or a visitor delivers, of what a plugin makes of it, and of
/// what is stored until the engine takes it. Where nothing else is said, a limit is for each
/// subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerLimits {
    /// Body of a delivery, in bytes, whatever the trigger describes; a trigger can only lower it.
    /// 16 MiB: services deliver some KiB, the largest a few MiB.
    pub delivery_body: usize,
    /// Bodies of deliveries that a [`Listener`](crate::trigger::Listener) holds at once, in bytes, of
    /// all subscriptions. 32 MiB: two of the largest, or thousands of usual ones.
    pub bodies_held: usize,
    /// Deliveries that wait for the plugin. 10,000: hours of a busy service. Beyond it, the service is
    /// told to deliver again later.
    pub waiting_deliveries: usize,
    /// Bytes of the deliveries that wait for the plugin. 64 MiB.
    pub waiting_delivery_bytes: usize,
    /// Deliveries that were put aside because the plugin cannot read them; the oldest is dropped for
    /// a new one. 100: they are kept to look into the cause, and a hundred show it.
    pub put_aside_deliveries: usize,
    /// Bytes of the deliveries that were put aside. 16 MiB: one of the largest.
    pub put_aside_bytes: usize,
    /// Events that a plugin may return from one call. 10,000.
    pub events_per_call: usize,
    /// Bytes of the events that a plugin may return from one call: their JSON and keys. 16 MiB: as
    /// much as the answer of a service may have.
    pub event_bytes_per_call: usize,
    /// Events that wait for the engine. While there are as many, the plugin is not called. 10,000.
    pub waiting_events: usize,
    /// Bytes of the events that wait for the engine; what one call returns may exceed it once.
    /// 64 MiB.
    pub waiting_event_bytes: usize,
    /// State that a setup returns, in bytes of JSON. 64 KiB: it holds a few IDs.
    pub state: usize,
    /// Cursor of a poll, in bytes of JSON. 64 KiB: it holds a position, and IDs of one page.
    pub cursor: usize,
    /// Key by which an event is recognized when it comes again, in bytes. 512.
    pub dedup_key: usize,
    /// IDs of deliveries and keys of events that are remembered; the oldest is forgotten for a new
    /// one. 500,000: for two weeks, one every two and a half seconds.
    pub remembered: usize,
    /// Bytes that the store's file may hold when a trigger adds to it, of all subscriptions. 256 MiB:
    /// four times what one subscription may have waiting, and read in a second when the file is
    /// checked. Credentials are always written.
    pub store: u64,
    /// Bytes of the file system that a trigger leaves free. 64 MiB: enough to write rotated tokens,
    /// and to remove what waits.
    pub disk_reserve: u64,
    /// Polls in a row, where each says that there is more at once. Then there is a pause. 10.
    pub polls_in_a_row: u32,
    /// The pause after that many polls, unless the interval of the trigger is shorter. 10 s: a
    /// backlog is read with one request per second.
    pub poll_pause: Duration,
    /// Body of a plugin's reply to a delivery, in bytes. 64 KiB: it fits into the socket's buffer, so
    /// that a client that does not read holds nothing.
    pub reply_body: usize,
}

impl Default for TriggerLimits {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            delivery_body: 16 * MIB,
            bodies_held: 32 * MIB,
            waiting_deliveries: 10_000,
            waiting_delivery_bytes: 64 * MIB,
            put_aside_deliveries: 100,
            put_aside_bytes: 16 * MIB,
            events_per_call: 10_000,
            event_bytes_per_call: 16 * MIB,
            waiting_events: 10_000,
            waiting_event_bytes: 64 * MIB,
            state: 64 * KIB,
            cursor: 64 * KIB,
            dedup_key: 512,
            remembered: 500_000,
            store: 256 * MIB as u64,
            disk_reserve: 64 * MIB as u64,
            polls_in_a_row: 10,
            poll_pause: Duration::from_secs(10),
            reply_body: 64 * KIB,
        }
    }
}
