//! The actions that are more than their declared request.

mod api;
pub(crate) mod bulk;
mod incident;
mod on_call;
mod responders;
mod times;

use serde_json::{Map, Value};
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::node::{Outcome, Task, Work, main};
use workflow_node_sdk::{context, json};

/// Runs an action that is declared to have code of its own.
pub(crate) fn run(task: Task) -> Work {
    Box::pin(async move {
        match task.action.name {
            "api.request" => api::request(task).await,
            "incident.create" => incident::create(task).await,
            "incident.find" => incident::find(task).await,
            "incident.set_custom_fields" => incident::set_custom_fields(task).await,
            "incident.update_many" => bulk::update_many(task).await,
            "incident.add_responders" => responders::add(task).await,
            "incident_responder.request" | "incident_responder.cancel" => {
                responders::declared(task).await
            }
            "on_call.now" => on_call::now(task).await,
            "user.find" => find_user(task).await,
            "schedule_override.create" => times::create_override(task).await,
            "schedule_override.create_many" => times::create_overrides(task).await,
            "maintenance_window.start" => times::start_maintenance(task).await,
            "tag.entities" => tagged(task).await,
            other => {
                let message = ["`", other, "` is declared, but not written"].concat();
                Err(Error::new(ErrorKind::Internal, message))
            }
        }
    })
}

/// Now, in seconds since 1970.
fn now() -> i64 {
    i64::try_from(context::now() / 1_000).unwrap_or_default()
}

/// Parameters for another action.
fn parameters<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The user with an e-mail address. PagerDuty searches in names and addresses alike.
async fn find_user(task: Task) -> Outcome {
    let email = task.text("email").unwrap_or_default();
    let search = parameters([("query", email.into()), ("all", true.into())]);
    let users = task.other("user.list", search)?.records().await?;
    let is_meant = |user: &&Value| {
        let own = user.get("email").and_then(Value::as_str).unwrap_or_default();
        own.eq_ignore_ascii_case(email)
    };
    match users.iter().find(is_meant) {
        Some(user) => Ok(vec![task.output(&json::text(user))]),
        None => {
            let message = ["there is no user with the e-mail address ", email].concat();
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}

/// What has a tag: the member is called like the kind that was asked for.
async fn tagged(task: Task) -> Outcome {
    let kind = task.text("entity_type").unwrap_or_default().to_owned();
    let wanted = match task.flag("all") {
        true => usize::MAX,
        false => task.parameters.get("limit").and_then(Value::as_u64).unwrap_or(100) as usize,
    };
    let first = task.request()?;
    let mut outputs = Vec::new();
    loop {
        let mut request = first.clone();
        let size = (wanted - outputs.len()).min(100);
        workflow_node_sdk::percent::append_query(&mut request.url, "limit", &size.to_string());
        if !outputs.is_empty() {
            let offset = outputs.len().to_string();
            workflow_node_sdk::percent::append_query(&mut request.url, "offset", &offset);
        }
        let response = task.send(request).await?;
        let members = response.members()?;
        let records = members.get(&kind).and_then(json::elements).unwrap_or_default();
        let count = records.len();
        outputs.extend(records.into_iter().take(size).map(|record| main(record.to_owned())));
        if members.get("more") != Some("true") || count == 0 || outputs.len() >= wanted {
            return Ok(outputs);
        }
    }
}
