//! The document of `schemas/trigger.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::{HeaderName, Method};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::node::{Example, Node, SlotUse};
use super::schema;

/// One trigger.
#[derive(Clone, Debug, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// Raised when parameters or output change incompatibly.
    pub version: u32,
    /// What a menu shows.
    pub title: String,
    /// What starts the workflow.
    pub description: String,
    /// Where a person reads more.
    pub documentation_url: Option<String>,
    /// The slots it uses.
    #[serde(default)]
    pub slots: BTreeMap<String, SlotUse>,
    /// Schema of its parameters.
    pub parameters: Value,
    /// Schema of one event.
    #[serde(default = "anything")]
    pub output: Value,
    /// How events come.
    pub delivery: Delivery,
    /// Parameters that really run.
    #[serde(default)]
    pub examples: Vec<Example>,
}

fn anything() -> Value {
    Value::Bool(true)
}

/// How events come.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Delivery {
    /// The service calls.
    Webhook(Box<Webhook>),
    /// The host asks.
    Poll {
        /// How often, unless the user says otherwise.
        interval_ms: u64,
    },
}

/// How a service delivers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Methods of deliveries; empty for POST.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Larger bodies are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_limit_bytes: Option<usize>,
    /// How deliveries are signed; `None`: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The header that is repeated when a delivery is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_header: Option<String>,
    /// How long the service waits for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_within_ms: Option<u64>,
    /// Who answers.
    #[serde(default)]
    pub answered_by: AnsweredBy,
}

/// Who answers a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnsweredBy {
    /// The host, as soon as the delivery is kept.
    #[default]
    Host,
    /// The plugin.
    Plugin,
}

/// How deliveries are signed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Over what, and how.
    pub scheme: SignatureScheme,
    /// Where signatures stand.
    pub header: String,
    /// How they are written.
    pub encoding: SignatureEncoding,
    /// What stands before each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What stands between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// The node's secret that signs.
    pub secret: String,
    /// Where in the state its handle stands.
    pub pointer: String,
    /// How long a replaced secret is still accepted.
    #[serde(default)]
    pub previous_ms: u64,
}

/// What is signed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureScheme {
    /// RFC 2104 with SHA-256, over the raw body.
    HmacSha256,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureEncoding {
    /// Two digits a byte.
    Hex,
    /// RFC 4648, with padding.
    Base64,
}

impl Trigger {
    /// How the service delivers, where it does.
    pub fn webhook(&self) -> Option<&Webhook> {
        match &self.delivery {
            Delivery::Webhook(webhook) => Some(webhook),
            Delivery::Poll { .. } => None,
        }
    }

    /// How often to ask the service, where it has to be asked.
    pub fn interval(&self) -> Option<Duration> {
        match self.delivery {
            Delivery::Webhook(_) => None,
            Delivery::Poll { interval_ms } => Some(Duration::from_millis(interval_ms)),
        }
    }
}

impl Webhook {
    /// Whether a delivery may have this method.
    pub fn takes(&self, method: &Method) -> bool {
        match self.methods.is_empty() {
            true => method == Method::POST,
            false => self.methods.iter().any(|one| one == method.as_str()),
        }
    }
}

/// What a schema cannot say: names are unique, slots and secrets exist, examples fit.
pub(super) fn check(
    triggers: &[Trigger],
    node: &Node,
    shared: &Map<String, Value>,
) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for trigger in triggers {
        let name = &trigger.name;
        if !names.insert(name) {
            return Err(format!("two triggers are called `{name}`"));
        }
        // Credentials are allowed for actions and triggers by name.
        if node.action(name).is_some() {
            return Err(format!("an action and a trigger are both called `{name}`"));
        }
        if let Some(slot) = trigger.slots.keys().find(|slot| !node.slots.contains_key(*slot)) {
            return Err(format!(
                "the trigger `{name}` uses the slot `{slot}`, which is not described"
            ));
        }
        let validator = schema::Validator::new(shared, &trigger.parameters)
            .map_err(|error| format!("the parameters of `{name}`: {error}"))?;
        schema::Validator::new(shared, &trigger.output)
            .map_err(|error| format!("the output of `{name}`: {error}"))?;
        for example in &trigger.examples {
            if let Some(problem) = validator.problems(&example.parameters).first() {
                return Err(format!(
                    "the example `{}` of `{name}` does not fit its own parameters: {problem}",
                    example.title
                ));
            }
        }
        let Some(webhook) = trigger.webhook() else { continue };
        let headers = webhook
            .id_header
            .iter()
            .chain(webhook.signature.as_ref().map(|signature| &signature.header));
        for header in headers {
            HeaderName::from_bytes(header.as_bytes())
                .map_err(|_| format!("`{header}` of the trigger `{name}` is no header's name"))?;
        }
        if let Some(signature) = &webhook.signature
            && !node.secrets.iter().any(|secret| secret.name == signature.secret)
        {
            return Err(format!(
                "the deliveries of `{name}` are signed with the secret `{}`, which is not described",
                signature.secret
            ));
        }
    }
    Ok(())
}
