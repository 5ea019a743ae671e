//! Drives the simulator over TLS, as a client would.

mod client;
mod command;
mod connections;
mod events;
mod faults;
mod identity;
mod incidents;
mod judgement;
mod lists;
mod operations;
mod webdriver;
