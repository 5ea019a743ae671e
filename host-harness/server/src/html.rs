//! HTML documents with the headers of every page for people.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    // With `no-referrer`, browsers send `Origin: null` with forms, which the guard refuses.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// A document. `policy`: its content security policy. `next`: where the browser goes at once.
/// `assets`: the elements of its head that load the style and the script.
pub(crate) fn document(
    status: StatusCode,
    policy: &HeaderValue,
    title: &str,
    next: Option<&str>,
    assets: &Markup,
    body: &Markup,
) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if let Some(next) = next {
                    meta http-equiv="refresh" content=(format!("0; url={next}"));
                }
                title { (title) }
                (assets)
            }
            body { (body) }
        }
    };
    let mut response = (status, page.into_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
