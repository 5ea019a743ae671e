//! Actions with custom code.

mod api;
pub(crate) mod bulk;
mod incident;
mod on_call;
mod responders;
mod times;

use serde_json::{Map, Value};
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::node::{Batch, Custom, Outcome, Task};
use workflow_node_sdk::{context, json};

/// The code of an action that is declared to have custom code.
pub(crate) fn custom(action: &str) -> Option<Custom> {
    let code: Custom = match action {
        "api.request" => |task| Box::pin(api::request(task)),
        "incident.create" => |task| Box::pin(incident::create(task)),
        "incident.find" => |task| Box::pin(incident::find(task)),
        "incident.set_custom_fields" => |task| Box::pin(incident::set_custom_fields(task)),
        "incident.update_many" => |task| Box::pin(bulk::update_many(task)),
        "incident_alert.update_many" => |task| Box::pin(bulk::update_alerts(task)),
        "incident.add_responders" => |task| Box::pin(responders::add(task)),
        "incident_responder.request" | "incident_responder.cancel" => {
            |task| Box::pin(responders::declared(task))
        }
        "on_call.now" => |task| Box::pin(on_call::now(task)),
        "user.find" => |task| Box::pin(find_user(task)),
        "schedule_override.create" => |task| Box::pin(times::create_override(task)),
        "schedule_override.create_many" => |task| Box::pin(times::create_overrides(task)),
        "maintenance_window.start" => |task| Box::pin(times::start_maintenance(task)),
        _ => return None,
    };
    Some(code)
}

/// The code of an action that changes many incidents with one request.
pub(crate) fn batch(action: &str) -> Option<Batch> {
    let is_change = matches!(
        action,
        "incident.update"
            | "incident.acknowledge"
            | "incident.resolve"
            | "incident.reopen"
            | "incident.reassign"
            | "incident.escalate"
            | "incident.change_urgency"
            | "incident.change_priority"
    );
    is_change.then_some(|tasks| Box::pin(bulk::run(tasks)))
}

/// Now, in seconds since 1970.
fn now() -> i64 {
    i64::try_from(context::now() / 1_000).unwrap_or_default()
}

/// Parameters for another action.
fn parameters<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Parameters of a task that another action accepts as well: these, and additional fields.
fn passed(task: &Task, names: &[&str]) -> Map<String, Value> {
    let names = names.iter().chain(&["additional_fields"]);
    names
        .filter_map(|name| Some(((*name).to_owned(), task.parameters.get(*name)?.clone())))
        .collect()
}

/// The user with an email address. PagerDuty searches names and addresses alike.
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
            let message = ["No user has the email address ", email, "."].concat();
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}
