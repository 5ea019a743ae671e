//! What guests use between their calls of the host: fuel, memory, and time. Only in hosts that
//! [meter](crate::HostBuilder::metering) guests, because counting fuel changes the compiled code.
//!
//! A [`Meter`] is beside the guest, in the host's process or in a worker, and turns calls of the
//! host into [`MeterEvent`]s. `imports/host_calls` is in the host's process and turns events into
//! reports for the observer. A worker's events are not trusted: they are counted, and they are only shown.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::names::names;

names! {
    /// A function of the contract that a guest can call.
    pub enum HostFunction {
        /// `completions.next`.
        Next = "completions.next",
        /// `completions.cancel`.
        Cancel = "completions.cancel",
        /// `timer.after`.
        After = "timer.after",
        /// `http.submit`.
        Submit = "http.submit",
        /// `http.take`.
        Take = "http.take",
        /// `http.send`.
        Send = "http.send",
        /// `context.log`.
        Log = "context.log",
        /// `context.progress`.
        Progress = "context.progress",
        /// `context.emit`.
        Emit = "context.emit",
        /// `context.finish-item`.
        FinishItem = "context.finish-item",
        /// `context.cancelled`.
        Cancelled = "context.cancelled",
        /// `context.now`.
        Now = "context.now",
        /// `context.deadline`.
        Deadline = "context.deadline",
        /// `context.random`.
        Random = "context.random",
        /// `context.idempotency-key`.
        IdempotencyKey = "context.idempotency-key",
        /// `context.credential`.
        Credential = "context.credential",
    }
}

/// A call of the host by a guest.
#[derive(Clone, Debug, Serialize)]
pub struct HostCall {
    /// When it began, in microseconds since 1970.
    pub started_us: u64,
    /// How long it took, waiting included, in microseconds.
    pub duration_us: u64,
    /// The function.
    pub function: HostFunction,
    /// Fuel that the guest has used since its last call of the host, or since its own call began.
    /// Most WebAssembly instructions use one unit.
    pub fuel: u64,
    /// Linear memory of the guest when it called, in bytes.
    pub memory: u64,
}

/// What one call of a guest has used: an execution makes one for each portion of its items.
#[derive(Clone, Debug, Serialize)]
pub struct GuestCall {
    /// How often the guest has called the host.
    pub host_calls: u64,
    /// Fuel that it has used, also after its last call of the host. Of a guest whose worker was
    /// killed: until its last call of the host.
    pub fuel: u64,
    /// Linear memory of the guest at the end, which is the most it had, in bytes.
    pub memory: u64,
}

/// What happens to a guest that is metered. Times are in microseconds since its call began.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) enum MeterEvent {
    /// It calls the host.
    Called { function: HostFunction, at: u64, fuel: u64, memory: u64 },
    /// It has its answer.
    Answered { at: u64 },
    /// It has ended.
    Ended { fuel: u64, memory: u64 },
}

/// Reads what a guest uses in one call. It is given the fuel that the call has used so far.
pub(crate) struct Meter {
    begun: Instant,
    /// Fuel at the last call of the host.
    fuel: u64,
}

impl Meter {
    /// Of a call that begins now, and has used nothing.
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), fuel: 0 }
    }

    pub(crate) fn called(
        &mut self,
        function: HostFunction,
        fuel: u64,
        memory: usize,
    ) -> MeterEvent {
        let at = microseconds(self.begun);
        MeterEvent::Called { function, at, fuel: self.since(fuel), memory: memory as u64 }
    }

    pub(crate) fn answered(&self) -> MeterEvent {
        MeterEvent::Answered { at: microseconds(self.begun) }
    }

    pub(crate) fn ended(&mut self, fuel: u64, memory: usize) -> MeterEvent {
        MeterEvent::Ended { fuel: self.since(fuel), memory: memory as u64 }
    }

    /// Fuel that was used since this was asked before.
    fn since(&mut self, fuel: u64) -> u64 {
        let former = std::mem::replace(&mut self.fuel, fuel);
        fuel.saturating_sub(former)
    }
}

pub(crate) fn microseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
