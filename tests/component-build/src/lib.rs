//! Builds components for tests, the demo and the benchmarks: for wasm32-wasip2, with the profile
//! `component`, into `target/component`.
//!
//! That target directory is its own, so that the cargo that runs a test and holds the lock of
//! `target` is not waited for. The target wasm32-wasip2 is added when it is missing. What the
//! outer cargo was told (coverage, clippy, other flags) does not reach the build, and no path of
//! this machine is in its result: the same sources yield the same bytes.
//!
//! The workspace is found at run time, so that a copied checkout builds its own sources.
//!
//! This crate knows where components lie, and nothing of what they do.

mod cargo;
mod error;
mod root;
mod target;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

pub use error::Error;

/// Compilation target of components.
const TARGET: &str = "wasm32-wasip2";

/// The profile of `Cargo.toml` that they are built with.
const PROFILE: &str = "component";

/// The root of the workspace that the running program belongs to.
///
/// # Panics
///
/// If neither the manifest directory that cargo sets, nor the current directory, nor the executable
/// is inside the workspace.
pub fn workspace_root() -> &'static Path {
    find_workspace_root().unwrap_or_else(|error| panic!("{error}"))
}

fn find_workspace_root() -> Result<&'static Path, Error> {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    match ROOT.get() {
        Some(root) => Ok(root),
        None => root::find().map(|root| ROOT.get_or_init(|| root).as_path()),
    }
}

/// The PagerDuty component, built if it is not up to date.
///
/// # Panics
///
/// When it cannot be built; the message says why, and what to type. See [`build_pagerduty`].
pub fn pagerduty() -> PathBuf {
    build_pagerduty().unwrap_or_else(|error| panic!("{error}"))
}

/// The component of the example node in `tests/plugins/github`, built if it is not up to date.
///
/// # Panics
///
/// As [`pagerduty`].
pub fn github() -> PathBuf {
    let built = find_workspace_root().and_then(|root| build_once(root, "github-node", "github"));
    built.unwrap_or_else(|error| panic!("{error}"))
}

/// The component of the crate `name` in `tests/guests`, built if it is not up to date.
///
/// # Panics
///
/// When it cannot be built; the message says why, and what to type. See [`build_guest`].
pub fn guest(name: &str) -> PathBuf {
    build_guest(name).unwrap_or_else(|error| panic!("{error}"))
}

/// The component of the example in `tests/plugins/LANGUAGE`, where `.ci/engines` has built it from
/// the sources as they are: nothing is built here, because that takes a toolchain of the language.
pub fn example(language: &str) -> Option<PathBuf> {
    let root = workspace_root();
    let component = root.join("target").join("examples").join(language).with_extension("wasm");
    let modified = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let built = modified(&component)?;
    let sources = [root.join("tests").join("plugins").join(language), root.join("wit")];
    let files = sources.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten();
    let is_current =
        files.flatten().all(|file| modified(&file.path()).is_some_and(|at| at <= built));
    is_current.then_some(component)
}

/// As [`pagerduty`].
///
/// # Errors
///
/// When the workspace is not found, the target cannot be added, or the build fails.
pub fn build_pagerduty() -> Result<PathBuf, Error> {
    build_once(find_workspace_root()?, "pagerduty-node", "pagerduty")
}

/// As [`guest`].
///
/// # Errors
///
/// As [`build_pagerduty`]; also when there is no such crate.
pub fn build_guest(name: &str) -> Result<PathBuf, Error> {
    let guests = find_workspace_root()?.join("tests").join("guests");
    if !guests.join(name).join("Cargo.toml").is_file() {
        return Err(Error::NoSuchGuest { name: name.to_owned(), guests });
    }
    build_once(&guests, name, &name.replace('-', "_"))
}

/// Builds a package once per process. Other processes may build at the same time: cargo locks the
/// target directory.
fn build_once(workspace: &Path, package: &str, library: &str) -> Result<PathBuf, Error> {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(component) = built.get(package) {
        return Ok(component.clone());
    }
    let target_directory = workspace_root().join("target").join("component");
    target::ensure(&target_directory)?;
    let component =
        target_directory.join(TARGET).join(PROFILE).join(library).with_extension("wasm");
    cargo::build(workspace, package, &target_directory, &component)?;
    built.insert(package.to_owned(), component.clone());
    Ok(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_root_is_where_the_workspace_is() {
        assert!(workspace_root().join("wit/worlds.wit").is_file());
    }

    #[test]
    fn a_guest_that_does_not_exist_is_refused_by_name() {
        let error = build_guest("no-such-guest").unwrap_err();
        assert!(error.to_string().contains("no-such-guest"), "{error}");
    }

    #[test]
    fn guests_are_built_as_the_node_is() {
        let profile = |manifest: &str| {
            let text = std::fs::read_to_string(workspace_root().join(manifest)).unwrap();
            let (_, rest) = text.split_once("[profile.component]").expect("it has the profile");
            rest.split("\n[").next().unwrap_or_default().trim().to_owned()
        };
        assert_eq!(profile("Cargo.toml"), profile("tests/guests/Cargo.toml"));
    }

    #[test]
    fn a_component_is_built_without_a_path_of_this_machine() {
        let component = guest("minimal-node");
        let bytes = std::fs::read(&component).unwrap();
        assert_eq!(&bytes[..4], b"\0asm");
        let cargo_home = cargo::home().expect("cargo has a home");
        for path in [workspace_root(), &cargo_home, &target::sysroot().unwrap()] {
            let path = path.to_str().expect("a path in UTF-8").as_bytes();
            assert!(!bytes.windows(path.len()).any(|at| at == path), "{component:?}");
        }
        assert_eq!(guest("minimal-node"), component);
    }
}
