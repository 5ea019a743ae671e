//! Plugins, their actions and triggers, and their approval.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use workflow_node_host::Plugin;
use workflow_node_host::description::{Action, Delivery, Example, SlotUse, Trigger};

use super::form::inlined;
use super::page::PageQuery;
use crate::error::{ApiError, Failures};
use crate::extract::{Params, Segments, json};
use crate::permitted::{permitted_action, permitted_trigger};
use crate::state::Shared;
use crate::token::{Caller, Role};

/// A plugin.
#[derive(Serialize, ToSchema)]
pub(crate) struct PluginEntry {
    /// Name of the node, which the paths of the API use.
    name: String,
    display_name: String,
    description: String,
    version: u32,
    /// SHA-256 of the component.
    digest: String,
    /// Whether its actions can run: it is approved, and not disabled.
    approved: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PluginPage {
    plugins: Vec<PluginEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

async fn entry(name: &str, plugin: &Plugin) -> PluginEntry {
    let node = &plugin.description().node;
    PluginEntry {
        name: name.to_owned(),
        display_name: node.display_name.clone(),
        description: node.description.clone(),
        version: node.version,
        digest: plugin.digest().to_string(),
        approved: plugin.check_approval().await.is_ok(),
    }
}

/// Lists the plugins that the token may use.
#[utoipa::path(get, path = "/v1/plugins", operation_id = "list_plugins", tag = "plugins", params(PageQuery),
    responses((status = 200, description = "A page of plugins.", body = PluginPage), Failures))]
pub(crate) async fn list(
    State(state): State<Shared>,
    caller: Caller,
    Params(page): Params<PageQuery>,
) -> Result<Json<PluginPage>, ApiError> {
    let all = state.plugins.iter().filter(|(name, _)| caller.policy.allows_plugin(name));
    let (found, next_cursor) = page.of(
        all,
        |(name, _)| name,
        |(name, plugin)| vec![name, &plugin.description().node.display_name],
        &state.limits,
    )?;
    let mut plugins = Vec::with_capacity(found.len());
    for (name, plugin) in found {
        plugins.push(entry(name, plugin).await);
    }
    Ok(Json(PluginPage { plugins, next_cursor }))
}

/// What a group of actions is about.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResourceEntry {
    name: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ResourcePage {
    resources: Vec<ResourceEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Lists the resources of a plugin that have actions which the token may run.
#[utoipa::path(get, path = "/v1/plugins/{plugin}/resources", operation_id = "list_resources", tag = "plugins",
    params(("plugin" = String, Path, description = "Name of the plugin."), PageQuery),
    responses((status = 200, description = "A page of resources.", body = ResourcePage), Failures))]
pub(crate) async fn resources(
    State(state): State<Shared>,
    caller: Caller,
    Segments(plugin): Segments<String>,
    Params(page): Params<PageQuery>,
) -> Result<Json<ResourcePage>, ApiError> {
    let node = &state.plugin(&caller, &plugin)?.description().node;
    let is_used = |name: &str| {
        let mut actions = node.actions.iter();
        actions.any(|action| {
            action.resource.as_deref() == Some(name) && caller.policy.allows_action(action)
        })
    };
    let all = node.resources.iter().filter(|resource| is_used(&resource.name));
    let all = all.map(|resource| ResourceEntry {
        name: resource.name.clone(),
        title: resource.title.clone(),
        description: resource.description.clone(),
    });
    let (resources, next_cursor) = page.of(
        all,
        |resource| &resource.name,
        |resource| vec![&resource.name, &resource.title],
        &state.limits,
    )?;
    Ok(Json(ResourcePage { resources, next_cursor }))
}

/// How an action or a trigger uses a slot for a credential.
#[derive(Serialize, ToSchema)]
pub(crate) struct SlotEntry {
    /// Whether the slot must be filled.
    required: bool,
    /// The credential types that fit.
    credential_types: Vec<String>,
    /// The scopes that a scoped credential needs.
    scopes: Vec<String>,
    /// What the credential is used for.
    description: String,
}

fn slots(plugin: &Plugin, uses: &BTreeMap<String, SlotUse>) -> BTreeMap<String, SlotEntry> {
    let described = &plugin.description().node.slots;
    let entry = |(name, used): (&String, &SlotUse)| {
        let slot = described.get(name)?;
        let entry = SlotEntry {
            required: used.required,
            credential_types: slot.credential_types.clone(),
            scopes: used.scopes.clone(),
            description: slot.description.clone(),
        };
        Some((name.clone(), entry))
    };
    uses.iter().filter_map(entry).collect()
}

/// An action, without its form.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionEntry {
    name: String,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    title: String,
    description: String,
    /// What the action does to the service: `read`, `create`, `update`, `delete`, or `execute`.
    effect: String,
    /// What repeating the action does: `safe`, `idempotent`, `keyed`, or `none`.
    idempotency: String,
    slots: BTreeMap<String, SlotEntry>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ActionPage {
    actions: Vec<ActionEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

fn action_entry(plugin: &Plugin, action: &Action) -> ActionEntry {
    ActionEntry {
        name: action.name.clone(),
        version: action.version,
        resource: action.resource.clone(),
        title: action.title.clone(),
        description: action.description.clone(),
        effect: action.effect.to_string(),
        idempotency: action.idempotency.to_string(),
        slots: slots(plugin, &action.slots),
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActionQuery {
    /// Only actions of this resource.
    resource: Option<String>,
}

/// Lists the actions of a plugin that the token may run.
#[utoipa::path(get, path = "/v1/plugins/{plugin}/actions", operation_id = "list_actions", tag = "plugins",
    params(("plugin" = String, Path, description = "Name of the plugin."), ActionQuery, PageQuery),
    responses((status = 200, description = "A page of actions.", body = ActionPage), Failures))]
pub(crate) async fn actions(
    State(state): State<Shared>,
    caller: Caller,
    Segments(plugin): Segments<String>,
    Params(query): Params<ActionQuery>,
    Params(page): Params<PageQuery>,
) -> Result<Json<ActionPage>, ApiError> {
    let plugin = state.plugin(&caller, &plugin)?;
    let all = plugin.description().node.actions.iter().filter(|action| {
        let is_of = query.resource.is_none() || action.resource == query.resource;
        is_of && caller.policy.allows_action(action)
    });
    let all = all.map(|action| action_entry(plugin, action));
    let (actions, next_cursor) = page.of(
        all,
        |action| &action.name,
        |action| vec![&action.name, &action.title, &action.description],
        &state.limits,
    )?;
    Ok(Json(ActionPage { actions, next_cursor }))
}

/// Example parameters that can be run.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExampleEntry {
    title: String,
    parameters: Value,
}

fn examples(examples: &[Example]) -> Vec<ExampleEntry> {
    let entry = |example: &Example| ExampleEntry {
        title: example.title.clone(),
        parameters: example.parameters.value().clone(),
    };
    examples.iter().map(entry).collect()
}

/// An action with its form.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionForm {
    #[serde(flatten)]
    action: ActionEntry,
    /// JSON Schema of the parameters of one item, references inlined.
    form: Value,
    /// JSON Schema of one output record, per port.
    output: BTreeMap<String, Value>,
    examples: Vec<ExampleEntry>,
}

/// Returns an action with its form.
#[utoipa::path(get, path = "/v1/plugins/{plugin}/actions/{action}", operation_id = "get_action", tag = "plugins",
    params(("plugin" = String, Path, description = "Name of the plugin."),
           ("action" = String, Path, description = "Name of the action.")),
    responses((status = 200, description = "The action.", body = ActionForm), Failures))]
pub(crate) async fn action(
    State(state): State<Shared>,
    caller: Caller,
    Segments((plugin, action)): Segments<(String, String)>,
) -> Result<Json<ActionForm>, ApiError> {
    let plugin = state.plugin(&caller, &plugin)?.clone();
    let name = permitted_action(&caller, &plugin, &action)?.name.clone();
    // A form may have thousands of schemas.
    let form = move || {
        let node = &plugin.description().node;
        let action = node.action(&name)?;
        let shared: &serde_json::Map<String, Value> = &node.schemas;
        Some(ActionForm {
            action: action_entry(&plugin, action),
            form: inlined(shared, action.parameters.value()),
            output: action
                .output
                .iter()
                .map(|(port, schema)| (port.clone(), inlined(shared, schema.value())))
                .collect(),
            examples: examples(&action.examples),
        })
    };
    let form =
        tokio::task::spawn_blocking(form).await.map_err(|error| ApiError::internal(&error))?;
    form.map(Json).ok_or_else(|| ApiError::not_found("action", &action))
}

/// A trigger, without its form.
#[derive(Serialize, ToSchema)]
pub(crate) struct TriggerEntry {
    name: String,
    version: u32,
    title: String,
    description: String,
    /// How events arrive: `webhook` or `poll`.
    delivery: &'static str,
    slots: BTreeMap<String, SlotEntry>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TriggerPage {
    triggers: Vec<TriggerEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

fn trigger_entry(plugin: &Plugin, trigger: &Trigger) -> TriggerEntry {
    TriggerEntry {
        name: trigger.name.clone(),
        version: trigger.version,
        title: trigger.title.clone(),
        description: trigger.description.clone(),
        delivery: if matches!(trigger.delivery, Delivery::Poll(_)) { "poll" } else { "webhook" },
        slots: slots(plugin, &trigger.slots),
    }
}

/// Lists the triggers of a plugin that the token may use.
#[utoipa::path(get, path = "/v1/plugins/{plugin}/triggers", operation_id = "list_triggers", tag = "plugins",
    params(("plugin" = String, Path, description = "Name of the plugin."), PageQuery),
    responses((status = 200, description = "A page of triggers.", body = TriggerPage), Failures))]
pub(crate) async fn triggers(
    State(state): State<Shared>,
    caller: Caller,
    Segments(plugin): Segments<String>,
    Params(page): Params<PageQuery>,
) -> Result<Json<TriggerPage>, ApiError> {
    let plugin = state.plugin(&caller, &plugin)?;
    let all = plugin.description().triggers.iter();
    let all = all.filter(|trigger| caller.policy.allows_name(&trigger.name));
    let (triggers, next_cursor) = page.of(
        all.map(|trigger| trigger_entry(plugin, trigger)),
        |trigger| &trigger.name,
        |trigger| vec![&trigger.name, &trigger.title],
        &state.limits,
    )?;
    Ok(Json(TriggerPage { triggers, next_cursor }))
}

/// A trigger with its form.
#[derive(Serialize, ToSchema)]
pub(crate) struct TriggerForm {
    #[serde(flatten)]
    trigger: TriggerEntry,
    /// JSON Schema of the parameters, references inlined.
    form: Value,
    /// JSON Schema of one event.
    output: Value,
    examples: Vec<ExampleEntry>,
}

/// Returns a trigger with its form.
#[utoipa::path(get, path = "/v1/plugins/{plugin}/triggers/{trigger}", operation_id = "get_trigger", tag = "plugins",
    params(("plugin" = String, Path, description = "Name of the plugin."),
           ("trigger" = String, Path, description = "Name of the trigger.")),
    responses((status = 200, description = "The trigger.", body = TriggerForm), Failures))]
pub(crate) async fn trigger(
    State(state): State<Shared>,
    caller: Caller,
    Segments((plugin, trigger)): Segments<(String, String)>,
) -> Result<Json<TriggerForm>, ApiError> {
    let plugin = state.plugin(&caller, &plugin)?;
    let trigger = permitted_trigger(&caller, plugin, &trigger)?;
    let shared: &serde_json::Map<String, Value> = &plugin.description().node.schemas;
    Ok(Json(TriggerForm {
        trigger: trigger_entry(plugin, trigger),
        form: inlined(shared, trigger.parameters.value()),
        output: inlined(shared, trigger.output.value()),
        examples: examples(&trigger.examples),
    }))
}

/// What a plugin requests, and whether that is approved.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApprovalStatus {
    /// SHA-256 of the component.
    digest: String,
    /// Whether exactly this component is approved, and not disabled.
    approved: bool,
    /// What it requests: origins, credential types, secrets, and actions by effect.
    request: Value,
    /// What it requests beyond the latest approval of its node; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    growth: Option<Vec<String>>,
}

async fn approval_status(plugin: &Plugin) -> Result<ApprovalStatus, ApiError> {
    Ok(ApprovalStatus {
        digest: plugin.digest().to_string(),
        approved: plugin.check_approval().await.is_ok(),
        request: serde_json::to_value(plugin.grant_request())
            .map_err(|error| ApiError::internal(&error))?,
        growth: plugin.growth().await?,
    })
}

/// Returns what a plugin requests, and whether that is approved.
#[utoipa::path(get, path = "/v1/plugins/{plugin}/approval", operation_id = "get_approval", tag = "plugins",
    params(("plugin" = String, Path, description = "Name of the plugin.")),
    responses((status = 200, description = "The approval.", body = ApprovalStatus), Failures))]
pub(crate) async fn approval(
    State(state): State<Shared>,
    caller: Caller,
    Segments(plugin): Segments<String>,
) -> Result<Json<ApprovalStatus>, ApiError> {
    let plugin = state.plugin(&caller, &plugin)?;
    caller.require(Role::Approve)?;
    Ok(Json(approval_status(plugin).await?))
}

/// Approves a component.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalOrder {
    /// SHA-256 of the component that was reviewed.
    digest: String,
}

/// Approves everything that a plugin requests. Repeating it is harmless.
#[utoipa::path(put, path = "/v1/plugins/{plugin}/approval", operation_id = "approve_plugin", tag = "plugins",
    params(("plugin" = String, Path, description = "Name of the plugin.")),
    request_body = ApprovalOrder,
    responses((status = 200, description = "It is approved.", body = ApprovalStatus), Failures))]
pub(crate) async fn approve(
    State(state): State<Shared>,
    caller: Caller,
    Segments(plugin): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ApprovalStatus>, ApiError> {
    let plugin = state.plugin(&caller, &plugin)?.clone();
    caller.require(Role::Approve)?;
    let order: ApprovalOrder = json(&headers, body, &state.limits).await?;
    if order.digest != plugin.digest().to_string() {
        let message = "The digest is not that of the component that the server has loaded.";
        return Err(ApiError::new(StatusCode::CONFLICT, "digest-conflict", message)
            .next("Read the approval again, and review what this component requests."));
    }
    if plugin.check_approval().await.is_err() {
        let by = format!("{} (token {})", caller.policy.principal(), caller.name);
        plugin.approve(Some(by)).await?;
    }
    Ok(Json(approval_status(&plugin).await?))
}
