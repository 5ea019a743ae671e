//! Where what is stored differs from what a configuration file declares.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::config::Config;
use crate::database::{Database, DatabaseError};
use crate::seal::ServerKeys;
use crate::subscription::SubscriptionStore;
use crate::token::{Policies, Policy, PolicySource, Tokens};

/// One difference between a configuration file and what is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Kind of difference: a stable name, for programs.
    pub kind: &'static str,
    /// Name of the file, policy, token, credential, or subscription that differs.
    pub name: String,
    /// Declared value; null if the file declares none.
    pub declared: Value,
    /// Actual value; null if there is none.
    pub found: Value,
    /// Description for people, with the action to take.
    pub message: String,
}

impl Difference {
    /// A difference.
    pub fn new(
        kind: &'static str,
        name: impl Into<String>,
        declared: Value,
        found: Value,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, name: name.into(), declared, found, message: message.into() }
    }
}

/// Policies and plugins that a server started with.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Applied {
    pub(crate) policies: Policies,
    /// Digests of plugins, by name.
    pub(crate) plugins: BTreeMap<String, String>,
}

/// The differences between a configuration file and the server's database: policies that the server has
/// started with, plugins that it has served, tokens whose policies are not in the file, and
/// subscriptions whose events go to origins that no policy lists. Subscriptions need `keys`.
///
/// # Errors
///
/// When the database fails.
pub fn differences(
    config: &Config,
    database: &Database,
    keys: Option<&ServerKeys>,
) -> Result<Vec<Difference>, DatabaseError> {
    let mut found = Vec::new();
    if let Some(text) = database.noted_configuration()? {
        let applied: Applied = serde_json::from_str(&text).unwrap_or_default();
        policies(config, &applied.policies, &mut found);
        let declared: BTreeSet<String> =
            config.plugins.iter().map(|plugin| plugin.digest.to_string()).collect();
        for (name, digest) in &applied.plugins {
            if !declared.contains(digest) {
                found.push(Difference::new(
                    "plugin-served",
                    name,
                    Value::Null,
                    json!(digest),
                    format!(
                        "The server has served `{name}` with the digest {digest}, which the file does \
                         not declare. Declare it, or restart the server without --plugin."
                    ),
                ));
            }
        }
        for plugin in &config.plugins {
            let digest = plugin.digest.to_string();
            if !applied.plugins.values().any(|served| *served == digest) {
                found.push(Difference::new(
                    "plugin-not-served",
                    plugin.file.display().to_string(),
                    json!(digest),
                    Value::Null,
                    format!("The server has not served {digest}. Restart it."),
                ));
            }
        }
    }
    let tokens = Tokens::new(database.clone());
    let mut by_id = BTreeMap::new();
    for token in tokens.list()?.into_iter().filter(|token| token.revoked_at.is_none()) {
        match &token.policy {
            PolicySource::Named(name) => match config.policies.get(name) {
                Some(policy) => {
                    by_id.insert(token.id.clone(), policy.clone());
                }
                None => found.push(Difference::new(
                    "policy-missing",
                    &token.name,
                    Value::Null,
                    json!(name),
                    format!(
                        "The token `{}` has the policy `{name}`, which the file does not declare, and \
                         is refused. Declare the policy, or revoke the token.",
                        token.name
                    ),
                )),
            },
            PolicySource::Own(policy) => {
                by_id.insert(token.id.clone(), (**policy).clone());
                found.push(Difference::new(
                    "policy-undeclared",
                    &token.name,
                    Value::Null,
                    json!(policy),
                    format!(
                        "The token `{}` has a separate policy. To review it in the file, declare a \
                         policy, and create a token with --policy.",
                        token.name
                    ),
                ));
            }
        }
    }
    if let Some(keys) = keys {
        destinations(database, keys, &by_id, &mut found)?;
    }
    Ok(found)
}

/// Policies that changed since the server has started.
fn policies(config: &Config, applied: &Policies, found: &mut Vec<Difference>) {
    let names: BTreeSet<&String> = config.policies.keys().chain(applied.keys()).collect();
    for name in names {
        let (declared, in_use) = (config.policies.get(name), applied.get(name));
        if declared == in_use {
            continue;
        }
        let kind = match (declared, in_use) {
            (Some(_), None) => "policy-added",
            (None, _) => "policy-removed",
            _ => "policy-changed",
        };
        found.push(Difference::new(
            kind,
            name,
            json!(declared),
            json!(in_use),
            format!(
                "The policy `{name}` was changed since the server has started. Restart the server to \
                 use the file."
            ),
        ));
    }
}

/// Subscriptions whose events go where their token's policy does not allow it.
fn destinations(
    database: &Database,
    keys: &ServerKeys,
    policies: &BTreeMap<String, Policy>,
    found: &mut Vec<Difference>,
) -> Result<(), DatabaseError> {
    let store = SubscriptionStore::new(database.clone(), keys.sealer());
    for subscription in store.pushed()? {
        let url = subscription.deliver_to.as_deref().and_then(|url| Url::parse(url).ok());
        let Some(origin) = url.map(|url| url.origin().ascii_serialization()) else { continue };
        let policy = policies.get(&subscription.token);
        if policy.is_some_and(|policy| policy.deliver_to.contains(&origin)) {
            continue;
        }
        let declared = policy.map(|policy| &policy.deliver_to);
        let of = &subscription.key;
        found.push(Difference::new(
            "destination-undeclared",
            format!("{}/{}", of.principal, of.id),
            json!(declared),
            json!(origin),
            format!(
                "Events of the subscription `{}` of {} go to {origin}, which no policy of its token \
                 lists in `deliver_to`. They are set aside. List the origin, or remove the \
                 subscription.",
                of.id, of.principal
            ),
        ));
    }
    Ok(())
}
