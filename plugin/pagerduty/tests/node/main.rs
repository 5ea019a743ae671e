//! The node as a host sees it: calls, the requests that come of them, and what answers become.

mod api;
mod coverage;
mod credentials;
mod documents;
mod errors;
mod events;
mod incidents;
mod listings;
mod options;
mod oracle;
mod readme;
mod support;
