//! On-calls: users in policies without an end, and users on schedules in turns.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::passes;
use crate::clock::written;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[("listOnCalls", list)];

/// How far ahead on-calls are computed, in days.
const FURTHEST: i64 = 90;

/// One on-call.
struct OnCall<'a> {
    policy: &'a str,
    level: usize,
    user: String,
    schedule: Option<&'a str>,
    /// None if it has no end.
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let days = |number: i64| SignedDuration::from_secs(number * 24 * 3600);
    let horizon = call.now.checked_add(days(FURTHEST)).unwrap_or(Timestamp::MAX);
    let (since, until) = call.window();
    let since = since.unwrap_or(call.now);
    let until = until.unwrap_or_else(|| since.max(call.now)).min(horizon).max(since);
    let policies = call.query.all("escalation_policy_ids[]");
    let schedules = call.query.all("schedule_ids[]");
    let users = call.query.all("user_ids[]");

    let mut found: Vec<OnCall<'_>> = Vec::new();
    let sight = call.sight();
    for policy in state.policies.iter().filter(|policy| passes(&policies, &policy.id)) {
        if !sight.sees(&policy.team_ids) {
            continue;
        }
        for (level, people) in policy.levels.iter().enumerate() {
            let line = |user: &str| OnCall {
                policy: &policy.id,
                level: level + 1,
                user: user.to_owned(),
                schedule: None,
                start: None,
                end: None,
            };
            // Users directly in the policy have no schedule.
            if schedules.is_empty() {
                found.extend(people.iter().map(|user| line(user)));
            }
            let tables = policy.schedules.get(level).into_iter().flatten();
            for schedule in tables.filter_map(|id| state.schedule(id)) {
                if !passes(&schedules, &schedule.id) || !sight.sees(&schedule.team_ids) {
                    continue;
                }
                let last = until.checked_add(days(31)).unwrap_or(Timestamp::MAX);
                found.extend(schedule.whole_entries(since, until).into_iter().map(|entry| {
                    OnCall {
                        schedule: Some(&schedule.id),
                        start: Some(entry.start),
                        end: Some(entry.end).filter(|end| *end < last),
                        ..line(&entry.user_id)
                    }
                }));
            }
        }
    }
    found.retain(|line| passes(&users, &line.user));
    found.sort_by(|one, other| {
        (one.policy, one.level, one.start).cmp(&(other.policy, other.level, other.start))
    });
    if call.query.flag("earliest") {
        let mut seen = Vec::new();
        found.retain(|line| {
            let key = (line.policy, line.level, line.user.clone());
            let first = !seen.contains(&key);
            seen.push(key);
            first
        });
    }
    let include = call.query.includes();
    let has = |name: &str| include.contains(&name);
    Ok(paging::reply(call.operation, &call.page(), found, |line| {
        let user = match state.user(&line.user) {
            Some(user) if has("users") => state.user_json(user, &[]),
            _ => state.user_reference(&line.user),
        };
        let policy = match state.policy(line.policy) {
            Some(policy) if has("escalation_policies") => state.policy_json(policy, &[]),
            _ => state.policy_reference(line.policy),
        };
        let schedule = match line.schedule {
            Some(id) if has("schedules") => {
                state.schedule(id).map_or(Value::Null, |one| state.schedule_json(one))
            }
            Some(id) => state.schedule_reference(id),
            None => Value::Null,
        };
        json!({
            "escalation_policy": policy,
            "escalation_level": line.level,
            "schedule": schedule,
            "user": user,
            "start": line.start.map(written),
            "end": line.end.map(written),
        })
        .to_string()
    }))
}
