//! Servers whose origins the operator chooses: what refers to them, and where a credential names its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use workflow_node_documents::server_of_url;

use super::{CredentialType, Node};
use crate::origin::OriginPattern;

/// Checks that server names are unique, that every reference to a server resolves, and that a
/// credential type that refers to one has a field for its origin.
pub(super) fn check(node: &Node, types: &BTreeMap<String, CredentialType>) -> Result<(), String> {
    let mut known = BTreeSet::new();
    for server in &node.servers {
        if !known.insert(server.name.as_str()) {
            return Err(format!("two servers are called `{}`", server.name));
        }
    }
    let secrets = node.secrets.iter().flat_map(|secret| {
        let placed = secret.placements.iter().flat_map(|placement| &placement.origins);
        secret.origins.iter().chain(placed)
    });
    let referred = node.origins.iter().chain(secrets).filter_map(OriginPattern::server);
    let unknown = |name: &str| format!("the server `{name}` is not described");
    if let Some(name) = referred.into_iter().find(|name| !known.contains(name)) {
        return Err(unknown(name));
    }
    for credential_type in types.values() {
        let odd = |url: &&str| url.contains(['{', '}']) && server_of_url(url).is_none();
        if let Some(url) = credential_type.grant.endpoints().into_iter().find(odd) {
            return Err(format!(
                "the endpoint {url} of `{}` has a brace that is not that of a server",
                credential_type.name
            ));
        }
        for name in credential_type.servers() {
            if !known.contains(name) {
                return Err(unknown(name));
            }
            let field = credential_type.properties().and_then(|fields| fields.get(name));
            let is_text =
                field.and_then(|field| field.get("type")).and_then(Value::as_str) == Some("string");
            if !is_text || credential_type.secret_fields().contains(name) {
                return Err(format!(
                    "the credential type `{}` refers to the server `{name}`, but has no field \
                     `{name}` that holds a text and is not secret",
                    credential_type.name
                ));
            }
        }
    }
    Ok(())
}
