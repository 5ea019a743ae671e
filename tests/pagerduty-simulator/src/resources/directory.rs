//! Properties of an account that cannot be changed: abilities and priorities.

use serde_json::json;

use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::directory::Priority;

pub(super) const HANDLERS: &[(&str, Handler)] =
    &[("listPriorities", priorities), ("listAbilities", abilities), ("getAbility", ability)];

fn priorities(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let all: Vec<&Priority> = state.priorities.iter().collect();
    Ok(paging::reply(call.operation, &call.page(), all, |priority| {
        state.priority_json(priority).to_string()
    }))
}

fn abilities(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let names: Vec<&String> =
        call.state.abilities.iter().filter(|(_, has)| **has).map(|(name, _)| name).collect();
    Ok(call.answer(&json!(names)))
}

fn ability(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    call.state.need(call.capture(0)).map(|()| call.done())
}

impl crate::state::State {
    /// Refuses a request that needs an ability the account does not have.
    pub(crate) fn need(&self, ability: &str) -> Result<(), Refusal> {
        match self.abilities.get(ability) {
            None => Err(Refusal::not_found()),
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::coded(402, 2014, "Account does not have the ability")),
        }
    }
}
