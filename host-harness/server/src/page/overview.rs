//! The first page: plugins and credentials.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::Page;
use super::client::path;
use super::credentials;
use super::layout::{Part, bounded, chip, page, problem};
use super::{runs, subscriptions};
use crate::error::ApiError;
use crate::session::Session;

/// A plugin, as the API lists it.
#[derive(Deserialize)]
struct Plugin {
    name: String,
    display_name: String,
    description: String,
    version: u32,
    approved: bool,
}

/// A member of a response, read as a type.
pub(super) fn member<T: serde::de::DeserializeOwned>(
    mut response: Value,
    name: &str,
) -> Result<T, ApiError> {
    serde_json::from_value(response[name].take()).map_err(|error| ApiError::internal(&error))
}

pub(super) async fn show(State(of): State<Page>, session: Session) -> Response {
    let content = html! {
        (plugins(&of, &session).await)
        section aria-labelledby="credentials" {
            div.head {
                h2 id="credentials" { "Credentials" }
                a href="/page/credentials" { "Connect an account" }
            }
            (credentials::list(&of, &session).await)
        }
        section aria-labelledby="runs" {
            div.head { h2 id="runs" { "Latest runs" } a href="/page/executions" { "All runs" } }
            (runs::list(&of, &session, 5).await)
        }
        section aria-labelledby="subscriptions" {
            div.head { h2 id="subscriptions" { "Subscriptions" } a href="/page/subscriptions" { "All subscriptions" } }
            (subscriptions::list(&of, &session, 5).await)
        }
    };
    page(&session, Part::Overview, "Overview", &content)
}

async fn plugins(of: &Page, session: &Session) -> Markup {
    let listed = of.client.get(&session.caller, "/v1/plugins?limit=500").await;
    let listed = listed.and_then(|response| member::<Vec<Plugin>>(response, "plugins"));
    html! {
        section aria-labelledby="plugins" {
            div.head { h2 id="plugins" { "Plugins" } }
            @match listed {
                Err(error) => (problem(&error)),
                Ok(list) if list.is_empty() => p.dim { "Your rights include no plugin of this server." },
                Ok(list) => div.cards {
                    @for plugin in &list {
                        article.card {
                            div.head {
                                h3 { a href=(path(["page", "plugins", &plugin.name])) { (bounded(&plugin.display_name)) } }
                                @if plugin.approved { (chip("good", "Approved")) }
                                @else { (chip("bad", "Not approved")) }
                            }
                            p { (bounded(&plugin.description)) }
                            p.dim { "Version " (plugin.version) }
                        }
                    }
                },
            }
        }
    }
}
