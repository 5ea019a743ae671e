//! The document of `schemas/node.json`.

use std::collections::BTreeMap;

use crate::members::document;
use crate::text::names;
use crate::{Json, OriginPattern, PathTemplate, Schema, Schemas, Server};

/// Largest icon that a host accepts, in bytes.
pub const ICON_LIMIT: usize = 8 * 1024;

document! {
    /// A node.
    open struct Node {
        required {
            /// Name of the node, in lower case.
            name: String,
            /// Name of the node for people.
            display_name: String,
            /// Purpose of the node.
            description: String,
            /// Every origin that the node may ever send requests to.
            origins: Vec<OriginPattern>,
            /// The actions, in the author's order.
            actions: Vec<Action>,
        }
        preset {
            /// Version of the node.
            version: u32 = 1,
            /// The places for credentials.
            slots: BTreeMap<String, Slot> = BTreeMap::new(),
        }
        optional {
            /// Page with further information; https.
            documentation_url: String,
            /// Icon of the node: SVG text of at most [`ICON_LIMIT`] bytes. It is untrusted, so it
            /// may only be shown as an image and must never become part of a page.
            icon: String,
        }
        list {
            /// Categories that catalogs list the node under, in lower case.
            categories: String,
            /// Other words that people search for.
            aliases: String,
            /// Where requests and responses hold secrets that the plugin must not see.
            secrets: SecretPosition,
            /// Groups of the actions, in the author's order. Empty if the actions are not grouped.
            resources: Resource,
            /// Servers whose origins the operator chooses.
            servers: Server,
        }
        default {
            /// Schemas that all schemas of the node refer to as `#/$defs/NAME`.
            schemas: Schemas,
        }
    }
}

impl Node {
    /// The action with this name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// Adds a slot.
    #[must_use]
    pub fn slot(mut self, name: impl Into<String>, slot: Slot) -> Self {
        self.slots.insert(name.into(), slot);
        self
    }
}

document! {
    /// Resource that some actions operate on: a group in a menu.
    open struct Resource {
        required {
            /// Name of the resource, in lower case.
            name: String,
            /// Title in a menu.
            title: String,
        }
        optional {
            /// Description of the resource.
            description: String,
        }
    }
}

document! {
    /// A place for a credential.
    open struct Slot {
        required {
            /// The credential types that fit.
            credential_types: Vec<String>,
            /// Purpose of the credential.
            description: String,
        }
    }
}

document! {
    /// How an action or a trigger uses a slot.
    #[derive(Default)]
    open struct SlotUse {
        list {
            /// The scopes that a scoped credential needs.
            scopes: String,
        }
        default {
            /// Whether the slot must be filled.
            required: bool,
        }
    }
}

document! {
    /// One action.
    open struct Action {
        required {
            /// Name of the action: `<resource>.<operation>`.
            name: String,
            /// Title in a menu.
            title: String,
            /// Description of the action.
            description: String,
            /// Effect of the action on the service.
            effect: Effect,
            /// Effect of repeating the action.
            idempotency: Idempotency,
            /// Schema of the parameters of one item.
            parameters: Schema,
        }
        preset {
            /// Version of the action, raised when its parameters or output change incompatibly.
            version: u32 = 1,
            /// The slots that the action uses.
            slots: BTreeMap<String, SlotUse> = BTreeMap::new(),
            /// Schema of one output record, per port.
            output: BTreeMap<String, Schema> = BTreeMap::new(),
        }
        optional {
            /// The resource of the node that the action belongs to.
            resource: String,
            /// Page with further information; https.
            documentation_url: String,
            /// Guarantee of a long list: how many records it can reach, and whether records may be
            /// repeated or missed.
            guarantee: String,
        }
        list {
            /// Parameters that run.
            examples: Example,
        }
        default {
            /// Whether the service may still change it.
            early_access: bool,
            /// Whether output may arrive before the call returns, page by page.
            emits: bool,
            /// Whether one request may serve several items.
            batches: bool,
        }
    }
}

impl Action {
    /// Adds a slot that the action uses.
    #[must_use]
    pub fn slot(mut self, name: impl Into<String>, slot: SlotUse) -> Self {
        self.slots.insert(name.into(), slot);
        self
    }

    /// Adds an output port with the schema of its records.
    #[must_use]
    pub fn port(mut self, name: impl Into<String>, record: Schema) -> Self {
        self.output.insert(name.into(), record);
        self
    }
}

names! {
    /// Effect of an action on the service.
    pub enum Effect {
        /// It changes nothing.
        Read = "read",
        /// It creates something.
        Create = "create",
        /// It changes something.
        Update = "update",
        /// It removes something.
        Delete = "delete",
        /// It does something else, or its effect depends on its parameters.
        Execute = "execute",
    }
}

names! {
    /// Effect of repeating an action.
    pub enum Idempotency {
        /// It changes nothing, however often it runs.
        Safe = "safe",
        /// Repeating it has no further effect.
        Idempotent = "idempotent",
        /// Repeating it with the same key of an execution has no further effect.
        Keyed = "keyed",
        /// It must never be repeated.
        None = "none",
    }
}

document! {
    /// Parameters that run.
    open struct Example {
        required {
            /// Description of the example.
            title: String,
            /// The parameters, an object.
            parameters: Json,
        }
        optional {
            /// A record that the action returns, or an event of the trigger.
            output: Json,
        }
    }
}

document! {
    /// A secret that the service returns, or that users enter as a parameter. The plugin sees a
    /// handle in its place.
    closed struct SecretPosition {
        required {
            /// Name of the secret.
            name: String,
            /// Description of the secret.
            description: String,
        }
        optional {
            /// Path of the requests whose response holds it; `None` if the service never returns
            /// it.
            path: PathTemplate,
            /// Where the response holds it: RFC 6901, where `*` stands for every element or member.
            pointer: String,
        }
        list {
            /// Methods of these requests; empty for every method.
            methods: String,
            /// Origins of these requests.
            origins: OriginPattern,
            /// Where the host writes the secret in place of its handle.
            placements: SecretPlacement,
        }
        default {
            /// Whether a successful response without the secret is refused.
            required: bool,
        }
    }
}

document! {
    /// Where the host writes a secret in place of its handle.
    closed struct SecretPlacement {
        required {
            /// Methods of the requests.
            methods: Vec<String>,
            /// Origins of the requests.
            origins: Vec<OriginPattern>,
            /// Path of the requests.
            path: PathTemplate,
            /// Where in the body: RFC 6901, where `*` stands for every element or member.
            pointer: String,
        }
    }
}
