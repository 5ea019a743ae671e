//! HTTP and TLS around the accounts: listeners, connections, and processing a request.

pub(crate) mod body;
pub(crate) mod exchange;
pub(crate) mod server;
mod wire;
