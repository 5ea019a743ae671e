//! Limits of clients: each with its unit, its default, and its reason.

use std::time::Duration;

use serde::Deserialize;
use workflow_node_host::LimitDescription;

/// The type of a limit, as a number. Durations are in milliseconds.
trait Number {
    fn number(&self) -> u64;
}

impl Number for usize {
    fn number(&self) -> u64 {
        u64::try_from(*self).unwrap_or(u64::MAX)
    }
}

impl Number for u64 {
    fn number(&self) -> u64 {
        *self
    }
}

impl ServerLimits {
    /// A duration in milliseconds.
    pub(crate) fn time(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}

macro_rules! limits {
    ($(#[$attribute:meta])* $name:ident {
        $($limit:ident: $type:ty = $default:expr, $unit:literal, $what:literal, $reason:literal;)*
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
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
                    value: vec![self.$limit.number()],
                    default: vec![default.$limit.number()],
                    reason: $reason,
                },)*]
            }
        }
    };
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

limits! {
    /// Limits of a server. Each can be set in the table `limits` of the configuration file.
    ServerLimits {
        connections: usize = 1_024, "connections",
            "Connections of clients open at once. Further ones wait in the system's queue.",
            "Each costs a descriptor; the transport of the host needs up to 512 more.";
        header_bytes: usize = 32 * KIB, "bytes",
            "Request line and headers of a request.",
            "A token and a dozen headers of a proxy take 4 KiB.";
        headers: usize = 100, "headers",
            "Headers of a request.",
            "What hyper accepts by default; proxies add a dozen.";
        header_ms: u64 = 10_000, "milliseconds",
            "Time in which the headers of a request must arrive, and the TLS handshake must end.",
            "Clients on slow links need a second; a client that sends one byte at a time holds a \
             connection.";
        body_idle_ms: u64 = 60_000, "milliseconds",
            "Time in which the next part of a body must arrive.",
            "The idle timeout of common proxies.";
        small_body: usize = 256 * KIB, "bytes",
            "JSON body of every request that is not an execution.",
            "The parameters of a form so far.";
        json_body: usize = 32 * MIB, "bytes",
            "JSON body of an execution. Send more items as NDJSON.",
            "The whole body is parsed in memory: 10,000 items of 1 KiB take 10 MiB.";
        ndjson_body: usize = 1_024 * MIB, "bytes",
            "NDJSON body of an execution.",
            "The body is kept in a temporary file until the execution has ended.";
        line: usize = 4 * MIB, "bytes",
            "One line of an NDJSON body.",
            "The most that a portion of items may hold (`Limits::portion_bytes`).";
        spool_memory: usize = MIB, "bytes",
            "NDJSON body that is kept in memory; a larger one is written to a temporary file.",
            "Most bodies are smaller, and 64 executions run at once.";
        items: usize = 1_000_000, "items",
            "Items of an execution.",
            "At 1,000 items per minute, a common rate limit, they take 17 hours.";
        page: usize = 500, "entries",
            "Entries of a page of a list. A client that asks for more gets this many; 100 are the \
             default.",
            "An entry takes 1 KiB.";
        item_page: usize = 8 * MIB, "bytes",
            "Results of items in one page; a page holds at least one result.",
            "One result may hold a long list of records.";
        running: usize = 64, "executions",
            "Executions that run at once.",
            "Half of the worker processes that a host may start (`WorkerLimits::workers`).";
        running_per_tenant: usize = 32, "executions",
            "Executions of one tenant that run at once.",
            "One tenant leaves half of the room to the others.";
        queued: usize = 1_000, "executions",
            "Executions that wait for their turn. Further ones are answered with 429.",
            "Each keeps its items: at most 1 MiB in memory if they came as NDJSON.";
        queued_per_tenant: usize = 200, "executions",
            "Executions of one tenant that wait for their turn.",
            "A fifth of `queued`.";
        retry_after_ms: u64 = 5_000, "milliseconds",
            "What `Retry-After` says to clients that are refused for lack of room.",
            "Short executions end within seconds.";
        result_bytes: usize = 256 * MIB, "bytes",
            "Output that is stored of one execution. The output of further items is dropped from the \
             store; clients that stream the results still receive it.",
            "Four times what a portion may output (`Limits::output`).";
        retention_ms: u64 = 7 * 24 * 3_600_000, "milliseconds",
            "How long the results of an execution that has ended are kept. After that, its ID can be \
             used again.",
            "Engines retry within hours; results hold data of the service.";
        kept_bytes_per_tenant: usize = 1_024 * MIB, "bytes",
            "Output of executions of one tenant that is kept. Beyond it, the oldest executions that have \
             ended lose their output and keep their outcomes.",
            "Four of the largest executions (`result_bytes`).";
        journal_bytes: usize = 64 * MIB, "bytes",
            "Journal of one execution. One that outgrows it goes on, and cannot be resumed after a \
             crash.",
            "Thousands of requests with the answers that services usually return.";
        call_bytes: usize = 64 * MIB, "bytes",
            "Items of a detached execution that are kept, so that the server goes on with it by itself \
             after a crash. Beyond it, a client has to repeat the call.",
            "As much as the journal of an execution may have.";
        call_ms: u64 = 60_000, "milliseconds",
            "Time for loading choices and for testing a credential.",
            "A person waits for the form.";
        subscriptions_per_tenant: usize = 1_000, "subscriptions",
            "Subscriptions of one tenant.",
            "Each has a task and a place in the database.";
        waiting_events: usize = 10_000, "events",
            "Events that wait for the engine of one subscription, or were set aside. Beyond it, the \
             events stay with the source.",
            "An engine that is down for a day receives fewer.";
        waiting_event_bytes: usize = 64 * MIB, "bytes",
            "Events that wait for the engine of one subscription, or were set aside.",
            "10,000 events of 6 KiB.";
        event_retention_ms: u64 = 7 * 24 * 3_600_000, "milliseconds",
            "How long an event waits for an engine. Then it is removed.",
            "An engine that does not return within a week has lost its workflow.";
        delivery_ms: u64 = 30_000, "milliseconds",
            "Time in which an engine must answer a delivery.",
            "Engines answer before they run the workflow.";
        delivery_pause_ms: u64 = 60_000, "milliseconds",
            "The longest pause before an event is sent again that the engine has refused. The first is \
             half a second, and the next ones double it.",
            "An engine that restarts receives its events a minute later.";
        set_aside_ms: u64 = 3_600_000, "milliseconds",
            "How long an event may be refused before it is set aside, so that those behind it go on.",
            "Engines restart within minutes; an event that a workflow cannot read is refused forever.";
        secrets_per_tenant: usize = 1_000, "secrets",
            "Secrets for parameters that a tenant may store over the API.",
            "Workflows have dozens; each takes at most 4 KiB.";
        poll_ms: u64 = 30_000, "milliseconds",
            "How long a request for events may wait for one.",
            "Half of the idle timeout of common proxies.";
        connect_ms: u64 = 600_000, "milliseconds",
            "How long a link that connects an account can be used, and how long its outcome is kept after \
             that.",
            "A person needs minutes; a link that is found later is of no use.";
        connecting_per_tenant: usize = 100, "connections",
            "Connections of one tenant that wait for a person.",
            "Each is one person with an open form.";
        shown_requests: usize = 200, "requests",
            "Requests of one execution that are kept in memory for the page. Further ones are counted.",
            "What a person looks through.";
        kept_requests: usize = 20_000, "requests",
            "Requests of all executions that are kept in memory for the page. Beyond it, those of the \
             oldest executions are dropped.",
            "Each takes up to 1 KiB.";
        page_runs: usize = 100, "executions",
            "Executions begun on the page whose output is kept in memory for it. Beyond it, the oldest \
             is shown from the store.",
            "A few for each person.";
        page_run_bytes: usize = MIB, "bytes",
            "Output of one execution that the page keeps in memory. Further records are counted.",
            "More than a person reads.";
        recent_events: usize = 20, "events",
            "Latest events of one subscription that are kept in memory for the page.",
            "What a person looks through.";
        kept_events: usize = 1_000, "events",
            "Latest events of all subscriptions that are kept in memory for the page.",
            "Each takes up to 32 KiB, and 2 KiB on average.";
        page_items: usize = 1_000, "items",
            "Items that a person can paste into a form of the page for one run.",
            "A paste of this size can still be read through. Programs use the API.";
        page_session_ms: u64 = 8 * 3_600_000, "milliseconds",
            "How long a person stays signed in to the page.",
            "A working day.";
        heartbeat_ms: u64 = 15_000, "milliseconds",
            "How often a stream of results sends a status line while nothing else is sent.",
            "A quarter of the idle timeout of common proxies.";
        mcp_result: usize = 256 * KIB, "bytes",
            "Records in one result of an MCP tool. The rest is counted, and read by further calls.",
            "About 80,000 tokens, which is a large part of a model's context.";
        mcp_repeat_ms: u64 = 600_000, "milliseconds",
            "How long after its stream broke an MCP call without an execution ID can be repeated and \
             joins its first execution.",
            "Clients repeat a call within minutes; later, the same call is a new one.";
        mcp_connect_ms: u64 = 50_000, "milliseconds",
            "How long an MCP call waits for a user who has opened the link that connects an account.",
            "Common SDKs end a request after 60 s. The user can finish later, and the call be repeated.";
        mcp_broken_calls: usize = 10_000, "calls",
            "MCP calls whose stream broke that can be repeated in this way. Beyond it, the oldest are \
             forgotten.",
            "Each takes 200 bytes.";
        certificate_ms: u64 = 10_000, "milliseconds",
            "How often the files of the TLS certificate are read again.",
            "A renewed certificate is in use long before the old one ends.";
        audit_retention_ms: u64 = 90 * 24 * 3_600_000, "milliseconds",
            "How long entries of the audit record are kept in the database. The log has them as well.",
            "A quarter, in which most incidents are noticed.";
        audit_entries: usize = 500_000, "entries",
            "Entries of the audit record that are kept in the database. Beyond it, the oldest are removed.",
            "About 100 MiB.";
        drain_ms: u64 = 30_000, "milliseconds",
            "How long a server that shuts down waits for executions, and for requests of detached ones that \
             are in flight. Then it interrupts or cancels them.",
            "As long as Kubernetes waits before it kills a container.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_described_by_sentences() {
        for limit in ServerLimits::default().describe() {
            assert!(limit.what.ends_with('.') && limit.reason.ends_with('.'), "{}", limit.name);
            assert!(!limit.value.is_empty(), "{}", limit.name);
        }
        let set: ServerLimits = toml::from_str("running = 2").unwrap();
        assert_eq!((set.running, set.queued), (2, ServerLimits::default().queued));
        assert!(toml::from_str::<ServerLimits>("runing = 2").is_err());
    }
}
