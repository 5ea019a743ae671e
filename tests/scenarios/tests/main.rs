//! The integrations that this project was started for, end to end: the real component, the host
//! with its sealed store, real sockets and TLS, and the PagerDuty simulator with its identity
//! service.

mod api_token;
mod client_credentials;
mod issue_tracker_sync;
mod redirect_url;
mod rotation_bot;
