//! Limits on the resources that foreign code and data can use: bounds on memory, time, and number of
//! records, while guests and services misbehave.
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
