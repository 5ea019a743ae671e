//! Bills of materials in CycloneDX: of the packages that a Cargo project puts into a component, or one
//! that another tool has written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use cyclonedx_bom::prelude::{Bom, Validate as _};
use serde::Deserialize;
use serde_json::{Value, json};

/// The version of CycloneDX that is written.
const SPEC: &str = "1.5";
/// The target of components.
const TARGET: &str = "wasm32-wasip2";

/// Why there is no bill of materials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SbomError {
    /// Cargo says so.
    #[error("cargo metadata has failed for {manifest}: {message}")]
    Cargo {
        /// The manifest.
        manifest: String,
        /// Error message of cargo.
        message: String,
    },
    /// Cargo cannot be run, or its output or the lock file cannot be read.
    #[error("the dependencies of {manifest} cannot be read: {what}")]
    Project {
        /// The manifest.
        manifest: String,
        /// What cannot be read.
        what: &'static str,
        /// Why.
        source: Source,
    },
    /// The project builds something else.
    #[error("no package of {manifest} builds `{component}`")]
    OtherProject {
        /// The manifest.
        manifest: String,
        /// Name of the component's file.
        component: String,
    },
    /// Not a bill of materials.
    #[error("it is not a bill of materials in CycloneDX (JSON): {0}")]
    Invalid(String),
    /// Not JSON of the expected form.
    #[error("it cannot be read as CycloneDX (JSON)")]
    Form(#[source] Source),
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The manifest of the Cargo project that has built a component: the nearest one above it.
pub fn manifest_above(component: &Path) -> Option<PathBuf> {
    // Not through links: a target directory may be elsewhere.
    let component = std::path::absolute(component).ok()?;
    let manifests = component.ancestors().skip(1).map(|directory| directory.join("Cargo.toml"));
    manifests.into_iter().find(|manifest| manifest.is_file())
}

/// Checks a bill of materials that another tool has written, and counts its components.
///
/// # Errors
///
/// If it is not one.
pub fn check(text: &[u8]) -> Result<usize, SbomError> {
    let invalid = |message: &str| SbomError::Invalid(message.to_owned());
    let document: Value =
        serde_json::from_slice(text).map_err(|error| SbomError::Form(error.into()))?;
    if document.get("bomFormat").and_then(Value::as_str) != Some("CycloneDX") {
        return Err(invalid("`bomFormat` is not `CycloneDX`"));
    }
    let version = document.get("specVersion").and_then(Value::as_str);
    let version = version.ok_or_else(|| invalid("it has no `specVersion`"))?;
    // Newer versions are taken as they are.
    if ["1.3", "1.4", "1.5"].contains(&version) {
        let bom = Bom::parse_json_value(document.clone())
            .map_err(|error| SbomError::Form(error.into()))?;
        if let Some((place, error)) = bom.validate().errors().next() {
            return Err(SbomError::Invalid(format!("{place}: {error:?}")));
        }
    }
    let components = document.get("components").map(|list| list.as_array().map(Vec::len));
    match components {
        None => Ok(0),
        Some(Some(count)) => Ok(count),
        Some(None) => Err(invalid("`components` is not a list")),
    }
}

/// The bill of materials of a component that a Cargo project has built, from the versions in its
/// `Cargo.lock`: every package that the component's package depends on for WebAssembly, without what
/// only tests and build scripts use. The same project gives the same text.
///
/// # Errors
///
/// If the lock file is missing or stale, or no package of the project builds the component.
pub fn of_cargo(manifest: &Path, component: &Path) -> Result<String, SbomError> {
    let name = manifest.display().to_string();
    let unreadable = |what: &'static str, source: Source| SbomError::Project {
        manifest: name.clone(),
        what,
        source,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET])
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .map_err(|error| unreadable("cargo cannot be run", error.into()))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let message = message.trim().trim_start_matches("error: ").to_owned();
        return Err(SbomError::Cargo { manifest: name.clone(), message });
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| unreadable("cargo has unknown metadata", error.into()))?;
    let lock = std::fs::read_to_string(metadata.workspace_root.join("Cargo.lock"))
        .map_err(|error| unreadable("Cargo.lock", error.into()))?;
    let lock: Lock =
        toml::from_str(&lock).map_err(|error| unreadable("Cargo.lock", error.into()))?;
    let stem = component.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stem = stem.unwrap_or_default();
    let root = metadata.builder(&stem).ok_or_else(|| {
        let component = component.file_name().unwrap_or_default().to_string_lossy().into_owned();
        SbomError::OtherProject { manifest: name.clone(), component }
    })?;
    let document = metadata.bill(root, &lock);
    let text = serde_json::to_string_pretty(&document).unwrap_or_default() + "\n";
    check(text.as_bytes())?;
    Ok(text)
}

/// Output of `cargo metadata`, limited to the members in use.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<CargoPackage>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct CargoPackage {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

impl Metadata {
    /// The package that builds a component of this name.
    fn builder(&self, stem: &str) -> Option<&CargoPackage> {
        let is_it = |target: &Target| {
            let is_library = target.kind.iter().any(|kind| kind == "cdylib" || kind == "bin");
            is_library && target.name.replace('-', "_") == stem.replace('-', "_")
        };
        let members = self.packages.iter().filter(|one| self.workspace_members.contains(&one.id));
        members.into_iter().find(|one| one.targets.iter().any(is_it))
    }

    /// IDs of a package's normal dependencies. Dependencies of builds and tests are not included.
    fn normal(&self, id: &str) -> Vec<&str> {
        let node = self.resolve.nodes.iter().find(|node| node.id == id);
        let all = node.map(|node| node.deps.as_slice()).unwrap_or_default();
        let normal = |one: &&Dependency| one.dep_kinds.iter().any(|kind| kind.kind.is_none());
        all.iter().filter(normal).map(|one| one.pkg.as_str()).collect()
    }

    fn bill(&self, root: &CargoPackage, lock: &Lock) -> Value {
        let mut open = vec![root.id.as_str()];
        let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        while let Some(id) = open.pop() {
            if !edges.contains_key(id) {
                let on = self.normal(id);
                open.extend(&on);
                edges.insert(id, on);
            }
        }
        let mut of_it: Vec<&CargoPackage> =
            self.packages.iter().filter(|one| edges.contains_key(one.id.as_str())).collect();
        of_it.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
        let reference = |id: &str| {
            let package = self.packages.iter().find(|one| one.id == id);
            package.map(CargoPackage::reference).unwrap_or_default()
        };
        let others = of_it.iter().filter(|one| one.id != root.id);
        let components: Vec<Value> = others.map(|one| one.component("library", lock)).collect();
        let dependencies: Vec<Value> = of_it
            .iter()
            .map(|one| {
                let on = edges.get(one.id.as_str()).into_iter().flatten();
                let on: BTreeSet<String> = on.map(|id| reference(id)).collect();
                json!({ "ref": one.reference(), "dependsOn": on })
            })
            .collect();
        json!({
            "bomFormat": "CycloneDX",
            "specVersion": SPEC,
            "version": 1,
            "metadata": { "component": root.component("application", lock) },
            "components": components,
            "dependencies": dependencies,
        })
    }
}

impl CargoPackage {
    /// Identifies the package in the document, and in others where it is from the registry. Paths of
    /// the author's machine are in no document.
    fn reference(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version.replace('+', "%2B"))
    }

    fn component(&self, kind: &str, lock: &Lock) -> Value {
        let mut component = json!({
            "type": kind,
            "bom-ref": self.reference(),
            "name": self.name,
            "version": self.version,
            "scope": "required",
        });
        if let Some(license) = &self.license {
            // Cargo permits `/` for `OR`, which CycloneDX does not.
            let license = license.replace(" / ", " OR ").replace('/', " OR ");
            component["licenses"] = json!([{ "expression": license }]);
        }
        if self.source.as_deref().is_some_and(|source| source.starts_with("registry+")) {
            component["purl"] = Value::String(self.reference());
        }
        let locked = lock.package.iter().find(|one| {
            one.name == self.name && one.version == self.version && one.source == self.source
        });
        if let Some(checksum) = locked.and_then(|one| one.checksum.as_ref()) {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        component
    }
}
