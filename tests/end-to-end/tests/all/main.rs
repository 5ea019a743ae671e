//! The end-to-end tests, in one binary: it links the engine once.

mod binding;
mod bulk;
mod connections;
mod costs;
mod egress;
mod engine;
mod errors;
mod examples;
mod handles;
mod hostile;
mod isolation;
mod loading;
mod node;
mod pacing;
mod portability;
mod rights;
mod round_trips;
mod scopes;
mod secrets;
mod services;
mod streams;
mod support;
mod triggers;
mod verbs;
mod write_once;
mod writes;
