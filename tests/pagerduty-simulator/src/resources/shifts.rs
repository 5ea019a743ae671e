//! Schedules v3: shifts, and the overrides that cover them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::text;
use crate::clock::{self, written};
use crate::engine::{documents, lists};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::schedules::{Entry, cover};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listSchedulesV3", list),
    ("getScheduleV3", get),
    ("createCustomShifts", create),
    ("createOverrides", create),
];

/// Lists references: they have a summary and no name.
fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let schedules = call.state.store.all(&path).filter(|(_, one)| lists::passes(call, one));
    let references = schedules.map(|(place, one)| {
        let reference = json!({
            "id": one["id"], "type": "schedule_v3_reference", "summary": one["name"],
            "self": one["self"], "html_url": one["html_url"],
        });
        (place, reference)
    });
    let references = references.collect();
    Ok(lists::page(call, references))
}

/// Refuses shifts that end before they begin, then creates them together.
fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let lists = call.body.as_object().into_iter().flatten().map(|(_, list)| list);
    for shift in lists.filter_map(Value::as_array).flatten() {
        let moment = |name: &str| shift[name].as_str().and_then(clock::read);
        if moment("end_time") <= moment("start_time") {
            return Err(Refusal::invalid(["end_time must be after start_time"]));
        }
    }
    crate::engine::carry_out(call)
}

fn entry(shift: &Value, member: &Value) -> Option<Entry> {
    let moment = |name: &str| shift[name].as_str().and_then(clock::read);
    Some(Entry {
        start: moment("start_time")?,
        end: moment("end_time")?,
        user_id: text(&member["user_id"]).unwrap_or_default(),
    })
}

/// The result of shifts and overrides. Events of rotations are stored but not evaluated.
fn final_schedule(call: &Call<'_>, since: Timestamp, until: Timestamp) -> Value {
    let home = format!("/v3/schedules/{}", call.capture(0));
    let all = |name: &str| call.state.store.all(&format!("{home}/{name}"));
    let shifts = all("custom_shifts")
        .filter_map(|(_, shift)| entry(shift, &shift["assignments"][0]["member"]));
    let covered = shifts.fold(Vec::new(), |below, shift| cover(below, &[shift]));
    let overrides = all("overrides").filter_map(|(_, one)| entry(one, &one["overriding_member"]));
    let covered = overrides.fold(covered, |below, one| cover(below, &[one]));
    let shown: Vec<Value> = covered
        .into_iter()
        .filter(|one| one.start < until && one.end > since && !one.user_id.is_empty())
        .map(|one| {
            let (start, end) = match call.query.flag("overflow") {
                true => (one.start, one.end),
                false => (one.start.max(since), one.end.min(until)),
            };
            json!({
                "start_time": written(start), "end_time": written(end),
                "member": {"type": "user_member", "user_id": one.user_id},
            })
        })
        .collect();
    json!({"computed_shift_assignments": shown})
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let mut schedule = documents::found(call)?;
    let rotations = call.state.store.all(&format!("/v3/schedules/{}/rotations", call.capture(0)));
    schedule["rotations"] = rotations.map(|(_, one)| one.clone()).collect();
    if call.query.includes().contains(&"final_schedule") {
        let (since, until) = call.window();
        let since = since.unwrap_or(call.now);
        let week = SignedDuration::from_hours(7 * 24);
        let until = until.unwrap_or_else(|| since.checked_add(week).unwrap_or(since));
        schedule["final_schedule"] = final_schedule(call, since, until);
    }
    Ok(call.answer(&schedule))
}
