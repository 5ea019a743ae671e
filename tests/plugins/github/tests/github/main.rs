//! The node natively, with a scripted service, and as a component, by the standard suite.

mod checks;
mod issues;
mod webhooks;
