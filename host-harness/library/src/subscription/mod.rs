//! Stored data of subscriptions, deliveries, and events.

mod store;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

pub use store::{Acceptance, Pending, TriggerStore, TriggerStoreError};
pub(crate) use store::{delivery_fits, events_waiting};

use crate::principal::Principal;
use crate::secret::Secret;

/// Subscription that a workflow requests.
#[derive(Clone, Debug, Default)]
pub struct NewSubscription {
    /// Its name, unique in the store.
    pub name: String,
    /// The trigger's name.
    pub trigger: String,
    /// Version of the trigger that the workflow was built with. Setting up fails before anything is
    /// sent if the plugin has another version. `None`: the version that the plugin has.
    pub version: Option<u32>,
    /// The trigger's parameters.
    pub parameters: Value,
    /// Names of credentials by slot.
    pub credentials: BTreeMap<String, String>,
    /// Where the service shall deliver; its own for each subscription. Needed for a webhook.
    pub callback_url: Option<String>,
    /// Who it is for; told to the credential source and to the audit.
    pub actor: Principal,
    /// The workflow; told to the credential source and to the audit.
    pub workflow: Option<String>,
}

/// Identifies a subscription: its owner and its name. Two principals never share one.
///
/// As text it is the name alone for the default principal, and `tenant/user/name` for others, with
/// `/` and `%` percent-encoded. That text names the subscription in a
/// [`TriggerStore`](crate::trigger::TriggerStore), to [`Triggers`](crate::trigger::Triggers), and in its events.
///
/// ```
/// use workflow_node_host::Principal;
/// use workflow_node_host::trigger::SubscriptionKey;
///
/// let key = SubscriptionKey { principal: Principal::of("acme", "ada"), name: "orders".into() };
/// assert_eq!(key.to_string(), "acme/ada/orders");
/// assert_eq!(SubscriptionKey::from("acme/ada/orders"), key);
/// assert_eq!(SubscriptionKey::from("orders").principal, Principal::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionKey {
    /// The owner.
    pub principal: Principal,
    /// Its name.
    pub name: String,
}

impl SubscriptionKey {
    /// The subscriptions of the same principal. Nobody learns of another's.
    pub(crate) fn known_beside(key: &str, all: impl Iterator<Item = String>) -> Vec<String> {
        let own = Self::from(key).principal;
        all.filter(|one| Self::from(one.as_str()).principal == own).collect()
    }
}

impl fmt::Display for SubscriptionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.principal == Principal::default() && !self.name.contains(['/', '%']) {
            return formatter.write_str(&self.name);
        }
        let escaped = |part: &str| part.replace('%', "%25").replace('/', "%2F");
        let Principal { tenant, user } = &self.principal;
        let parts = [tenant.as_str(), user.as_str(), &self.name].map(escaped);
        formatter.write_str(&parts.join("/"))
    }
}

impl From<&str> for SubscriptionKey {
    fn from(text: &str) -> Self {
        let plain = |part: &str| part.replace("%2F", "/").replace("%25", "%");
        match text.split('/').collect::<Vec<_>>().as_slice() {
            [tenant, user, name] => {
                Self { principal: Principal::of(plain(tenant), plain(user)), name: plain(name) }
            }
            _ => Self { principal: Principal::default(), name: text.to_owned() },
        }
    }
}

/// A stored subscription, without its secrets.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// The node.
    pub node: String,
    /// The trigger's name.
    pub trigger: String,
    /// The trigger's version when it was set up.
    pub version: u32,
    /// Names of credentials by slot.
    pub credentials: BTreeMap<String, String>,
    /// Where the service delivers.
    pub callback_url: Option<String>,
    /// Who it is for.
    pub actor: Principal,
    /// The workflow.
    pub workflow: Option<String>,
    /// State that the plugin's last `setup` returned, without the handle of the secret.
    pub state: Option<Value>,
    /// Where the next poll goes on.
    pub cursor: Option<Value>,
    /// How it is.
    pub status: Status,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Milliseconds since 1970.
    pub updated_at: u64,
    /// Raised with every change but that of the cursor.
    pub revision: u64,
}

impl Subscription {
    /// The owner and the name.
    pub fn key(&self) -> SubscriptionKey {
        SubscriptionKey { principal: self.actor.clone(), name: self.name.clone() }
    }
}

/// How a subscription is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// It is being set up, or that was interrupted: set it up again, or tear it down.
    Unfinished,
    /// Events come.
    Active,
    /// The service has switched it off.
    Disabled,
    /// The service does not have it.
    Missing,
}

impl Status {
    /// The name, as in its JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A subscription with its secrets, as a store keeps it.
#[derive(Clone, Debug)]
pub struct StoredSubscription {
    /// The non-secret part.
    pub subscription: Subscription,
    /// The trigger's parameters. Sealed, because a form may ask for secrets.
    pub parameters: Value,
    /// Signs deliveries.
    pub secret: Option<Secret>,
    /// Signed them before, and until when (milliseconds since 1970) it is still accepted.
    pub previous: Option<(Secret, u64)>,
}

/// Contents of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The request's method.
    pub method: String,
    /// The URL that was called.
    pub url: String,
    /// The headers that a plugin sees.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
    /// Milliseconds since 1970.
    pub received_at: u64,
}

impl Delivered {
    /// How much of a store it takes, in bytes.
    pub fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len() + 8);
        self.method.len() + self.url.len() + headers.sum::<usize>() + self.body.len()
    }
}

/// An event that is to be kept.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event, as the plugin wrote it.
    pub json: Box<RawValue>,
    /// The same each time that the same event comes.
    pub dedup_key: Option<String>,
    /// Milliseconds since 1970, by the service's clock.
    pub occurred_at: Option<u64>,
}

impl NewEvent {
    /// How much of a store it takes, in bytes. An event with a key is remembered by it.
    pub fn size(&self) -> usize {
        self.json.get().len() + self.dedup_key.as_ref().map_or(0, |key| 2 * key.len())
    }
}

/// An event for the engine.
#[derive(Clone, Debug, Serialize)]
pub struct TriggerEvent {
    /// The subscription.
    pub subscription: String,
    /// Incremented with every event of the store. Stays the same if the event is delivered again.
    pub number: u64,
    /// The same each time that the same event comes from the service.
    pub dedup_key: Option<String>,
    /// When it happened, in milliseconds since 1970, by the service's clock.
    pub occurred_at: Option<u64>,
    /// When the host has kept it, in milliseconds since 1970.
    pub received_at: u64,
    /// The event.
    pub event: Box<RawValue>,
}
