//! The document of `schemas/node.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::origin::OriginPattern;
use crate::path_template::PathTemplate;

/// A node.
#[derive(Clone, Debug, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// As people write it.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// Where a person reads more.
    pub documentation_url: Option<String>,
    /// Every origin it may ever talk to.
    pub origins: Vec<OriginPattern>,
    /// The places for credentials.
    pub slots: BTreeMap<String, Slot>,
    /// Schemas shared under `#/$defs`.
    #[serde(default)]
    pub schemas: Map<String, Value>,
    /// Secrets that the guest does not see.
    #[serde(default)]
    pub secrets: Vec<SecretPosition>,
    /// What the actions are about, in the author's order; empty where they are not grouped.
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// The actions, in the author's order.
    pub actions: Vec<Action>,
}

impl Node {
    /// The action of this name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }
}

/// What some actions are about.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// As a menu shows it.
    pub title: String,
    /// What it is.
    #[serde(default)]
    pub description: String,
}

/// A place for a credential.
#[derive(Clone, Debug, Deserialize)]
pub struct Slot {
    /// Which credential types fit.
    pub credential_types: Vec<String>,
    /// What it is for.
    pub description: String,
}

/// How an action uses a slot.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SlotUse {
    /// Whether it must be filled.
    #[serde(default)]
    pub required: bool,
    /// The scopes that a scoped grant needs.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// One action.
#[derive(Clone, Debug, Deserialize)]
pub struct Action {
    /// `<resource>.<operation>`.
    pub name: String,
    /// Under which of the node's resources it is shown.
    #[serde(default)]
    pub resource: Option<String>,
    /// Raised when parameters or output change incompatibly.
    pub version: u32,
    /// What a menu shows.
    pub title: String,
    /// What it does.
    pub description: String,
    /// Where a person reads more.
    pub documentation_url: Option<String>,
    /// The slots it uses.
    pub slots: BTreeMap<String, SlotUse>,
    /// What it does to the service.
    pub effect: Effect,
    /// What a repetition does.
    pub idempotency: Idempotency,
    /// Whether the service may still change it.
    #[serde(default)]
    pub early_access: bool,
    /// Schema of one item.
    pub parameters: Value,
    /// Per port the schema of one record.
    pub output: BTreeMap<String, Value>,
    /// Whether output may arrive before the call returns: page by page.
    #[serde(default)]
    pub emits: bool,
    /// What a long list is sure of, in words: how far it reaches, whether anything comes twice.
    pub guarantee: Option<String>,
    /// Parameters that really run.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// What an action does to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Makes something new.
    Create,
    /// Changes something.
    Update,
    /// Removes something.
    Delete,
    /// Anything else.
    Execute,
}

/// What a repetition of an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Idempotency {
    /// Nothing.
    Safe,
    /// Twice is as once.
    Idempotent,
    /// Twice is as once, by a key of the execution.
    Keyed,
    /// Never repeated by anyone.
    None,
}

/// Parameters that really run.
#[derive(Clone, Debug, Deserialize)]
pub struct Example {
    /// What it shows.
    pub title: String,
    /// The parameters.
    pub parameters: Value,
}

/// A secret that the service hands out, or that users give to an action: the guest sees a handle in
/// its place.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretPosition {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Of the request; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<OriginPattern>,
    /// Of the request; `None` for a secret that the service never hands out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathTemplate>,
    /// Where in the answer: RFC 6901 with `*` for every element or member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Whether a successful answer without it is refused.
    #[serde(default)]
    pub required: bool,
    /// Where the host fills a handle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placements: Vec<SecretPlacement>,
}

/// Where the host fills the handle of a secret.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretPlacement {
    /// Of the request.
    pub methods: Vec<String>,
    /// Of the request.
    pub origins: Vec<OriginPattern>,
    /// Of the request.
    pub path: PathTemplate,
    /// Where in the body: RFC 6901 with `*` for every element or member.
    pub pointer: String,
}
