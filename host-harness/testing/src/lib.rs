//! Judges a workflow node as it ships: the same component file, in the same host, without its
//! service.
//!
//! The command's `check`, `test`, `fake`, `new`, and `trace` are thin layers over this crate.

pub mod case;
pub mod check;
pub mod clock;
pub mod diff;
pub mod fake;
pub mod fault;
pub mod file;
mod loopback;
pub mod message;
pub mod package;
mod page;
pub mod recording;
mod sample;
pub mod scaffold;
pub mod trace;
