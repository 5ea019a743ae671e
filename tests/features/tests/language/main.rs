//! Keeps retired phrases out of the text that people read: Markdown, help and messages, comments, the
//! names of tests, the contract's schemas and interfaces, and the forms of the PagerDuty node.
//! CONTRIBUTING.md states the language rules; this test finds violations that a program can find.

mod names;
mod passages;
mod phrases;

use std::path::{Path, PathBuf};

use passages::{Passage, passages};
use phrases::{RETIRED, find};

/// Directories whose files are not read: build output, and code without text for users.
const SKIPPED: &[&str] = &["target", ".git", "node_modules"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Paths of all files below a directory, relative to the root, with `/` as separator.
fn files(directory: &Path, relative: &str, found: &mut Vec<String>) {
    let entries = std::fs::read_dir(directory).expect("the directory can be read");
    for entry in entries.map(|entry| entry.expect("the entry can be read")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if relative.is_empty() { name.clone() } else { format!("{relative}/{name}") };
        let kind = entry.file_type().expect("the file has a type");
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            files(&entry.path(), &path, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

#[test]
fn text_for_people_contains_no_retired_phrases() {
    let mut paths = Vec::new();
    files(&root(), "", &mut paths);
    paths.sort();
    let mut findings = Vec::new();
    let mut read = 0;
    for path in &paths {
        let Some(kind) = passages::kind(path) else { continue };
        let text = std::fs::read_to_string(root().join(path)).expect("the file is UTF-8");
        read += 1;
        for passage in passages(kind, &text) {
            for (retired, line) in find(&passage) {
                findings
                    .push(format!("{path}:{line}: \"{}\". {}", retired.phrase, retired.suggestion));
            }
        }
        if kind.is_rust() {
            findings.extend(names::findings(path, &text));
        }
    }
    assert!(read > 300, "only {read} files were read; the list of files is incomplete");
    assert!(
        findings.is_empty(),
        "These phrases are retired. CONTRIBUTING.md states the language rules.\n{}",
        findings.join("\n")
    );
}

#[test]
fn every_retired_phrase_is_found_in_every_kind_of_text() {
    for retired in RETIRED {
        let sentence = format!("It {} there.", retired.phrase);
        let (first, rest) = sentence.split_once(' ').expect("a sentence has words");
        for (path, text, expected) in [
            ("docs/page.md", format!("# Title\n\n{first}\n{rest}\n"), 3),
            ("wit/http.wit", format!("/// {first}\n/// {rest}\ninterface http {{}}\n"), 1),
            ("wit/schemas/node.json", format!("{{\n  \"description\": \"{sentence}\"\n}}\n"), 2),
            ("plugin/pagerduty/actions/user.toml", format!("\ndescription = \"{sentence}\"\n"), 2),
            (
                "plugin/sdk/src/lib.rs",
                format!("fn f() -> &'static str {{\n    \"{first} \\\n     {rest}\"\n}}\n"),
                2,
            ),
            (
                "host-harness/library/src/lib.rs",
                format!("\n/// {first}\n/// {rest}\nfn f() {{}}\n"),
                2,
            ),
            (
                "tests/end-to-end/tests/all/main.rs",
                format!("fn f() {{\n    // {first}\n    // {rest}\n    g();\n}}\n"),
                2,
            ),
        ] {
            let kind = passages::kind(path).expect("the file is checked");
            let found: Vec<(&str, usize)> = passages(kind, &text)
                .iter()
                .flat_map(find)
                .map(|(retired, line)| (retired.phrase, line))
                .collect();
            assert!(
                found.iter().any(|(phrase, line)| {
                    *phrase == retired.phrase && (expected..=expected + 1).contains(line)
                }),
                "{}: {text}\n{found:?}",
                retired.phrase
            );
        }
    }
}

#[test]
fn ordinary_sentences_are_accepted() {
    let text = "There is no fallback. There are no records. It is no longer valid. It is no more \
                than 5. The path template `{id}` stands for one segment. The tellers are handsome.";
    let passage = Passage::new(1, text);
    assert_eq!(find(&passage).len(), 0);
}

#[test]
fn code_in_markdown_and_identifiers_in_rust_are_not_text() {
    let kind = passages::kind("README.md").expect("the file is checked");
    let text = "```text\nit tells anew\n```\n\nPlain text.\n";
    assert!(passages(kind, text).iter().all(|passage| find(passage).is_empty()));
    let kind = passages::kind("plugin/sdk/src/lib.rs").expect("the file is checked");
    let text = "fn tells() { let anew = 'a'; }\n";
    assert!(passages(kind, text).iter().all(|passage| find(passage).is_empty()));
}

#[test]
fn names_of_tests_are_sentences_without_retired_phrases() {
    let text = |name: &str| {
        format!(
            "#[tokio::test]\n#[should_panic]\nasync fn {name}() {{}}\nfn what_a_helper() {{}}\n"
        )
    };
    for wrong in ["what_is_sent_is_recorded", "a_file_is_told", "who_asks_gets_it", "works"] {
        assert_eq!(names::findings("a.rs", &text(wrong)).len(), 1, "{wrong}");
    }
    for right in ["a_request_is_recorded", "there_is_no_fallback", "it_is_no_longer_valid"] {
        assert_eq!(names::findings("a.rs", &text(right)), Vec::<String>::new());
    }
}
