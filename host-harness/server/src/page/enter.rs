//! How people enter: with a link that is used once, or through a proxy that has signed them in. And
//! how they leave.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::html;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Page;
use super::layout::{bare, redirect, token};
use crate::connection::random_text;
use crate::database::DatabaseError;
use crate::error::ApiError;
use crate::extract::{is_media_type, whole};
use crate::origins::Peer;
use crate::session::{COOKIE, Session, cookie};
use crate::state::Shared;

/// Binds the form of a link to the browser that has opened it.
const ENTER_COOKIE: &str = "__Host-harness-enter";

/// Marks an address that the browser was sent to once more, with its cookie.
const AGAIN: &str = "entered=1";

/// Works with the sessions on a thread for blocking work.
async fn blocking<T: Send + 'static>(
    state: &Shared,
    work: impl FnOnce(&Shared) -> Result<T, DatabaseError> + Send + 'static,
) -> Result<T, ApiError> {
    let state = state.clone();
    let worked = tokio::task::spawn_blocking(move || work(&state)).await;
    Ok(worked.map_err(|error| ApiError::internal(&error))??)
}

fn broken(error: &ApiError) -> Response {
    let content = html! { p { (error.detail.message) } };
    bare(error.status, "This did not work", &content, None)
}

/// A cookie that this host alone sees, and no script. A server on plain HTTP is on this machine, where
/// browsers accept `Secure`.
fn set(response: &mut Response, name: &str, value: &str, more: &str) {
    let set = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{more}");
    if let Ok(set) = HeaderValue::from_str(&set) {
        response.headers_mut().append(header::SET_COOKIE, set);
    }
}

/// Says, also after a service has sent the browser back, that its person uses the page. It proves
/// nothing.
const MARK: &str = "__Host-harness-visitor";

fn mark(response: &mut Response, on: bool) {
    let end = if on { "" } else { "; Max-Age=0" };
    let set = format!("{MARK}=1; Path=/; Secure; HttpOnly; SameSite=Lax{end}");
    if let Ok(set) = HeaderValue::from_str(&set) {
        response.headers_mut().append(header::SET_COOKIE, set);
    }
}

/// Whether a browser's person uses the page.
pub(crate) fn is_visitor(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';'));
    pairs.any(|pair| pair.trim().split_once('=').is_some_and(|(name, _)| name == MARK))
}

fn form_token(link: &str, cookie: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["harness page: enter, 1", link, cookie] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    STANDARD.encode(hash.finalize())
}

fn gone() -> Response {
    let content = html! {
        p { "This link has expired, was used, or is not complete." }
        p { "Ask the operator of this server for another link, or make one where the server runs:" }
        pre { "harness token page NAME" }
    };
    bare(StatusCode::NOT_FOUND, "This link leads nowhere", &content, None)
}

/// Says whom a link admits. The link stays until the person clicks, so that programs that look at
/// links in messages do not use it up.
pub(super) async fn show(
    State(page): State<Page>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Response {
    let of = link.clone();
    let found = blocking(&page.state, move |state| {
        state.sessions.of_link(&state.tokens, &state.policies, &of)
    });
    let caller = match found.await {
        Ok(Some(caller)) => caller,
        Ok(None) => return gone(),
        Err(error) => return broken(&error),
    };
    let own = cookie(&headers, ENTER_COOKIE);
    let cookie = own.clone().unwrap_or_else(random_text);
    let principal = caller.policy.principal();
    let content = html! {
        p { "You will act as " b { (principal.user) } " of " b { (principal.tenant) } ", with the rights of \
             the token “" (caller.name) "”." }
        p.dim { "The link works once, in one browser. Continue only if you have made it or asked for it." }
        form method="post" {
            input type="hidden" name="token" value=(form_token(&link, &cookie));
            button type="submit" { "Enter" }
        }
    };
    let mut response = bare(StatusCode::OK, "Enter this server?", &content, None);
    if own.is_none() {
        set(&mut response, ENTER_COOKIE, &cookie, "; Max-Age=3600");
    }
    response
}

/// Takes the link, and begins a session.
pub(super) async fn confirm(
    State(page): State<Page>,
    Path(link): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let given = match pairs(&page.state, &headers, body).await {
        Ok(pairs) => value(&pairs, "token").to_owned(),
        Err(error) => return broken(&error),
    };
    let expected = cookie(&headers, ENTER_COOKIE).map(|cookie| form_token(&link, &cookie));
    let is_own =
        expected.is_some_and(|expected| bool::from(given.as_bytes().ct_eq(expected.as_bytes())));
    if !is_own {
        let content = html! {
            p { "The browser has not sent the cookie of the page before. Allow cookies for this server, \
                 and open the link again." }
        };
        return bare(StatusCode::FORBIDDEN, "Not signed in", &content, None);
    }
    match blocking(&page.state, move |state| state.sessions.admit(&link)).await {
        Ok(Some(secret)) => {
            tracing::info!(target: "workflow_node::audit", "a link has admitted a browser");
            let mut response = redirect("/");
            set(&mut response, COOKIE, &secret, "");
            mark(&mut response, true);
            set(&mut response, ENTER_COOKIE, "", "; Max-Age=0");
            response
        }
        Ok(None) => gone(),
        Err(error) => broken(&error),
    }
}

/// Ends the session.
pub(super) async fn leave(State(page): State<Page>, posted: Posted) -> Response {
    let session = posted.session;
    let is_of_proxy = session.is_of_proxy;
    if let Err(error) = blocking(&page.state, move |state| state.sessions.end(&session)).await {
        return broken(&error);
    }
    let content = html! {
        @if is_of_proxy {
            p { "The proxy in front of this server still knows you, and signs you in again when you return. \
                 Sign out there, too." }
            p { a href="/" { "Return" } }
        } @else {
            p { "You need another link to return." }
        }
    };
    let mut response = bare(StatusCode::OK, "Signed out", &content, None);
    set(&mut response, COOKIE, "", "; Max-Age=0");
    mark(&mut response, false);
    response
}

/// Page for a person without a session.
fn welcome() -> Response {
    let content = html! {
        p { "You are not signed in." }
        p { "To enter, open a link that is made where the server runs. It works once." }
        pre { "harness token page NAME --role run --role connect" }
        p.dim { "NAME is how the log calls you. The roles say what you may do: " code { "run" } " actions, "
            code { "connect" } " accounts, and " code { "approve" } " plugins." }
    };
    bare(StatusCode::UNAUTHORIZED, "Sign in", &content, None)
}

/// A page that sends the browser to the same address once more. After a link on another site, browsers
/// keep a `SameSite=Strict` cookie back, and send it from here.
fn once_more(parts: &Parts) -> Response {
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let separator = if query.is_empty() { "" } else { "&" };
    let next = format!("{path}?{query}{separator}{AGAIN}");
    let content = html! { p { a href=(next) { "Continue" } } };
    bare(StatusCode::OK, "One moment", &content, Some(&next))
}

/// Answers a request without a session.
async fn admit(parts: &Parts, page: &Page) -> Response {
    if parts.method != Method::GET {
        let content = html! {
            p { "Your session has ended, and nothing was changed." }
            p { a href="/" { "Go to the overview" } }
        };
        return bare(StatusCode::UNAUTHORIZED, "Signed out", &content, None);
    }
    let is_again = parts.uri.query().is_some_and(|query| query.split('&').any(|one| one == AGAIN));
    let peer = parts.extensions.get::<Peer>().copied();
    let user = peer.and_then(|peer| page.state.sessions.user(&parts.headers, peer));
    if let Some(user) = user {
        if is_again {
            let content = html! {
                p { "The browser has not sent the cookie of this server. Allow cookies, and reload." }
            };
            return bare(StatusCode::UNAUTHORIZED, "Not signed in", &content, None);
        }
        let of = user.clone();
        let begun =
            blocking(&page.state, move |state| state.sessions.admit_user(&of, &state.policies));
        return match begun.await {
            Ok(Some(secret)) => {
                tracing::info!(target: "workflow_node::audit", user, "a proxy has signed a user in");
                let mut response = once_more(parts);
                set(&mut response, COOKIE, &secret, "");
                mark(&mut response, true);
                response
            }
            Ok(None) => {
                let content = html! {
                    p { "The proxy has signed you in as " b { (user) } ", and this server has no policy for \
                         you. Ask its operator." }
                };
                bare(StatusCode::FORBIDDEN, "No access", &content, None)
            }
            Err(error) => broken(&error),
        };
    }
    let site = parts.headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    match site {
        Some("cross-site" | "same-site") if !is_again => once_more(parts),
        _ => welcome(),
    }
}

impl FromRequestParts<Page> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, page: &Page) -> Result<Self, Response> {
        match parts.extensions.get::<Self>() {
            Some(session) => Ok(session.clone()),
            None => Err(admit(parts, page).await),
        }
    }
}

/// A form of a page of this session. Every change goes through it.
pub(super) struct Posted {
    pub(super) session: Session,
    /// The fields in the order of the form, without the proof.
    pub(super) pairs: Vec<(String, String)>,
}

impl Posted {
    pub(super) fn value(&self, name: &str) -> &str {
        value(&self.pairs, name)
    }
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let found = pairs.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value.as_str())
}

/// The fields of a form.
async fn pairs(
    state: &Shared,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<(String, String)>, ApiError> {
    if !is_media_type(headers, "application/x-www-form-urlencoded") {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The request is not a form of this page.",
        ));
    }
    let body = whole(body, &state.limits, "small_body", state.limits.small_body).await?;
    Ok(url::form_urlencoded::parse(&body).into_owned().collect())
}

impl FromRequest<Page> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, page: &Page) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let session =
            <Session as FromRequestParts<Page>>::from_request_parts(&mut parts, page).await?;
        let pairs = pairs(&page.state, &parts.headers, body).await;
        let mut pairs = pairs.map_err(|error| broken(&error))?;
        let expected = session.form_token();
        let given = value(&pairs, "token");
        if !bool::from(given.as_bytes().ct_eq(expected.as_bytes())) {
            let content = html! {
                p { "The form is not one of your session, so nothing was changed." }
                p { a href="/" { "Go to the overview" } }
            };
            return Err(bare(StatusCode::FORBIDDEN, "This did not work", &content, None));
        }
        pairs.retain(|(name, _)| name != "token");
        Ok(Self { session, pairs })
    }
}

/// A button that is a form by itself.
pub(super) fn button(session: &Session, action: &str, label: &str, kind: &str) -> maud::Markup {
    html! {
        form.inline method="post" action=(action) {
            (token(session))
            button.(kind) type="submit" { (label) }
        }
    }
}
