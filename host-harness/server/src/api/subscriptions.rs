//! Subscriptions to triggers: created, monitored, and removed by engines, which receive events or
//! pull them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::Url;
use utoipa::{IntoParams, ToSchema};

use super::page::PageQuery;
use super::{check_raw_secrets, credentials, with_secrets};
use crate::error::{ApiError, Failures};
use crate::extract::{Params, Segments, json};
use crate::hooks;
use crate::permitted::permitted_trigger;
use crate::state::{Shared, State as Server};
use crate::subscription::{
    Key, Order, Put, SampleKind, StoredEvent, StoredSubscription, Subscriptions, Which,
};
use crate::token::{Caller, Role};

/// A subscription.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubscriptionBody {
    /// Name of the plugin.
    plugin: String,
    /// Name of the trigger.
    trigger: String,
    /// Names of credentials, by slot.
    #[serde(default)]
    credentials: BTreeMap<String, String>,
    #[serde(default)]
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    /// URL to which the server sends events. Its origin must be listed in the token's policy. Without
    /// it, the engine pulls events.
    #[serde(default)]
    deliver_to: Option<String>,
    /// The workflow that receives the events, for the audit log.
    #[serde(default)]
    #[schema(max_length = 500)]
    workflow: Option<String>,
    /// URL to which the service delivers, if the engine has a public URL and relays deliveries to
    /// `/v1/subscriptions/{subscription}/deliveries`. By default, an address of the server.
    #[serde(default)]
    callback_url: Option<String>,
    /// Replaces the secret that signs events, and returns the new one.
    #[serde(default)]
    rotate_secret: bool,
    /// Only shows an engine's user what events look like, and creates nothing at the service. It shares
    /// the webhook of an equal subscription. If there is none, the server offers one event at once: the
    /// last event of the trigger that the user has received here, or else the example of the trigger.
    #[serde(default)]
    sample: bool,
}

/// Where a subscription stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriptionStatus {
    id: String,
    plugin: String,
    trigger: String,
    /// `active`, `unfinished`, `disabled`, or `missing`: how the service sees it. The server repairs it
    /// by itself. `sample`: it exists only here.
    status: &'static str,
    /// Whether events are sent to the engine; otherwise it pulls them.
    pushed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    /// Events that the engine has not accepted yet.
    waiting: u64,
    /// Events that were set aside, because the engine refused them.
    set_aside: u64,
    /// Why the engine has refused the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Milliseconds since 1970.
    created_at: u64,
    /// Signs events that are sent to the engine. Returned once, when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The events of a sample, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<SampleKind>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriptionPage {
    subscriptions: Vec<SubscriptionStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

fn all(state: &Server) -> Result<&std::sync::Arc<Subscriptions>, ApiError> {
    state.subscriptions.as_ref().ok_or_else(|| {
        let message = "The server has no store for subscriptions, because it has no key for one.";
        ApiError::new(StatusCode::CONFLICT, "no-credential-store", message)
            .next("Create a key: harness credential key-file FILE")
    })
}

fn key(caller: &Caller, id: &str) -> Key {
    Key { principal: caller.policy.principal(), id: id.to_owned() }
}

async fn status(of: StoredSubscription, all: &Subscriptions) -> SubscriptionStatus {
    SubscriptionStatus {
        status: all.status(&of).await,
        id: of.key.id,
        plugin: of.plugin,
        trigger: of.trigger,
        pushed: of.deliver_to.is_some(),
        workflow: of.workflow,
        waiting: of.waiting,
        set_aside: of.set_aside,
        problem: of.problem,
        created_at: of.created_at,
        secret: None,
        sample: None,
    }
}

/// The subscription with an ID, if this user has created it.
async fn found(
    all: &Subscriptions,
    caller: &Caller,
    id: &str,
) -> Result<StoredSubscription, ApiError> {
    caller.require(Role::Run)?;
    let key = key(caller, id);
    let found = all.with_store(move |store| store.get(&key)).await?;
    found.ok_or_else(|| ApiError::not_found("subscription", id))
}

/// Makes a subscription, or changes the one of this ID. Repeating it is harmless.
///
/// Subscriptions of a user with the same trigger, credentials, and parameters share one webhook at the
/// service.
#[utoipa::path(put, path = "/v1/subscriptions/{subscription}", operation_id = "put_subscription", tag = "subscriptions",
    params(("subscription" = String, Path, description = "ID that the engine chooses: 1 to 200 letters, digits, `.`, `_`, `:`, `@`, `~`, and `-`.")),
    request_body = SubscriptionBody,
    responses((status = 200, description = "Events come.", body = SubscriptionStatus), Failures))]
pub(crate) async fn put(
    State(state): State<Shared>,
    caller: Caller,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SubscriptionStatus>, ApiError> {
    caller.require(Role::Run)?;
    let body: SubscriptionBody = json(&headers, body, &state.limits).await?;
    if !super::executions::is_id(&id) {
        return Err(ApiError::invalid(
            "The ID is not 1 to 200 letters, digits, `.`, `_`, `:`, `@`, `~`, and `-`.",
        ));
    }
    let plugin = state.plugin(&caller, &body.plugin)?.clone();
    let trigger = permitted_trigger(&caller, &plugin, &body.trigger)?.name.clone();
    plugin.check_approval().await?;
    if body.workflow.as_ref().is_some_and(|name| name.chars().count() > 500) {
        return Err(ApiError::invalid("`workflow` is longer than 500 characters."));
    }
    for name in body.credentials.values() {
        credentials::usable(&state, &caller, name).await?;
    }
    let parameters = Value::Object(body.parameters.clone());
    check_raw_secrets(&caller, &plugin, &trigger, &parameters, "/parameters")?;
    let filled = body.parameters.clone();
    let filled = with_secrets(&state, &caller, &plugin, &trigger, filled, "/parameters").await?;
    if let Some(url) = &body.deliver_to {
        check_deliver_to(&caller, url)?;
    }
    if let Some(url) = &body.callback_url
        && !Url::parse(url).is_ok_and(|url| url.scheme() == "https")
    {
        return Err(ApiError::invalid("`callback_url` is not an https URL."));
    }
    let order = Order {
        key: key(&caller, &id),
        plugin: body.plugin,
        trigger,
        credentials: body.credentials,
        parameters: filled,
        named: body.parameters,
        workflow: body.workflow,
        deliver_to: body.deliver_to,
        is_private: caller.policy.deliver_to_private,
        callback_url: body.callback_url,
        rotate_secret: body.rotate_secret,
        sample: body.sample,
        token: caller.token.clone(),
        destinations: caller.policy.destinations.clone(),
    };
    // Changes at the service that have begun are completed, even if the client disconnects.
    let all = all(&state)?.clone();
    let put = tokio::spawn(all.clone().put(order)).await;
    let Put { stored, secret, sample } = put.map_err(|error| ApiError::internal(&error))??;
    let mut status = status(stored, &all).await;
    status.secret = secret.map(|secret| secret.expose().to_owned());
    status.sample = sample;
    Ok(Json(status))
}

/// Checks that a token may send events to a URL.
fn check_deliver_to(caller: &Caller, text: &str) -> Result<(), ApiError> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    });
    let Some(url) = url else {
        return Err(ApiError::invalid(
            "`deliver_to` is not an http or https URL without user information and fragment.",
        ));
    };
    let origin = url.origin().ascii_serialization();
    if caller.policy.deliver_to.contains(&origin) {
        return Ok(());
    }
    let message =
        format!("The token's policy does not list the origin `{origin}` in `deliver_to`.");
    Err(ApiError::not_permitted(message))
}

/// Lists the subscriptions of the token's user.
#[utoipa::path(get, path = "/v1/subscriptions", operation_id = "list_subscriptions", tag = "subscriptions", params(PageQuery),
    responses((status = 200, description = "A page of subscriptions.", body = SubscriptionPage), Failures))]
pub(crate) async fn list(
    State(state): State<Shared>,
    caller: Caller,
    Params(page): Params<PageQuery>,
) -> Result<Json<SubscriptionPage>, ApiError> {
    caller.require(Role::Run)?;
    let all = all(&state)?;
    let by = caller.policy.principal();
    let stored = all.with_store(move |store| store.list(&by)).await?;
    let texts = |one: &StoredSubscription| vec![one.key.id.clone(), one.trigger.clone()];
    let mut entries: Vec<(String, StoredSubscription)> = Vec::new();
    for one in stored {
        entries.push((texts(&one).join("\n"), one));
    }
    let (entries, next_cursor) =
        page.of(entries, |(_, one)| &one.key.id, |(text, _)| vec![text], &state.limits)?;
    let mut subscriptions = Vec::new();
    for (_, one) in entries {
        subscriptions.push(status(one, all).await);
    }
    Ok(Json(SubscriptionPage { subscriptions, next_cursor }))
}

/// Returns where a subscription stands.
#[utoipa::path(get, path = "/v1/subscriptions/{subscription}", operation_id = "get_subscription", tag = "subscriptions",
    params(("subscription" = String, Path, description = "ID of the subscription.")),
    responses((status = 200, description = "The subscription.", body = SubscriptionStatus), Failures))]
pub(crate) async fn get(
    State(state): State<Shared>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<Json<SubscriptionStatus>, ApiError> {
    let all = all(&state)?;
    let found = found(all, &caller, &id).await?;
    Ok(Json(status(found, all).await))
}

/// What was removed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Removed {
    id: String,
    /// `removed`.
    status: &'static str,
}

/// Removes a subscription with its events. If no other subscription shares its webhook, the webhook is
/// removed at the service; if that fails, the server tries again later.
#[utoipa::path(delete, path = "/v1/subscriptions/{subscription}", operation_id = "remove_subscription", tag = "subscriptions",
    params(("subscription" = String, Path, description = "ID of the subscription.")),
    responses((status = 200, description = "It is removed.", body = Removed), Failures))]
pub(crate) async fn remove(
    State(state): State<Shared>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<Json<Removed>, ApiError> {
    caller.require(Role::Run)?;
    let all = all(&state)?.clone();
    let removed = tokio::spawn(all.remove(key(&caller, &id))).await;
    match removed.map_err(|error| ApiError::internal(&error))?? {
        true => Ok(Json(Removed { id, status: "removed" })),
        false => Err(ApiError::not_found("subscription", &id)),
    }
}

/// An event. Its members are those of the body that is sent to `deliver_to`.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what is stored as text")]
pub(crate) struct EventBody {
    /// ID of the subscription.
    subscription: String,
    /// Increases with each event of the subscription. The same number is the same event.
    number: u64,
    /// Identical each time the service sends the same event.
    dedup_key: Option<String>,
    /// When it happened, by the service's clock. Milliseconds since 1970.
    occurred_at: Option<u64>,
    /// When the server received it. Milliseconds since 1970.
    received_at: u64,
    /// Whether the event only shows what events look like, and where it comes from: `recent` or `example`.
    sample: Option<SampleKind>,
    /// The event.
    event: Value,
}

/// An event that was set aside or waits.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventEntry {
    #[serde(flatten)]
    #[schema(value_type = EventBody)]
    event: BTreeMap<String, Box<RawValue>>,
    /// Why the engine has refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EventPage {
    events: Vec<EventEntry>,
    /// What to pass as `after` next.
    after: u64,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// Number of the last event that the engine has. If it pulls, that event and those before it are
    /// accepted and removed.
    #[serde(default)]
    after: u64,
    /// How long to wait for an event if there is none, in milliseconds. At most 30,000.
    #[serde(default)]
    wait_ms: u64,
    /// Maximum number of events. Defaults to 100.
    #[param(minimum = 1)]
    limit: Option<u64>,
    /// Lists the events that were set aside, instead of those that wait.
    #[serde(default)]
    set_aside: bool,
}

/// Returns events that the engine has not accepted, in order.
#[utoipa::path(get, path = "/v1/subscriptions/{subscription}/events", operation_id = "list_events", tag = "subscriptions",
    params(("subscription" = String, Path, description = "ID of the subscription."), EventQuery),
    responses((status = 200, description = "The events.", body = EventPage), Failures))]
pub(crate) async fn events(
    State(state): State<Shared>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(query): Params<EventQuery>,
) -> Result<Json<EventPage>, ApiError> {
    let all = all(&state)?;
    let subscription = found(all, &caller, &id).await?;
    let page = PageQuery { search: None, cursor: None, limit: query.limit };
    let limit = page.limit(&state.limits)?;
    let (key, after) = (subscription.key, query.after);
    let which = if query.set_aside { Which::SetAside } else { Which::Waiting };
    if subscription.deliver_to.is_none() && which == Which::Waiting && after > 0 {
        let of = key.clone();
        all.with_store(move |store| store.accepted_until(&of, after)).await?;
    }
    let wait = Duration::from_millis(query.wait_ms.min(state.limits.poll_ms));
    let events = all.events(&key, which, after, limit, wait).await?;
    let after = events.last().map_or(after, |event| event.number);
    let entry = |event: StoredEvent| {
        let members = serde_json::from_str(&event.body);
        let event_members = members.map_err(|error| ApiError::internal(&error))?;
        Ok(EventEntry { event: event_members, reason: event.reason })
    };
    let events = events.into_iter().map(entry).collect::<Result<_, ApiError>>()?;
    Ok(Json(EventPage { events, after }))
}

/// Which events to send again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedeliverBody {
    /// Numbers of events that were set aside.
    #[schema(max_items = 1000)]
    numbers: Vec<u64>,
}

/// What is sent again.
#[derive(Serialize, ToSchema)]
pub(crate) struct Redelivered {
    /// How many events wait again.
    offered: u64,
}

/// Offers events again that were set aside.
#[utoipa::path(post, path = "/v1/subscriptions/{subscription}/redeliver", operation_id = "redeliver_events", tag = "subscriptions",
    params(("subscription" = String, Path, description = "ID of the subscription.")),
    request_body = RedeliverBody,
    responses((status = 200, description = "They wait again.", body = Redelivered), Failures))]
pub(crate) async fn redeliver(
    State(state): State<Shared>,
    caller: Caller,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Redelivered>, ApiError> {
    let all = all(&state)?;
    let subscription = found(all, &caller, &id).await?;
    let body: RedeliverBody = json(&headers, body, &state.limits).await?;
    if body.numbers.len() > 1_000 {
        return Err(ApiError::invalid("`numbers` has more than 1,000 elements."));
    }
    Ok(Json(Redelivered { offered: all.offer_again(&subscription.key, body.numbers).await? }))
}

/// A delivery of a service that the engine has received at its public URL.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelayBody {
    /// Method of the request.
    #[serde(default = "post")]
    method: String,
    /// Headers of the request, as they came.
    headers: BTreeMap<String, String>,
    /// Body of the request, byte for byte, as base64.
    body: String,
}

fn post() -> String {
    "POST".to_owned()
}

/// What to answer the service.
#[derive(Serialize, ToSchema)]
pub(crate) struct RelayAnswer {
    status: u16,
    headers: BTreeMap<String, String>,
    /// As base64.
    body: String,
    /// Why, e.g. `kept`, `repeated`, or `wrong-signature`.
    reason: &'static str,
}

/// Takes a delivery that the engine relays. It is checked as if the service had delivered it here.
#[utoipa::path(post, path = "/v1/subscriptions/{subscription}/deliveries", operation_id = "relay_delivery", tag = "subscriptions",
    params(("subscription" = String, Path, description = "ID of the subscription.")),
    request_body = RelayBody,
    responses((status = 200, description = "What to answer the service.", body = RelayAnswer), Failures))]
pub(crate) async fn relay(
    State(state): State<Shared>,
    caller: Caller,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RelayAnswer>, ApiError> {
    let all = all(&state)?;
    let subscription = found(all, &caller, &id).await?;
    if !crate::extract::is_media_type(&headers, "application/json") {
        return Err(crate::extract::unsupported("`application/json`"));
    }
    let bytes = crate::extract::whole(body, &state.limits, "json_body", state.limits.json_body);
    let body: RelayBody = crate::extract::parse(&bytes.await?)?;
    let method = Method::from_bytes(body.method.as_bytes());
    let method = method.map_err(|_| ApiError::invalid("`method` is not an HTTP method."))?;
    let mut relayed = HeaderMap::new();
    for (name, value) in &body.headers {
        let (name, value) = (HeaderName::try_from(name), HeaderValue::from_str(value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(ApiError::invalid("`headers` has a header that HTTP does not permit."));
        };
        relayed.insert(name, value);
    }
    let bytes = STANDARD.decode(&body.body);
    let bytes = bytes.map_err(|_| ApiError::invalid("`body` is not base64."))?;
    // The length is that of the body, whatever the proxy states.
    relayed.remove(axum::http::header::CONTENT_LENGTH);
    let of = subscription.source.clone();
    let source = all.with_store(move |store| store.source_of(&of)).await?;
    let source = source.ok_or_else(|| ApiError::not_found("subscription", &id))?;
    let answer = hooks::hand_in(all, &source, method, relayed, bytes.into()).await;
    Ok(Json(RelayAnswer {
        status: answer.status.as_u16(),
        headers: answer.headers.into_iter().collect(),
        body: STANDARD.encode(&answer.body),
        reason: answer.reason.as_str(),
    }))
}
