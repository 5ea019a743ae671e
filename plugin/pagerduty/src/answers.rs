//! What an unsuccessful answer means. PagerDuty's errors come in many shapes; the status decides,
//! its code refines.

use serde_json::{Map, Value};
use workflow_node_sdk::declare::Action;
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::http::Response;
use workflow_node_sdk::node::Credential;
use workflow_node_sdk::{json, text};

use crate::credentials;

/// What could be read of an error body.
#[derive(Debug, Default, PartialEq)]
struct Reasons {
    message: Option<String>,
    code: Option<String>,
    reasons: Vec<String>,
    required_scopes: Vec<String>,
}

/// The error that an answer stands for.
pub(crate) fn error(response: &Response, action: &Action, credential: &Credential) -> Error {
    let read = read(&response.body);
    let kind = kind(response.status, read.code.as_deref(), &read);
    let mut message = match &read.message {
        Some(message) => message.trim_ascii().to_owned(),
        None => format!("PagerDuty answered {}", response.status),
    };
    for reason in &read.reasons {
        if Some(reason) == read.message.as_ref() {
            continue;
        }
        message.push_str(if message.ends_with(['.', ':', '!']) { " " } else { ": " });
        message.push_str(reason);
    }
    if let Some(hint) = hint(response.status, &read, action, credential) {
        if !message.ends_with(['.', '!']) {
            message.push('.');
        }
        message.push(' ');
        message.push_str(&hint);
    }
    let mut error = Error::new(kind, message);
    error.http_status = Some(response.status);
    error.code = read.code;
    if matches!(kind, ErrorKind::RateLimited | ErrorKind::Unavailable) {
        error.retry_after = response.retry_after;
    }
    if !read.reasons.is_empty() {
        error = error.with_detail("errors", json::texts(&read.reasons));
    }
    if !read.required_scopes.is_empty() {
        error = error.with_detail("required_scopes", json::texts(&read.required_scopes));
    }
    error
}

/// How PagerDuty says that another open incident of the service has the key.
const KEY_IN_USE: &str = "matching dedup key";

/// Whether PagerDuty refused a new incident because its key is in use on the service.
pub(crate) fn is_key_conflict(error: &Error) -> bool {
    error.kind == ErrorKind::Conflict && text::contains(&error.message, KEY_IN_USE)
}

fn kind(status: u16, code: Option<&str>, read: &Reasons) -> ErrorKind {
    match (status, code) {
        (429, _) | (_, Some("2020")) => ErrorKind::RateLimited,
        (401, _) | (_, Some("2006")) => ErrorKind::Unauthenticated,
        (402 | 403, _) => ErrorKind::Forbidden,
        (404, _) => ErrorKind::NotFound,
        (405 | 409, _) => ErrorKind::Conflict,
        (408, _) => ErrorKind::Timeout,
        (500.., _) => ErrorKind::Unavailable,
        // Of the incident's state: resolved, acknowledged, stale, not to escalate or reassign,
        // not acknowledged, merged.
        (_, Some("1001" | "1002" | "1005" | "1006" | "1011" | "1012" | "1019" | "5003")) => {
            ErrorKind::Conflict
        }
        (_, Some("2002"))
            if read.reasons.iter().any(|reason| text::contains(reason, KEY_IN_USE)) =>
        {
            ErrorKind::Conflict
        }
        (_, Some("1018" | "2008" | "2010" | "2012" | "2014" | "2018" | "2019")) => {
            ErrorKind::Forbidden
        }
        (_, Some("2100" | "5001" | "5002")) => ErrorKind::NotFound,
        (400..=499, _) => ErrorKind::InvalidInput,
        _ => ErrorKind::Unavailable,
    }
}

fn hint(status: u16, read: &Reasons, action: &Action, credential: &Credential) -> Option<String> {
    let says = |part: &str| {
        read.message.iter().chain(&read.reasons).any(|text| text::contains(text, part))
    };
    match (status, read.code.as_deref()) {
        (401, _) => Some(format!(
            "Check that the credential is still valid, that its account is in the {} service \
             region, and that it is of the type `{}`.",
            credentials::region_in_words(credential),
            credential.credential_type,
        )),
        (400, Some("1008" | "1028" | "2013" | "2016")) | (400, None)
            if says("from") || read.code.is_some() =>
        {
            Some(
                "Set the parameter `from`, or the credential's `from_email`, to the e-mail \
                 address of a user of the account."
                    .to_owned(),
            )
        }
        (400, _) if credential.slot == "events" && says("routing_key") => Some(format!(
            "Check the integration key, and that its account is in the {} service region.",
            credentials::region_in_words(credential)
        )),
        (402, _) => Some("The plan of the account does not include this.".to_owned()),
        (403, _) if credential.granted_scopes.is_some() && !action.scopes.is_empty() => {
            Some(format!("It needs the scope {}.", text::join(action.scopes, " and ")))
        }
        (403, _) => {
            Some("The key may be read-only, or its user may lack the role for this.".to_owned())
        }
        _ => None,
    }
}

/// Reads every shape that PagerDuty is known to send.
fn read(body: &[u8]) -> Reasons {
    let Some(body) = json::object(body) else {
        return Reasons::default();
    };
    match body.get("error") {
        Some(Value::Object(error)) => read_object(error),
        Some(Value::String(message)) => {
            Reasons { message: Some(message.clone()), ..Reasons::default() }
        }
        Some(list @ Value::Array(_)) => {
            let mut reasons = texts(list);
            let message = (!reasons.is_empty()).then(|| reasons.remove(0));
            Reasons { message, reasons, ..Reasons::default() }
        }
        // The Events API, and bodies without an envelope.
        _ => read_object(&body),
    }
}

fn read_object(error: &Map<String, Value>) -> Reasons {
    let code = match error.get("code") {
        Some(Value::Number(code)) => Some(code.as_str().to_owned()),
        Some(Value::String(code)) => Some(code.clone()),
        _ => None,
    };
    Reasons {
        message: error.get("message").and_then(Value::as_str).map(str::to_owned),
        code,
        reasons: error.get("errors").map(texts).unwrap_or_default(),
        required_scopes: match error.get("required_scopes") {
            Some(Value::String(scopes)) => words(scopes),
            Some(other) => texts(other),
            None => Vec::new(),
        },
    }
}

/// The words of a text that is separated by spaces or commas.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in text.split([' ', ',']) {
        if !word.is_empty() {
            words.push(word.to_owned());
        }
    }
    words
}

/// The texts of a text, of a list, or of an object of field names.
fn texts(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect_texts(value, "", &mut found);
    found
}

fn collect_texts(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::String(text) => found.push([prefix, text].concat()),
        Value::Array(list) => {
            for one in list {
                collect_texts(one, prefix, found);
            }
        }
        Value::Object(fields) => {
            for (field, reasons) in fields {
                collect_texts(reasons, &[prefix, field, ": "].concat(), found);
            }
        }
        other => found.push([prefix, &json::text(other)].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_an_error_is_read() {
        /// Body; message, code and reasons that are in it.
        type Case =
            (&'static str, Option<&'static str>, Option<&'static str>, &'static [&'static str]);
        let cases: &[Case] = &[
            (
                r#"{"error":{"message":"Invalid Input Provided","code":2001,"errors":["Title can't be blank"]}}"#,
                Some("Invalid Input Provided"),
                Some("2001"),
                &["Title can't be blank"],
            ),
            (
                r#"{"error":{"message":"m","code":2001,"errors":"one text"}}"#,
                Some("m"),
                Some("2001"),
                &["one text"],
            ),
            (r#"{"error":["first","second"]}"#, Some("first"), None, &["second"]),
            (
                r#"{"error":"an account-level access token"}"#,
                Some("an account-level access token"),
                None,
                &[],
            ),
            (
                r#"{"error":{"message":"m","errors":{"name":["is taken","is odd"]}}}"#,
                Some("m"),
                None,
                &["name: is taken", "name: is odd"],
            ),
            (
                r#"{"status":"invalid event","message":"Event object is invalid","errors":["x"]}"#,
                Some("Event object is invalid"),
                None,
                &["x"],
            ),
            ("<html>Bad gateway</html>", None, None, &[]),
            ("", None, None, &[]),
            ("[1,2]", None, None, &[]),
            (r#"{"error":null}"#, None, None, &[]),
        ];
        for (body, message, code, reasons) in cases {
            let read = read(body.as_bytes());
            assert_eq!(read.message.as_deref(), *message, "{body}");
            assert_eq!(read.code.as_deref(), *code, "{body}");
            assert_eq!(read.reasons, *reasons, "{body}");
        }
    }

    #[test]
    fn a_missing_scope_is_named() {
        let read = read(br#"{"error":{"message":"Token missing required scopes","required_scopes":"incidents.write"}}"#);
        assert_eq!(read.required_scopes, ["incidents.write"]);
    }

    #[test]
    fn the_status_decides_and_the_code_refines() {
        let none = Reasons::default();
        assert_eq!(kind(400, Some("1001"), &none), ErrorKind::Conflict);
        assert_eq!(kind(400, Some("2001"), &none), ErrorKind::InvalidInput);
        assert_eq!(kind(400, Some("2020"), &none), ErrorKind::RateLimited);
        assert_eq!(kind(404, None, &none), ErrorKind::NotFound);
        assert_eq!(kind(402, Some("2014"), &none), ErrorKind::Forbidden);
        assert_eq!(kind(502, None, &none), ErrorKind::Unavailable);
        assert_eq!(kind(302, None, &none), ErrorKind::Unavailable);
    }
}
