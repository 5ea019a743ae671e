//! Files that an author writes: TOML, with errors that name the line and the next step.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {message}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// Description of the problem.
    pub message: String,
    /// Action to take.
    pub next: Option<String>,
    /// The error that caused it.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl FileError {
    /// An error about a whole file.
    pub fn new(path: &Path, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            message: message.into(),
            next: None,
            source: None,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Links the error that caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// The text of a file, and its path.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// Parses the file's document.
    pub(crate) fn parse<T: DeserializeOwned>(&self, next: &str) -> Result<T, FileError> {
        toml::from_str(self.text).map_err(|error| {
            let line = error.span().map(|span| self.line(&span));
            // Its whole text repeats the line and quotes it.
            FileError { line, ..FileError::new(self.path, error.message().trim()).next(next) }
        })
    }

    /// An error at a position in the text.
    pub(crate) fn error(&self, span: &Range<usize>, message: impl Into<String>) -> FileError {
        FileError { line: Some(self.line(span)), ..FileError::new(self.path, message) }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path)
        .map_err(|error| FileError::new(path, "Cannot read the file").because(error))
}

/// A TOML value as JSON. Dates become text.
pub(crate) fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        toml::Value::Boolean(boolean) => Value::from(*boolean),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(list) => list.iter().map(json).collect(),
        toml::Value::Table(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), json(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

/// A duration such as `200ms`, `1.5s`, or `2m`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || format!("`{text}` is not a duration; write it like 200ms, 1.5s, or 2m");
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
    let number: f64 = text[..split].parse().map_err(|_| wrong())?;
    let seconds = match &text[split..] {
        "ms" => number / 1_000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        _ => return Err(wrong()),
    };
    std::time::Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "1d", "-1s", "1.2.3s", "1 s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_error_links_what_caused_it_and_prints_it_once() {
        let missing = Path::new("missing/a.toml");
        let error = read(missing).expect_err("the file is missing");
        assert_eq!(error.to_string(), "missing/a.toml: Cannot read the file");
        let cause = std::error::Error::source(&error).expect("the cause is linked");
        let cause = cause.downcast_ref::<std::io::Error>().expect("it is an I/O error");
        assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
        let whole = format!("missing/a.toml: Cannot read the file: {cause}");
        assert_eq!(workflow_node_host::chain(&error), whole);
    }

    #[test]
    fn an_error_names_its_line() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Document {
            #[allow(dead_code)] // Only read.
            one: u32,
        }
        let source = |text| Source { path: Path::new("a.toml"), text };
        let error = source("\n\none = \"x\"\n").parse::<Document>("see the manual").unwrap_err();
        assert_eq!(error.line, Some(3));
        assert!(error.to_string().starts_with("a.toml, line 3: "), "{error}");
        let error = source("one = 1\ntwo = 2\n").parse::<Document>("").unwrap_err();
        assert_eq!(error.line, Some(2));
        assert!(error.message.contains("two"), "{error}");
    }
}
