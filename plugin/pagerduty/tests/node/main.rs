//! The node as a host sees it: calls, their requests, and the results of responses.

mod api;
mod api_facts;
mod credentials;
mod documents;
mod errors;
mod events;
mod failures;
mod forms;
mod incidents;
mod lines;
mod listings;
mod names;
mod operations;
mod options;
mod oracle;
mod order;
mod readme;
mod support;
mod variants;
