//! Session lifetimes, and OAuth delegations.

use serde_json::{Value, json};

use super::passes;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("getSessionConfigurations", list),
    ("updateSessionConfigurations", set),
    ("deleteSessionConfigurations", delete),
    ("deleteOauthDelegations", delete_delegations),
];

const HOME: &str = "/session_configurations";

/// The kinds of session in a parameter, separated by commas; all if there is none.
fn kinds(call: &Call<'_>) -> Result<Vec<&'static str>, Refusal> {
    let Some(given) = call.query.one("type") else {
        return Ok(vec!["mobile", "web"]);
    };
    let known = |kind: &str| match kind.trim() {
        "mobile" => Some("mobile"),
        "web" => Some("web"),
        _ => None,
    };
    let kinds: Option<Vec<&str>> = given.split(',').map(known).collect();
    kinds.ok_or_else(|| Refusal::invalid(["type must be mobile or web"]))
}

fn shown(call: &Call<'_>, kinds: &[&str]) -> Reply {
    let all = call.state.store.all(HOME);
    let wanted = all.filter(|(_, one)| passes(kinds, one["type"].as_str().unwrap_or_default()));
    let wanted: Vec<Value> = wanted.map(|(_, one)| one.clone()).collect();
    call.answer(&json!(wanted))
}

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(shown(call, &kinds(call)?))
}

fn set(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let kinds = kinds(call)?;
    let given = call.body["session_configuration"].clone();
    for kind in &kinds {
        let configuration = json!({
            "id": kind,
            "type": kind,
            "absolute_session_ttl": given["absolute_session_ttl"],
            "idle_session_ttl": given["idle_session_ttl"],
        });
        call.state.store.put(HOME, configuration);
    }
    Ok(shown(call, &kinds))
}

fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let mut gone = false;
    for kind in kinds(call)? {
        gone |= call.state.store.remove(HOME, kind).is_some();
    }
    if gone { Ok(call.done()) } else { Err(Refusal::not_found()) }
}

/// Sessions of apps and browsers are not simulated; the user must exist.
fn delete_delegations(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let user = call.query.one("user_id").unwrap_or_default();
    call.state.user(user).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(call.status(), &json!({"status": "success"})))
}
