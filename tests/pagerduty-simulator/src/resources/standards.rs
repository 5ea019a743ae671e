//! Standards for services, and how many of them a service meets.

use serde_json::{Value, json};

use super::ids;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;

pub(super) const HANDLERS: &[(&str, Handler)] =
    &[("listResourceStandards", score_of_one), ("listResourceStandardsManyServices", scores)];

/// A service meets a standard if it is not excluded and, if the standard requires it, has a
/// description.
fn score(state: &State, kind: &str, id: &str) -> Option<Value> {
    let service = state.service(id)?;
    let mut passing = 0;
    let standards: Vec<Value> = state
        .store
        .all("/standards")
        .filter(|(_, one)| one["active"] != false)
        .filter(|(_, one)| !ids(&one["exclusions"]).iter().any(|other| other == id))
        .map(|(_, one)| {
            let pass = !service.description.is_empty();
            passing += usize::from(pass);
            json!({
                "id": one["id"], "name": one["name"], "type": one["type"], "active": true,
                "description": one["description"], "pass": pass,
            })
        })
        .collect();
    Some(json!({
        "resource_id": id,
        "resource_type": kind,
        "score": {"passing": passing, "total": standards.len()},
        "standards": standards,
    }))
}

fn score_of_one(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let score = score(call.state, call.capture(0), call.capture(1));
    Ok(Reply::json(call.status(), &score.ok_or_else(Refusal::not_found)?))
}

fn scores(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let kind = call.capture(0);
    let ids = call.query.all("ids");
    let ids = ids.iter().flat_map(|given| given.split(','));
    let scores: Vec<Value> = ids.filter_map(|id| score(call.state, kind, id)).collect();
    Ok(call.answer(&json!(scores)))
}
