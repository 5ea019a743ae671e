//! Maintenance windows.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ids;
use crate::clock::{self, written};
use crate::engine::{documents, lists};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listMaintenanceWindows", list),
    ("createMaintenanceWindow", create),
    ("updateMaintenanceWindow", update),
    ("deleteMaintenanceWindow", delete),
];

const HOME: &str = "/maintenance_windows";

fn moment(window: &Value, name: &str) -> Timestamp {
    window[name].as_str().and_then(clock::read).unwrap_or_default()
}

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let services = call.query.all("service_ids[]");
    let teams = call.query.all("team_ids[]");
    let now = call.now;
    let fits = |window: &Value| {
        let (start, end) = (moment(window, "start_time"), moment(window, "end_time"));
        let time = match call.query.one("filter").unwrap_or("all") {
            "past" => end <= now,
            "future" => start > now,
            "ongoing" => start <= now && now < end,
            "open" => now < end,
            _ => true,
        };
        let of_team = |id: &String| {
            let service = call.state.service(id);
            service.is_some_and(|one| one.team_ids.iter().any(|t| teams.contains(&t.as_str())))
        };
        let window_services = ids(&window["services"]);
        let text = window["description"].as_str().unwrap_or_default();
        time && super::resembles(text, call.query.one("query"))
            && super::any_passes(&services, &window_services)
            && (teams.is_empty() || window_services.iter().any(of_team))
    };
    let windows = call.state.store.all(HOME).filter(|(_, window)| fits(window));
    let windows = windows.map(|(place, window)| (place, window.clone())).collect();
    Ok(lists::page(call, windows))
}

/// Refuses ranges that are in the past or reversed. Members that a change does not contain stay
/// unchanged.
fn judge(call: &Call<'_>, old: &Value) -> Result<(), Refusal> {
    let given = &call.body["maintenance_window"];
    let of = |name: &str| moment(if given[name].is_null() { old } else { given }, name);
    let (start, end) = (of("start_time"), of("end_time"));
    if end <= start {
        return Err(Refusal::invalid(["End time must be after start time"]));
    }
    if end <= call.now {
        return Err(Refusal::coded(400, 5003, "Maintenance Window Is In The Past"));
    }
    Ok(())
}

/// Complete references, the teams that follow from them, and a start that is not in the past.
fn settle(call: &mut Call<'_>, window: Value) -> Result<Value, Refusal> {
    let state = &*call.state;
    let service_ids = ids(&window["services"]);
    let services: Vec<Value> = service_ids.iter().map(|id| state.service_reference(id)).collect();
    let mut team_ids: Vec<String> = service_ids
        .iter()
        .filter_map(|id| state.service(id))
        .flat_map(|service| service.team_ids.clone())
        .collect();
    team_ids.sort();
    team_ids.dedup();
    let teams = state.teams_json(&team_ids, false);
    let start = moment(&window, "start_time").max(call.now);
    let id = window["id"].as_str().unwrap_or_default().to_owned();
    let by = call.user.as_ref().map(|user| state.user_reference(user));
    let kept = call.state.store.get_mut(HOME, &id).ok_or_else(Refusal::not_found)?;
    kept["services"] = json!(services);
    kept["teams"] = json!(teams);
    if moment(&window, "start_time") < call.now && window.get("sequence_number").is_none() {
        kept["start_time"] = json!(written(start));
    }
    if kept.get("sequence_number").is_none() {
        kept["sequence_number"] = json!(1);
        kept["created_by"] = by.unwrap_or_default();
    }
    Ok(kept.clone())
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    judge(call, &Value::Null)?;
    let window = documents::created(call)?;
    let window = settle(call, window)?;
    Ok(call.answer(&window))
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let old = documents::found(call)?;
    judge(call, &old)?;
    if moment(&old, "end_time") <= call.now {
        return Err(Refusal::coded(400, 5003, "Maintenance Window Is In The Past"));
    }
    let window = documents::updated(call)?;
    let window = settle(call, window)?;
    Ok(call.answer(&window))
}

/// Deletes a future window, ends a current one, and keeps a past one.
fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let window = documents::found(call)?;
    if moment(&window, "end_time") <= call.now {
        return Err(Refusal::coded(405, 5003, "Maintenance Window Is In The Past"));
    }
    if moment(&window, "start_time") > call.now {
        documents::deleted(call)?;
    } else {
        let (id, now) = (call.capture(0).to_owned(), written(call.now));
        let kept = call.state.store.get_mut(HOME, &id).ok_or_else(Refusal::not_found)?;
        kept["end_time"] = json!(now);
    }
    Ok(call.done())
}
