//! Limits of foreign code and data: every limit once, with its unit, its default, and its reason.
//!
//! [`Limits`] hold for one call of a guest, [`ProcessLimits`] for everything that a host runs. The
//! message that stops or refuses something names the limit and its value.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One limit, described for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitDescription {
    /// Name of the limit, which messages use.
    pub name: &'static str,
    /// Description of the quantity that is limited.
    pub what: &'static str,
    /// Unit of each number.
    pub unit: &'static str,
    /// The numbers in force; most limits have one.
    pub value: Vec<u64>,
    /// The numbers of a host that sets nothing.
    pub default: Vec<u64>,
    /// Reason for the default.
    pub reason: &'static str,
}

/// A type of limit, as numbers. Durations count milliseconds.
trait Numbers {
    fn numbers(&self) -> Vec<u64>;
}

impl Numbers for usize {
    fn numbers(&self) -> Vec<u64> {
        vec![u64::try_from(*self).unwrap_or(u64::MAX)]
    }
}

impl Numbers for u64 {
    fn numbers(&self) -> Vec<u64> {
        vec![*self]
    }
}

impl Numbers for u32 {
    fn numbers(&self) -> Vec<u64> {
        vec![u64::from(*self)]
    }
}

impl Numbers for Duration {
    fn numbers(&self) -> Vec<u64> {
        vec![u64::try_from(self.as_millis()).unwrap_or(u64::MAX)]
    }
}

impl<A: Numbers, B: Numbers> Numbers for (A, B) {
    fn numbers(&self) -> Vec<u64> {
        [self.0.numbers(), self.1.numbers()].concat()
    }
}

macro_rules! limits {
    (
        $(#[$attribute:meta])*
        $name:ident {
            $($limit:ident: $type:ty = $default:expr, $unit:literal, $what:literal, $reason:literal;)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(
                #[doc = $what]
                #[doc = concat!("\n\nUnit: ", $unit, ". ", $reason)]
                pub $limit: $type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($limit: $default,)* }
            }
        }

        impl $name {
            /// Describes every limit.
            pub fn describe(&self) -> Vec<LimitDescription> {
                let default = Self::default();
                vec![$(LimitDescription {
                    name: stringify!($limit),
                    what: $what,
                    unit: $unit,
                    value: self.$limit.numbers(),
                    default: default.$limit.numbers(),
                    reason: $reason,
                },)*]
            }
        }
    };
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

limits! {
    /// Limits of one call of a guest: of a portion of an execution's items, or of a call of a
    /// trigger, a credential test, or choices. Each default is far above what a connector needs and
    /// far below what hurts a machine that runs hundreds.
    #[derive(Deserialize, Serialize)]
    #[serde(default)]
    Limits {
        memory: usize = 64 * MIB, "bytes",
            "Linear memory of the instance.",
            "A connector holds a page of answers at a time; growing beyond the limit fails.";
        guest_time: Duration = Duration::from_secs(10), "milliseconds",
            "CPU time that the guest itself may compute. Waiting does not count.",
            "Reading megabytes of JSON takes less than a second.";
        total_time: Duration = Duration::from_secs(300), "milliseconds",
            "The whole execution, if its items are a list.",
            "Services answer within a minute, and a rate limit may ask for two.";
        stall_time: Duration = Duration::from_secs(300), "milliseconds",
            "Time in which an item must finish, if the items of an execution are a stream.",
            "A stream may run for days, but an item may not take longer than a list.";
        portion_items: usize = 1_024, "items",
            "Items that the guest is given at once. It is called as often as there are portions.",
            "Enough to keep every request slot busy, few enough to hold at once.";
        portion_bytes: (usize, usize) = (128 * KIB, 4 * MIB), "bytes, bytes",
            "Parameters that the guest is given at once, and the most to keep as many items under \
             way as the execution asks for.",
            "The guest holds every parameter several times while it builds requests.";
        requests: u32 = 10_000, "requests",
            "Requests that a call may make, retries by the host not counted.",
            "Ten requests for each item of a portion.";
        concurrent_requests: usize = 64, "requests",
            "Requests under way at once. The others wait.",
            "More do not make a rate-limited service faster.";
        request_body: usize = 8 * MIB, "bytes",
            "Body of a request, before and after secrets are filled in.",
            "Above what the APIs of services accept as JSON.";
        response_body: usize = 16 * MIB, "bytes",
            "Body of an answer after decompression.",
            "Above the largest page that services return.";
        request_headers: (usize, usize) = (64, 32 * KIB), "headers, bytes",
            "Headers of a request: how many, and bytes of names and values.",
            "Servers refuse more.";
        url: usize = 16 * KIB, "bytes",
            "URL of a request.",
            "Servers refuse more.";
        held_bytes: usize = 24 * MIB, "bytes",
            "Requests that wait or are under way, answers that the guest has not taken, and what \
             the host needs to find secrets in them. A request that does not fit is refused; an \
             answer waits until there is room, and one answer at a time may exceed the limit.",
            "One answer and one request of the largest size; three requests.";
        host_calls: u32 = 250_000, "calls",
            "Calls of the host by the guest, of any import of the contract.",
            "Ten times what a portion of full requests needs. Each can leave three records in a journal.";
        host_call: usize = 64 * MIB, "bytes",
            "Data that one host call takes from the guest, and that the guest returns.",
            "As much as all output.";
        output: usize = 64 * MIB, "bytes",
            "All output that is kept for the outcome; of a stream: of a portion. Every record and \
             every error counts 128 bytes more than its JSON.",
            "A record of one byte costs the host more than one byte.";
        error_text: usize = 8 * KIB, "bytes",
            "Message and code of an error that the guest reports; the rest is cut off.",
            "A person reads it.";
        error_detail: usize = 256 * KIB, "bytes",
            "Detail of an error, where every value in it counts 320 bytes more. A larger one is \
             dropped, and the message says so.",
            "A service's reasons, not its documents.";
        document: usize = 4 * MIB, "bytes",
            "Document that the guest returns about a credential, a form, or a subscription \
             (configuration, identity, choices, state, cursor), where every value in it counts 320 \
             bytes more.",
            "The host parses these into trees, which cost many times their text.";
        json_depth: usize = 64, "levels",
            "Nesting of any JSON document that a guest returns.",
            "Readers recurse, and engines read what plugins write.";
        log: (u32, usize) = (1_000, 256 * KIB), "lines, bytes",
            "Log lines, and bytes of them. The rest is dropped.",
            "A person reads them.";
        guest_output: usize = 8 * KIB, "bytes",
            "Standard output and standard error of a guest that are reported when it is stopped: \
             the end. Four times as much is held while it runs.",
            "A panic message and what led to it.";
        attempts: u32 = 4, "attempts",
            "How often a request is sent at most, if it may be sent again.",
            "A service that fails four times needs a person or a later run.";
        handles: usize = 10_000, "secrets",
            "Secrets behind handles that are kept for one plugin and one user; the oldest go first. \
             Holds for the host, not for an execution.",
            "Far more than a workflow passes on.";
        echoes: u32 = 1_000, "echoes",
            "Echoes of credentials that are taken out of the answers of one execution.",
            "Each echo shows a plugin that a guess was correct, so the limit stops guessing. A \
             service that names the credential in each response stays far below it.";
        schema_steps: usize = 2_000_000, "steps",
            "Schemas and values that are compared to validate one item against the form of an \
             action.",
            "Bounds the time of a validation, which nothing can interrupt, to about a second.";
    }
}

limits! {
    /// Limits of everything that a host runs or loads, of all executions together.
    #[derive(Deserialize, Serialize)]
    ProcessLimits {
        approvals_wait: Duration = Duration::from_secs(10), "milliseconds",
            "How long a call waits to learn whether its plugin is approved. Then it fails.",
            "A store on the network answers within a second, and a person waits no longer.";
        audit_wait: Duration = Duration::from_secs(5), "milliseconds",
            "How long an execution waits for an audit sink that does not answer. Then nobody waits \
             until the sink answers again.",
            "A sink on the network answers within a second.";
        audit_events: usize = 1_024, "events",
            "Audit events that the sink has not taken yet. Those beyond are written to the log \
             instead.",
            "About 1 MiB, and enough for the requests in flight of a busy host.";
        description: usize = 8 * MIB, "bytes",
            "Each document in which a plugin describes itself.",
            "Several times the largest node with hundreds of actions.";
        description_values: usize = 400_000, "values",
            "JSON values in each document in which a plugin describes itself.",
            "A value costs about 100 bytes while the document is checked.";
        schema_nodes: usize = 20_000, "schemas",
            "Schemas in one form, with all shared schemas that it refers to.",
            "A form of hundreds of fields has a thousand.";
        schema_depth: usize = 96, "levels",
            "Nesting of one form, references followed.",
            "Compiling a form recurses.";
        schema_expansion: usize = 100_000, "schemas",
            "Schemas in one form when every reference is replaced by what it refers to. A reference \
             to a schema that it is in counts once.",
            "Validating visits each of them, and ten references to each other make a thousand.";
        schema_patterns: (usize, usize) = (1_000, 64 * KIB), "patterns, bytes",
            "Regular expressions in one form, and bytes of them.",
            "Each compiles to up to 256 KiB.";
        schema_work: usize = 16 * MIB, "bytes",
            "Schemas that are compiled to check a description, counted each time.",
            "Examples are checked against forms that share schemas.";
        placements: usize = 64, "placements",
            "Placements of all secrets of a node, and of a credential type.",
            "Every request is compared with all of them. Places in answers are at most 256, by the \
             contract's schema.";
        secret: usize = 4 * KIB, "bytes",
            "Secret that a service returns or a user enters, behind a handle.",
            "Searching an answer for a secret takes 2,500 times its size.";
        request_secrets: usize = 8 * KIB, "bytes",
            "Different secrets behind handles in one request.",
            "Two of the largest; the answer is searched for all of them.";
        credential: usize = 16 * KIB, "bytes",
            "All secrets of a credential.",
            "An access token, a refresh token, and a private key.";
        credential_fields: usize = 64 * KIB, "bytes",
            "All other fields and the configuration of a credential.",
            "Every call of the guest is given them.";
        held_bytes: usize = 256 * MIB, "bytes",
            "Requests and answers that all executions hold; see `Limits::held_bytes`.",
            "Ten executions at their limit.";
        heavy_work: usize = 4, "threads",
            "Threads that work on large bodies, schemas, and results at once. An execution uses one.",
            "Executor threads never do, and further threads would only compete for processors.";
    }
}

limits! {
    /// Limits of the processes that run guests, for all executions of a host; see
    /// [`Isolation`](crate::Isolation).
    #[non_exhaustive]
    WorkerLimits {
        workers: usize = 128, "processes",
            "Workers that run executions at once. Further executions wait, within the time they have.",
            "Each costs some 10 MiB beside the guest's own memory.";
        idle: usize = 64, "processes",
            "Workers that are kept for the next execution of the same plugin and user.",
            "Starting a worker takes milliseconds; an idle one uses about 2 MiB that it does not \
             share.";
        idle_time: Duration = Duration::from_secs(30), "milliseconds",
            "How long an idle worker is kept.",
            "Executions of a workflow follow each other within seconds.";
        executions: u32 = 1_000, "executions",
            "Executions that a worker serves before another replaces it.",
            "What a defect leaks ends with the process.";
        compile_time: Duration = Duration::from_secs(20), "milliseconds",
            "Time to validate, compile, and check a component, for each started MiB of it.",
            "Optimized, a MiB takes about half a second; unoptimized builds and busy machines, some \
             ten times as long.";
        compile_memory: (u64, u64) = (512 * MIB as u64, 128), "bytes, bytes",
            "Memory to validate and compile a component: at least so much, and so much for each byte \
             of it.",
            "Cranelift takes about 40 bytes for each byte of a component.";
        memory: u64 = 256 * MIB as u64, "bytes",
            "Memory of a worker beside `Limits::memory`: its code, and messages under way.",
            "As much as all output, twice, and the code of a large component.";
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

limits! {
    /// Limits of the connections of an [`HttpTransport`](crate::transport::HttpTransport), over all
    /// executions. A plugin beyond its own limits waits for itself; others go on.
    #[derive(Eq)]
    ConnectionLimits {
        open: usize = 512, "connections",
            "Connections open at once, of all plugins.",
            "Half of the 1,024 descriptors that a process usually may have.";
        open_per_plugin: usize = 256, "connections",
            "Connections open at once, of one plugin.",
            "Enough for four executions with 64 requests in flight each over HTTP/1.1; over HTTP/2 \
             one is enough for all of them.";
        idle: usize = 256, "connections",
            "Idle connections, of all plugins.",
            "The other half of `open` can be opened without closing one first.";
        idle_per_plugin: usize = 64, "connections",
            "Idle connections of one plugin.",
            "As many as an execution has requests in flight.";
        idle_origins_per_plugin: usize = 16, "origins",
            "Origins to which a plugin has idle connections.",
            "Services have a few hosts; one that has hundreds gains nothing from keeping them all \
             open.";
        idle_time: Duration = Duration::from_secs(30), "milliseconds",
            "How long a connection may be idle before it is closed.",
            "Most services close theirs after 60 s or more, so the host closes first.";
        lookups: usize = 64, "lookups",
            "Name look-ups under way at once, of all plugins.",
            "Each may hold a thread for as long as the system's resolver takes, up to half a minute \
             where a name server does not answer.";
        lookups_per_plugin: usize = 16, "lookups",
            "Name look-ups under way at once, of one plugin.",
            "A quarter, so that a plugin whose name servers do not answer leaves the others theirs.";
    }
}

limits! {
    /// Limits of triggers: of what a service or a visitor delivers, of what a plugin makes of it, and
    /// of what is stored until the engine takes it. Where nothing else is said, a limit is for each
    /// subscription.
    #[derive(Eq)]
    TriggerLimits {
        delivery_body: usize = 16 * MIB, "bytes",
            "Body of a delivery, whatever the trigger describes; a trigger can only lower it.",
            "Services deliver some KiB, the largest a few MiB.";
        bodies_held: usize = 32 * MIB, "bytes",
            "Bodies of deliveries that a [`Listener`](crate::trigger::Listener) holds at once, of all \
             subscriptions.",
            "Two of the largest, or thousands of usual ones.";
        waiting_deliveries: usize = 10_000, "deliveries",
            "Deliveries that wait for the plugin. Beyond the limit, the service is asked to retry \
             later.",
            "Hours of a busy service.";
        waiting_delivery_bytes: usize = 64 * MIB, "bytes",
            "Bytes of the deliveries that wait for the plugin.",
            "Four of the largest.";
        put_aside_deliveries: usize = 100, "deliveries",
            "Deliveries that were put aside because the plugin cannot read them; the oldest is \
             dropped for a new one.",
            "They are kept to look into the cause, and a hundred show it.";
        put_aside_bytes: usize = 16 * MIB, "bytes",
            "Bytes of the deliveries that were put aside.",
            "One of the largest.";
        events_per_call: usize = 10_000, "events",
            "Events that a plugin may return from one call.",
            "Hundreds of pages of a service.";
        event_bytes_per_call: usize = 16 * MIB, "bytes",
            "The events that a plugin may return from one call: their JSON and keys.",
            "As much as the answer of a service may have.";
        waiting_events: usize = 10_000, "events",
            "Events that wait for the engine. While there are as many, the plugin is not called.",
            "As many as one call may return.";
        waiting_event_bytes: usize = 64 * MIB, "bytes",
            "Bytes of the events that wait for the engine; what one call returns may exceed it once.",
            "Four calls of the largest size.";
        state: usize = 64 * KIB, "bytes",
            "State that a setup returns, as JSON.",
            "It holds a few IDs.";
        cursor: usize = 64 * KIB, "bytes",
            "Cursor of a poll, as JSON.",
            "It holds a position, and IDs of one page.";
        dedup_key: usize = 512, "bytes",
            "Key by which an event is recognized when it comes again.",
            "An identifier of the service.";
        remembered: usize = 500_000, "IDs",
            "IDs of deliveries and keys of events that are remembered; the oldest is forgotten for a \
             new one.",
            "For two weeks, one every two and a half seconds.";
        store: u64 = 256 * MIB as u64, "bytes",
            "Size of the store's file up to which a trigger adds to it, of all subscriptions.",
            "Four times what one subscription may have waiting, and read in a second when the file \
             is checked. Credentials are always written.";
        disk_reserve: u64 = 64 * MIB as u64, "bytes",
            "Free space of the file system that a trigger leaves.",
            "Enough to write rotated tokens, and to remove what waits.";
        polls_in_a_row: u32 = 10, "polls",
            "Polls in a row, where each says that there is more at once. Then there is a pause.",
            "A backlog of ten pages is read at once.";
        poll_pause: Duration = Duration::from_secs(10), "milliseconds",
            "The pause after that many polls, unless the interval of the trigger is shorter.",
            "A backlog is read with one request per second.";
        reply_body: usize = 64 * KIB, "bytes",
            "Body of a plugin's reply to a delivery.",
            "It fits into the socket's buffer, so that a client that does not read holds nothing.";
    }
}

limits! {
    /// Limits of [journals](crate::journal).
    #[derive(Eq)]
    JournalLimits {
        bytes: u64 = 64 * MIB as u64, "bytes",
            "Journal of one execution. No request is sent beyond it; answers to those under way are \
             still written.",
            "Thousands of requests with the answers that services usually return.";
        retention: Duration = Duration::from_secs(7 * 24 * 3_600), "milliseconds",
            "How long a journal is kept after it was last written.",
            "An execution that was interrupted is resumed within days, and the results of one that \
             ended were taken long before.";
    }
}

limits! {
    /// Limits of secrets that are read by
    /// [reference](crate::credential::SecretReference).
    #[derive(Eq)]
    ReferenceLimits {
        bytes: usize = 16 * KIB, "bytes",
            "Secret that is read by reference.",
            "All secrets of a credential may have as much (`ProcessLimits::credential`).";
        time: Duration = Duration::from_secs(10), "milliseconds",
            "Time in which a secret must be read. A program that takes longer is ended.",
            "Secret managers answer within a second or two.";
        age: Duration = Duration::from_secs(300), "milliseconds",
            "How long a secret that was read is used before it is read again.",
            "A secret that was replaced or removed is out of use after five minutes, and a secret \
             manager is asked at most twelve times an hour.";
        pause: Duration = Duration::from_secs(5), "milliseconds",
            "How long a secret that was read is used although the service refuses it with 401.",
            "A service that refuses every request does not have a program run for each of them.";
    }
}

/// Cost of a value in a JSON document in addition to its text, in bytes.
pub(crate) const VALUE_OVERHEAD: usize = 320;

/// Cost of a record or an error in addition to its text, in bytes.
pub(crate) const RECORD_OVERHEAD: usize = 128;

/// Cost of searching for a secret, in bytes for each byte of the secret.
pub(crate) const SEARCH_OVERHEAD: usize = 2_500;

/// The longest `User-Agent` that a plugin may send, in bytes. It has room for a product, its version,
/// and an address to write to.
pub(crate) const USER_AGENT: usize = 256;

/// The reason that stops or refuses something: names the limit and its value.
pub(crate) fn exceeded(what: &str, name: &str, value: impl std::fmt::Display) -> String {
    format!("{what} exceeds the limit `{name}` ({value})")
}

/// As [`exceeded`], for output.
pub(crate) fn too_much_output(limit: usize) -> String {
    format!("its output is larger than {limit} bytes (limit `output`)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_described_with_its_value_and_its_default() {
        let limits = Limits { requests: 7, ..Limits::default() };
        let described = limits.describe();
        let requests = described.iter().find(|limit| limit.name == "requests").unwrap();
        assert_eq!((&*requests.value, &*requests.default), (&[7][..], &[10_000][..]));
        for limit in described
            .iter()
            .chain(&ProcessLimits::default().describe())
            .chain(&WorkerLimits::default().describe())
            .chain(&ConnectionLimits::default().describe())
            .chain(&TriggerLimits::default().describe())
            .chain(&JournalLimits::default().describe())
            .chain(&ReferenceLimits::default().describe())
        {
            assert_eq!(limit.unit.split(", ").count(), limit.value.len(), "{}", limit.name);
            assert!(limit.what.ends_with('.') && limit.reason.ends_with('.'), "{}", limit.name);
        }
    }
}
