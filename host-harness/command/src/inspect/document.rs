//! JSON output of `harness inspect`. Members may be added, but existing members keep their meaning.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use workflow_node_host::description::{Action, CredentialType, Form, Node, SlotUse, Trigger};
use workflow_node_host::{Error, Plugin};

use super::{Named, example_command};
use crate::groups::Group;
use crate::words::{effect, idempotency};

/// Document of the object with a name. If several objects have the name, the others are members of the
/// first.
pub(super) fn named(plugin: &Plugin, named: &Named<'_>, path: &str) -> Value {
    let documents = [
        ("action", named.action.map(|action| action_document(plugin, action, path))),
        ("resource", named.group.as_ref().map(group_document)),
        ("trigger", named.trigger.map(|trigger| trigger_in_full(plugin, trigger))),
        ("credential_type", named.credential_type.map(credential_type_document)),
    ];
    let mut documents = documents
        .into_iter()
        .filter_map(|(kind, document)| document.map(|document| (kind, document)));
    let (_, mut first) = documents.next().unwrap_or_default();
    for (kind, document) in documents {
        first[kind] = document;
    }
    first
}

fn group_document(group: &Group<'_>) -> Value {
    let actions: Vec<Value> = group
        .actions
        .iter()
        .map(|action| {
            let mut document = action_head(action);
            document["description"] = json!(action.description);
            document
        })
        .collect();
    json!({
        "name": group.name,
        "title": group.title,
        "description": group.description,
        "actions": actions,
    })
}

fn trigger_in_full(plugin: &Plugin, trigger: &Trigger) -> Value {
    let mut document = trigger_document(trigger);
    let shared = &plugin.description().node.schemas;
    document["form"] = json!(Form::of_trigger(trigger, shared));
    document["schemas"] = json!(shared);
    document
}

fn trigger_document(trigger: &Trigger) -> Value {
    json!({
        "name": trigger.name,
        "version": trigger.version,
        "title": trigger.title,
        "description": trigger.description,
        "documentation_url": trigger.documentation_url,
        "slots": slots_document(&trigger.slots),
        "parameters": trigger.parameters,
        "output": trigger.output,
        "delivery": trigger.delivery,
        "examples": trigger
            .examples
            .iter()
            .map(|example| json!({ "title": example.title, "parameters": example.parameters }))
            .collect::<Vec<_>>(),
    })
}

/// A whole plugin.
pub(super) async fn plugin(plugin: &Plugin) -> Value {
    let approval = plugin.approval().await;
    let node: &Node = &plugin.description().node;
    let slots: Map<String, Value> = node
        .slots
        .iter()
        .map(|(name, slot)| {
            let slot = json!({
                "credential_types": slot.credential_types,
                "description": slot.description,
            });
            (name.clone(), slot)
        })
        .collect();
    let mut document = json!({
        "name": node.name,
        "version": node.version,
        "display_name": node.display_name,
        "description": node.description,
        "documentation_url": node.documentation_url,
        // The markup is untrusted and not for terminals or logs.
        "icon": node.icon.as_ref().map(|icon| {
            json!({ "media_type": "image/svg+xml", "bytes": icon.len() })
        }),
        "categories": node.categories,
        "aliases": node.aliases,
        "digest": plugin.digest(),
        "size": plugin.surface().size,
        "approved": approval.is_ok(),
        "disabled": approval.as_ref().is_err_and(Error::is_disabled),
        // Permissions that the operator withheld.
        "withheld": approval.as_ref().ok().map(|approval| &approval.withheld),
        "imports": plugin.surface().imports,
        "exports": plugin.surface().exports,
        "origins": node.origins,
        "credential_types": plugin
            .description()
            .credential_types
            .values()
            .map(credential_type_document)
            .collect::<Vec<_>>(),
        "slots": slots,
        "secrets": node.secrets,
        "resources": node.resources,
        "actions": node.actions.iter().map(action_head).collect::<Vec<_>>(),
        "triggers": plugin.description().triggers.iter().map(trigger_document).collect::<Vec<_>>(),
    });
    if !node.servers.is_empty() {
        // Servers whose origins an operator chooses, and those that were chosen.
        document["servers"] = json!(node.servers);
        let chosen = approval.as_ref().ok().map(|approval| &approval.servers);
        document["chosen_servers"] = json!(chosen);
    }
    document
}

fn credential_type_document(credential_type: &CredentialType) -> Value {
    let placements: Vec<Value> = credential_type
        .placements
        .iter()
        .map(|placement| {
            let mut document = json!(placement);
            document["in_words"] = json!(placement.in_words());
            document
        })
        .collect();
    json!({
        "name": credential_type.name,
        "version": credential_type.version,
        "display_name": credential_type.display_name,
        "description": credential_type.description,
        "documentation_url": credential_type.documentation_url,
        "fields": credential_type.fields,
        "form": Form::of_credential_type(credential_type),
        "secret_fields": credential_type.secret_fields(),
        "grant": credential_type.grant,
        "oauth_endpoints": credential_type.grant.endpoints(),
        "scopes": credential_type.scopes,
        "origins": credential_type.origins,
        "placements": placements,
        "rate_limit": credential_type.rate_limit,
    })
}

fn slots_document(slots: &BTreeMap<String, SlotUse>) -> Value {
    slots
        .iter()
        .map(|(name, slot)| {
            (name.clone(), json!({ "required": slot.required, "scopes": slot.scopes }))
        })
        .collect::<Map<_, _>>()
        .into()
}

fn action_head(action: &Action) -> Value {
    json!({
        "name": action.name,
        "resource": action.resource,
        "version": action.version,
        "title": action.title,
        "effect": effect(action.effect),
        "idempotency": idempotency(action.idempotency),
        "early_access": action.early_access,
        "slots": slots_document(&action.slots),
    })
}

fn action_document(plugin: &Plugin, action: &Action, path: &str) -> Value {
    let mut document = action_head(action);
    document["description"] = json!(action.description);
    document["documentation_url"] = json!(action.documentation_url);
    document["parameters"] = json!(action.parameters);
    document["form"] = json!(Form::of_action(action, &plugin.description().node.schemas));
    document["output"] = json!(action.output);
    document["emits"] = json!(action.emits);
    document["guarantee"] = json!(action.guarantee);
    document["schemas"] = json!(plugin.description().node.schemas);
    document["examples"] = action
        .examples
        .iter()
        .map(|example| {
            json!({
                "title": example.title,
                "parameters": example.parameters,
                "command": example_command(action, &example.parameters, path),
            })
        })
        .collect();
    document
}
