//! Subscriptions and their events: those that wait, those that were set aside and can be sent again, and
//! the latest that have come.

use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Page;
use super::client::{path, with_query};
use super::enter::{Posted, button};
use super::layout::{Part, bounded, chip, failed, page, redirect, token};
use super::overview::member;
use super::titles;
use super::words::{count, when};
use crate::error::ApiError;
use crate::session::Session;
use crate::subscription::Key;

/// Events of one kind that a page shows.
const EVENTS: &str = "50";

/// A subscription, as the API lists it.
#[derive(Deserialize)]
struct Subscription {
    id: String,
    plugin: String,
    trigger: String,
    status: String,
    pushed: bool,
    workflow: Option<String>,
    waiting: u64,
    set_aside: u64,
    problem: Option<String>,
    created_at: u64,
}

/// How the service sees a subscription, in words.
fn words(status: &str) -> (&'static str, &'static str) {
    match status {
        "active" => ("good", "Active"),
        "unfinished" => ("warn", "Being set up"),
        "disabled" => ("bad", "Disabled at the service"),
        "sample" => ("good", "Sample, not at the service"),
        _ => ("bad", "Missing at the service"),
    }
}

async fn all(of: &Page, session: &Session, most: usize) -> Result<Vec<Subscription>, ApiError> {
    let at = format!("/v1/subscriptions?limit={most}");
    member(of.client.get(&session.caller, &at).await?, "subscriptions")
}

/// A table of subscriptions.
pub(super) async fn list(of: &Page, session: &Session, most: usize) -> Markup {
    let list = match all(of, session, most).await {
        Ok(list) => list,
        Err(error) => return html! { p.dim { (bounded(&error.detail.message)) } },
    };
    html! {
        @if list.is_empty() { p.dim { "No workflow is subscribed to a trigger." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Subscriptions" {
                table {
                    thead { tr {
                        th scope="col" { "Subscription" } th scope="col" { "Trigger" } th scope="col" { "Status" }
                        th scope="col" { "Events" }
                    } }
                    tbody {
                        @for one in &list {
                            @let (kind, status) = words(&one.status);
                            tr {
                                th scope="row" {
                                    a href=(path(["page", "subscriptions", &one.id])) { (bounded(one.workflow.as_deref().unwrap_or(&one.id))) }
                                }
                                td { (bounded(titles::plugin(of, &one.plugin))) ": " (bounded(titles::trigger(of, &one.plugin, &one.trigger))) }
                                td { (chip(kind, status)) }
                                td { (counted(one)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn counted(one: &Subscription) -> Markup {
    html! {
        @if one.waiting > 0 { (chip("warn", &format!("{} waiting", one.waiting))) " " }
        @if one.set_aside > 0 { (chip("bad", &format!("{} set aside", one.set_aside))) }
        @if one.waiting == 0 && one.set_aside == 0 { span.dim { "None wait" } }
    }
}

pub(super) async fn index(State(of): State<Page>, session: Session) -> Response {
    let content = html! {
        p.dim { "Workflows that receive events of a service, such as new incidents." }
        section { (list(&of, &session, 500).await) }
    };
    page(&session, Part::Subscriptions, "Subscriptions", &content)
}

async fn events(
    of: &Page,
    session: &Session,
    id: &str,
    is_aside: bool,
) -> Result<Vec<Value>, ApiError> {
    let mut query = vec![("limit", EVENTS)];
    if is_aside {
        query.push(("set_aside", "true"));
    }
    let at = with_query(&path(["v1", "subscriptions", id, "events"]), &query);
    member(of.client.get(&session.caller, &at).await?, "events")
}

pub(super) async fn show(
    State(of): State<Page>,
    session: Session,
    Path(id): Path<String>,
) -> Response {
    let loaded = async {
        let one = of.client.get(&session.caller, &path(["v1", "subscriptions", &id])).await?;
        let one: Subscription =
            serde_json::from_value(one).map_err(|error| ApiError::internal(&error))?;
        let aside = events(&of, &session, &id, true).await?;
        Ok::<_, ApiError>((one, aside, events(&of, &session, &id, false).await?))
    };
    let (one, aside, waiting) = match loaded.await {
        Ok(loaded) => loaded,
        Err(error) => return failed(&session, Part::Subscriptions, &error),
    };
    let at = |what: &str| path(["page", "subscriptions", &id, what]);
    let (kind, status) = words(&one.status);
    let content = html! {
        section aria-labelledby="state" {
            div.head { h2 id="state" { "State" } (chip(kind, status)) }
            dl.facts {
                dt { "Trigger" } dd { (bounded(titles::plugin(&of, &one.plugin))) ": " (bounded(titles::trigger(&of, &one.plugin, &one.trigger))) }
                dt { "Events are" } dd { @if one.pushed { "sent to the workflow" } @else { "pulled by the workflow" } }
                dt { "Created" } dd { (when(one.created_at)) }
                dt { "ID" } dd { code { (bounded(&one.id)) } }
            }
            @if let Some(problem) = &one.problem {
                div.notice.warn { p { "The last event was refused: " (bounded(problem)) } }
            }
            details.confirm {
                summary { "Remove this subscription…" }
                p { "Its workflow receives no further events, and those that wait are lost." }
                (button(&session, &at("remove"), "Remove", "danger"))
            }
        }
        section aria-labelledby="aside" {
            div.head { h2 id="aside" { "Set aside" } span.dim { (count(one.set_aside, "event")) } }
            @if aside.is_empty() { p.dim { "No event was set aside. That happens to an event when the workflow refuses it for too long." } } @else {
                form method="post" action=(at("redeliver")) {
                    (token(&session))
                    @for event in &aside { input type="hidden" name="number" value=(event["number"]); }
                    button type="submit" { "Send " (count(aside.len() as u64, "event")) " again" }
                }
            }
            @for event in &aside { (shown(&session, event, Some(&at("redeliver")))) }
            @if one.set_aside > aside.len() as u64 { p.dim { "Further events are shown when these are gone." } }
        }
        section aria-labelledby="waiting" {
            div.head { h2 id="waiting" { "Waiting" } span.dim { (count(one.waiting, "event")) } }
            @if waiting.is_empty() { p.dim { "No event waits for the workflow." } }
            @for event in &waiting { (shown(&session, event, None)) }
        }
        (recent(&of, &session, &id, |number| place(number, &one, &waiting, &aside)))
    };
    let title = bounded(one.workflow.as_deref().unwrap_or(&one.id));
    page(&session, Part::Subscriptions, &title, &content)
}

fn shown(session: &Session, event: &Value, again: Option<&str>) -> Markup {
    let number = event["number"].as_u64().unwrap_or_default();
    let pretty = serde_json::to_string_pretty(&event["event"]).unwrap_or_default();
    html! {
        details.record {
            summary {
                "Event " (number)
                @if let Some(at) = event["received_at"].as_u64() { span.dim { " · received " (when(at)) } }
                @if let Some(reason) = event["reason"].as_str() { span.dim { " · refused: " (bounded(reason)) } }
            }
            @if let Some(again) = again {
                form.again method="post" action=(again) {
                    (token(session))
                    input type="hidden" name="number" value=(number);
                    button.quiet type="submit" aria-label=(format!("Send event {number} again")) { "Send again" }
                }
            }
            pre { (bounded(&pretty)) }
        }
    }
}

/// Status of an event: waiting, set aside, or accepted.
fn place(number: u64, one: &Subscription, waiting: &[Value], aside: &[Value]) -> &'static str {
    let is_in = |list: &[Value]| list.iter().any(|event| event["number"] == number);
    let is_behind = |list: &[Value], all: u64| {
        let last = list.last().and_then(|event| event["number"].as_u64());
        all > list.len() as u64 && last.is_some_and(|last| number > last)
    };
    match () {
        () if is_in(aside) => "set aside",
        () if is_in(waiting) || is_behind(waiting, one.waiting) => "waiting",
        () if is_behind(aside, one.set_aside) => "set aside",
        () => "accepted",
    }
}

/// The latest events, accepted ones included.
fn recent(of: &Page, session: &Session, id: &str, place: impl Fn(u64) -> &'static str) -> Markup {
    let key = Key { principal: session.caller.policy.principal(), id: id.to_owned() };
    let recent = of.state.subscriptions.as_ref().map(|all| all.recent.of(&key));
    let recent = recent.unwrap_or_default();
    html! {
        section aria-labelledby="recent" {
            div.head { h2 id="recent" { "Latest events" } }
            @if recent.is_empty() { p.dim { "None has come since the server started." } }
            @for event in &recent {
                @let parsed: Option<Value> = serde_json::from_str(&event.text).ok();
                @let pretty = parsed.and_then(|value| serde_json::to_string_pretty(&value).ok());
                details.record {
                    summary {
                        "Event " (event.number)
                        span.dim { " · received " (when(event.received_at)) " · " (place(event.number)) }
                    }
                    pre { (bounded(pretty.as_ref().unwrap_or(&event.text))) }
                }
            }
        }
    }
}

pub(super) async fn redeliver(
    State(of): State<Page>,
    Path(id): Path<String>,
    posted: Posted,
) -> Response {
    let session = &posted.session;
    let numbers = posted.pairs.iter().filter(|(name, _)| name == "number");
    let numbers: Vec<u64> = numbers.filter_map(|(_, value)| value.parse().ok()).collect();
    let at = path(["v1", "subscriptions", &id, "redeliver"]);
    let order = json!({"numbers": numbers});
    match of.client.call(&session.caller, Method::POST, &at, Some(&order)).await {
        Ok(_) => redirect(&path(["page", "subscriptions", &id])),
        Err(error) => failed(session, Part::Subscriptions, &error),
    }
}

pub(super) async fn remove(
    State(of): State<Page>,
    Path(id): Path<String>,
    posted: Posted,
) -> Response {
    let session = &posted.session;
    let at = path(["v1", "subscriptions", &id]);
    match of.client.call(&session.caller, Method::DELETE, &at, None).await {
        Ok(_) => redirect("/page/subscriptions"),
        Err(error) => failed(session, Part::Subscriptions, &error),
    }
}
