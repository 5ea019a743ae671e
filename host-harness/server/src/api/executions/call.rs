//! Reading a call, and checking it against the action and the token's policy.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use bytes::{Buf as _, BytesMut};
use hmac::{Hmac, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;
use workflow_node_host::credential::{Credential, CredentialForm};
use workflow_node_host::description::{FieldProblem, Form, Grant, Idempotency};
use workflow_node_host::{Execution, Plugin, Secret};

use super::{ExecuteOptions, ExecuteOrder, JSON, NDJSON};
use crate::api::{credentials, raw_secret_problems};
use crate::error::{ApiError, Problem, shown};
use crate::execution::{Fingerprint, Interrupted, Items, Job, Key, Request, SavedCall, Spool};
use crate::extract::{is_media_type, next_part, parse, parse_object, unsupported, whole};
use crate::limits::ServerLimits;
use crate::permitted::permitted_action;
use crate::secrets::Filler;
use crate::state::State as Server;
use crate::token::{Caller, Role};

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
        let described = permitted_action(caller, &plugin, action)?;
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
    pub(super) fn saved(&self, caller: &Caller, call: &Call) -> Option<SavedCall> {
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
    pub(super) async fn read(
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
pub(crate) fn is_id(id: &str) -> bool {
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
