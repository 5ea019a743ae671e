//! The things that incidents refer to: users, services, policies, teams, priorities, schedules.

use serde_json::{Map, Value, json};

use super::State;

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
    /// For instance `admin` or `read_only_user`.
    pub role: String,
    /// Ids of the user's teams.
    pub team_ids: Vec<String>,
}

/// A service with one Events API v2 integration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Service {
    /// Opaque id.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// A sentence about it.
    pub description: String,
    /// `active` or `disabled`; warnings follow from open incidents.
    pub status: String,
    /// Who is told.
    pub escalation_policy_id: String,
    /// Ids of the owning teams.
    pub team_ids: Vec<String>,
    /// Id of its integration.
    pub integration_id: String,
    /// The integration's routing key.
    pub routing_key: String,
}

/// An escalation policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EscalationPolicy {
    /// Opaque id.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// The ids of the users of each level, level 1 first.
    pub levels: Vec<Vec<String>>,
    /// Ids of the owning teams.
    pub team_ids: Vec<String>,
}

/// A priority.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Priority {
    /// Opaque id.
    pub id: String,
    /// `P1` to `P5`.
    pub name: String,
    /// What it means.
    pub description: String,
    /// Colour of its label, six hexadecimal digits.
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
}

/// A schedule on which one user is always on call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Schedule {
    /// Opaque id.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// Who is on call.
    pub user_id: String,
}

impl State {
    /// The members that every object and every reference has.
    pub(crate) fn stub(&self, kind: &str, collection: &str, id: &str, summary: &str) -> Value {
        json!({
            "id": id,
            "type": kind,
            "summary": summary,
            "self": format!("https://{}/{collection}/{id}", self.api_host()),
            "html_url": format!("https://{}/{collection}/{id}", self.web_host()),
        })
    }

    /// A whole object: the stub and what `more` adds.
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

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(crate) fn service(&self, id: &str) -> Option<&Service> {
        self.service_index.get(id).and_then(|index| self.services.get(*index))
    }

    pub(crate) fn policy(&self, id: &str) -> Option<&EscalationPolicy> {
        self.policies.iter().find(|policy| policy.id == id)
    }

    pub(crate) fn priority(&self, id: &str) -> Option<&Priority> {
        self.priorities.iter().find(|priority| priority.id == id)
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

    pub(crate) fn team_reference(&self, id: &str) -> Value {
        let name =
            self.teams.iter().find(|team| team.id == id).map_or("", |team| team.name.as_str());
        self.stub("team_reference", "teams", id, name)
    }

    /// Teams as references, or whole when `include[]=teams` asks for it.
    pub(crate) fn teams_json(&self, ids: &[String], whole: bool) -> Vec<Value> {
        ids.iter()
            .map(|id| match self.teams.iter().find(|team| team.id == *id) {
                Some(team) if whole => self.team_json(team),
                _ => self.team_reference(id),
            })
            .collect()
    }

    pub(crate) fn team_json(&self, team: &Team) -> Value {
        self.object(
            "team",
            "teams",
            &team.id,
            &team.name,
            json!({"name": team.name, "description": null, "default_role": "manager", "parent": null}),
        )
    }

    pub(crate) fn user_json(&self, user: &User, include: &[&str]) -> Value {
        let contact_id = format!("{}1", &user.id[..13]);
        let contact_path = format!("users/{}/contact_methods", user.id);
        let contact = if include.contains(&"contact_methods") {
            let more =
                json!({"label": "Default", "address": user.email, "send_short_email": false});
            self.object("email_contact_method", &contact_path, &contact_id, "Default", more)
        } else {
            self.stub("email_contact_method_reference", &contact_path, &contact_id, "Default")
        };
        self.object(
            "user",
            "users",
            &user.id,
            &user.name,
            json!({
                "name": user.name,
                "email": user.email,
                "time_zone": "Etc/UTC",
                "color": "purple",
                "avatar_url": format!("https://{}/avatars/{}.png", self.web_host(), user.id),
                "billed": true,
                "role": user.role,
                "description": null,
                "invitation_sent": false,
                "job_title": null,
                "locale": "en-US",
                "teams": self.teams_json(&user.team_ids, include.contains(&"teams")),
                "contact_methods": [contact],
                "notification_rules": [],
                "coordinated_incidents": [],
            }),
        )
    }

    pub(crate) fn service_json(&self, service: &Service, include: &[&str]) -> Value {
        let policy = match self.policy(&service.escalation_policy_id) {
            Some(policy) if include.contains(&"escalation_policies") => {
                self.policy_json(policy, &[])
            }
            _ => self.policy_reference(&service.escalation_policy_id),
        };
        let collection = format!("services/{}/integrations", service.id);
        let name = "Events API V2";
        let integration = if include.contains(&"integrations") {
            let more = json!({
                "name": name,
                "service": self.service_reference(&service.id),
                "created_at": "2025-01-15T09:00:00Z",
                "vendor": null,
                "integration_key": service.routing_key,
            });
            let kind = "events_api_v2_inbound_integration";
            self.object(kind, &collection, &service.integration_id, name, more)
        } else {
            let kind = "events_api_v2_inbound_integration_reference";
            self.stub(kind, &collection, &service.integration_id, name)
        };
        self.object(
            "service",
            "services",
            &service.id,
            &service.name,
            json!({
                "name": service.name,
                "description": service.description,
                "created_at": "2025-01-15T09:00:00Z",
                "updated_at": "2025-01-15T09:00:00Z",
                "status": self.service_status(service),
                "auto_resolve_timeout": null,
                "acknowledgement_timeout": null,
                "teams": self.teams_json(&service.team_ids, include.contains(&"teams")),
                "incident_urgency_rule": {"type": "constant", "urgency": "high"},
                "scheduled_actions": [],
                "support_hours": null,
                "last_incident_timestamp": null,
                "escalation_policy": policy,
                "addons": [],
                "alert_creation": "create_alerts_and_incidents",
                "alert_grouping_parameters": {"type": null, "config": null},
                "integrations": [integration],
                "response_play": null,
            }),
        )
    }

    pub(crate) fn policy_json(&self, policy: &EscalationPolicy, include: &[&str]) -> Value {
        let target = |id: &String| match self.user(id) {
            Some(user) if include.contains(&"targets") => self.user_json(user, &[]),
            _ => self.user_reference(id),
        };
        let rules: Vec<Value> = policy
            .levels
            .iter()
            .enumerate()
            .map(|(level, users)| {
                json!({
                    "id": format!("{}{level}", &policy.id[..13]),
                    "escalation_delay_in_minutes": 30,
                    "targets": users.iter().map(target).collect::<Vec<_>>(),
                })
            })
            .collect();
        let whole = include.contains(&"services");
        let services: Vec<Value> = self
            .services
            .iter()
            .filter(|service| service.escalation_policy_id == policy.id)
            .map(|service| match whole {
                true => self.service_json(service, &[]),
                false => self.service_reference(&service.id),
            })
            .collect();
        self.object(
            "escalation_policy",
            "escalation_policies",
            &policy.id,
            &policy.name,
            json!({
                "name": policy.name,
                "description": null,
                "num_loops": 0,
                "on_call_handoff_notifications": "if_has_services",
                "escalation_rules": rules,
                "services": services,
                "teams": self.teams_json(&policy.team_ids, include.contains(&"teams")),
            }),
        )
    }

    pub(crate) fn priority_json(&self, priority: &Priority) -> Value {
        self.object(
            "priority",
            "priorities",
            &priority.id,
            &priority.name,
            json!({
                "name": priority.name,
                "description": priority.description,
                "color": priority.color,
                "order": 0,
                "schema_version": 0,
            }),
        )
    }

    pub(crate) fn schedule_json(&self, schedule: &Schedule) -> Value {
        let policies: Vec<Value> = Vec::new();
        self.object(
            "schedule",
            "schedules",
            &schedule.id,
            &schedule.name,
            json!({
                "name": schedule.name,
                "description": null,
                "time_zone": "Etc/UTC",
                "escalation_policies": policies,
                "users": [self.user_reference(&schedule.user_id)],
                "teams": [],
            }),
        )
    }
}
