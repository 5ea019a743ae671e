//! The life of tokens against a service in this process, over real sockets: what it was asked, what
//! stands in the store afterwards, and what a caller gets.

mod endpoint;
#[cfg(unix)]
mod processes;
mod renewing;
mod service;
mod using;
mod world;
