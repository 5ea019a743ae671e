//! Connecting an account when a call needs one and there is none: the user opens a link to a page of
//! this server, and neither the client nor the model sees the secret.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use rmcp::model::{
    CallToolResponse, ElicitRequest, ElicitRequestParams, ElicitationAction, InputRequest,
    InputRequiredResult, InputResponses, ProtocolVersion,
};

use super::handler::failed;
use super::run::Run;
use super::search;
use crate::api::connections::{Begun, ConnectBody, connect_new};
use crate::error::{ApiError, shown};
use crate::limits::ServerLimits;

/// A required slot that no credential fits.
pub(super) struct Missing {
    pub(super) slot: String,
    /// The credential types that fit.
    pub(super) types: Vec<String>,
}

/// Names that are tried for a new credential.
const NAMES: usize = 20;

/// Name of the elicitation in a call.
const REQUEST: &str = "connect";

/// Instruction to the model after the user declined to open the link.
const DECLINED: &str = "Ask the user whether to connect an account. Then repeat the call.";

/// Whether the user has agreed to open the link, from a client's responses to elicitations.
pub(super) fn agreed(responses: &InputResponses) -> Option<bool> {
    responses.get(REQUEST).map(|response| response["action"] == "accept")
}

/// How often the server looks whether the user has connected the account.
const LOOKS: Duration = Duration::from_millis(250);

/// Asks the user to connect an account. Returns the response that ends the call, or `None` if an account
/// was connected and the call goes on.
pub(super) async fn ask(
    run: &Run<'_>,
    plugin: &str,
    missing: &Missing,
) -> Result<Option<CallToolResponse>, ApiError> {
    let node = &run.state.plugin(run.caller, plugin)?.description().node;
    let message = format!(
        "No account of {} is connected that this token may use (slot `{}`).",
        node.display_name, missing.slot
    );
    let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "credential-missing", message);
    match run.agreed {
        // The user may need a while on the page.
        Some(true) => {
            if connected(run, plugin, missing).await? {
                return Ok(None);
            }
            let next = "Ask the user to finish on the page that was opened. Then repeat the call.";
            return Ok(Some(failed(error.next(next)).into()));
        }
        Some(false) => return Ok(Some(failed(error.next(DECLINED)).into())),
        None => {}
    }
    let linked = link(run, plugin, &missing.types).await?;
    if linked == Link::NotNeeded {
        return Ok(None);
    }
    let Link::Url(url) = linked else {
        let next = format!(
            "Ask the user to connect an account on the machine of the server: {}. Then repeat the \
             call. Do not ask for a key or password in this conversation.",
            command(run, plugin, missing)
        );
        return Ok(Some(failed(error.next(next)).into()));
    };
    let capabilities = run.context.client_capabilities();
    let can_ask = capabilities
        .and_then(|all| all.elicitation)
        .is_some_and(|elicitation| elicitation.url.is_some());
    if can_ask {
        let request = ElicitRequestParams::UrlElicitationParams {
            meta: None,
            message: format!("Connect an account of {} to go on.", node.display_name),
            url: url.clone(),
            elicitation_id: random_id(),
        };
        let version = run.context.protocol_version();
        if version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
        {
            let request = InputRequest::Elicitation(ElicitRequest::new(request));
            let requests = BTreeMap::from([(REQUEST.to_owned(), request)]);
            let required = InputRequiredResult::from_input_requests(requests);
            return Ok(Some(required.into()));
        }
        // Clients of older versions are asked within the call, where the stream goes both ways.
        if run.delivery.is_none()
            && let Ok(answer) = run.context.peer.create_elicitation(request).await
        {
            if answer.action == ElicitationAction::Accept && connected(run, plugin, missing).await?
            {
                return Ok(None);
            }
            return Ok(Some(failed(error.next(DECLINED)).into()));
        }
    }
    let next = format!(
        "Show the user this link, on which they connect an account: {url} Then repeat the call. Do \
         not ask for a key or password in this conversation."
    );
    Ok(Some(failed(error.next(next)).into()))
}

fn random_id() -> String {
    crate::api::executions::random_id()
}

/// Where the user connects an account.
#[derive(PartialEq, Eq)]
enum Link {
    /// On a page of this server.
    Url(String),
    /// Nobody had to be asked.
    NotNeeded,
    /// This server or token has no page for it.
    No,
}

/// Begins to connect an account.
async fn link(run: &Run<'_>, plugin: &str, types: &[String]) -> Result<Link, ApiError> {
    let name = |number: usize| match number {
        1 => plugin.to_owned(),
        _ => format!("{plugin}-{number}"),
    };
    // A token that may use only some credentials connects one of these.
    let names: Vec<String> = match &run.caller.policy.credentials {
        Some(allowed) => allowed.iter().take(NAMES).cloned().collect(),
        None => (1..=NAMES).map(name).collect(),
    };
    for credential_type in types {
        for name in &names {
            let body = ConnectBody::of(name.clone(), plugin.to_owned(), credential_type.clone());
            match connect_new(run.state, run.caller, body).await {
                Ok(Begun::Waiting(status)) => return Ok(status.url.map_or(Link::No, Link::Url)),
                Ok(Begun::Connected(_)) => return Ok(Link::NotNeeded),
                Err(error) if error.detail.name == "credential-exists" => {}
                // This type needs more than a page, or the server has no pages.
                Err(error) if error.status.is_client_error() => {
                    tracing::debug!(reason = error.detail.message, credential_type, "no link");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Link::No)
}

/// The command that connects an account.
fn command(run: &Run<'_>, plugin: &str, missing: &Missing) -> String {
    let credential_type = missing.types.first().map_or("TYPE", String::as_str);
    let mut command = format!(
        "harness credential connect NAME --plugin {}.wasm --type {}",
        shown(plugin),
        shown(credential_type)
    );
    let principal = run.caller.policy.principal();
    if !principal.tenant.is_default() {
        command.push_str(&format!(" --tenant {}", principal.tenant));
    }
    if !principal.user.is_default() {
        command.push_str(&format!(" --as {}", principal.user));
    }
    command
}

/// Waits until a credential fits the slot.
async fn connected(run: &Run<'_>, plugin: &str, missing: &Missing) -> Result<bool, ApiError> {
    let until = Instant::now() + ServerLimits::time(run.state.limits.mcp_connect_ms);
    loop {
        let fitting = search::fitting(run.state, run.caller, plugin, &missing.slot).await?;
        if fitting.iter().any(search::is_usable) {
            return Ok(true);
        }
        if Instant::now() >= until || run.context.ct.is_cancelled() {
            return Ok(false);
        }
        tokio::time::sleep(LOOKS).await;
    }
}
