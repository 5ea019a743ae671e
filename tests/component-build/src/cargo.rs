//! The build itself: cargo, shielded from what another cargo around it was told.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, PROFILE, TARGET, target};

/// Of cargo's own variables, those that say where things come from and not what is built.
const KEPT: &[&str] = &[
    "CARGO_BUILD_JOBS",
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
];

/// Variables of others that change what is built, or how: flags, wrappers of coverage tools and
/// clippy, the variables that cargo sets for build scripts.
const DROPPED: &[&str] = &[
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "LLVM_PROFILE_FILE",
    "MAKEFLAGS",
    "MFLAGS",
    "OUT_DIR",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];

/// Builds `package` of `workspace`, which gives `component`.
pub(crate) fn build(
    workspace: &Path,
    package: &str,
    target_directory: &Path,
    component: &Path,
) -> Result<(), Error> {
    if !component.is_file() {
        // Nobody minds if it cannot be said.
        let _ignored = writeln!(
            io::stderr(),
            "component-build: building {package} for {TARGET} (the first time takes a minute)"
        )
        .is_ok();
    }
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(&program);
    command
        .args(["build", "--quiet", "--package", package, "--target", TARGET])
        .args(["--profile", PROFILE, "--target-dir"])
        .arg(target_directory)
        .current_dir(workspace)
        .stdin(Stdio::null());
    if env::var("CARGO_NET_OFFLINE").is_ok_and(|value| value == "true" || value == "1") {
        command.args(["--offline", "--locked"]);
    }
    for (name, _) in env::vars_os() {
        if is_dropped(&name) {
            command.env_remove(name);
        }
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags()?);
    let output = command.output().map_err(|source| Error::Start {
        program: program.to_string_lossy().into_owned(),
        source,
    })?;
    if !output.status.success() {
        return Err(Error::Failed {
            command: format!("{command:?}"),
            directory: workspace.to_owned(),
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    if component.is_file() {
        Ok(())
    } else {
        Err(Error::NoComponent { path: component.to_owned() })
    }
}

fn is_dropped(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let is_cargos = name.starts_with("CARGO_") || name.starts_with("__CARGO");
    DROPPED.contains(&&*name) || (is_cargos && !KEPT.iter().any(|kept| name.starts_with(kept)))
}

/// Compiler flags of every component, separated in the way that cargo expects.
fn flags() -> Result<OsString, Error> {
    let (library, library_name) = target::standard_library()?;
    let mut remapped = vec![
        (crate::workspace_root().to_owned(), "/workflow-node".to_owned()),
        (library, library_name),
    ];
    if let Some(home) = home() {
        remapped.push((home, "/cargo".to_owned()));
    }
    // wasm-ld leaves room for the largest address at every call: some 18 kB of the node.
    let mut flags = OsString::from("-Clink-arg=--compress-relocations");
    for (path, name) in remapped {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(path);
        flags.push("=");
        flags.push(name);
    }
    Ok(flags)
}

/// Where cargo keeps the sources of dependencies.
pub(crate) fn home() -> Option<PathBuf> {
    match env::var_os("CARGO_HOME") {
        Some(home) => Some(PathBuf::from(home)),
        None => env::home_dir().map(|home| home.join(".cargo")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_outer_cargo_do_not_reach_the_build() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_PROFILE_COMPONENT_OPT_LEVEL",
            "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
            "CARGO_PKG_NAME",
            "RUSTC_WORKSPACE_WRAPPER",
            "CLIPPY_ARGS",
            "CARGO_LLVM_COV",
        ] {
            assert!(is_dropped(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "HOME", "CARGO", "CARGO_HOME", "CARGO_NET_OFFLINE", "RUSTUP_TOOLCHAIN"]
        {
            assert!(!is_dropped(OsStr::new(name)), "{name}");
        }
    }
}
