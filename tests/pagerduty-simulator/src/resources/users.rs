//! Users, and the user of a key.

use serde_json::{Value, json};

use super::{any_passes, resembles, rest, text};
use crate::engine::references;
use crate::errors::Refusal;
use crate::ids::secret;
use crate::judge::Call;
use crate::keys::TokenKind;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::directory::User;
use crate::state::incident::Status;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listUsers", list),
    ("getUser", get),
    ("getCurrentUser", me),
    ("createUser", create),
    ("updateUser", update),
    ("deleteUser", delete),
    ("regenerateUserPrivateUrlKey", regenerate),
];

/// The members with typed fields or derived values.
const TAKEN: [&str; 6] =
    ["name", "email", "role", "teams", "contact_methods", "notification_rules"];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let query = call.query.one("query");
    let teams = call.query.all("team_ids[]");
    let include = call.query.includes();
    let matching: Vec<&User> = state
        .users
        .iter()
        .filter(|user| {
            (resembles(&user.name, query) || resembles(&user.email, query))
                && any_passes(&teams, &user.team_ids)
        })
        .collect();
    Ok(paging::reply(call.operation, &call.page(), matching, |user| {
        state.user_json(user, &include).to_string()
    }))
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    answer(call, call.capture(0))
}

/// Only keys with a user have a current user.
fn me(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    match (call.key.kind, &call.user) {
        (_, Some(user)) => answer(call, user),
        (TokenKind::AppToken, None) => {
            Err(Refusal::plain("The current user is not known: the token belongs to an app"))
        }
        (_, None) => {
            let message = "The current user is not known: the key is an account-level access token";
            Err(Refusal::plain(message))
        }
    }
}

fn answer(call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
    let user = call.state.user(id).ok_or_else(Refusal::not_found)?;
    Ok(call.answer(&call.state.user_json(user, &call.query.includes())))
}

/// Refuses a duplicate address.
fn judge(call: &Call<'_>, own: Option<&str>) -> Result<(), Refusal> {
    references::check(call)?;
    let email = call.body["user"]["email"].as_str().unwrap_or_default();
    let taken =
        |user: &&User| user.email.eq_ignore_ascii_case(email) && Some(user.id.as_str()) != own;
    match call.state.users.iter().find(taken) {
        Some(_) => Err(Refusal::invalid(["Email has already been taken"])),
        None => Ok(()),
    }
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    judge(call, None)?;
    let given = call.body["user"].clone();
    let member = |name: &str| text(&given[name]);
    let role = member("role").unwrap_or_else(|| "user".to_owned());
    let (name, email) = (member("name"), member("email"));
    let id = call.state.add_user(&name.unwrap_or_default(), &email.unwrap_or_default(), &role, &[]);
    if let Some(user) = call.state.users.last_mut() {
        user.more = rest(&given, &TAKEN);
        user.more.insert("invitation_sent".to_owned(), Value::from(true));
    }
    answer(call, &id)
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    call.state.user(&id).ok_or_else(Refusal::not_found)?;
    judge(call, Some(&id))?;
    let given = call.body["user"].clone();
    let users = &mut call.state.users;
    let user = users.iter_mut().find(|user| user.id == id).ok_or_else(Refusal::not_found)?;
    for (name, place) in
        [("name", &mut user.name), ("email", &mut user.email), ("role", &mut user.role)]
    {
        if let Some(value) = text(&given[name]) {
            *place = value;
        }
    }
    user.more.extend(rest(&given, &TAKEN));
    call.state.stale();
    answer(call, &id)
}

/// A user with open incidents cannot be deleted.
fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    call.state.user(&id).ok_or_else(Refusal::not_found)?;
    let holds =
        call.state.incidents.iter().any(|incident| {
            incident.status != Status::Resolved && incident.assignee_ids.contains(&id)
        });
    if holds {
        return Err(Refusal::invalid(["The user still has open incidents"]));
    }
    let state = &mut *call.state;
    for policy in &mut state.policies {
        policy.levels.iter_mut().for_each(|level| level.retain(|user| *user != id));
    }
    for layer in state.schedules.iter_mut().flat_map(|schedule| &mut schedule.layers) {
        layer.users.retain(|user| *user != id);
    }
    state.users.retain(|user| user.id != id);
    state.store.forget(&format!("/users/{id}"));
    state.subscriptions.retain(|one| one.subscriber.1 != id);
    state.key_ring.revoke_all_of(&id);
    Ok(call.done())
}

fn regenerate(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::json(call.status(), &json!({"private_url_key": secret(32)})))
}
