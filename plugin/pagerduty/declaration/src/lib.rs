//! The description of the PagerDuty node as plain data: one declaration per action. The build
//! script of the node packs it; forms, validation, requests, documentation, and tests are derived
//! from it.
//!
//! Custom code of an action is in the node, under the same name. Only the regions and the scopes of
//! this crate become part of a component; the node's build script uses the rest.

#![deny(missing_docs)]

#[cfg(not(target_arch = "wasm32"))]
mod credential_types;
#[cfg(not(target_arch = "wasm32"))]
pub mod derive;
#[cfg(not(target_arch = "wasm32"))]
mod flat;
#[cfg(not(target_arch = "wasm32"))]
mod paging;
#[cfg(not(target_arch = "wasm32"))]
mod parameters;
#[cfg(not(target_arch = "wasm32"))]
mod records;
#[cfg(not(target_arch = "wasm32"))]
mod references;
mod regions;
pub mod scopes;
#[cfg(not(target_arch = "wasm32"))]
mod secrets;
#[cfg(not(target_arch = "wasm32"))]
mod triggers;

#[cfg(not(target_arch = "wasm32"))]
pub use credential_types::credential_types;
pub use regions::{AUTHORIZE_URL, REGIONS, REVOKE_URL, Region, TOKEN_URL};
#[cfg(not(target_arch = "wasm32"))]
use workflow_node_sdk::declare::{BaseUrl, Node, Resource, Slot};

/// The origins of the REST API and the Events API in each region.
pub const ORIGINS: &[&str] = &[
    "https://api.pagerduty.com",
    "https://api.eu.pagerduty.com",
    "https://events.pagerduty.com",
    "https://events.eu.pagerduty.com",
];

/// Slots for credentials.
#[cfg(not(target_arch = "wasm32"))]
static SLOTS: &[Slot] = &[
    Slot::new(
        "rest",
        "Credential for the REST API: an API token, or OAuth 2.0 for a user or an app.",
        &["api-token", "oauth2", "oauth2-app"],
    )
    .base_urls(&[BaseUrl::configured("rest")]),
    Slot::new(
        "events",
        "Credential for sending events: the integration key of a service.",
        &["events-integration"],
    )
    .base_urls(&[BaseUrl::configured("events")]),
];

/// The node, built from the facts and the overlay.
///
/// # Panics
///
/// Panics with every problem if they contradict each other. A build script calls this first.
#[cfg(not(target_arch = "wasm32"))]
pub fn node() -> &'static Node {
    static NODE: std::sync::OnceLock<Node> = std::sync::OnceLock::new();
    NODE.get_or_init(|| {
        let derived = derive::derive(&derive::overlay());
        let problems = derived.problems.join("\n");
        assert!(problems.is_empty(), "the overlay contradicts the facts:\n{problems}");
        declared(derived.resources)
    })
}

/// The node with these resources.
#[cfg(not(target_arch = "wasm32"))]
fn declared(resources: &'static [Resource]) -> Node {
    Node::builder(
        "pagerduty",
        "PagerDuty",
        "Manages incidents, alerts, users, schedules, services, and all other resources of a \
         PagerDuty account, and sends events. Supports the US and EU service regions.",
    )
    .documentation_url("https://developer.pagerduty.com/docs/introduction")
    .icon(include_str!("icon.svg"))
    .categories(&["incident-management", "on-call", "monitoring"])
    .aliases(&["PD", "paging", "alerting", "on-call schedules", "incident response", "AIOps"])
    .origins(ORIGINS)
    .slots(SLOTS)
    .schemas(records::shared())
    .secrets(secrets::secrets)
    .references(references::ALL)
    .resources(resources)
    .triggers(triggers::all())
    .build()
}
