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

/// Length in bytes up to which a body without structure counts as a message.
const LONGEST_TEXT: usize = 300;

/// The members that contain texts, in the order in which they are read.
const TEXTS: [&str; 5] = ["message", "error_description", "title", "detail", "errors"];

impl Reasons {
    /// Adds an error: an object, a text, or a list of them.
    fn add(&mut self, error: &Value) {
        match error {
            Value::Object(members) => self.add_members(members),
            other => texts(other).into_iter().for_each(|text| self.add_text(text)),
        }
    }

    fn add_members(&mut self, members: &Map<String, Value>) {
        let code = match members.get("code") {
            Some(Value::Number(code)) => Some(code.as_str().to_owned()),
            Some(Value::String(code)) => Some(code.clone()),
            _ => None,
        };
        self.code = self.code.take().or(code);
        for name in TEXTS {
            texts(members.get(name).unwrap_or(&Value::Null))
                .into_iter()
                .for_each(|text| self.add_text(text));
        }
        match members.get("required_scopes") {
            Some(Value::String(scopes)) => self.required_scopes.extend(words(scopes)),
            Some(other) => self.required_scopes.extend(texts(other)),
            None => {}
        }
    }

    /// The first text is the message; the others are its reasons.
    fn add_text(&mut self, text: String) {
        let is_known = self.message.as_ref() == Some(&text) || self.reasons.contains(&text);
        if is_known || text.trim_ascii().is_empty() {
            return;
        }
        match &self.message {
            None => self.message = Some(text),
            Some(_) => self.reasons.push(text),
        }
    }

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

/// Reads every error shape that PagerDuty is known to return, and those of proxies in front of it.
fn read(body: &[u8]) -> Reasons {
    let mut read = Reasons::default();
    match json::value(body) {
        Some(Value::Object(members)) => {
            members.get("error").into_iter().for_each(|error| read.add(error));
            // The Events API, and texts next to the envelope.
            read.add_members(&members);
        }
        Some(other) => read.add(&other),
        None => {
            let text = std::str::from_utf8(body).unwrap_or_default().trim_ascii();
            if text.len() <= LONGEST_TEXT && !text.starts_with(['<', '{', '[']) {
                read.reasons.extend((!text.is_empty()).then(|| text.to_owned()));
            }
        }
    }
    read
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
            (r#"{"error":null}"#, None, None, &[]),
            (r#"{"error":{"message":["first","second"]}}"#, Some("first"), None, &["second"]),
            (r#"{"error":{"errors":["only"]}}"#, Some("only"), None, &[]),
            (r#"{"error":{},"message":"m"}"#, Some("m"), None, &[]),
            (
                r#"{"error":"Not Found","message":"No route"}"#,
                Some("Not Found"),
                None,
                &["No route"],
            ),
            (
                r#"{"error":"invalid_request","error_description":"missing scope"}"#,
                Some("invalid_request"),
                None,
                &["missing scope"],
            ),
            (r#"{"errors":"one text"}"#, Some("one text"), None, &[]),
            (
                r#"{"error":{"message":"m","errors":[{"rule_id":"R1","messages":["too long"]}]}}"#,
                Some("m"),
                None,
                &["rule_id: R1", "messages: too long"],
            ),
            (r#"{"title":"t","status":400,"detail":"d"}"#, Some("t"), None, &["d"]),
            (r#"["first","second"]"#, Some("first"), None, &["second"]),
            (r#""a text""#, Some("a text"), None, &[]),
            ("no healthy upstream", None, None, &["no healthy upstream"]),
            (r#"{"error":{"message":"#, None, None, &[]),
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
