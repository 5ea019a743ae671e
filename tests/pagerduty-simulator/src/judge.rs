//! The judgement of a REST request, from its credential to its body, and the call that is left.

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::errors::Refusal;
use crate::keys::{Key, TokenKind};
use crate::query::Query;
use crate::recording::RecordedRequest;
use crate::reply::Reply;
use crate::routes::{self, Route};
use crate::shape::Findings;
use crate::state::State;
use crate::state::log::Agent;

/// A judged request on its way to the operation.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) now: Timestamp,
    /// What the braces of the template matched.
    pub(crate) captures: Vec<String>,
    pub(crate) query: Query,
    pub(crate) body: Value,
    pub(crate) key: Key,
    /// The user who acts, when there is one.
    pub(crate) user: Option<String>,
}

impl Call<'_> {
    pub(crate) fn capture(&self, index: usize) -> &str {
        self.captures.get(index).map_or("", String::as_str)
    }

    /// Who changes things. Operations that write have made sure that there is a user.
    pub(crate) fn agent(&self) -> Agent {
        Agent::User(self.user.clone().unwrap_or_default())
    }
}

/// What a judged request comes to.
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
    let budget = state.limiter.spend(&key.rate_subject(&token), now);
    let mut reply = if budget.is_some_and(|budget| budget.exceeded) {
        Reply::from(Refusal::too_many_requests())
    } else {
        operate(state, request, key, &mut violations).unwrap_or_else(Reply::from)
    };
    if let Some(budget) = budget {
        reply.headers.push(("ratelimit-limit", budget.limit.to_string()));
        reply.headers.push(("ratelimit-remaining", budget.remaining.to_string()));
        reply.headers.push(("ratelimit-reset", budget.reset.to_string()));
    }
    Verdict { reply, key_name: Some(name), violations }
}

/// A request for PagerDuty must name the host that its origin stands for.
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
    violations: &mut Vec<String>,
) -> Result<Reply, Refusal> {
    let segments = segments(&request.path)?;
    let matched = routes::find(&request.method, &segments)?;
    let route = matched.route;
    accept(request, violations)?;
    let body = body(route, request, violations)?;
    permission(state, route, &key)?;
    let user = acting_user(state, route, request, &key)?;
    let query = Query::judged(&request.query, route.query, route.paged, violations)?;
    if let Some(fields) = route.body {
        let mut findings = Findings::default();
        findings.record("", &body, fields);
        violations.append(&mut findings.ignored);
        // Too many items are refused before any of them is looked at.
        let too_many =
            |name| body.get(name).and_then(Value::as_array).is_some_and(|l| l.len() > 250);
        if too_many("incidents") {
            return Err(Refusal::coded(413, 2001, "At most 250 incidents may be updated at once"));
        }
        if !findings.errors.is_empty() {
            return Err(Refusal::invalid(findings.errors));
        }
    }
    let now = state.now();
    (route.handler)(&mut Call { state, now, captures: matched.captures, query, body, key, user })
}

/// Decodes each segment on its own, so that an encoded slash stays inside its segment.
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

/// The body as JSON where the operation has one.
fn body(
    route: &Route,
    request: &RecordedRequest,
    violations: &mut Vec<String>,
) -> Result<Value, Refusal> {
    if route.body.is_none() {
        if request.body.is_empty() {
            return Ok(Value::Null);
        }
        violations.push(format!("{} with a body", request.method));
        return Err(Refusal::coded(400, 2001, "This request must not have a body"));
    }
    let content_type = request.header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        violations.push("header Content-Type is not application/json".to_owned());
        return Err(Refusal::coded(400, 2001, "Content-Type must be application/json"));
    }
    serde_json::from_slice(&request.body)
        .map_err(|_| Refusal::invalid(["the body is not valid JSON"]))
}

fn permission(state: &State, route: &Route, key: &Key) -> Result<(), Refusal> {
    let writes = route.method != "GET";
    if writes && key.kind == TokenKind::ReadOnlyAccountKey {
        return Err(Refusal::denied());
    }
    if !key.allows(route.scope, writes) {
        return Err(Refusal::scope(route.scope.unwrap_or_default()));
    }
    let role = key.user.as_deref().and_then(|id| state.user(id)).map(|user| user.role.as_str());
    if writes && matches!(role, Some("read_only_user" | "read_only_limited_user" | "observer")) {
        return Err(Refusal::denied());
    }
    Ok(())
}

/// The key's own user; without one, the user whom `From` names where it is needed.
fn acting_user(
    state: &State,
    route: &Route,
    request: &RecordedRequest,
    key: &Key,
) -> Result<Option<String>, Refusal> {
    if key.user.is_some() || !route.needs_from {
        return Ok(key.user.clone());
    }
    let Some(from) = request.header("from").filter(|from| !from.trim().is_empty()) else {
        let message =
            "You must specify a user's email address in the \"From\" header to perform this action";
        return Err(Refusal::coded(400, 2016, message));
    };
    let well_formed = from.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !domain.contains('@')
    }) && !from.contains(char::is_whitespace);
    if !well_formed {
        return Err(Refusal::coded(400, 1028, "Malformed \"From\" header"));
    }
    let user = state.users.iter().find(|user| user.email.eq_ignore_ascii_case(from));
    user.map(|user| Some(user.id.clone()))
        .ok_or_else(|| Refusal::coded(400, 1008, "Requester User Not Found"))
}
