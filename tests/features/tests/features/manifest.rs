//! The generated part of the manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const MARKER: &str = "# --- generated ---\n";

/// The features to request, by name and version of the package.
pub(crate) type Listed = BTreeMap<(String, String), BTreeSet<String>>;

/// Replaces the generated part of the manifest.
pub(crate) fn write(listed: &Listed) {
    let path = component_build::workspace_root().join("tests/features/Cargo.toml");
    let text = fs::read_to_string(&path).expect("the manifest is readable");
    let (written, _) = text.split_once(MARKER).expect("the manifest has a marker");
    let list: String = listed.iter().map(|one| entry(one, listed)).collect();
    let text = format!(
        "{written}{MARKER}[target.'cfg(target_os = \"linux\")'.dependencies]\n{list}\n\
         [target.'cfg(target_os = \"linux\")'.build-dependencies]\n{list}"
    );
    fs::write(&path, text).expect("the manifest is writable");
}

fn entry(one: (&(String, String), &BTreeSet<String>), listed: &Listed) -> String {
    let ((name, version), features) = one;
    let requirement = requirement(version);
    let mut fields = Vec::new();
    let mut key = name.clone();
    if listed.keys().filter(|(other, _)| other == name).count() > 1 {
        key = format!("{name}-{}", requirement.replace('.', "_"));
        fields.push(format!("package = \"{name}\""));
    }
    fields.push(format!("version = \"{requirement}\""));
    if !features.contains("default") {
        fields.push("default-features = false".to_owned());
    }
    let features: Vec<_> = features.iter().filter(|feature| *feature != "default").collect();
    if !features.is_empty() {
        fields.push(format!("features = {features:?}"));
    }
    format!("{key} = {{ {} }}\n", fields.join(", "))
}

/// The shortest requirement that matches the versions compatible with `version`.
fn requirement(version: &str) -> &str {
    let end = version
        .match_indices('.')
        .map(|(at, _)| at)
        .find(|at| version[..*at].bytes().any(|byte| (b'1'..=b'9').contains(&byte)));
    &version[..end.unwrap_or(version.len())]
}
