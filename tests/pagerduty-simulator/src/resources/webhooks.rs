//! Webhook subscriptions. Secrets are returned only once.

use serde_json::{Value, json};

use super::text;
use crate::engine::{documents, lists, references};
use crate::errors::Refusal;
use crate::facts;
use crate::ids::secret_hex;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;
use crate::state::happenings::SUBSCRIPTIONS as HOME;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listWebhookSubscriptions", list),
    ("createWebhookSubscription", create),
    ("getWebhookSubscription", get),
    ("updateWebhookSubscription", update),
    ("deleteWebhookSubscription", delete),
    ("enableWebhookSubscription", enable),
    ("testWebhookSubscription", ping),
    ("createOauthClient", create_client),
];

/// Maximum number of subscriptions of one service, team, or account.
const MOST: usize = 10;
/// Maximum number of OAuth clients of an account.
const MOST_CLIENTS: usize = 10;

/// A subscription without its secrets.
fn shown(state: &State, subscription: &Value) -> Value {
    let mut shown = subscription.clone();
    let id = subscription["id"].as_str().unwrap_or_default();
    let disabled = state.hooks.as_ref().is_some_and(|hooks| hooks.is_disabled(state.region, id));
    shown["delivery_method"]["temporarily_disabled"] = json!(disabled);
    shown["delivery_method"]["secret"] = Value::Null;
    let headers = shown["delivery_method"]["custom_headers"].as_array_mut();
    for header in headers.into_iter().flatten() {
        header["value"] = json!("<redacted>");
    }
    shown
}

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (kind, id) = (call.query.one("filter_type"), call.query.one("filter_id"));
    let fits = |one: &Value| {
        kind.is_none_or(|kind| one["filter"]["type"] == format!("{kind}_reference"))
            && id.is_none_or(|id| one["filter"]["id"] == id)
    };
    let found = call.state.store.all(HOME).filter(|(_, one)| fits(one));
    let found = found.map(|(place, one)| (place, shown(call.state, one))).collect();
    Ok(lists::page(call, found))
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(call.answer(&shown(call.state, &documents::found(call)?)))
}

/// The events must exist and be unique; the objects in the filter must exist.
fn judge(call: &Call<'_>, own: Option<&str>) -> Result<(), Refusal> {
    references::check(call)?;
    let given = &call.body["webhook_subscription"];
    let mut seen = Vec::new();
    for event in given["events"].as_array().into_iter().flatten() {
        let name = event.as_str().unwrap_or_default();
        let known = facts::webhook_events()
            .iter()
            .any(|one| one.event_type == name && one.data_type != "ping");
        if !known || seen.contains(&name) {
            return Err(Refusal::invalid([format!("events: {name} is unknown or named twice")]));
        }
        seen.push(name);
        let scope = facts::webhook_events().iter().find(|one| one.event_type == name);
        if let Some(scope) = scope.and_then(|one| one.scope.as_deref())
            && !call.key.allows(Some(scope), false)
        {
            return Err(Refusal::scope(scope));
        }
    }
    let headers = given["delivery_method"]["custom_headers"].as_array();
    let mut names: Vec<String> = headers
        .into_iter()
        .flatten()
        .filter_map(|one| text(&one["name"]).map(|name| name.to_ascii_lowercase()))
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    if names.len() < count {
        return Err(Refusal::invalid(["names of custom_headers must differ"]));
    }
    if own.is_some() && given["events"].as_array().is_some_and(Vec::is_empty) {
        return Err(Refusal::invalid(["events needs at least 1"]));
    }
    let filter = &given["filter"];
    if filter.is_null() {
        return Ok(());
    }
    if filter["type"] != "account_reference" && filter["id"].as_str().is_none() {
        return Err(Refusal::invalid(["filter.id is required"]));
    }
    let others = call.state.store.all(HOME).filter(|(_, one)| {
        Some(one["id"].as_str().unwrap_or_default()) != own
            && one["filter"]["type"] == filter["type"]
            && (filter["type"] == "account_reference" || one["filter"]["id"] == filter["id"])
    });
    match others.count() < MOST {
        true => Ok(()),
        false => Err(Refusal::invalid([format!("at most {MOST} subscriptions are allowed here")])),
    }
}

/// The secret is in this response and in no other.
fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    judge(call, None)?;
    let address = call.body["webhook_subscription"]["delivery_method"]["url"].as_str();
    let scheme = address.and_then(|address| url::Url::parse(address).ok());
    if !scheme.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        return Err(Refusal::invalid(["delivery_method.url must be an http or https URL"]));
    }
    let subscription = documents::created(call)?;
    let id = text(&subscription["id"]).unwrap_or_default();
    let method_id = call.state.ids.next('P', "delivery method");
    let account = call.state.account_id();
    let kept = call.state.store.get_mut(HOME, &id).ok_or_else(Refusal::not_found)?;
    let method = &mut kept["delivery_method"];
    method["id"] = json!(method_id);
    method["secret"] = json!(secret_hex(64));
    method["temporarily_disabled"] = json!(false);
    method["extension_id"] = Value::Null;
    if !method["custom_headers"].is_array() {
        method["custom_headers"] = json!([]);
    }
    if kept["filter"]["type"] == "account_reference" && kept["filter"]["id"].is_null() {
        kept["filter"]["id"] = json!(account);
    }
    let kept = kept.clone();
    call.state.register(&id);
    let mut answer = shown(call.state, &kept);
    answer["delivery_method"]["secret"] = kept["delivery_method"]["secret"].clone();
    Ok(call.answer(&answer))
}

/// Everything but the URL can be changed.
fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    documents::found(call)?;
    judge(call, Some(&id))?;
    let subscription = documents::updated(call)?;
    call.state.register(&id);
    Ok(call.answer(&shown(call.state, &subscription)))
}

fn enable(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    let kept = call.state.store.get(HOME, &id).ok_or_else(Refusal::not_found)?;
    if let Some(hooks) = &call.state.hooks {
        hooks.enable(call.state.region, &id);
    }
    Ok(call.answer(&shown(call.state, kept)))
}

fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let gone = documents::deleted(call)?;
    if let Some(hooks) = &call.state.hooks {
        hooks.forget(call.state.region, gone["id"].as_str().unwrap_or_default());
    }
    Ok(call.done())
}

fn ping(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    call.state.ping(call.capture(0), call.now);
    Ok(call.done())
}

fn create_client(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let path = "/webhook_subscriptions/oauth_clients";
    if call.state.store.all(path).count() >= MOST_CLIENTS {
        let error = format!("at most {MOST_CLIENTS} OAuth clients are allowed");
        return Err(Refusal::invalid([error]));
    }
    let client = documents::created(call)?;
    Ok(call.answer(&client))
}
