//! Credentials and their status, never their secrets.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use workflow_node_host::chain;
use workflow_node_host::credential::{
    CredentialError, CredentialId, CredentialSummary, Head, Mode,
};

use super::page::PageQuery;
use crate::error::{ApiError, Failures};
use crate::extract::{Params, Segments};
use crate::limits::ServerLimits;
use crate::state::{Shared, State as Server, until_gone};
use crate::token::{Caller, Role};

/// A credential without its secrets.
#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialEntry {
    pub(crate) name: String,
    description: String,
    /// Name of the plugin that it is for.
    plugin: String,
    /// Name of its credential type.
    #[serde(rename = "type")]
    credential_type: String,
    /// Who may use it: `private`, `shared`, or `per-user`.
    mode: String,
    /// `connected`, `expiring`, `needs-reconnect`, `refresh-outcome-unknown`, or `disconnected`.
    pub(crate) status: &'static str,
    /// The account at the service, as far as it is known.
    #[schema(value_type = Object)]
    identity: Map<String, Value>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialPage {
    pub(crate) credentials: Vec<CredentialEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CredentialQuery {
    /// Only credentials of this plugin.
    pub(crate) plugin: Option<String>,
    /// Only credentials that fit this slot of the plugin.
    pub(crate) slot: Option<String>,
}

/// Lists the credentials that the token may use.
#[utoipa::path(get, path = "/v1/credentials", operation_id = "list_credentials", tag = "credentials",
    params(CredentialQuery, PageQuery),
    responses((status = 200, description = "A page of credentials.", body = CredentialPage),
              Failures))]
pub(crate) async fn list(
    State(state): State<Shared>,
    caller: Caller,
    Params(query): Params<CredentialQuery>,
    Params(page): Params<PageQuery>,
) -> Result<Json<CredentialPage>, ApiError> {
    let types: Option<BTreeSet<String>> = match (&query.plugin, &query.slot) {
        (None, Some(_)) => {
            return Err(ApiError::invalid("`slot` needs `plugin`: slots belong to a plugin."));
        }
        (Some(plugin), slot) => {
            let node = &state.plugin(&caller, plugin)?.description().node;
            match slot {
                None => None,
                Some(slot) => {
                    let found = node.slots.get(slot);
                    let slot = found.ok_or_else(|| ApiError::not_found("slot", slot))?;
                    Some(slot.credential_types.iter().cloned().collect())
                }
            }
        }
        (None, None) => None,
    };
    let all = match state.host.credentials() {
        Ok(manager) => manager.store().list().await.map_err(of_store)?,
        Err(_) => Vec::new(),
    };
    let visible = entries(&caller, all).into_iter().filter(|one| {
        query.plugin.as_ref().is_none_or(|plugin| *plugin == one.plugin)
            && types.as_ref().is_none_or(|types| types.contains(&one.credential_type))
    });
    let (credentials, next_cursor) =
        page.of(visible, |one| &one.name, |one| vec![&one.name, &one.description], &state.limits)?;
    Ok(Json(CredentialPage { credentials, next_cursor }))
}

/// The credentials that a token may see, by name.
fn entries(caller: &Caller, all: Vec<CredentialSummary>) -> Vec<CredentialEntry> {
    let principal = caller.policy.principal();
    let mut visible: Vec<CredentialEntry> = all
        .into_iter()
        .filter(|one| {
            one.tenant == principal.tenant
                && caller.policy.allows_credential(&one.name)
                && caller.policy.allows_plugin(&one.node)
                && match one.mode {
                    Mode::Private => one.owner.as_ref() == Some(&principal.user),
                    Mode::PerUser => one.user.as_ref().is_none_or(|user| *user == principal.user),
                    _ => true,
                }
        })
        .map(|one| CredentialEntry {
            mode: one.mode.to_string(),
            status: one.status.as_str(),
            name: one.name,
            description: one.description,
            plugin: one.node,
            credential_type: one.credential_type,
            identity: one.identity,
        })
        .collect();
    // A credential with one connection per user is listed once: as this user's, if there is one.
    visible.sort_by(|one, other| {
        let connected = |entry: &CredentialEntry| entry.status == "disconnected";
        (&one.name, connected(one)).cmp(&(&other.name, connected(other)))
    });
    visible.dedup_by(|one, other| one.name == other.name);
    visible
}

/// The part of one credential that a token may see.
pub(crate) async fn entry(
    state: &Server,
    caller: &Caller,
    name: &str,
) -> Result<CredentialEntry, ApiError> {
    let not_found = || ApiError::not_found("credential", name);
    let manager = state.host.credentials().map_err(|_| not_found())?;
    let all = manager.store().list().await.map_err(of_store)?;
    let all = all.into_iter().filter(|one| one.name == name).collect();
    entries(caller, all).into_iter().next().ok_or_else(not_found)
}

/// The account that a credential is for.
#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialTest {
    name: String,
    /// What the service reports about the account.
    #[schema(value_type = Object)]
    identity: Value,
}

/// Tests a credential with real requests that change nothing.
#[utoipa::path(post, path = "/v1/credentials/{credential}/test", operation_id = "test_credential", tag = "credentials",
    params(("credential" = String, Path, description = "Name of the credential.")),
    responses((status = 200, description = "It works.", body = CredentialTest), Failures))]
pub(crate) async fn test(
    State(state): State<Shared>,
    caller: Caller,
    Segments(name): Segments<String>,
) -> Result<Json<CredentialTest>, ApiError> {
    let head = visible(&state, &caller, &name).await?;
    caller.require(Role::Connect)?;
    // A credential of a plugin that the token may not use counts as not found.
    let plugin = state.plugin(&caller, &head.node);
    let plugin = plugin.map_err(|_| ApiError::not_found("credential", &name))?;
    let (token, _gone) = until_gone();
    let context = caller.policy.context().cancellation(token);
    let context = context.timeout(ServerLimits::time(state.limits.call_ms));
    let identity = plugin.test_credential(&name, context).await?;
    let identity = serde_json::to_value(&identity).map_err(|error| ApiError::internal(&error))?;
    Ok(Json(CredentialTest { name, identity }))
}

/// The stored credential, if this token may see it. One that does not exist, one of another tenant,
/// another user's private one, and one that the policy does not list look the same.
pub(crate) async fn visible(state: &Server, caller: &Caller, name: &str) -> Result<Head, ApiError> {
    let not_found = || ApiError::not_found("credential", name);
    let manager = state.host.credentials().map_err(|_| not_found())?;
    let principal = caller.policy.principal();
    let id = CredentialId::of(principal.tenant.clone(), name);
    let head = match manager.store().head(&id).await {
        Ok(head) => head,
        Err(CredentialError::Unknown(_) | CredentialError::Invalid(_)) => return Err(not_found()),
        Err(error) => return Err(of_store(error)),
    };
    let is_own = head.mode != Mode::Private || head.owner.as_ref() == Some(&principal.user);
    match is_own && caller.policy.allows_credential(name) {
        true => Ok(head),
        false => Err(not_found()),
    }
}

/// Checks that a call may name a credential.
pub(crate) async fn usable(state: &Server, caller: &Caller, name: &str) -> Result<(), ApiError> {
    match visible(state, caller, name).await {
        Ok(_) => Ok(()),
        Err(error) if error.status == axum::http::StatusCode::NOT_FOUND => {
            Err(ApiError::no_credential(name))
        }
        Err(error) => Err(error),
    }
}

fn of_store(error: CredentialError) -> ApiError {
    ApiError::internal(&chain(&error))
}
