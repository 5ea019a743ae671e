//! What the PagerDuty node says about itself, as plain data: one declaration per action. The build
//! script of the node packs it; forms, validation, requests, documentation and tests follow from it.
//!
//! What an action does that is more than its request stands in the node's own code, under the same
//! name. This crate never becomes part of a component.

#![deny(missing_docs)]

mod actions;
mod flat;
mod paging;
mod parameters;
mod records;
mod references;
mod secrets;
mod triggers;

pub use triggers::EVENT_TYPES;
use workflow_node_sdk::declare::{Node, Slot};

/// Per region: the origin of the REST API and that of the Events API.
pub const ORIGINS: &[&str] = &[
    "https://api.pagerduty.com",
    "https://api.eu.pagerduty.com",
    "https://events.pagerduty.com",
    "https://events.eu.pagerduty.com",
];

/// The node.
pub static NODE: Node = Node {
    name: "pagerduty",
    version: 1,
    display_name: "PagerDuty",
    description: "Incidents, alerts, people, schedules, services and all else of a PagerDuty \
                  account, in the US or the EU service region, through the REST API and the Events \
                  API.",
    documentation_url: "https://developer.pagerduty.com/docs/introduction",
    origins: ORIGINS,
    slots: &[
        Slot {
            name: "rest",
            description: "For the REST API: an API token, or OAuth 2.0 for a user or an app.",
            credential_types: &["api-token", "oauth2", "oauth2-app"],
        },
        Slot {
            name: "events",
            description: "For sending events: the integration key of a service.",
            credential_types: &["events-integration"],
        },
    ],
    schemas: records::SHARED,
    secrets: secrets::SECRETS,
    references: references::ALL,
    resources: actions::RESOURCES,
    triggers: triggers::ALL,
};
