//! Running actions, and their results.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::Sha256;
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};
use workflow_node_host::credential::{Credential, CredentialForm};
use workflow_node_host::description::{FieldProblem, Form, Grant, Idempotency};
use workflow_node_host::{Execution, Plugin, Principal, Secret};

use super::extract::{
    Params, Segments, accepts, is_media_type, next_part, object, parse, parse_object, secrets,
    unsupported, whole,
};
use super::page::{PageQuery, bad_cursor, cursor};
use super::{credentials, raw_secret_problems};
use crate::error::{ApiError, Failures, Problem, shown};
use crate::execution::{
    Attachment, ExecutionStatus, Executions, Fingerprint, Interrupted, ItemElement, ItemLine,
    Items, Job, Key, Request, SavedCall, Spool, Started, StatusLine, Stored, reason_of_missing,
};
use crate::limits::ServerLimits;
use crate::secrets::Filler;
use crate::state::{Shared, State as Server};
use crate::token::{Caller, Role};

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

/// An action that the token may run.
pub(crate) struct Target {
    plugin: Plugin,
    action: String,
    repeatable: bool,
}

/// A call, its items, and their fingerprint.
pub(crate) struct Call {
    order: ExecuteOrder,
    items: Items,
    of_items: Fingerprint,
}

impl Target {
    /// Checks that the token may run an action, and that the plugin is approved.
    pub(crate) async fn permitted(
        state: &Server,
        caller: &Caller,
        plugin: &str,
        action: &str,
    ) -> Result<Self, ApiError> {
        let plugin = state.plugin(caller, plugin)?.clone();
        let described = super::permitted_action(caller, &plugin, action)?;
        caller.require(Role::Run)?;
        let repeatable = described.idempotency != Idempotency::None;
        let action = described.name.clone();
        plugin.check_approval().await?;
        Ok(Self { plugin, action, repeatable })
    }

    /// Checks a call against the action and the token's policy. `name` chooses the ID of an execution
    /// whose caller has not, from the fingerprint of the call.
    pub(crate) async fn prepare(
        self,
        state: &Server,
        caller: &Caller,
        call: Call,
        name: impl FnOnce(&[u8; 32]) -> String + Send,
    ) -> Result<Job, ApiError> {
        let Self { plugin, action, repeatable } = self;
        let Call { mut order, mut items, of_items } = call;
        check(&order)?;
        for name in order.credentials.values() {
            credentials::usable(state, caller, name).await?;
        }
        let takes_secrets = plugin.takes_secrets(&action)?;
        let filler = Filler::new(state.secrets.clone(), caller, &plugin, &action);
        let mut validation = Validation {
            plugin: plugin.clone(),
            action: action.clone(),
            raw_secrets: caller.policy.raw_secrets,
            all: !order.options.continue_on_fail,
            filler: takes_secrets.then_some(filler),
        };
        if validation.all || validation.filler.is_some() {
            let checked = tokio::task::spawn_blocking(move || {
                items.check(|first, portion| validation.check(first, portion))?;
                Ok::<_, ApiError>((items, validation.filler))
            });
            let (checked, filler) = checked.await.map_err(|error| ApiError::internal(&error))??;
            items = match filler.filter(Filler::has_any) {
                Some(filler) => checked.filled(Arc::new(move |item| filler.fill(item))),
                None => checked,
            };
        }
        let inline = inline(caller, &plugin, &order).await?;
        let principal = caller.policy.principal();
        let fingerprint = fingerprint(&plugin, &action, &order, of_items);
        let id = order.execution_id.take().unwrap_or_else(|| name(&fingerprint));
        let request = Request {
            key: Key::of(&principal, id.clone()),
            actor: principal.user.to_string(),
            plugin: plugin.description().node.name.clone(),
            digest: plugin.digest().to_string(),
            action: action.clone(),
            workflow: order.workflow.clone(),
            fingerprint,
            repeatable,
            items: items.count,
        };
        let mut execution = Execution::new(&action).id(id);
        execution.continue_on_fail = order.options.continue_on_fail;
        execution.concurrency = order.options.concurrency.map(|items| items as usize);
        execution.credentials = order.credentials;
        execution.inline_credentials = inline;
        execution.context = caller.policy.context();
        execution.context.workflow = order.workflow;
        execution.context.timeout = order.options.timeout_ms.map(ServerLimits::time);
        Ok(Job { request, plugin, execution, items, saved: None, is_by_itself: false })
    }
}

/// The credentials that a call brings.
async fn inline(
    caller: &Caller,
    plugin: &Plugin,
    order: &ExecuteOrder,
) -> Result<BTreeMap<String, Credential>, ApiError> {
    let mut all = BTreeMap::new();
    if order.inline_credentials.is_empty() {
        return Ok(all);
    }
    if !caller.policy.inline_credentials {
        let message = "The token may not bring credentials in a call.";
        return Err(ApiError::not_permitted(message));
    }
    for (slot, one) in &order.inline_credentials {
        if order.credentials.contains_key(slot) {
            let message = format!(
                "The slot `{}` is filled by `credentials` and by `inline_credentials`.",
                shown(slot)
            );
            return Err(ApiError::invalid(message));
        }
        let described = plugin
            .credential_type(&one.credential_type)
            .map_err(|_| ApiError::not_found("credential type", &one.credential_type))?;
        if described.grant != Grant::Fixed {
            let message = format!(
                "The credential type `{}` is connected by a person, and cannot be brought in a call.",
                described.name
            );
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(ApiError::new(status, "invalid-input", message)
                .next("Connect the account, and name the credential."));
        }
        // Required fields with a default may be omitted.
        let mut fields = one.fields.clone();
        for field in Form::of_credential_type(described).fields {
            if let Some(default) = field.default.filter(|_| field.is_required && !field.is_secret) {
                fields.entry(field.name).or_insert(default);
            }
        }
        let form = CredentialForm { fields, secrets: one.secrets.clone() };
        let name = inline_name(&one.secrets);
        all.insert(slot.clone(), plugin.credential(name, &described.name, form).await?);
    }
    Ok(all)
}

/// The key that separates inline credentials for rate limits and connections: the same secrets have the same
/// name while this process runs, and nobody else can tell which.
fn inline_name(secrets: &BTreeMap<String, Secret>) -> String {
    static KEY: LazyLock<[u8; 32]> = LazyLock::new(rand::random);
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(&*KEY) else { return random_id() };
    for (name, secret) in secrets {
        for text in [name.as_str(), secret.expose()] {
            mac.update(&(text.len() as u64).to_le_bytes());
            mac.update(text.as_bytes());
        }
    }
    let tag = mac.finalize().into_bytes();
    let digits: String = tag.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("inline:{digits}")
}

impl Target {
    /// Data that the server needs to repeat a detached call. `None` for a call with inline credentials,
    /// which cannot be repeated.
    fn saved(&self, caller: &Caller, call: &Call) -> Option<SavedCall> {
        let order = &call.order;
        order.inline_credentials.is_empty().then(|| SavedCall {
            token: caller.token.clone(),
            plugin: self.plugin.description().node.name.clone(),
            action: self.action.clone(),
            workflow: order.workflow.clone(),
            credentials: order.credentials.clone(),
            continue_on_fail: order.options.continue_on_fail,
            concurrency: order.options.concurrency,
            timeout_ms: order.options.timeout_ms,
        })
    }
}

impl Call {
    /// A call that was kept.
    pub(crate) fn kept(found: Interrupted, limits: &ServerLimits) -> Result<Self, ApiError> {
        let Interrupted { key, call, lines, .. } = found;
        let order = ExecuteOrder {
            execution_id: Some(key.id),
            workflow: call.workflow,
            credentials: call.credentials,
            inline_credentials: BTreeMap::new(),
            items: Vec::new(),
            options: ExecuteOptions {
                continue_on_fail: call.continue_on_fail,
                concurrency: call.concurrency,
                timeout_ms: call.timeout_ms,
            },
        };
        let (mut of_items, mut spool) = (Fingerprint::new(), Spool::new(limits.spool_memory));
        for line in lines {
            let item = serde_json::from_str(&line).map_err(|error| ApiError::internal(&error))?;
            of_items.object(&item);
            spool.push(&item)?;
        }
        Ok(Self { order, items: spool.end(), of_items })
    }

    /// A call that is in memory with its items.
    pub(crate) fn of(mut order: ExecuteOrder, limits: &ServerLimits) -> Result<Self, ApiError> {
        let mut of_items = Fingerprint::new();
        let items = std::mem::take(&mut order.items);
        if let Some(error) = too_many(items.len() as u64, limits) {
            return Err(error);
        }
        items.iter().for_each(|item| of_items.object(item));
        let items = Items::list(items.into_iter().map(Value::Object).collect());
        Ok(Self { order, items, of_items })
    }

    /// Reads a call from a body.
    async fn read(
        headers: &HeaderMap,
        body: Body,
        limits: &ServerLimits,
    ) -> Result<Self, ApiError> {
        if is_media_type(headers, JSON) {
            let bytes = whole(body, limits, "json_body", limits.json_body).await?;
            return Self::of(parse(&bytes)?, limits);
        }
        let (order, items, of_items) = read_lines(headers, body, limits).await?;
        Ok(Self { order, items, of_items })
    }
}

fn too_many(count: u64, limits: &ServerLimits) -> Option<ApiError> {
    let most = limits.items;
    (count > most as u64).then(|| {
        let message = format!("The call has more than {most} items (limit `items`).");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", message)
    })
}

/// Reads a call from a body of lines: the call, its items, and the fingerprint of the items.
async fn read_lines(
    headers: &HeaderMap,
    body: Body,
    limits: &ServerLimits,
) -> Result<(ExecuteOrder, Items, Fingerprint), ApiError> {
    let mut fingerprint = Fingerprint::new();
    if !is_media_type(headers, NDJSON) {
        return Err(unsupported("`application/json` or `application/x-ndjson`"));
    }
    let mut body = body;
    let mut buffer = BytesMut::new();
    let (mut order, mut spool) = (None, Spool::new(limits.spool_memory));
    let (mut total, mut line_number) = (0, 0_u64);
    loop {
        let part = next_part(&mut body, limits).await?;
        let is_last = part.is_none();
        let part = part.unwrap_or_default();
        total += part.len();
        if total > limits.ndjson_body {
            return Err(ApiError::too_large("The body", "ndjson_body", limits.ndjson_body));
        }
        let mut from = buffer.len();
        buffer.extend_from_slice(&part);
        loop {
            let end = buffer[from..].iter().position(|byte| *byte == b'\n');
            let line = match end {
                Some(end) => {
                    let line = buffer.split_to(from + end);
                    buffer.advance(1);
                    from = 0;
                    line
                }
                None if is_last && !buffer.is_empty() => {
                    from = 0;
                    buffer.split()
                }
                None => break,
            };
            line_number += 1;
            if line.len() > limits.line {
                return Err(ApiError::too_large("A line of the body", "line", limits.line));
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let wrong = |error: serde_json::Error| {
                ApiError::invalid(format!(
                    "Line {line_number} of the body cannot be read: {error}."
                ))
            };
            if order.is_none() {
                order = Some(parse_object::<ExecuteOrder>(&line).map_err(wrong)?);
                continue;
            }
            let item: Map<String, Value> = serde_json::from_slice(&line).map_err(wrong)?;
            fingerprint.object(&item);
            spool.push(&item).map_err(|error| ApiError::internal(&error))?;
            if let Some(error) = too_many(spool.count(), limits) {
                return Err(error);
            }
        }
        if buffer.len() > limits.line {
            return Err(ApiError::too_large("A line of the body", "line", limits.line));
        }
        if is_last {
            break;
        }
    }
    let Some(order) = order else {
        return Err(ApiError::invalid("The body is empty. Its first line is the call."));
    };
    if !order.items.is_empty() {
        let message = "The first line of the body has `items`. Write each item on a separate line.";
        return Err(ApiError::invalid(message));
    }
    Ok((order, spool.end(), fingerprint))
}

/// Whether text is a valid ID from a client.
pub(super) fn is_id(id: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@~-".contains(&byte);
    !id.is_empty() && id.len() <= 200 && id.bytes().all(is_good)
}

fn check(order: &ExecuteOrder) -> Result<(), ApiError> {
    if let Some(id) = &order.execution_id
        && !is_id(id)
    {
        return Err(ApiError::invalid(
            "`execution_id` is not 1 to 200 letters, digits, `.`, `_`, `:`, `@`, `~`, and `-`.",
        ));
    }
    if order.workflow.as_ref().is_some_and(|name| name.chars().count() > 500) {
        return Err(ApiError::invalid("`workflow` is longer than 500 characters."));
    }
    if order.options.concurrency == Some(0) {
        return Err(ApiError::invalid("`options.concurrency` is 0. Allow at least one item."));
    }
    if order.options.timeout_ms == Some(0) {
        return Err(ApiError::invalid(
            "`options.timeout_ms` is 0. Allow at least one millisecond.",
        ));
    }
    Ok(())
}

pub(crate) fn random_id() -> String {
    rand::random::<[u8; 16]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The properties by which a repeated call is recognized.
fn fingerprint(
    plugin: &Plugin,
    action: &str,
    order: &ExecuteOrder,
    of_items: Fingerprint,
) -> [u8; 32] {
    let mut whole = of_items;
    whole.text(&plugin.description().node.name);
    whole.text(action);
    for (slot, name) in &order.credentials {
        whole.text(slot);
        whole.text(name);
    }
    // Not the secrets of inline credentials: the fingerprint is stored.
    for (slot, one) in &order.inline_credentials {
        whole.text(slot);
        whole.text(&one.credential_type);
        whole.object(&one.fields);
    }
    whole.text(if order.options.continue_on_fail { "continue" } else { "stop" });
    whole.end()
}

/// Checks of items before anything runs.
struct Validation {
    plugin: Plugin,
    action: String,
    raw_secrets: bool,
    /// Whether an invalid item refuses the whole call.
    all: bool,
    /// If the action takes secrets.
    filler: Option<Filler>,
}

/// Maximum number of problems in a response.
const PROBLEMS: usize = 100;

impl Validation {
    fn check(&mut self, first: usize, items: &[Value]) -> Result<(), ApiError> {
        let mut items = std::borrow::Cow::Borrowed(items);
        if let Some(filler) = &mut self.filler {
            for index in 0..items.len() {
                let at = format!("/items/{}", first + index);
                if !self.raw_secrets {
                    raw_secret_problems(&self.plugin, &self.action, &items[index], &at)?;
                }
                let mut item = items[index].clone();
                if filler.read(&mut item, &at)? {
                    items.to_mut()[index] = item;
                }
            }
        }
        if !self.all {
            return Ok(());
        }
        let of_items = self.plugin.validate(&self.action, &items)?;
        let problems: Vec<Problem> = of_items
            .iter()
            .enumerate()
            .flat_map(|(index, of_item)| {
                of_item.iter().map(move |FieldProblem { pointer, message }| Problem {
                    pointer: format!("/items/{}{pointer}", first + index),
                    message: message.clone(),
                })
            })
            .take(PROBLEMS)
            .collect();
        if problems.is_empty() {
            return Ok(());
        }
        let message =
            format!("The items do not fit the action `{}`; nothing was sent.", self.action);
        Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-input", message)
            .next("Correct the items, or set `options.continue_on_fail` to run the valid ones.")
            .problems(problems))
    }
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        Self::internal(&error)
    }
}

fn respond(media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A proxy that buffers the stream would defeat its purpose.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The lines of a running execution. Dropping the body drops the attachment.
fn stream(received: mpsc::Receiver<Bytes>, attachment: Attachment) -> Response {
    let lines = futures_util::stream::unfold(
        (received, attachment),
        |(mut received, attachment)| async move {
            let line = received.recv().await?;
            Some((Ok::<_, ApiError>(line), (received, attachment)))
        },
    );
    respond(NDJSON, Body::from_stream(lines.map(|line| line.map_err(|error| error.detail.message))))
}

/// The results of an execution from an item on, in the order of the items; items without a
/// stored result included.
pub(crate) async fn results(
    executions: &Executions,
    stored: &Stored,
    from: u64,
    limit: usize,
) -> Result<Vec<(u64, String)>, ApiError> {
    let found = executions.results(&stored.key, from, limit).await?;
    let mut found = found.into_iter().peekable();
    let end = stored.items.min(from.saturating_add(limit as u64));
    let mut all = Vec::new();
    for item in from..end {
        let body = match found.next_if(|(found, _)| *found == item) {
            Some((_, body)) => body,
            None => {
                let reason = reason_of_missing(stored, item);
                let element = ItemElement::missing(item, reason.as_ref());
                serde_json::to_string(&element).map_err(|error| ApiError::internal(&error))?
            }
        };
        all.push((item, body));
    }
    Ok(all)
}

/// The results of an execution, in portions, as they are written by `write`.
fn written(
    executions: Arc<Executions>,
    stored: Stored,
    write: fn(u64, &str) -> Result<String, ApiError>,
) -> impl futures_util::Stream<Item = Result<Bytes, String>> {
    futures_util::stream::unfold(Some(0), move |next| {
        let (executions, stored) = (executions.clone(), stored.clone());
        async move {
            let from = next.filter(|from| *from < stored.items)?;
            let portion = async {
                let portion = results(&executions, &stored, from, READ).await?;
                let mut text = String::new();
                for (item, body) in &portion {
                    text.push_str(&write(*item, body)?);
                }
                Ok::<_, ApiError>(Bytes::from(text))
            };
            match portion.await {
                Ok(text) => Some((Ok(text), Some(from + READ as u64))),
                Err(error) => Some((Err(error.detail.message), None)),
            }
        }
    })
}

/// An execution that has ended, as one JSON document.
fn collected(executions: Arc<Executions>, stored: Stored) -> Response {
    let status = ExecutionStatus::from(&stored);
    let Ok(mut head) = serde_json::to_string(&status) else {
        return ApiError::internal(&"a status cannot be written").into_response();
    };
    head.truncate(head.len() - 1);
    head.push_str(",\"items\":[");
    let write = |item: u64, body: &str| {
        Ok(match item {
            0 => body.to_owned(),
            _ => format!(",{body}"),
        })
    };
    let once = |text: String| {
        let text = Ok::<_, String>(Bytes::from(text));
        futures_util::stream::once(std::future::ready(text))
    };
    let body = once(head).chain(written(executions, stored, write)).chain(once("]}".to_owned()));
    respond(JSON, Body::from_stream(body))
}

/// The part of a stored result that lines need.
#[derive(Deserialize)]
struct StoredItem {
    status: String,
    #[serde(default)]
    error: Option<Box<RawValue>>,
    #[serde(default)]
    output: Vec<Box<RawValue>>,
    #[serde(default)]
    outputs: BTreeMap<String, Vec<Box<RawValue>>>,
    #[serde(default)]
    output_dropped: bool,
}

/// The lines of an execution that another client watches: its state while it runs, then its
/// results. Dropping the body drops the attachment.
fn joined_lines(
    executions: Arc<Executions>,
    by: Principal,
    id: String,
    attachment: Attachment,
    heartbeat: Duration,
) -> Response {
    let (of, principal, name) = (executions.clone(), by.clone(), id.clone());
    let states = futures_util::stream::unfold((attachment, true), move |(attachment, is_first)| {
        let (executions, by, id) = (of.clone(), principal.clone(), name.clone());
        async move {
            if !is_first && tokio::time::timeout(heartbeat, attachment.ended()).await.is_ok() {
                return None;
            }
            let line = executions.get(&by, &id).await.map_err(|error| error.detail.message);
            Some((line.map(|stored| status_line(&stored)), (attachment, false)))
        }
    });
    let results = async move {
        let stored = executions.get(&by, &id).await.map_err(|error| error.detail.message);
        match stored {
            Ok(stored) => stored_lines(executions, stored).left_stream(),
            Err(error) => futures_util::stream::once(std::future::ready(Err(error))).right_stream(),
        }
    };
    let results = futures_util::stream::once(results).flatten();
    respond(NDJSON, Body::from_stream(states.chain(results)))
}

fn status_line(stored: &Stored) -> Bytes {
    let status = ExecutionStatus::from(stored);
    let line = serde_json::to_string(&StatusLine { execution: &status }).unwrap_or_default();
    Bytes::from(line + "\n")
}

/// A finished execution, as the lines that it had while it ran.
fn stored_lines(
    executions: Arc<Executions>,
    stored: Stored,
) -> impl futures_util::Stream<Item = Result<Bytes, String>> {
    let end = status_line(&stored);
    let write = |item: u64, body: &str| {
        let wrong = |error: serde_json::Error| ApiError::internal(&error);
        let stored: StoredItem = serde_json::from_str(body).map_err(wrong)?;
        let (mut text, mut records) = (String::new(), 0);
        let ports =
            stored.outputs.iter().flat_map(|(port, all)| all.iter().map(move |one| (port, one)));
        for record in &stored.output {
            records += 1;
            text.push_str(&format!("{{\"item\":{item},\"output\":{}}}\n", record.get()));
        }
        for (port, record) in ports {
            records += 1;
            let port = Value::from(port.as_str());
            let record = record.get();
            text.push_str(&format!("{{\"item\":{item},\"port\":{port},\"output\":{record}}}\n"));
        }
        let line = ItemLine { item, status: "ok", error: None, records };
        let mut line = serde_json::to_value(&line).map_err(wrong)?;
        line["status"] = stored.status.into();
        if let Some(error) = stored.error {
            line["error"] = serde_json::from_str(error.get()).map_err(wrong)?;
        }
        if stored.output_dropped {
            line["output_dropped"] = true.into();
        }
        text.push_str(&format!("{line}\n"));
        Ok(text)
    };
    let end = futures_util::stream::once(std::future::ready(Ok(end)));
    written(executions, stored, write).chain(end)
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
