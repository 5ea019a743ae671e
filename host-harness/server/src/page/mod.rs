//! The page at `/`, for people: plugins and what was approved, credentials, forms of actions, runs,
//! subscriptions, and events.
//!
//! The page is a client of the HTTP API in the same process: what it shows and does goes through the
//! routes of the API, with the policy of the session's token. Nothing on it can exceed that policy.
//!
//! | | where |
//! | --- | --- |
//! | how people enter, and what a browser proves | `crate::session`, `enter` |
//! | the API, called from the page | `client` |
//! | executions with their results and requests | `action`, `runs` |
//! | forms, from a description to HTML to parameters | `form` |
//! | what all pages look like | `layout`, `style.css`, `script.js` |

mod action;
mod client;
mod credentials;
mod enter;
mod form;
mod items;
mod layout;
mod overview;
mod plugins;
mod runs;
mod subscriptions;
mod titles;
mod words;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use enter::is_visitor;
pub(crate) use runs::Runs;

use crate::state::Shared;
use client::Client;

/// State that all pages share.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) state: Shared,
    pub(crate) client: Client,
    runs: Runs,
}

/// The routes of the page. `api`: those of the API. `runs`: where it keeps what people have begun.
pub(crate) fn router(state: Shared, api: Router, runs: Runs) -> Router {
    Router::new()
        .route("/", get(overview::show))
        .route("/enter/{link}", get(enter::show).post(enter::confirm))
        .route("/page/leave", post(enter::leave))
        .route("/page/assets/{file}", get(layout::asset))
        .route("/page/plugins/{plugin}", get(plugins::show))
        .route("/page/plugins/{plugin}/approve", post(plugins::approve))
        .route("/page/plugins/{plugin}/actions/{action}", get(action::show).post(action::change))
        .route("/page/executions", get(runs::index))
        .route("/page/executions/{execution}", get(runs::show))
        .route("/page/executions/{execution}/stream", get(runs::stream))
        .route("/page/executions/{execution}/cancel", post(runs::cancel))
        .route("/page/subscriptions", get(subscriptions::index))
        .route("/page/subscriptions/{subscription}", get(subscriptions::show))
        .route("/page/subscriptions/{subscription}/redeliver", post(subscriptions::redeliver))
        .route("/page/subscriptions/{subscription}/remove", post(subscriptions::remove))
        .route("/page/credentials", get(credentials::show).post(credentials::connect))
        .route("/page/credentials/{credential}/reconnect", post(credentials::reconnect))
        .route("/page/credentials/{credential}/test", post(credentials::test))
        .route("/page/credentials/{credential}/disconnect", post(credentials::disconnect))
        .with_state(Page { client: Client::new(api), state, runs })
}
