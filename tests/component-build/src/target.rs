//! The toolchain's part: its sysroot, and the target wasm32-wasip2, added when it is missing.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, TARGET, workspace_root};

/// Adds the target to the toolchain in use, unless it is there.
pub(crate) fn ensure(target_directory: &Path) -> Result<(), Error> {
    if is_installed()? {
        return Ok(());
    }
    // Another process may be at it: rustup itself does not wait for one.
    let path = target_directory.join("target-add.lock");
    let lock = fs::create_dir_all(target_directory)
        .and_then(|()| File::create(&path))
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|source| Error::Directory { path, source })?;
    if is_installed()? {
        return Ok(());
    }
    let result = add();
    drop(lock);
    result
}

fn add() -> Result<(), Error> {
    let mut arguments = vec!["target".to_owned(), "add".to_owned(), TARGET.to_owned()];
    if let Some(toolchain) = toolchain(&sysroot()?) {
        arguments.extend(["--toolchain".to_owned(), toolchain]);
    }
    let command = format!("rustup {}", arguments.join(" "));
    // Nobody minds if it cannot be said.
    let _ignored = writeln!(io::stderr(), "component-build: adding the target: {command}").is_ok();
    let missing = |reason: String| Error::TargetMissing { command: command.clone(), reason };
    let output = Command::new("rustup").args(&arguments).current_dir(workspace_root()).output();
    match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(
            "rustup was not found (without rustup, install the target's standard library by the \
             package manager that rustc came with)"
                .to_owned(),
        )),
        Err(error) => Err(missing(error.to_string())),
        Ok(output) if !output.status.success() => {
            Err(missing(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
        Ok(_) if is_installed()? => Ok(()),
        Ok(_) => Err(missing("rustup added it to another toolchain than the one in use".into())),
    }
}

/// The name that rustup knows a toolchain by; `None` where rustup does not manage it.
fn toolchain(sysroot: &Path) -> Option<String> {
    let is_managed = sysroot.parent()?.file_name()? == "toolchains";
    is_managed.then(|| sysroot.file_name()?.to_str().map(str::to_owned)).flatten()
}

fn is_installed() -> Result<bool, Error> {
    let library = rustc(&["--print", "target-libdir", "--target", TARGET])?;
    let Ok(files) = fs::read_dir(library.trim()) else {
        return Ok(false);
    };
    let mut names = files.flatten().map(|file| file.file_name());
    Ok(names.any(|name| name.to_string_lossy().starts_with("libstd-")))
}

/// Where the toolchain in use lies.
pub(crate) fn sysroot() -> Result<PathBuf, Error> {
    Ok(PathBuf::from(rustc(&["--print", "sysroot"])?.trim()))
}

/// The directory of the standard library's sources, and the name it has in the library itself.
pub(crate) fn standard_library() -> Result<(PathBuf, String), Error> {
    let sources = sysroot()?.join("lib").join("rustlib").join("src").join("rust");
    let version = rustc(&["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    Ok((sources, format!("/rustc/{}", commit.unwrap_or("unknown"))))
}

fn rustc(arguments: &[&str]) -> Result<String, Error> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output =
        Command::new(&program).args(arguments).current_dir(workspace_root()).output().map_err(
            |source| Error::Start { program: program.to_string_lossy().into_owned(), source },
        )?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Error::Rustc {
            arguments: arguments.join(" "),
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_toolchain_of_rustup_is_named_to_rustup() {
        let managed = Path::new("/home/ada/.rustup/toolchains/stable-x86_64-unknown-linux-gnu");
        assert_eq!(toolchain(managed).as_deref(), Some("stable-x86_64-unknown-linux-gnu"));
        assert_eq!(toolchain(Path::new("/usr/lib/rust-1.95")), None);
        assert_eq!(toolchain(Path::new("/")), None);
    }

    #[test]
    fn the_target_is_there_or_is_added() {
        let directory = workspace_root().join("target").join("component");
        ensure(&directory).unwrap();
        assert!(is_installed().unwrap());
    }
}
