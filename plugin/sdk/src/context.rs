//! Functions through which a running call asks its engine for something.

use crate::bindings::workflow::node::types::OutputItem;
use crate::host;

pub use crate::bindings::workflow::node::context::{CredentialView, Level};

/// Writes one line for the operator; `fields` is a JSON object or empty.
pub fn log(level: Level, message: &str, fields: &str) {
    host::log(level, message, fields);
}

/// Reports the progress of the call.
pub fn progress(done: u64, total: Option<u64>, message: &str) {
    host::progress(done, total, message);
}

/// Emits output of an item before the call returns.
pub fn emit(item: u32, outputs: &[OutputItem]) {
    host::emit(item, outputs);
}

/// Reports that an item has ended before the call returns. Only [`crate::node`] does this, for
/// every item if the engine asks for it.
pub(crate) fn finish_item(item: u32, outcome: &host::Outcome) {
    host::finish_item(item, outcome);
}

/// Returns true once the engine has asked the call to end.
pub fn cancelled() -> bool {
    host::cancelled()
}

/// The engine's clock, in milliseconds since 1970.
pub fn now() -> u64 {
    host::now()
}

/// Time at which the host ends the call, if it has a deadline.
pub fn deadline() -> Option<u64> {
    host::deadline()
}

/// Bytes from the execution's seed; at most 1,024.
pub fn random(length: u32) -> Vec<u8> {
    host::random(length)
}

/// A key that is the same over every repetition of this item of this execution.
pub fn idempotency_key(item: u32) -> String {
    host::idempotency_key(item)
}

/// The non-secret part of the credential in a slot.
pub fn credential(slot: &str) -> Option<CredentialView> {
    host::credential(slot)
}
