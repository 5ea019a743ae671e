//! Representation of the directory's objects.

use serde_json::{Map, Value, json};

use super::State;
use super::directory::{EscalationPolicy, Priority, Service, Team, User};

/// The members of a type, overlaid with those as written.
fn over(mut usual: Value, written: &Map<String, Value>) -> Value {
    if let Some(members) = usual.as_object_mut() {
        members.extend(written.clone());
    }
    usual
}

/// A reference to an object that is stored as in the API.
pub(crate) fn reference_to(object: &Value) -> Value {
    let member = |name: &str| object[name].clone();
    let kind = object["type"].as_str().unwrap_or_default();
    json!({
        "id": member("id"), "type": format!("{kind}_reference"), "summary": member("summary"),
        "self": member("self"), "html_url": member("html_url"),
    })
}

impl State {
    /// The objects below an object, in full or as references.
    fn below(&self, path: &str, whole: bool) -> Vec<Value> {
        let objects = self.store.all(path).map(|(_, object)| object);
        objects.map(|object| if whole { object.clone() } else { reference_to(object) }).collect()
    }

    pub(crate) fn team_json(&self, team: &Team) -> Value {
        let usual = json!({
            "name": team.name, "description": null, "default_role": "manager", "parent": null,
        });
        self.object("team", "teams", &team.id, &team.name, over(usual, &team.more))
    }

    pub(crate) fn user_json(&self, user: &User, include: &[&str]) -> Value {
        let has = |name: &str| include.contains(&name);
        let below = |name: &str| self.below(&format!("/users/{}/{name}", user.id), has(name));
        let usual = json!({
            "time_zone": "Etc/UTC",
            "color": "purple",
            "avatar_url": format!("https://{}/avatars/{}.png", self.web_host(), user.id),
            "billed": true,
            "description": null,
            "invitation_sent": false,
            "job_title": null,
            "locale": "en-US",
        });
        let mut shown = over(usual, &user.more);
        let own = json!({
            "name": user.name,
            "email": user.email,
            "role": user.role,
            "teams": self.teams_json(&user.team_ids, has("teams")),
            "contact_methods": below("contact_methods"),
            "notification_rules": below("notification_rules"),
            "coordinated_incidents": [],
        });
        if let (Some(members), Value::Object(own)) = (shown.as_object_mut(), own) {
            members.extend(own);
        }
        if has("subdomains") {
            shown["subdomains"] = json!(["example"]);
        }
        if has("calendar_urls") {
            let web = format!("https://{}/private/{}/feed", self.web_host(), user.id);
            shown["http_cal_url"] = json!(web);
            shown["web_cal_url"] = json!(web.replacen("https", "webcal", 1));
        }
        self.object("user", "users", &user.id, &user.name, shown)
    }

    pub(crate) fn service_json(&self, service: &Service, include: &[&str]) -> Value {
        let has = |name: &str| include.contains(&name);
        let policy = match self.policy(&service.escalation_policy_id) {
            Some(policy) if has("escalation_policies") => self.policy_json(policy, &[]),
            _ => self.policy_reference(&service.escalation_policy_id),
        };
        let last = self.incidents.iter().rev().find(|one| one.service_id == service.id);
        let usual = json!({
            "created_at": service.created_at,
            "updated_at": service.created_at,
            "auto_resolve_timeout": null,
            "acknowledgement_timeout": null,
            "incident_urgency_rule": {"type": "constant", "urgency": "high"},
            "scheduled_actions": [],
            "support_hours": null,
            "addons": [],
            "alert_creation": "create_alerts_and_incidents",
            "alert_grouping_parameters": {"type": null, "config": null},
            "auto_pause_notifications_parameters": {"enabled": false, "timeout": null},
            "response_play": null,
        });
        let mut shown = over(usual, &service.more);
        let integrations = format!("/services/{}/integrations", service.id);
        let own = json!({
            "name": service.name,
            "description": service.description,
            "status": self.service_status(service),
            "teams": self.teams_json(&service.team_ids, has("teams")),
            "last_incident_timestamp": last.map(|one| crate::clock::written(one.created_at)),
            "escalation_policy": policy,
            "integrations": self.below(&integrations, has("integrations")),
        });
        if let (Some(members), Value::Object(own)) = (shown.as_object_mut(), own) {
            members.extend(own);
        }
        self.object("service", "services", &service.id, &service.name, shown)
    }

    pub(crate) fn policy_json(&self, policy: &EscalationPolicy, include: &[&str]) -> Value {
        let has = |name: &str| include.contains(&name);
        let person = |id: &String| match self.user(id) {
            Some(user) if has("targets") => self.user_json(user, &[]),
            _ => self.user_reference(id),
        };
        let table = |id: &String| match self.schedule(id) {
            Some(schedule) if has("targets") => self.schedule_json(schedule),
            _ => self.schedule_reference(id),
        };
        let rules: Vec<Value> = policy
            .levels
            .iter()
            .enumerate()
            .map(|(level, users)| {
                let schedules = policy.schedules.get(level).into_iter().flatten();
                let targets: Vec<Value> =
                    users.iter().map(person).chain(schedules.map(table)).collect();
                json!({
                    "id": format!("{}{level}", &policy.id[..13]),
                    "escalation_delay_in_minutes": policy.delays.get(level).unwrap_or(&30),
                    "escalation_rule_assignment_strategy": "assign_to_everyone",
                    "targets": targets,
                })
            })
            .collect();
        let services: Vec<Value> = self
            .services
            .iter()
            .filter(|service| service.escalation_policy_id == policy.id)
            .map(|service| match has("services") {
                true => self.service_json(service, &[]),
                false => self.service_reference(&service.id),
            })
            .collect();
        let usual = json!({
            "description": null,
            "num_loops": 0,
            "on_call_handoff_notifications": "if_has_services",
        });
        let mut shown = over(usual, &policy.more);
        let own = json!({
            "name": policy.name,
            "escalation_rules": rules,
            "services": services,
            "teams": self.teams_json(&policy.team_ids, has("teams")),
        });
        if let (Some(members), Value::Object(own)) = (shown.as_object_mut(), own) {
            members.extend(own);
        }
        self.object("escalation_policy", "escalation_policies", &policy.id, &policy.name, shown)
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
}
