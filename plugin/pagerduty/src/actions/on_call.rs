//! Who is on call.

use serde_json::{Map, Value};
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::node::{Outcome, Task};
use workflow_node_sdk::{json, time};

use super::{now as clock, parameters};

/// Who is on call for an object at a time, the first level first.
pub(super) async fn now(task: Task) -> Outcome {
    let at = match task.text("at") {
        None => None,
        Some(text) => Some(
            time::parse(text).ok_or_else(|| Error::invalid("/at", "is not an ISO 8601 time"))?,
        ),
    };
    let given: Vec<&str> = ["service_id", "escalation_policy_id", "schedule_id", "team_id"]
        .into_iter()
        .filter(|name| task.text(name).is_some())
        .collect();
    let [what] = given.as_slice() else {
        let message =
            "Set exactly one of service_id, escalation_policy_id, schedule_id, and team_id.";
        return Err(Error::invalid("", message));
    };
    let id = task.text(what).unwrap_or_default();
    let mut search = parameters([("all", true.into()), ("include", json::texts(&["users"]))]);
    match *what {
        "schedule_id" => {
            search.insert("schedule_ids".to_owned(), json::texts(&[id]));
        }
        "escalation_policy_id" => {
            search.insert("escalation_policy_ids".to_owned(), json::texts(&[id]));
        }
        "service_id" => {
            let policy = policy_of_service(&task, id).await?;
            search.insert("escalation_policy_ids".to_owned(), json::texts(&[policy]));
        }
        _ => {
            let policies = policies_of_team(&task, id).await?;
            if policies.is_empty() {
                return Ok(Vec::new());
            }
            search.insert("escalation_policy_ids".to_owned(), json::texts(&policies));
        }
    }
    if let Some(at) = at {
        // A range of one second is enough.
        search.insert("since".to_owned(), time::format(at).into());
        search.insert("until".to_owned(), time::format(at + 1).into());
    }
    let level = task.parameters.get("level").and_then(Value::as_u64);
    let at = at.unwrap_or_else(clock);
    let mut on_calls = task.other("on_call.list", search)?.records().await?;
    if on_calls.is_empty() && *what == "schedule_id" && level.is_none() {
        on_calls = in_schedule(&task, id, at).await?;
    }
    on_calls.retain(|one| {
        let own = one.get("escalation_level").and_then(Value::as_u64);
        (level.is_none() || own == level) && covers(one, at)
    });
    on_calls.sort_by_key(|one| one.get("escalation_level").and_then(Value::as_u64));
    Ok(on_calls.iter().map(|one| task.output(&json::text(one))).collect())
}

/// Who is on call in a schedule that no escalation policy uses: PagerDuty lists on-calls only for
/// policies. The records have no level and no policy.
async fn in_schedule(task: &Task, schedule: &str, at: i64) -> Result<Vec<Value>, Error> {
    let search = parameters([
        ("schedule_id", schedule.into()),
        ("since", time::format(at).into()),
        ("until", time::format(at + 1).into()),
    ]);
    let users = task.other("schedule.users", search)?.records().await?;
    let on_call = |user: Value| {
        let mut reference = json::Object::new();
        reference.text("id", schedule);
        reference.text("type", "schedule_reference");
        let mut one = json::Object::new();
        one.set("user", user);
        one.set("schedule", reference.build());
        for name in ["escalation_policy", "escalation_level", "start", "end"] {
            one.set(name, Value::Null);
        }
        one.build()
    };
    Ok(users.into_iter().map(on_call).collect())
}

/// Whether an on-call includes a time; without a start or an end it is unlimited.
fn covers(on_call: &Value, at: i64) -> bool {
    let time = |name: &str| on_call.get(name).and_then(Value::as_str).and_then(time::parse);
    time("start").is_none_or(|start| start <= at) && time("end").is_none_or(|end| end > at)
}

async fn policy_of_service(task: &Task, service: &str) -> Result<String, Error> {
    let get = task.other("service.get", parameters([("service_id", service.into())]))?;
    let services = get.records().await?;
    let policy = services.first().and_then(|one| one.get("escalation_policy")?.get("id")?.as_str());
    policy.map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "The service has no visible escalation policy.")
    })
}

async fn policies_of_team(task: &Task, team: &str) -> Result<Vec<String>, Error> {
    let mut search: Map<String, Value> = parameters([("all", true.into())]);
    search.insert("team_ids".to_owned(), json::texts(&[team]));
    let policies = task.other("escalation_policy.list", search)?.records().await?;
    let id = |one: &Value| one.get("id").and_then(Value::as_str).map(str::to_owned);
    Ok(policies.iter().filter_map(id).collect())
}
