//! The names of tests: sentences, by the same rules as other text.

use crate::passages::Passage;
use crate::phrases::find;

/// A name that begins with one of these is a relative clause, not a sentence with a subject.
const CLAUSES: &[&str] = &["what", "who", "whoever", "whatever", "it"];

/// Violations in the names of a file's tests.
pub(crate) fn findings(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (line, name) in tests(text) {
        let passage = Passage::new(line, &name.replace('_', " "));
        for (retired, line) in find(&passage) {
            findings.push(format!(
                "{path}:{line}: \"{}\" in the test `{name}`. {}",
                retired.phrase, retired.suggestion
            ));
        }
        let mut words = name.split('_');
        let is_clause = words.next().is_some_and(|first| CLAUSES.contains(&first));
        if is_clause && !name.starts_with("it_is_") {
            findings.push(format!("{path}:{line}: name the subject of the test `{name}`."));
        }
        if name.split('_').count() < 3 {
            findings.push(format!("{path}:{line}: write the test `{name}` as a sentence."));
        }
    }
    findings
}

/// The functions with an attribute `test`, with the line of each.
fn tests(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_test = false;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let line = line.trim_start();
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
            return None;
        }
        if line.starts_with("#[") || line.starts_with("//") {
            return None;
        }
        let was_test = std::mem::take(&mut is_test);
        let name = line.trim_start_matches("pub ").trim_start_matches("async ").strip_prefix("fn ");
        name.filter(|_| was_test).map(|name| {
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            (number, &name[..end])
        })
    })
}
