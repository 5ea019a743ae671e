//! What foreign code and data can make the host hold, and for how long they can stall it: bounds on
//! memory, time, and records, while guests and services do their worst.
//!
//! A separate process, because the bounds are those of a process. Tests that measure run one after
//! the other.

#![allow(clippy::print_stderr, reason = "a test that fails shows what was measured")]

mod credentials;
mod documents;
mod evil;
mod features;
mod floods;
mod handles;
mod heap;
mod heartbeat;
mod held;
mod schemas;
mod server;
