//! Responder requests. PagerDuty requires the requester in the body.

use serde_json::Value;
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::json;
use workflow_node_sdk::node::{Outcome, Task};

use super::{parameters, passed};

/// Adds users and escalation policies as targets of their type.
pub(super) async fn add(task: Task) -> Outcome {
    let mut targets = Vec::new();
    for (name, kind) in
        [("user_ids", "user_reference"), ("escalation_policy_ids", "escalation_policy_reference")]
    {
        for id in task.list(name) {
            let mut target = json::Object::new();
            target.text("type", kind);
            target.set("id", id.clone());
            targets.push(target.build());
        }
    }
    if targets.is_empty() {
        return Err(Error::invalid("", "Set user_ids or escalation_policy_ids."));
    }
    let mut request = passed(&task, &["incident_id", "message", "requester_id"]);
    request.insert("responder_request_targets".to_owned(), Value::Array(targets));
    declared(task.other("incident_responder.request", request)?).await
}

/// Sends the declared request, with the user of the credential as the requester unless another one
/// is given.
pub(super) async fn declared(mut task: Task) -> Outcome {
    if task.text("requester_id").is_none() {
        let id = own_user(&task).await?;
        task.parameters.insert("requester_id".to_owned(), id);
    }
    task.run_declared().await
}

/// The user that the credential belongs to or acts as.
async fn own_user(task: &Task) -> Result<Value, Error> {
    let found = match task.credential.field("from_email") {
        Some(email) => task.other("user.find", parameters([("email", email.into())]))?,
        None => task.other("user.me", parameters([]))?,
    };
    let outputs = match found.action.name {
        "user.find" => super::find_user(found).await,
        _ => found.run_declared().await,
    };
    let outputs = outputs.map_err(|mut error| {
        if matches!(error.kind, ErrorKind::InvalidInput | ErrorKind::NotFound) {
            error.message =
                "say who asks (requester_id): the credential belongs to no user and has \
                             no e-mail address to act as"
                    .to_owned();
            error.kind = ErrorKind::InvalidInput;
        }
        error
    })?;
    let user = outputs.first().and_then(|output| json::value(&output.json)).unwrap_or_default();
    Ok(user.get("id").cloned().unwrap_or_default())
}
