//! Checks of triggers that their schema cannot express.

use std::collections::BTreeSet;

use http::HeaderName;

use super::schema::file_mark;
use super::{Checks, Node, Trigger, refused_file};

/// Checks that a schema cannot express: names are unique, slots and secrets exist, examples fit.
pub(super) fn check(
    triggers: &[Trigger],
    node: &Node,
    checks: &mut Checks<'_>,
) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for trigger in triggers {
        let name = &trigger.name;
        if !names.insert(name) {
            return Err(format!("two triggers are named `{name}`"));
        }
        // Credentials are allowed for actions and triggers by name.
        if node.action(name).is_some() {
            return Err(format!("an action and a trigger are both named `{name}`"));
        }
        if let Some(slot) = trigger.slots.keys().find(|slot| !node.slots.contains_key(*slot)) {
            return Err(format!(
                "the trigger `{name}` uses the slot `{slot}`, which is not declared"
            ));
        }
        checks.form(name, &trigger.parameters, &trigger.examples)?;
        if let Some(place) = file_mark(&node.schemas, &trigger.parameters) {
            return Err(refused_file(&format!("the trigger `{name}`"), &place));
        }
        checks
            .output(name, &trigger.output, &trigger.examples)
            .map_err(|error| format!("the output of `{name}`: {error}"))?;
        let Some(webhook) = trigger.webhook() else { continue };
        let headers = webhook
            .id_header
            .iter()
            .chain(webhook.signature.as_ref().map(|signature| &signature.header));
        for header in headers {
            HeaderName::from_bytes(header.as_bytes()).map_err(|_| {
                format!(
                    "`{header}` of the trigger `{name}` is not a valid header \
                                      name"
                )
            })?;
        }
        if let Some(signature) = &webhook.signature
            && !node.secrets.iter().any(|secret| secret.name == signature.secret)
        {
            return Err(format!(
                "the deliveries of `{name}` are signed with the secret `{}`, which is not declared",
                signature.secret
            ));
        }
        let made = webhook.signature.as_ref().filter(|signature| signature.made_by_host);
        let is_placed = |name: &String| {
            node.secrets.iter().any(|secret| secret.name == *name && !secret.placements.is_empty())
        };
        if let Some(signature) = made.filter(|signature| !is_placed(&signature.secret)) {
            return Err(format!(
                "the host makes the secret `{}` for the deliveries of `{name}`, but no request of \
                 the node places it",
                signature.secret
            ));
        }
    }
    Ok(())
}
