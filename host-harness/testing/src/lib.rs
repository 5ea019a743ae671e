//! Judges a workflow node as it ships: the same component file, in the same host, without its service.
//!
//! The command's `check`, `test`, `fake`, and `trace` are thin layers over this crate.

pub mod check;
mod loopback;
mod sample;
