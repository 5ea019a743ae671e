//! Bulk changes of incidents and alerts. PagerDuty changes up to 250 with one request, and refuses all of them
//! if one cannot be changed. Nothing was changed then, and each one is changed separately.

use serde_json::{Map, Value};
use workflow_node_sdk::declare::Idempotency;
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::http::{Request, Response};
use workflow_node_sdk::node::{Outcome, OutputItem, Task};
use workflow_node_sdk::{context, each_bounded, json};

use super::parameters;

/// Maximum number of incidents per request.
const AT_ONCE: usize = 250;
/// The action that changes the incidents of one item.
const UPDATE_MANY: &str = "incident.update_many";
/// How many requests run concurrently.
const UNDER_WAY: usize = 8;

/// The change of one incident, as sent in the body.
struct Change {
    /// Position of the outcome.
    place: usize,
    /// The task that asks for it.
    task: usize,
    incident: String,
    from: Option<String>,
    body: Map<String, Value>,
    /// Additional fields of the request, next to its incidents.
    additional: Map<String, Value>,
}

/// Runs a change of one incident per task, with as few requests as possible.
pub(crate) async fn run(tasks: Vec<Task>) -> Vec<Outcome> {
    let changes = tasks.iter().enumerate().map(|(place, task)| change(place, task)).collect();
    let total = tasks.len();
    all(&tasks, changes, |done| {
        if total > 1 {
            context::progress(done as u64, Some(total as u64), "");
        }
    })
    .await
}

/// Carries out changes. Changes of the same incident keep their order.
async fn all(
    tasks: &[Task],
    changes: Vec<Result<Change, Error>>,
    progress: impl Fn(usize),
) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = Vec::new();
    outcomes.resize_with(changes.len(), || None);
    let mut left = Vec::with_capacity(changes.len());
    for (place, change) in changes.into_iter().enumerate() {
        match change {
            Ok(change) => left.push(change),
            Err(error) => outcomes[place] = Some(Err(error)),
        }
    }
    let mut done = 0;
    // A repeated incident waits for the next round.
    while !left.is_empty() {
        let (round, later) = first_of_each(left);
        left = later;
        each_bounded(
            parts(round),
            UNDER_WAY,
            |_, part| at_once(tasks, part),
            |_, results| {
                done += results.len();
                for (place, outcome) in results {
                    outcomes[place] = Some(outcome);
                }
                progress(done);
            },
        )
        .await;
    }
    let missing = || Err(Error::new(ErrorKind::Internal, "it was given no outcome"));
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect()
}

/// The change in the declared request of a task.
fn change(place: usize, task: &Task) -> Result<Change, Error> {
    let request = task.request()?;
    let mut body = request.body.as_ref().and_then(json::object).unwrap_or_default();
    let Some(Value::Object(change)) = body.remove("incident") else {
        return Err(Error::new(ErrorKind::Internal, "the declared request changes no incident"));
    };
    let incident = task.text("incident_id").unwrap_or_default().to_owned();
    let from = task.text("from").map(str::to_owned);
    Ok(Change { place, task: place, incident, from, body: change, additional: body })
}

fn first_of_each(changes: Vec<Change>) -> (Vec<Change>, Vec<Change>) {
    let mut seen = Map::new();
    let mut first = Vec::new();
    let mut later = Vec::new();
    for change in changes {
        if seen.insert(change.incident.clone(), Value::Null).is_none() {
            first.push(change);
        } else {
            later.push(change);
        }
    }
    (first, later)
}

/// Groups of changes that fit into one request: with the same acting user, and at most the maximum
/// number. Changes that the bulk request does not support are sent separately.
fn parts(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let mut parts: Vec<Vec<Change>> = Vec::new();
    for change in changes {
        let alone = change.body.contains_key("service");
        let open = parts.iter_mut().find(|part| {
            !alone
                && part.len() < AT_ONCE
                && part[0].from == change.from
                && part[0].additional == change.additional
                && !part[0].body.contains_key("service")
        });
        match open {
            Some(part) => part.push(change),
            None => parts.push(vec![change]),
        }
    }
    parts
}

/// Changes a group with one request; if PagerDuty refuses it, each incident separately.
async fn at_once(tasks: &[Task], part: Vec<Change>) -> Vec<(usize, Outcome)> {
    if part.len() > 1 {
        let task = &tasks[part[0].task];
        match send_many(task, &part).await {
            Ok(records) => {
                return part
                    .iter()
                    .map(|change| (change.place, found(task, &records, &change.incident)))
                    .collect();
            }
            Err(error) if is_refusal(&error) => {}
            Err(error) => {
                return part.iter().map(|change| (change.place, Err(error.clone()))).collect();
            }
        }
    }
    let mut results = Vec::with_capacity(part.len());
    each_bounded(
        part,
        UNDER_WAY,
        |_, change| async move { (change.place, alone(&tasks[change.task], &change).await) },
        |_, result| results.push(result),
    )
    .await;
    results
}

/// Whether a change only sets a state and is therefore idempotent. Escalating or assigning twice
/// notifies people twice.
fn is_repeatable(task: &Task, change: &Map<String, Value>) -> bool {
    let notifies = ["assignments", "escalation_level", "escalation_policy"];
    task.action.idempotency == Idempotency::Idempotent
        && !notifies.iter().any(|name| change.contains_key(*name))
}

/// Whether PagerDuty has refused the whole request, so that nothing was changed.
fn is_refusal(error: &Error) -> bool {
    matches!(error.http_status, Some(400 | 404 | 409 | 413 | 422))
        && error.kind != ErrorKind::RateLimited
}

/// The records of a bulk request, unchanged, by ID.
async fn send_many(task: &Task, part: &[Change]) -> Result<Vec<(String, String)>, Error> {
    let repeatable = part.iter().all(|change| is_repeatable(task, &change.body));
    let incidents = part.iter().map(|change| {
        let mut body = change.body.clone();
        body.insert("id".to_owned(), change.incident.as_str().into());
        Value::Object(body)
    });
    let mut body = part[0].additional.clone();
    body.insert("incidents".to_owned(), incidents.collect());
    let url = [task.credential.base_url("rest")?, "/incidents"].concat();
    let mut request = Request::new("PUT", url).header("content-type", "application/json");
    if let Some(from) = &part[0].from {
        request = request.header("from", from);
    }
    request.body = Some(json::text(&Value::Object(body)).into_bytes());
    request.idempotency_key = repeatable.then(|| context::idempotency_key(task.item));
    let response = task.send(request).await?;
    task.understood(repeatable, records(&response, "incidents"))
}

/// The records in a list of a response, unchanged, by ID.
fn records(response: &Response, member: &str) -> Result<Vec<(String, String)>, Error> {
    let members = response.members()?;
    let records = members
        .get(member)
        .and_then(json::elements)
        .ok_or_else(|| response.unexpected(&["has no list `", member, "`"].concat()))?;
    let mut found = Vec::with_capacity(records.len());
    for record in records {
        let id = json::members(record.as_bytes())
            .and_then(|members| json::value(members.get("id")?)?.as_str().map(str::to_owned));
        found.push((id.unwrap_or_default(), record.to_owned()));
    }
    Ok(found)
}

fn found(task: &Task, records: &[(String, String)], incident: &str) -> Outcome {
    match records.iter().find(|(id, _)| id == incident) {
        Some((_, record)) => Ok(vec![task.output(record)]),
        None => Err(Error::new(
            ErrorKind::OutcomeUnknown,
            "PagerDuty accepted the change, but its answer does not name this incident. Look at it \
             with `incident.get` before you run it again.",
        )),
    }
}

/// Changes one incident. An incident that is already in the requested state is not a failure.
async fn alone(task: &Task, change: &Change) -> Outcome {
    if task.action.name == UPDATE_MANY {
        let records = send_many(task, std::slice::from_ref(change)).await?;
        return found(task, &records, &change.incident);
    }
    let error = match change_alone(task, change).await {
        Err(error) => error,
        result => return result,
    };
    let is_there = match (task.action.name, error.code.as_deref()) {
        ("incident.acknowledge", Some("1002")) => true,
        ("incident.resolve", Some("1001")) => task.text("resolution").is_none(),
        _ => false,
    };
    if !is_there {
        return Err(error);
    }
    let incident = task.parameters.get("incident_id").cloned().unwrap_or_default();
    task.other("incident.get", parameters([("incident_id", incident)]))?.run_declared().await
}

async fn change_alone(task: &Task, change: &Change) -> Outcome {
    let repeatable = is_repeatable(task, &change.body);
    let mut request = task.request()?;
    if !repeatable {
        request.idempotency_key = None;
    }
    let response = task.send(request).await?;
    task.understood(repeatable, task.decoded(&response))
}

/// Changes the incidents of one item, each separately. Changed incidents are emitted even if
/// another one was refused.
pub(super) async fn update_many(task: Task) -> Outcome {
    let request = task.request()?;
    let mut body = request.body.as_ref().and_then(json::object).unwrap_or_default();
    let Some(Value::Array(incidents)) = body.remove("incidents") else {
        return Err(Error::invalid("/incidents", "must be a list"));
    };
    let change = |(place, incident): (usize, Value)| {
        let Value::Object(mut change) = incident else {
            return Err(Error::invalid(format!("/incidents/{place}"), "must be an object"));
        };
        let id = change.remove("id").and_then(|id| id.as_str().map(str::to_owned));
        let (from, additional) = (task.text("from").map(str::to_owned), body.clone());
        Ok(Change {
            place,
            task: 0,
            incident: id.unwrap_or_default(),
            from,
            body: change,
            additional,
        })
    };
    let changes = incidents.into_iter().enumerate().map(change).collect();
    let results = all(std::slice::from_ref(&task), changes, |_| {}).await;
    let mut outputs: Vec<OutputItem> = Vec::new();
    let mut failed: Vec<(usize, Error)> = Vec::new();
    for (place, result) in results.into_iter().enumerate() {
        match result {
            Ok(records) => outputs.extend(records),
            Err(error) => failed.push((place, error)),
        }
    }
    if failed.is_empty() {
        return Ok(outputs);
    }
    context::emit(task.item, &outputs);
    Err(of_some(failed, outputs.len()))
}

/// The error if some changes failed; it lists all of them.
fn of_some(mut failed: Vec<(usize, Error)>, succeeded: usize) -> Error {
    let mut errors = Vec::with_capacity(failed.len());
    for (place, error) in &failed {
        let mut one = json::Object::new();
        one.text("pointer", &["/incidents/", &place.to_string()].concat());
        one.text("message", &error.message);
        if let Some(code) = &error.code {
            one.text("code", code);
        }
        errors.push(one.build());
    }
    let count = failed.len();
    let (place, first) = failed.swap_remove(0);
    let message = format!(
        "{count} of {} incidents were not changed; the others were. First error (number {}): {}",
        count + succeeded,
        place + 1,
        first.message
    );
    Error { message, ..first }.with_detail("errors", Value::Array(errors))
}

/// Changes the alerts of an incident in order, with as few requests as possible. Changed alerts are
/// emitted even if a later request was refused.
pub(super) async fn update_alerts(task: Task) -> Outcome {
    let request = task.request()?;
    let repeatable = request.is_repeatable();
    let mut body = request.body.as_ref().and_then(json::object).unwrap_or_default();
    let Some(Value::Array(alerts)) = body.remove("alerts") else {
        return Err(Error::invalid("/alerts", "must be a list"));
    };
    let mut outputs: Vec<OutputItem> = Vec::new();
    for part in alerts.chunks(AT_ONCE) {
        body.insert("alerts".to_owned(), Value::Array(part.to_vec()));
        let mut request = request.clone();
        request.body = Some(json::text(&Value::Object(body.clone())).into_bytes());
        let changed = match task.send(request).await {
            Ok(response) => task.understood(repeatable, records(&response, "alerts")),
            Err(error) => Err(error),
        };
        match changed {
            Ok(records) => outputs.extend(records.iter().map(|(_, record)| task.output(record))),
            Err(mut error) if !outputs.is_empty() => {
                context::emit(task.item, &outputs);
                let counts = format!(
                    " The first {} of {} alerts were changed.",
                    outputs.len(),
                    alerts.len()
                );
                error.message.push_str(&counts);
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outputs)
}
