//! The one place that writes to standard output and standard error. Everything is made harmless
//! for a terminal on its way: what plugins and services say may hold control sequences and
//! characters that turn the direction of writing.

mod json;
mod table;
mod text;

use std::borrow::Cow;
use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::json;
use workflow_node_host::description::FieldProblem;

use crate::exit::{Exit, Failure};
use crate::flags::Format;

pub(crate) use crate::words::count;
pub(crate) use json::{DryRunElement, ItemLine, RecordLine, ResultElement};
pub(crate) use table::{READING, fits, key_texts, points, simple_table, wide_table, wrapped};
pub(crate) use text::{Summary, results};

/// Writes text for people.
pub(crate) fn stdout(text: &str) -> Result<(), Failure> {
    write(harmless(text).as_bytes())
}

/// Writes one JSON document and ends the line. Escapes in strings represent the same characters, so the
/// value of the document does not change.
pub(crate) fn stdout_json(document: &str) -> Result<(), Failure> {
    let mut text = json::harmless(document).into_owned();
    text.push('\n');
    write(text.as_bytes())
}

/// Writes one JSON document as one line, however it was written.
pub(crate) fn stdout_line(document: &str) -> Result<(), Failure> {
    stdout_json(&json::one_line(document))
}

/// JSON documents, a line each, that are written together.
#[derive(Default)]
pub(crate) struct JsonLines(String);

impl JsonLines {
    /// How many bytes are gathered before they are written.
    const GATHERED: usize = 64 * 1024;

    /// Adds a line.
    pub(crate) fn push(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        let document = serde_json::to_string(line).map_err(Failure::internal)?;
        self.0.push_str(&json::harmless(&json::one_line(&document)));
        self.0.push('\n');
        Ok(())
    }

    /// Whether it is time to write them.
    pub(crate) fn are_many(&self) -> bool {
        self.0.len() >= Self::GATHERED
    }

    /// Whether nothing is to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them.
    pub(crate) fn write(&mut self) -> Result<(), Failure> {
        let written = write(self.0.as_bytes());
        self.0.clear();
        written
    }
}

/// Writes a report of a command as JSON.
pub(crate) fn stdout_report(report: &impl Serialize) -> Result<(), Failure> {
    stdout_json(&serde_json::to_string_pretty(report).map_err(Failure::internal)?)
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| {
        let message = format!("Cannot write to standard output: {error}");
        let mut failure = Failure::new(Exit::Internal, "output", message);
        // The reader has closed the pipe.
        failure.silent = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    })
}

/// Writes text for people to standard error. Where that is gone, nobody can be told.
pub(crate) fn stderr(text: &str) {
    let _written = io::stderr().lock().write_all(harmless(text).as_bytes()).is_ok();
}

/// Reports why the command ends.
pub(crate) fn failure(failure: &Failure, format: Format) {
    if failure.silent {
        return;
    }
    if format == Format::Text {
        return stderr(&failure_text(failure));
    }
    let mut error = json!({
        "name": failure.name,
        "message": failure.message,
        "problems": failure.problems,
    });
    if let Some(next) = &failure.next {
        error["next"] = json!(next);
    }
    if let Some(cause) = &failure.cause {
        error["cause"] = json!(cause);
    }
    if let Some(crash) = &failure.crash {
        error["crash"] = json!(crash);
    }
    let text = json!({ "error": error }).to_string();
    stderr(&format!("{}\n", json::harmless(&text)));
}

fn failure_text(failure: &Failure) -> String {
    // A list of problems is easier to read below the sentence than inside it.
    let mut message = failure.message.as_str();
    if let [first, ..] = failure.problems.as_slice()
        && let Some((head, _)) = message.split_once(&format!(": {first}"))
    {
        message = head;
    }
    let mut text = format!("error: {}\n", one_line(message));
    for problem in &failure.problems {
        text.push_str(&format!("  {}\n", one_line(&problem_text(problem))));
    }
    if let Some(crash) = &failure.crash {
        text.push_str(&marked("output of the plugin:", crash.output.lines()));
        let functions = crash.functions.iter().map(String::as_str);
        text.push_str(&marked("functions that were running, the innermost first:", functions));
    }
    if let Some(next) = &failure.next {
        text.push_str(&format!("next: {}\n", one_line(next)));
    }
    text
}

/// Foreign lines below a heading, marked, so that none of them looks like a line of ours.
fn marked<'a>(heading: &str, lines: impl Iterator<Item = &'a str>) -> String {
    let lines: String = lines.map(|line| format!("  | {line}\n")).collect();
    if lines.is_empty() { lines } else { format!("{heading}\n{lines}") }
}

/// A pointer that begins with a number leads into the items.
fn problem_text(problem: &FieldProblem) -> String {
    let mut segments = problem.pointer.trim_start_matches('/').splitn(2, '/');
    let first = segments.next().unwrap_or_default();
    if first.is_empty() || !first.bytes().all(|byte| byte.is_ascii_digit()) {
        return problem.to_string();
    }
    match segments.next() {
        Some(rest) => format!("item {first}, {rest}: {}", problem.message),
        None => format!("item {first}: {}", problem.message),
    }
}

/// Prints a warning, which does not end the command.
pub(crate) fn warning(name: &str, message: &str, format: Format) {
    if format == Format::Text {
        stderr(&format!("warning: {}\n", one_line(message)));
    } else {
        let text = json!({ "warning": { "name": name, "message": message } }).to_string();
        stderr(&format!("{}\n", json::harmless(&text)));
    }
}

/// Characters that a terminal acts on instead of showing them, or that make text look like other
/// text: control characters, and Unicode's directional and invisible ones.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Text with line breaks, everything else that is harmful written out.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    written_out(text, |character| character != '\n' && is_harmful(character))
}

/// Text on one line: every run of white space is one space.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let starts = text.starts_with(char::is_whitespace);
    let ends = text.ends_with(char::is_whitespace) && !words.is_empty();
    let joined = format!(
        "{}{}{}",
        if starts { " " } else { "" },
        words.join(" "),
        if ends { " " } else { "" }
    );
    written_out(&joined, is_harmful).into_owned()
}

fn written_out(text: &str, harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if harmful(character) {
            clean.extend(character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_escaped() {
        assert_eq!(harmless("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb\nc");
        assert_eq!(harmless("\u{9b}2J\u{202e}x\r"), "\\u{9b}2J\\u{202e}x\\u{d}");
        assert_eq!(harmless("Grüße 你好 🦀"), "Grüße 你好 🦀");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line("a\n\n  b\tc"), "a b c");
        assert_eq!(one_line("prompt: "), "prompt: ");
        assert_eq!(one_line("a\u{8}b"), "a\\u{8}b");
    }

    #[test]
    fn problems_stand_below_the_sentence() {
        let mut failure = Failure::input("invalid-input", "the items do not fit: 0/a: is missing");
        failure.problems =
            vec![FieldProblem { pointer: "/0/a".into(), message: "is missing".into() }];
        let text = failure_text(&failure.next("look"));
        assert_eq!(text, "error: the items do not fit\n  item 0, a: is missing\nnext: look\n");
    }
}
