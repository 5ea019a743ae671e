//! Errors link the error that caused them, and do not print it or keep only its text: a caller that
//! prints the whole chain would print it twice, and one that decides by the cause would not find it.

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
        // `Error)` ends a member that is an error itself.
        let has_source =
            ["#[source]", "#[from]", " source: ", "Error)"].iter().any(|one| item.contains(one));
        let prints = ["{0", "{source"].iter().any(|one| message.contains(one));
        if has_source && prints {
            found.push(message);
        }
        rest = after;
    }
    found
}

/// Errors that are made from the text of another one, as in `ReadError::Io(error.to_string())`. The
/// text between the parentheses is returned without white space, from the name of the type on.
fn flattened_sources(text: &str) -> Vec<String> {
    let text: String = text.chars().filter(|one| !one.is_whitespace()).collect();
    let mut found = Vec::new();
    for cause in ["error.to_string()", "{error}", "{error:#}"] {
        for (at, _) in text.match_indices(cause) {
            let mut before = &text[..at];
            if cause.starts_with('{') {
                let Some(quote) = before.rfind('"') else { continue };
                let Some(outer) = before[..quote].strip_suffix("format!(") else { continue };
                before = outer;
            }
            let Some(before) = before.strip_suffix('(') else { continue };
            let is_path = |one: char| one.is_alphanumeric() || one == '_' || one == ':';
            let path = &before[before.trim_end_matches(is_path).len()..];
            // An `ApiError` is an answer of the server, which has no sources.
            let is_error = |part: &str| part.ends_with("Error") && part != "ApiError";
            if path.split("::").any(is_error) {
                found.push(format!("{path}({cause}"));
            }
        }
    }
    found
}

fn findings(of: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let mut paths = Vec::new();
    for directory in ["host-harness", "wit/documents/src", "plugin/sdk/src"] {
        files(&root().join(directory), &mut paths);
    }
    assert!(paths.len() > 200, "only {} files were read", paths.len());
    let mut findings = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("the file is UTF-8");
        findings.extend(of(&text).iter().map(|one| format!("{}: {one}", path.display())));
    }
    findings
}

#[test]
fn errors_do_not_print_their_sources() {
    let found = findings(|text| printed_sources(text).into_iter().map(str::to_owned).collect());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn errors_do_not_keep_only_the_text_of_their_sources() {
    let found = findings(flattened_sources);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_flattened_source_is_found() {
    for (text, expected) in [
        ("read.map_err(|error| ReadError::Io(\n    error.to_string()))", 1),
        ("ReadError::new(format!(\"cannot read {path}: {error}\"))", 1),
        ("ReadError(format!(\"{error:#}\"))", 1),
        ("Failure::internal(error.to_string())", 0),
        ("read.map_err(|error| ReadError::Io(error))", 0),
        ("panic!(\"{error}\")", 0),
    ] {
        assert_eq!(flattened_sources(text).len(), expected, "{text}");
    }
}

#[test]
fn a_printed_source_is_found() {
    for text in [
        "#[error(\"failed: {0}\")]\nIo(#[from] io::Error),\n",
        "#[error(\"failed: {0}\")]\nIo(io::Error),\n",
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
