//! The checks of every request: its Host and Origin, its token, and the audit log.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::audit::AuditEntry;
use crate::error::{ApiError, shown};
use crate::extract::Found;
use crate::origins::Peer;
use crate::state::Shared;
use crate::token::Caller;

/// Whether a route belongs to the page.
fn is_page(route: &str) -> bool {
    route == "/" || ["/page/", "/enter/"].iter().any(|prefix| route.starts_with(prefix))
}

/// Checks a request, finds its token, and records the result.
pub(crate) async fn guard(
    State(state): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let since = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "unknown".to_owned(), |path| path.as_str().to_owned());
    let peer = request.extensions().get::<Peer>().copied();
    let peer = peer.unwrap_or(Peer { is_unix: false, is_tls: false, address: None });
    let is_page = is_page(&route);
    // The paths of pages and webhooks contain secrets.
    let secret = ["/connect/", "/enter/", "/hooks/"];
    let is_secret = secret.iter().any(|prefix| route.starts_with(prefix));
    let path: String = if is_secret { route.clone() } else { shown(request.uri().path()) };
    // At a level that the log leaves out: its lines name the request themselves.
    let span = tracing::debug_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = %method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
    );
    if !span.is_disabled() && span.set_parent(crate::telemetry::parent(request.headers())).is_err()
    {
        tracing::debug!("a request does not continue its trace");
    }
    let checked = match is_page {
        true => state.origins.check_page(&method, request.uri(), request.headers(), peer),
        false => state.origins.check(request.uri(), request.headers(), peer),
    };
    let (mut caller, mut session) = (None, None);
    let mut response = match checked {
        Err(refused) => refused.into_response(),
        // A cookie is worth nothing at the API, and a token nothing on the page.
        Ok(()) if is_page => {
            let (tokens, policies) = (&state.tokens, &state.policies);
            match state.sessions.find(tokens, policies, request.headers(), peer) {
                Ok(found) => {
                    if let Some(found) = &found {
                        (caller, session) = (Some(found.caller.clone()), Some(found.id()));
                        request.extensions_mut().insert(found.clone());
                    }
                    next.run(request).await
                }
                Err(error) => ApiError::from(error).into_response(),
            }
        }
        Ok(()) => match find(&state, request.headers()) {
            Ok(found) => {
                caller = found.clone();
                request.extensions_mut().insert(Found(found));
                next.run(request).instrument(span.clone()).await
            }
            Err(error) => error.into_response(),
        },
    };
    let headers = response.headers_mut();
    // Answers hold data of tenants.
    let caching = headers.entry(header::CACHE_CONTROL);
    caching.or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let status = response.status().as_u16();
    span.record("http.response.status_code", status);
    state.metrics.request(method.as_str(), &route, status, since.elapsed());
    let quiet = matches!(route.as_str(), "/healthz" | "/readyz");
    if !(quiet && status == 200) {
        let kind = if is_page { "page" } else { "api" };
        let asked = if caller.is_some() { &path } else { &route };
        let entry = AuditEntry {
            session: session.clone(),
            what: format!("{method} {asked}"),
            result: status.to_string(),
            ..AuditEntry::of(kind, caller.as_ref())
        };
        state.audit.add(entry);
    }
    match &caller {
        _ if quiet && status == 200 => {}
        Some(Caller { token, name, policy, .. }) => tracing::info!(
            target: "workflow_node::audit",
            token, token_name = name, session, actor = %policy.principal(), %method, path, status,
            "{}", if is_page { "page request" } else { "api request" }
        ),
        None => tracing::info!(
            target: "workflow_node::audit",
            %method, path, status,
            "{}", if is_page { "page request without a session" } else { "api request without a token" }
        ),
    }
    response
}

/// The token of a request; `None` if there is no valid one.
fn find(state: &Shared, headers: &HeaderMap) -> Result<Option<Caller>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let value = value.to_str().unwrap_or_default();
    let Some((scheme, token)) = value.split_once(' ') else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    match state.tokens.caller(token.trim(), &state.policies)? {
        Ok(caller) => Ok(Some(caller)),
        Err(reason) => {
            tracing::warn!(target: "workflow_node::audit", %reason, "token refused");
            let result = reason.to_string();
            state.audit.add(AuditEntry { result, ..AuditEntry::of("token-refused", None) });
            Ok(None)
        }
    }
}
