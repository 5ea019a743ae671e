//! Sums and means over incidents, by service, team, policy, and period.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::answer;
use super::filters::{self, count, lets};
use super::raw::{first, seconds, user_rows};
use crate::clock::written;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::state::State;
use crate::state::incident::Incident;
use crate::state::log::Agent;

/// Name of a group, by its ID.
type Named = (String, String);

fn mean(values: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    let known: Vec<i64> = values.flatten().collect();
    let number = i64::try_from(known.len()).ok().filter(|number| *number > 0)?;
    Some(known.iter().sum::<i64>() / number)
}

fn figures(state: &State, group: &[&Incident]) -> Value {
    let acknowledged = |one: &&Incident| {
        seconds(one.created_at, first(state, one, "acknowledge").map(|(at, _)| at))
    };
    let sum = |kind: &str| group.iter().map(|one| count(state, one, kind)).sum::<usize>();
    let resolved = group.iter().filter(|one| one.resolved_at.is_some()).count();
    let taken = group.iter().filter(|one| acknowledged(one).is_some()).count();
    json!({
        "total_incident_count": group.len(),
        "total_incidents_acknowledged": taken,
        "total_incidents_auto_resolved": group
            .iter()
            .filter(|one| matches!(first(state, one, "resolve"), Some((_, Agent::Service(_)))))
            .count(),
        "total_incidents_manual_escalated": group
            .iter()
            .filter(|one| count(state, one, "escalate") > 0)
            .count(),
        "total_incidents_timeout_escalated": 0,
        "total_incidents_reassigned": group
            .iter()
            .filter(|one| count(state, one, "assign") > 1)
            .count(),
        "total_major_incidents": group.iter().filter(|one| filters::is_major(state, one)).count(),
        "total_resolved_incidents": resolved,
        "total_escalation_count": sum("escalate"),
        "total_interruptions": sum("assign"),
        "total_notifications": sum("assign"),
        "total_business_hour_interruptions": sum("assign"),
        "total_off_hour_interruptions": 0,
        "total_sleep_hour_interruptions": 0,
        "total_snoozed_seconds": 0,
        "total_engaged_seconds": 0,
        "mean_seconds_to_first_ack": mean(group.iter().map(acknowledged)),
        "mean_seconds_to_engage": mean(group.iter().map(acknowledged)),
        "mean_seconds_to_mobilize": null,
        "mean_seconds_to_resolve": mean(
            group.iter().map(|one| seconds(one.created_at, one.resolved_at)),
        ),
        "mean_assignment_count": mean(
            group.iter().map(|one| i64::try_from(count(state, one, "assign")).ok()),
        ),
        "up_time_pct": 100.0,
    })
}

/// Start of the day, week, or month of an incident.
fn range(unit: Option<&str>, one: &Incident) -> String {
    let Some(unit) = unit else { return String::new() };
    let day = one.created_at.to_zoned(TimeZone::UTC).date();
    let first = match unit {
        "week" => {
            let back = i64::from(day.weekday().to_monday_zero_offset());
            day.checked_sub(jiff::Span::new().days(back)).unwrap_or(day)
        }
        "month" => day.first_of_month(),
        _ => day,
    };
    first.to_zoned(TimeZone::UTC).map(|zoned| written(zoned.timestamp())).unwrap_or_default()
}

/// One row per group and period. An incident of two teams counts for both.
fn rows(
    call: &Call<'_>,
    kind: &str,
    groups: impl Fn(&State, &Incident) -> Vec<Named>,
) -> Result<Vec<Value>, Refusal> {
    let state = &*call.state;
    let unit = call.body["aggregate_unit"].as_str();
    let mut found: BTreeMap<(Named, String), Vec<&Incident>> = BTreeMap::new();
    for (_, one) in filters::incidents(call)? {
        for group in groups(state, one) {
            found.entry((group, range(unit, one))).or_default().push(one);
        }
    }
    let mut rows: Vec<Value> = found
        .iter()
        .map(|(((id, name), start), group)| {
            let mut row = figures(state, group);
            if !kind.is_empty() {
                row[format!("{kind}_id")] = json!(id);
                row[format!("{kind}_name")] = json!(name);
            }
            if !start.is_empty() {
                row["range_start"] = json!(start);
            }
            row
        })
        .collect();
    if let Some(by) = call.body["order_by"].as_str() {
        rows.sort_by(|one, other| {
            let key = |row: &Value| (row[by].as_str().map(str::to_owned), row[by].as_i64());
            key(one).cmp(&key(other))
        });
        if call.body["order"] == "desc" {
            rows.reverse();
        }
    }
    Ok(rows)
}

pub(super) fn all(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let everything = |_: &State, _: &Incident| vec![(String::new(), String::new())];
    Ok(answer(call, rows(call, "", everything)?))
}

pub(super) fn by_service(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let service = |state: &State, one: &Incident| {
        let name = state.service(&one.service_id).map(|service| service.name.clone());
        vec![(one.service_id.clone(), name.unwrap_or_default())]
    };
    Ok(answer(call, rows(call, "service", service)?))
}

pub(super) fn by_policy(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let policy = |state: &State, one: &Incident| {
        let name = state.policy(&one.escalation_policy_id).map(|policy| policy.name.clone());
        vec![(one.escalation_policy_id.clone(), name.unwrap_or_default())]
    };
    Ok(answer(call, rows(call, "escalation_policy", policy)?))
}

pub(super) fn by_team(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let teams = |state: &State, one: &Incident| -> Vec<Named> {
        let service = state.service(&one.service_id);
        let ids = service.map_or(&[][..], |service| &service.team_ids);
        let named = |id: &String| {
            (id.clone(), state.team(id).map(|team| team.name.clone()).unwrap_or_default())
        };
        ids.iter().map(named).collect()
    };
    Ok(answer(call, rows(call, "team", teams)?))
}

/// One row for each user who may be notified about incidents.
fn responder_rows(call: &Call<'_>) -> Result<Vec<Value>, Refusal> {
    let filters = &call.body["filters"];
    let from = filters::moment(filters, "date_range_start")?;
    let to = filters::moment(filters, "date_range_end")?;
    let state = &*call.state;
    let mut rows = Vec::new();
    for user in &state.users {
        let teams: Vec<&str> = user.team_ids.iter().map(String::as_str).collect();
        if !lets(filters, "responder_ids", &[&user.id]) || !lets(filters, "team_ids", &teams) {
            continue;
        }
        let own = Agent::User(user.id.clone());
        let did = |kind: &str| {
            let entries = state.log_entries.iter().filter(|entry| {
                entry.agent == own
                    && entry.kind == kind
                    && from.is_none_or(|from| entry.at >= from)
                    && to.is_none_or(|to| entry.at < to)
            });
            entries.count()
        };
        let told = state.incidents.iter().filter(|one| one.assignee_ids.contains(&user.id)).count();
        rows.push(json!({
            "responder_id": user.id,
            "responder_name": user.name,
            "team_id": user.team_ids.first(),
            "team_name": user
                .team_ids
                .first()
                .and_then(|id| state.team(id))
                .map(|team| team.name.clone()),
            "total_incident_count": told,
            "total_incidents_acknowledged": did("acknowledge"),
            "total_incidents_manual_escalated_from": did("escalate"),
            "total_incidents_reassigned_from": 0,
            "total_notifications": told,
            "total_interruptions": told,
            "total_seconds_on_call": 0,
            "mean_time_to_acknowledge_seconds": null,
        }));
    }
    Ok(rows)
}

pub(super) fn responders(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(answer(call, responder_rows(call)?))
}

pub(super) fn responders_by_team(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let rows = responder_rows(call)?.into_iter().filter(|row| row["team_id"].is_string());
    Ok(answer(call, rows.collect()))
}

/// Number of users per role.
pub(super) fn users(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let mut roles: BTreeMap<String, usize> = BTreeMap::new();
    for row in user_rows(call) {
        *roles.entry(row["role_id"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let rows = roles.into_iter().map(
        |(role, number)| json!({"role_id": role, "role_name": role, "total_user_count": number}),
    );
    Ok(answer(call, rows.collect()))
}

/// The simulator does not support these features.
pub(super) fn features(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    filters::incidents(call)?;
    let names = ["status_update", "postmortem", "catch_me_up"];
    let rows = names.map(|name| json!({"feature": name, "total_usage_count": 0, "total_users": 0}));
    Ok(answer(call, rows.to_vec()))
}
