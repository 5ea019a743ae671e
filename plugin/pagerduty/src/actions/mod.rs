//! The actions, a file per resource.

mod ability;
mod api;
mod event;
mod incident;
mod incident_note;
mod log_entry;
mod service;
mod user;

use workflow_node_sdk::declare::{Action, Answer, Route};

/// All actions, in the order in which a form offers them.
pub(crate) const ALL: &[&[Action]] = &[
    incident::ACTIONS,
    incident_note::ACTIONS,
    log_entry::ACTIONS,
    service::ACTIONS,
    user::ACTIONS,
    ability::ACTIONS,
    event::ACTIONS,
    api::ACTIONS,
];

/// The route of an action on the REST API.
pub(crate) const fn rest(method: &'static str, path: &'static str, answer: Answer) -> Route {
    Route { method, base: "rest", path, constants: &[], key: None, answer }
}
