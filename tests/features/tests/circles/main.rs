//! The top-level modules of each shipped crate use each other without circles: what a module needs
//! can be read without the module. A type that two modules need belongs below both of them, and a
//! conversion beside the type that depends on the other.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use source::{code, paths, re_exports};

/// Sources of the shipped crates.
const CRATES: &[&str] = &[
    "wit/documents/src",
    "plugin/sdk/src",
    "host-harness/library/src",
    "host-harness/server/src",
    "host-harness/testing/src",
    "host-harness/command/src",
];

/// The modules that each module uses, with the files that do.
type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the directory can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The sources of a crate by their paths below its `src`, without tests in files of their own.
fn sources(directory: &Path) -> BTreeMap<String, String> {
    let mut files = Vec::new();
    rust_files(directory, &mut files);
    let mut sources = BTreeMap::new();
    for file in files {
        let below = file.strip_prefix(directory).expect("the file is below its directory");
        let below = below.to_string_lossy().replace('\\', "/");
        let is_test = below.split('/').any(|part| matches!(part, "tests" | "tests.rs"));
        if !is_test {
            sources.insert(below, std::fs::read_to_string(&file).expect("the file is UTF-8"));
        }
    }
    sources
}

/// The top-level module that a file belongs to.
fn module(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// How many modules a file is below the root of its crate.
fn depth(file: &str) -> usize {
    let is_mod = file.ends_with("/mod.rs");
    file.split('/').count() - usize::from(is_mod)
}

fn graph(sources: &BTreeMap<String, String>) -> Graph {
    let modules: BTreeSet<&str> = sources.keys().map(|file| module(file)).collect();
    let root = sources.get("lib.rs").map(|text| re_exports(&code(text))).unwrap_or_default();
    let mut graph = Graph::new();
    for (file, text) in sources {
        let from = module(file);
        if matches!(from, "lib" | "main") {
            continue;
        }
        for name in paths(&code(text), depth(file)) {
            let to = if modules.contains(name.as_str()) { Some(&name) } else { root.get(&name) };
            if let Some(to) = to.filter(|to| *to != from) {
                let uses = graph.entry(from.to_owned()).or_default();
                uses.entry(to.clone()).or_default().insert(file.clone());
            }
        }
    }
    graph
}

/// Everything that a module uses, directly or not.
fn reachable(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(module) = open.pop() {
        for next in graph.get(&module).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

/// The uses that are part of a circle, each with the files that it is in.
fn circular_uses(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (from, uses) in graph {
        for (to, files) in uses {
            if reachable(graph, to).contains(from) {
                let files: Vec<&str> = files.iter().map(String::as_str).collect();
                found.push(format!("{from} uses {to}: {}", files.join(", ")));
            }
        }
    }
    found
}

#[test]
fn top_level_modules_use_each_other_without_circles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for name in CRATES {
        let sources = sources(&root.join(name));
        let graph = graph(&sources);
        let uses: usize = graph.values().map(BTreeMap::len).sum();
        assert!(uses > 10, "{name}: only {uses} uses of modules were found");
        found.extend(circular_uses(&graph).into_iter().map(|one| format!("{name}: {one}")));
    }
    assert!(
        found.is_empty(),
        "These uses are part of circles. Move what both sides need into a module below them.\n{}",
        found.join("\n")
    );
}

fn graph_of(files: &[(&str, &str)]) -> Graph {
    graph(&files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn a_circle_is_found_however_a_path_is_written() {
    for back in [
        "use crate::one::One;",
        "use crate::{three::Three, one::{self, One}};",
        "use super::one::One;",
        "fn f() -> crate::one::One { crate::one::One }",
        "use crate::One;",
    ] {
        let graph = graph_of(&[
            ("lib.rs", "mod one;\nmod two;\nmod three;\npub use one::{Other, One};\n"),
            ("one.rs", "use crate::two::Two;\npub struct One;\n"),
            ("two.rs", back),
            ("three.rs", "pub struct Three;"),
        ]);
        let found = circular_uses(&graph);
        assert_eq!(found, ["one uses two: one.rs", "two uses one: two.rs"], "{back}");
    }
}

#[test]
fn a_circle_of_three_modules_is_found_in_files_below_them() {
    let graph = graph_of(&[
        ("one/mod.rs", "mod part;\n"),
        ("one/part.rs", "use super::Own;\nuse super::super::two::Two;\n"),
        ("two.rs", "use crate::three::Three;"),
        ("three.rs", "use crate::one::One;"),
    ]);
    assert_eq!(circular_uses(&graph).len(), 3);
}

#[test]
fn tests_comments_and_texts_do_not_count() {
    let graph = graph_of(&[
        ("one.rs", "use crate::two::Two;\n"),
        (
            "two.rs",
            "//! See [`crate::one`].\nconst TEXT: &str = \"crate::one\";\n/* crate::one */\n\
             #[cfg(test)]\nmod tests {\n    use crate::one::One;\n    fn f() { let c = '{'; }\n}\n",
        ),
        ("two/part.rs", "use super::one::One;\n"),
    ]);
    assert_eq!(circular_uses(&graph), Vec::<String>::new());
}
