//! Reports the calls of the host that a metered guest makes.

use std::time::Instant;

use crate::limits::exceeded;
use crate::metering::{GuestCall, HostCall, MeterEvent, microseconds};
use crate::observer::Observer;

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
