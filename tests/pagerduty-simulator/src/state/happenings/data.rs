//! The `data` of events, by their type.

use serde_json::{Value, json};

use crate::clock::written;
use crate::engine::references;
use crate::facts;
use crate::state::State;

impl State {
    /// A reference to an incident in webhooks: its summary is the title.
    pub(crate) fn incident_in_event(&self, index: usize) -> Value {
        let incident = &self.incidents[index];
        self.stub("incident_reference", "incidents", &incident.id, &incident.title)
    }

    /// An incident in webhooks, which differs from the REST API.
    pub(crate) fn incident_data(&self, index: usize) -> Value {
        let one = &self.incidents[index];
        let service = self.service(&one.service_id);
        let teams = service.map(|service| self.teams_json(&service.team_ids, false));
        let assignees: Vec<Value> =
            one.assignee_ids.iter().map(|id| self.user_reference(id)).collect();
        let priority = one.priority_id.as_deref().and_then(|id| self.priority(id));
        let priority =
            priority.map(|one| self.stub("priority_reference", "priorities", &one.id, &one.name));
        let merged = one.merged_into.as_deref().and_then(|id| self.incident_at(id));
        let mut data = self.stub("incident", "incidents", &one.id, &one.title);
        let own = json!({
            "number": one.number,
            "status": one.status.text(),
            "incident_key": one.incident_key,
            "created_at": written(one.created_at),
            "reopened_at": one.reopened_at.map(written),
            "title": one.title,
            "incident_type": {"name": one.incident_type},
            "service": self.service_reference(&one.service_id),
            "assignees": assignees,
            "escalation_policy": self.policy_reference(&one.escalation_policy_id),
            "teams": teams.unwrap_or_default(),
            "priority": priority,
            "urgency": one.urgency.text(),
            "conference_bridge": one.conference_bridge,
            "resolve_reason": merged.map(|into| json!({
                "type": "merge_resolve_reason", "incident": self.incident_in_event(into),
            })),
        });
        if let (Some(members), Value::Object(own)) = (data.as_object_mut(), own) {
            members.remove("summary");
            members.extend(own);
        }
        data
    }

    /// The values of an incident's fields in webhooks, as if none had changed.
    pub(crate) fn incident_field_event(&self, index: usize) -> Value {
        json!({
            "type": "incident_field_values", "incident": self.incident_in_event(index),
            "custom_fields": self.incident_field_values(index), "changed_custom_fields": [],
        })
    }

    /// Data for an event about an incident. Unknown data is generated.
    pub(super) fn data_about_incident(&self, index: usize, event_type: &str) -> Value {
        let one = &self.incidents[index];
        let incident = self.incident_in_event(index);
        let events = facts::webhook_events();
        let kind = events.iter().find(|one| one.event_type == event_type);
        let kind = kind.map_or("", |one| one.data_type.as_str());
        let user = one.assignee_ids.first().or_else(|| self.users.first().map(|user| &user.id));
        let user = user.map(|id| self.user_reference(id));
        let policy = self.policy_reference(&one.escalation_policy_id);
        match kind {
            "" => json!({"type": event_type.replace('.', "_"), "incident": incident}),
            "incident_note" => json!({
                "type": kind, "incident": incident, "trimmed": false,
                "id": one.notes.last().map(|note| note.id.clone()),
                "content": one.notes.last().map_or("", |note| note.content.as_str()),
            }),
            "incident_status_update" => {
                let last = one.status_updates.last().cloned().unwrap_or_default();
                json!({
                    "type": kind, "incident": incident, "trimmed": false,
                    "id": last["id"], "message": last["message"],
                })
            }
            "incident_conference_bridge" => {
                let bridge = one.conference_bridge.clone().unwrap_or_default();
                let number = bridge["conference_number"].as_str();
                let numbers: Vec<Value> =
                    number.iter().map(|number| json!({"label": "", "number": number})).collect();
                json!({
                    "type": kind, "incident": incident, "conference_numbers": numbers,
                    "conference_url": bridge["conference_url"],
                })
            }
            "incident_field_values" => self.incident_field_event(index),
            "incident_responder" => {
                let last = one.responders.last().cloned().unwrap_or_default();
                let user = if last["user"].is_null() { json!(user) } else { last["user"].clone() };
                json!({
                    "type": kind, "incident": incident, "user": user,
                    "escalation_policy": policy, "message": last["message"],
                    "state": last["state"].as_str().unwrap_or("pending"),
                })
            }
            "incident_role_assignment" => json!({
                "type": kind,
                "incident_role_assignments": [{
                    "id": format!("{}-role", one.id), "type": "role_assignment_reference",
                    "incident": incident, "assignee": user, "old_assignee": null,
                    "role": {"id": "PROLE000000001", "summary": "Lead", "type": "role_reference"},
                    "status": "active",
                }],
            }),
            "incident_task" => json!({
                "type": kind, "id": format!("{}-task", one.id), "name": "Call the provider",
                "summary": "Call the provider", "description": null, "incident": incident,
                "assignees": user.into_iter().collect::<Vec<_>>(),
                "status": if event_type.ends_with("completed") { "done" } else { "todo" },
            }),
            "incident_action_invocation" => {
                let state = event_type.rsplit('.').next().unwrap_or_default();
                self.invocation_data(index, "made-up", &Value::Null, state)
            }
            "incident_workflow_instance" => self.instance_data(index, "made-up", ""),
            _ => self.incident_data(index),
        }
    }

    /// A run of an automation action in webhooks.
    pub(crate) fn invocation_data(
        &self,
        index: usize,
        id: &str,
        action: &Value,
        state: &str,
    ) -> Value {
        let home = "automation_actions/invocations";
        let mut data = self.stub("incident_action_invocation", home, id, "");
        data["incident"] = self.incident_in_event(index);
        data["action"] = match action["id"].as_str() {
            Some(id) => {
                let name = action["name"].as_str().unwrap_or_default();
                self.stub("action_reference", "automation_actions/actions", id, name)
            }
            None => Value::Null,
        };
        data["state"] = json!(state);
        data
    }

    /// A run of an incident workflow in webhooks.
    pub(crate) fn instance_data(&self, index: usize, id: &str, workflow: &str) -> Value {
        let shown = references::shown(self, "incident_workflow", workflow);
        json!({
            "id": id,
            "type": "incident_workflow_instance",
            "summary": shown["summary"],
            "incident_workflow": shown,
            "workflow_trigger": null,
            "incident": self.incident_in_event(index),
            "service": self.service_reference(&self.incidents[index].service_id),
        })
    }

    /// Data for an event about a service.
    pub(crate) fn data_about_service(&self, id: &str, event_type: &str) -> Value {
        let Some(service) = self.service(id) else {
            return Value::Null;
        };
        if event_type == "service.custom_field_values.updated" {
            return json!({
                "type": "service_field_values", "service": self.service_reference(id),
                "custom_fields": self.service_field_values(id), "changed_custom_fields": [],
            });
        }
        let mut data = self.stub("service", "services", id, &service.name);
        let creation = service.more.get("alert_creation").cloned();
        data["alert_creation"] = creation.unwrap_or(json!("create_alerts_and_incidents"));
        data["teams"] = json!(self.teams_json(&service.team_ids, false));
        data
    }
}
