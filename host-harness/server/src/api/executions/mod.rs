//! Running actions, and their results.

mod call;
mod response;

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};
use workflow_node_host::Secret;

use crate::api::page::{PageQuery, bad_cursor, cursor};
use crate::error::{ApiError, Failures};
use crate::execution::{ExecutionStatus, Started};
use crate::extract::{Params, Segments, accepts, object, secrets};
use crate::limits::ServerLimits;
use crate::state::Shared;
use crate::token::{Caller, Role};
pub(super) use call::is_id;
pub(crate) use call::{Call, Target, random_id};
pub(crate) use response::results;
use response::{collected, joined_lines, respond, stored_lines, stream};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// Maximum number of lines that wait for a client before the plugin is paused.
const LINES: usize = 64;
/// Number of results that are read from the store at a time.
const READ: usize = 64;

/// How to run.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExecuteOptions {
    /// Whether the other items run after one has failed. Without it, an invalid item refuses the
    /// whole call.
    pub(crate) continue_on_fail: bool,
    /// Maximum number of items in progress at once. By default, the plugin decides.
    #[schema(minimum = 1)]
    concurrency: Option<u32>,
    /// Maximum duration of all items, in milliseconds. By default, only an item that makes no
    /// progress ends the execution.
    #[schema(minimum = 1)]
    timeout_ms: Option<u64>,
}

/// A call of an action. As NDJSON: the first line without `items`, then one line for each item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecuteOrder {
    /// ID of the execution, unique in the tenant: 1 to 200 letters, digits, `.`, `_`, `:`, `@`, `~`,
    /// and `-`. Repeat a call with the same ID and the same items, and it runs once. By default, a
    /// random ID.
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z0-9._:@~-]{1,200}$")]
    pub(crate) execution_id: Option<String>,
    /// The workflow that makes the call, for the audit log.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(crate) workflow: Option<String>,
    /// Names of credentials, by slot.
    #[serde(default)]
    pub(crate) credentials: BTreeMap<String, String>,
    /// Credentials that live as long as this execution, by slot. Only with a token whose policy sets
    /// `inline_credentials`.
    #[serde(default, deserialize_with = "inline_credentials")]
    pub(crate) inline_credentials: BTreeMap<String, InlineCredential>,
    /// Parameters, one object per item.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub(crate) items: Vec<Map<String, Value>>,
    #[serde(default, deserialize_with = "object")]
    pub(crate) options: ExecuteOptions,
}

/// A credential that a call brings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InlineCredential {
    /// Name of the credential type. Its secrets must be typed in, not granted by a person.
    #[serde(rename = "type")]
    credential_type: String,
    /// Fields of the form that are not secret.
    #[serde(default)]
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
    /// Secrets of the form.
    #[serde(default, deserialize_with = "secrets")]
    #[schema(value_type = BTreeMap<String, String>)]
    secrets: BTreeMap<String, Secret>,
}

impl std::fmt::Debug for InlineCredential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("InlineCredential").finish_non_exhaustive()
    }
}

/// Reads inline credentials. What cannot be read is not quoted.
fn inline_credentials<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, InlineCredential>, D::Error> {
    serde_json::from_value(Value::deserialize(deserializer)?).map_err(|_| {
        serde::de::Error::custom(
            "`inline_credentials` is not an object with `type`, `fields`, and `secrets` for each slot",
        )
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExecuteQuery {
    /// Returns at once, and the execution goes on. `?detach` is the same as `?detach=true`.
    #[param(value_type = Option<Detach>)]
    detach: Option<String>,
}

/// Whether an execution goes on when its client is gone.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the values of a parameter")]
pub(crate) enum Detach {
    #[schema(rename = "")]
    Empty,
    #[schema(rename = "true")]
    True,
    #[schema(rename = "false")]
    False,
}

/// Result of an item. Its members are those of `harness run --format json`.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what is stored as text")]
pub(crate) struct ItemBody {
    /// Position of the item, counted from 0.
    item: u64,
    /// `ok`, `error`, or `pending` while the execution runs.
    status: String,
    /// Why it failed: `kind`, `message`, and what the service said.
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
    /// Records of the port `main`. A failed item has those that it had emitted before.
    output: Option<Vec<Value>>,
    /// Records of other ports.
    outputs: Option<BTreeMap<String, Vec<Value>>>,
    /// The output was too large to be stored (limit `result_bytes`).
    output_dropped: Option<bool>,
}

/// An execution that has ended, with the results of its items.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what is streamed")]
pub(crate) struct ExecutionResult {
    #[serde(flatten)]
    execution: ExecutionStatus,
    items: Vec<ItemBody>,
}

/// Runs an action over items.
///
/// Failed items are part of a response with status 200; an error status says that the call as a whole
/// was refused. With `Accept: application/x-ndjson`, records arrive as lines `{"item", "output"}`,
/// the end of an item as `{"item", "status", "error", "records"}` (with `output_dropped` if the call is
/// repeated and its output was not kept), and the state of the execution, at
/// the beginning, at the end, and at least every 15 seconds, as `{"execution"}`. When all clients that
/// wait for an execution are gone, it is cancelled.
#[utoipa::path(post, path = "/v1/plugins/{plugin}/actions/{action}/execute", operation_id = "execute_action", tag = "executions",
    params(("plugin" = String, Path, description = "Name of the plugin."),
           ("action" = String, Path, description = "Name of the action."), ExecuteQuery),
    request_body(content((ExecuteOrder = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 200, description = "The execution has ended.",
               content((ExecutionResult = "application/json"), (String = "application/x-ndjson"))),
              (status = 202, description = "It goes on; `Location` is where to ask for it.",
               body = ExecutionStatus),
              Failures))]
pub(crate) async fn execute(
    State(state): State<Shared>,
    caller: Caller,
    Segments((plugin, action)): Segments<(String, String)>,
    Params(query): Params<ExecuteQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let target = Target::permitted(&state, &caller, &plugin, &action).await?;
    let detach = match query.detach.as_deref() {
        None | Some("false") => false,
        Some("" | "true") => true,
        Some(_) => return Err(ApiError::invalid("`detach` is `true`, `false`, or empty.")),
    };
    let call = Call::read(&headers, body, &state.limits).await?;
    let saved = detach.then(|| target.saved(&caller, &call)).flatten();
    let mut job = target.prepare(&state, &caller, call, |_| random_id()).await?;
    job.saved = saved;
    let principal = caller.policy.principal();
    let (key, id) = (job.request.key.clone(), job.request.key.id.clone());

    if detach {
        let started = state.executions.start(job, None, true).await?;
        let stored = match started {
            Started::Ended(stored) => *stored,
            Started::Running(attachment) | Started::Joined(attachment) => {
                let found = state.executions.get(&principal, &id).await;
                drop(attachment);
                found?
            }
        };
        let mut response = Json(ExecutionStatus::from(&stored)).into_response();
        *response.status_mut() = StatusCode::ACCEPTED;
        if let Ok(location) = HeaderValue::from_str(&format!("/v1/executions/{id}")) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        return Ok(response);
    }
    if accepts(&headers, NDJSON) {
        let (lines, received) = mpsc::channel(LINES);
        return Ok(match state.executions.start(job, Some(lines), false).await? {
            Started::Running(attachment) => stream(received, attachment),
            Started::Joined(attachment) => {
                let heartbeat = ServerLimits::time(state.limits.heartbeat_ms);
                joined_lines(state.executions.clone(), principal, id, attachment, heartbeat)
            }
            Started::Ended(stored) => {
                let lines = stored_lines(state.executions.clone(), *stored);
                respond(NDJSON, Body::from_stream(lines))
            }
        });
    }
    let stored = match state.executions.start(job, None, false).await? {
        Started::Running(attachment) | Started::Joined(attachment) => attachment.outcome().await?,
        Started::Ended(stored) => *stored,
    };
    debug_assert_eq!(stored.key, key);
    Ok(collected(state.executions.clone(), stored))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ExecutionPage {
    executions: Vec<ExecutionStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Lists the executions that tokens of the same tenant and actor have started, oldest first.
#[utoipa::path(get, path = "/v1/executions", operation_id = "list_executions", tag = "executions", params(PageQuery),
    responses((status = 200, description = "A page of executions.", body = ExecutionPage),
              Failures))]
pub(crate) async fn list(
    State(state): State<Shared>,
    caller: Caller,
    Params(page): Params<PageQuery>,
) -> Result<Json<ExecutionPage>, ApiError> {
    caller.require(Role::Run)?;
    let limit = page.limit(&state.limits)?;
    let after = match page.after()? {
        None => (0, String::new()),
        Some(key) => {
            let (time, id) = key.split_once(' ').ok_or_else(bad_cursor)?;
            (time.parse().map_err(|_| bad_cursor())?, id.to_owned())
        }
    };
    let search = page.search.clone().unwrap_or_default();
    let principal = caller.policy.principal();
    let mut all = state.executions.list(&principal, after, search, limit + 1).await?;
    let has_more = all.len() > limit;
    all.truncate(limit);
    let last = all.last().filter(|_| has_more);
    let next_cursor = last.map(|last| cursor(&format!("{} {}", last.created_at, last.key.id)));
    let executions = all.iter().map(ExecutionStatus::from).collect();
    Ok(Json(ExecutionPage { executions, next_cursor }))
}

/// Returns where an execution stands.
#[utoipa::path(get, path = "/v1/executions/{execution}", operation_id = "get_execution", tag = "executions",
    params(("execution" = String, Path, description = "ID of the execution.")),
    responses((status = 200, description = "The execution.", body = ExecutionStatus), Failures))]
pub(crate) async fn get(
    State(state): State<Shared>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<Json<ExecutionStatus>, ApiError> {
    caller.require(Role::Run)?;
    let stored = state.executions.get(&caller.policy.principal(), &id).await?;
    Ok(Json(ExecutionStatus::from(&stored)))
}

/// Cancels an execution. One that has ended stays as it is. Items that are in progress may have
/// reached the service.
#[utoipa::path(delete, path = "/v1/executions/{execution}", operation_id = "cancel_execution", tag = "executions",
    params(("execution" = String, Path, description = "ID of the execution.")),
    responses((status = 200, description = "It has ended.", body = ExecutionStatus), Failures))]
pub(crate) async fn cancel(
    State(state): State<Shared>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<Json<ExecutionStatus>, ApiError> {
    caller.require(Role::Run)?;
    let stored = state.executions.cancel(&caller.policy.principal(), &id).await?;
    Ok(Json(ExecutionStatus::from(&stored)))
}

/// Results of items.
#[derive(Serialize, ToSchema)]
pub(crate) struct ItemPage {
    #[schema(value_type = Vec<ItemBody>)]
    items: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ItemQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Maximum number of results. Defaults to 100; the server may return fewer.
    #[param(minimum = 1)]
    limit: Option<u64>,
}

/// Lists the results of an execution, in the order of its items.
#[utoipa::path(get, path = "/v1/executions/{execution}/items", operation_id = "list_execution_items", tag = "executions",
    params(("execution" = String, Path, description = "ID of the execution."), ItemQuery),
    responses((status = 200, description = "A page of results.", body = ItemPage), Failures))]
pub(crate) async fn items(
    State(state): State<Shared>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(query): Params<ItemQuery>,
) -> Result<Json<ItemPage>, ApiError> {
    caller.require(Role::Run)?;
    let page = PageQuery { search: None, cursor: query.cursor, limit: query.limit };
    let limit = page.limit(&state.limits)?;
    let from: u64 = match page.after()? {
        None => 0,
        Some(key) => key.parse().map_err(|_| bad_cursor())?,
    };
    let stored = state.executions.get(&caller.policy.principal(), &id).await?;
    let (mut items, mut bytes, mut next) = (Vec::new(), 0, from);
    while items.len() < limit && next < stored.items {
        let some = READ.min(limit - items.len());
        for (item, body) in results(&state.executions, &stored, next, some).await? {
            if !items.is_empty() && bytes + body.len() > state.limits.item_page {
                let next_cursor = Some(cursor(&item.to_string()));
                return Ok(Json(ItemPage { items, next_cursor }));
            }
            bytes += body.len();
            items.push(RawValue::from_string(body).map_err(|error| ApiError::internal(&error))?);
            next = item + 1;
        }
    }
    let next_cursor = (next < stored.items).then(|| cursor(&next.to_string()));
    Ok(Json(ItemPage { items, next_cursor }))
}
