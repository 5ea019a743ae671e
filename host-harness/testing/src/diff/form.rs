//! Compares forms and records, field by field.

use std::collections::BTreeMap;

use workflow_node_host::description::{Field, Form};

use super::{Changes, Step};

/// Every field of a form by its path. Fields of variants are under the title of their variant.
fn fields(form: &Form) -> BTreeMap<String, &Field> {
    fn collect<'a>(list: &'a [Field], path: &str, all: &mut BTreeMap<String, &'a Field>) {
        for field in list {
            let path = match path {
                "" => field.name.clone(),
                path => format!("{path}/{}", field.name),
            };
            collect(&field.fields, &path, all);
            for variant in &field.variants {
                let path = format!("{path}({})", variant.title);
                collect(&variant.fields, &path, all);
            }
            all.entry(path).or_insert(field);
        }
    }
    let mut all = BTreeMap::new();
    collect(&form.fields, "", &mut all);
    for variant in &form.variants {
        collect(&variant.fields, &format!("({})", variant.title), &mut all);
    }
    all
}

/// Parameters: what a workflow has stored must keep its meaning.
pub(super) fn parameters(name: &str, old: &Form, new: &Form, changes: &mut Changes) {
    let (old, new) = (fields(old), fields(new));
    for (path, field) in &old {
        let subject = format!("{name}: {path}");
        let Some(newer) = new.get(path) else {
            changes.add("parameter-removed", Step::Major, &subject, "the parameter was removed");
            continue;
        };
        if newer.is_required && !field.is_required {
            changes.add(
                "parameter-required",
                Step::Major,
                &subject,
                "the parameter is required now",
            );
        } else if field.is_required && !newer.is_required {
            changes.add(
                "parameter-optional",
                Step::Minor,
                &subject,
                "the parameter is optional now",
            );
        }
        if field.default != newer.default {
            let shown = |field: &Field| match &field.default {
                Some(value) => value.to_string(),
                None => "nothing".to_owned(),
            };
            let message = format!("the default was {} and is {}", shown(field), shown(newer));
            changes.add("default-changed", Step::Major, &subject, message);
        }
        if field.is_secret != newer.is_secret {
            let message = match newer.is_secret {
                true => "the parameter is a secret now",
                false => "the parameter is not a secret anymore",
            };
            changes.add("parameter-secrecy", Step::Major, &subject, message);
        }
        types(&subject, field, newer, Accepts::More, changes);
        values(&subject, field, newer, Accepts::More, changes);
    }
    for (path, field) in new.iter().filter(|(path, _)| !old.contains_key(*path)) {
        let subject = format!("{name}: {path}");
        // A required member of a new optional object requires nothing from existing workflows.
        let is_inside = path.rsplit_once('/').is_some_and(|(parent, _)| !old.contains_key(parent));
        match field.is_required && !is_inside {
            true => changes.add(
                "parameter-required",
                Step::Major,
                &subject,
                "a required parameter is new",
            ),
            false => changes.add("parameter-added", Step::Minor, &subject, "the parameter is new"),
        }
    }
}

/// Output: what a workflow reads must still exist.
pub(super) fn output(name: &str, old: &Form, new: &Form, changes: &mut Changes) {
    let (old, new) = (fields(old), fields(new));
    for (path, field) in &old {
        let subject = format!("{name}: output {path}");
        let Some(newer) = new.get(path) else {
            changes.add("output-removed", Step::Major, &subject, "the member was removed");
            continue;
        };
        if field.is_required && !newer.is_required {
            changes.add("output-optional", Step::Major, &subject, "the member may be missing now");
        }
        types(&subject, field, newer, Accepts::Less, changes);
        values(&subject, field, newer, Accepts::Less, changes);
    }
    for path in new.keys().filter(|path| !old.contains_key(*path)) {
        let subject = format!("{name}: output {path}");
        changes.add("output-added", Step::Minor, &subject, "the member is new");
    }
}

/// Which direction is harmless.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accepts {
    /// A form may accept more than before.
    More,
    /// A record may contain fewer values than before.
    Less,
}

fn types(subject: &str, old: &Field, new: &Field, accepts: Accepts, changes: &mut Changes) {
    let widened = |narrow: &[String], wide: &[String]| {
        let covers = |one: &String| {
            wide.contains(one) || (one == "integer" && wide.iter().any(|one| one == "number"))
        };
        wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(covers))
    };
    if old.types == new.types && old.element_types == new.element_types {
        return;
    }
    let more = widened(&old.types, &new.types) && widened(&old.element_types, &new.element_types);
    let less = widened(&new.types, &old.types) && widened(&new.element_types, &old.element_types);
    let is_harmless = if accepts == Accepts::More { more } else { less };
    let step = if is_harmless { Step::Minor } else { Step::Major };
    let message = format!("the type was {} and is {}", old.type_in_words, new.type_in_words);
    changes.add("type-changed", step, subject, message);
}

fn values(subject: &str, old: &Field, new: &Field, accepts: Accepts, changes: &mut Changes) {
    // No list of values means any value.
    let removed = match (old.values.is_empty(), new.values.is_empty()) {
        (true, false) => vec!["any other value".to_owned()],
        _ if new.values.is_empty() => Vec::new(),
        _ => missing(&old.values, &new.values),
    };
    let added = match (old.values.is_empty(), new.values.is_empty()) {
        (false, true) => vec!["any other value".to_owned()],
        _ if old.values.is_empty() => Vec::new(),
        _ => missing(&new.values, &old.values),
    };
    let (on_removal, on_addition) = match accepts {
        Accepts::More => (Step::Major, Step::Minor),
        // A workflow may not know how to handle a new value, and does not miss a removed one.
        Accepts::Less => (Step::Minor, Step::Major),
    };
    if !removed.is_empty() {
        let message = format!("it cannot be {} anymore", removed.join(", "));
        changes.add("value-removed", on_removal, subject, message);
    }
    if !added.is_empty() {
        changes.add(
            "value-added",
            on_addition,
            subject,
            format!("it can be {} now", added.join(", ")),
        );
    }
}

fn missing(of: &[serde_json::Value], among: &[serde_json::Value]) -> Vec<String> {
    of.iter().filter(|value| !among.contains(value)).map(ToString::to_string).collect()
}
