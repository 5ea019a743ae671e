//! Scopes in words: the access that they allow, the actions that need them, and the effect of
//! missing ones.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::description::{Access, CredentialType, Description};
use crate::near;

/// A scope as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Right {
    /// Its name at the service.
    pub scope: String,
    /// Description of the access that it allows.
    pub description: String,
    /// Whether it only reads, where that is known.
    pub access: Option<Access>,
    /// The node's actions and triggers that need it.
    pub actions: Vec<String>,
}

/// Scopes to request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AskFor {
    /// Scopes given by the form.
    #[default]
    Form,
    /// Reading, or reading and changing.
    Access(Access),
    /// These scopes.
    Scopes(Vec<String>),
    /// Scopes that these actions and triggers need.
    Actions(Vec<String>),
}

/// The scopes that an action or a trigger needs of a credential of this type.
pub(crate) fn needed<'a>(
    description: &'a Description,
    credential_type: &str,
    action: &str,
) -> Vec<&'a str> {
    let Some(slots) = description.slots_of(action) else { return Vec::new() };
    let fits =
        |slot: &str| {
            description.node.slots.get(slot).is_some_and(|slot| {
                slot.credential_types.iter().any(|name| name == credential_type)
            })
        };
    slots
        .iter()
        .filter(|(slot, _)| fits(slot))
        .flat_map(|(_, slot_use)| slot_use.scopes.iter().map(String::as_str))
        .collect()
}

/// Whether `scope` was granted, by its name or by one that covers it.
pub(crate) fn is_granted(
    credential_type: &CredentialType,
    granted: &[String],
    scope: &str,
) -> bool {
    if granted.iter().any(|one| one == scope) {
        return true;
    }
    let described = |name: &str| credential_type.scopes.iter().find(|one| one.allows(name));
    let access = described(scope).and_then(|scope| scope.access);
    granted.iter().filter_map(|one| described(one)?.covers).any(|covers| match covers {
        Access::Write => access.is_some(),
        Access::Read => access == Some(Access::Read),
        _ => false,
    })
}

/// Scopes that an action needs and that were not granted.
pub(crate) fn lacking(
    description: &Description,
    credential_type: &CredentialType,
    granted: &[String],
    action: &str,
) -> Vec<String> {
    needed(description, &credential_type.name, action)
        .into_iter()
        .filter(|scope| !is_granted(credential_type, granted, scope))
        .map(str::to_owned)
        .collect()
}

/// Scopes in words.
pub(crate) fn in_words(
    description: &Description,
    credential_type: &CredentialType,
    scopes: &[String],
) -> Vec<Right> {
    let right = |scope: &String| {
        let described = credential_type.scopes.iter().find(|one| one.allows(scope));
        let alone = std::slice::from_ref(scope);
        let needs_it = |name: &&str| {
            let needed = needed(description, &credential_type.name, name);
            needed.iter().any(|need| is_granted(credential_type, alone, need))
        };
        let actions = description.runnable().filter(needs_it).map(str::to_owned).collect();
        Right {
            scope: scope.clone(),
            description: described.map(|one| one.description.clone()).unwrap_or_default(),
            access: described.and_then(|one| one.covers.or(one.access)),
            actions,
        }
    };
    scopes.iter().map(right).collect()
}

/// The actions and triggers that cannot run with the granted scopes, each with the scopes that it
/// lacks.
pub(crate) fn blocked(
    description: &Description,
    credential_type: &CredentialType,
    granted: &[String],
) -> Vec<(String, Vec<String>)> {
    description
        .runnable()
        .map(|name| (name.to_owned(), lacking(description, credential_type, granted, name)))
        .filter(|(_, lacking)| !lacking.is_empty())
        .collect()
}

/// That there is no such action or trigger, and which names are like it.
pub(crate) fn unknown(description: &Description, name: &str) -> String {
    let near = near::near(name, description.runnable());
    let mut message = format!("the node has no action or trigger `{name}`");
    if !near.is_empty() {
        message.push_str(&format!("; similar names: {}", near.join(", ")));
    }
    message
}

/// The scopes that are to be asked for; `None`: what the form says.
///
/// # Errors
///
/// If the node does not have an action or a trigger, or the type has no scope for the requested
/// access.
pub(crate) fn requested_scopes(
    description: &Description,
    credential_type: &CredentialType,
    ask: &AskFor,
) -> Result<Option<Vec<String>>, String> {
    match ask {
        AskFor::Form => Ok(None),
        AskFor::Scopes(scopes) => Ok(Some(scopes.clone())),
        AskFor::Actions(actions) => {
            let mut scopes = BTreeSet::new();
            for action in actions {
                if description.slots_of(action).is_none() {
                    return Err(unknown(description, action));
                }
                scopes.extend(needed(description, &credential_type.name, action));
            }
            if scopes.is_empty() {
                return Err("none of these actions declares a scope. Use --access or --scope \
                            instead"
                    .to_owned());
            }
            Ok(Some(scopes.into_iter().map(str::to_owned).collect()))
        }
        AskFor::Access(access) => {
            let covering: Vec<String> = credential_type
                .scopes
                .iter()
                .filter(|scope| scope.covers == Some(*access))
                .map(|scope| scope.name.clone())
                .collect();
            if !covering.is_empty() {
                return Ok(Some(covering));
            }
            // Without a scope for all of it: what the node's actions need, and no more.
            let of_access = |name: &&str| {
                let scope = credential_type.scopes.iter().find(|scope| scope.name == **name);
                scope.is_some_and(|scope| {
                    scope.access == Some(Access::Read)
                        || (*access == Access::Write && scope.access.is_some())
                })
            };
            let scopes: BTreeSet<&str> = description
                .runnable()
                .flat_map(|name| needed(description, &credential_type.name, name))
                .filter(of_access)
                .collect();
            if scopes.is_empty() {
                return Err(
                    "the credential type has no scopes with this access. Name scopes instead"
                        .to_owned(),
                );
            }
            Ok(Some(scopes.into_iter().map(str::to_owned).collect()))
        }
    }
}
