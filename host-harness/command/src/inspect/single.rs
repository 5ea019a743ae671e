//! One resource, action, trigger or credential type in full.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use workflow_node_host::Plugin;
use workflow_node_host::description::{Action, CredentialType, Form, Node, SlotUse, Trigger};

use super::overview::actions_table;
use super::{Named, example_command};
use crate::exit::shell;
use crate::groups::Group;
use crate::members::Members;
use crate::output::{READING, key_texts, one_line, points, wide_table};
use crate::words;

pub(super) fn text(plugin: &Plugin, named: &Named<'_>, path: &str) -> String {
    let node = &plugin.description().node;
    let parts = [
        named.group.as_ref().map(|group| group_text(group, path)),
        named.action.map(|action| action_text(node, action, path)),
        named.trigger.map(|trigger| trigger_text(node, trigger, path)),
        named.credential_type.map(|one| credential_type_text(one, path)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn pair(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

fn group_text(group: &Group<'_>, path: &str) -> String {
    let name = match group.title {
        title if title == group.name => title.to_owned(),
        title => format!("{} ({title})", group.name),
    };
    let mut head = vec![pair("Resource", name)];
    if !group.description.is_empty() {
        head.push(pair("Description", group.description));
    }
    format!(
        "{}\n{}\nTo show an action in full:\n  harness inspect {} ACTION\n",
        key_texts(&head),
        actions_table(group.actions.iter().copied()),
        shell(path)
    )
}

fn action_text(node: &Node, action: &Action, path: &str) -> String {
    let mut head = vec![
        pair("Action", &*action.name),
        pair("Title", &*action.title),
        pair("Description", &*action.description),
        pair("Effect", words::effect(action.effect)),
        pair(
            "Idempotency",
            format!(
                "{}: {}",
                words::idempotency(action.idempotency),
                words::idempotency_in_words(action.idempotency)
            ),
        ),
    ];
    if action.early_access {
        head.push(pair("Stability", "early access: the service may change this operation"));
    }
    if action.emits {
        head.push(pair("Pages", "records are returned page by page as they arrive"));
    }
    head.extend(action.guarantee.iter().map(|words| pair("Long lists", &**words)));
    head.extend(action.documentation_url.iter().map(|url| pair("Documentation", &**url)));
    head.extend(credentials(node, &action.slots));
    let mut text = key_texts(&head);
    text.push_str(&parameters_text(&action.parameters, &node.schemas));
    text.push_str(&choices_text(&action.name, &action.parameters, &node.schemas, path));
    for (port, output) in &action.output {
        let title = match port.as_str() {
            "main" => "Output".to_owned(),
            port => format!("Output, port {port}"),
        };
        text.push_str(&records_text(&title, output, &node.schemas));
    }
    if !action.examples.is_empty() {
        text.push_str("\nExamples\n");
    }
    for example in &action.examples {
        let command = example_command(action, &example.parameters, path);
        text.push_str(&format!("  {}\n    {}\n", one_line(&example.title), one_line(&command)));
    }
    text
}

fn trigger_text(node: &Node, trigger: &Trigger, path: &str) -> String {
    let mut head = vec![
        pair("Trigger", &*trigger.name),
        pair("Title", &*trigger.title),
        pair("Description", &*trigger.description),
    ];
    let delivery = words::delivery(&trigger.delivery);
    head.extend(delivery.into_iter().map(|(key, value)| pair(key, value)));
    head.extend(trigger.documentation_url.iter().map(|url| pair("Documentation", &**url)));
    head.extend(credentials(node, &trigger.slots));
    let mut text = key_texts(&head);
    text.push_str(&parameters_text(&trigger.parameters, &node.schemas));
    text.push_str(&choices_text(&trigger.name, &trigger.parameters, &node.schemas, path));
    text.push_str(&records_text("Event", &trigger.output, &node.schemas));
    if !trigger.examples.is_empty() {
        text.push_str("\nExamples for --parameters of `harness trigger listen`\n");
    }
    for example in &trigger.examples {
        let parameters = one_line(&example.parameters.to_string());
        text.push_str(&format!("  {}\n    {parameters}\n", one_line(&example.title)));
    }
    text
}

fn credential_type_text(credential_type: &CredentialType, path: &str) -> String {
    let mut head = vec![
        pair("Type", format!("{} ({})", credential_type.name, credential_type.display_name)),
        pair("Description", &*credential_type.description),
    ];
    head.extend(credential_type.documentation_url.iter().map(|url| pair("Documentation", &**url)));
    let grant = words::grant(&credential_type.grant);
    head.extend(grant.into_iter().map(|(key, value)| pair(key, value)));
    for placement in &credential_type.placements {
        head.push(pair("Placement", placement.in_words()));
    }
    if let Some(limit) = &credential_type.rate_limit {
        head.push(pair("Rate limit", words::rate_limit(limit)));
    }
    let mut text = key_texts(&head);
    text.push_str("\nFields\n");
    let form = Form::of_credential_type(credential_type);
    text.push_str(&fields_text(&Members::of_form(&form), 1));
    if !credential_type.scopes.is_empty() {
        let rows: Vec<Vec<String>> = credential_type
            .scopes
            .iter()
            .map(|scope| vec![scope.name.clone(), scope.description.clone()])
            .collect();
        text.push_str("\nScopes\n");
        text.push_str(&wide_table(&["scope", "allows"], &rows));
    }
    text.push_str(&format!(
        "\nTo connect an account:\n  harness credential connect NAME --plugin {} --type {}\n",
        shell(path),
        credential_type.name
    ));
    text
}

fn credentials(node: &Node, slots: &BTreeMap<String, SlotUse>) -> Vec<(String, String)> {
    let line = |(name, slot): (&String, &SlotUse)| {
        let types = node.slots.get(name).map(|slot| slot.credential_types.as_slice());
        let need = if slot.required { "required" } else { "optional" };
        let types = words::any_of(types.unwrap_or_default());
        let mut about = format!("slot {name}, {need}, of type {types}");
        if !slot.scopes.is_empty() {
            about.push_str(&format!("; scoped credentials need {}", slot.scopes.join(", ")));
        }
        pair("Credential", about)
    };
    slots.iter().map(line).collect()
}

fn parameters_text(parameters: &Value, shared: &Map<String, Value>) -> String {
    let form = Form::new(parameters, shared);
    let members = Members::of_form(&form);
    match members.is_empty() {
        true => "\nParameters\n  none\n".to_owned(),
        false => format!("\nParameters\n{}", fields_text(&members, 1)),
    }
}

/// How the choices of a field are listed, where one has some.
fn choices_text(of: &str, parameters: &Value, shared: &Map<String, Value>, path: &str) -> String {
    let form = Form::new(parameters, shared);
    let Some(way) = form.first_with_choices().map(|call| &call.parameter) else {
        return String::new();
    };
    format!(
        "\nTo list the choices of a field, e.g. {}:\n  harness options {} {of} {} --credential \
         NAME\n",
        one_line(way),
        shell(path),
        shell(way)
    )
}

/// A field a paragraph, what is inside of it further to the right.
fn fields_text(members: &Members<'_>, level: usize) -> String {
    let mut text = String::new();
    let (indentation, below) = ("  ".repeat(level), "  ".repeat(level + 2));
    for field in members.all() {
        let mut about = vec![words::field_type(field)];
        about.extend(field.facts());
        if field.options.is_some() {
            about.push("has choices".to_owned());
        }
        let line = format!("{}: {}", field.name, about.join(", "));
        text.push_str(&points(&line, &indentation, &format!("{below}  "), READING));
        if !field.description.is_empty() {
            text.push_str(&points(&field.description, &below, &below, READING));
        }
        if !field.known_values.is_empty() {
            let known = words::texts(&field.known_values).join(", ");
            let known = format!("Known values: {known}");
            text.push_str(&points(&known, &below, &below, READING));
        }
        for condition in members.conditions(field, str::to_owned) {
            text.push_str(&points(&condition, &below, &below, READING));
        }
        text.push_str(&fields_text(&Members::of_field(field), level + 2));
    }
    text
}

fn records_text(title: &str, schema: &Value, shared: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (number, record) in Form::alternatives(schema, shared).iter().enumerate() {
        let name = record_name(record);
        text.push_str(&match number {
            0 => format!("\n{title}: {}\n", one_line(&name)),
            _ => format!("Or: {}\n", one_line(&name)),
        });
        if !record.description.is_empty() {
            text.push_str(&points(&record.description, "    ", "    ", READING));
        }
        for field in &record.fields {
            let end = if field.description.is_empty() { "" } else { ": " };
            let line =
                format!("{} ({}){end}{}", field.name, words::field_type(field), field.description);
            text.push_str(&points(&line, "  ", "      ", READING));
        }
    }
    text
}

fn record_name(record: &Form) -> String {
    match record.title.as_str() {
        "" => record.type_in_words.clone(),
        title => title.to_owned(),
    }
}
