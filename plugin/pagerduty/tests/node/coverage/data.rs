//! What peers offer and what is left out, as `peers/` has it; and which operations of PagerDuty's
//! API an action is for.

use std::path::{Path, PathBuf};

use pagerduty_declaration::NODE;
use pagerduty_simulator::facts::{self, Operation};
use serde::Deserialize;
use workflow_node_sdk::declare::Action;

use crate::oracle::same_path;

/// A system that offers operations of PagerDuty.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peer {
    pub(super) title: String,
    /// What a column is headed by.
    pub(super) short: String,
    order: u32,
    /// Which part and version of it.
    pub(super) what: String,
    pub(super) evidence: Evidence,
    pub(super) note: Option<String>,
    pub(super) operations: Vec<Offered>,
}

/// How we know.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Evidence {
    Ran,
    Source,
    Stated,
    Unverified,
}

/// An operation that a peer offers, or one of PagerDuty's API that has no action.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Offered {
    pub(super) name: String,
    /// Actions, and triggers as `trigger:NAME`.
    #[serde(default)]
    pub(super) ours: Vec<String>,
    /// The name of a reason.
    pub(super) left_out: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeftOut {
    pub(super) reasons: Vec<Reason>,
    pub(super) operations: Vec<Offered>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    pub(super) name: String,
    pub(super) why: String,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All peers, in the order of their columns.
pub(super) fn peers() -> Vec<Peer> {
    let entries = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let is_peer = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "json") && !path.ends_with("left-out.json")
    };
    let mut peers: Vec<Peer> = entries.filter(is_peer).map(|path| read(&path)).collect();
    peers.sort_by_key(|peer| peer.order);
    peers
}

pub(super) fn left_out() -> LeftOut {
    read(&directory().join("left-out.json"))
}

/// The operations whose request an action sends: of the REST API, or of the Events API.
pub(super) fn operations_of(action: &Action) -> Vec<&'static Operation> {
    let route = &action.route;
    if action.slot == "events" {
        // An alert is opened by one operation, and acknowledged and resolved by another.
        let opens = route.constants.contains(&("/event_action", r#""trigger""#));
        let fits = |one: &&Operation| {
            one.path == route.path
                && (route.path != "/v2/enqueue" || opens == (one.id == "triggerEvent"))
        };
        return facts::events_api().iter().filter(fits).collect();
    }
    if action.name == "api.request" {
        return Vec::new();
    }
    facts::operations()
        .iter()
        .filter(|one| !one.deprecated)
        .filter(|one| one.method == route.method && same_path(route.path, &one.path))
        .collect()
}

/// Whether there is an action, or a trigger, of this name.
pub(super) fn exists(name: &str) -> bool {
    match name.strip_prefix("trigger:") {
        Some(trigger) => NODE.trigger(trigger).is_some(),
        None => NODE.action(name).is_some(),
    }
}
