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
    let mut findings = different_features(&plans);
    if findings.is_empty() {
        findings = different_units(&plans);
    }
    for name in unused(&plans) {
        findings.push(format!("{name} is listed, but no other crate depends on it"));
    }
    assert!(
        findings.is_empty(),
        "The features in tests/features/Cargo.toml are out of date:\n{}\n\
         To update them, run: {UPDATE}",
        findings.join("\n")
    );
}

/// Reports packages that are compiled with more than one set of features.
fn different_features(plans: &[Plan]) -> Vec<String> {
    let mut packages: BTreeMap<String, BTreeMap<&BTreeSet<String>, &str>> = BTreeMap::new();
    for (plan, unit) in units(plans) {
        packages.entry(unit.package()).or_default().entry(&unit.features).or_insert(&plan.command);
    }
    let mut findings = Vec::new();
    for (package, sets) in packages.iter().filter(|(_, sets)| sets.len() > 1) {
        let all: BTreeSet<&String> = sets.keys().copied().flatten().collect();
        for (features, command) in sets {
            let missing: Vec<_> = all.iter().filter(|one| !features.contains(**one)).collect();
            if !missing.is_empty() {
                findings.push(format!(
                    "{package} is compiled without the features {missing:?} by `{command}`, and \
                     with them elsewhere"
                ));
            }
        }
    }
    findings
}

/// Reports packages that are compiled more than once for another reason: their settings, or a
/// dependency that differs.
fn different_units(plans: &[Plan]) -> Vec<String> {
    let mut parts: BTreeMap<[&str; 4], BTreeMap<u64, &str>> = BTreeMap::new();
    for (plan, unit) in units(plans) {
        parts.entry(unit.part()).or_default().entry(unit.identity).or_insert(&plan.command);
    }
    let different = parts.iter().filter(|(_, identities)| identities.len() > 1);
    different
        .map(|([name, version, kind, _], identities)| {
            let commands: BTreeSet<_> = identities.values().collect();
            format!("{name} {version} ({kind}) is compiled in different ways by {commands:?}")
        })
        .collect()
}

fn units(plans: &[Plan]) -> impl Iterator<Item = (&Plan, &Unit)> {
    plans.iter().flat_map(|plan| plan.units.iter().map(move |unit| (plan, unit)))
}

/// Packages that only `workspace-features` depends on.
fn unused(plans: &[Plan]) -> BTreeSet<String> {
    let used: BTreeSet<&str> =
        plans.iter().flat_map(|plan| &plan.used).map(String::as_str).collect();
    units(plans)
        .filter(|(_, unit)| !used.contains(unit.id.as_str()))
        .map(|(_, unit)| unit.package())
        .collect()
}

/// Rewrites the manifest until every package has one set of features.
fn update() {
    let mut listed = BTreeMap::new();
    manifest::write(&listed);
    for _ in 0..ROUNDS {
        let plans = plan::all("--offline");
        let mut sets: BTreeMap<(&str, &str), BTreeSet<&BTreeSet<String>>> = BTreeMap::new();
        for (_, unit) in units(&plans) {
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
