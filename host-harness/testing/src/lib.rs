//! Judges a workflow node as it ships: the same component file, in the same host, without its service.
//!
//! The command's `check`, `test`, `fake`, and `trace` are thin layers over this crate.

pub mod check;
pub mod fake;
pub mod fault;
pub mod file;
mod loopback;
pub mod message;
mod sample;
