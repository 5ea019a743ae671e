//! Escalation policies.

use serde_json::Value;

use super::{any_passes, ids, resembles, rest, text};
use crate::engine::references;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::directory::EscalationPolicy;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listEscalationPolicies", list),
    ("getEscalationPolicy", get),
    ("createEscalationPolicy", create),
    ("updateEscalationPolicy", update),
    ("deleteEscalationPolicy", delete),
];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let query = call.query.one("query");
    let teams = call.query.all("team_ids[]");
    let users = call.query.all("user_ids[]");
    let include = call.query.includes();
    let sight = call.sight();
    let mut matching: Vec<&EscalationPolicy> = state
        .policies
        .iter()
        .filter(|policy| {
            resembles(&policy.name, query)
                && any_passes(&teams, &policy.team_ids)
                && sight.sees(&policy.team_ids)
                && (users.is_empty() || policy.levels.iter().any(|l| any_passes(&users, l)))
        })
        .collect();
    matching.sort_by(|one, other| one.name.cmp(&other.name));
    if call.query.one("sort_by") == Some("name:desc") {
        matching.reverse();
    }
    Ok(paging::reply(call.operation, &call.page(), matching, |policy| {
        state.policy_json(policy, &include).to_string()
    }))
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let policy = call.state.policy(call.capture(0)).ok_or_else(Refusal::not_found)?;
    Ok(call.answer(&call.state.policy_json(policy, &call.query.includes())))
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    judge(call, None)?;
    let name = text(&call.body["escalation_policy"]["name"]).unwrap_or_default();
    let id = call.state.add_policy(&name, Vec::new(), &[]);
    apply(call, &id);
    answer(call, &id)
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    call.state.policy(&id).ok_or_else(Refusal::not_found)?;
    judge(call, Some(&id))?;
    apply(call, &id);
    answer(call, &id)
}

fn answer(call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
    let policy = call.state.policy(id).ok_or_else(Refusal::not_found)?;
    Ok(call.answer(&call.state.policy_json(policy, &[])))
}

fn judge(call: &Call<'_>, own: Option<&str>) -> Result<(), Refusal> {
    references::check(call)?;
    let name = call.body["escalation_policy"]["name"].as_str();
    let taken = |policy: &&EscalationPolicy| {
        Some(policy.name.as_str()) == name && Some(policy.id.as_str()) != own
    };
    match call.state.policies.iter().find(taken) {
        Some(_) => Err(Refusal::invalid(["Name has already been taken"])),
        None => Ok(()),
    }
}

fn apply(call: &mut Call<'_>, id: &str) {
    let given = call.body["escalation_policy"].clone();
    let Some(policy) = call.state.policies.iter_mut().find(|policy| policy.id == id) else {
        return;
    };
    if let Some(name) = text(&given["name"]) {
        policy.name = name;
    }
    if given["teams"].is_array() {
        policy.team_ids = ids(&given["teams"]);
    }
    if let Some(rules) = given["escalation_rules"].as_array() {
        let of = |rule: &Value, kind: &str| -> Vec<String> {
            let targets = rule["targets"].as_array().into_iter().flatten();
            let wanted = |target: &&Value| {
                target["type"].as_str().is_some_and(|text| text.starts_with(kind))
            };
            targets.filter(wanted).filter_map(|target| text(&target["id"])).collect()
        };
        policy.levels = rules.iter().map(|rule| of(rule, "user")).collect();
        policy.schedules = rules.iter().map(|rule| of(rule, "schedule")).collect();
        let delay = |rule: &Value| rule["escalation_delay_in_minutes"].as_i64().unwrap_or(30);
        policy.delays = rules.iter().map(delay).collect();
    }
    policy.more.extend(rest(&given, &["name", "teams", "escalation_rules", "services"]));
}

fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0);
    call.state.policy(id).ok_or_else(Refusal::not_found)?;
    if call.state.services.iter().any(|service| service.escalation_policy_id == id) {
        return Err(Refusal::invalid(["The escalation policy is used by a service"]));
    }
    let id = id.to_owned();
    call.state.policies.retain(|policy| policy.id != id);
    Ok(call.done())
}
