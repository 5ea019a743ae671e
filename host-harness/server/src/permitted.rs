//! Actions and triggers that a token may use.

use workflow_node_host::Plugin;
use workflow_node_host::description::{Action, Trigger};

use crate::error::ApiError;
use crate::token::Caller;

/// An action that the token may run.
pub(crate) fn permitted_action<'a>(
    caller: &Caller,
    plugin: &'a Plugin,
    name: &str,
) -> Result<&'a Action, ApiError> {
    let found = plugin.description().node.action(name);
    let action = found.ok_or_else(|| ApiError::not_found("action", name))?;
    match caller.policy.allows_action(action) {
        true => Ok(action),
        false => {
            let message = format!("The token may not run the action `{}`.", action.name);
            Err(ApiError::not_permitted(message))
        }
    }
}

/// A trigger that the token may use.
pub(crate) fn permitted_trigger<'a>(
    caller: &Caller,
    plugin: &'a Plugin,
    name: &str,
) -> Result<&'a Trigger, ApiError> {
    let found = plugin.description().trigger(name);
    let trigger = found.ok_or_else(|| ApiError::not_found("trigger", name))?;
    match caller.policy.allows_name(&trigger.name) {
        true => Ok(trigger),
        false => {
            let message = format!("The token may not use the trigger `{}`.", trigger.name);
            Err(ApiError::not_permitted(message))
        }
    }
}
