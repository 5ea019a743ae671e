//! One call of a guest in a store, in whichever process: what is called, how much memory it may use, and
//! why it was stopped.

mod invocation;
mod memory;
mod stop;

pub(crate) use invocation::{Exports, GuestResults, Invocation, Linked, Returned};
pub(crate) use memory::MemoryLimit;
pub(crate) use stop::{Stop as Stopping, held};
