//! Finds the slot that a credential is for.

use std::collections::BTreeMap;

use workflow_node_host::Plugin;
use workflow_node_host::description::SlotUse;

use crate::exit::{Exit, Failure};
use crate::setup::Setup;
use crate::store::LateStore;

/// Slots of an action or a trigger.
#[derive(Clone, Copy)]
pub(crate) struct Uses<'a> {
    /// Name of the action or the trigger.
    pub(crate) name: &'a str,
    pub(crate) slots: &'a BTreeMap<String, SlotUse>,
}

/// Slots by name, from what `--credential` was given.
pub(crate) fn fill(
    setup: &Setup,
    plugin: &Plugin,
    of: Uses<'_>,
    given: &[String],
    store: &LateStore,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut filled = BTreeMap::new();
    for text in given {
        let (slot, name) = match text.split_once('=') {
            Some((slot, name)) => (slot.to_owned(), name),
            None => (slot_for(setup, plugin, of, text, &filled, store)?, text.as_str()),
        };
        if !of.slots.contains_key(&slot) {
            return Err(no_such_slot(of, &slot));
        }
        if filled.insert(slot.clone(), name.to_owned()).is_some() {
            let message = format!("Slot `{slot}` has two credentials");
            return Err(Failure::input("credential", message));
        }
        // Report problems with the store before anything runs.
        store.open(setup)?;
    }
    let is_missing =
        |(slot, one): &(&String, &SlotUse)| one.required && !filled.contains_key(*slot);
    match of.slots.iter().find(is_missing) {
        Some((slot, _)) => Err(missing(plugin, of, slot)),
        None => Ok(filled),
    }
}

/// A slot that must be filled is empty.
fn missing(plugin: &Plugin, of: Uses<'_>, slot: &str) -> Failure {
    let types = plugin.description().node.slots.get(slot).map(|slot| &*slot.credential_types);
    let types = types.unwrap_or_default();
    let message = format!(
        "`{}` requires a credential in the slot `{slot}` (of type {})",
        of.name,
        types.join(", ")
    );
    let one = types.first().map_or("TYPE", String::as_str);
    Failure::new(Exit::Credential, "credential", message).next(format!(
        "add --credential NAME; to connect an account: harness credential connect NAME --plugin \
         PLUGIN --type {one}"
    ))
}

fn slot_for(
    setup: &Setup,
    plugin: &Plugin,
    of: Uses<'_>,
    name: &str,
    filled: &BTreeMap<String, String>,
    store: &LateStore,
) -> Result<String, Failure> {
    let free = || of.slots.keys().filter(|slot| !filled.contains_key(*slot));
    let only = |slots: Vec<&String>| match slots.as_slice() {
        [slot] => Some((*slot).clone()),
        _ => None,
    };
    if of.slots.is_empty() {
        let message = format!("`{}` does not use a credential", of.name);
        return Err(Failure::input("credential", message).next("remove --credential"));
    }
    let credential_type = store.open(setup)?.summary(setup.credential(name))?.credential_type;
    let slots = &plugin.description().node.slots;
    let fits = |slot: &&String| {
        slots.get(*slot).is_some_and(|slot| slot.credential_types.contains(&credential_type))
    };
    let required = |slot: &&String| of.slots[*slot].required;
    // A credential that does not fit is passed on if there is only one slot: the host reports why.
    only(free().filter(fits).collect())
        .or_else(|| only(free().filter(fits).filter(required).collect()))
        .or_else(|| only(free().filter(required).collect()))
        .or_else(|| only(free().collect()))
        .ok_or_else(|| {
            let slots: Vec<&str> = of.slots.keys().map(String::as_str).collect();
            Failure::input(
                "credential",
                format!("Credential `{name}` of type {credential_type} fits more than one slot"),
            )
            .next(format!("name the slot: --credential SLOT={name}, one of {}", slots.join(", ")))
        })
}

fn no_such_slot(of: Uses<'_>, slot: &str) -> Failure {
    let known: Vec<&str> = of.slots.keys().map(String::as_str).collect();
    let message = format!("`{}` has no slot `{slot}`", of.name);
    let failure = Failure::input("unknown", message);
    match known.as_slice() {
        [] => failure.next("remove --credential: this action has no slots"),
        known => failure.next(format!("use one of its slots: {}", known.join(", "))),
    }
}
