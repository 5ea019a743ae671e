//! Visibility with private teams. A team whose `default_role` is `none` is private: its members,
//! administrators, and keys without a user see what belongs only to such teams.

use super::Call;
use crate::errors::Refusal;

/// The roles that see everything.
const SEES_ALL: [&str; 2] = ["admin", "owner"];

/// Objects that a user can see.
pub(crate) struct Sight {
    /// IDs of the private teams that the user does not belong to.
    hidden: Vec<String>,
}

impl Sight {
    /// Whether objects of these teams are visible; objects without a team are visible to everyone.
    pub(crate) fn sees(&self, team_ids: &[String]) -> bool {
        team_ids.is_empty() || team_ids.iter().any(|id| !self.hidden.contains(id))
    }
}

impl Call<'_> {
    /// Objects that the owner of the key can see. The user that an account key acts for restricts
    /// nothing.
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

/// Refuses a path to a hidden object, as if it did not exist.
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
