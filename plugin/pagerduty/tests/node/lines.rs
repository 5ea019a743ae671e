//! Number of handwritten lines of the node. The facts about PagerDuty's API are imported, and the forms
//! are derived from them. This count shows whether that remains so.

use std::path::{Path, PathBuf};

/// Maximum number of lines: the code, the declaration, the overlay, the importer, and the crate that
/// reads the facts, without blank lines, comments, and tests. Raise it only for a new feature.
const LIMIT: usize = 9_000;

#[test]
fn hand_written_lines_stay_below_their_limit() {
    let places = ["src", "declaration/src", "actions", "build.rs", "api/src", "api/facts/src"];
    let lines = lines(&places);
    assert!(lines < LIMIT, "the node has {lines} handwritten lines, and the limit is {LIMIT}");
    assert!(lines > LIMIT / 2, "only {lines} lines were found");
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
