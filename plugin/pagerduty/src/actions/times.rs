//! Overrides and maintenance windows with durations: from now, for an hour.

use serde_json::Value;
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::node::{Outcome, OutputItem, Task, main};
use workflow_node_sdk::{context, declare, json, time};

use super::{now, passed};

/// Creates an override for one user.
pub(super) async fn create_override(task: Task) -> Outcome {
    let start = match task.text("start") {
        None => now(),
        Some(text) => parsed(text, "/start")?,
    };
    let minutes = task.parameters.get("minutes").and_then(Value::as_i64);
    let end = match (task.text("end"), minutes) {
        (Some(end), None) => parsed(end, "/end")?,
        (None, Some(minutes)) => start + minutes * 60,
        _ => return Err(Error::invalid("", "Set exactly one of end and minutes.")),
    };
    if end <= start {
        return Err(Error::invalid("/end", "must be after the start"));
    }
    let mut one = json::Object::new();
    one.text("start", task.text("start").unwrap_or(&time::format(start)));
    one.text("end", task.text("end").unwrap_or(&time::format(end)));
    one.set("user_id", task.parameters.get("user_id").cloned().unwrap_or_default());
    let mut many = passed(&task, &["schedule_id"]);
    many.insert("overrides".to_owned(), Value::Array(vec![one.build()]));
    let many = task.other("schedule_override.create_many", many)?;
    match sent(&many).await?.into_iter().next() {
        Some(Made::Override(json)) => Ok(vec![main(json)]),
        Some(Made::Refused(_, error)) => Err(error),
        None => Err(Error::new(ErrorKind::Internal, "an answer without overrides was let pass")),
    }
}

/// Creates overrides for several users. Overrides that were created are kept even if another one
/// was refused.
pub(super) async fn create_overrides(task: Task) -> Outcome {
    let mut outputs: Vec<OutputItem> = Vec::new();
    let mut refused = Vec::new();
    for made in sent(&task).await? {
        match made {
            Made::Override(json) => outputs.push(main(json)),
            Made::Refused(place, error) => refused.push((place, error)),
        }
    }
    if refused.is_empty() {
        return Ok(outputs);
    }
    context::emit(task.item, &outputs);
    let places: Vec<String> = refused.iter().map(|(place, _)| place.to_string()).collect();
    let (_, mut first) = refused.swap_remove(0);
    first.message = format!(
        "{} of {} overrides were refused (numbers {}); the others were created. First error: {}",
        places.len(),
        places.len() + outputs.len(),
        places.join(", "),
        first.message
    );
    Err(first)
}

/// Result of one override.
enum Made {
    Override(String),
    /// Its position and the reason.
    Refused(usize, Error),
}

/// Sends the declared request, and reports the result of each override.
async fn sent(task: &Task) -> Result<Vec<Made>, Error> {
    let request = task.request()?;
    let repeatable = request.is_repeatable();
    let response = task.send(request).await?;
    task.understood(repeatable, results(task, &response))
}

/// PagerDuty answers 201 with a list, bare or in an envelope, in which each override has a status.
fn results(task: &Task, response: &workflow_node_sdk::http::Response) -> Result<Vec<Made>, Error> {
    let members = response.members();
    let list = match &members {
        Ok(members) => members.only('['),
        Err(_) => json::raw(&response.body),
    };
    let elements =
        list.and_then(json::elements).ok_or_else(|| response.unexpected("is not a list"))?;
    if elements.len() != task.list("overrides").len() {
        return Err(response.unexpected("does not have a result for each override"));
    }
    let mut made = Vec::with_capacity(elements.len());
    for (place, element) in elements.into_iter().enumerate() {
        let members = json::members(element.as_bytes());
        let get = |name: &str| members.as_ref().and_then(|members| members.get(name));
        let status = get("status").and_then(|status| status.parse::<u16>().ok()).unwrap_or(201);
        if (200..300).contains(&status) {
            made.push(Made::Override(get("override").unwrap_or(element).to_owned()));
            continue;
        }
        let mut reasons = Vec::new();
        if let Some(Value::Array(list)) = get("errors").and_then(json::value) {
            for reason in &list {
                reasons.push(reason.as_str().map_or_else(|| json::text(reason), str::to_owned));
            }
        }
        let message = match reasons.is_empty() {
            true => "PagerDuty refused the override.".to_owned(),
            false => workflow_node_sdk::text::join(&reasons, "; "),
        };
        let mut error = Error::new(ErrorKind::InvalidInput, message);
        error.http_status = Some(status);
        made.push(Made::Refused(place + 1, error));
    }
    debug_assert!(matches!(task.action.route.answer, declare::Answer::Elements));
    Ok(made)
}

/// Starts a maintenance window for services now.
pub(super) async fn start_maintenance(task: Task) -> Outcome {
    let minutes = task.parameters.get("minutes").and_then(Value::as_i64).unwrap_or_default();
    let start = now();
    let mut window = passed(&task, &["service_ids", "description", "from"]);
    for (name, at) in [("start_time", start), ("end_time", start + minutes * 60)] {
        window.insert(name.to_owned(), time::format(at).into());
    }
    task.other("maintenance_window.create", window)?.run_declared().await
}

fn parsed(text: &str, pointer: &str) -> Result<i64, Error> {
    time::parse(text).ok_or_else(|| Error::invalid(pointer, "is not an ISO 8601 time"))
}
