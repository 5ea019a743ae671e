//! Finds the workspace at run time. A path that is compiled in would still name the original tree
//! after a checkout has been copied together with its `target` directory.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// A place to start searching: its name in error messages, and its path if known.
type Start = (&'static str, Option<PathBuf>);

/// Returns the root of the workspace that encloses the first of three paths that has one.
///
/// Cargo sets `CARGO_MANIFEST_DIR` for the tests, benchmarks, and programs that it runs. For a
/// program started in any other way, the current directory decides, and then the location of the
/// executable in `target`.
pub(crate) fn find() -> Result<PathBuf, Error> {
    search(vec![
        ("CARGO_MANIFEST_DIR", env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)),
        ("the current directory", env::current_dir().ok()),
        ("the executable", env::current_exe().ok()),
    ])
}

fn search(starts: Vec<Start>) -> Result<PathBuf, Error> {
    let root = starts.iter().find_map(|(_, path)| enclosing(path.as_deref()?));
    match root {
        Some(root) => Ok(root.to_owned()),
        None => Err(Error::NoWorkspace { searched: starts }),
    }
}

fn enclosing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|directory| is_root(directory))
}

fn is_root(directory: &Path) -> bool {
    directory.join("plugin/pagerduty/Cargo.toml").is_file()
        && fs::read_to_string(directory.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.lines().any(|line| line.trim() == "[workspace]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that holds a workspace, `checkout`, and something else.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let path =
                env::temp_dir().join(format!("component-build-{}-{name}", std::process::id()));
            let checkout = path.join("checkout");
            for directory in ["plugin/pagerduty", "tests/guests/hostile", "target/debug/deps"] {
                fs::create_dir_all(checkout.join(directory)).unwrap();
            }
            fs::write(checkout.join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
            fs::write(checkout.join("plugin/pagerduty/Cargo.toml"), "[package]\n").unwrap();
            // Another workspace, within the one that is searched for.
            fs::write(checkout.join("tests/guests/Cargo.toml"), "[workspace]\n").unwrap();
            fs::create_dir_all(path.join("elsewhere")).unwrap();
            Self(path)
        }

        fn start(&self, path: &str) -> Start {
            ("here", Some(self.0.join(path)))
        }

        fn root(&self) -> PathBuf {
            self.0.join("checkout")
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ignored = fs::remove_dir_all(&self.0).is_ok();
        }
    }

    #[test]
    fn the_workspace_is_found_from_any_directory_in_it() {
        let tree = Tree::new("within");
        for start in ["checkout", "checkout/plugin/pagerduty", "checkout/tests/guests/hostile"] {
            assert_eq!(search(vec![tree.start(start)]).unwrap(), tree.root(), "{start}");
        }
    }

    #[test]
    fn a_start_outside_of_a_workspace_is_followed_by_the_next() {
        let tree = Tree::new("next");
        let executable = tree.start("checkout/target/debug/deps/demo-0123");
        let starts = vec![("nowhere", None), tree.start("elsewhere"), executable];
        assert_eq!(search(starts).unwrap(), tree.root());
    }

    #[test]
    fn the_first_start_wins() {
        let (first, second) = (Tree::new("first"), Tree::new("second"));
        let starts = vec![first.start("checkout/tests"), second.start("checkout")];
        assert_eq!(search(starts).unwrap(), first.root());
    }

    #[test]
    fn the_error_names_what_was_searched() {
        let tree = Tree::new("none");
        let error = search(vec![("nowhere", None), tree.start("elsewhere")]).unwrap_err();
        let elsewhere = tree.0.join("elsewhere");
        let searched = format!("nowhere (not set), here ({})", elsewhere.display());
        assert!(error.to_string().contains(&searched), "{error}");
    }
}
