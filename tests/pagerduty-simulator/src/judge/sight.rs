//! What private teams hide. A team whose `default_role` is `none` is private: what belongs to such
//! teams alone is seen by their members, by administrators, and by keys that are nobody's own.

use super::Call;
use crate::errors::Refusal;

/// The roles that see everything.
const SEES_ALL: [&str; 2] = ["admin", "owner"];

/// What somebody sees.
pub(crate) struct Sight {
    /// Ids of the private teams that they do not belong to.
    hidden: Vec<String>,
}

impl Sight {
    /// Whether they see what belongs to these teams; what belongs to none is everybody's.
    pub(crate) fn sees(&self, team_ids: &[String]) -> bool {
        team_ids.is_empty() || team_ids.iter().any(|id| !self.hidden.contains(id))
    }
}

impl Call<'_> {
    /// What the owner of the key sees. The person that a key of the account acts for limits nothing.
    pub(crate) fn sight(&self) -> Sight {
        let owner = self.key.user.as_deref().and_then(|id| self.state.user(id));
        let hidden = match owner {
            Some(user) if !SEES_ALL.contains(&user.role.as_str()) => self
                .state
                .teams
                .iter()
                .filter(|team| team.more.get("default_role").is_some_and(|role| role == "none"))
                .filter(|team| !user.team_ids.contains(&team.id))
                .map(|team| team.id.clone())
                .collect(),
            _ => Vec::new(),
        };
        Sight { hidden }
    }
}

/// Refuses a path to something that is hidden, as if it did not exist.
pub(crate) fn path(call: &Call<'_>) -> Result<(), Refusal> {
    let sight = call.sight();
    let (state, id) = (&*call.state, call.capture(0));
    let root = call.operation.path.split('/').nth(1).unwrap_or_default();
    let sees = match root {
        "teams" => state.team(id).is_none_or(|team| sight.sees(std::slice::from_ref(&team.id))),
        "schedules" => state.schedule(id).is_none_or(|one| sight.sees(&one.team_ids)),
        "escalation_policies" => state.policy(id).is_none_or(|one| sight.sees(&one.team_ids)),
        "services" => state.service(id).is_none_or(|one| sight.sees(&one.team_ids)),
        "incidents" => state.incident_at(id).is_none_or(|index| {
            let service = state.service(&state.incidents[index].service_id);
            service.is_none_or(|one| sight.sees(&one.team_ids))
        }),
        _ => true,
    };
    if sees { Ok(()) } else { Err(Refusal::not_found()) }
}
