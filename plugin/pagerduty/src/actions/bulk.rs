//! Bulk changes of incidents. PagerDuty changes up to 250 with one request, and refuses all of them
//! if one cannot be changed. Nothing was changed then, and each one is changed separately.

use std::cell::RefCell;

use serde_json::{Map, Value};
use workflow_node_sdk::declare::Idempotency;
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::http::{Request, Response};
use workflow_node_sdk::node::{Outcome, OutputItem, Task};
use workflow_node_sdk::{context, each_bounded, json};

use super::parameters;

/// Maximum number of incidents per request.
const AT_ONCE: usize = 250;
/// How many requests run concurrently.
const UNDER_WAY: usize = 8;

/// The change of one incident, as sent in the body.
struct Change {
    /// The task whose outcome it is.
    place: usize,
    incident: String,
    from: Option<String>,
    body: Map<String, Value>,
}

/// Runs a change of one incident per task, with as few requests as possible. Changes of the same
/// incident keep their order.
pub(crate) async fn run(tasks: Vec<Task>) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = Vec::new();
    outcomes.resize_with(tasks.len(), || None);
    let mut changes = Vec::with_capacity(tasks.len());
    for (place, task) in tasks.iter().enumerate() {
        match change(place, task) {
            Ok(change) => changes.push(change),
            Err(error) => outcomes[place] = Some(Err(error)),
        }
    }
    let total = changes.len();
    let outcomes = RefCell::new(outcomes);
    // A repeated incident waits for the next round.
    while !changes.is_empty() {
        let (round, later) = first_of_each(changes);
        changes = later;
        let mut done = 0;
        each_bounded(
            parts(round),
            UNDER_WAY,
            |_, part| at_once(&tasks, part),
            |_, results| {
                done += results.len();
                for (place, outcome) in results {
                    outcomes.borrow_mut()[place] = Some(outcome);
                }
                if total > 1 {
                    context::progress(done as u64, Some(total as u64), "");
                }
            },
        )
        .await;
    }
    let missing = || Err(Error::new(ErrorKind::Internal, "it was given no outcome"));
    outcomes.into_inner().into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect()
}

/// The change in the declared request of a task.
fn change(place: usize, task: &Task) -> Result<Change, Error> {
    let request = task.request()?;
    let mut body = request.body.as_ref().and_then(json::object).unwrap_or_default();
    let Some(Value::Object(body)) = body.remove("incident") else {
        return Err(Error::new(ErrorKind::Internal, "the declared request changes no incident"));
    };
    Ok(Change {
        place,
        incident: task.text("incident_id").unwrap_or_default().to_owned(),
        from: task.text("from").map(str::to_owned),
        body,
    })
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
        let task = &tasks[part[0].place];
        let mut incidents = Vec::with_capacity(part.len());
        for change in &part {
            let mut body = change.body.clone();
            body.insert("id".to_owned(), change.incident.as_str().into());
            incidents.push(Value::Object(body));
        }
        match send_many(task, part[0].from.as_deref(), incidents).await {
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
        |_, change| async move { (change.place, alone(&tasks[change.place], &change).await) },
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
async fn send_many(
    task: &Task,
    from: Option<&str>,
    incidents: Vec<Value>,
) -> Result<Vec<(String, String)>, Error> {
    let repeatable =
        incidents.iter().all(|one| one.as_object().is_some_and(|one| is_repeatable(task, one)));
    let mut body = json::Object::new();
    body.set("incidents", Value::Array(incidents));
    let url = [task.credential.base_url("rest")?, "/incidents"].concat();
    let mut request = Request::new("PUT", url).header("content-type", "application/json");
    if let Some(from) = from {
        request = request.header("from", from);
    }
    request.body = Some(json::text(&body.build()).into_bytes());
    request.idempotency_key = repeatable.then(|| context::idempotency_key(task.item));
    let response = task.send(request).await?;
    task.understood(repeatable, records(&response))
}

/// The incidents of a response, unchanged, by ID.
fn records(response: &Response) -> Result<Vec<(String, String)>, Error> {
    let members = response.members()?;
    let records = members
        .get("incidents")
        .and_then(json::elements)
        .ok_or_else(|| response.unexpected("has no list `incidents`"))?;
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
    let from = task.text("from").map(str::to_owned);
    let mut results: Vec<Option<Outcome>> = Vec::new();
    results.resize_with(incidents.len(), || None);
    let mut left: Vec<(usize, Value)> = incidents.into_iter().enumerate().collect();
    while !left.is_empty() {
        // One request must not repeat an incident.
        let mut seen = Map::new();
        let (mut round, mut later) = (Vec::new(), Vec::new());
        for (place, one) in left {
            let id = one.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let is_first = seen.insert(id, Value::Null).is_none();
            if is_first { round.push((place, one)) } else { later.push((place, one)) }
        }
        left = later;
        let mut chunks = Vec::new();
        while !round.is_empty() {
            let rest = round.split_off(round.len().min(AT_ONCE));
            chunks.push(std::mem::replace(&mut round, rest));
        }
        let (task, from) = (&task, from.as_deref());
        each_bounded(
            chunks,
            UNDER_WAY,
            |_, chunk| many(task, from, chunk),
            |_, outcomes| {
                for (place, outcome) in outcomes {
                    results[place] = Some(outcome);
                }
            },
        )
        .await;
    }
    let mut outputs: Vec<OutputItem> = Vec::new();
    let mut failed: Vec<(usize, Error)> = Vec::new();
    for (place, result) in results.into_iter().enumerate() {
        match result {
            Some(Ok(records)) => outputs.extend(records),
            Some(Err(error)) => failed.push((place, error)),
            None => {}
        }
    }
    if failed.is_empty() {
        return Ok(outputs);
    }
    context::emit(task.item, &outputs);
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
        count + outputs.len(),
        place + 1,
        first.message
    );
    Err(Error { message, ..first }.with_detail("errors", Value::Array(errors)))
}

async fn many(
    task: &Task,
    from: Option<&str>,
    chunk: Vec<(usize, Value)>,
) -> Vec<(usize, Outcome)> {
    let bodies: Vec<Value> = chunk.iter().map(|(_, one)| one.clone()).collect();
    let id = |one: &Value| one.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    match send_many(task, from, bodies).await {
        Ok(records) => {
            chunk.iter().map(|(place, one)| (*place, found(task, &records, &id(one)))).collect()
        }
        Err(error) if is_refusal(&error) && chunk.len() > 1 => {
            let mut results = Vec::with_capacity(chunk.len());
            each_bounded(
                chunk,
                UNDER_WAY,
                |_, (place, one)| async move {
                    let records = send_many(task, from, vec![one.clone()]).await;
                    let outcome = records.and_then(|records| found(task, &records, &id(&one)));
                    (place, outcome)
                },
                |_, result| results.push(result),
            )
            .await;
            results
        }
        Err(error) => chunk.iter().map(|(place, _)| (*place, Err(error.clone()))).collect(),
    }
}
