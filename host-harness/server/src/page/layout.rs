//! Layout that all pages share: the frame, its headers, and its assets. The templates escape every
//! value. Browsers load the style and the script from this server only, and run no inline scripts.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;
use crate::html::document;
use crate::session::Session;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// An asset under a name that changes with its content.
struct Asset {
    file: String,
    media_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(ending: &str, media_type: &'static str, content: &'static str) -> Self {
        let hash = Sha256::digest(content.as_bytes());
        let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { file: format!("page-{hash}.{ending}"), media_type, content }
    }

    fn path(&self) -> String {
        format!("/page/assets/{}", self.file)
    }
}

static STYLESHEET: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", STYLE));
static JAVASCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("js", "text/javascript; charset=utf-8", SCRIPT));

/// Returns the style or the script. Needs no session: both are the same for everybody.
pub(super) async fn asset(Path(file): Path<String>) -> Response {
    let found = [&*STYLESHEET, &*JAVASCRIPT].into_iter().find(|asset| asset.file == file);
    let Some(asset) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.content).into_response()
}

/// The parts of the page that the navigation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Overview,
    Credentials,
    Runs,
    Subscriptions,
}

const PARTS: [(Part, &str, &str); 4] = [
    (Part::Overview, "/", "Overview"),
    (Part::Credentials, "/page/credentials", "Credentials"),
    (Part::Runs, "/page/executions", "Runs"),
    (Part::Subscriptions, "/page/subscriptions", "Subscriptions"),
];

/// A page of a session.
pub(super) fn page(session: &Session, part: Part, title: &str, content: &Markup) -> Response {
    with_status(StatusCode::OK, session, part, title, content)
}

pub(super) fn with_status(
    status: StatusCode,
    session: &Session,
    part: Part,
    title: &str,
    content: &Markup,
) -> Response {
    let principal = session.caller.policy.principal();
    let nav = html! {
        nav aria-label="Main" {
            @for (one, path, name) in PARTS {
                a href=(path) aria-current=[(one == part).then_some("page")] { (name) }
            }
        }
        div.who {
            span { (principal.user) span.dim { " in " (principal.tenant) } }
            form method="post" action="/page/leave" {
                (token(session))
                button.quiet type="submit" { "Sign out" }
            }
        }
    };
    framed(status, title, Some(&nav), content, None)
}

/// A page without a session. `next`: where the browser goes at once.
pub(super) fn bare(
    status: StatusCode,
    title: &str,
    content: &Markup,
    next: Option<&str>,
) -> Response {
    framed(status, title, None, content, next)
}

fn framed(
    status: StatusCode,
    title: &str,
    nav: Option<&Markup>,
    content: &Markup,
    next: Option<&str>,
) -> Response {
    let assets = html! {
        link rel="stylesheet" href=(STYLESHEET.path());
        script src=(JAVASCRIPT.path()) defer {}
    };
    let body = html! {
        a.skip href="#main" { "Skip to content" }
        header.top {
            a.brand href="/" { "harness" }
            @if let Some(nav) = nav { (nav) }
        }
        main id="main" tabindex="-1" {
            h1 { (title) }
            (content)
        }
    };
    let policy = HeaderValue::from_static(POLICY);
    document(status, &policy, &format!("{title} · harness"), next, &assets, &body)
}

/// The hidden field that proves that a form was on a page of this session.
pub(super) fn token(session: &Session) -> Markup {
    html! { input type="hidden" name="token" value=(session.form_token()); }
}

/// Sends the browser to another page after a change.
pub(super) fn redirect(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(path) {
        Ok(path) => response.headers_mut().insert(header::LOCATION, path),
        Err(_) => response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/")),
    };
    response
}

/// A part of a page that could not be loaded.
pub(super) fn problem(error: &ApiError) -> Markup {
    html! {
        div.notice.bad role="alert" {
            p { (bounded(&error.detail.message)) }
            @if let Some(next) = &error.detail.next { p.dim { (bounded(next)) } }
        }
    }
}

/// A page that says what failed.
pub(super) fn failed(session: &Session, part: Part, error: &ApiError) -> Response {
    let content = html! {
        (problem(error))
        p { a href="/" { "Go to the overview" } }
    };
    with_status(error.status, session, part, "This did not work", &content)
}

/// Longest text of a plugin or a service that a page shows in one place.
const LONGEST: usize = 20_000;

/// A text that others have written, at a length that a page can show.
pub(super) fn bounded(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}\n… {} more bytes", &text[..end], text.len() - end),
    }
}

/// A short mark. `kind`: `good`, `warn`, `bad`, or nothing.
pub(super) fn chip(kind: &str, text: &str) -> Markup {
    html! { span.chip.(kind) { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_escaped_and_bounded() {
        assert_eq!(
            chip("", "<b>&\"").into_string(),
            "<span class=\"chip \">&lt;b&gt;&amp;&quot;</span>"
        );
        let long = bounded(&"é".repeat(LONGEST + 5));
        assert!(long.ends_with("… 10 more bytes"), "{}", &long[long.len() - 40..]);
        assert_eq!(bounded("short"), "short");
    }
}
