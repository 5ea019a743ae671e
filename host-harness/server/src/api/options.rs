//! The choices of a form field.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use workflow_node_host::{OptionsQuery, OptionsRequest, Plugin};

use super::{check_raw_secrets, credentials, with_secrets};
use crate::error::{ApiError, Failures};
use crate::extract::{Segments, json};
use crate::limits::ServerLimits;
use crate::permitted::{permitted_action, permitted_trigger};
use crate::state::{Shared, until_gone};
use crate::token::{Caller, Role};

/// A query for the choices of a form field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptionsOrder {
    /// Name of the parameter. For one inside objects, the names on the way to it, joined by `/`.
    parameter: String,
    /// What the form holds so far.
    #[serde(default)]
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    /// Names of credentials, by slot.
    #[serde(default)]
    credentials: BTreeMap<String, String>,
    /// Text that the choices must contain.
    #[serde(default)]
    search: Option<String>,
    /// `next_cursor` of the choices before.
    #[serde(default)]
    cursor: Option<String>,
    /// Maximum number of choices.
    #[serde(default)]
    #[schema(minimum = 1)]
    limit: Option<u32>,
}

/// One choice.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChoiceEntry {
    /// The value that the parameter is set to.
    value: Value,
    /// What a form shows.
    label: String,
    /// Second line in a form.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ChoicePage {
    choices: Vec<ChoiceEntry>,
    /// Values of the form that are no longer choices.
    stale: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Loads the choices of a parameter of an action.
#[utoipa::path(post, path = "/v1/plugins/{plugin}/actions/{action}/options", operation_id = "list_action_options", tag = "plugins",
    params(("plugin" = String, Path, description = "Name of the plugin."),
           ("action" = String, Path, description = "Name of the action.")),
    request_body = OptionsOrder,
    responses((status = 200, description = "The choices.", body = ChoicePage), Failures))]
pub(crate) async fn of_action(
    State(state): State<Shared>,
    caller: Caller,
    Segments((plugin, action)): Segments<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ChoicePage>, ApiError> {
    let plugin = state.plugin(&caller, &plugin)?.clone();
    let action = permitted_action(&caller, &plugin, &action)?.name.clone();
    caller.require(Role::Run)?;
    let order: OptionsOrder = json(&headers, body, &state.limits).await?;
    let query = OptionsQuery::for_action(&action, &order.parameter);
    load(&state, &caller, &plugin, &action, query, order).await
}

/// Loads the choices of a parameter of a trigger.
#[utoipa::path(post, path = "/v1/plugins/{plugin}/triggers/{trigger}/options", operation_id = "list_trigger_options", tag = "plugins",
    params(("plugin" = String, Path, description = "Name of the plugin."),
           ("trigger" = String, Path, description = "Name of the trigger.")),
    request_body = OptionsOrder,
    responses((status = 200, description = "The choices.", body = ChoicePage), Failures))]
pub(crate) async fn of_trigger(
    State(state): State<Shared>,
    caller: Caller,
    Segments((plugin, trigger)): Segments<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ChoicePage>, ApiError> {
    let plugin = state.plugin(&caller, &plugin)?.clone();
    let trigger = permitted_trigger(&caller, &plugin, &trigger)?.name.clone();
    caller.require(Role::Run)?;
    let order: OptionsOrder = json(&headers, body, &state.limits).await?;
    let query = OptionsQuery::for_trigger(&trigger, &order.parameter);
    load(&state, &caller, &plugin, &trigger, query, order).await
}

async fn load(
    state: &Shared,
    caller: &Caller,
    plugin: &Plugin,
    form: &str,
    mut query: OptionsQuery,
    order: OptionsOrder,
) -> Result<Json<ChoicePage>, ApiError> {
    plugin.check_approval().await?;
    if order.limit == Some(0) {
        return Err(ApiError::invalid("`limit` is 0. Ask for at least one choice."));
    }
    for name in order.credentials.values() {
        credentials::usable(state, caller, name).await?;
    }
    check_raw_secrets(
        caller,
        plugin,
        form,
        &Value::Object(order.parameters.clone()),
        "/parameters",
    )?;
    let parameters = order.parameters;
    query.parameters = with_secrets(state, caller, plugin, form, parameters, "/parameters").await?;
    query.search = order.search;
    query.cursor = order.cursor;
    query.limit = order.limit.map(u64::from);
    let (token, _gone) = until_gone();
    let context = caller.policy.context().cancellation(token);
    let context = context.timeout(ServerLimits::time(state.limits.call_ms));
    let mut request = OptionsRequest::new(query).context(context);
    request.credentials = order.credentials;
    let options = plugin.load_options(request).await?;
    let choices = options.choices.into_iter().map(|choice| ChoiceEntry {
        value: choice.value,
        label: choice.label,
        description: choice.description,
    });
    Ok(Json(ChoicePage {
        choices: choices.collect(),
        stale: options.stale,
        next_cursor: options.next_cursor,
    }))
}
