//! The objects that incidents refer to: users, services, policies, teams, priorities.

use serde_json::{Map, Value, json};

use super::State;
use super::schedules::Schedule;

/// A user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct User {
    /// Opaque id.
    pub id: String,
    /// Full name.
    pub name: String,
    /// The address for the `From` header.
    pub email: String,
    /// Such as `admin` or `read_only_user`.
    pub role: String,
    /// IDs of the user's teams.
    pub team_ids: Vec<String>,
    /// Members that the simulator does not interpret, as written.
    pub(crate) more: Map<String, Value>,
}

/// A service with one Events API v2 integration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Service {
    /// Opaque id.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// Description.
    pub description: String,
    /// `active` or `disabled`; warnings follow from open incidents.
    pub status: String,
    /// Its escalation policy.
    pub escalation_policy_id: String,
    /// IDs of the owning teams.
    pub team_ids: Vec<String>,
    /// ID of its first integration.
    pub integration_id: String,
    /// The first integration's routing key.
    pub routing_key: String,
    /// Creation time, as written.
    pub(crate) created_at: String,
    /// Members that the simulator does not interpret, as written.
    pub(crate) more: Map<String, Value>,
}

/// An escalation policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EscalationPolicy {
    /// Opaque id.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// The IDs of the users of each level, level 1 first.
    pub levels: Vec<Vec<String>>,
    /// IDs of the owning teams.
    pub team_ids: Vec<String>,
    /// The IDs of the schedules of each level.
    pub(crate) schedules: Vec<Vec<String>>,
    /// Minutes until the next level, for each level.
    pub(crate) delays: Vec<i64>,
    /// Members that the simulator does not interpret, as written.
    pub(crate) more: Map<String, Value>,
}

/// A priority.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Priority {
    /// Opaque id.
    pub id: String,
    /// `P1` to `P5`.
    pub name: String,
    /// Description.
    pub description: String,
    /// Color of its label, six hexadecimal digits.
    pub color: String,
}

/// A team.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Team {
    /// Opaque id.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// Members that the simulator does not interpret, as written.
    pub(crate) more: Map<String, Value>,
}

impl State {
    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(crate) fn service(&self, id: &str) -> Option<&Service> {
        self.service_index.get(id).and_then(|index| self.services.get(*index))
    }

    pub(crate) fn service_mut(&mut self, id: &str) -> Option<&mut Service> {
        self.service_index.get(id).and_then(|index| self.services.get_mut(*index))
    }

    pub(crate) fn policy(&self, id: &str) -> Option<&EscalationPolicy> {
        self.policies.iter().find(|policy| policy.id == id)
    }

    pub(crate) fn priority(&self, id: &str) -> Option<&Priority> {
        self.priorities.iter().find(|priority| priority.id == id)
    }

    pub(crate) fn team(&self, id: &str) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == id)
    }

    pub(crate) fn schedule(&self, id: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.id == id)
    }

    /// Whether a collection contains an object, wherever it is stored.
    pub(crate) fn exists(&self, collection: &str, id: &str) -> bool {
        match collection {
            "/users" => self.user(id).is_some(),
            "/services" => self.service(id).is_some(),
            "/escalation_policies" => self.policy(id).is_some(),
            "/priorities" => self.priority(id).is_some(),
            "/teams" => self.team(id).is_some(),
            "/schedules" => self.schedule(id).is_some(),
            "/incidents" => self.incident_at(id).is_some(),
            "/log_entries" => self.log_index.contains_key(id),
            _ => self.store.get(collection, id).is_some(),
        }
    }

    /// An object as returned without includes, wherever it is stored.
    pub(crate) fn whole(&self, collection: &str, id: &str) -> Option<Value> {
        match collection {
            "/users" => self.user(id).map(|user| self.user_json(user, &[])),
            "/services" => self.service(id).map(|service| self.service_json(service, &[])),
            "/escalation_policies" => self.policy(id).map(|policy| self.policy_json(policy, &[])),
            "/priorities" => self.priority(id).map(|priority| self.priority_json(priority)),
            "/teams" => self.team(id).map(|team| self.team_json(team)),
            "/schedules" => self.schedule(id).map(|schedule| self.schedule_json(schedule)),
            "/incidents" => self.incident_at(id).map(|index| self.incident_value(index)),
            _ => self.store.get(collection, id).cloned(),
        }
    }

    /// The members of every object and every reference.
    pub(crate) fn stub(&self, kind: &str, collection: &str, id: &str, summary: &str) -> Value {
        json!({
            "id": id,
            "type": kind,
            "summary": summary,
            "self": format!("https://{}/{collection}/{id}", self.api_host()),
            "html_url": format!("https://{}/{collection}/{id}", self.web_host()),
        })
    }

    /// A full object: the reference and the members of `more`.
    pub(crate) fn object(
        &self,
        kind: &str,
        collection: &str,
        id: &str,
        summary: &str,
        more: Value,
    ) -> Value {
        let mut object = self.stub(kind, collection, id, summary);
        if let (Value::Object(members), Value::Object(more)) = (&mut object, more) {
            members.extend::<Map<String, Value>>(more);
        }
        object
    }

    pub(crate) fn user_reference(&self, id: &str) -> Value {
        let name = self.user(id).map_or("", |user| user.name.as_str());
        self.stub("user_reference", "users", id, name)
    }

    pub(crate) fn service_reference(&self, id: &str) -> Value {
        let name = self.service(id).map_or("", |service| service.name.as_str());
        self.stub("service_reference", "services", id, name)
    }

    pub(crate) fn policy_reference(&self, id: &str) -> Value {
        let name = self.policy(id).map_or("", |policy| policy.name.as_str());
        self.stub("escalation_policy_reference", "escalation_policies", id, name)
    }

    pub(crate) fn schedule_reference(&self, id: &str) -> Value {
        let name = self.schedule(id).map_or("", |schedule| schedule.name.as_str());
        self.stub("schedule_reference", "schedules", id, name)
    }

    pub(crate) fn team_reference(&self, id: &str) -> Value {
        let name = self.team(id).map_or("", |team| team.name.as_str());
        self.stub("team_reference", "teams", id, name)
    }

    /// Teams as references, or in full if `include[]=teams` requests it.
    pub(crate) fn teams_json(&self, ids: &[String], whole: bool) -> Vec<Value> {
        ids.iter()
            .map(|id| match self.team(id) {
                Some(team) if whole => self.team_json(team),
                _ => self.team_reference(id),
            })
            .collect()
    }
}
