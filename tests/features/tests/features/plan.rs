//! Cargo's unit graphs: what a command would compile, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

/// Units that a command compiles.
pub(crate) struct Plan {
    /// The command, for messages.
    pub(crate) command: String,
    /// The units of packages from a registry.
    pub(crate) units: Vec<Unit>,
    /// IDs of the packages that a crate other than `workspace-features` depends on.
    pub(crate) used: BTreeSet<String>,
}

/// One run of the compiler or of a build script.
pub(crate) struct Unit {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) features: BTreeSet<String>,
    /// Equal for two units if and only if cargo compiles them once.
    pub(crate) identity: u64,
    kind: String,
    mode: String,
}

impl Unit {
    /// Identifies what is compiled, regardless of features and settings.
    pub(crate) fn part(&self) -> [&str; 4] {
        [&self.name, &self.version, &self.kind, &self.mode]
    }

    pub(crate) fn package(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct Graph {
    units: Vec<GraphUnit>,
}

#[derive(Deserialize)]
struct GraphUnit {
    pkg_id: String,
    target: GraphTarget,
    profile: BTreeMap<String, Value>,
    platform: Option<String>,
    mode: String,
    features: BTreeSet<String>,
    dependencies: Vec<GraphDependency>,
}

#[derive(Deserialize)]
struct GraphTarget {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct GraphDependency {
    index: usize,
    extern_crate_name: String,
}

/// Returns the plans of all commands that share dependencies, starting with the demo and the tests
/// of the whole workspace.
pub(crate) fn all(lock: &str) -> Vec<Plan> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version=1", lock]);
    let metadata: Metadata = serde_json::from_slice(&metadata).expect("cargo prints its metadata");
    let mut plans = vec![
        plan("cargo demo".to_owned(), &["build", "--bin", "demo", lock]),
        plan("cargo test --workspace".to_owned(), &["test", "--workspace", lock]),
        plan(
            "cargo run -p pagerduty-simulator".to_owned(),
            &["build", "-p", "pagerduty-simulator", lock],
        ),
    ];
    plans.extend(metadata.packages.iter().map(|package| {
        plan(format!("cargo test -p {}", package.name), &["test", "-p", &package.name, lock])
    }));
    plans
}

fn plan(command: String, arguments: &[&str]) -> Plan {
    let graph = cargo(&[arguments, &["--unit-graph", "-Zunstable-options"]].concat());
    let graph: Graph = serde_json::from_slice(&graph).expect("cargo prints a unit graph");
    let mut identities = vec![None; graph.units.len()];
    let mut plan = Plan { command, units: Vec::new(), used: BTreeSet::new() };
    for (index, unit) in graph.units.iter().enumerate() {
        if !unit.pkg_id.contains("/tests/features#") {
            let dependencies = unit.dependencies.iter().map(|one| &graph.units[one.index]);
            // The library of a package depends on its build script.
            let others = dependencies.filter(|one| one.pkg_id != unit.pkg_id);
            plan.used.extend(others.map(|one| one.pkg_id.clone()));
        }
        let Some((_, package)) =
            unit.pkg_id.strip_prefix("registry+").and_then(|id| id.rsplit_once('#'))
        else {
            continue;
        };
        let (name, version) = package.split_once('@').expect("name@version");
        plan.units.push(Unit {
            id: unit.pkg_id.clone(),
            name: name.to_owned(),
            version: version.to_owned(),
            features: unit.features.clone(),
            identity: identity(&graph, index, &mut identities),
            kind: unit.target.kind.join("+"),
            mode: unit.mode.clone(),
        });
    }
    plan
}

/// Hashes everything that decides whether cargo can reuse a unit, including the identities of its
/// dependencies. The name of the profile does not matter: `dev` and `test` share dependencies.
fn identity(graph: &Graph, index: usize, known: &mut [Option<u64>]) -> u64 {
    if let Some(identity) = known[index] {
        return identity;
    }
    let unit = &graph.units[index];
    let mut hasher = DefaultHasher::new();
    (&unit.pkg_id, &unit.target.kind, &unit.platform, &unit.mode, &unit.features).hash(&mut hasher);
    for (setting, value) in unit.profile.iter().filter(|(setting, _)| *setting != "name") {
        (setting, value.to_string()).hash(&mut hasher);
    }
    let mut dependencies: Vec<_> = unit
        .dependencies
        .iter()
        .map(|one| (&one.extern_crate_name, identity(graph, one.index, known)))
        .collect();
    dependencies.sort();
    dependencies.hash(&mut hasher);
    let identity = hasher.finish();
    known[index] = Some(identity);
    identity
}

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(component_build::workspace_root())
        .env("RUSTC_BOOTSTRAP", "1")
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "`cargo {}` failed:\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
