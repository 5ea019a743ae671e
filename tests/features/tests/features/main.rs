//! Checks that `cargo demo`, `cargo test --workspace`, and `cargo test -p CRATE` share all
//! dependencies: none is compiled again because another command requests different features.
//!
//! The test compares cargo's unit graphs of these commands and compiles nothing. Cargo prints a unit
//! graph only with an unstable option, which `RUSTC_BOOTSTRAP` enables on stable. It is set only for
//! the cargo processes that print the graphs; nothing is built with it.

#![cfg(target_os = "linux")]

mod manifest;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use plan::{Plan, Unit};

/// The command that updates the lists in the manifest.
const UPDATE: &str = "UPDATE_FEATURES=1 cargo test -p workspace-features";

/// Maximum number of times to rewrite the manifest. A feature that is added may enable others.
const ROUNDS: usize = 8;

#[test]
fn all_commands_share_the_dependencies() {
    if std::env::var_os("UPDATE_FEATURES").is_some() {
        update();
    }
    let plans = plan::all("--locked");
    let mut findings = String::new();
    let mut compiled = BTreeMap::new();
    for plan in &plans {
        compare(plan, &mut compiled, &mut findings);
    }
    for name in unused(&plans) {
        let _ = writeln!(findings, "{name} is listed, but no other crate depends on it");
    }
    assert!(
        findings.is_empty(),
        "The features in tests/features/Cargo.toml are out of date:\n{findings}\
         To update them, run: {UPDATE}"
    );
}

/// The units of each part of a package, with the command that compiles the part first.
type Compiled<'a> = BTreeMap<[&'a str; 4], (&'a str, Vec<&'a Unit>)>;

/// Reports the units of `plan` that an earlier command compiles differently.
fn compare<'a>(plan: &'a Plan, compiled: &mut Compiled<'a>, findings: &mut String) {
    let mut rebuilt = BTreeSet::new();
    let mut causes = BTreeSet::new();
    let mut new: Compiled<'a> = BTreeMap::new();
    for unit in &plan.units {
        let Some((first, known)) = compiled.get(&unit.part()) else {
            new.entry(unit.part()).or_insert((&plan.command, Vec::new())).1.push(unit);
            continue;
        };
        if known.iter().any(|known| known.identity == unit.identity) {
            continue;
        }
        if known.iter().any(|known| known.features == unit.features) {
            rebuilt.insert(unit.package());
            continue;
        }
        let known = &known[0].features;
        causes.insert(format!(
            "`{}` compiles {} with different features than `{first}`: added {:?}, missing {:?}\n",
            plan.command,
            unit.package(),
            unit.features.difference(known).collect::<Vec<_>>(),
            known.difference(&unit.features).collect::<Vec<_>>(),
        ));
    }
    compiled.extend(new);
    findings.extend(causes);
    if !rebuilt.is_empty() {
        let rebuilt: Vec<_> = rebuilt.into_iter().collect();
        let _ = writeln!(
            findings,
            "`{}` compiles these crates again because their dependencies differ: {}",
            plan.command,
            rebuilt.join(", ")
        );
    }
}

/// Packages that only `workspace-features` depends on.
fn unused(plans: &[Plan]) -> BTreeSet<String> {
    let used: BTreeSet<&str> =
        plans.iter().flat_map(|plan| &plan.used).map(String::as_str).collect();
    plans
        .iter()
        .flat_map(|plan| &plan.units)
        .filter(|unit| !used.contains(unit.id.as_str()))
        .map(Unit::package)
        .collect()
}

/// Rewrites the manifest until every package has one set of features.
fn update() {
    let mut listed = BTreeMap::new();
    manifest::write(&listed);
    for _ in 0..ROUNDS {
        let plans = plan::all("--offline");
        let mut sets: BTreeMap<(&str, &str), BTreeSet<&BTreeSet<String>>> = BTreeMap::new();
        for unit in plans.iter().flat_map(|plan| &plan.units) {
            sets.entry((&unit.name, &unit.version)).or_default().insert(&unit.features);
        }
        let before = listed.clone();
        for ((name, version), sets) in sets {
            let key = (name.to_owned(), version.to_owned());
            if sets.len() > 1 || listed.contains_key(&key) {
                listed.insert(key, sets.into_iter().flatten().cloned().collect());
            }
        }
        if listed == before {
            return;
        }
        manifest::write(&listed);
    }
    panic!("The features still change after {ROUNDS} rounds");
}
