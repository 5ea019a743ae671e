//! Teams, their members, and their policies.

use serde_json::json;

use super::{resembles, rest, text};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::directory::{Team, User};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listTeams", list),
    ("getTeam", get),
    ("createTeam", create),
    ("updateTeam", update),
    ("deleteTeam", delete),
    ("listTeamUsers", members),
    ("updateTeamUser", add_user),
    ("deleteTeamUser", remove_user),
    ("updateTeamEscalationPolicy", add_policy),
    ("deleteTeamEscalationPolicy", remove_policy),
];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let query = call.query.one("query");
    let sight = call.sight();
    let sees = |team: &Team| sight.sees(std::slice::from_ref(&team.id));
    let matching: Vec<&Team> =
        state.teams.iter().filter(|team| resembles(&team.name, query) && sees(team)).collect();
    Ok(paging::reply(call.operation, &call.page(), matching, |team| {
        state.team_json(team).to_string()
    }))
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let team = call.state.team(call.capture(0)).ok_or_else(Refusal::not_found)?;
    let mut team = call.state.team_json(team);
    if call.query.includes().contains(&"privileges") {
        team["privileges"] = json!([{"permissions": ["team_view", "team_edit"]}]);
    }
    Ok(call.answer(&team))
}

/// Refuses a duplicate name.
fn judge(call: &Call<'_>, own: Option<&str>) -> Result<(), Refusal> {
    let name = call.body["team"]["name"].as_str();
    let taken = |team: &&Team| Some(team.name.as_str()) == name && Some(team.id.as_str()) != own;
    match call.state.teams.iter().find(taken) {
        Some(_) => Err(Refusal::invalid(["Name has already been taken"])),
        None => Ok(()),
    }
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    judge(call, None)?;
    let given = call.body["team"].clone();
    let id = call.state.ids.next('P', "team");
    let team =
        Team { id, name: text(&given["name"]).unwrap_or_default(), more: rest(&given, &["name"]) };
    let shown = call.state.team_json(&team);
    call.state.teams.push(team);
    Ok(call.answer(&shown))
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    call.state.team(&id).ok_or_else(Refusal::not_found)?;
    judge(call, Some(&id))?;
    let given = call.body["team"].clone();
    let teams = &mut call.state.teams;
    let team = teams.iter_mut().find(|team| team.id == id).ok_or_else(Refusal::not_found)?;
    if let Some(name) = text(&given["name"]) {
        team.name = name;
    }
    team.more.extend(rest(&given, &["name"]));
    let team = team.clone();
    Ok(call.answer(&call.state.team_json(&team)))
}

/// Open incidents of the team are moved to another team if one is given.
fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    call.state.team(&id).ok_or_else(Refusal::not_found)?;
    let heir = call.query.one("reassignment_team").map(str::to_owned);
    if heir.as_ref().is_some_and(|heir| *heir == id || call.state.team(heir).is_none()) {
        return Err(Refusal::coded(400, 6001, "Team Not Found"));
    }
    let state = &mut *call.state;
    let pass_on = |teams: &mut Vec<String>| {
        if let Some(place) = teams.iter().position(|team| *team == id) {
            teams.remove(place);
            teams.extend(heir.clone().filter(|heir| !teams.contains(heir)));
        }
    };
    state.services.iter_mut().for_each(|service| pass_on(&mut service.team_ids));
    state.policies.iter_mut().for_each(|policy| pass_on(&mut policy.team_ids));
    state.users.iter_mut().for_each(|user| user.team_ids.retain(|team| *team != id));
    state.team_roles.retain(|(team, _), _| *team != id);
    state.teams.retain(|team| team.id != id);
    state.stale();
    Ok(call.done())
}

fn role(call: &Call<'_>, team: &str, user: &User) -> String {
    let given = call.state.team_roles.get(&(team.to_owned(), user.id.clone())).cloned();
    given.unwrap_or_else(|| match user.role.as_str() {
        "read_only_user" | "observer" => "observer".to_owned(),
        _ => "manager".to_owned(),
    })
}

fn members(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let team = call.capture(0);
    let whole = call.query.includes().contains(&"users");
    let state = &*call.state;
    let members: Vec<&User> =
        state.users.iter().filter(|user| user.team_ids.iter().any(|id| id == team)).collect();
    Ok(paging::reply(call.operation, &call.page(), members, |user| {
        let shown = match whole {
            true => state.user_json(user, &[]),
            false => state.user_reference(&user.id),
        };
        json!({"user": shown, "role": role(call, team, user)}).to_string()
    }))
}

fn add_user(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (team, user) = (call.capture(0).to_owned(), call.capture(1).to_owned());
    let role = text(&call.body["role"]);
    let users = &mut call.state.users;
    let found = users.iter_mut().find(|one| one.id == user).ok_or_else(Refusal::not_found)?;
    if !found.team_ids.contains(&team) {
        found.team_ids.push(team.clone());
    }
    if let Some(role) = role {
        call.state.team_roles.insert((team, user), role);
    }
    Ok(call.done())
}

fn remove_user(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (team, user) = (call.capture(0).to_owned(), call.capture(1).to_owned());
    let users = &mut call.state.users;
    let found = users.iter_mut().find(|one| one.id == user && one.team_ids.contains(&team));
    found.ok_or_else(Refusal::not_found)?.team_ids.retain(|id| *id != team);
    call.state.team_roles.remove(&(team, user));
    Ok(call.done())
}

fn add_policy(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (team, policy) = (call.capture(0).to_owned(), call.capture(1).to_owned());
    let policies = &mut call.state.policies;
    let found = policies.iter_mut().find(|one| one.id == policy).ok_or_else(Refusal::not_found)?;
    if !found.team_ids.contains(&team) {
        found.team_ids.push(team);
    }
    Ok(call.done())
}

fn remove_policy(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (team, policy) = (call.capture(0).to_owned(), call.capture(1).to_owned());
    let policies = &mut call.state.policies;
    let found = policies.iter_mut().find(|one| one.id == policy && one.team_ids.contains(&team));
    found.ok_or_else(Refusal::not_found)?.team_ids.retain(|id| *id != team);
    Ok(call.done())
}
