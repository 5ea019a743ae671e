//! Where a node describes secrets: every request is compared with all of these places.

use std::collections::BTreeMap;

use super::{CredentialType, Node};
use crate::limits::{ProcessLimits, exceeded};

/// Each place once, and not too many of them.
pub(super) fn check(
    node: &Node,
    credential_types: &BTreeMap<String, CredentialType>,
    limits: &ProcessLimits,
) -> Result<(), String> {
    let most = limits.placements;
    let mut count = 0;
    for secret in &node.secrets {
        count += secret.placements.len();
        if count > most {
            return Err(exceeded("the number of placements of its secrets", "placements", most));
        }
    }
    // Answers may hold one secret in several places, each of them described under its name.
    for (at, secret) in node.secrets.iter().enumerate() {
        let name = &secret.name;
        let before = node.secrets[..at].iter().filter(|other| other.name == *name);
        let mut before = before.flat_map(|other| &other.placements);
        if twice(&secret.placements) || before.any(|place| secret.placements.contains(place)) {
            return Err(format!("the secret `{name}` has the same placement twice"));
        }
    }
    for (name, described) in credential_types {
        if described.placements.len() > most {
            let what = format!("the number of placements of `{name}`");
            return Err(exceeded(&what, "placements", most));
        }
        if twice(&described.placements) {
            return Err(format!("the credential type `{name}` has the same placement twice"));
        }
    }
    Ok(())
}

fn twice<T: PartialEq>(places: &[T]) -> bool {
    places.iter().enumerate().any(|(at, place)| places[..at].contains(place))
}
