//! Tests that the documents in the pages for authors in other languages are accepted.

use std::iter::Peekable;
use std::path::Path;
use std::str::Chars;

use serde_json::Value;

use super::Description;
use crate::limits::ProcessLimits;

/// Schema of the records, which the pages refer to by this name.
const SERVICE: &str = r#"{"type":"object","properties":{"id":{"type":"string"}}}"#;

/// The value that a page assigns to a variable, in JavaScript or Python.
fn assigned(page: &str, variable: &str) -> Value {
    let (_, source) = page.split_once(&format!("{variable} = ")).expect("the page has it");
    let json = json(source);
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{variable}: {error}: {json}"))
}

/// The first object of a text in JavaScript or Python, as JSON.
fn json(source: &str) -> String {
    let mut source = source.chars().peekable();
    let (mut json, mut depth) = (String::new(), 0_usize);
    while let Some(char) = source.next() {
        match char {
            '\'' | '"' => json.push_str(&Value::String(text(&mut source, char)).to_string()),
            ',' if matches!(following(&source), Some('}' | ']')) => {}
            '{' | '[' => {
                depth += 1;
                json.push(char);
            }
            '}' | ']' => {
                depth -= 1;
                json.push(char);
                if depth == 0 {
                    break;
                }
            }
            char if char.is_alphabetic() => {
                let mut word = String::from(char);
                while let Some(char) = source.next_if(|one| one.is_alphanumeric() || *one == '_') {
                    word.push(char);
                }
                json.push_str(&match (word.as_str(), following(&source)) {
                    (name, Some(':')) => Value::from(name).to_string(),
                    ("SERVICE", _) => SERVICE.to_owned(),
                    ("None" | "undefined", _) => "null".to_owned(),
                    (constant, _) => constant.to_lowercase(),
                });
            }
            char => json.push(char),
        }
    }
    json
}

/// The rest of a text that began with this quote.
fn text(source: &mut Peekable<Chars<'_>>, quote: char) -> String {
    let mut text = String::new();
    while let Some(char) = source.next().filter(|char| *char != quote) {
        text.push(if char == '\\' { source.next().unwrap_or(char) } else { char });
    }
    text
}

/// The next character that is not a space.
fn following(source: &Peekable<Chars<'_>>) -> Option<char> {
    source.clone().find(|char| !char.is_whitespace())
}

#[test]
fn the_documents_in_the_pages_for_other_languages_are_accepted() {
    for name in ["javascript.md", "python.md"] {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        let page = std::fs::read_to_string(&docs).unwrap();
        let [node, types] = ["NODE", "CREDENTIAL_TYPES"].map(|name| assigned(&page, name));
        let limits = ProcessLimits::default();
        let read = Description::read(&node.to_string(), &types.to_string(), None, &limits);
        let description = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(description.node.actions.len(), 1, "{name}");
        // The slot's type is one that the page describes, or it would have been refused.
        assert!(description.credential_types.contains_key("token"), "{name}");

        // What the loader does not accept would be found.
        let mut wrong = node.clone();
        wrong["actions"][0]["idempotent"] = wrong["actions"][0]["idempotency"].take();
        let read = Description::read(&wrong.to_string(), &types.to_string(), None, &limits);
        assert!(read.is_err(), "{name}");
    }
}

#[test]
fn objects_of_both_languages_are_read_as_json() {
    let javascript = r#"{ a: 'it\'s', "b-c": [1, true, undefined,], };"#;
    assert_eq!(json(javascript).replace(' ', ""), r#"{"a":"it's","b-c":[1,true,null]}"#);
    let python = "{\"a\": True, \"b\": [None, SERVICE],}\nrest";
    assert_eq!(json(python).replace(' ', ""), format!(r#"{{"a":true,"b":[null,{SERVICE}]}}"#));
}
