//! Judging a REST request, from its credential to its body, and the remaining call.

pub(crate) mod body;
mod format;
mod multipart;
mod query;
mod sight;

use std::time::Instant;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::errors::Refusal;
use crate::facts::{FromHeader, Operation};
use crate::keys::{Key, TokenKind};
use crate::matching;
use crate::paging::Page;
use crate::rate_limit::Budget;
use crate::recording::RecordedRequest;
use crate::reply::Reply;
use crate::state::State;
use crate::state::log::Agent;
use crate::{engine, routes};
use body::Findings;
pub(crate) use query::Query;

/// A judged request.
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static Operation,
    pub(crate) state: &'a mut State,
    pub(crate) now: Timestamp,
    /// The values of the path parameters.
    pub(crate) captures: Vec<String>,
    pub(crate) query: Query,
    pub(crate) body: Value,
    pub(crate) key: Key,
    /// The acting user, if there is one.
    pub(crate) user: Option<String>,
}

impl Call<'_> {
    pub(crate) fn capture(&self, index: usize) -> &str {
        self.captures.get(index).map_or("", String::as_str)
    }

    /// The actor of changes.
    pub(crate) fn agent(&self) -> Agent {
        match &self.user {
            Some(user) => Agent::User(user.clone()),
            None => Agent::Key(self.key.name.clone()),
        }
    }

    /// The requested page. It has been judged already.
    pub(crate) fn page(&self) -> Page {
        self.query.page(self.operation).unwrap_or_else(|_| Page::whole())
    }

    /// The status of success.
    pub(crate) fn status(&self) -> u16 {
        self.operation.status.unwrap_or(200)
    }

    /// A success without a body.
    pub(crate) fn done(&self) -> Reply {
        Reply::empty(self.status())
    }

    /// A success with an object under the root that the operation declares.
    pub(crate) fn answer(&self, object: &Value) -> Reply {
        match self.operation.root() {
            Some(root) => Reply::wrapped(self.status(), root, &object.to_string()),
            None => Reply::json(self.status(), &self.filled(object)),
        }
    }

    /// An object that is the whole response, with every member that the response declares.
    fn filled(&self, object: &Value) -> Value {
        let mut object = object.clone();
        let declared = self.operation.answer.iter().flat_map(|answer| &answer.keys);
        if let Some(members) = object.as_object_mut() {
            for (name, kind) in declared {
                let empty = match kind.as_str() {
                    "boolean" => json!(false),
                    kind if kind.starts_with("array") => json!([]),
                    _ => Value::Null,
                };
                members.entry(name.clone()).or_insert(empty);
            }
        }
        object
    }
}

/// The result of a judged request.
pub(crate) struct Verdict {
    pub(crate) reply: Reply,
    pub(crate) key_name: Option<String>,
    pub(crate) violations: Vec<String>,
}

/// Judges a REST request and carries it out.
pub(crate) fn judge(state: &mut State, request: &RecordedRequest) -> Verdict {
    state.tick();
    let mut violations = Vec::new();
    host(request, &mut violations);
    let (token, key) = match authenticate(state, request) {
        Ok(found) => found,
        Err(refusal) => {
            violations.push("its credential was refused".to_owned());
            return Verdict { reply: refusal.into(), key_name: None, violations };
        }
    };
    let name = key.name.clone();
    let now = state.clock.instant();
    let subject = key.rate_subject(&token);
    let mut budget = state.limiter.spend(&subject, now);
    let mut reply = if budget.is_some_and(|budget| budget.exceeded) {
        Reply::from(Refusal::too_many_requests())
    } else {
        let limit = Limit { subject: &subject, now, closest: &mut budget };
        operate(state, request, key, limit, &mut violations).unwrap_or_else(Reply::from)
    };
    if let Some(budget) = budget {
        reply.headers.push(("ratelimit-limit", budget.limit.to_string()));
        reply.headers.push(("ratelimit-remaining", budget.remaining.to_string()));
        reply.headers.push(("ratelimit-reset", budget.reset.to_string()));
    }
    Verdict { reply, key_name: Some(name), violations }
}

/// The limit of an operation with a separate limit, in addition to the key's.
struct Limit<'a> {
    subject: &'a str,
    now: Instant,
    /// The budget that the headers report.
    closest: &'a mut Option<Budget>,
}

impl Limit<'_> {
    fn spend(self, state: &mut State, operation: &Operation) -> Result<(), Refusal> {
        let subject = format!("{} by {}", operation.id, self.subject);
        let Some(own) = state.operation_limiter.spend(&subject, self.now) else {
            return Ok(());
        };
        if self.closest.is_none_or(|other| own.remaining < other.remaining || own.exceeded) {
            *self.closest = Some(own);
        }
        if own.exceeded { Err(Refusal::too_many_requests()) } else { Ok(()) }
    }
}

/// A request for PagerDuty must name the host of its origin.
pub(crate) fn host(request: &RecordedRequest, violations: &mut Vec<String>) {
    let name = request.host.split(':').next().unwrap_or_default();
    if name.ends_with("pagerduty.com") && name != request.origin.host() {
        violations.push(format!("host {} was sent to {}", request.host, request.origin));
    }
}

fn authenticate(state: &State, request: &RecordedRequest) -> Result<(String, Key), Refusal> {
    let mut values = request.headers.iter().filter(|(name, _)| name == "authorization");
    let (Some((_, value)), None) = (values.next(), values.next()) else {
        return Err(Refusal::unauthenticated());
    };
    let token = value
        .strip_prefix(TokenKind::AccountKey.scheme())
        .or_else(|| value.strip_prefix(TokenKind::AppToken.scheme()))
        .ok_or_else(Refusal::unauthenticated)?;
    let key = state.key_ring.find(token, state.now()).ok_or_else(Refusal::unauthenticated)?;
    if value.strip_prefix(key.kind.scheme()) != Some(token) {
        return Err(Refusal::unauthenticated());
    }
    Ok((token.to_owned(), key.clone()))
}

fn operate(
    state: &mut State,
    request: &RecordedRequest,
    key: Key,
    limit: Limit<'_>,
    violations: &mut Vec<String>,
) -> Result<Reply, Refusal> {
    let segments = segments(&request.path)?;
    let matched = matching::find(&request.method, &segments)?;
    let operation = matched.operation;
    if operation.deprecated {
        violations.push(format!("{} is deprecated and not simulated", operation.id));
        return Err(Refusal::not_found());
    }
    if operation.operation_limit {
        limit.spend(state, operation)?;
    }
    accept(request, violations)?;
    let body = body(operation, request, violations)?;
    early_access(operation, request, violations)?;
    permission(state, operation, &key)?;
    let user = acting_user(state, operation, request, &key)?;
    let query = Query::judged(&request.query, operation, violations)?;
    judge_body(operation, &body, violations)?;
    let now = state.now();
    let captures = matched.captures;
    let mut call = Call { operation, state, now, captures, query, body, key, user };
    engine::parents(&mut call)?;
    sight::path(&call)?;
    let reply = routes::handler(operation)(&mut call)?;
    engine::audit::record(&mut call, &reply);
    Ok(reply)
}

/// Decodes each segment separately, so that an encoded slash stays inside its segment.
fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    path.strip_prefix('/')
        .ok_or_else(Refusal::not_found)?
        .split('/')
        .map(|segment| {
            let decoded = percent_decode_str(segment).decode_utf8();
            decoded.map(String::from).map_err(|_| Refusal::not_found())
        })
        .collect()
}

fn accept(request: &RecordedRequest, violations: &mut Vec<String>) -> Result<(), Refusal> {
    let accepted = request.header("accept").unwrap_or_default().split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next() == Some("application/vnd.pagerduty+json") && parts.any(|p| p == "version=2")
    });
    if accepted {
        return Ok(());
    }
    violations.push("header Accept does not ask for version 2".to_owned());
    let message = "Accept must be application/vnd.pagerduty+json;version=2";
    Err(Refusal::coded(406, 2001, message))
}

/// The body as JSON, if the operation has one.
fn body(
    operation: &Operation,
    request: &RecordedRequest,
    violations: &mut Vec<String>,
) -> Result<Value, Refusal> {
    let Some(declared) = &operation.body else {
        if request.body.is_empty() {
            return Ok(Value::Null);
        }
        violations.push(format!("{} with a body", request.method));
        return Err(Refusal::coded(400, 2001, "This request must not have a body"));
    };
    if request.body.is_empty() && !declared.must_be_sent() {
        return Ok(json!({}));
    }
    let content_type = request.header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let wanted = declared.content_type.as_str();
    if !essence.eq_ignore_ascii_case(wanted) {
        violations.push(format!("header Content-Type is not {wanted}"));
        return Err(Refusal::coded(400, 2001, &format!("Content-Type must be {wanted}")));
    }
    if wanted == multipart::CONTENT_TYPE {
        return multipart::read(content_type, &request.body)
            .ok_or_else(|| Refusal::invalid(["the body is not a valid form"]));
    }
    serde_json::from_slice(&request.body)
        .map_err(|_| Refusal::invalid(["the body is not valid JSON"]))
}

fn judge_body(
    operation: &Operation,
    body: &Value,
    violations: &mut Vec<String>,
) -> Result<(), Refusal> {
    let Some(declared) = &operation.body else {
        return Ok(());
    };
    let mut findings = Findings::default();
    findings.record("", body, &declared.fields);
    violations.append(&mut findings.ignored);
    // Too many items are refused before any of them is judged.
    for name in ["incidents", "alerts"] {
        if body.get(name).and_then(Value::as_array).is_some_and(|list| list.len() > 250) {
            let message = format!("At most 250 {name} may be updated at once");
            return Err(Refusal::coded(413, 2001, &message));
        }
    }
    match (findings.errors.is_empty(), findings.code) {
        (true, _) => Ok(()),
        (false, Some(code)) => Err(Refusal::known(code)),
        (false, None) => Err(Refusal::invalid(findings.errors)),
    }
}

/// An operation in early access requires its header.
fn early_access(
    operation: &Operation,
    request: &RecordedRequest,
    violations: &mut Vec<String>,
) -> Result<(), Refusal> {
    let Some(feature) = &operation.early_access else {
        return Ok(());
    };
    if request.header("x-early-access") == Some(feature) {
        return Ok(());
    }
    violations.push(format!("header X-EARLY-ACCESS is not {feature}"));
    let message = format!("X-EARLY-ACCESS must be {feature}");
    Err(Refusal::coded(400, 2001, &message))
}

fn permission(state: &State, operation: &Operation, key: &Key) -> Result<(), Refusal> {
    let writes = operation.method != "GET";
    if writes && key.kind == TokenKind::ReadOnlyAccountKey {
        return Err(Refusal::denied());
    }
    let scope = operation.scope.as_deref();
    if !key.allows(scope, writes) {
        return Err(Refusal::scope(scope.unwrap_or_default()));
    }
    let role = key.user.as_deref().and_then(|id| state.user(id)).map(|user| user.role.as_str());
    if writes && matches!(role, Some("read_only_user" | "read_only_limited_user" | "observer")) {
        return Err(Refusal::denied());
    }
    Ok(())
}

/// The key's user; otherwise the user in `From`, if it is required or given.
fn acting_user(
    state: &State,
    operation: &Operation,
    request: &RecordedRequest,
    key: &Key,
) -> Result<Option<String>, Refusal> {
    if key.user.is_some() || operation.from == FromHeader::None {
        return Ok(key.user.clone());
    }
    let Some(from) = request.header("from").filter(|from| !from.trim().is_empty()) else {
        if operation.from == FromHeader::Optional {
            return Ok(None);
        }
        let message =
            "You must specify a user's email address in the \"From\" header to perform this action";
        return Err(Refusal::coded(400, 2016, message));
    };
    if !format::is_address(from) {
        return Err(Refusal::coded(400, 1028, "Malformed \"From\" header"));
    }
    let user = state.users.iter().find(|user| user.email.eq_ignore_ascii_case(from));
    user.map(|user| Some(user.id.clone()))
        .ok_or_else(|| Refusal::coded(400, 1008, "Requester User Not Found"))
}
