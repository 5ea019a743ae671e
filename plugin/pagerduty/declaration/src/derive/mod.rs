//! The actions, derived from the facts about the API and from the overlay in
//! `plugin/pagerduty/actions`. Anything that contradicts the facts fails the build.

mod action;
mod fields;
mod ranges;
mod standard;
mod words;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pagerduty_facts::Operation;
use workflow_node_sdk::declare::{Action, Param, Resource};

use self::fields::Maker;
pub(crate) use self::fields::{keep, keep_text, keep_texts};
pub(crate) use self::words::read;
use crate::references;

/// Directory of the overlay.
pub fn overlay() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../actions")
}

/// The result of combining the facts and the overlay.
pub struct Derived {
    /// The resources with their actions.
    pub resources: &'static [Resource],
    /// Contradictions with the facts or within the overlay. A node with problems is not built.
    pub problems: Vec<String>,
    /// Fields without a description.
    pub wordless: Vec<String>,
    /// The operation of each action.
    pub operations: BTreeMap<String, String>,
    /// Fields that an action's form does not show, with the reason, by action and place.
    pub hidden: BTreeMap<(String, String), String>,
}

/// Derives the actions.
///
/// # Panics
///
/// If a file of the overlay cannot be read.
pub fn derive(overlay: &Path) -> Derived {
    let common: words::Common = words::read(&overlay.join("common.toml"));
    let known = known_references();
    let problems = RefCell::new(Vec::new());
    let wordless = RefCell::new(Vec::new());
    let used = RefCell::new(BTreeSet::new());
    let hidden = RefCell::new(BTreeMap::new());
    let mut operations = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut resources = Vec::new();
    for name in &common.resources {
        let resource: words::Resource = words::read(&overlay.join(format!("{name}.toml")));
        used.borrow_mut().retain(|(level, _)| *level == 2);
        let mut actions: Vec<Action> = Vec::new();
        let expanded = standard::expand(&resource, &common.fields, &mut problems.borrow_mut());
        for words in &expanded {
            if !names.insert(words.name.clone()) {
                problems.borrow_mut().push(format!("two actions are called `{}`", words.name));
            }
            used.borrow_mut().retain(|(level, _)| *level > 0);
            let operation = operation(words);
            if operation.is_none() && words.run.is_none() {
                let problem = format!("{}: there is no operation `{}`", words.name, words.request);
                problems.borrow_mut().push(problem);
                continue;
            }
            let record = words.name.split('.').next().unwrap_or_default();
            let noun = resource.nouns.get(record).map(|noun| standard::split(noun).0.to_owned());
            let maker = Maker {
                action: &words.name,
                noun: noun.unwrap_or_else(|| record.replace('_', " ")),
                words: [&words.fields, &resource.fields, &common.fields],
                used: &used,
                results: &common.results,
                references: &known,
                is_update: ["PUT ", "PATCH "].iter().any(|one| words.request.starts_with(one)),
                problems: &problems,
                wordless: &wordless,
                hidden: &hidden,
            };
            actions.push(action::action(&maker, words, operation));
            if let Some(operation) = operation {
                operations.insert(words.name.clone(), operation.id.clone());
            }
            unused(&words.fields, 0, &used, &words.name, &problems);
        }
        unused(&resource.fields, 1, &used, name, &problems);
        let actions: &'static [Action] = actions.leak();
        resources.push(Resource::new(
            keep_text(name),
            keep_text(&resource.title),
            keep_text(&resource.description),
            keep([actions]),
        ));
    }
    unused(&common.fields, 2, &used, "common", &problems);
    let resources: &'static [Resource] = resources.leak();
    check_references(resources, &problems);
    check_examples(resources, &problems);
    Derived {
        resources,
        problems: problems.into_inner(),
        wordless: wordless.into_inner(),
        operations,
        hidden: hidden.into_inner(),
    }
}

/// The parameters of a trigger, from `triggers.toml`.
pub(crate) fn trigger_parameters(name: &str) -> Vec<Param> {
    let forms: BTreeMap<String, words::Form> = words::read(&overlay().join("triggers.toml"));
    let parameters = &forms[name].parameters;
    parameters.iter().map(|one| *action::own(one, &known_references())).collect()
}

fn known_references() -> BTreeSet<&'static str> {
    references::ALL.iter().map(|one| one.name).collect()
}

/// Finds words for fields that do not exist.
fn unused(
    words: &BTreeMap<String, words::Words>,
    level: usize,
    used: &RefCell<BTreeSet<(usize, String)>>,
    of: &str,
    problems: &RefCell<Vec<String>>,
) {
    for place in words.keys().filter(|place| !used.borrow().contains(&(level, (*place).clone()))) {
        problems.borrow_mut().push(format!("{of}: words for `{place}`, which does not exist"));
    }
}

/// The operation that an action sends.
fn operation(words: &words::Action) -> Option<&'static Operation> {
    if let Some(id) = &words.event {
        return pagerduty_facts::events_api().iter().find(|one| one.id == *id);
    }
    let (method, path) = words.request.split_once(' ')?;
    pagerduty_facts::operations()
        .iter()
        .find(|one| one.method == method && same_path(&one.path, path) && !one.deprecated)
}

/// Compares paths regardless of the names of their parameters.
fn same_path(one: &str, other: &str) -> bool {
    let plain = |segment: &str| segment.starts_with('{');
    let (one, other): (Vec<&str>, Vec<&str>) =
        (one.split('/').collect(), other.split('/').collect());
    one.len() == other.len()
        && one.iter().zip(&other).all(|(one, other)| one == other || plain(one) && plain(other))
}

/// Checks that references can be listed.
fn check_references(resources: &'static [Resource], problems: &RefCell<Vec<String>>) {
    let actions: Vec<&Action> =
        resources.iter().flat_map(|one| one.actions.iter().copied().flatten()).collect();
    for reference in references::ALL {
        for name in [Some(reference.list), reference.get].into_iter().flatten() {
            if !actions.iter().any(|action| action.name == name) {
                let problem = format!("the reference `{}` needs `{name}`", reference.name);
                problems.borrow_mut().push(problem);
            }
        }
    }
}

/// Checks that every action has examples that its form accepts.
fn check_examples(resources: &'static [Resource], problems: &RefCell<Vec<String>>) {
    for action in resources.iter().flat_map(|one| one.actions.iter().copied().flatten()) {
        if action.examples.is_empty() {
            problems.borrow_mut().push(format!("{}: has no example", action.name));
        }
        for example in action.examples {
            if let Err(error) =
                workflow_node_sdk::declare::check(action, &example.parameters.value())
            {
                let problem = format!("{}: example `{}`: {error}", action.name, example.title);
                problems.borrow_mut().push(problem);
            }
        }
    }
}
