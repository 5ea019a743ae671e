//! The node as a host sees it: calls, the requests that come of them, and what answers become.

mod api;
mod credentials;
mod documents;
mod errors;
mod events;
mod failures;
mod forms;
mod incidents;
mod listings;
mod names;
mod operations;
mod options;
mod oracle;
mod order;
mod readme;
mod support;
