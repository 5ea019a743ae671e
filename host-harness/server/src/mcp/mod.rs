//! Actions as tools for models, over the Model Context Protocol (MCP): a thin layer over the functions
//! of the HTTP API. Policies, checks of items, and executions are theirs. What is here: which tools
//! there are, how their results look to a model, and that a call whose stream broke is not run twice.
//!
//! There are three tools instead of one per action, because hundreds of forms would fill the context of
//! a model: search, describe, run. A token's policy can pin actions, which then are separate tools.

mod calls;
mod connect;
mod handler;
mod http;
mod run;
mod schema;
mod search;
mod tools;

use rmcp::ServiceExt as _;
use rmcp::service::QuitReason;

pub(crate) use self::http::router;
use crate::state::Shared;
use crate::token::{Caller, Policy};
use handler::Tools;

/// Serves the tools on standard input and output until the client closes them. Calls act under
/// `policy`.
pub(crate) async fn serve_stdio(state: Shared, policy: Policy) -> std::io::Result<()> {
    let caller = Caller {
        token: "stdio".to_owned(),
        name: "harness mcp".to_owned(),
        expires_at: None,
        policy,
    };
    let tools = Tools::local(state, caller);
    let transport = rmcp::transport::io::stdio_pipes();
    let service = match tools.serve(transport).await {
        Ok(service) => service,
        // A client that closes its end at once has nothing to say.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(std::io::Error::other(error)),
    };
    match service.waiting().await.map_err(std::io::Error::other)? {
        QuitReason::JoinError(error) => Err(std::io::Error::other(error)),
        _ => Ok(()),
    }
}
