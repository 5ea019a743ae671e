//! Packs the sources that `harness new` vendors: the SDK and the documents, with standalone
//! manifests. Without them, a new project could not be built before the crates are published.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use toml::{Table, Value};

/// The crates, their directories below the root, and the directories that belong to each.
const CRATES: &[(&str, &str, &[&str])] = &[
    ("workflow-node-documents", "wit/documents", &["src", "schemas"]),
    ("workflow-node-sdk", "plugin/sdk", &["src", "wit"]),
];

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = manifest.join("../..");
    let workspace = parsed(&root.join("Cargo.toml"));
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (name, directory, parts) in CRATES {
        let directory = root.join(directory);
        let text = manifest_of(&parsed(&directory.join("Cargo.toml")), &workspace);
        files.insert(format!("{name}/Cargo.toml"), text);
        add(&directory.join("README.md"), &format!("{name}/README.md"), &mut files);
        for part in *parts {
            add(&directory.join(part), &format!("{name}/{part}"), &mut files);
        }
        for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
            add(&root.join(license), &format!("{name}/{license}"), &mut files);
        }
    }
    let json = serde_json::to_vec(&files).expect("texts can be written");
    let path = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("vendored");
    let file = fs::File::create(path).expect("the output can be created");
    let mut packed = flate2::write::DeflateEncoder::new(file, flate2::Compression::best());
    packed.write_all(&json).and_then(|()| packed.finish()).expect("the output can be written");
}

/// Adds a file, or all files below a directory.
fn add(path: &Path, name: &str, files: &mut BTreeMap<String, String>) {
    println!("cargo::rerun-if-changed={}", path.display());
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = fs::read_dir(path)
            .expect("the directory can be read")
            .map(|entry| entry.expect("the directory can be read").path())
            .collect();
        entries.sort();
        for entry in entries {
            let below = entry.file_name().expect("it has a name").to_string_lossy().into_owned();
            add(&entry, &format!("{name}/{below}"), files);
        }
        return;
    }
    files.insert(name.to_owned(), fs::read_to_string(path).expect("the file is text"));
}

fn parsed(path: &Path) -> Table {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(path).expect("the manifest can be read");
    text.parse().expect("it is a manifest")
}

/// A standalone manifest: values from the workspace are written out, and what only our tests need
/// is removed.
fn manifest_of(own: &Table, workspace: &Table) -> String {
    let shared = |section: &str| {
        let workspace = workspace.get("workspace").and_then(Value::as_table);
        workspace.and_then(|table| table.get(section)).and_then(Value::as_table)
    };
    let package = shared("package").expect("the workspace describes packages");
    let dependencies = shared("dependencies").expect("the workspace has dependencies");
    let mut text = String::from("# Written by `harness new` from the manifest of the crate.\n");
    for (section, value) in own {
        let Some(table) = value.as_table() else { continue };
        match section.as_str() {
            "package" => {
                let kept = table.iter().filter(|(name, _)| {
                    !matches!(name.as_str(), "exclude" | "metadata" | "repository")
                });
                text.push_str(&section_of(
                    "package",
                    kept.map(|(name, value)| (name.as_str(), resolved(name, value, package))),
                ));
                text.push_str("publish = false\n");
            }
            "dependencies" => text.push_str(&dependencies_of("dependencies", table, dependencies)),
            "features" => {
                let all = table.iter().map(|(name, value)| (name.as_str(), value.clone()));
                text.push_str(&section_of("features", all));
            }
            "target" => {
                for (target, value) in table {
                    let of_target = value.get("dependencies").and_then(Value::as_table);
                    let name = format!("target.{}.dependencies", Value::String(target.clone()));
                    let table = of_target.expect("a target has dependencies");
                    text.push_str(&dependencies_of(&name, table, dependencies));
                }
            }
            _ => {}
        }
    }
    text
}

/// A value, or that of the workspace if it refers to it.
fn resolved(name: &str, value: &Value, shared: &Table) -> Value {
    let is_shared = value.get("workspace").and_then(Value::as_bool) == Some(true);
    match is_shared {
        true => shared.get(name).expect("the workspace has it").clone(),
        false => value.clone(),
    }
}

fn dependencies_of(section: &str, own: &Table, shared: &Table) -> String {
    let all = own.iter().map(|(name, value)| {
        let mut table = match resolved(name, value, shared) {
            Value::Table(table) => table,
            version => Table::from_iter([("version".to_owned(), version)]),
        };
        if let Some(own) = value.as_table() {
            table.extend(own.clone());
        }
        table.remove("workspace");
        if table.contains_key("path") {
            // The crates are vendored next to each other.
            table.insert("path".to_owned(), Value::String(format!("../{name}")));
        }
        (name.as_str(), Value::Table(table))
    });
    section_of(section, all)
}

fn section_of<'a>(name: &str, members: impl Iterator<Item = (&'a str, Value)>) -> String {
    let mut text = format!("\n[{name}]\n");
    for (name, value) in members {
        text.push_str(&format!("{name} = {value}\n"));
    }
    text
}
