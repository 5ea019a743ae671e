//! Responder requests and replies.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::log::Agent;
use crate::clock::written;

impl State {
    /// Adds a responder request, unless it exists.
    pub(crate) fn add_responder(
        &mut self,
        index: usize,
        responder: Value,
        agent: &Agent,
        at: Timestamp,
    ) {
        let responders = &mut self.touch(index, at).responders;
        if responders.iter().any(|one| one["user"]["id"] == responder["user"]["id"]) {
            return;
        }
        responders.push(responder);
        let last = responders.len() - 1;
        self.responder_event(index, last, "incident.responder.added", agent, at);
    }

    /// Records the reply to a responder request. Returns whether there was one.
    pub(crate) fn reply_as_responder(
        &mut self,
        index: usize,
        user: &str,
        joins: bool,
        at: Timestamp,
    ) -> bool {
        let responders = &mut self.touch(index, at).responders;
        let Some(place) = responders.iter().position(|one| one["user"]["id"] == user) else {
            return false;
        };
        responders[place]["state"] = json!(if joins { "joined" } else { "declined" });
        responders[place]["updated_at"] = json!(written(at));
        responders[place]["responded_at"] = json!(written(at));
        let agent = Agent::User(user.to_owned());
        self.responder_event(index, place, "incident.responder.replied", &agent, at);
        true
    }

    fn responder_event(
        &self,
        index: usize,
        place: usize,
        event: &str,
        agent: &Agent,
        at: Timestamp,
    ) {
        let responder = &self.incidents[index].responders[place];
        let policy = &self.incidents[index].escalation_policy_id;
        let data = json!({
            "type": "incident_responder",
            "incident": self.incident_in_event(index),
            "user": responder["user"],
            "escalation_policy": self.policy_reference(policy),
            "message": responder["message"],
            "state": responder["state"],
        });
        self.incident_event(index, event, agent, at, Some(data));
    }
}
