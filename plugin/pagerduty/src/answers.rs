//! Interprets unsuccessful responses. PagerDuty's errors have many shapes; the status decides, and
//! the code refines it.

use serde_json::{Map, Value};
use workflow_node_sdk::declare::Action;
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::http::Response;
use workflow_node_sdk::node::Credential;
use workflow_node_sdk::{json, text};

use crate::credentials;

/// The parts that could be read from an error body.
#[derive(Debug, Default, PartialEq)]
struct Reasons {
    message: Option<String>,
    code: Option<String>,
    reasons: Vec<String>,
    required_scopes: Vec<String>,
}

/// The error of a response.
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

/// How PagerDuty reports that another open incident of the service has the key.
const KEY_IN_USE: &str = "matching dedup key";

/// Whether PagerDuty refused a new incident because its key is in use on the service.
pub(crate) fn is_key_conflict(error: &Error) -> bool {
    error.kind == ErrorKind::Conflict && text::contains(&error.message, KEY_IN_USE)
}

/// The meaning of PagerDuty's codes if the status is ambiguous.
const CODES: &[(ErrorKind, &[&str])] = &[
    // The state of an object: an incident that is resolved, acknowledged, stale, merged, or cannot
    // be escalated or reassigned; a policy without on-call users; a window that has ended.
    (
        ErrorKind::Conflict,
        &["1001", "1002", "1005", "1006", "1011", "1012", "1015", "1019", "5003"],
    ),
    // A user, a policy, an account, a schedule, a service, or another object that does not exist.
    (ErrorKind::NotFound, &["1007", "1014", "2007", "2013", "2100", "3004", "5001", "5002"]),
    (ErrorKind::Forbidden, &["1018", "2008", "2010", "2012", "2014", "2018", "2019"]),
    (ErrorKind::RateLimited, &["2017", "2020"]),
    (ErrorKind::Unavailable, &["2000"]),
    (ErrorKind::Timeout, &["2016"]),
];

fn kind(status: u16, code: Option<&str>, read: &Reasons) -> ErrorKind {
    match (status, code) {
        (429, _) | (_, Some("2020")) => ErrorKind::RateLimited,
        (401, _) | (_, Some("2006")) => ErrorKind::Unauthenticated,
        (402 | 403, _) => ErrorKind::Forbidden,
        (404, _) => ErrorKind::NotFound,
        (405, _) => ErrorKind::Unsupported,
        (409, _) => ErrorKind::Conflict,
        (408, _) => ErrorKind::Timeout,
        (500.., _) => ErrorKind::Unavailable,
        (400..=499, Some(code)) => {
            let of_code = CODES.iter().find(|(_, codes)| codes.contains(&code));
            match (code, of_code) {
                ("2002", _) if read.says(KEY_IN_USE) => ErrorKind::Conflict,
                // The same code is returned if From is missing.
                ("2016", _) if read.wants_from() => ErrorKind::InvalidInput,
                // Login with SAML or Google.
                (sso, _) if sso.len() == 4 && sso.starts_with(['7', '8']) => {
                    ErrorKind::Unauthenticated
                }
                (_, Some((kind, _))) => *kind,
                _ => ErrorKind::InvalidInput,
            }
        }
        (400..=499, None) => ErrorKind::InvalidInput,
        _ => ErrorKind::Unavailable,
    }
}

impl Reasons {
    fn says(&self, part: &str) -> bool {
        self.message.iter().chain(&self.reasons).any(|text| text::contains(text, part))
    }

    /// Whether the header From is missing or invalid.
    fn wants_from(&self) -> bool {
        ["From header", "\"From\"", "`From`"].iter().any(|words| self.says(words))
    }

    /// Whether the acting user is missing or unknown.
    fn wants_a_person(&self) -> bool {
        matches!(self.code.as_deref(), Some("1008" | "1028" | "2011" | "2013")) || self.wants_from()
    }
}

fn hint(status: u16, read: &Reasons, action: &Action, credential: &Credential) -> Option<String> {
    match status {
        401 => Some(format!(
            "Check that the credential is still valid, that its account is in the {} service \
             region, and that it is of the type `{}`.",
            credentials::region_in_words(credential),
            credential.credential_type,
        )),
        400..=499 if read.wants_a_person() => {
            let takes = |name: &str| action.parameters.iter().any(|param| param.name == name);
            let parameter = if takes("requester_id") {
                "the parameter `requester_id` to a user of the account, or "
            } else if takes("from") {
                "the parameter `from` or "
            } else {
                ""
            };
            Some(format!(
                "Set {parameter}the credential's `from_email` to the e-mail address of a user of \
                 the account."
            ))
        }
        400 if credential.slot.as_deref() == Some("events")
            && (read.says("routing_key") || read.says("routing key")) =>
        {
            Some(format!(
                "Check the integration key, and that its account is in the {} service region.",
                credentials::region_in_words(credential)
            ))
        }
        402 => Some(match ability(action) {
            Some(ability) if !read.says(ability) => {
                format!("The plan of the account does not include this: the ability `{ability}`.")
            }
            _ => "The plan of the account does not include this.".to_owned(),
        }),
        403 if !read.required_scopes.is_empty() => {
            Some(needs_scopes(&text::join(&read.required_scopes, " and ")))
        }
        403 if credential.granted_scopes.is_some() && !action.scopes.is_empty() => {
            Some(needs_scopes(&text::join(action.scopes, " and ")))
        }
        403 => Some("The key may be read-only, or its user may lack the role for this.".to_owned()),
        _ => None,
    }
}

fn needs_scopes(scopes: &str) -> String {
    format!("It needs the scope {scopes}.")
}

/// The account ability that an action needs, if known.
fn ability(action: &Action) -> Option<&'static str> {
    let resource = action.name.split('.').next().unwrap_or_default();
    match (action.name, resource) {
        ("incident.add_responders", _) | (_, "incident_responder") => {
            Some("coordinated_responding")
        }
        (_, "team" | "team_member") => Some("teams"),
        _ => None,
    }
}

/// Reads every error shape that PagerDuty is known to return.
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

/// Splits text at spaces or commas.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in text.split([' ', ',']) {
        if !word.is_empty() {
            words.push(word.to_owned());
        }
    }
    words
}

/// The texts in a string, a list, or an object of field names.
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
    fn every_error_shape_is_read() {
        /// The body with its message, code, and reasons.
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
    fn the_status_decides_and_the_code_refines_it() {
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
