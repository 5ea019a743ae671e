//! Secrets that parameters take by name. None of them is ever returned.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use workflow_node_host::Secret;

use super::page::PageQuery;
use crate::database::DatabaseError;
use crate::error::{ApiError, Failures};
use crate::extract::{Params, Segments, json, secret};
use crate::secrets::{SecretRecord, SecretValue, Secrets, too_many};
use crate::state::{Shared, State as Server};
use crate::token::{Caller, Role};

/// A stored secret, without the secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecretEntry {
    name: String,
    /// Milliseconds since 1970.
    created_at: u64,
    /// Milliseconds since 1970.
    updated_at: u64,
}

impl From<SecretRecord> for SecretEntry {
    fn from(record: SecretRecord) -> Self {
        let SecretRecord { name, created_at, updated_at, .. } = record;
        Self { name, created_at, updated_at }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SecretPage {
    secrets: Vec<SecretEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A secret that is to be stored.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretBody {
    /// The secret: 1 to 4,096 bytes.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, min_length = 1, max_length = 4096)]
    value: Secret,
}

fn secrets(state: &Server) -> Result<Secrets, ApiError> {
    state.secrets.clone().ok_or_else(|| {
        let message = "The server has no store for secrets, because it has no key for one.";
        ApiError::new(StatusCode::CONFLICT, "no-credential-store", message)
            .next("Create a key: harness credential key-file FILE")
    })
}

async fn with<T: Send + 'static>(
    secrets: Secrets,
    work: impl FnOnce(&Secrets) -> Result<T, DatabaseError> + Send + 'static,
) -> Result<T, ApiError> {
    let worked = tokio::task::spawn_blocking(move || work(&secrets)).await;
    match worked.map_err(|error| ApiError::internal(&error))? {
        Err(DatabaseError::Refused(problem)) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Err(ApiError::new(status, "invalid-input", problem))
        }
        worked => Ok(worked?),
    }
}

/// Lists the secrets of the token's user that the token may use.
#[utoipa::path(get, path = "/v1/secrets", operation_id = "list_secrets", tag = "secrets", params(PageQuery),
    responses((status = 200, description = "A page of secrets.", body = SecretPage), Failures))]
pub(crate) async fn list(
    State(state): State<Shared>,
    caller: Caller,
    Params(page): Params<PageQuery>,
) -> Result<Json<SecretPage>, ApiError> {
    let by = caller.policy.principal();
    let all = match &state.secrets {
        Some(secrets) => with(secrets.clone(), move |secrets| secrets.list(&by)).await?,
        None => Vec::new(),
    };
    let visible = all.into_iter().filter(|one| caller.policy.allows_secret(&one.name));
    let (secrets, next_cursor) =
        page.of(visible, |one| &one.name, |one| vec![&one.name], &state.limits)?;
    let secrets = secrets.into_iter().map(SecretEntry::from).collect();
    Ok(Json(SecretPage { secrets, next_cursor }))
}

/// Stores a secret of the token's user, or replaces the one of this name. The token's policy must set
/// `raw_secrets`. Parameters that are secrets take it as `secret:NAME`.
#[utoipa::path(put, path = "/v1/secrets/{secret}", operation_id = "put_secret", tag = "secrets",
    params(("secret" = String, Path, description = "Name of the secret: 1 to 64 letters, digits, `.`, `_`, and `-`.")),
    request_body = SecretBody,
    responses((status = 200, description = "It is stored.", body = SecretEntry), Failures))]
pub(crate) async fn put(
    State(state): State<Shared>,
    caller: Caller,
    Segments(name): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SecretEntry>, ApiError> {
    caller.require(Role::Connect)?;
    if !caller.policy.raw_secrets {
        let message = "The token may not send secrets.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "raw-secret", message).next(
            "Store the secret with `harness secret set NAME`, or use a token whose policy sets \
             `raw_secrets`.",
        ));
    }
    if !caller.policy.allows_secret(&name) {
        return Err(ApiError::not_permitted(
            "The token's policy does not list a secret of this name.",
        ));
    }
    let body: SecretBody = json(&headers, body, &state.limits).await?;
    let (secrets, by) = (secrets(&state)?, caller.policy.principal());
    let most = state.limits.secrets_per_tenant as u64;
    let stored = with(secrets, move |secrets| {
        let is_new = !secrets.list(&by)?.iter().any(|one| one.name == name);
        if is_new && secrets.count(by.tenant.as_str())? >= most {
            return Ok(None);
        }
        secrets.set(&by, &name, &SecretValue::Text(body.value))?;
        Ok(secrets.list(&by)?.into_iter().find(|one| one.name == name))
    });
    match stored.await? {
        Some(record) => Ok(Json(record.into())),
        None => Err(too_many(&state.limits)),
    }
}

/// What was removed.
#[derive(Serialize, ToSchema)]
pub(crate) struct RemovedSecret {
    name: String,
    /// `removed`.
    status: &'static str,
}

/// Removes a secret of the token's user. Calls that name it fail from then on.
#[utoipa::path(delete, path = "/v1/secrets/{secret}", operation_id = "remove_secret", tag = "secrets",
    params(("secret" = String, Path, description = "Name of the secret.")),
    responses((status = 200, description = "It is removed.", body = RemovedSecret), Failures))]
pub(crate) async fn remove(
    State(state): State<Shared>,
    caller: Caller,
    Segments(name): Segments<String>,
) -> Result<Json<RemovedSecret>, ApiError> {
    caller.require(Role::Connect)?;
    let not_found = ApiError::not_found("secret", &name);
    let Some(secrets) = state.secrets.clone().filter(|_| caller.policy.allows_secret(&name)) else {
        return Err(not_found);
    };
    let (by, of) = (caller.policy.principal(), name.clone());
    match with(secrets, move |secrets| secrets.remove(&by, &of)).await? {
        true => Ok(Json(RemovedSecret { name, status: "removed" })),
        false => Err(not_found),
    }
}
