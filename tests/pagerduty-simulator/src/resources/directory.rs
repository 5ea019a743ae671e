//! Lists that change rarely: policies, priorities, abilities, teams, schedules, who is on call.

use serde_json::{Value, json};

use super::{any_passes, passes, resembles};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::state::directory::{EscalationPolicy, Priority, Schedule, Team};

pub(crate) fn policies(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let query = call.query.one("query");
    let teams = call.query.all("team_ids[]");
    let users = call.query.all("user_ids[]");
    let include = call.query.includes();
    let mut matching: Vec<&EscalationPolicy> = state
        .policies
        .iter()
        .filter(|policy| {
            resembles(&policy.name, query)
                && any_passes(&teams, &policy.team_ids)
                && (users.is_empty() || policy.levels.iter().any(|l| any_passes(&users, l)))
        })
        .collect();
    matching.sort_by(|one, other| one.name.cmp(&other.name));
    if call.query.one("sort_by") == Some("name:desc") {
        matching.reverse();
    }
    Ok(Reply::page_of("escalation_policies", &matching, &call.query.page(), |policy| {
        state.policy_json(policy, &include).to_string()
    }))
}

pub(crate) fn policy(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let policy = call.state.policy(call.capture(0)).ok_or_else(Refusal::not_found)?;
    let policy = call.state.policy_json(policy, &call.query.includes());
    Ok(Reply::wrapped(200, "escalation_policy", &policy.to_string()))
}

pub(crate) fn priorities(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let all: Vec<&Priority> = state.priorities.iter().collect();
    Ok(Reply::page_of("priorities", &all, &call.query.page(), |priority| {
        state.priority_json(priority).to_string()
    }))
}

pub(crate) fn abilities(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let names: Vec<&String> =
        call.state.abilities.iter().filter(|(_, has)| **has).map(|(name, _)| name).collect();
    Ok(Reply::json(200, &json!({"abilities": names})))
}

pub(crate) fn ability(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    match call.state.abilities.get(call.capture(0)) {
        None => Err(Refusal::not_found()),
        Some(true) => Ok(Reply::no_content()),
        Some(false) => Err(Refusal::coded(402, 2014, "Account does not have the ability")),
    }
}

pub(crate) fn teams(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let query = call.query.one("query");
    let matching: Vec<&Team> =
        state.teams.iter().filter(|team| resembles(&team.name, query)).collect();
    Ok(Reply::page_of("teams", &matching, &call.query.page(), |team| {
        state.team_json(team).to_string()
    }))
}

pub(crate) fn team(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let wanted = call.capture(0);
    let team = state.teams.iter().find(|team| team.id == wanted).ok_or_else(Refusal::not_found)?;
    Ok(Reply::wrapped(200, "team", &state.team_json(team).to_string()))
}

pub(crate) fn schedules(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let query = call.query.one("query");
    let matching: Vec<&Schedule> =
        state.schedules.iter().filter(|schedule| resembles(&schedule.name, query)).collect();
    Ok(Reply::page_of("schedules", &matching, &call.query.page(), |schedule| {
        state.schedule_json(schedule).to_string()
    }))
}

pub(crate) fn schedule(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let wanted = call.capture(0);
    let schedule = state.schedules.iter().find(|schedule| schedule.id == wanted);
    let schedule = schedule.ok_or_else(Refusal::not_found)?;
    Ok(Reply::wrapped(200, "schedule", &state.schedule_json(schedule).to_string()))
}

/// Every user of every level is on call for ever, so `start` and `end` are null.
pub(crate) fn on_calls(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    call.window()?;
    let state = &*call.state;
    let include = call.query.includes();
    let users = call.query.all("user_ids[]");
    let policies = call.query.all("escalation_policy_ids[]");
    // People stand in the policies themselves, so no entry comes from a schedule.
    let from_schedules = !call.query.all("schedule_ids[]").is_empty();
    let mut matching: Vec<(&EscalationPolicy, usize, &String)> = Vec::new();
    for policy in state.policies.iter().filter(|policy| passes(&policies, &policy.id)) {
        for (level, people) in policy.levels.iter().enumerate() {
            let people = people.iter().filter(|id| passes(&users, id) && !from_schedules);
            matching.extend(people.map(|user| (policy, level + 1, user)));
        }
    }
    Ok(Reply::page_of("oncalls", &matching, &call.query.page(), |(policy, level, user)| {
        let whole_user = state.user(user).filter(|_| include.contains(&"users"));
        let policy_json: Value = if include.contains(&"escalation_policies") {
            state.policy_json(policy, &[])
        } else {
            state.policy_reference(&policy.id)
        };
        json!({
            "escalation_policy": policy_json,
            "escalation_level": level,
            "schedule": null,
            "user": whole_user
                .map_or_else(|| state.user_reference(user), |user| state.user_json(user, &[])),
            "start": null,
            "end": null,
        })
        .to_string()
    }))
}
