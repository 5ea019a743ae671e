//! Operations for operators and monitoring.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, Failures};
use crate::metrics::CONTENT_TYPE;
use crate::state::Shared;
use crate::token::{Caller, Role};

/// Versions of the server, and the permissions of the token.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `workflow-node-server`.
    name: &'static str,
    /// Version of the API.
    api: &'static str,
    /// Version of the host.
    version: &'static str,
    token: TokenHealth,
}

/// What the token may use. Where a list is absent, everything is allowed.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenHealth {
    name: String,
    tenant: String,
    actor: String,
    roles: BTreeSet<Role>,
    plugins: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effects: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destinations: Option<Vec<String>>,
    /// Milliseconds since 1970; absent if the token does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

/// Returns the versions of the server, and what the token may use.
#[utoipa::path(get, path = "/v1/health", operation_id = "get_health", tag = "server",
    responses((status = 200, description = "The server answers.", body = Health), Failures))]
pub(crate) async fn health(State(state): State<Shared>, caller: Caller) -> Json<Health> {
    let principal = caller.policy.principal();
    let allowed = state.plugins.keys().filter(|name| caller.policy.allows_plugin(name));
    let policy = &caller.policy;
    Json(Health {
        name: "workflow-node-server",
        api: "v1",
        version: env!("CARGO_PKG_VERSION"),
        token: TokenHealth {
            plugins: allowed.cloned().collect(),
            tenant: principal.tenant.to_string(),
            actor: principal.user.to_string(),
            roles: policy.roles.clone(),
            actions: policy.actions.clone(),
            effects: policy
                .effects
                .as_ref()
                .map(|all| all.iter().map(ToString::to_string).collect()),
            credentials: policy.credentials.clone(),
            destinations: policy
                .destinations
                .as_ref()
                .map(|all| all.iter().map(ToString::to_string).collect()),
            expires_at: caller.expires_at,
            name: caller.name,
        },
    })
}

/// Says that the process runs. Needs no token.
#[utoipa::path(get, path = "/healthz", operation_id = "check_alive", tag = "server", security(()),
    responses((status = 200, description = "The process runs.", body = String,
               content_type = "text/plain"), Failures))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Says whether the server takes executions. Needs no token.
#[utoipa::path(get, path = "/readyz", operation_id = "check_ready", tag = "server", security(()),
    responses((status = 200, description = "It takes executions.", body = String,
               content_type = "text/plain"), Failures))]
pub(crate) async fn readyz(State(state): State<Shared>) -> Result<&'static str, ApiError> {
    if state.executions.is_draining() {
        let message = "The server is shutting down.";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", message));
    }
    Ok("ready\n")
}

/// Returns metrics as OpenMetrics text. Needs the role `monitor`.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "server",
    responses((status = 200, description = "The metrics.", body = String,
               content_type = "application/openmetrics-text"), Failures))]
pub(crate) async fn metrics(
    State(state): State<Shared>,
    caller: Caller,
) -> Result<Response, ApiError> {
    caller.require(Role::Monitor)?;
    if let Some(subscriptions) = &state.subscriptions {
        subscriptions.measure().await?;
    }
    let text = state.metrics.text().map_err(|error| ApiError::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// Returns this document. Needs no token.
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "get_openapi", tag = "server", security(()),
    responses((status = 200, description = "The OpenAPI document.", body = Object), Failures))]
pub(crate) async fn openapi(State(state): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], state.document.clone()).into_response()
}
