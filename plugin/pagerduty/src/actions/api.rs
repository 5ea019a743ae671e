//! Any request to the REST API, under the same rules as every other action.

use serde_json::Value;
use workflow_node_sdk::error::Error;
use workflow_node_sdk::http::Request;
use workflow_node_sdk::node::{Outcome, Task, main};
use workflow_node_sdk::{json, percent};

pub(super) async fn request(task: Task) -> Outcome {
    let request = build(&task)?;
    let repeatable = request.is_repeatable();
    let response = task.send(request).await?;
    let record = if response.body.is_empty() {
        format!(r#"{{"status":{}}}"#, response.status)
    } else {
        task.understood(repeatable, response.text())?
    };
    Ok(vec![main(record)])
}

fn build(task: &Task) -> Result<Request, Error> {
    let method = task.text("method").unwrap_or_default();
    let path = checked_path(task.text("path").unwrap_or_default())?;
    let mut url = format!("{}{path}", task.credential.base_url("rest")?);
    if let Some(Value::Object(query)) = task.parameters.get("query") {
        for (name, value) in query {
            let values = match value {
                Value::Array(list) => list.as_slice(),
                one => std::slice::from_ref(one),
            };
            for value in values {
                match value {
                    Value::String(text) => percent::append_query(&mut url, name, text),
                    Value::Number(_) | Value::Bool(_) => {
                        percent::append_query(&mut url, name, &json::text(value));
                    }
                    _ => {
                        let message = "must be a text, a number, true or false, or a list of them";
                        return Err(Error::invalid(format!("/query/{name}"), message));
                    }
                }
            }
        }
    }
    let mut request = Request::new(method, url);
    if let Some(from) = task.text("from") {
        request = request.header("from", from);
    }
    if let Some(body) = task.parameters.get("body") {
        if matches!(method, "GET" | "DELETE") {
            return Err(Error::invalid("/body", format!("a {method} request has no body")));
        }
        request = request.header("content-type", "application/json");
        request.body = Some(json::text(body).into_bytes());
    }
    Ok(request)
}

/// A path without ambiguity: absolute, without a query, and without dot segments.
fn checked_path(path: &str) -> Result<&str, Error> {
    let wrong = |message: &str| Err(Error::invalid("/path", message));
    let Some(rest) = path.strip_prefix('/') else {
        return wrong("must begin with /");
    };
    for byte in path.bytes() {
        match byte {
            b'?' => return wrong("holds a query: give it in the parameter query"),
            b'#' | b'\\' | ..=b' ' | 127.. => {
                return wrong("holds a character that a path cannot have: percent-encode it");
            }
            _ => {}
        }
    }
    for segment in rest.split('/') {
        if segment.is_empty() || is_dots(segment) {
            return wrong("holds an empty segment, `.` or `..`");
        }
    }
    Ok(path)
}

/// Whether a segment is `.` or `..`, however they are encoded.
fn is_dots(segment: &str) -> bool {
    let leading_dot = |text: &str| {
        [".", "%2e", "%2E"].iter().find(|dot| text.starts_with(**dot)).map(|dot| dot.len())
    };
    let Some(first) = leading_dot(segment) else {
        return false;
    };
    let rest = segment.get(first..).unwrap_or_default();
    rest.is_empty() || leading_dot(rest) == Some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::checked_path;

    #[test]
    fn a_path_cannot_leave_the_rest_api() {
        for path in ["/incidents/P1", "/incidents/a%2Fb/notes"] {
            assert!(checked_path(path).is_ok(), "{path}");
        }
        for path in [
            "incidents",
            "//evil.test/x",
            "/a/../b",
            "/a/%2E%2e/b",
            "/a?b=c",
            "/a#b",
            "/a\\b",
            "/a b",
            "/",
        ] {
            assert!(checked_path(path).is_err(), "{path}");
        }
    }
}
