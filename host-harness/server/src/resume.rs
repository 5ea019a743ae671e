//! Goes on with detached executions that a crash has interrupted, under the policies of their tokens as
//! they are now.

use std::time::Duration;

use axum::http::StatusCode;

use crate::api::executions::{Call, Target};
use crate::error::ApiError;
use crate::execution::Key;
use crate::state::{Shared, State};

/// How long to wait for room in the queue.
const AGAIN: Duration = Duration::from_secs(1);

/// Begins the interrupted executions whose calls were kept, oldest first.
pub(crate) async fn resume(state: Shared) {
    let keys = match state.executions.interrupted().await {
        Ok(keys) => keys,
        Err(error) => {
            let reason = error.detail.message;
            tracing::warn!(reason, "interrupted executions are not resumed");
            return;
        }
    };
    for key in keys {
        loop {
            match resume_one(&state, &key).await {
                Ok(()) => break,
                Err(error) if error.status == StatusCode::TOO_MANY_REQUESTS => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    let (execution, reason) = (&key.id, error.detail.message);
                    tracing::warn!(execution, reason, "the execution is not resumed");
                    break;
                }
            }
        }
    }
}

async fn resume_one(state: &State, key: &Key) -> Result<(), ApiError> {
    let refused = |reason: String| ApiError::new(StatusCode::FORBIDDEN, "not-permitted", reason);
    let Some(found) = state.executions.saved(key).await? else {
        return Err(refused("Its call does not open with the key of the credential store.".into()));
    };
    let caller = state.tokens.caller_of(&found.call.token, &state.policies)?;
    let caller = caller.map_err(|why| refused(format!("Its token is refused: {why}.")))?;
    let principal = caller.policy.principal();
    if principal.tenant != *key.tenant || principal.user != *found.actor {
        return Err(refused("Its token acts as another user now.".to_owned()));
    }
    let (plugin, action) = (found.call.plugin.clone(), found.call.action.clone());
    let target = Target::permitted(state, &caller, &plugin, &action).await?;
    let call = Call::kept(found, &state.limits)?;
    let mut job = target.prepare(state, &caller, call, |_| key.id.clone()).await?;
    job.is_by_itself = true;
    state.executions.start(job, None, true).await.map(drop)
}
