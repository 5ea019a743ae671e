//! Failures that a successful answer (2xx) reports: a service says yes to the request, and no to some
//! of what it asks for.

use serde_json::Value;

use crate::declare::Failures;
use crate::error::{Error, ErrorKind};
use crate::http::Response;
use crate::json;

/// The largest body that an error takes along, in bytes: it says what has succeeded.
const LARGEST_DETAIL: usize = 64 * 1024;

/// HTTP 207: the answer tells how each part went (RFC 4918).
const MULTI_STATUS: u16 = 207;

/// Failures that every service reports in the same way: an object `error` instead of what was asked
/// for, and a list `errors` with 207.
const ERROR: &str = "error";
const ERRORS: Failures = Failures::each("/errors", "message");

/// The error of an answer that reports failures.
///
/// # Errors
///
/// With what has failed in its message, and all of a small answer in its detail: parts of it may have
/// succeeded. Never of a kind that is tried again.
pub(super) fn check(
    response: &Response,
    declared: Option<&Failures>,
    reads: bool,
) -> Result<(), Error> {
    // Nearly every answer ends here: reading it costs more than all the rest of a call.
    let is_multi = response.status == MULTI_STATUS;
    if declared.is_none() && (reads || !(is_multi || begins_with_error(&response.body))) {
        return Ok(());
    }
    let Some(body) = json::object(&response.body) else { return Ok(()) };
    if let (Some(error @ Value::Object(_)), true) = (body.get(ERROR), body.len() == 1) {
        return Err(error_of(response, &[reason(error, "message")], 0));
    }
    let body = Value::Object(body);
    for failures in declared.into_iter().chain(is_multi.then_some(&ERRORS)) {
        let Some(Value::Array(list)) = body.pointer(failures.at) else { continue };
        let (failed, succeeded): (Vec<&Value>, Vec<&Value>) =
            list.iter().partition(|one| is_failure(one, failures));
        if !failed.is_empty() {
            let reasons: Vec<String> = failed.iter().map(|one| described(one, failures)).collect();
            return Err(error_of(response, &reasons, succeeded.len()));
        }
    }
    Ok(())
}

/// Whether the first member of an object is called `error`.
fn begins_with_error(body: &[u8]) -> bool {
    let rest = body.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    rest.trim_ascii_start().starts_with(br#""error""#)
}

fn is_failure(one: &Value, failures: &Failures) -> bool {
    failures.result.is_empty()
        || one
            .get(failures.result)
            .is_some_and(|result| !failures.success.contains(&result.as_str().unwrap_or_default()))
}

/// What has failed, and why.
fn described(one: &Value, failures: &Failures) -> String {
    let mut words = reason(one, failures.reason);
    if let Some(result) = one.get(failures.result).and_then(Value::as_str)
        && !words.contains(result)
    {
        words =
            if words.is_empty() { result.to_owned() } else { [&words, " (", result, ")"].concat() };
    }
    let id = one.as_object().and_then(|members| {
        members.iter().find(|(name, _)| *name == "id" || name.ends_with("_id"))?.1.as_str()
    });
    match id {
        Some(id) if !words.contains(id) => [id, ": ", &words].concat(),
        _ => words,
    }
}

fn reason(error: &Value, member: &str) -> String {
    match error {
        Value::String(text) => text.clone(),
        Value::Object(members) => match members.get(member) {
            Some(Value::String(text)) => text.clone(),
            _ if member.is_empty() => String::new(),
            _ => json::text(error),
        },
        other => json::text(other),
    }
}

fn error_of(response: &Response, reasons: &[String], succeeded: usize) -> Error {
    const SHOWN: usize = 5;
    let all = reasons.join("; ").to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| all.contains(word));
    let kind = if says(&["unauthorized", "not authorized", "forbidden", "permission"]) {
        ErrorKind::Forbidden
    } else if says(&["not found", "not_found", "does not exist"]) {
        ErrorKind::NotFound
    } else if says(&["already", "conflict", "duplicate"]) {
        ErrorKind::Conflict
    } else {
        ErrorKind::InvalidInput
    };
    let mut message = format!("the service answered {} and reported a failure: ", response.status);
    message.push_str(&reasons[..reasons.len().min(SHOWN)].join("; "));
    if reasons.len() > SHOWN {
        message.push_str(&format!("; and {} more", reasons.len() - SHOWN));
    }
    if succeeded > 0 {
        message.push_str(&format!(
            ". {succeeded} of {} succeeded and need not be done again",
            succeeded + reasons.len()
        ));
    }
    let mut error = Error::new(kind, message);
    error.http_status = Some(response.status);
    if response.body.len() <= LARGEST_DETAIL
        && let Some(body) = json::value(&response.body)
    {
        error = error.with_detail("response", body);
    }
    error
}
