//! A plugin: requested permissions, its approval, and its actions.

use std::collections::BTreeSet;

use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use workflow_node_host::description::Effect;
use workflow_node_host::{Approval, GrantRequest, Plugin};

use super::Page;
use super::client::{path, with_query};
use super::enter::Posted;
use super::layout::{Part, bounded, chip, failed, page, problem, redirect, token};
use super::overview::member;
use super::words::{count, listed, when};
use crate::error::ApiError;
use crate::session::Session;
use crate::token::Role;

#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    search: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    cursor: String,
}

/// An action, as the API lists it.
#[derive(Deserialize)]
struct Action {
    name: String,
    title: String,
    description: String,
    effect: String,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    title: String,
}

pub(super) async fn show(
    State(of): State<Page>,
    session: Session,
    Path(name): Path<String>,
    Query(search): Query<Search>,
) -> Response {
    let plugin = match of.state.plugin(&session.caller, &name) {
        Ok(plugin) => plugin.clone(),
        Err(error) => return failed(&session, Part::Overview, &error),
    };
    let node = &plugin.description().node;
    let content = html! {
        p.lead { (bounded(&node.description)) }
        (approval(&session, &plugin).await)
        (actions(&of, &session, &name, &search).await)
    };
    page(&session, Part::Overview, &bounded(&node.display_name), &content)
}

/// The approval for people who may approve plugins; for others, only whether the plugin is approved.
async fn approval(session: &Session, plugin: &Plugin) -> Markup {
    let checked = plugin.check_approval().await;
    let may_approve = session.caller.policy.roles.contains(&Role::Approve);
    let name = &plugin.description().node.name;
    html! {
        section aria-labelledby="approval" {
            div.head {
                h2 id="approval" { "Approval" }
                @match &checked {
                    Ok(()) => (chip("good", "Approved")),
                    Err(_) => (chip("bad", "Not approved")),
                }
            }
            @if let Err(error) = &checked { p { (bounded(&error.to_string())) } }
            @if may_approve {
                (granted(plugin).await)
                @if checked.is_err() {
                    form method="post" action=(path(["page", "plugins", name, "approve"])) {
                        (token(session))
                        input type="hidden" name="digest" value=(plugin.digest());
                        p { "Approving lets every user of this server run what the plugin requests above." }
                        button type="submit" { "Approve this plugin" }
                    }
                }
            } @else {
                p.dim { "Your rights do not include the role " code { "approve" } ", which shows what was \
                         approved." }
            }
            (own_rights(session))
        }
    }
}

async fn granted(plugin: &Plugin) -> Markup {
    let known: Option<std::sync::Arc<Approval>> = plugin.approval().await.ok();
    let growth = match &known {
        Some(_) => None,
        None => plugin.growth().await.ok().flatten(),
    };
    let grant: &GrantRequest = known.as_ref().map_or(plugin.grant_request(), |one| &one.grant);
    let scopes: BTreeSet<(&String, &String)> = grant
        .credentials
        .iter()
        .flat_map(|(name, one)| one.scopes.iter().map(move |scope| (name, scope)))
        .collect();
    html! {
        @if let Some(growth) = growth.filter(|growth| !growth.is_empty()) {
            div.notice.warn {
                p { "Beyond the latest approval, this version requests:" }
                ul { @for point in &growth { li { (bounded(point)) } } }
            }
        }
        dl.facts {
            @if let Some(known) = &known {
                dt { "Approved" }
                dd {
                    (when(known.approved_at))
                    @if let Some(by) = &known.approved_by { " by " (bounded(by)) }
                }
            }
            dt { "Hosts" }
            dd {
                @if grant.origins.is_empty() && grant.servers.is_empty() { "None" }
                ul.plain { @for origin in &grant.origins { li { code { (origin) } } } }
                @if let Some(known) = &known {
                    @let servers = serde_json::to_value(&known.servers).unwrap_or_default();
                    @for (server, origins) in servers.as_object().into_iter().flatten() {
                        p { (bounded(server)) ": " code { (origins) } }
                    }
                }
            }
            dt { "Effects" }
            dd {
                div.pairs {
                    @for (effect, names) in &grant.actions {
                        span { (effect_chip(*effect)) " " span.dim { (count(names.len() as u64, "action")) } }
                    }
                    @if !grant.triggers.is_empty() {
                        span.dim { (count(grant.triggers.len() as u64, "trigger")) }
                    }
                }
            }
            dt { "Credentials" }
            dd {
                @if grant.credentials.is_empty() { "None" }
                ul.plain {
                    @for (name, one) in &grant.credentials {
                        li { b { (name) } " is sent to " (listed(one.origins.iter().map(|origin| origin.to_string()))) }
                    }
                }
            }
            dt { "Scopes" }
            dd {
                @if scopes.is_empty() { "None" } @else {
                    details {
                        summary { (count(scopes.len() as u64, "scope")) " may be asked for" }
                        ul.plain { @for (of, scope) in &scopes { li { code { (scope) } span.dim { " of " (of) } } } }
                    }
                }
            }
            @if let Some(known) = &known {
                dt { "Withheld" }
                dd {
                    @if known.withheld.is_empty() { "Nothing: the request was granted in full" }
                    ul.plain { @for point in known.withheld.in_words() { li { (bounded(&point)) } } }
                }
            }
            dt { "Component" }
            dd { code.small { (plugin.digest()) } }
        }
    }
}

/// How the policy of the session narrows what was approved.
fn own_rights(session: &Session) -> Markup {
    let policy = &session.caller.policy;
    let mut narrowed: Vec<(&str, String)> = Vec::new();
    if let Some(actions) = &policy.actions {
        narrowed.push(("Actions", listed(actions)));
    }
    if let Some(effects) = &policy.effects {
        narrowed.push(("Effects", listed(effects)));
    }
    if let Some(destinations) = &policy.destinations {
        narrowed.push(("Hosts", listed(destinations)));
    }
    if let Some(credentials) = &policy.credentials {
        narrowed.push(("Credentials", listed(credentials)));
    }
    html! {
        @if !narrowed.is_empty() {
            h3 { "Your rights are narrower" }
            dl.facts {
                @for (what, allowed) in &narrowed {
                    dt { (what) }
                    dd { @if allowed.is_empty() { "None" } @else { (bounded(allowed)) } }
                }
            }
        }
    }
}

fn effect_chip(effect: Effect) -> Markup {
    effect_mark(&effect.to_string())
}

/// A mark for what an action does.
pub(super) fn effect_mark(effect: &str) -> Markup {
    let kind = match effect {
        "read" => "good",
        "delete" => "bad",
        _ => "warn",
    };
    chip(kind, effect)
}

async fn actions(of: &Page, session: &Session, plugin: &str, search: &Search) -> Markup {
    let base = path(["page", "plugins", plugin]);
    let resources = path(["v1", "plugins", plugin, "resources"]);
    let resources = of.client.get(&session.caller, &format!("{resources}?limit=500")).await;
    let resources = resources.and_then(|all| member::<Vec<Resource>>(all, "resources"));
    let mut query = vec![("limit", "50")];
    let given = [
        ("search", search.search.trim()),
        ("resource", &search.resource),
        ("cursor", &search.cursor),
    ];
    query.extend(given.into_iter().filter(|(_, value)| !value.is_empty()));
    let listed = path(["v1", "plugins", plugin, "actions"]);
    let listed = of.client.get(&session.caller, &with_query(&listed, &query)).await;
    let listed = listed.and_then(|all| {
        let next = all["next_cursor"].as_str().map(str::to_owned);
        Ok((member::<Vec<Action>>(all, "actions")?, next))
    });
    html! {
        section aria-labelledby="actions" {
            div.head { h2 id="actions" { "Actions" } }
            form.filter method="get" action=(base) role="search" {
                div.field {
                    label for="search" { "Search" }
                    input id="search" type="search" name="search" value=(search.search) autocomplete="off";
                }
                @if let Ok(resources) = &resources {
                    div.field {
                        label for="resource" { "About" }
                        select id="resource" name="resource" {
                            option value="" { "Everything" }
                            @for one in resources {
                                option value=(one.name) selected[one.name == search.resource] { (bounded(&one.title)) }
                            }
                        }
                    }
                }
                button.quiet type="submit" { "Show" }
            }
            @match listed {
                Err(error) => (problem(&error)),
                Ok((list, next)) => {
                    @if list.is_empty() { p.dim { "No action fits." } }
                    ul.actions {
                        @for action in &list {
                            li {
                                div.head {
                                    a href=(path(["page", "plugins", plugin, "actions", &action.name])) { (bounded(&action.title)) }
                                    (effect_mark(&action.effect))
                                }
                                p.dim { (bounded(&action.description)) }
                            }
                        }
                    }
                    @if let Some(next) = &next {
                        @let mut more = vec![("search", search.search.as_str()), ("resource", &search.resource)];
                        @let () = more.push(("cursor", next));
                        p { a href=(format!("{}#actions", with_query(&base, &more))) { "More actions" } }
                    }
                }
            }
        }
    }
}

/// Approves exactly the component that was shown.
pub(super) async fn approve(
    State(of): State<Page>,
    Path(name): Path<String>,
    posted: Posted,
) -> Response {
    let session = &posted.session;
    let order = json!({"digest": posted.value("digest")});
    let at = path(["v1", "plugins", &name, "approval"]);
    let done: Result<_, ApiError> =
        of.client.call(&session.caller, Method::PUT, &at, Some(&order)).await;
    match done {
        Ok(_) => redirect(&path(["page", "plugins", &name])),
        Err(error) => failed(session, Part::Overview, &error),
    }
}
