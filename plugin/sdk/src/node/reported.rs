//! Failures that a successful response (2xx) reports: the service accepts the request and refuses a
//! part of it.

use serde_json::Value;

use crate::declare::Failures;
use crate::error::{Error, ErrorKind};
use crate::http::Response;
use crate::json;

/// The largest body that an error includes, in bytes: it shows what has succeeded.
const LARGEST_DETAIL: usize = 64 * 1024;

/// HTTP 207: the response contains the status of each part (RFC 4918).
const MULTI_STATUS: u16 = 207;

/// An object of this name instead of the expected one is a failure.
const ERROR: &str = "error";

/// With 207, this list has one element per failure.
const ERRORS: Failures = Failures::each("/errors").reason("message");

/// With 207, an element of any other list is a failure if it has errors.
const OWN_ERRORS: Failures = Failures::unless("", "errors", &[]).reason("errors");

/// The error of a response that reports failures.
///
/// # Errors
///
/// The message names what has failed, and the detail contains all of a small response, because
/// parts of it may have succeeded. The kind is never one that is retried.
pub(super) fn check(
    response: &Response,
    declared: Option<&Failures>,
    reads: bool,
) -> Result<(), Error> {
    // Nearly every response ends here: reading it would cost more than the rest of the call.
    let is_multi = response.status == MULTI_STATUS;
    if declared.is_none() && (reads || !(is_multi || begins_with_error(&response.body))) {
        return Ok(());
    }
    let Some(body) = json::value(&response.body) else { return Ok(()) };
    if let Some(members) = body.as_object()
        && let (Some(error @ Value::Object(_)), 1) = (members.get(ERROR), members.len())
    {
        return Err(error_of(response, &[reason(error, Some("message"))], 0));
    }
    if let Some(failures) = declared
        && let Some(found) = body.pointer(failures.at)
    {
        check_part(response, found, failures)?;
    }
    if !is_multi {
        return Ok(());
    }
    match &body {
        Value::Object(members) => {
            if let Some(errors) = body.pointer(ERRORS.at) {
                check_part(response, errors, &ERRORS)?;
            }
            members.iter().try_for_each(|(_, one)| check_part(response, one, &OWN_ERRORS))
        }
        list => check_part(response, list, &OWN_ERRORS),
    }
}

/// The error for a list that contains a failure, or for a number of failures other than zero.
fn check_part(response: &Response, part: &Value, failures: &Failures) -> Result<(), Error> {
    let list = match part {
        Value::Array(list) => list,
        Value::Number(count) if failures.result.is_none() && count.as_f64() != Some(0.0) => {
            let name = failures.at.rsplit('/').next().unwrap_or_default();
            return Err(error_of(response, &[[name, ": ", &json::text(part)].concat()], 0));
        }
        _ => return Ok(()),
    };
    let (failed, succeeded): (Vec<&Value>, Vec<&Value>) =
        list.iter().partition(|one| is_failure(one, failures));
    if failed.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = failed.iter().map(|one| described(one, failures)).collect();
    Err(error_of(response, &reasons, succeeded.len()))
}

/// Whether the first member of an object is called `error`.
fn begins_with_error(body: &[u8]) -> bool {
    let rest = body.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    rest.trim_ascii_start().starts_with(br#""error""#)
}

fn is_failure(one: &Value, failures: &Failures) -> bool {
    // The HTTP status of an element decides, whatever else it contains.
    let status = one.get("status").and_then(Value::as_u64);
    let Some(member) = failures.result else { return true };
    status.is_some_and(|status| status >= 400)
        || match one.get(member) {
            None | Some(Value::Null) => false,
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(members)) => !members.is_empty(),
            Some(result) => !failures.success.contains(&result.as_str().unwrap_or_default()),
        }
}

/// Describes a failed element: its ID and the reason for the failure.
fn described(one: &Value, failures: &Failures) -> String {
    let mut words = reason(one, failures.reason);
    if let Some(result) = failures.result.and_then(|member| one.get(member)?.as_str())
        && !words.contains(result)
    {
        words =
            if words.is_empty() { result.to_owned() } else { [&words, " (", result, ")"].concat() };
    }
    match id_in(one) {
        Some(id) if !words.contains(id) => [id, ": ", &words].concat(),
        _ => words,
    }
}

/// The ID in an element or in one of its objects.
fn id_in(one: &Value) -> Option<&str> {
    let members = one.as_object()?;
    let own = members.iter().find(|(name, _)| *name == "id" || name.ends_with("_id"));
    own.and_then(|(_, id)| id.as_str())
        .or_else(|| members.iter().find_map(|(_, inner)| inner.as_object()?.get("id")?.as_str()))
}

fn reason(error: &Value, member: Option<&str>) -> String {
    match error {
        Value::String(text) => text.clone(),
        Value::Object(members) => match member.map(|member| members.get(member)) {
            Some(Some(Value::String(text))) => text.clone(),
            Some(Some(Value::Array(list))) => {
                let reasons: Vec<String> =
                    list.iter().map(|one| reason(one, Some("message"))).collect();
                reasons.join("; ")
            }
            None => String::new(),
            Some(_) => json::text(error),
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
