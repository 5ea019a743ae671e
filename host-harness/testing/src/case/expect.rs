//! Compares the result of a run with the expectations of a case.

use serde_json::{Value, json};

use super::file::{Case, ExpectedRequest};
use super::run::Ran;
use crate::fault::Sent;
use crate::message::Request;
use crate::recording::json_difference;

/// Content of a snapshot.
pub(crate) fn snapshot(ran: &Ran) -> Value {
    let mut whole = json!({ "items": ran.items.iter().map(|item| &item.json).collect::<Vec<_>>() });
    if let Some(stopped) = &ran.stopped {
        whole["stopped"] = json!(stopped);
    }
    whole
}

/// Differences from a case's expectations, except for the snapshot.
pub(super) fn problems(case: &Case, ran: &Ran) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(stopped) = &ran.stopped {
        problems.push(format!("The plugin was stopped: {stopped}"));
    }
    for mismatch in &ran.mismatches {
        problems
            .push(format!("{} is not in the recording: {}", mismatch.request, mismatch.difference));
    }
    for unused in &ran.unused {
        problems.push(format!("{unused} is in the recording and was not sent"));
    }
    if let Some(expected) = &case.expect.output {
        problems.extend(output(expected, ran));
    }
    if let Some(expected) = &case.expect.error {
        for (position, item) in ran.items.iter().enumerate() {
            let error = &item.json["error"];
            let is_kind = item.kind == Some(expected.kind);
            let is_status =
                expected.http_status.is_none_or(|status| error["http_status"] == json!(status));
            let message = error["message"].as_str().unwrap_or_default();
            let says = expected.message.as_deref().is_none_or(|part| message.contains(part));
            if !(is_kind && is_status && says) {
                let is = match item.kind {
                    Some(_) => format!("failed with {error}"),
                    None => "succeeded".to_owned(),
                };
                problems.push(format!("Item {position} {is}; expected was {}", shown(expected)));
            }
        }
    }
    if let Some(expected) = &case.expect.requests {
        problems.extend(requests(expected, &ran.sent));
    }
    problems
}

fn shown(expected: &super::file::ExpectedError) -> String {
    let mut text = expected.kind.to_string();
    if let Some(status) = expected.http_status {
        text.push_str(&format!(", status {status}"));
    }
    if let Some(message) = &expected.message {
        text.push_str(&format!(", with \"{message}\" in its message"));
    }
    text
}

fn output(expected: &[Value], ran: &Ran) -> Option<String> {
    let failed = ran.items.iter().position(|item| item.kind.is_some());
    if let Some(position) = failed {
        return Some(format!("Item {position} failed: {}", ran.items[position].json["error"]));
    }
    let records: Vec<&Value> = ran.items.iter().flat_map(|item| &item.output).collect();
    if records.len() != expected.len() {
        let (is, was) = (records.len(), expected.len());
        return Some(format!("There are {is} records; expected were {was}"));
    }
    records.iter().zip(expected).enumerate().find_map(|(at, (record, expected))| {
        let (pointer, expected, is) = missing(record, expected, &format!("/{at}"))?;
        Some(format!("The output differs at {pointer}: {is}; expected was {expected}"))
    })
}

/// The first expected member that a value does not have.
fn missing(value: &Value, expected: &Value, at: &str) -> Option<(String, String, String)> {
    match (value, expected) {
        (Value::Object(value), Value::Object(members)) => {
            members.iter().find_map(|(name, expected)| {
                let at = format!("{at}/{name}");
                match value.get(name) {
                    Some(value) => missing(value, expected, &at),
                    None => Some((at, expected.to_string(), "nothing".to_owned())),
                }
            })
        }
        (Value::Array(value), Value::Array(list)) if value.len() == list.len() => {
            value.iter().zip(list).enumerate().find_map(|(index, (value, expected))| {
                missing(value, expected, &format!("{at}/{index}"))
            })
        }
        (value, expected) if crate::fake::contains(value, expected) => None,
        (value, expected) => Some((at.to_owned(), expected.to_string(), value.to_string())),
    }
}

fn requests(expected: &[ExpectedRequest], sent: &[Sent]) -> Vec<String> {
    let line = |request: &Request| format!("{} {}", request.method, request.url.path());
    let mut problems = Vec::new();
    for at in 0..expected.len().max(sent.len()) {
        match (expected.get(at), sent.get(at)) {
            (Some(expected), Some(sent)) => {
                if let Some(problem) = request_problem(expected, &sent.request) {
                    problems.push(format!("Request {at}: {problem}"));
                }
            }
            (Some(expected), None) => {
                problems.push(format!("Request {at}, {}, was not sent", expected.request));
            }
            (None, Some(sent)) => {
                problems.push(format!("Request {at}, {}, was not expected", line(&sent.request)));
            }
            (None, None) => {}
        }
    }
    problems
}

fn request_problem(expected: &ExpectedRequest, request: &Request) -> Option<String> {
    let line = format!("{} {}", request.method, request.url.path());
    // A line may contain the query as well.
    let whole = match request.url.query() {
        Some(query) => format!("{line}?{query}"),
        None => line.clone(),
    };
    let is_same = if expected.request.contains('?') {
        whole == expected.request
    } else {
        line == expected.request
    };
    if !is_same {
        return Some(format!("{whole}; expected was {}", expected.request));
    }
    let fits = |expected: &str, value: &str| match expected.strip_suffix('*') {
        Some(start) => value.starts_with(start),
        None => value == expected,
    };
    for (name, value) in &expected.query {
        let given = request.url.query_pairs().find(|(one, _)| one == name);
        if !given.as_ref().is_some_and(|(_, given)| fits(value, given)) {
            let given = given.map_or("nothing".to_owned(), |(_, given)| format!("`{given}`"));
            return Some(format!("{line} has {name} = {given}; expected was `{value}`"));
        }
    }
    for (name, value) in &expected.headers {
        if !request.header(name).is_some_and(|given| fits(value, given)) {
            return Some(format!("{line} has no header {name}: {value}"));
        }
    }
    let expected = expected.body.as_ref()?;
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let (pointer, expected, is) = missing(&body, expected, "")?;
    Some(format!("the body of {line} differs at {pointer}: {is}; expected was {expected}"))
}

/// How a result differs from its snapshot.
pub(super) fn snapshot_problem(was: &Value, is: &Value) -> Option<String> {
    let (pointer, was, is) = json_difference(was, is, "")?;
    let short = |text: String| match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    };
    Some(format!("The result differs at {pointer}: {}; the snapshot has {}", short(is), short(was)))
}
