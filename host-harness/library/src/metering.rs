//! What guests use between their calls of the host: fuel, memory, and time. Only in hosts that
//! [meter](crate::HostBuilder::metering) guests, because counting fuel changes the compiled code.
//!
//! A [`Meter`] is beside the guest, in the host's process or in a worker, and turns calls of the
//! host into [`MeterEvent`]s. [`HostCalls`] is in the host's process and turns events into reports
//! for the observer. A worker's events are not trusted: they are counted, and they are only shown.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::execution::Observer;
use crate::limits::exceeded;
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

fn microseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The calls of the host in one call of a guest.
pub(crate) struct HostCalls {
    begun: Instant,
    /// Microseconds since 1970.
    started: u64,
    /// How many calls there may be.
    most: u32,
    /// A call that has no answer yet.
    open: Option<HostCall>,
    guest: GuestCall,
}

impl HostCalls {
    /// Of a call of a guest that begins now, in milliseconds since 1970.
    pub(crate) fn new(now: u64, most: u32) -> Self {
        Self {
            begun: Instant::now(),
            started: now.saturating_mul(1_000),
            most,
            open: None,
            guest: GuestCall { host_calls: 0, fuel: 0, memory: 0 },
        }
    }

    /// Takes an event.
    ///
    /// # Errors
    ///
    /// When there are more calls than the guest may make.
    pub(crate) fn take(
        &mut self,
        event: MeterEvent,
        observer: &dyn Observer,
    ) -> wasmtime::Result<()> {
        match event {
            MeterEvent::Called { function, at, fuel, memory } => {
                self.close(at, observer);
                self.guest.host_calls += 1;
                self.used(fuel, memory);
                let started_us = self.started.saturating_add(at);
                self.open = Some(HostCall { started_us, duration_us: 0, function, fuel, memory });
                // The call beyond the limit is the one that stops the guest.
                if self.guest.host_calls > u64::from(self.most).saturating_add(1) {
                    let what = "the number of its host calls";
                    wasmtime::bail!("{}", exceeded(what, "host_calls", self.most));
                }
            }
            MeterEvent::Answered { at } => self.close(at, observer),
            MeterEvent::Ended { fuel, memory } => self.used(fuel, memory),
        }
        Ok(())
    }

    fn used(&mut self, fuel: u64, memory: u64) {
        self.guest.fuel = self.guest.fuel.saturating_add(fuel);
        self.guest.memory = self.guest.memory.max(memory);
    }

    /// Reports a call that has no answer yet, and ends so long after the guest's call began.
    fn close(&mut self, at: u64, observer: &dyn Observer) {
        if let Some(mut call) = self.open.take() {
            call.duration_us = self.started.saturating_add(at).saturating_sub(call.started_us);
            observer.host_call(&call);
        }
    }

    /// The guest's call has ended, or was stopped while it waited.
    pub(crate) fn end(mut self, observer: &dyn Observer) {
        self.close(microseconds(self.begun), observer);
        observer.guest_call(&self.guest);
    }
}
