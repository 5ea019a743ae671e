//! The JSON output of `run`: a public interface, described by `schemas/run-output.json`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use workflow_node_host::{ItemError, ItemOutcome, OutputRecord};

use super::is_harmful;

const MAIN: &str = "main";

/// One element of the array.
#[derive(Serialize)]
pub(crate) struct ResultElement<'a> {
    item: usize,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ItemError>,
    /// Records of the port `main`. An error has it only where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Vec<&'a RawValue>>,
    /// Records of other ports.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    outputs: BTreeMap<&'a str, Vec<&'a RawValue>>,
}

impl<'a> ResultElement<'a> {
    pub(crate) fn new(item: usize, outcome: &'a ItemOutcome) -> Self {
        let mut main = Vec::new();
        let mut outputs: BTreeMap<&str, Vec<&RawValue>> = BTreeMap::new();
        for record in &outcome.output {
            match record.port.as_str() {
                MAIN => main.push(&*record.json),
                port => outputs.entry(port).or_default().push(&*record.json),
            }
        }
        let output = (outcome.is_ok() || !main.is_empty()).then_some(main);
        let status = if outcome.is_ok() { "ok" } else { "error" };
        Self { item, status, error: outcome.error.as_ref(), output, outputs }
    }
}

/// A line of `jsonl` for a record.
#[derive(Serialize)]
pub(crate) struct RecordLine<'a> {
    item: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<&'a str>,
    output: &'a RawValue,
}

impl<'a> RecordLine<'a> {
    pub(crate) fn new(item: u32, record: &'a OutputRecord) -> Self {
        let port = (record.port != MAIN).then_some(record.port.as_str());
        Self { item, port, output: &record.json }
    }
}

/// A line of `jsonl` that ends an item.
#[derive(Serialize)]
pub(crate) struct ItemLine<'a> {
    item: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ItemError>,
    /// How many record lines belong to it.
    records: u64,
}

impl<'a> ItemLine<'a> {
    pub(crate) fn new(item: u32, error: Option<&'a ItemError>, records: u64) -> Self {
        let status = if error.is_none() { "ok" } else { "error" };
        Self { item, status, error, records }
    }
}

/// One element of the array of a dry run.
#[derive(Serialize)]
pub(crate) struct DryRunElement {
    pub(crate) item: usize,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ItemError>,
    /// `None` where only the parameters were checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<Vec<Value>>,
}

/// The same document with harmful characters escaped. Outside of strings JSON has none of them but
/// white space, which stays.
pub(super) fn harmless(document: &str) -> Cow<'_, str> {
    let harmful =
        |character: char| !matches!(character, '\n' | '\r' | '\t') && is_harmful(character);
    if !document.chars().any(harmful) {
        return Cow::Borrowed(document);
    }
    let mut clean = String::with_capacity(document.len() + 16);
    for character in document.chars() {
        if harmful(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                clean.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            clean.push(character);
        }
    }
    Cow::Owned(clean)
}

/// The same document on one line: line breaks can stand only between values.
pub(super) fn one_line(document: &str) -> Cow<'_, str> {
    if !document.contains(['\n', '\r']) {
        return Cow::Borrowed(document);
    }
    let mut line = String::with_capacity(document.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in document.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\t' | '\n' | '\r' if !in_string => continue,
            _ => {}
        }
        line.push(character);
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_many_lines_is_the_same_document_on_one() {
        let document = "{\n  \"a b\": \"c \\\" \\\\\",\r\n\t\"d\": [ 1.10, 2 ]\n}\n";
        let line = one_line(document);
        assert_eq!(line, r#"{"a b":"c \" \\","d":[1.10,2]}"#);
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(&line), value(document));
        assert_eq!(one_line("{\"a\": 1}"), "{\"a\": 1}");
    }

    #[test]
    fn a_harmless_document_is_the_same_document() {
        let document = "{\"a\":\"\u{9b}31m\u{202e}\u{e0041}é\",\n\"b\":1.10}";
        let clean = harmless(document);
        assert_eq!(clean, "{\"a\":\"\\u009b31m\\u202e\\udb40\\udc41é\",\n\"b\":1.10}");
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(&clean), value(document));
    }

    #[test]
    fn records_of_other_ports_stand_under_their_port() {
        let record = |port: &str, json: &str| OutputRecord {
            port: port.into(),
            json: RawValue::from_string(json.into()).unwrap(),
        };
        let output = vec![record("main", "1"), record("else", "2"), record("else", "3")];
        let outcome = ItemOutcome { output, error: None };
        assert_eq!(
            serde_json::to_string(&ResultElement::new(0, &outcome)).unwrap(),
            r#"{"item":0,"status":"ok","output":[1],"outputs":{"else":[2,3]}}"#
        );
        assert_eq!(
            serde_json::to_string(&RecordLine::new(0, &outcome.output[1])).unwrap(),
            r#"{"item":0,"port":"else","output":2}"#
        );
    }

    #[test]
    fn a_record_keeps_its_text() {
        let record = OutputRecord {
            port: "main".into(),
            json: RawValue::from_string("{\"n\":1.50, \"big\":12345678901234567890}".into())
                .unwrap(),
        };
        let line = serde_json::to_string(&RecordLine::new(3, &record)).unwrap();
        assert_eq!(line, "{\"item\":3,\"output\":{\"n\":1.50, \"big\":12345678901234567890}}");
    }
}
