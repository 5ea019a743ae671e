//! Checks of a node's description. Nothing is called.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Map, Value};
use workflow_node_host::description::{Field, Form, Variant};

use super::Results;
use super::bench::Bench;
use super::report::Judgement;
use crate::sample::Fits;

pub(super) async fn judge(bench: &Bench, results: &mut Results<'_>) {
    for (id, check) in [
        ("descriptions", descriptions as fn(&Bench, &mut Judgement)),
        ("forms", forms),
        ("schemas", schemas),
    ] {
        if results.plan.wants(id) {
            let started = Instant::now();
            let mut judgement = Judgement::default();
            check(bench, &mut judgement);
            results.add(id, judgement, started.elapsed());
            tokio::task::yield_now().await;
        }
    }
}

/// Why a description is not helpful.
fn says_nothing(description: Option<&str>, titles: &[&str]) -> Option<String> {
    let plain = |text: &str| {
        let letters = text.chars().filter(|one| one.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect::<String>()
    };
    let description = description.unwrap_or_default();
    if plain(description).is_empty() {
        return Some("has no description. Say what it does".to_owned());
    }
    titles
        .iter()
        .any(|title| plain(title) == plain(description))
        .then(|| format!("its description only repeats `{description}`. Say what it does"))
}

fn descriptions(bench: &Bench, judgement: &mut Judgement) {
    let description = bench.plugin.description();
    let node = &description.node;
    let mut judge = |subject: String, description: Option<&str>, titles: &[&str]| {
        judgement.judge(&subject, says_nothing(description, titles));
    };
    judge("node".into(), Some(&node.description), &[&node.name, &node.display_name]);
    for resource in &node.resources {
        let titles = [resource.name.as_str(), &resource.title];
        judge(format!("resource {}", resource.name), resource.description.as_deref(), &titles);
    }
    for (name, slot) in &node.slots {
        judge(format!("slot {name}"), Some(&slot.description), &[name]);
    }
    for action in &node.actions {
        judge(action.name.clone(), Some(&action.description), &[&action.name, &action.title]);
    }
    for trigger in &description.triggers {
        let titles = [trigger.name.as_str(), &trigger.title];
        judge(trigger.name.clone(), Some(&trigger.description), &titles);
    }
    for one in description.credential_types.values() {
        let titles = [one.name.as_str(), &one.display_name];
        judge(format!("credential type {}", one.name), Some(&one.description), &titles);
        for scope in &one.scopes {
            judge(format!("scope {}", scope.name), Some(&scope.description), &[&scope.name]);
        }
    }
}

/// Every form of a node, with the name of its owner.
pub(super) fn all_forms(bench: &Bench) -> Vec<(String, Form)> {
    let description = bench.plugin.description();
    let shared = &description.node.schemas;
    let actions = description.node.actions.iter();
    let actions = actions.map(|action| (action.name.clone(), Form::of_action(action, shared)));
    let triggers = description.triggers.iter();
    let triggers = triggers.map(|one| (one.name.clone(), Form::of_trigger(one, shared)));
    let types = description.credential_types.values();
    let types =
        types.map(|one| (format!("credential type {}", one.name), Form::of_credential_type(one)));
    actions.chain(triggers).chain(types).collect()
}

/// Every field of a form with its path and its sibling fields. A field of a variant that another
/// sibling describes is not visited.
pub(super) fn each_field<'a>(
    fields: &'a [Field],
    variants: &'a [Variant],
    path: &str,
    visit: &mut dyn FnMut(&str, &'a Field, &BTreeSet<&'a str>),
) {
    let described = fields.len();
    let of_variants = variants.iter().flat_map(|variant| &variant.fields);
    let all: Vec<&Field> = fields.iter().chain(of_variants).collect();
    let beside: BTreeSet<&str> = all.iter().map(|field| field.name.as_str()).collect();
    for (place, field) in all.iter().enumerate() {
        let is_again = |other: &&Field| other.name == field.name && !other.title.is_empty();
        if place >= described && fields.iter().any(|other| is_again(&other)) {
            continue;
        }
        let path = match path {
            "" => field.name.clone(),
            path => format!("{path}/{}", field.name),
        };
        visit(&path, field, &beside);
        each_field(&field.fields, &field.variants, &path, visit);
    }
}

fn forms(bench: &Bench, judgement: &mut Judgement) {
    for (name, form) in all_forms(bench) {
        let mut judge = |path: &str, field: &Field, _: &BTreeSet<&str>| {
            let missing = match (field.title.trim(), field.description.trim()) {
                ("", "") => "neither a title nor a description",
                ("", _) => "no title",
                (_, "") => "no description",
                _ => return judgement.pass(),
            };
            judgement.fail(format!("{name}: {path}"), format!("the field has {missing}"));
        };
        each_field(&form.fields, &form.variants, "", &mut judge);
    }
}

fn schemas(bench: &Bench, judgement: &mut Judgement) {
    let description = bench.plugin.description();
    let shared: &Map<String, Value> = &bench.shared;
    for (name, schema) in shared {
        judgement.judge(&format!("shared schema {name}"), flaw(schema, shared));
    }
    for action in &description.node.actions {
        judgement.judge(&action.name, parameters_flaw(&action.parameters, shared));
        let subject = format!("{}: output", action.name);
        let problem = match action.output.get("main") {
            None => Some("the port `main` is not described".to_owned()),
            Some(schema) => match is_anything(schema) {
                true => Some(
                    "the schema of the port `main` allows anything, and does not describe it"
                        .to_owned(),
                ),
                false => flaw(schema, shared),
            },
        };
        judgement.judge(&subject, problem);
    }
    for trigger in &description.triggers {
        judgement.judge(&trigger.name, parameters_flaw(&trigger.parameters, shared));
    }
    for one in description.credential_types.values() {
        let subject = format!("credential type {}", one.name);
        judgement.judge(&subject, parameters_flaw(&one.fields, shared));
    }
}

fn is_anything(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            let says = |name: &String| !matches!(name.as_str(), "title" | "x-ui");
            !members.keys().any(says)
        }
        Value::Bool(all) => *all,
        _ => false,
    }
}

fn parameters_flaw(schema: &Value, shared: &Map<String, Value>) -> Option<String> {
    let target = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
    let target = target.strip_prefix("#/$defs/").and_then(|name| shared.get(name));
    let is_object = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("object");
    if !is_object(schema) && !target.is_some_and(is_object) {
        return Some("the schema does not describe an object (`\"type\": \"object\"`)".to_owned());
    }
    flaw(schema, shared)
}

/// The problem of a schema or one of its parts.
fn flaw(schema: &Value, shared: &Map<String, Value>) -> Option<String> {
    flaw_at(schema, shared, "", true)
}

/// `is_whole`: whether it describes values alone, and not together with other schemas.
fn flaw_at(
    schema: &Value,
    shared: &Map<String, Value>,
    path: &str,
    is_whole: bool,
) -> Option<String> {
    let Value::Object(members) = schema else { return None };
    let place = if path.is_empty() { "the schema".to_owned() } else { format!("`{path}`") };
    let properties = members.get("properties").and_then(Value::as_object);
    let required = members.get("required").and_then(Value::as_array).into_iter().flatten();
    // Members that another part of the schema describes are not known here.
    let has_parts =
        ["$ref", "allOf", "anyOf", "oneOf"].iter().any(|key| members.contains_key(*key));
    if let (Some(properties), true) = (properties, is_whole && !has_parts) {
        for name in required.filter_map(Value::as_str) {
            if !properties.contains_key(name) {
                return Some(format!("{place} requires `{name}`, which it does not describe"));
            }
        }
    }
    if let Some(Value::Array(values)) = members.get("enum") {
        let twice = values.iter().enumerate().find(|(at, one)| values[..*at].contains(one));
        if let Some((_, value)) = twice {
            return Some(format!("{place} has the value {value} twice in `enum`"));
        }
    }
    if let Some(default) = members.get("default") {
        match Fits::new(shared, schema) {
            Ok(fits) => {
                if let Some(problem) = fits.problem(default) {
                    return Some(format!("the default of {place} does not fit it: {problem}"));
                }
            }
            Err(error) => return Some(format!("{place} is not a valid schema: {error}")),
        }
    }
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}/{name}"),
    };
    for (name, property) in properties.into_iter().flatten() {
        if let Some(problem) = flaw_at(property, shared, &below(name), true) {
            return Some(problem);
        }
    }
    let elements = ["items", "additionalProperties"].iter().filter_map(|key| members.get(*key));
    let alone = elements.chain(list(members, "prefixItems")).map(|one| (one, true));
    let parts = ["not", "if", "then", "else"].iter().filter_map(|key| members.get(*key));
    let parts = parts.chain(["allOf", "anyOf", "oneOf"].iter().flat_map(|key| list(members, key)));
    let all: Vec<(&Value, bool)> = alone.chain(parts.map(|one| (one, false))).collect();
    all.into_iter().find_map(|(one, is_whole)| flaw_at(one, shared, path, is_whole))
}

fn list<'a>(members: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    members.get(key).and_then(Value::as_array).into_iter().flatten()
}
