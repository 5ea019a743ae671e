//! The life of tokens against a service in this process, over real sockets: the requests that it
//! received, the content of the store, and the results of callers.

mod endpoint;
#[cfg(unix)]
mod processes;
mod renewing;
mod service;
mod using;
mod world;
