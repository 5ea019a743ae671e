//! The behavior of the node: each item sends one or more requests, and all items run concurrently.

use std::collections::BTreeMap;

use workflow_node_sdk::bindings::workflow::node::types::{Error, ErrorKind, OutputItem};
use workflow_node_sdk::bindings::workflow::node::{completions, context, http, timer};
use workflow_node_sdk::{Map, Value, json};

use crate::breaks;

pub(crate) const API: &str = "https://api.judged.example";

/// Output of actions that delete.
const DELETED: &str = r#"{"id":"deleted","size":0}"#;

type Outcome = Result<Vec<OutputItem>, Error>;

/// An item in progress.
struct Item {
    method: &'static str,
    path: String,
    body: Option<String>,
    limit: Option<usize>,
    is_list: bool,
    /// Where the last page ended.
    cursor: Option<String>,
    records: Vec<Value>,
    attempts: u32,
    outcome: Option<Outcome>,
}

impl Item {
    fn new(action: &str, parameters: &str) -> Self {
        let parameters = json::object(parameters).unwrap_or_default();
        let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default();
        let (method, path, body) = match action {
            "thing.list" => ("GET", "/things".to_owned(), None),
            "thing.get" => ("GET", format!("/things/{}", text("thing_id")), None),
            "thing.delete" => ("DELETE", format!("/things/{}", text("thing_id")), None),
            _ => {
                let mut body = Map::new();
                body.insert("name".into(), text("name").into());
                ("POST", "/things".to_owned(), Some(Value::Object(body).to_string()))
            }
        };
        let limit = parameters.get("limit").and_then(Value::as_u64);
        Self {
            method,
            path,
            body,
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            is_list: action == "thing.list",
            cursor: None,
            records: Vec::new(),
            attempts: 0,
            outcome: None,
        }
    }

    fn submit(&mut self) -> u64 {
        self.attempts += 1;
        let mut query = self.cursor.as_ref().map(|cursor| format!("?cursor={cursor}"));
        if breaks("cases") && self.method == "GET" {
            // A fault that only a test case with knowledge of the service can detect.
            query = Some(query.unwrap_or_else(|| "?old=1".to_owned()));
        }
        http::submit(&http::Request {
            method: self.method.into(),
            url: format!("{API}{}{}", self.path, query.unwrap_or_default()),
            headers: vec![("content-type".into(), "application/json".into())],
            body: self.body.clone().map(String::into_bytes),
            credential: Some("main".into()),
            timeout: None,
            idempotency_key: None,
        })
    }

    fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// Interprets a response. Returns whether another request is needed.
    fn answered(&mut self, answer: Result<http::Response, http::SendError>) -> bool {
        let response = match answer {
            Ok(response) => response,
            Err(_) if self.is_write() && self.attempts < 2 && breaks("writes") => return true,
            Err(error) => {
                self.outcome = Some(Err(unanswered(&error, self.is_write())));
                return false;
            }
        };
        if response.status >= 300 {
            self.outcome = Some(Err(refused(&response, self.is_write())));
            return false;
        }
        if self.method == "DELETE" {
            let deleted = OutputItem { port: "main".into(), json: DELETED.to_owned() };
            self.outcome = Some(Ok(vec![deleted]));
            return false;
        }
        let text = String::from_utf8_lossy(&response.body).into_owned();
        let Some(Value::Object(body)) = json::value(&text) else {
            self.outcome = Some(match breaks("error-malformed") {
                true => Ok(vec![record(&empty())]),
                false => Err(unreadable(self.is_write())),
            });
            return false;
        };
        if !self.is_list {
            let found = body.get("thing").cloned().unwrap_or(Value::Object(body));
            self.outcome = Some(Ok(vec![record(&found)]));
            return false;
        }
        let Some(Value::Array(list)) = body.get("things") else {
            self.outcome = Some(Err(unreadable(false)));
            return false;
        };
        self.records.extend(list.iter().cloned());
        let next = body.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        let is_enough = self.limit.is_some_and(|limit| self.records.len() >= limit);
        let repeats = next == self.cursor && !breaks("paging");
        if next.is_some() && !is_enough && !repeats && !list.is_empty() {
            self.cursor = next;
            return true;
        }
        if next.is_some() && list.is_empty() && breaks("paging") {
            self.cursor = next;
            return true;
        }
        self.records.truncate(self.limit.unwrap_or(usize::MAX));
        self.outcome = Some(Ok(self.records.iter().map(record).collect()));
        false
    }
}

/// Runs an action for all items.
pub(crate) fn all(action: &str, items: &[String]) -> Vec<Outcome> {
    let mut items: Vec<Item> = items.iter().map(|one| Item::new(action, one)).collect();
    if breaks("origins") {
        // No task waits for it.
        http::submit(&http::Request {
            method: "POST".into(),
            url: "https://telemetry.example/usage".into(),
            headers: Vec::new(),
            body: None,
            credential: None,
            timeout: None,
            idempotency_key: None,
        });
    }
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    let mut waiting: Vec<usize> = (0..items.len()).rev().collect();
    let mut answered = 0_u32;
    loop {
        while let Some(place) = waiting.pop() {
            open.insert(items[place].submit(), place);
            if breaks("concurrency") && !items[place].is_write() {
                break;
            }
        }
        if open.is_empty() {
            break;
        }
        let Some(ticket) = completions::next() else { break };
        let Some(place) = open.remove(&ticket) else { continue };
        let answer = http::take(ticket);
        if breaks("cancellation") && context::cancelled() {
            // It waits for a response that does not arrive.
            loop {
                timer::after(60_000);
                completions::next();
            }
        }
        answered += 1;
        if items[place].answered(answer) {
            waiting.push(place);
        } else if breaks("determinism")
            && let Some(Ok(records)) = &mut items[place].outcome
        {
            for one in records {
                let mut record = json::object(&one.json).unwrap_or_default();
                record.insert("number".into(), answered.into());
                one.json = Value::Object(record).to_string();
            }
        }
    }
    let cancelled = || Err(error(ErrorKind::Cancelled, "The call was canceled."));
    let mut outcomes: Vec<Outcome> =
        items.into_iter().map(|item| item.outcome.unwrap_or_else(cancelled)).collect();
    if breaks("order") || (breaks("order-of-writes") && action == "thing.delete") {
        outcomes.reverse();
    }
    outcomes
}

/// The records, as choices of a field.
pub(crate) fn choices() -> Result<String, Error> {
    if breaks("references") {
        return Err(error(ErrorKind::Unsupported, "There are no choices."));
    }
    let mut item = Item::new("thing.list", "{}");
    item.limit = Some(10);
    let ticket = item.submit();
    while completions::next().is_some_and(|named| named != ticket) {}
    item.answered(http::take(ticket));
    match item.outcome {
        Some(Err(error)) => Err(error),
        _ => Ok(r#"{"choices":[{"value":"T1","label":"Lamp"}]}"#.to_owned()),
    }
}

fn empty() -> Value {
    json::value(r#"{"id":"","size":0}"#).unwrap_or_default()
}

fn record(found: &Value) -> OutputItem {
    let mut found = found.clone();
    if breaks("output")
        && let Value::Object(members) = &mut found
    {
        members.insert("size".into(), "large".into());
    }
    OutputItem { port: "main".into(), json: found.to_string() }
}

pub(crate) fn error(kind: ErrorKind, message: &str) -> Error {
    Error {
        kind,
        message: message.to_owned(),
        code: None,
        http_status: None,
        retry_after: None,
        detail: None,
    }
}

pub(crate) fn unreadable(is_write: bool) -> Error {
    let kind = if is_write { ErrorKind::OutcomeUnknown } else { ErrorKind::Unavailable };
    error(kind, "The service sent a response that has no `things`.")
}

pub(crate) fn unanswered(sent: &http::SendError, is_write: bool) -> Error {
    let kind = match sent.kind {
        http::SendErrorKind::RateLimited => ErrorKind::RateLimited,
        _ if sent.maybe_sent && is_write => ErrorKind::OutcomeUnknown,
        http::SendErrorKind::Cancelled => ErrorKind::Cancelled,
        http::SendErrorKind::Denied => ErrorKind::DeniedByHost,
        http::SendErrorKind::Timeout => ErrorKind::Timeout,
        _ => ErrorKind::Unavailable,
    };
    error(kind, &sent.message)
}

/// The error of a status. Of a broken kind, it says what no status means.
pub(crate) fn refused(response: &http::Response, is_write: bool) -> Error {
    let (check, kind) = match response.status {
        401 => ("error-unauthenticated", ErrorKind::Unauthenticated),
        403 => ("error-forbidden", ErrorKind::Forbidden),
        404 => ("error-not-found", ErrorKind::NotFound),
        409 => ("error-conflict", ErrorKind::Conflict),
        429 => ("error-rate-limited", ErrorKind::RateLimited),
        _ if is_write => ("error-unavailable", ErrorKind::OutcomeUnknown),
        _ => ("error-unavailable", ErrorKind::Unavailable),
    };
    let kind = if breaks(check) { ErrorKind::Internal } else { kind };
    Error {
        http_status: Some(response.status),
        retry_after: response.retry_after,
        ..error(kind, "The service refused the request.")
    }
}
