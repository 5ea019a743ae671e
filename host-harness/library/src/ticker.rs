//! The thread that interrupts guests: it advances the engine's epoch. Without it no guest that
//! computes could be stopped, so a host does not start without it.

use std::thread::Builder;
use std::time::Duration;

use wasmtime::Engine;

/// How often the engine looks whether a guest has computed long enough.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Advances the epoch of an engine until the engine is gone.
///
/// # Errors
///
/// When the thread cannot be started.
pub(crate) fn start(engine: &Engine) -> std::io::Result<()> {
    start_with(engine, Builder::new())
}

fn start_with(engine: &Engine, thread: Builder) -> std::io::Result<()> {
    let engine = engine.weak();
    let spawned = thread.name("workflow-node-tick".into()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    spawned.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Cause, Error};

    #[test]
    fn a_ticker_whose_thread_cannot_be_started_is_an_error_that_says_so() {
        // More than the address space holds.
        let thread = Builder::new().stack_size(1 << 60);
        let error = start_with(&Engine::default(), thread).map_err(Cause::Ticker);
        let error = Error::from(error.unwrap_err());
        let text = error.to_string();
        assert!(text.contains("Cannot start the thread that interrupts plugins"), "{text}");
    }

    #[test]
    fn the_ticker_ends_with_the_engine() {
        let engine = Engine::default();
        start(&engine).unwrap();
        let weak = engine.weak();
        drop(engine);
        std::thread::sleep(10 * TICK);
        assert!(weak.upgrade().is_none());
    }
}
