//! The HTTP API, version 1, and its OpenAPI document.

pub(crate) mod connections;
pub(crate) mod credentials;
pub(crate) mod executions;
mod form;
mod operations;
mod options;
pub(crate) mod page;
pub(crate) mod plugins;
mod secrets;
mod subscriptions;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{any, get};
use serde_json::{Map, Value};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_node_host::Plugin;

use crate::error::{ApiError, ErrorBody, Problem};
use crate::secrets::Filler;
use crate::state::{Shared, State as Server};
use crate::token::Caller;
use crate::{hooks, pages};

pub(crate) use form::inlined;

/// The parts of the OpenAPI document that do not follow from the operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "workflow-node-server",
        description = "Runs the actions of workflow nodes. Errors have stable names; lists take \
                       `search`, `cursor`, and `limit`, and return `next_cursor`.",
    ),
    components(schemas(ErrorBody, executions::Detach))
)]
struct Base;

/// The routes of the API, and its OpenAPI document.
pub(crate) fn router() -> (Router<Shared>, utoipa::openapi::OpenApi) {
    let mut base = Base::openapi();
    base.info.version = "1".to_owned();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = base.components.get_or_insert_with(Default::default);
    components.add_security_scheme("token", SecurityScheme::Http(scheme));
    base.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    let (router, mut document) = OpenApiRouter::with_openapi(base)
        .routes(routes!(operations::health))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::openapi))
        .routes(routes!(plugins::list))
        .routes(routes!(plugins::resources))
        .routes(routes!(plugins::actions))
        .routes(routes!(plugins::action))
        .routes(routes!(plugins::triggers))
        .routes(routes!(plugins::trigger))
        .routes(routes!(plugins::approval, plugins::approve))
        .routes(routes!(options::of_action))
        .routes(routes!(options::of_trigger))
        .routes(routes!(credentials::list, connections::connect))
        .routes(routes!(connections::disconnect))
        .routes(routes!(connections::authorize))
        .routes(routes!(connections::authorization))
        .routes(routes!(credentials::test))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::put, secrets::remove))
        .routes(routes!(executions::execute))
        .routes(routes!(executions::list))
        .routes(routes!(executions::get, executions::cancel))
        .routes(routes!(executions::items))
        .routes(routes!(subscriptions::list))
        .routes(routes!(subscriptions::put, subscriptions::get, subscriptions::remove))
        .routes(routes!(subscriptions::events))
        .routes(routes!(subscriptions::redeliver))
        .routes(routes!(subscriptions::relay))
        .split_for_parts();
    // The document must not depend on the address of the server.
    document.servers = None;
    // Pages for people are not operations of the API.
    let router = router
        .route("/connect/{link}", get(pages::show).post(pages::confirm))
        .route("/v1/oauth/callback", get(pages::callback))
        .route("/hooks/{hook}", any(hooks::receive));
    let router = router.fallback(no_route).method_not_allowed_fallback(no_method);
    (router, document)
}

async fn no_route() -> ApiError {
    let message = "The API has no such path.";
    ApiError::new(StatusCode::NOT_FOUND, "not-found", message)
        .next("Read /v1/openapi.json for the paths of the API.")
}

async fn no_method() -> ApiError {
    let message = "The path does not have this method.";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", message)
        .next("The header Allow lists the methods.")
}

/// Refuses parameters that hold secrets themselves, unless the token's policy allows them. `at`: where
/// the parameters are in the body.
fn check_raw_secrets(
    caller: &Caller,
    plugin: &Plugin,
    form: &str,
    parameters: &Value,
    at: &str,
) -> Result<(), ApiError> {
    match caller.policy.raw_secrets {
        true => Ok(()),
        false => raw_secret_problems(plugin, form, parameters, at),
    }
}

/// Parameters with the stored secrets that they name.
async fn with_secrets(
    state: &Server,
    caller: &Caller,
    plugin: &Plugin,
    form: &str,
    parameters: Map<String, Value>,
    at: &'static str,
) -> Result<Map<String, Value>, ApiError> {
    let mut filler = Filler::new(state.secrets.clone(), caller, plugin, form);
    let mut parameters = Value::Object(parameters);
    let filled =
        tokio::task::spawn_blocking(move || filler.read(&mut parameters, at).map(|_| parameters));
    match filled.await.map_err(|error| ApiError::internal(&error))?? {
        Value::Object(parameters) => Ok(parameters),
        _ => Err(ApiError::internal(&"the parameters are no longer an object")),
    }
}

/// Refuses parameters that hold secrets themselves.
fn raw_secret_problems(
    plugin: &Plugin,
    form: &str,
    parameters: &Value,
    at: &str,
) -> Result<(), ApiError> {
    let found = plugin.raw_secrets(form, parameters)?;
    if found.is_empty() {
        return Ok(());
    }
    let problem = |pointer: String| Problem {
        pointer: format!("{at}{pointer}"),
        message: "holds a secret itself, not the name or a handle of one".to_owned(),
    };
    let message = "The call holds secrets, which the workflow of an engine would store.";
    Err(ApiError::new(StatusCode::FORBIDDEN, "raw-secret", message)
        .next(
            "Store the secret with `harness secret set NAME`, and pass `secret:NAME`; or use a token \
             whose policy sets `raw_secrets`.",
        )
        .problems(found.into_iter().map(problem).collect()))
}
