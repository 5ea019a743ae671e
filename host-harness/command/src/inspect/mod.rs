//! `harness inspect`: what a plugin is, asks for and can do. Runs nothing but its description.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use workflow_node_host::Plugin;
use workflow_node_host::description::{
    Action, CredentialType, Effect, Idempotency, Node, SlotUse, Trigger,
};

use crate::cli::{InspectArgs, Report};
use crate::exit::{Exit, Failure, shell};
use crate::output::{self, READING, key_texts, one_line, simple_table, wrapped};
use crate::schema;
use crate::setup::Setup;

pub(crate) async fn run(setup: &Setup, args: &InspectArgs) -> Result<Exit, Failure> {
    let plugin = setup.load(&args.plugin).await?;
    let path = args.plugin.display().to_string();
    match (&args.action, args.format) {
        (None, Report::Text) => output::stdout(&text(&plugin, &path))?,
        (None, Report::Json) => output::stdout_report(&document(&plugin))?,
        (Some(name), format) => {
            let action = plugin.action(name).map_err(|error| {
                Failure::of(&error, &path).next(format!("harness inspect {}", shell(&path)))
            })?;
            match format {
                Report::Text => output::stdout(&action_text(&plugin, action, &path))?,
                Report::Json => output::stdout_report(&action_document(&plugin, action, &path))?,
            }
        }
    }
    Ok(Exit::Success)
}

pub(crate) fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Create => "create",
        Effect::Update => "update",
        Effect::Delete => "delete",
        Effect::Execute => "execute",
    }
}

fn idempotency(idempotency: Idempotency) -> &'static str {
    match idempotency {
        Idempotency::Safe => "safe",
        Idempotency::Idempotent => "idempotent",
        Idempotency::Keyed => "keyed",
        Idempotency::None => "none",
    }
}

fn idempotency_in_words(kind: Idempotency) -> &'static str {
    match kind {
        Idempotency::Safe => "safe: it changes nothing",
        Idempotency::Idempotent => "idempotent: twice is as once",
        Idempotency::Keyed => "keyed: twice with the same --execution-id is as once",
        Idempotency::None => "none: it is never repeated by itself",
    }
}

fn scopes(action: &Action) -> String {
    let scopes: Vec<&str> =
        action.slots.values().flat_map(|slot| &slot.scopes).map(String::as_str).collect();
    scopes.join(", ")
}

fn pair(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

/// Size for people.
pub(crate) fn size(bytes: usize) -> String {
    if bytes < 10_000 { format!("{bytes} bytes") } else { format!("{} kB", bytes.div_ceil(1_000)) }
}

fn text(plugin: &Plugin, path: &str) -> String {
    let node = &plugin.description().node;
    let is_approved = plugin.check_approval().is_ok();
    let mut head = vec![
        pair("Node", format!("{} ({}), version {}", node.name, node.display_name, node.version)),
        pair("About", node.description.clone()),
    ];
    head.extend(node.documentation_url.iter().map(|url| pair("Read more", url.clone())));
    head.extend([
        pair("Digest", plugin.digest().to_string()),
        pair("Size", size(plugin.surface().size)),
        pair("Approved", if is_approved { "yes" } else { "no" }),
        pair("Requests to", join(&node.origins)),
        pair("Imports", join(&plugin.surface().imports)),
    ]);
    let mut text = key_texts(&head);
    for credential_type in plugin.description().credential_types.values() {
        text.push_str(&credential_type_text(credential_type));
    }
    let slots: Vec<Vec<String>> = node
        .slots
        .iter()
        .map(|(name, slot)| {
            vec![name.clone(), slot.credential_types.join(", "), slot.description.clone()]
        })
        .collect();
    if !slots.is_empty() {
        text.push_str("\nSlots for credentials\n");
        text.push_str(&simple_table(&["slot", "credential types", "for"], &slots));
    }
    let secrets: Vec<Vec<String>> = node
        .secrets
        .iter()
        .map(|secret| {
            let path = secret.path.as_ref().map(ToString::to_string);
            let path = path.unwrap_or_else(|| "(what users type)".to_owned());
            vec![secret.name.clone(), path, secret.pointer.clone().unwrap_or_default()]
        })
        .collect();
    if !secrets.is_empty() {
        text.push_str("\nSecrets that are kept from it\n");
        text.push_str(&simple_table(&["secret", "answers of", "at"], &secrets));
    }
    text.push_str("\nActions\n");
    let rows: Vec<Vec<String>> = node
        .actions
        .iter()
        .map(|action| {
            vec![
                action.name.clone(),
                action.title.clone(),
                effect(action.effect).to_owned(),
                idempotency(action.idempotency).to_owned(),
                scopes(action),
            ]
        })
        .collect();
    text.push_str(&simple_table(&["name", "title", "effect", "idempotency", "scopes"], &rows));
    let triggers = &plugin.description().triggers;
    if !triggers.is_empty() {
        text.push_str("\nTriggers\n");
        let row = |trigger: &Trigger| {
            let how = match trigger.interval() {
                Some(interval) => format!("polls every {} s", interval.as_secs()),
                None => "webhook".to_owned(),
            };
            vec![trigger.name.clone(), trigger.title.clone(), how]
        };
        text.push_str(&simple_table(
            &["name", "title", "how"],
            &triggers.iter().map(row).collect::<Vec<_>>(),
        ));
    }
    // Commands to paste stand on lines of their own, however long the path is.
    text.push_str(&format!("\nOne in full: harness inspect {} ACTION\n", shell(path)));
    if !is_approved {
        text.push_str(&format!("Approve it:  harness approve {}\n", shell(path)));
    }
    text
}

fn credential_type_text(credential_type: &CredentialType) -> String {
    let mut text = format!(
        "\nCredential type {} ({})\n",
        one_line(&credential_type.name),
        one_line(&credential_type.display_name)
    );
    let defs = defs(&credential_type.fields);
    let required = schema::required(schema::resolved(&credential_type.fields, &defs));
    let secrets = credential_type.secret_fields();
    let fields: Vec<String> = schema::properties(&credential_type.fields, &defs)
        .into_iter()
        .map(|(name, field)| {
            let mut about = vec![schema::type_in_words(&field, &defs)];
            if secrets.contains(&name) {
                about.push("secret".to_owned());
            }
            if !required.contains(&name.as_str()) {
                about.push("optional".to_owned());
            }
            format!("{name} ({})", about.join(", "))
        })
        .collect();
    let mut members = vec![
        pair("  about", credential_type.description.clone()),
        pair("  fields", fields.join(", ")),
        pair("  grant", credential_type.grant.name()),
    ];
    for placement in &credential_type.placements {
        members.push(pair("  written", placement.in_words()));
    }
    for endpoint in credential_type.grant.endpoints() {
        members.push(pair("  OAuth", endpoint));
    }
    if !credential_type.scopes.is_empty() {
        let names = credential_type.scopes.iter().map(|scope| &scope.name);
        members.push(pair("  scopes", join(names)));
    }
    text.push_str(&key_texts(&members));
    text
}

fn action_text(plugin: &Plugin, action: &Action, path: &str) -> String {
    let shared = &plugin.description().node.schemas;
    let mut head = vec![
        pair("Action", action.name.clone()),
        pair("Title", action.title.clone()),
        pair("About", action.description.clone()),
        pair("Effect", effect(action.effect)),
        pair("Idempotency", idempotency_in_words(action.idempotency)),
    ];
    if action.early_access {
        head.push(pair("Stability", "early access: the service may still change it"));
    }
    head.extend(action.documentation_url.iter().map(|url| pair("Read more", url.clone())));
    for (name, slot) in &action.slots {
        let types = plugin.description().node.slots.get(name);
        let types = types.map(|slot| slot.credential_types.join(", ")).unwrap_or_default();
        let need = if slot.required { "required" } else { "optional" };
        let mut about = format!("slot {name}, {need}, of type {types}");
        if !slot.scopes.is_empty() {
            about.push_str(&format!("; a scoped one needs {}", slot.scopes.join(", ")));
        }
        head.push(pair("Credential", about));
    }
    for (port, output) in &action.output {
        head.push(pair("Output", format!("{port}: {}", schema::type_in_words(output, shared))));
    }
    let mut text = key_texts(&head);
    text.push_str("\nParameters\n");
    text.push_str(&parameters_text(&action.parameters, shared));
    if !action.examples.is_empty() {
        text.push_str("\nExamples\n");
    }
    for example in &action.examples {
        let command = example_command(action, &example.parameters, path);
        text.push_str(&format!("  {}\n    {}\n", one_line(&example.title), one_line(&command)));
    }
    text
}

fn parameters_text(parameters: &Value, shared: &Map<String, Value>) -> String {
    let mut shared = shared.clone();
    shared.extend(defs(parameters));
    let schema = schema::resolved(parameters, &shared);
    let required = schema::required(schema);
    let properties = schema::properties(schema, &shared);
    if properties.is_empty() {
        return "  none\n".to_owned();
    }
    let mut text = String::new();
    for (name, property) in properties {
        let mut about = vec![schema::type_in_words(&property, &shared)];
        if required.contains(&name.as_str()) {
            about.push("required".to_owned());
        }
        if let Some(default) = property.get("default") {
            about.push(format!("default {default}"));
        }
        if property.pointer("/x-ui/options") == Some(&Value::Bool(true)) {
            about.push("choices by `harness options`".to_owned());
        }
        text.push_str(&format!("  {}: {}\n", one_line(&name), one_line(&about.join(", "))));
        let description = wrapped(schema::text(&property, "description"), READING - 6);
        for line in description.iter().filter(|line| !line.is_empty()) {
            text.push_str(&format!("      {line}\n"));
        }
    }
    text
}

/// Ready to be pasted; the credential's name is the reader's.
fn example_command(action: &Action, parameters: &Value, path: &str) -> String {
    let credential =
        if action.slots.values().any(|slot| slot.required) { " --credential NAME" } else { "" };
    let parameters = match parameters.as_object() {
        Some(members) if members.is_empty() => String::new(),
        _ => format!(" --parameters {}", shell(&parameters.to_string())),
    };
    format!("harness run {} {}{credential}{parameters}", shell(path), action.name)
}

fn join<T: ToString>(list: impl IntoIterator<Item = T>) -> String {
    list.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

pub(crate) fn defs(fields: &Value) -> Map<String, Value> {
    fields.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default()
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

fn document(plugin: &Plugin) -> Value {
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
    json!({
        "name": node.name,
        "version": node.version,
        "display_name": node.display_name,
        "description": node.description,
        "documentation_url": node.documentation_url,
        "digest": plugin.digest(),
        "size": plugin.surface().size,
        "approved": plugin.check_approval().is_ok(),
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
        "actions": node.actions.iter().map(action_head).collect::<Vec<_>>(),
        "triggers": plugin.description().triggers.iter().map(trigger_document).collect::<Vec<_>>(),
    })
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
    document["parameters"] = action.parameters.clone();
    document["output"] = json!(action.output);
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
