//! Reads parameters and items. Knows JSON, and nothing of actions.

use std::io::Read as _;

use serde_json::{Map, Value};

use crate::exit::Failure;

type Object = Map<String, Value>;

/// One object per item: `--items` laid over `--parameters`; a single item where there is no
/// `--items`.
pub(crate) fn items(parameters: Option<&str>, items: Option<&str>) -> Result<Vec<Value>, Failure> {
    let parameters = self::parameters(parameters)?;
    let Some(items) = items else { return Ok(vec![Value::Object(parameters)]) };
    let (text, place) = match items.strip_prefix('@') {
        Some(file) => (read("--items", file)?, file.to_owned()),
        None if items == "-" => (standard_input()?, "standard input".to_owned()),
        None => {
            return Err(Failure::input("items", "--items takes a file or standard input")
                .next("write --items @FILE or --items -; a single item stands in --parameters"));
        }
    };
    let items = parse_items(&text)
        .map_err(|problem| Failure::input("items", format!("the items in {place}: {problem}")))?;
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
        Failure::input("parameters", format!("the parameters in {place}: {problem}"))
            .next("give a JSON object, e.g. --parameters '{\"name\":\"value\"}'")
    };
    object(without_mark(&text)).map_err(failure)
}

fn read(option: &str, file: &str) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::input("unreadable", format!("{option}: {file} cannot be read: {error}"))
    })
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| {
        Failure::input("unreadable", format!("standard input cannot be read: {error}"))
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
        Ok(other) => Err(format!("an object is wanted, not {}", kind(&other))),
        Err(error) => Err(format!("this is no JSON: {error}")),
    }
}

/// A JSON array, or an object on each line; the first character that is no space decides.
fn parse_items(text: &str) -> Result<Vec<Object>, String> {
    let text = without_mark(text);
    if text.trim_start().starts_with('[') {
        let elements: Vec<Value> =
            serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))?;
        return elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| match element {
                Value::Object(members) => Ok(members),
                other => Err(format!("element {index}: an object is wanted, not {}", kind(&other))),
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
    fn what_is_wrong_is_named_by_line_or_element() {
        assert!(parsed("{}\n\n{\"a\":").unwrap_err().starts_with("line 3: this is no JSON"));
        assert_eq!(parsed("{}\n7").unwrap_err(), "line 2: an object is wanted, not a number");
        assert_eq!(parsed("[{},null]").unwrap_err(), "element 1: an object is wanted, not null");
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let text = r#"[{"a":12345678901234567890123,"b":1.10}]"#;
        assert_eq!(parsed(text), Ok(text.to_owned()));
    }
}
