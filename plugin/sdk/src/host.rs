//! The imports in one place, so that a native build can replace them with a test double.

use crate::bindings::workflow::node::types::{Error, OutputItem};

/// Output of an item.
pub type Outcome = Result<Vec<OutputItem>, Error>;

#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::*;
#[cfg(target_arch = "wasm32")]
mod wasm {
    use super::{Outcome, OutputItem};
    use crate::bindings::workflow::node::context::{CredentialView, Level};
    use crate::bindings::workflow::node::http::{Request, Response, SendError};
    use crate::bindings::workflow::node::{completions, context as raw, http, timer};

    pub(crate) fn next() -> Option<u64> {
        completions::next()
    }
    pub(crate) fn cancel(ticket: u64) {
        completions::cancel(ticket);
    }
    pub(crate) fn after(milliseconds: u64) -> u64 {
        timer::after(milliseconds)
    }
    pub(crate) fn submit(request: &Request) -> u64 {
        http::submit(request)
    }
    pub(crate) fn take(ticket: u64) -> Result<Response, SendError> {
        http::take(ticket)
    }
    pub(crate) fn log(level: Level, message: &str, fields: &str) {
        raw::log(level, message, fields);
    }
    pub(crate) fn progress(done: u64, total: Option<u64>, message: &str) {
        raw::progress(done, total, message);
    }
    pub(crate) fn emit(item: u32, outputs: &[OutputItem]) {
        raw::emit(item, outputs);
    }
    pub(crate) fn finish_item(item: u32, outcome: &Outcome) {
        raw::finish_item(item, outcome.as_deref());
    }
    pub(crate) fn cancelled() -> bool {
        raw::cancelled()
    }
    pub(crate) fn now() -> u64 {
        raw::now()
    }
    pub(crate) fn deadline() -> Option<u64> {
        raw::deadline()
    }
    pub(crate) fn random(length: u32) -> Vec<u8> {
        raw::random(length)
    }
    pub(crate) fn idempotency_key(item: u32) -> String {
        raw::idempotency_key(item)
    }
    pub(crate) fn credential(slot: &str) -> Option<CredentialView> {
        raw::credential(slot)
    }
}

#[cfg(all(feature = "testing", not(target_arch = "wasm32")))]
pub(crate) mod native;
#[cfg(all(feature = "testing", not(target_arch = "wasm32")))]
pub(crate) use native::*;

/// A native build that is not a test: build scripts read declarations and call no imports.
#[cfg(all(not(feature = "testing"), not(target_arch = "wasm32")))]
pub(crate) use absent::*;
#[cfg(all(not(feature = "testing"), not(target_arch = "wasm32")))]
mod absent {
    use super::{Outcome, OutputItem};
    use crate::bindings::workflow::node::context::{CredentialView, Level};
    use crate::bindings::workflow::node::http::{Request, Response, SendError};

    fn absent() -> ! {
        panic!("there is no host: enable the feature `testing` of workflow-node-sdk")
    }

    pub(crate) fn next() -> Option<u64> {
        absent()
    }
    pub(crate) fn cancel(_: u64) {
        absent()
    }
    pub(crate) fn after(_: u64) -> u64 {
        absent()
    }
    pub(crate) fn submit(_: &Request) -> u64 {
        absent()
    }
    pub(crate) fn take(_: u64) -> Result<Response, SendError> {
        absent()
    }
    pub(crate) fn log(_: Level, _: &str, _: &str) {
        absent()
    }
    pub(crate) fn progress(_: u64, _: Option<u64>, _: &str) {
        absent()
    }
    pub(crate) fn emit(_: u32, _: &[OutputItem]) {
        absent()
    }
    pub(crate) fn finish_item(_: u32, _: &Outcome) {
        absent()
    }
    pub(crate) fn cancelled() -> bool {
        absent()
    }
    pub(crate) fn now() -> u64 {
        absent()
    }
    pub(crate) fn deadline() -> Option<u64> {
        absent()
    }
    pub(crate) fn random(_: u32) -> Vec<u8> {
        absent()
    }
    pub(crate) fn idempotency_key(_: u32) -> String {
        absent()
    }
    pub(crate) fn credential(_: &str) -> Option<CredentialView> {
        absent()
    }
}
