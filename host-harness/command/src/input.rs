//! Reads parameters and items. Knows JSON, and nothing of actions.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::task::Poll;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use serde_json::{Map, Value};

use crate::exit::Failure;

type Object = Map<String, Value>;

/// The longest line of JSON Lines, in bytes.
const LONGEST_LINE: u64 = 8 * 1024 * 1024;

/// Bytes that are read ahead.
const READ_AHEAD: usize = 64 * 1024;

/// Items as they are read.
pub(crate) type ItemStream = BoxStream<'static, Result<Value, LineError>>;

/// Items, read at once or one by one.
pub(crate) enum Source {
    List(Vec<Value>),
    Lines(Lines),
}

/// Where items come from for an output that is a line per record: JSON Lines are read one by one,
/// so that there may be any number of them.
pub(crate) fn source(parameters: Option<&str>, items: Option<&str>) -> Result<Source, Failure> {
    let file = items.and_then(|items| items.strip_prefix('@')).map(PathBuf::from);
    if file.is_none() && items != Some("-") {
        return self::items(parameters, items).map(Source::List);
    }
    let lines = Lines::open(self::parameters(parameters)?, file)?;
    Ok(match lines.is_array {
        false => Source::Lines(lines),
        true => Source::List(lines.array()?),
    })
}

/// Items in JSON Lines, each laid over the parameters of all.
pub(crate) struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    parameters: Object,
    /// `None` for standard input.
    file: Option<PathBuf>,
    line: usize,
    is_array: bool,
    has_failed: bool,
}

/// Why an item cannot be read.
#[derive(Debug)]
pub(crate) struct LineError(String);

impl std::fmt::Display for LineError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for LineError {}

impl Lines {
    fn open(parameters: Object, file: Option<PathBuf>) -> Result<Self, Failure> {
        let place = place(file.as_deref());
        let unreadable = |error: io::Error| {
            Failure::input("unreadable", format!("Cannot read --items from {place}: {error}"))
        };
        let input: Box<dyn Read + Send> = match &file {
            Some(file) => Box::new(File::open(file).map_err(unreadable)?),
            None => Box::new(io::stdin()),
        };
        let mut reader = BufReader::with_capacity(READ_AHEAD, input);
        let mut line = 0;
        let is_array = loop {
            let ahead = reader.fill_buf().map_err(unreadable)?;
            let ahead = ahead.strip_prefix("\u{feff}".as_bytes()).unwrap_or(ahead);
            match ahead.iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(first) => break ahead[first] == b'[',
                None if ahead.is_empty() => break false,
                None => {
                    line += ahead.iter().filter(|byte| **byte == b'\n').count();
                    let blank = ahead.len();
                    reader.consume(blank);
                }
            }
        };
        Ok(Self { reader, parameters, file, line, is_array, has_failed: false })
    }

    /// The same items from the beginning, where they are in a file.
    pub(crate) fn again(&self) -> Result<Option<Self>, Failure> {
        match self.file.as_deref().filter(|file| file.is_file()) {
            Some(file) => Self::open(self.parameters.clone(), Some(file.to_owned())).map(Some),
            None => Ok(None),
        }
    }

    /// All items of a JSON array.
    fn array(mut self) -> Result<Vec<Value>, Failure> {
        let place = place(self.file.as_deref());
        let mut text = String::new();
        self.reader.read_to_string(&mut text).map_err(|error| {
            Failure::input("unreadable", format!("Cannot read --items from {place}: {error}"))
        })?;
        laid_over(&self.parameters, &text, &place)
    }

    /// Whether the next line can be read without waiting for input.
    fn is_ready(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }

    fn read(&mut self) -> Result<Option<Value>, String> {
        loop {
            let mut line = Vec::new();
            let mut reader = (&mut self.reader).take(LONGEST_LINE);
            let length = reader.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
            if length == 0 {
                return Ok(None);
            }
            self.line += 1;
            if length as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
                return Err(format!("longer than {} MiB", LONGEST_LINE >> 20));
            }
            let text = std::str::from_utf8(&line).map_err(|_| "not valid UTF-8".to_owned())?;
            let text = without_mark(text);
            if text.trim().is_empty() {
                continue;
            }
            let mut item = self.parameters.clone();
            item.extend(object(text)?);
            return Ok(Some(Value::Object(item)));
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Value, LineError>;

    /// The next item. Ends after an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        self.read().transpose().map(|item| {
            item.map_err(|problem| {
                self.has_failed = true;
                let place = place(self.file.as_deref());
                LineError(format!("Items in {place}, line {}: {problem}", self.line))
            })
        })
    }
}

/// Items as a stream. Reading lines may block, so a thread does it. It passes on what it has read
/// before it waits for input, so that the items of a slow producer run as they arrive.
pub(crate) fn stream(source: Source) -> ItemStream {
    let mut lines = match source {
        Source::List(items) => {
            return futures_util::stream::iter(items.into_iter().map(Ok)).boxed();
        }
        Source::Lines(lines) => lines,
    };
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<_>>(2);
    std::thread::spawn(move || {
        let mut batch = Vec::new();
        while let Some(item) = lines.next() {
            batch.push(item);
            // The receiver is gone when the run has ended.
            if !lines.is_ready() && sender.blocking_send(std::mem::take(&mut batch)).is_err() {
                return;
            }
        }
        drop(sender.blocking_send(batch));
    });
    let mut ready = VecDeque::new();
    let lines = futures_util::stream::poll_fn(move |context| {
        loop {
            if let Some(item) = ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            match std::task::ready!(receiver.poll_recv(context)) {
                Some(batch) => ready = batch.into(),
                None => return Poll::Ready(None),
            }
        }
    });
    lines.boxed()
}

fn place(file: Option<&Path>) -> String {
    file.map_or("standard input".to_owned(), |file| file.display().to_string())
}

/// One object per item: `--items` laid over `--parameters`; a single item where there is no
/// `--items`.
pub(crate) fn items(parameters: Option<&str>, items: Option<&str>) -> Result<Vec<Value>, Failure> {
    let parameters = self::parameters(parameters)?;
    let Some(items) = items else { return Ok(vec![Value::Object(parameters)]) };
    let (text, place) = match items.strip_prefix('@') {
        Some(file) => (read("--items", file)?, file.to_owned()),
        None if items == "-" => (standard_input()?, "standard input".to_owned()),
        None => {
            return Err(Failure::input("items", "--items expects a file or standard input")
                .next("use --items @FILE or --items -; for a single item, use --parameters"));
        }
    };
    laid_over(&parameters, &text, &place)
}

/// The items in a text, each laid over the parameters of all.
fn laid_over(parameters: &Object, text: &str, place: &str) -> Result<Vec<Value>, Failure> {
    let items = parse_items(text)
        .map_err(|problem| Failure::input("items", format!("Items in {place}: {problem}")))?;
    let laid_over = |item: Object| {
        let mut whole = parameters.clone();
        whole.extend(item);
        Value::Object(whole)
    };
    Ok(items.into_iter().map(laid_over).collect())
}

/// A JSON object from the command line or a file; empty where none is given.
pub(crate) fn parameters(given: Option<&str>) -> Result<Object, Failure> {
    let Some(given) = given else { return Ok(Object::new()) };
    let (text, place) = match given.strip_prefix('@') {
        Some(file) => (read("--parameters", file)?, file.to_owned()),
        None => (given.to_owned(), "--parameters".to_owned()),
    };
    let failure = |problem: String| {
        Failure::input("parameters", format!("Parameters in {place}: {problem}"))
            .next("pass a JSON object, e.g. --parameters '{\"name\":\"value\"}'")
    };
    object(without_mark(&text)).map_err(failure)
}

fn read(option: &str, file: &str) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::input("unreadable", format!("Cannot read {file} for {option}: {error}"))
    })
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| {
        Failure::input("unreadable", format!("Cannot read standard input: {error}"))
    })?;
    Ok(text)
}

/// Some editors begin a file with a byte order mark.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn object(text: &str) -> Result<Object, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(format!("expected an object, not {}", kind(&other))),
        Err(error) => Err(format!("invalid JSON: {error}")),
    }
}

/// A JSON array, or one object per line. The first character that is not a space decides.
fn parse_items(text: &str) -> Result<Vec<Object>, String> {
    let text = without_mark(text);
    if text.trim_start().starts_with('[') {
        let elements: Vec<Value> =
            serde_json::from_str(text).map_err(|error| format!("invalid JSON: {error}"))?;
        return elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| match element {
                Value::Object(members) => Ok(members),
                other => Err(format!("element {index}: expected an object, not {}", kind(&other))),
            })
            .collect();
    }
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            object(line).map_err(|problem| format!("line {}: {problem}", index + 1))
        })
        .collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        parse_items(text).map(|items| serde_json::to_string(&items).unwrap())
    }

    #[test]
    fn an_array_and_lines_give_the_same_items() {
        let expected = Ok(r#"[{"a":1},{"b":[2]}]"#.to_owned());
        assert_eq!(parsed(" [ {\"a\":1},\n {\"b\":[2]} ]\n"), expected);
        assert_eq!(parsed("{\"a\":1}\n\n{\"b\":[2]}"), expected);
        assert_eq!(parsed("\u{feff}{\"a\":1}\r\n{\"b\":[2]}\r\n"), expected);
        assert_eq!(parsed(""), Ok("[]".to_owned()));
        assert_eq!(parsed("[]"), Ok("[]".to_owned()));
    }

    #[test]
    fn errors_name_the_line_or_the_element() {
        assert!(parsed("{}\n\n{\"a\":").unwrap_err().starts_with("line 3: invalid JSON"));
        assert_eq!(parsed("{}\n7").unwrap_err(), "line 2: expected an object, not a number");
        assert_eq!(parsed("[{},null]").unwrap_err(), "element 1: expected an object, not null");
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let text = r#"[{"a":12345678901234567890123,"b":1.10}]"#;
        assert_eq!(parsed(text), Ok(text.to_owned()));
    }
}
