//! Credentials: their status, and connecting, testing, and disconnecting them. A secret is typed on the
//! page of a link, as for every program that asks to connect an account.

use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workflow_node_host::description::{CredentialType, Form, Grant};

use super::Page;
use super::client::path;
use super::enter::{Posted, button};
use super::form::{Entered, Read, Shown};
use super::layout::{
    Part, bare, bounded, chip, failed, page, problem, redirect, token, with_status,
};
use super::overview::member;
use super::titles;
use crate::error::ApiError;
use crate::session::Session;
use crate::token::Role;

/// A credential, as the API lists it.
#[derive(Deserialize)]
struct Credential {
    name: String,
    #[serde(default)]
    description: String,
    plugin: String,
    #[serde(rename = "type")]
    credential_type: String,
    mode: String,
    status: String,
    identity: Map<String, Value>,
}

/// A status in words, and how it is marked.
pub(super) fn status(name: &str) -> (&'static str, &'static str) {
    match name {
        "connected" => ("good", "Connected"),
        "expiring" => ("warn", "Expires soon"),
        "needs-reconnect" => ("bad", "Connect again"),
        "refresh-outcome-unknown" => ("warn", "Connect again soon"),
        _ => ("", "Not connected"),
    }
}

fn mode(name: &str) -> &'static str {
    match name {
        "private" => "Only you",
        "shared" => "Everyone in the tenant, with this account",
        _ => "Everyone in the tenant, each with a separate account",
    }
}

/// The account, as the service describes it.
fn account(identity: &Map<String, Value>) -> String {
    let texts = identity.iter().filter_map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (!value.is_null() && !value.is_object())
            .then(|| format!("{}: {text}", name.replace('_', " ")))
    });
    texts.take(4).collect::<Vec<_>>().join(", ")
}

/// A table of the credentials, with what the session may do to them.
pub(super) async fn list(of: &Page, session: &Session) -> Markup {
    let listed = of.client.get(&session.caller, "/v1/credentials?limit=500").await;
    let listed = listed.and_then(|all| member::<Vec<Credential>>(all, "credentials"));
    let may_connect = session.caller.policy.roles.contains(&Role::Connect);
    match listed {
        Err(error) => problem(&error),
        Ok(list) if list.is_empty() => html! {
            p.dim { "No account is connected yet." }
        },
        Ok(list) => html! {
            div.scroll tabindex="0" role="region" aria-label="Credentials" {
                table {
                    thead { tr {
                        th scope="col" { "Name" } th scope="col" { "Account" } th scope="col" { "Status" }
                        th scope="col" { "Who may use it" }
                        @if may_connect { th scope="col" { span.hidden { "Change" } } }
                    } }
                    tbody {
                        @for one in &list { (row(of, session, one, may_connect)) }
                    }
                }
            }
        },
    }
}

/// What a credential is for, by the titles of its plugin and type.
fn kind_of(of: &Page, one: &Credential) -> Markup {
    let title = titles::plugin(of, &one.plugin);
    let of_type = titles::credential_type(of, &one.plugin, &one.credential_type);
    html! {
        @if !of_type.starts_with(title) { (bounded(title)) span.dim { " · " } }
        (bounded(of_type))
    }
}

fn row(of: &Page, session: &Session, one: &Credential, may_connect: bool) -> Markup {
    let (kind, words) = status(&one.status);
    let at = |what: &str| path(["page", "credentials", &one.name, what]);
    html! {
        tr {
            th scope="row" {
                (bounded(&one.name))
                @if !one.description.is_empty() { div.dim { (bounded(&one.description)) } }
            }
            td {
                (kind_of(of, one))
                @let account = account(&one.identity);
                @if !account.is_empty() { div.dim { (bounded(&account)) } }
            }
            td { (chip(kind, words)) }
            td.dim { (mode(&one.mode)) }
            @if may_connect {
                td {
                    div.buttons {
                        @if one.status != "disconnected" { (button(session, &at("test"), "Test", "quiet")) }
                        (button(session, &at("reconnect"), "Reconnect", "quiet"))
                        @if one.status != "disconnected" {
                            details.confirm {
                                summary { "Disconnect…" }
                                p { "Workflows that use “" (bounded(&one.name)) "” stop working until it is connected again." }
                                (button(session, &at("disconnect"), "Disconnect", "danger"))
                            }
                        }
                    }
                }
            }
        }
    }
}

#[derive(Default, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    plugin: String,
    #[serde(default, rename = "type")]
    credential_type: String,
}

pub(super) async fn show(
    State(of): State<Page>,
    session: Session,
    Query(choice): Query<Choice>,
) -> Response {
    let content = content(&of, &session, &choice, &Entered::new(), &[], None).await;
    page(&session, Part::Credentials, "Credentials", &content)
}

/// The page, with the form for a new credential.
async fn content(
    of: &Page,
    session: &Session,
    choice: &Choice,
    entered: &Entered,
    problems: &[(String, String)],
    error: Option<&ApiError>,
) -> Markup {
    let may_connect = session.caller.policy.roles.contains(&Role::Connect);
    html! {
        @if !may_connect {
            p.dim { "Your rights do not include the role " code { "connect" } ", so you cannot change these." }
        }
        section aria-label="Connected accounts" { (list(of, session).await) }
        @if may_connect {
            section aria-labelledby="connect" {
                div.head { h2 id="connect" { "Connect an account" } }
                @if let Some(error) = error { (problem(error)) }
                @match found(of, session, choice) {
                    Some(described) => (new(session, choice, described, entered, problems)),
                    None => (types(of, session)),
                }
            }
        }
    }
}

fn found<'a>(of: &'a Page, session: &Session, choice: &Choice) -> Option<&'a CredentialType> {
    let plugin = of.state.plugin(&session.caller, &choice.plugin).ok()?;
    plugin.credential_type(&choice.credential_type).ok()
}

/// The kinds of accounts that can be connected.
fn types(of: &Page, session: &Session) -> Markup {
    let all = of.state.plugins.iter();
    let plugins = all.filter(|(name, _)| session.caller.policy.allows_plugin(name));
    let types = plugins.flat_map(|(name, plugin)| {
        let described = plugin.description();
        described
            .credential_types
            .values()
            .map(move |one| (name, &described.node.display_name, one))
    });
    html! {
        ul.actions {
            @for (plugin, display_name, one) in types {
                li {
                    @let query = [("plugin", plugin.as_str()), ("type", &one.name)];
                    a href=(format!("{}#connect", super::client::with_query("/page/credentials", &query))) {
                        (bounded(&one.display_name))
                    }
                    @if !one.display_name.starts_with(display_name.as_str()) { span.dim { " of " (bounded(display_name)) } }
                    @if let Some(help) = how(one) { p.dim { (help) } }
                }
            }
        }
    }
}

fn how(described: &CredentialType) -> Option<&'static str> {
    Some(match described.grant {
        Grant::Fixed => "You enter a key or token that the service has issued.",
        Grant::AuthorizationCode(_) => {
            "You sign in to the service in the browser, and agree there."
        }
        Grant::ClientCredentials(_) => "You enter the ID and the secret of an app.",
        _ => return None,
    })
}

/// The fields of a form that are not secret.
fn plain_form(described: &CredentialType) -> Form {
    let mut form = Form::of_credential_type(described);
    form.fields.retain(|field| !field.is_secret);
    form
}

fn new(
    session: &Session,
    choice: &Choice,
    described: &CredentialType,
    entered: &Entered,
    problems: &[(String, String)],
) -> Markup {
    let form = plain_form(described);
    let has_scopes = !described.scopes.is_empty();
    let (name, access) = (entered.plain("name"), entered.plain("access"));
    let chosen_mode = entered.plain("mode");
    let shown = Shown::new(entered, problems, None, false);
    html! {
        form.sheet method="post" action="/page/credentials" novalidate autocomplete="off" {
            (token(session))
            input type="hidden" name="plugin" value=(choice.plugin);
            input type="hidden" name="type" value=(choice.credential_type);
            p {
                b { (bounded(&described.display_name)) } " · "
                a href="/page/credentials#connect" { "Choose another kind of account" }
            }
            (shown.summary(&form))
            div.field {
                label for="name" { "Name" span.needed { "required" } }
                p.hint id="name-hint" { "Workflows use the credential by this name, e.g. " code { "work" } "." }
                input id="name" name="name" value=(name) aria-describedby="name-hint" aria-required="true" autocomplete="off";
            }
            div.field {
                label for="mode" { "Who may use it" }
                select id="mode" name="mode" {
                    @for name in ["private", "shared", "per-user"] {
                        option value=(name) selected[chosen_mode == name] { (mode(name)) }
                    }
                }
            }
            @if has_scopes {
                div.field {
                    label for="access" { "What it may do" }
                    select id="access" name="access" {
                        option value="read" selected[access == "read"] { "Read" }
                        option value="write" selected[access == "write"] { "Read and change" }
                        option value="" selected[access.is_empty() && !name.is_empty()] { "As the form below says" }
                    }
                }
            }
            (shown.form(&form))
            p.dim { "On the next page, you enter secrets, see the permissions, and confirm." }
            button type="submit" { "Continue" }
        }
    }
}

/// Sends the browser on to the page of a link, or back to the list.
fn proceed(session: &Session, status: StatusCode, answer: &Value) -> Response {
    match (status, answer["url"].as_str()) {
        (StatusCode::ACCEPTED, Some(url)) => {
            let content = html! { p { a href=(url) { "Continue" } } };
            // A redirect would be refused: a form may lead to this origin only, and the public URL may
            // be another one.
            bare(StatusCode::OK, "Going to the next page", &content, Some(url))
        }
        _ => {
            tracing::debug!(session = session.id(), "connected without a person");
            redirect("/page/credentials")
        }
    }
}

pub(super) async fn connect(State(of): State<Page>, posted: Posted) -> Response {
    let session = &posted.session;
    let choice = Choice {
        plugin: posted.value("plugin").to_owned(),
        credential_type: posted.value("type").to_owned(),
    };
    let entered = Entered::of(&posted.pairs);
    let Some(described) = found(&of, session, &choice) else {
        let error = ApiError::not_found("credential type", &choice.credential_type);
        return failed(session, Part::Credentials, &error);
    };
    let Read { parameters, mut problems } = Read::of(&plain_form(described), &entered);
    if posted.value("name").trim().is_empty() {
        problems.insert(0, (String::new(), "The credential needs a name.".to_owned()));
    }
    let mut error = None;
    if problems.is_empty() {
        let mut order = json!({
            "name": posted.value("name").trim(), "plugin": choice.plugin,
            "type": choice.credential_type, "mode": posted.value("mode"), "fields": parameters,
        });
        let access = posted.value("access");
        if !access.is_empty() {
            order["ask"] = json!({"access": access});
        }
        let called = of.client.call(&session.caller, Method::POST, "/v1/credentials", Some(&order));
        match called.await {
            Ok((status, answer)) => return proceed(session, status, &answer),
            Err(failure) => {
                for one in &failure.detail.problems {
                    let at = one.pointer.strip_prefix("/fields").unwrap_or(&one.pointer);
                    problems.push((at.to_owned(), one.message.clone()));
                }
                error = Some(failure);
            }
        }
    }
    let status = error.as_ref().map_or(StatusCode::UNPROCESSABLE_ENTITY, |error| error.status);
    let content = content(&of, session, &choice, &entered, &problems, error.as_ref()).await;
    with_status(status, session, Part::Credentials, "Credentials", &content)
}

pub(super) async fn reconnect(
    State(of): State<Page>,
    Path(name): Path<String>,
    posted: Posted,
) -> Response {
    let session = &posted.session;
    let at = path(["v1", "credentials", &name, "authorizations"]);
    match of.client.call(&session.caller, Method::POST, &at, Some(&json!({}))).await {
        Ok((status, answer)) => proceed(session, status, &answer),
        Err(error) => failed(session, Part::Credentials, &error),
    }
}

pub(super) async fn test(
    State(of): State<Page>,
    Path(name): Path<String>,
    posted: Posted,
) -> Response {
    let session = &posted.session;
    let at = path(["v1", "credentials", &name, "test"]);
    match of.client.call(&session.caller, Method::POST, &at, None).await {
        Ok((_, answer)) => {
            let identity = serde_json::to_string_pretty(&answer["identity"]).unwrap_or_default();
            let content = html! {
                div.notice.good role="status" { p { "“" (bounded(&name)) "” works. The service says:" } }
                pre { (bounded(&identity)) }
                p { a href="/page/credentials" { "Go to the credentials" } }
            };
            page(session, Part::Credentials, "The credential works", &content)
        }
        Err(error) => failed(session, Part::Credentials, &error),
    }
}

pub(super) async fn disconnect(
    State(of): State<Page>,
    Path(name): Path<String>,
    posted: Posted,
) -> Response {
    let session = &posted.session;
    let at = path(["v1", "credentials", &name]);
    match of.client.call(&session.caller, Method::DELETE, &at, None).await {
        Ok(_) => redirect("/page/credentials"),
        Err(error) => failed(session, Part::Credentials, &error),
    }
}
