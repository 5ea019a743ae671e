//! Webhook receiver: `/hooks/{hook}`. Needs no token; the library checks what the trigger declares:
//! the method, the size, and the signature.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use workflow_node_host::trigger::{Answer, Incoming, SubscriptionKey};

use crate::error::ApiError;
use crate::extract::whole;
use crate::state::{Shared, State as Server};
use crate::subscription::{Source, Subscriptions};

/// Receives a delivery.
pub(crate) async fn receive(
    State(state): State<Shared>,
    Path(hook): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match received(&state, hook, method, headers, body).await {
        Ok(answer) => respond(answer),
        Err(error) => error.into_response(),
    }
}

async fn received(
    state: &Server,
    hook: String,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, ApiError> {
    let nothing = || ApiError::not_found("address", "hook");
    let subscriptions = state.subscriptions.as_ref().ok_or_else(nothing)?;
    let source = subscriptions.with_store(move |store| store.source_of_hook(&hook)).await?;
    let source = source.ok_or_else(nothing)?;
    let plugin = subscriptions.plugin(&source.plugin).ok_or_else(nothing)?;
    let name = name_of(&source);
    let triggers = subscriptions.triggers(&source);
    let limit = match triggers.admit(plugin, &name, &method, &headers).await {
        Ok(limit) => limit,
        Err(answer) => {
            subscriptions.metrics().received(&source.plugin, answer.reason.as_str());
            return Ok(answer);
        }
    };
    let body = whole(body, &state.limits, "delivery_body", limit).await?;
    Ok(hand_in(subscriptions, &source, method, headers, body).await)
}

fn name_of(source: &Source) -> String {
    SubscriptionKey { principal: source.principal.clone(), name: source.name.clone() }.to_string()
}

/// Passes a delivery to the library, however it arrived.
pub(crate) async fn hand_in(
    subscriptions: &Subscriptions,
    source: &Source,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let url = subscriptions.hook_url(source).map(String::from).unwrap_or_default();
    let incoming = Incoming { method, url, headers, body };
    let name = name_of(source);
    let Some(plugin) = subscriptions.plugin(&source.plugin) else {
        return subscriptions_unknown();
    };
    let answer = subscriptions.triggers(source).receive(plugin, &name, incoming).await;
    subscriptions.metrics().received(&source.plugin, answer.reason.as_str());
    answer
}

fn subscriptions_unknown() -> Answer {
    Answer {
        status: StatusCode::NOT_FOUND,
        headers: Vec::new(),
        body: Vec::new(),
        reason: workflow_node_host::trigger::Reason::Unknown,
    }
}

fn respond(answer: Answer) -> Response {
    let mut response = (answer.status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.remove(axum::http::header::CONTENT_TYPE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    response
}
