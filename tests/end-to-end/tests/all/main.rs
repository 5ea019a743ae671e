//! The end-to-end tests, in one binary: it links the engine once.

mod node;
mod portability;
mod secrets;
