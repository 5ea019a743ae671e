//! The integrations that this project started from, end to end: the real component, the host with its
//! sealed store, real sockets and TLS, and the simulator of PagerDuty with its identity service.

mod api_token;
mod client_credentials;
mod issue_tracker_sync;
mod redirect_url;
mod rotation_bot;
