//! Pages for people: what an engine requests to connect, and the result. Templates escape every
//! value; there is no script, and browsers may run none.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;
use workflow_node_host::credential::Mode;
use workflow_node_host::description::{CredentialType, Field, Grant};
use workflow_node_host::oauth::{Actor, ConnectError, CredentialManager, NewConnection, Right};
use workflow_node_host::{Plugin, Principal, Secret, chain};

use crate::connection::{
    Clicked, Connection, ConnectionStore, PendingConnections, Progress, Returned, Wanted,
    missing_secrets, random_text,
};
use crate::error::ApiError;
use crate::extract::{is_media_type, whole};
use crate::html::document;
use crate::page::is_visitor;
use crate::state::{Shared, State as Server};

const STYLE: &str = include_str!("page.css");
/// Its prefix prevents other hosts of the domain and plain HTTP from setting it.
const COOKIE: &str = "__Host-harness-connect";

/// Permits only the style of the page.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; \
         base-uri 'none'"
    );
    HeaderValue::from_str(&policy).expect("base64 fits in a header")
});

/// A page with the headers of every page.
fn page(status: StatusCode, kind: &str, title: &str, content: &Markup) -> Response {
    page_to(status, kind, title, content, None)
}

fn page_to(
    status: StatusCode,
    kind: &str,
    title: &str,
    content: &Markup,
    next: Option<&Url>,
) -> Response {
    let style = html! { style { (PreEscaped(STYLE)) } };
    let body = html! { main { h1 class=(kind) { (title) } (content) } };
    document(status, &POLICY, title, next.map(Url::as_str), &style, &body)
}

fn gone() -> Response {
    let content = html! {
        p { "This link has expired, was used, or is not complete. Start again in the program that \
             gave it to you." }
    };
    page(StatusCode::NOT_FOUND, "bad", "This link leads nowhere", &content)
}

fn failed(status: StatusCode, what: &str, reason: &str) -> Response {
    let content = html! {
        p { "“" (what) "” was not connected." }
        p.problem { (reason) }
        p.quiet { "You can close this page, and start again in the program that you came from." }
    };
    page(status, "bad", "Not connected", &content)
}

fn connected(what: &str, rights: &[Right], account: &str, is_visitor: bool) -> Response {
    let content = html! {
        p {
            "“" (what) "” is connected."
            @if !account.is_empty() { " It acts for " (account) "." }
        }
        (list_of(rights))
        @if is_visitor {
            p { a href="/page/credentials" { "Go to the credentials" } }
        } @else {
            p.quiet { "You can close this page." }
        }
    };
    page(StatusCode::OK, "good", "Connected", &content)
}

fn list_of(rights: &[Right]) -> Markup {
    html! {
        @if !rights.is_empty() {
            ul {
                @for right in rights {
                    li {
                        @if right.description.is_empty() { (right.scope) } @else { (right.description) }
                    }
                }
            }
        }
    }
}

fn broken(error: ApiError) -> Response {
    let content = html! { p { (error.detail.message) } };
    page(error.status, "bad", "This did not work", &content)
}

/// The cookie of a browser.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found = all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.to_owned())
    })?;
    // Only a value that this server has set.
    let is_own = found.len() == 43
        && found.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_own.then_some(found)
}

/// Proves that a form was on a page that this browser received for this link. Only a client that
/// knows the cookie can compute it.
fn form_token(link: &str, cookie: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["harness connect: form, 1", link, cookie] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    STANDARD.encode(hash.finalize())
}

/// The data for a page about a connection.
struct Asked<'a> {
    connections: &'a PendingConnections,
    manager: &'a CredentialManager,
    connection: Connection,
    wanted: Wanted,
    plugin: Plugin,
    principal: Principal,
    /// Whether the person uses the page of this server.
    is_visitor: bool,
}

impl Asked<'_> {
    /// The connection of a link that waits for a person.
    async fn of<'a>(
        state: &'a Server,
        link: &str,
        headers: &HeaderMap,
    ) -> Result<Option<Asked<'a>>, ApiError> {
        let (Some(connections), Ok(manager)) = (&state.connections, state.host.credentials())
        else {
            return Ok(None);
        };
        let link = link.to_owned();
        let found = connections.with_store(move |store| store.by_link(&link)).await?;
        let Some(mut connection) = found else { return Ok(None) };
        let is_open = matches!(connection.progress, Progress::Waiting | Progress::AtService);
        let Some(wanted) = connection.wanted.take().filter(|_| is_open) else { return Ok(None) };
        let Some(plugin) = state.plugins.get(&wanted.plugin).cloned() else { return Ok(None) };
        let principal = Principal::of(connection.tenant.as_str(), connection.actor.as_str());
        let is_visitor = is_visitor(headers);
        Ok(Some(Asked { connections, manager, connection, wanted, plugin, principal, is_visitor }))
    }

    /// The page with the requesting engine, the account, and the permissions.
    async fn page(&self, link: &str, cookie: &str, problem: Option<&str>) -> Response {
        let Self { wanted, plugin, principal, .. } = self;
        let order = match wanted.order(self.manager, plugin, principal).await {
            Ok(order) => order,
            Err(error) => return failed(status_of(&error), &wanted.credential, &chain(&error)),
        };
        let described = match plugin.credential_type(&order.credential_type) {
            Ok(described) => described,
            Err(error) => {
                return failed(StatusCode::CONFLICT, &wanted.credential, &chain(&error));
            }
        };
        let rights = match self.manager.rights_of(plugin, &order).await {
            Ok(rights) => rights,
            Err(error) => return failed(status_of(&error), &wanted.credential, &chain(&error)),
        };
        let service = &plugin.description().node.display_name;
        let title = match wanted.replacing {
            true => format!("Connect {service} again?"),
            false => format!("Connect {service}?"),
        };
        let who = match wanted.mode {
            Mode::Private => format!("Only {}", principal.user),
            Mode::Shared => format!("Every user of {}", principal.tenant),
            Mode::PerUser => format!("{}; every other user connects separately", principal.user),
        };
        let secrets = missing_secrets(described, &order);
        let goes_away = matches!(described.grant, Grant::AuthorizationCode(_));
        let content = html! {
            p { "The program “" (wanted.token) "” asks to use an account of yours." }
            dl {
                dt { "Credential" } dd { (wanted.credential) }
                dt { "Connected by" } dd { (described.display_name) }
                dt { "Asked for by" } dd { (principal.user) ", " (principal.tenant) }
                dt { "Who may use it" } dd { (who) }
                @if let Some(actions) = &order.allowed_actions {
                    dt { "For" } dd { (actions.iter().cloned().collect::<Vec<_>>().join(", ")) }
                }
                @if !wanted.description.is_empty() {
                    dt { "Description" } dd { (wanted.description) }
                }
            }
            @match &rights {
                Some(rights) if !rights.is_empty() => { p { "It asks for these permissions:" } (list_of(rights)) }
                _ => p { (without_rights(described)) }
            }
            p { "Continue only if you have started this yourself. The sender of this link can use the \
                 account that you connect." }
            @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
            form method="post" autocomplete="off" {
                input type="hidden" name="token" value=(form_token(link, cookie));
                @for field in &secrets { (secret_input(field)) }
                button type="submit" {
                    @if goes_away { "Continue to " (service) } @else { "Connect" }
                }
            }
        };
        page(StatusCode::OK, "", &title, &content)
    }
}

fn without_rights(described: &CredentialType) -> &'static str {
    match described.grant {
        Grant::Fixed => "Its permissions are those of the secret that you enter.",
        _ => "Its permissions are those of the app.",
    }
}

fn secret_input(field: &Field) -> Markup {
    let title = if field.title.is_empty() { &field.name } else { &field.title };
    let name = format!("secret.{}", field.name);
    html! {
        label for=(name) {
            (title) @if !field.is_required { span.quiet { " (optional)" } }
        }
        @if !field.description.is_empty() { p.quiet { (field.description) } }
        input type="password" id=(name) name=(name) required[field.is_required] autocomplete="off";
    }
}

fn status_of(error: &ConnectError) -> StatusCode {
    match error {
        ConnectError::OtherAccount(_) | ConnectError::OtherType { .. } => StatusCode::CONFLICT,
        ConnectError::Service { .. } => StatusCode::BAD_REQUEST,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Shows the request, and sets the browser's cookie.
pub(crate) async fn show(
    State(state): State<Shared>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::of(&state, &link, &headers).await {
        Ok(Some(asked)) => asked,
        Ok(None) => return gone(),
        Err(error) => return broken(error),
    };
    let own = cookie(&headers);
    let cookie = own.clone().unwrap_or_else(random_text);
    let mut response = asked.page(&link, &cookie, None).await;
    if own.is_none() {
        // Lax: the cookie must be sent after the service's redirect. A server on plain HTTP is on
        // this machine, where browsers accept `Secure`.
        let set = format!("{COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Lax");
        if let Ok(set) = HeaderValue::from_str(&set) {
            response.headers_mut().insert(header::SET_COOKIE, set);
        }
    }
    response
}

/// The person has confirmed.
pub(crate) async fn confirm(
    State(state): State<Shared>,
    Path(link): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match tokio::spawn(confirmed(state, link, headers, body)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => broken(error),
        Err(error) => broken(ApiError::internal(&error)),
    }
}

async fn confirmed(
    state: Shared,
    link: String,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    if !is_media_type(&headers, "application/x-www-form-urlencoded") {
        return Ok(gone());
    }
    let body = whole(body, &state.limits, "small_body", state.limits.small_body).await?;
    let Some(asked) = Asked::of(&state, &link, &headers).await? else { return Ok(gone()) };
    let name = asked.wanted.credential.clone();
    let Some(cookie) = cookie(&headers) else {
        let reason = "The browser has not sent the cookie of the page. Allow cookies, and open the \
                      link again.";
        return Ok(failed(StatusCode::FORBIDDEN, &name, reason));
    };
    let (mut token, mut typed) = (String::new(), asked.wanted.clone());
    for (field, value) in url::form_urlencoded::parse(&body) {
        match field.strip_prefix("secret.") {
            Some(secret) if !value.is_empty() => {
                typed.secrets.insert(secret.to_owned(), value.into_owned());
            }
            Some(_) => {}
            None if field == "token" => token = value.into_owned(),
            None => {}
        }
    }
    let expected = form_token(&link, &cookie);
    if !bool::from(token.as_bytes().ct_eq(expected.as_bytes())) {
        let reason = "The form does not come from the page of this link. Open the link again.";
        return Ok(failed(StatusCode::FORBIDDEN, &name, reason));
    }
    let callback = asked.connections.callback_url()?;
    let clicked = typed.connect(asked.manager, &asked.plugin, &asked.principal, Some(callback));
    let connection = match clicked.await {
        Err(error) => {
            let mut response = asked.page(&link, &cookie, Some(&chain(&error))).await;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(response);
        }
        Ok(Clicked::Connected(connection)) => connection,
        Ok(Clicked::Away(authorization)) => {
            let suspended = asked.manager.suspend(&authorization.state);
            let suspended = suspended.map_err(|error| ApiError::internal(&error))?;
            let state = authorization.state.clone();
            typed.authorization = Some((state.clone(), suspended.expose().to_owned()));
            let id = asked.connection.id.clone();
            let sent = move |store: &ConnectionStore| store.sent(&id, &state, &cookie, &typed);
            asked.connections.with_store(sent).await?;
            return Ok(away(&asked.plugin, &authorization.url, &authorization.warnings));
        }
    };
    asked.keep(*connection).await
}

/// Sends the browser to the service. A redirect would be refused: browsers follow the redirects of
/// a form only to destinations in its policy.
fn away(plugin: &Plugin, url: &Url, warnings: &[String]) -> Response {
    let service = &plugin.description().node.display_name;
    let host = url.host_str().unwrap_or_default();
    let content = html! {
        @for warning in warnings { p.problem { (warning) } }
        p { "Your browser goes on to " b { (host) } "." }
        p { a href=(url) rel="noreferrer" { "Continue to " (service) } }
    };
    page_to(StatusCode::OK, "", &format!("Going to {service}"), &content, Some(url))
}

/// The service has redirected the browser back.
pub(crate) async fn callback(
    State(state): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let (cookie, is_visitor) = (cookie(&headers), is_visitor(&headers));
    // Store the tokens that the service granted even if the browser disconnects.
    match tokio::spawn(returned(state, query, cookie, is_visitor)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => broken(error),
        Err(error) => broken(ApiError::internal(&error)),
    }
}

async fn returned(
    state: Shared,
    query: String,
    cookie: Option<String>,
    is_visitor: bool,
) -> Result<Response, ApiError> {
    let (Some(connections), Ok(manager)) = (&state.connections, state.host.credentials()) else {
        return Ok(gone());
    };
    let mut states =
        url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "state");
    let (Some((_, text)), None) = (states.next(), states.next()) else { return Ok(gone()) };
    let text = text.into_owned();
    drop(states);
    let returned = {
        let text = text.clone();
        connections.with_store(move |store| store.returned(&text, cookie.as_deref())).await?
    };
    let mut connection = match returned {
        None => return Ok(gone()),
        Some(Returned::Own(connection)) => *connection,
        Some(Returned::Stranger(connection)) => {
            tracing::warn!(
                target: "workflow_node::audit",
                tenant = connection.tenant, user = connection.actor,
                credential = connection.credential,
                "a callback of another browser was refused"
            );
            let reason = "This browser did not start the connection. The sender of the link wanted to \
                          use your account. If you have started it yourself, open its link again in \
                          this browser.";
            return Ok(failed(StatusCode::FORBIDDEN, "The account", reason));
        }
    };
    let gone_since = || ApiError::internal(&"a pending connection has nothing to go on with");
    let wanted = connection.wanted.take().ok_or_else(gone_since)?;
    let plugin = state.plugins.get(&wanted.plugin).cloned().ok_or_else(gone_since)?;
    let (expected, suspended) = wanted.authorization.clone().ok_or_else(gone_since)?;
    let principal = Principal::of(connection.tenant.as_str(), connection.actor.as_str());
    let asked = Asked { connections, manager, connection, wanted, plugin, principal, is_visitor };
    let mut callback = connections.callback_url()?;
    callback.set_query(Some(&query));
    let by = Actor::from(asked.principal.clone());
    let finish = async {
        manager.restore(&asked.plugin, &expected, &Secret::new(suspended)).await?;
        manager.finish(callback.as_str(), &by).await
    };
    match finish.await {
        Ok(connection) => asked.keep(connection).await,
        Err(error) => asked.end(&error).await,
    }
}

impl Asked<'_> {
    /// Stores the connection, and shows the result.
    async fn keep(&self, connection: NewConnection) -> Result<Response, ApiError> {
        let (rights, account) = (connection.granted.clone(), account(&connection.identity));
        match self.wanted.keep(self.manager, connection, &self.principal).await {
            Err(error) => self.end(&error).await,
            Ok(()) => {
                let id = self.connection.id.clone();
                let end = move |store: &ConnectionStore| store.end(&id, Progress::Connected, None);
                self.connections.with_store(end).await?;
                tracing::info!(
                    target: "workflow_node::audit",
                    tenant = %self.principal.tenant, user = %self.principal.user,
                    credential = self.wanted.credential, token_name = self.wanted.token,
                    "credential connected through a link"
                );
                Ok(connected(&self.wanted.credential, &rights, &account, self.is_visitor))
            }
        }
    }

    /// The connection failed.
    async fn end(&self, error: &ConnectError) -> Result<Response, ApiError> {
        let (id, reason) = (self.connection.id.clone(), chain(error));
        let end = {
            let reason = reason.clone();
            move |store: &ConnectionStore| store.end(&id, Progress::Failed, Some(&reason))
        };
        self.connections.with_store(end).await?;
        Ok(failed(status_of(error), &self.wanted.credential, &reason))
    }
}

/// The account for a person: the first text that the service returns about it.
fn account(identity: &Map<String, Value>) -> String {
    let names = ["subdomain", "account", "user", "account_id"];
    let texts = names.iter().filter_map(|name| identity.get(*name)?.as_str());
    texts.map(str::to_owned).next().unwrap_or_default()
}
