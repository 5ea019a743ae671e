//! Errors link the error that caused them, and do not print it: a caller that prints the whole chain
//! would print it twice.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Rust files of the shipped crates.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the directory can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The messages of `#[error("…")]` whose variant or struct has a source that the message prints.
fn printed_sources(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("#[error(") {
        let attribute = &rest[at..];
        let end = attribute.find(")]").map_or(attribute.len(), |end| end + 2);
        let (message, after) = attribute.split_at(end);
        // Up to the attribute of the next variant, or the end of the type.
        let item = after.split("#[error(").next().unwrap_or_default();
        let item = item.split("\n}").next().unwrap_or_default();
        let has_source = ["#[source]", "#[from]", " source: "].iter().any(|one| item.contains(one));
        let prints = ["{0", "{source"].iter().any(|one| message.contains(one));
        if has_source && prints {
            found.push(message);
        }
        rest = after;
    }
    found
}

#[test]
fn errors_do_not_print_their_sources() {
    let mut paths = Vec::new();
    for directory in ["host-harness", "wit/documents/src", "plugin/sdk/src"] {
        files(&root().join(directory), &mut paths);
    }
    assert!(paths.len() > 200, "only {} files were read", paths.len());
    let mut findings = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("the file is UTF-8");
        for message in printed_sources(&text) {
            findings.push(format!("{}: {message}", path.display()));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn a_printed_source_is_found() {
    for text in [
        "#[error(\"failed: {0}\")]\nIo(#[from] io::Error),\n",
        "#[error(\"failed: {source}\")]\nIo { path: PathBuf, source: io::Error },\n",
    ] {
        assert_eq!(printed_sources(text).len(), 1, "{text}");
    }
    for text in [
        "#[error(\"failed\")]\nIo(#[from] io::Error),\n#[error(\"no `{0}`\")]\nUnknown(String),\n",
        "#[error(transparent)]\nIo(#[from] io::Error),\n",
    ] {
        assert_eq!(printed_sources(text), Vec::<&str>::new());
    }
}
