//! The origins that an operator has chosen for the servers of a plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use workflow_node_documents::{server_of_url, url_at};

use super::GrantRequest;
use crate::origin::{Origin, OriginPattern};
use crate::transport::{judge_address, judge_private_address};

/// The origins that an operator has chosen, by the name of the server.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Servers(BTreeMap<String, Vec<ServerOrigin>>);

/// One origin that an operator has chosen for a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerOrigin {
    /// The origin.
    pub origin: Origin,
    /// Whether its name may have private addresses (RFC 1918, RFC 4193, RFC 6598). Loopback and
    /// link-local addresses are refused all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

impl Servers {
    /// Whether nothing was chosen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Chooses an origin for a server, in addition to others. `private` approves private addresses.
    #[must_use]
    pub fn with(mut self, server: impl Into<String>, origin: Origin, private: bool) -> Self {
        let chosen = self.0.entry(server.into()).or_default();
        chosen.retain(|one| one.origin != origin);
        chosen.push(ServerOrigin { origin, private });
        self
    }

    /// Removes the origin chosen for a server.
    #[must_use]
    pub fn without(mut self, server: &str) -> Self {
        self.0.remove(server);
        self
    }

    /// The servers that have an origin, with their origins.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[ServerOrigin])> {
        self.0.iter().map(|(name, origins)| (name.as_str(), origins.as_slice()))
    }

    /// Removes the servers that another build of the plugin does not request.
    pub fn restrict(&mut self, request: &GrantRequest) {
        for (name, origins) in &mut self.0 {
            origins.retain(|one| check(request, name, one).is_ok());
        }
        self.0.retain(|_, origins| !origins.is_empty());
    }

    /// Whether the plugin asks for each of these servers, and lets it have this origin.
    ///
    /// # Errors
    ///
    /// The first choice that is not possible.
    pub fn check(&self, request: &GrantRequest) -> Result<(), String> {
        let mut all = self.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one)));
        all.try_for_each(|(name, one)| check(request, name, one))
    }

    /// Each choice in words.
    pub fn in_words(&self) -> Vec<String> {
        let words = |(name, one): (&str, &ServerOrigin)| {
            let addresses = if one.private { ", also at private addresses" } else { "" };
            format!("{name}: {}{addresses}", one.origin)
        };
        self.iter().flat_map(|(name, all)| all.iter().map(move |one| words((name, one)))).collect()
    }

    /// Whether an origin was chosen for a server.
    pub fn has(&self, server: &str, origin: &Origin) -> bool {
        self.0.get(server).is_some_and(|all| all.iter().any(|one| one.origin == *origin))
    }

    /// Whether the name of an origin may have private addresses.
    pub(crate) fn is_private(&self, origin: &Origin) -> bool {
        self.0.values().flatten().any(|one| one.private && one.origin == *origin)
    }

    /// The patterns with each reference to a server replaced by the origins that were chosen for it.
    pub(crate) fn resolved(&self, patterns: &[OriginPattern]) -> Vec<OriginPattern> {
        let mut resolved = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            match pattern.server() {
                None => resolved.push(pattern.clone()),
                Some(server) => {
                    let chosen = self.0.get(server).into_iter().flatten();
                    resolved.extend(chosen.map(|one| one.origin.clone().into()));
                }
            }
        }
        resolved
    }

    /// OAuth endpoints with each reference to a server replaced by the origins that were chosen for it.
    pub(crate) fn endpoints(&self, endpoints: &BTreeSet<String>) -> BTreeSet<String> {
        let mut resolved = BTreeSet::new();
        for endpoint in endpoints {
            match server_of_url(endpoint) {
                None => drop(resolved.insert(endpoint.clone())),
                Some(server) => {
                    let chosen = self.0.get(server).into_iter().flatten();
                    resolved.extend(chosen.map(|one| url_at(endpoint, server, &one.origin)));
                }
            }
        }
        resolved
    }
}

fn check(request: &GrantRequest, name: &str, chosen: &ServerOrigin) -> Result<(), String> {
    let Some(server) = request.servers.iter().find(|server| server.name == name) else {
        let known: Vec<&str> = request.servers.iter().map(|server| server.name.as_str()).collect();
        return Err(match known.as_slice() {
            [] => format!("the plugin has no server `{name}`; all of its origins are fixed"),
            known => format!("the plugin has no server `{name}`. It has: {}", known.join(", ")),
        });
    };
    let ServerOrigin { origin, private } = chosen;
    if !server.within.iter().any(|pattern| pattern.allows(origin)) {
        let within: Vec<String> = server.within.iter().map(ToString::to_string).collect();
        return Err(format!(
            "{origin} cannot be the server `{name}` of the plugin, which must be within {}",
            within.join(", ")
        ));
    }
    if origin.host().ends_with('.') {
        return Err(format!("{origin}: the host ends with a dot. Leave the dot out"));
    }
    let literal = origin.host().trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if let Ok(address) = literal {
        let judged = if *private { judge_private_address(address) } else { judge_address(address) };
        judged.map_err(|refused| {
            let next = match judge_private_address(address) {
                Ok(()) => format!(". To allow it, use --private-server {name}={origin}"),
                Err(_) => String::new(),
            };
            format!("{origin} is {}, which a server cannot have{next}", refused.0)
        })?;
    }
    Ok(())
}
