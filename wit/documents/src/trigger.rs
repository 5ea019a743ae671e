//! The document of `schemas/trigger.json`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::members::{IsDefault, document};
use crate::text::names;
use crate::{Example, Schema, SlotUse};

document! {
    /// The triggers of a plugin.
    #[derive(Default)]
    open struct Triggers {
        preset {
            /// The triggers, in the author's order.
            triggers: Vec<Trigger> = Vec::new(),
        }
    }
}

document! {
    /// One trigger.
    open struct Trigger {
        required {
            /// Name of the trigger.
            name: String,
            /// Title in a menu.
            title: String,
            /// Description of the event that starts the workflow.
            description: String,
            /// Schema of the parameters.
            parameters: Schema,
            /// How events arrive.
            delivery: Delivery,
        }
        preset {
            /// Version of the trigger, raised when its parameters or output change incompatibly.
            version: u32 = 1,
        }
        optional {
            /// Page with further information; https.
            documentation_url: String,
        }
        list {
            /// Parameters that run.
            examples: Example,
        }
        map {
            /// The slots that the trigger uses.
            slots: SlotUse,
        }
        default {
            /// Schema of one event.
            output: Schema,
        }
    }
}

/// The schema of events that are not described.
impl Default for Schema {
    fn default() -> Self {
        Self::anything()
    }
}

impl Trigger {
    /// How the service delivers; `None` for a trigger that polls.
    pub fn webhook(&self) -> Option<&Webhook> {
        match &self.delivery {
            Delivery::Webhook(webhook) => Some(webhook),
            Delivery::Poll(_) => None,
        }
    }

    /// How often the host polls unless the user sets another interval; `None` for a webhook.
    pub fn interval(&self) -> Option<Duration> {
        match &self.delivery {
            Delivery::Webhook(_) => None,
            Delivery::Poll(poll) => Some(Duration::from_millis(poll.interval_ms)),
        }
    }
}

/// How events arrive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Delivery {
    /// The service sends them.
    Webhook(Box<Webhook>),
    /// The host polls.
    Poll(Poll),
}

impl From<Webhook> for Delivery {
    fn from(webhook: Webhook) -> Self {
        Self::Webhook(Box::new(webhook))
    }
}

impl From<Poll> for Delivery {
    fn from(poll: Poll) -> Self {
        Self::Poll(poll)
    }
}

document! {
    /// How the host polls.
    closed struct Poll {
        exact {
            /// Interval unless the user sets another, in milliseconds.
            interval_ms: u64,
        }
    }
}

document! {
    /// How a service delivers.
    #[derive(Default)]
    closed struct Webhook {
        optional {
            /// How deliveries are signed; `None` if they are not.
            signature: Signature,
            /// Header with an ID that stays the same when a delivery is repeated.
            id_header: String,
        }
        number {
            /// Maximum size of a body in bytes; larger ones are refused.
            body_limit_bytes: usize,
            /// How long the service waits for a response, in milliseconds.
            answer_within_ms: u64,
        }
        list {
            /// Methods of deliveries; empty for POST.
            methods: String,
        }
        default {
            /// Who responds to a delivery.
            answered_by: AnsweredBy,
        }
    }
}

impl Webhook {
    /// Whether a delivery may have this method.
    pub fn takes(&self, method: &str) -> bool {
        match self.methods.is_empty() {
            true => method == "POST",
            false => self.methods.iter().any(|one| one == method),
        }
    }
}

names! {
    /// Who responds to a delivery.
    #[derive(Default)]
    pub enum AnsweredBy {
        /// The host, as soon as the delivery is stored.
        #[default]
        Host = "host",
        /// The plugin.
        Plugin = "plugin",
    }
}

document! {
    /// How deliveries are signed.
    closed struct Signature {
        required {
            /// Signature scheme.
            scheme: SignatureScheme,
            /// Header that holds the signatures.
            header: String,
            /// Encoding of a signature.
            encoding: SignatureEncoding,
            /// The node's secret that signs.
            secret: String,
            /// Where the state of the subscription holds the handle of the secret (RFC 6901).
            pointer: String,
        }
        optional {
            /// Text before each signature.
            prefix: String,
            /// Text between signatures.
            separator: String,
        }
        default {
            /// How long a replaced secret is accepted, in milliseconds.
            previous_ms: u64,
            /// Whether the host makes the secret, because the service takes one instead of returning
            /// one.
            made_by_host: bool,
        }
    }
}

names! {
    /// Signature scheme.
    pub enum SignatureScheme {
        /// HMAC with SHA-256 (RFC 2104) over the raw body.
        HmacSha256 = "hmac-sha256",
    }
}

names! {
    /// Encoding of a signature.
    pub enum SignatureEncoding {
        /// Hexadecimal digits.
        Hex = "hex",
        /// Base64 (RFC 4648) with padding.
        Base64 = "base64",
    }
}

impl IsDefault for AnsweredBy {
    fn is_default(&self) -> bool {
        *self == Self::Host
    }
}
