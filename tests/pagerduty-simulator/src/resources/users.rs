//! Users, and the user behind a key.

use super::{any_passes, resembles};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::keys::TokenKind;
use crate::reply::Reply;
use crate::state::directory::User;

pub(crate) fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
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
    Ok(Reply::page_of("users", &matching, &call.query.page(), |user| {
        state.user_json(user, &include).to_string()
    }))
}

pub(crate) fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    answer(call, call.capture(0))
}

/// Only keys that have a user know who they are.
pub(crate) fn me(call: &mut Call<'_>) -> Result<Reply, Refusal> {
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
    let user = call.state.user_json(user, &call.query.includes());
    Ok(Reply::wrapped(200, "user", &user.to_string()))
}
