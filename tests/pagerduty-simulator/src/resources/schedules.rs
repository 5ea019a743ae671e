//! Schedules with layers and overrides, and their users.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{any_passes, resembles, rest, text};
use crate::clock;
use crate::engine::references;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;
use crate::state::schedule_views::View;
use crate::state::schedules::{Layer, Override, Restriction, Schedule, time_zone};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listSchedules", list),
    ("getSchedule", get),
    ("createSchedule", create),
    ("createSchedulePreview", preview),
    ("updateSchedule", update),
    ("deleteSchedule", delete),
    ("listScheduleOverrides", overrides),
    ("createScheduleOverride", create_overrides),
    ("deleteScheduleOverride", delete_override),
    ("listScheduleUsers", users),
];

/// Maximum range that is rendered, in days.
const LONGEST: i64 = 100;

fn found<'a>(call: &'a Call<'_>) -> Result<&'a Schedule, Refusal> {
    call.state.schedule(call.capture(0)).ok_or_else(Refusal::not_found)
}

fn found_mut<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Schedule, Refusal> {
    let id = call.capture(0).to_owned();
    let schedules = &mut call.state.schedules;
    schedules.iter_mut().find(|schedule| schedule.id == id).ok_or_else(Refusal::not_found)
}

/// The rendered range, which needs both ends.
fn view<'a>(call: &'a Call<'_>) -> Result<View<'a>, Refusal> {
    let within = match call.window() {
        (Some(since), Some(until)) => {
            let days = (until.as_second() - since.as_second()) / 86_400;
            if days > LONGEST {
                return Err(Refusal::coded(400, 2005, "Invalid Date Range"));
            }
            Some((since, until))
        }
        _ => None,
    };
    let next_for = call.query.one("include_next_oncall_for_user");
    Ok(View {
        within,
        overflow: call.query.flag("overflow"),
        layers: true,
        overrides: true,
        result: true,
        next_for,
    })
}

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let query = call.query.one("query");
    let teams = call.query.all("team_ids[]");
    let include = call.query.includes();
    let sight = call.sight();
    let view = View {
        layers: include.contains(&"schedule_layers"),
        overrides: include.contains(&"overrides_subschedule"),
        result: include.contains(&"final_schedule"),
        ..view(call)?
    };
    let matching: Vec<&Schedule> = state
        .schedules
        .iter()
        .filter(|one| resembles(&one.name, query) && any_passes(&teams, &one.team_ids))
        .filter(|one| sight.sees(&one.team_ids))
        .collect();
    Ok(paging::reply(call.operation, &call.page(), matching, |schedule| {
        state.schedule_view(schedule, &view).to_string()
    }))
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(call.answer(&call.state.schedule_view(found(call)?, &view(call)?)))
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(clock::read)
}

fn layer(state: &mut State, given: &Value) -> Result<Layer, Refusal> {
    let start = moment(&given["start"]).unwrap_or_default();
    let end = moment(&given["end"]);
    if end.is_some_and(|end| end <= start) {
        return Err(Refusal::coded(400, 3001, "A layer must end after its start"));
    }
    let restrictions = given["restrictions"].as_array().into_iter().flatten();
    let restrictions = restrictions.map(|one| Restriction {
        start: one["start_time_of_day"].as_str().and_then(|t| t.parse().ok()).unwrap_or_default(),
        seconds: one["duration_seconds"].as_i64().unwrap_or_default(),
        weekday: (one["type"] == "weekly_restriction")
            .then(|| one["start_day_of_week"].as_i64().unwrap_or(1).try_into().unwrap_or(1)),
    });
    let users = given["users"].as_array().into_iter().flatten();
    Ok(Layer {
        id: text(&given["id"]).unwrap_or_else(|| state.ids.next('P', "schedule layer")),
        name: text(&given["name"]).unwrap_or_else(|| "Layer".to_owned()),
        start,
        end,
        virtual_start: moment(&given["rotation_virtual_start"]).unwrap_or(start),
        turn_seconds: given["rotation_turn_length_seconds"].as_i64().unwrap_or(86_400),
        users: users.filter_map(|one| text(&one["user"]["id"])).collect(),
        restrictions: restrictions.collect(),
    })
}

/// A schedule from the body, validated, with the ID of an existing one if there is one.
fn read(call: &mut Call<'_>, old: Option<Schedule>) -> Result<Schedule, Refusal> {
    references::check(call)?;
    let given = call.body["schedule"].clone();
    let known = old.as_ref().map(|old| old.time_zone.clone());
    let zone = text(&given["time_zone"]).or(known).unwrap_or_default();
    if time_zone(&zone).is_none() {
        return Err(Refusal::coded(400, 3001, "Invalid Schedule: the time zone is not known"));
    }
    let layers = match (given["schedule_layers"].as_array(), &old) {
        (None, None) => Vec::new(),
        (None, Some(old)) => old.layers.clone(),
        (Some(layers), _) => {
            layers.iter().map(|one| layer(call.state, one)).collect::<Result<_, _>>()?
        }
    };
    let first = layers.first().and_then(|layer: &Layer| layer.users.first()).cloned();
    let named = text(&given["name"]);
    let (id, name, overrides, teams, mut more) = match old {
        Some(old) => (Some(old.id), old.name, old.overrides, old.team_ids, old.more),
        None => (None, "Schedule".to_owned(), Vec::new(), Vec::new(), Default::default()),
    };
    let teams = match given["teams"].as_array() {
        Some(given) => given.iter().filter_map(|one| text(&one["id"])).collect(),
        None => teams,
    };
    more.extend(rest(
        &given,
        &[
            "name",
            "time_zone",
            "schedule_layers",
            "final_schedule",
            "overrides_subschedule",
            "next_oncall_for_user",
            "users",
            "teams",
            "escalation_policies",
        ],
    ));
    Ok(Schedule {
        id: id.unwrap_or_default(),
        name: named.unwrap_or(name),
        user_id: first.unwrap_or_default(),
        time_zone: zone,
        layers,
        overrides,
        team_ids: teams,
        more,
    })
}

fn whole() -> View<'static> {
    View { layers: true, overrides: true, result: true, ..View::default() }
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let mut schedule = read(call, None)?;
    schedule.id = call.state.ids.next('P', "schedule");
    let shown = call.state.schedule_view(&schedule, &whole());
    call.state.schedules.push(schedule);
    Ok(call.answer(&shown))
}

/// Previews a schedule without storing it.
fn preview(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let schedule = read(call, None)?;
    Ok(call.answer(&call.state.schedule_view(&schedule, &view(call)?)))
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let old = found(call)?.clone();
    let schedule = read(call, Some(old))?;
    let shown = call.state.schedule_view(&schedule, &whole());
    *found_mut(call)? = schedule;
    Ok(call.answer(&shown))
}

fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = found(call)?.id.clone();
    if call.state.policies.iter().any(|policy| policy.schedules.iter().flatten().any(|s| *s == id))
    {
        let error = "Schedule can't be deleted if it's being used by escalation policies";
        return Err(Refusal::coded(400, 3001, error));
    }
    call.state.schedules.retain(|schedule| schedule.id != id);
    Ok(call.done())
}

fn overrides(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (Some(since), Some(until)) = call.window() else {
        return Err(Refusal::coded(400, 2004, "Invalid since/until parameter"));
    };
    let editable = call.query.flag("editable");
    let overrides: Vec<Value> = found(call)?
        .overrides
        .iter()
        .filter(|one| one.start < until && one.end > since)
        .filter(|one| !editable || one.end > call.now)
        .map(|one| {
            let clipped = match call.query.flag("overflow") {
                true => one.clone(),
                false => {
                    Override { start: one.start.max(since), end: one.end.min(until), ..one.clone() }
                }
            };
            call.state.override_json(&clipped)
        })
        .collect();
    Ok(call.answer(&json!(overrides)))
}

/// Each override is judged separately; the response contains the result of each.
fn create_overrides(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    found(call)?;
    let mut answers = Vec::new();
    for given in call.body["overrides"].as_array().cloned().unwrap_or_default() {
        answers.push(match override_of(call, &given) {
            Ok(one) => {
                let shown = call.state.override_json(&one);
                found_mut(call)?.overrides.push(one);
                json!({"status": 201, "override": shown})
            }
            Err(error) => json!({"status": 400, "errors": [error], "override": given}),
        });
    }
    Ok(Reply::json(call.status(), &json!(answers)))
}

fn override_of(call: &mut Call<'_>, given: &Value) -> Result<Override, String> {
    let user_id = text(&given["user"]["id"]).unwrap_or_default();
    if call.state.user(&user_id).is_none() {
        return Err("Override user does not exist".to_owned());
    }
    let ends = moment(&given["start"]).zip(moment(&given["end"]));
    let (start, end) = ends.ok_or("Override start and end must be moments")?;
    if end <= start {
        return Err("Override must end after its start".to_owned());
    }
    if end <= call.now {
        return Err("Override must end in the future".to_owned());
    }
    // A range in the past cannot be overridden.
    let start = start.max(call.now.checked_sub(SignedDuration::from_secs(1)).unwrap_or(call.now));
    Ok(Override { id: call.state.ids.next('Q', "override"), start, end, user_id })
}

/// Deletes a future override, ends a current one, and keeps a past one.
fn delete_override(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (wanted, now) = (call.capture(1).to_owned(), call.now);
    let schedule = found_mut(call)?;
    let place = schedule.overrides.iter().position(|one| one.id == wanted);
    let place = place.ok_or_else(Refusal::not_found)?;
    let one = &mut schedule.overrides[place];
    if one.end <= now {
        return Err(Refusal::coded(400, 4004, "Override Is Over"));
    }
    if one.start <= now {
        one.end = now;
        return Ok(Reply::empty(200));
    }
    schedule.overrides.remove(place);
    Ok(Reply::empty(204))
}

/// Who is on call within a range; without one, everyone on the schedule.
fn users(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let schedule = found(call)?;
    let mut ids: Vec<String> = match call.window() {
        (Some(since), Some(until)) => {
            schedule.entries(since, until).into_iter().map(|entry| entry.user_id).collect()
        }
        _ => schedule.users().into_iter().cloned().collect(),
    };
    ids.sort();
    ids.dedup();
    let users = ids.iter().filter_map(|id| call.state.user(id));
    let users: Vec<Value> = users.map(|user| call.state.user_json(user, &[])).collect();
    Ok(call.answer(&json!(users)))
}
