//! The calls of the host in a trace: which functions of the contract the guest called, when, and
//! the fuel and memory that it used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use workflow_node_host::{GuestCall, HostCall};

/// So many calls are listed in a trace. The others are counted.
pub const MOST_HOST_CALLS: usize = 10_000;

/// The calls of the host in a run. In the archive, they are the member `_hostCalls` of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct HostCalls {
    /// Most calls that are listed.
    pub limit: usize,
    /// How many calls are not listed. They are in the totals.
    pub dropped: u64,
    /// Fuel that the guest has used in all: most WebAssembly instructions use one unit.
    pub fuel: u64,
    /// Largest linear memory of the guest, in bytes.
    pub peak_memory: u64,
    /// Totals by function.
    pub functions: BTreeMap<String, FunctionTotal>,
    /// The first calls, in order.
    pub calls: Vec<Call>,
}

/// All calls of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct FunctionTotal {
    /// How many.
    pub calls: u64,
    /// Fuel that the guest used before them, each since its previous call of any function.
    pub fuel: u64,
    /// How long they took, waiting included, in microseconds.
    pub duration_us: u64,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Call {
    /// When it began, in microseconds since 1970.
    pub at_us: u64,
    /// How long it took, waiting included, in microseconds.
    pub duration_us: u64,
    /// Interface and function of the contract.
    pub function: String,
    /// Fuel that the guest has used since its previous call.
    pub fuel: u64,
    /// Linear memory of the guest when it called, in bytes.
    pub memory: u64,
}

impl HostCalls {
    /// Adds a call.
    pub fn add(&mut self, call: &HostCall) {
        let total = self.functions.entry(call.function.to_string()).or_default();
        total.calls += 1;
        total.fuel = total.fuel.saturating_add(call.fuel);
        total.duration_us = total.duration_us.saturating_add(call.duration_us);
        self.peak_memory = self.peak_memory.max(call.memory);
        self.limit = MOST_HOST_CALLS;
        if self.calls.len() >= self.limit {
            self.dropped += 1;
            return;
        }
        self.calls.push(Call {
            at_us: call.started_us,
            duration_us: call.duration_us,
            function: call.function.to_string(),
            fuel: call.fuel,
            memory: call.memory,
        });
    }

    /// Adds what a call of the guest has used in all.
    pub fn end(&mut self, call: &GuestCall) {
        self.limit = MOST_HOST_CALLS;
        self.fuel = self.fuel.saturating_add(call.fuel);
        self.peak_memory = self.peak_memory.max(call.memory);
    }

    /// Adds the calls of a later run.
    pub fn append(&mut self, later: Self) {
        let room = MOST_HOST_CALLS.saturating_sub(self.calls.len());
        let listed = later.calls.len();
        self.calls.extend(later.calls.into_iter().take(room));
        self.limit = MOST_HOST_CALLS;
        self.dropped += later.dropped + listed.saturating_sub(room) as u64;
        self.fuel = self.fuel.saturating_add(later.fuel);
        self.peak_memory = self.peak_memory.max(later.peak_memory);
        for (function, of) in later.functions {
            let total = self.functions.entry(function).or_default();
            total.calls += of.calls;
            total.fuel = total.fuel.saturating_add(of.fuel);
            total.duration_us = total.duration_us.saturating_add(of.duration_us);
        }
    }

    /// How many calls there were.
    pub fn count(&self) -> u64 {
        self.calls.len() as u64 + self.dropped
    }

    /// Whether the guest was not metered.
    pub fn is_empty(&self) -> bool {
        self.fuel == 0 && self.calls.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use workflow_node_host::HostFunction;

    use super::*;

    fn call(function: HostFunction) -> HostCall {
        HostCall { started_us: 7, duration_us: 3, function, fuel: 2, memory: 65_536 }
    }

    #[test]
    fn calls_beyond_the_limit_are_counted_and_not_listed() {
        let mut calls = HostCalls::default();
        for _ in 0..MOST_HOST_CALLS {
            calls.add(&call(HostFunction::Now));
        }
        assert_eq!((calls.calls.len(), calls.dropped), (MOST_HOST_CALLS, 0));
        calls.add(&call(HostFunction::Log));
        calls.end(&GuestCall { host_calls: 1, fuel: 30_000, memory: 131_072 });
        assert_eq!((calls.calls.len(), calls.dropped), (MOST_HOST_CALLS, 1));
        assert_eq!(calls.count(), MOST_HOST_CALLS as u64 + 1);
        assert_eq!((calls.fuel, calls.peak_memory), (30_000, 131_072));
        let log = FunctionTotal { calls: 1, fuel: 2, duration_us: 3 };
        assert_eq!(calls.functions["context.log"], log);

        let mut twice = calls.clone();
        twice.append(calls.clone());
        assert_eq!(twice.calls, calls.calls);
        assert_eq!(twice.dropped, MOST_HOST_CALLS as u64 + 2);
        assert_eq!((twice.fuel, twice.functions["context.log"].calls), (60_000, 2));
    }

    #[test]
    fn an_archive_has_the_calls_and_its_page_shows_them() {
        let mut calls = HostCalls::default();
        for at in 0..2_000 {
            let started_us = 1_000_000 + at * 10;
            calls.add(&HostCall { started_us, ..call(HostFunction::Random) });
        }
        calls.dropped = 4_321;
        calls.end(&GuestCall { host_calls: 2_000, fuel: 1_234_567, memory: 2_000_000 });
        let run = crate::trace::Run { started: 1_000, duration_ms: 30, ..Default::default() };
        let archive = crate::trace::archive(&run, &[], (&[], 0), &calls);
        assert_eq!(
            serde_json::from_value::<HostCalls>(archive["log"]["_hostCalls"].clone()).unwrap(),
            calls
        );
        let page = crate::trace::page(&archive).unwrap();
        for shown in [
            "1,234,567 units of fuel",
            "context.random",
            "2.0 MB",
            "1,000 more calls are in the file",
            "4,321 more calls are only in the totals, because a trace lists 10,000.",
            "+0.010 ms",
        ] {
            assert!(page.contains(shown), "{shown}");
        }
        // Many are not drawn.
        assert_eq!(page.matches("class=\"bar host\"").count(), 1_000);
        // An archive without calls, such as that of a browser, has no such part.
        let other = crate::trace::archive(&run, &[], (&[], 0), &HostCalls::default());
        assert!(other["log"].get("_hostCalls").is_none());
        assert!(!crate::trace::page(&other).unwrap().contains("Calls of the host"));
    }
}
