//! Number of handwritten lines of the node. The facts about PagerDuty's API are imported, and the forms
//! are derived from them. This count shows whether that remains so.

use std::path::{Path, PathBuf};

/// Lines of the node: its code, the declaration, and the overlay, without blank lines, comments, and
/// tests. Lower the limit when the number falls; raise it only for a new feature.
const NODE: usize = 7_950;

/// Lines of the importer and of the crate that reads the facts, counted in the same way.
const IMPORTER: usize = 2_060;

#[test]
fn hand_written_lines_stay_below_their_limits() {
    let node = lines(&["src", "declaration/src", "actions", "build.rs"]);
    let importer = lines(&["api/src", "api/facts/src"]);
    assert!(node <= NODE, "the node has {node} lines, and the limit is {NODE}");
    assert!(importer <= IMPORTER, "the importer has {importer} lines, and the limit is {IMPORTER}");
    assert!(node + 100 > NODE && importer + 100 > IMPORTER, "lower the limits: {node}, {importer}");
}

fn lines(places: &[&str]) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    places.iter().flat_map(|place| files(&root.join(place))).map(|file| of_file(&file)).sum()
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|entry| files(&entry)).collect()
}

fn of_file(path: &Path) -> usize {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let comment = match extension {
        Some("rs") => "//",
        Some("toml") => "#",
        _ => return 0,
    };
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let counts = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with(comment);
    code.lines().filter(counts).count()
}
