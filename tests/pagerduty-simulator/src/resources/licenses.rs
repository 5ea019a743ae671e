//! Licenses, and their users.

use serde_json::{Value, json};

use super::text;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;
use crate::state::directory::User;

pub(super) const HANDLERS: &[(&str, Handler)] =
    &[("listLicenses", list), ("listLicenseAllocations", allocations), ("getUserLicense", of_user)];

const HOME: &str = "/licenses";

/// The license of a user: the one that was given, or the first that the role allows.
fn license(state: &State, user: &User) -> Option<Value> {
    let named = user.more.get("license").and_then(|license| text(&license["id"]));
    if let Some(license) = named.and_then(|id| state.store.get(HOME, &id)) {
        return Some(license.clone());
    }
    let fits = |one: &Value| {
        one["valid_roles"]
            .as_array()
            .is_some_and(|roles| roles.iter().any(|role| *role == user.role))
    };
    let mut licenses = state.store.all(HOME);
    let first = state.store.all(HOME).next();
    let found = licenses.find(|(_, one)| fits(one)).or(first);
    found.map(|(_, license)| license.clone())
}

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let licenses: Vec<Value> = state
        .store
        .all(HOME)
        .map(|(_, one)| {
            let holders = state.users.iter().filter(|user| {
                license(state, user).is_some_and(|license| license["id"] == one["id"])
            });
            let held = holders.count();
            let mut one = one.clone();
            one["current_value"] = json!(held);
            one["allocations_available"] =
                json!(one["total"].as_u64().map(|total| total.saturating_sub(held as u64)));
            one
        })
        .collect();
    Ok(call.answer(&json!(licenses)))
}

fn allocations(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let holders: Vec<(&User, Value)> = state
        .users
        .iter()
        .filter_map(|user| license(state, user).map(|license| (user, license)))
        .collect();
    Ok(paging::reply(call.operation, &call.page(), holders, |(user, license)| {
        json!({
            "license": license,
            "user": state.user_reference(&user.id),
            "allocated_at": "2025-01-15T09:00:00Z",
        })
        .to_string()
    }))
}

fn of_user(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let user = call.state.user(call.capture(0)).ok_or_else(Refusal::not_found)?;
    let license = license(call.state, user).ok_or_else(Refusal::not_found)?;
    Ok(call.answer(&license))
}
